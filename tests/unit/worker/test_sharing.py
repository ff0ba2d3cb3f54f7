"""Requests that a worker gives to the committee."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from proofmill.store import BlobFetcher, DirectoryStore, ServiceServer, blob_routes, content_id
from worker.sharing import RequestSharing

REQUEST = b"what only this worker was given"


class Log:
    """Keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append((event, facts))

    warning = info


def share(store: DirectoryStore, peers: list[str]) -> list[tuple[str, dict[str, Any]]]:
    log: Any = Log()
    with BlobFetcher(store, peers) as fetcher:
        sharing = RequestSharing(fetcher=fetcher, store=store, log=log)
        sharing.share(7, REQUEST)
        sharing._thread.submit(lambda: None).result()  # the queue is worked off
        sharing.close()
    return list(log.lines)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "worker")


def test_share__members__hold_the_request_and_nothing_stays_pinned(
    store: DirectoryStore, tmp_path: Path
) -> None:
    member = DirectoryStore(tmp_path / "member")
    store.put(REQUEST, pinned=False)
    with ServiceServer(
        Starlette(routes=blob_routes(member, accept_uploads=True)), host="127.0.0.1", port=0
    ) as server:
        [(event, facts)] = share(store, [server.url, "http://127.0.0.1:9"])
    assert (event, facts["job"], facts["members"]) == ("request shared", 7, 1)
    assert member.get(content_id(REQUEST)) == REQUEST
    assert not store.is_pinned(content_id(REQUEST)), "requests would fill the store for ever"


def test_share__nobody_takes_it__is_said_with_a_remedy(store: DirectoryStore) -> None:
    [(event, facts)] = share(store, ["http://127.0.0.1:9"])
    assert event == "request not shared"
    assert "peers" in facts["remedy"]


def test_share__no_members_known__nothing_to_do(store: DirectoryStore) -> None:
    assert share(store, []) == []
