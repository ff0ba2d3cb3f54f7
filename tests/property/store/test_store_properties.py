"""Properties of identifiers and of the directory store against a model of it."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from proofmill.store import (
    BlobNotFound,
    CorruptBlob,
    DirectoryStore,
    InvalidContentId,
    StoreFull,
    content_id,
    from_cid,
    to_cid,
)

QUOTA = 200
digests = st.binary(min_size=32, max_size=32)


@given(digests)
def test_to_cid__any_digest__round_trips(digest: bytes) -> None:
    assert from_cid(to_cid(digest)) == from_cid(digest.hex()) == from_cid("0x" + digest.hex()) == digest


@given(
    st.text(max_size=80)
    | st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=55, max_size=60).map("bafkrei".__add__)
)
def test_from_cid__any_text__is_refused_or_one_spelling(text: str) -> None:
    try:
        digest = from_cid(text)
    except InvalidContentId:
        return
    assert text in (to_cid(digest),) or text.lower().removeprefix("0x") == digest.hex()


@given(digests, st.integers(0, 58), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_from_cid__one_character_changed__never_gives_the_same_digest(
    digest: bytes, place: int, new: str
) -> None:
    cid = to_cid(digest)
    changed = cid[:place] + new + cid[place + 1 :]
    if changed != cid:
        with contextlib.suppress(InvalidContentId):
            assert from_cid(changed) != digest


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    return DirectoryStore(tmp_path_factory.mktemp("blobs"))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(min_size=1, max_size=300), st.data())
def test_get__one_byte_mutated__is_detected(
    shared_store: DirectoryStore, data: bytes, draw: st.DataObject
) -> None:
    digest = shared_store.put(data)
    place = draw.draw(st.integers(0, len(data) - 1))
    flipped = draw.draw(st.integers(1, 255))
    path = next(shared_store.root.glob(f"pinned/*/{digest.hex()}"))
    path.write_bytes(data[:place] + bytes([data[place] ^ flipped]) + data[place + 1 :])
    with pytest.raises(CorruptBlob):
        shared_store.get(digest)


class StoreMachine(RuleBasedStateMachine):
    """The store never loses a pinned blob, never exceeds its quota, and evicts in order of last use."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.store = DirectoryStore(Path(self.directory.name), quota_bytes=QUOTA)
        self.pinned: dict[bytes, bytes] = {}
        self.unpinned: dict[bytes, bytes] = {}  # least recently used first

    def teardown(self) -> None:
        self.directory.cleanup()

    def _pinned_size(self) -> int:
        return sum(map(len, self.pinned.values()))

    def _size(self) -> int:
        return self._pinned_size() + sum(map(len, self.unpinned.values()))

    @rule(number=st.integers(0, 9), size=st.integers(1, 60), pinned=st.booleans())
    def put(self, number: int, size: int, pinned: bool) -> None:
        data = bytes([number]) * size
        digest = content_id(data)
        if digest in self.pinned:
            assert self.store.put(data, pinned=pinned) == digest
            return
        is_new = digest not in self.unpinned
        if is_new and self._pinned_size() + size > QUOTA:
            with pytest.raises(StoreFull):
                self.store.put(data, pinned=pinned)
            return
        assert self.store.put(data, pinned=pinned) == digest
        self.unpinned.pop(digest, None)
        while is_new and self._size() + size > QUOTA:
            self.unpinned.pop(next(iter(self.unpinned)))
        (self.pinned if pinned else self.unpinned)[digest] = data

    @rule(number=st.integers(0, 9), size=st.integers(1, 60))
    def get(self, number: int, size: int) -> None:
        digest = content_id(bytes([number]) * size)
        if digest in self.pinned or digest in self.unpinned:
            assert self.store.get(digest) == bytes([number]) * size
            if digest in self.unpinned:
                self.unpinned[digest] = self.unpinned.pop(digest)
        else:
            with pytest.raises(BlobNotFound):
                self.store.get(digest)

    @precondition(lambda self: self.pinned)
    @rule(data=st.data())
    def unpin(self, data: st.DataObject) -> None:
        digest = data.draw(st.sampled_from(sorted(self.pinned)))
        self.store.get(digest)  # its last use is now, so that the model knows its place in the order
        self.store.unpin(digest)
        self.unpinned[digest] = self.pinned.pop(digest)

    @rule()
    def reopen(self) -> None:
        self.store = DirectoryStore(Path(self.directory.name), quota_bytes=QUOTA)

    @invariant()
    def holds_exactly_what_the_model_holds(self) -> None:
        assert self.store.usage_bytes() == self.store._read_usage() == self._size() <= QUOTA
        assert all(self.store.is_pinned(digest) for digest in self.pinned)
        assert all(self.store.has(digest) for digest in self.unpinned)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
