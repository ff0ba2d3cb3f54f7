"""Peers that lie, flood, stall or redirect: the fetcher refuses them by name, in bounded time and memory."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proofmill.store import BlobFetcher, BlobUnavailable, DirectoryStore, UploadRefused, content_id

DATA = b"the right bytes"
DIGEST = content_id(DATA)
Behaviour = Callable[[socket.socket], None]
MakePeer = Callable[[Behaviour], str]


def _response(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@pytest.fixture
def make_peer() -> Iterator[MakePeer]:
    """A raw TCP peer: reads the head of one request per connection and then does what the test wants."""
    listeners: list[socket.socket] = []

    def make(behave: Behaviour) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        while b"\r\n\r\n" not in connection.recv(65536):
                            pass
                        behave(connection)
                    except OSError:
                        continue  # the fetcher hung up

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield make
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "local")


def _endless_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1000\r\n" + bytes(4096) + b"\r\n")


def _drip(connection: socket.socket, data: bytes) -> None:
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def _drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
    _drip(connection, bytes(4000))


def _drip_head(connection: socket.socket) -> None:
    _drip(connection, b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 4000)


def _stall(connection: socket.socket) -> None:
    connection.recv(1)  # until the fetcher hangs up


HOSTILE: dict[str, tuple[Behaviour, str]] = {
    "wrong bytes": (lambda peer: peer.sendall(_response(b"wrong")), "sent wrong bytes"),
    "empty": (lambda peer: peer.sendall(_response(b"")), "sent wrong bytes"),
    "compressed": (
        lambda peer: peer.sendall(_response(gzip.compress(DATA), headers="Content-Encoding: gzip\r\n")),
        "sent wrong bytes",
    ),
    "endless": (_endless_body, "sent more than 50,000 bytes"),
    "huge announced": (
        lambda peer: peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"),
        "sent more than 50,000 bytes",
    ),
    "drips body": (_drip_body, "gave no complete answer"),
    "drips head": (_drip_head, "gave no complete answer"),
    "stalls": (_stall, "gave no complete answer"),
    "server error": (lambda peer: peer.sendall(_response(b"{}", "500 Oops")), "answered 500"),
    "error with controls": (
        lambda peer: peer.sendall(_response(b'{"error": "\\u001b[2Jgone"}', "404 No")),
        "answered 404: \\x1b[2Jgone",
    ),
    "deep error": (lambda peer: peer.sendall(_response(b"[" * 100_000, "500 Oops")), "answered 500"),
    "no content": (lambda peer: peer.sendall(_response(DATA, "203 Maybe")), "answered 203"),
    "cut short": (lambda peer: peer.sendall(_response(DATA)[:-3]), "RemoteProtocolError"),
    "not HTTP": (lambda peer: peer.sendall(b"SSH-2.0-OpenSSH\r\n\r\n"), "RemoteProtocolError"),
    "hangs up": (lambda peer: None, "RemoteProtocolError"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_fetch__hostile_peer_first__is_named_and_the_honest_one_serves(
    make_peer: MakePeer, store: DirectoryStore, name: str
) -> None:
    behave, expected = HOSTILE[name]
    hostile = make_peer(behave)
    honest = make_peer(lambda peer: peer.sendall(_response(DATA)))
    options = {"maximum_blob_bytes": 50_000, "peer_timeout_seconds": 0.5, "rounds": 1}
    started = time.monotonic()
    with BlobFetcher(store, [hostile], **options) as fetcher, pytest.raises(BlobUnavailable) as caught:  # type: ignore[arg-type]
        fetcher.fetch(DIGEST)
    assert time.monotonic() - started < 3
    (answer,) = caught.value.answers
    assert answer.peer == hostile
    assert expected in answer.outcome
    assert not store.has(DIGEST)
    with BlobFetcher(store, [hostile, honest], **options) as fetcher:  # type: ignore[arg-type]
        assert fetcher.fetch(DIGEST) == DATA


def test_fetch__redirect__is_not_followed(make_peer: MakePeer, store: DirectoryStore) -> None:
    visits: list[int] = []

    def serve(connection: socket.socket) -> None:
        visits.append(1)
        connection.sendall(_response(DATA))

    target = make_peer(serve)
    redirecting = make_peer(lambda peer: peer.sendall(_response(b"", "302 Found", f"Location: {target}\r\n")))
    with (
        BlobFetcher(store, [redirecting], rounds=1) as fetcher,
        pytest.raises(BlobUnavailable, match="answered 302; redirects are refused"),
    ):
        fetcher.fetch(DIGEST)
    assert visits == []


def test_fetch__liar__is_not_asked_again(make_peer: MakePeer, store: DirectoryStore) -> None:
    visits: list[int] = []

    def lie(connection: socket.socket) -> None:
        visits.append(1)
        connection.sendall(_response(b"wrong"))

    with (
        BlobFetcher(store, [make_peer(lie)], rounds=5, pause_seconds=0.01) as fetcher,
        pytest.raises(BlobUnavailable),
    ):
        fetcher.fetch(DIGEST)
    assert len(visits) == 1


def test_fetch__many_stalling_peers__ends_at_the_deadline(make_peer: MakePeer, store: DirectoryStore) -> None:
    peers = [make_peer(_stall) for _ in range(5)]
    started = time.monotonic()
    with BlobFetcher(store, peers, peer_timeout_seconds=0.4, deadline_seconds=0.9) as fetcher:
        with pytest.raises(BlobUnavailable) as caught:
            fetcher.fetch(DIGEST)
        assert time.monotonic() - started < 2
        assert len(caught.value.answers) == 5
        assert "not asked" in caught.value.answers[-1].outcome
        with pytest.raises(BlobUnavailable):
            fetcher.fetch(DIGEST, deadline_seconds=0)


@pytest.mark.parametrize("behave", [_stall, _drip_head, _endless_body])
def test_upload__stalling_peer__does_not_hold_the_others(
    make_peer: MakePeer, store: DirectoryStore, behave: Behaviour
) -> None:
    hostile, honest = make_peer(behave), make_peer(lambda peer: peer.sendall(_response(b"{}", "201 Created")))
    started = time.monotonic()
    with BlobFetcher(store, [hostile, honest], peer_timeout_seconds=0.5) as fetcher:
        assert honest in fetcher.upload(DATA)[1]
    assert time.monotonic() - started < 3


def test_upload__redirect__counts_as_a_refusal(make_peer: MakePeer, store: DirectoryStore) -> None:
    redirecting = make_peer(
        lambda peer: peer.sendall(_response(b"", "307 Elsewhere", "Location: http://127.0.0.1:9/\r\n"))
    )
    with (
        BlobFetcher(store, [redirecting]) as fetcher,
        pytest.raises(UploadRefused, match="redirects are refused"),
    ):
        fetcher.upload(DATA)
