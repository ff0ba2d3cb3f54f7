"""The HTTP service, the server thread and the fetcher over real sockets on 127.0.0.1."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from proofmill.store import (
    BlobFetcher,
    BlobTooLarge,
    BlobUnavailable,
    DirectoryStore,
    InvalidPeer,
    PortTaken,
    ServiceFailed,
    ServiceServer,
    UploadRefused,
    blob_routes,
    content_id,
    to_cid,
)
from proofmill.store import routes as routes_module

LIMIT = 100_000
MakeServer = Callable[..., tuple[str, DirectoryStore]]


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    running: list[ServiceServer] = []

    def make(
        *, accept_uploads: bool = True, quota_bytes: int = 10**6, upload_timeout_seconds: float = 60.0
    ) -> tuple[str, DirectoryStore]:
        store = DirectoryStore(tmp_path / f"server{len(running)}", quota_bytes=quota_bytes)
        served = blob_routes(
            store,
            accept_uploads=accept_uploads,
            maximum_blob_bytes=LIMIT,
            upload_timeout_seconds=upload_timeout_seconds,
        )
        running.append(ServiceServer(Starlette(routes=served)).start())
        return running[-1].url, store

    yield make
    for server in running:
        server.stop()


@pytest.fixture
def local(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "local")


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def _assert_error(response: httpx.Response, status: int) -> None:
    assert response.status_code == status
    assert set(response.json()) == {"error", "remedy"}
    assert response.headers["cache-control"] == "no-store"


def test_get__by_each_identifier__gives_the_bytes(make_server: MakeServer, http: httpx.Client) -> None:
    url, store = make_server()
    digest = store.put(b"data")
    for identifier in (to_cid(digest), digest.hex(), "0x" + digest.hex()):
        response = http.get(f"{url}/blobs/{identifier}")
        assert (response.status_code, response.content) == (200, b"data")
        assert response.headers["etag"] == f'"{digest.hex()}"'
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["x-content-type-options"] == "nosniff"
    head = http.head(f"{url}/blobs/{to_cid(digest)}")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "4")
    cached = http.get(f"{url}/blobs/{to_cid(digest)}", headers={"If-None-Match": f'W/"x", "{digest.hex()}"'})
    assert (cached.status_code, cached.content) == (304, b"")


def test_get__unknown_or_malformed_or_damaged__says_which(
    make_server: MakeServer, http: httpx.Client
) -> None:
    url, store = make_server()
    _assert_error(http.get(f"{url}/blobs/{bytes(32).hex()}"), 404)
    _assert_error(http.get(f"{url}/blobs/nonsense"), 400)
    _assert_error(http.get(f"{url}/blobs/%00%ff"), 400)
    digest = store.put(b"data")
    next(store.root.glob(f"pinned/*/{digest.hex()}")).write_bytes(b"evil")
    _assert_error(http.get(f"{url}/blobs/{digest.hex()}"), 500)
    _assert_error(http.get(f"{url}/blobs/{digest.hex()}"), 404)


def test_put__new_and_known__is_stored_unpinned(make_server: MakeServer, http: httpx.Client) -> None:
    url, store = make_server()
    digest = content_id(b"data")
    first, second = (http.put(f"{url}/blobs/{to_cid(digest)}", content=b"data") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == {"digest": digest.hex(), "name": to_cid(digest)}
    assert store.get(digest) == b"data"
    assert not store.is_pinned(digest)


def test_put__refusals__have_their_status(make_server: MakeServer, http: httpx.Client) -> None:
    url, store = make_server(quota_bytes=1000)
    _assert_error(http.put(f"{url}/blobs/{bytes(32).hex()}", content=b"data"), 422)
    _assert_error(http.put(f"{url}/blobs/nonsense", content=b"data"), 400)
    big = bytes(LIMIT + 1)
    _assert_error(http.put(f"{url}/blobs/{content_id(big).hex()}", content=big), 413)
    chunks = (bytes(10_000) for _ in range(12))  # chunked: no length is announced
    _assert_error(http.put(f"{url}/blobs/{content_id(big).hex()}", content=chunks), 413)
    store.put(bytes(900))
    _assert_error(http.put(f"{url}/blobs/{content_id(bytes(200)).hex()}", content=bytes(200)), 507)
    refused = http.post(f"{url}/blobs/{bytes(32).hex()}")
    _assert_error(refused, 405)
    assert refused.headers["allow"] == "GET, HEAD, PUT"


def test_put__uploads_off__is_refused(make_server: MakeServer, http: httpx.Client) -> None:
    url, store = make_server(accept_uploads=False)
    response = http.put(f"{url}/blobs/{content_id(b'data').hex()}", content=b"data")
    _assert_error(response, 405)
    assert response.headers["allow"] == "GET, HEAD"
    assert store.usage_bytes() == 0


def test_put__slow_body__times_out_and_is_counted(
    make_server: MakeServer, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes_module, "MAXIMUM_CONCURRENT_UPLOADS", 1)
    url, _ = make_server(upload_timeout_seconds=0.6)
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 0), timeout=5) as slow:
        slow.sendall(
            f"PUT /blobs/{bytes(32).hex()} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nd".encode()
        )
        time.sleep(0.2)
        _assert_error(http.put(f"{url}/blobs/{content_id(b'data').hex()}", content=b"data"), 503)
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")
    assert http.put(f"{url}/blobs/{content_id(b'data').hex()}", content=b"data").status_code == 201


def test_server__port_taken__says_so(make_server: MakeServer) -> None:
    url, _ = make_server()
    with pytest.raises(PortTaken) as caught:
        ServiceServer(Starlette(), port=httpx.URL(url).port or 0).start()
    assert "port" in caught.value.remedy


def test_server__stopped__lets_a_request_end_and_frees_the_port() -> None:
    entered = threading.Event()

    def slow(request: Request) -> Response:
        entered.set()
        time.sleep(0.4)
        return PlainTextResponse("done")

    server = ServiceServer(Starlette(routes=[Route("/", slow)]))
    with pytest.raises(ServiceFailed, match="not running"):
        _ = server.url
    url = server.start().url
    with pytest.raises(ServiceFailed, match="already runs"):
        server.start()
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(httpx.get(url, trust_env=False).text))
    thread.start()
    assert entered.wait(5)
    server.stop()
    server.stop()
    thread.join(5)
    assert answers == ["done"]
    with ServiceServer(Starlette(), port=httpx.URL(url).port or 0) as again:
        assert again.url == url


def test_server__application_fails_at_start__is_reported() -> None:
    async def failing_lifespan(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(ServiceFailed, match="did not start"):
        ServiceServer(failing_lifespan).start()


def test_fetch__local_blob__asks_no_peer(local: DirectoryStore) -> None:
    digest = local.put(b"data")
    with BlobFetcher(local, ["http://127.0.0.1:9"]) as fetcher:
        assert fetcher.fetch(digest) == b"data"


def test_fetch__second_peer_has_it__is_kept_unpinned(make_server: MakeServer, local: DirectoryStore) -> None:
    (empty_url, _), (full_url, full) = make_server(), make_server()
    digest = full.put(b"data")
    with BlobFetcher(local, [empty_url, full_url + "/"]) as fetcher:
        assert fetcher.fetch(digest) == b"data"
    assert local.get(digest) == b"data"
    assert not local.is_pinned(digest)


def test_fetch__local_copy_damaged__is_replaced(make_server: MakeServer, local: DirectoryStore) -> None:
    url, remote = make_server()
    digest = remote.put(b"data")
    local.put(b"data")
    next(local.root.glob(f"pinned/*/{digest.hex()}")).write_bytes(b"evil")
    with BlobFetcher(local, [url]) as fetcher:
        assert fetcher.fetch(digest) == b"data"
    assert local.get(digest) == b"data"


def test_fetch__local_store_full__still_gives_the_bytes(make_server: MakeServer, tmp_path: Path) -> None:
    url, remote = make_server()
    digest = remote.put(b"data")
    with BlobFetcher(DirectoryStore(tmp_path / "tiny", quota_bytes=1), [url]) as fetcher:
        assert fetcher.fetch(digest) == b"data"


def test_fetch__blob_arrives_later__is_found_in_a_later_round(
    make_server: MakeServer, local: DirectoryStore
) -> None:
    url, remote = make_server()
    threading.Timer(0.3, remote.put, [b"data"]).start()
    with BlobFetcher(local, [url], rounds=6, pause_seconds=0.1) as fetcher:
        assert fetcher.fetch(content_id(b"data")) == b"data"


def test_fetch__nobody_has_it__names_each_answer(make_server: MakeServer, local: DirectoryStore) -> None:
    url, _ = make_server()
    with (
        BlobFetcher(local, [url, "http://127.0.0.1:9"], pause_seconds=0.01) as fetcher,
        pytest.raises(BlobUnavailable) as caught,
    ):
        fetcher.fetch(bytes(32))
    missing, unreachable = caught.value.answers
    assert (missing.peer, unreachable.peer) == (url, "http://127.0.0.1:9")
    assert missing.outcome.startswith("answered 404: 0x0000")
    assert "ConnectError" in unreachable.outcome
    assert url in str(caught.value)


def test_fetch__no_peers__says_so(local: DirectoryStore) -> None:
    with BlobFetcher(local) as fetcher, pytest.raises(BlobUnavailable, match="no peer is configured"):
        fetcher.fetch(bytes(32))


def test_identities__given_to_both_stores__are_those_of_the_wire(tmp_path: Path) -> None:
    def backwards(data: bytes) -> bytes:
        return content_id(data[::-1])

    remote = DirectoryStore(tmp_path / "remote", identify=backwards)
    app = Starlette(routes=blob_routes(remote, accept_uploads=True))
    with ServiceServer(app) as server, httpx.Client(trust_env=False) as http:
        local = DirectoryStore(tmp_path / "local", identify=backwards)
        with BlobFetcher(local, [server.url]) as fetcher:
            assert fetcher.upload(b"data") == (backwards(b"data"), [server.url])
            remote.put(b"more")
            assert fetcher.fetch(backwards(b"more")) == b"more"
        known = http.put(f"{server.url}/blobs/{backwards(b'data').hex()}", content=b"data")
        assert known.json()["name"] == "0x" + backwards(b"data").hex(), "a CID would claim a sha2-256"
        refused = http.put(f"{server.url}/blobs/{content_id(b'data').hex()}", content=b"data")
        _assert_error(refused, 422)
        assert f"the body is 0x{backwards(b'data').hex()}" in refused.json()["error"]
        with (
            BlobFetcher(DirectoryStore(tmp_path / "other"), [server.url], rounds=1) as stranger,
            pytest.raises(BlobUnavailable, match=f"sent wrong bytes .{to_cid(content_id(b'data'))}"),
        ):
            stranger.fetch(backwards(b"data"))


def test_upload__one_of_three_accepts__succeeds(make_server: MakeServer, local: DirectoryStore) -> None:
    (open_url, remote), (closed_url, _) = make_server(), make_server(accept_uploads=False)
    with BlobFetcher(local, [closed_url, "http://127.0.0.1:9", open_url]) as fetcher:
        digest, accepted = fetcher.upload(b"data")
    assert accepted == [open_url]
    assert remote.get(digest) == local.get(digest) == b"data"
    assert local.is_pinned(digest)


def test_upload__nobody_accepts__names_each_answer(make_server: MakeServer, local: DirectoryStore) -> None:
    url, _ = make_server(quota_bytes=2)
    with BlobFetcher(local, [url]) as fetcher, pytest.raises(UploadRefused, match="answered 507: no room"):
        fetcher.upload(b"data")
    with BlobFetcher(local) as fetcher, pytest.raises(UploadRefused, match="no peer is configured"):
        fetcher.upload(b"data")
    with BlobFetcher(local, [url], maximum_blob_bytes=3) as fetcher, pytest.raises(BlobTooLarge):
        fetcher.upload(b"data")


@pytest.mark.parametrize(
    "peer",
    ["", "127.0.0.1:80", "ftp://x", "http://", "http://a:b@c", "http://x?y", "http://x#y", "http://x:port"],
)
def test_fetcher__address_is_no_peer__is_refused(local: DirectoryStore, peer: str) -> None:
    with pytest.raises(InvalidPeer) as caught:
        BlobFetcher(local, [peer])
    assert "URL" in caught.value.remedy


def test_fetch__injected_client__is_used_and_left_open(local: DirectoryStore) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=b"data"))
    with httpx.Client(transport=transport) as client:
        with BlobFetcher(local, ["http://peer"], client=client) as fetcher:
            assert fetcher.fetch(content_id(b"data")) == b"data"
        assert not client.is_closed
