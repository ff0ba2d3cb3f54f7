"""DirectoryStore: durability, verification, quota, and several writers at once."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proofmill.store import (
    BlobNotFound,
    CorruptBlob,
    DirectoryStore,
    InvalidContentId,
    StoreFull,
    StoreUnusable,
    content_id,
)
from proofmill.store.directory import MAXIMUM_QUARANTINED


def _blob(number: int, size: int = 100) -> bytes:
    return number.to_bytes(4, "big") * (size // 4)


def _file_of(store: DirectoryStore, digest: bytes) -> Path:
    (path,) = store.root.glob(f"*pinned/*/{digest.hex()}")
    return path


def _backwards(data: bytes) -> bytes:
    return content_id(data[::-1])


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "blobs", quota_bytes=1000)


def test_put__new_blob__can_be_read(store: DirectoryStore) -> None:
    digest = store.put(b"data")
    assert digest == content_id(b"data")
    assert store.has(digest)
    assert store.get(digest) == b"data"
    assert store.usage_bytes() == 4


def test_put__empty_blob__is_kept(store: DirectoryStore) -> None:
    assert store.get(store.put(b"")) == b""


def test_put__twice__is_stored_once(store: DirectoryStore) -> None:
    assert store.put(b"data") == store.put(b"data", pinned=False)
    assert store.usage_bytes() == 4
    assert store.is_pinned(content_id(b"data"))


def test_put__pinned_after_unpinned__is_pinned(store: DirectoryStore) -> None:
    digest = store.put(b"data", pinned=False)
    assert not store.is_pinned(digest)
    store.put(b"data")
    assert store.is_pinned(digest)
    assert store.get(digest) == b"data"


def test_get__absent__raises_not_found(store: DirectoryStore) -> None:
    assert not store.has(bytes(32))
    with pytest.raises(BlobNotFound, match="0x" + "00" * 32):
        store.get(bytes(32))


def test_get__not_a_digest__is_refused(store: DirectoryStore) -> None:
    for wrong in (b"", b"../../etc/passwd", "a" * 64):
        with pytest.raises(InvalidContentId):
            store.get(wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidContentId):
            store.has(wrong)  # type: ignore[arg-type]


def test_identify__given_to_the_store__names_and_verifies_blobs(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "blobs", identify=_backwards)
    digest = store.put(b"data")
    assert digest == store.identify(b"data") == content_id(b"atad")
    assert (store.get(digest), store.has(content_id(b"data"))) == (b"data", False)
    _file_of(store, digest).write_bytes(b"atad")  # its sha2-256 is right, what this store asks for is not
    with pytest.raises(CorruptBlob, match="0x" + digest.hex()):
        store.get(digest)


def test_get__after_reopening__finds_blobs_and_pins(store: DirectoryStore) -> None:
    kept, loose = store.put(b"kept"), store.put(b"loose", pinned=False)
    reopened = DirectoryStore(store.root, quota_bytes=1000)
    assert reopened.get(kept) == b"kept"
    assert reopened.get(loose) == b"loose"
    assert reopened.is_pinned(kept)
    assert not reopened.is_pinned(loose)
    assert reopened._read_usage() == 9


@pytest.mark.parametrize("damage", [b"", b"dat", b"dataa", b"dbta"])
def test_get__damaged_file__is_moved_aside(store: DirectoryStore, damage: bytes) -> None:
    digest = store.put(b"data")
    _file_of(store, digest).write_bytes(damage)
    with pytest.raises(CorruptBlob, match="quarantine"):
        store.get(digest)
    assert [path.read_bytes() for path in (store.root / "quarantine").iterdir()] == [damage]
    assert not store.has(digest)
    with pytest.raises(BlobNotFound):
        store.get(digest)


def test_put__over_a_damaged_file__repairs_it_and_keeps_the_pin(store: DirectoryStore) -> None:
    digest = store.put(b"data")
    _file_of(store, digest).write_bytes(b"evil")
    store.put(b"data", pinned=False)
    assert store.get(digest) == b"data"
    assert store.is_pinned(digest)


def test_get__many_damaged__quarantine_stays_bounded(store: DirectoryStore) -> None:
    for number in range(MAXIMUM_QUARANTINED + 5):
        digest = store.put(_blob(number))
        _file_of(store, digest).write_bytes(b"bad")
        with pytest.raises(CorruptBlob):
            store.get(digest)
    assert len(list((store.root / "quarantine").iterdir())) == MAXIMUM_QUARANTINED


def test_put__quota_reached__evicts_least_recently_used(store: DirectoryStore) -> None:
    digests = [store.put(_blob(number), pinned=False) for number in range(10)]
    store.get(digests[0])  # the oldest is now the most recently used
    newcomer = store.put(_blob(10), pinned=False)
    assert not store.has(digests[1])
    assert all(store.has(digest) for digest in [digests[0], *digests[2:], newcomer])
    assert store.usage_bytes() == 1000


def test_put__quota_reached__never_evicts_pinned(store: DirectoryStore) -> None:
    pinned = [store.put(_blob(number)) for number in range(8)]
    for number in range(100, 150):
        store.put(_blob(number), pinned=False)
        assert store.usage_bytes() <= 1000
    assert all(store.has(digest) for digest in pinned)


def test_put__all_pinned__is_refused_and_evicts_nothing(store: DirectoryStore) -> None:
    pinned = [store.put(_blob(number)) for number in range(9)]
    loose = store.put(_blob(9), pinned=False)
    with pytest.raises(StoreFull, match="900 of 1,000 are pinned"):
        store.put(_blob(10, size=104))
    assert all(store.has(digest) for digest in [*pinned, loose])


def test_put__blob_over_the_quota__is_refused(store: DirectoryStore) -> None:
    with pytest.raises(StoreFull):
        store.put(bytes(1001), pinned=False)
    assert store.usage_bytes() == 0


def test_unpin__full_store__makes_room(store: DirectoryStore) -> None:
    digests = [store.put(_blob(number)) for number in range(10)]
    store.unpin(digests[3])
    store.unpin(digests[3])
    store.put(_blob(10))
    assert [store.has(digest) for digest in digests] == [number != 3 for number in range(10)]
    with pytest.raises(BlobNotFound):
        store.unpin(digests[3])


def test_put__usage_file_lost_or_wrong__quota_still_holds(store: DirectoryStore) -> None:
    for number in range(10):
        store.put(_blob(number), pinned=False)
        (store.root / "usage").unlink()
    (store.root / "usage").write_text("junk")
    store.put(_blob(10), pinned=False)
    (store.root / "usage").write_text("999999")  # too high, as a crash may leave it
    store.put(_blob(11), pinned=False)
    assert store.usage_bytes() == 1000


def test_put__disk_full__says_so_and_leaves_nothing(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreFull, match="disk"):
            store.put(b"data")
    assert list((store.root / "temporary").iterdir()) == []
    assert not store.has(content_id(b"data"))
    store.put(b"data")
    assert store.get(content_id(b"data")) == b"data"


def test_open__path_is_a_file__names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable) as caught:
        DirectoryStore(tmp_path / "file")
    assert "directory" in caught.value.remedy
    with pytest.raises(StoreUnusable, match="quota"):
        DirectoryStore(tmp_path / "other", quota_bytes=0)


_DIE_DURING_PUT = """
import os, signal, sys
from proofmill.store import DirectoryStore
store = DirectoryStore(sys.argv[1], quota_bytes=1000)
real = getattr(os, sys.argv[2])
calls = 0
def die(*arguments, **options):
    global calls
    calls += 1
    if calls == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)
