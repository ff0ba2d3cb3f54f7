"""Requests of claimed jobs stay, whatever strangers upload."""

from pathlib import Path

import pytest

from oracle.custody import Custody
from proofmill.logs import get_logger
from proofmill.store import BlobFetcher, DirectoryStore, content_id

REQUEST = b"r" * 1_000
QUOTA_BYTES = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "blobs", quota_bytes=QUOTA_BYTES)


@pytest.fixture
def custody(store: DirectoryStore) -> Custody:
    return Custody(fetcher=BlobFetcher(store), store=store, log=get_logger())


def flood(store: DirectoryStore) -> None:
    """As many anonymous uploads as fill the store twice."""
    for number in range(2 * QUOTA_BYTES // 100_000):
        store.put(bytes([number]) * 100_000, pinned=False)


def test_keep__requester_floods_the_store_after_the_claim__request_stays(
    custody: Custody, store: DirectoryStore
) -> None:
    digest = store.put(REQUEST, pinned=False)
    custody.keep({digest})
    flood(store)
    assert store.get(digest) == REQUEST


def test_keep__job_is_settled__request_makes_room_again(custody: Custody, store: DirectoryStore) -> None:
    digest = store.put(REQUEST, pinned=False)
    custody.keep({digest})
    custody.keep(set())
    flood(store)
    assert not store.has(digest)


def test_keep__two_jobs_with_one_request__stays_until_both_are_settled(
    custody: Custody, store: DirectoryStore
) -> None:
    first, second = store.put(REQUEST, pinned=False), store.put(REQUEST[::-1] + b"x", pinned=False)
    custody.keep({first, second})
    custody.keep({second})
    flood(store)
    assert (store.has(first), store.has(second)) == (False, True)


def test_keep__missing_request__is_asked_for_with_pauses_and_stops_nothing(
    custody: Custody, store: DirectoryStore
) -> None:
    present = store.put(REQUEST, pinned=False)
    missing = content_id(b"nobody has this")
    custody.keep({missing, present})
    store.put(b"nobody has this", pinned=False)
    custody.keep({missing, present})  # not due yet
    assert store.is_pinned(present)
    assert not store.is_pinned(missing)


def test_keep__removed_by_hand__goes_on(custody: Custody, store: DirectoryStore, tmp_path: Path) -> None:
    digest = store.put(REQUEST)
    custody.keep({digest})
    [path] = [
        path for path in (tmp_path / "blobs").rglob("*") if path.is_file() and path.read_bytes() == REQUEST
    ]
    path.unlink()
    custody.keep(set())
    digest = store.put(REQUEST, pinned=False)
    custody.keep({digest})
    assert store.is_pinned(digest)