setattr(os, sys.argv[2], die)
store.put(b"data" * 25)
"""


@pytest.mark.parametrize(
    ("function", "call"), [("fsync", 1), ("replace", 1), ("replace", 2), ("fsync", 2), ("fsync", 3)]
)
def test_put__killed_at_each_step__leaves_all_or_nothing(tmp_path: Path, function: str, call: int) -> None:
    root = tmp_path / "blobs"
    kept = DirectoryStore(root, quota_bytes=1000).put(b"kept")
    ended = subprocess.run(
        [sys.executable, "-c", _DIE_DURING_PUT, str(root), function, str(call)], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    store = DirectoryStore(root, quota_bytes=1000)  # the lock died with the process
    assert list((root / "temporary").iterdir()) == []
    assert store.get(kept) == b"kept"
    assert store._read_usage() == store.usage_bytes()
    digest = content_id(b"data" * 25)
    if store.has(digest):
        assert store.get(digest) == b"data" * 25
    assert store.put(b"data" * 25) == digest
    assert store.usage_bytes() == 104


def test_put__many_threads__all_blobs_and_the_right_usage(store: DirectoryStore) -> None:
    blobs = [_blob(number % 5) for number in range(40)]
    with ThreadPoolExecutor(8) as executor:
        digests = list(executor.map(store.put, blobs))
    assert [store.get(digest) for digest in digests] == blobs
    assert store._read_usage() == store.usage_bytes() == 500


def _put_and_read(root: str, first: int, failures: object) -> None:
    store = DirectoryStore(root, quota_bytes=1000)
    for number in range(first, first + 30):
        pinned = number % 10 == 0
        digest = store.put(_blob(number), pinned=pinned)
        try:
            assert store.get(digest) == _blob(number)
        except BlobNotFound:
            assert not pinned  # another process may have evicted it already


def test_put__several_processes__quota_and_pins_hold(store: DirectoryStore) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_put_and_read, args=(str(store.root), 20 * n, None)) for n in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert all(store.get(content_id(_blob(number))) for number in range(0, 70, 10))
    assert store._read_usage() == store.usage_bytes() <= 1000


def test_get__while_pins_change__never_misses(store: DirectoryStore) -> None:
    digest = store.put(b"data")
    stop = threading.Event()

    def flip() -> None:
        while not stop.is_set():
            store.unpin(digest)
            store.put(b"data")

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        for _ in range(200):
            assert store.get(digest) == b"data"
            assert store.has(digest)
    finally:
        stop.set()
        thread.join()
