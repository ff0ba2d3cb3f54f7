"""Trees of any size against their definition, computed one hash at a time."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact.commitment.keccak import Bytes, hash_leaf, hash_messages, keccak256
from proofmill.exact.commitment.merkle import (
    MerkleTree,
    Opening,
    RootBuilder,
    root_from_path,
    roots,
    tree_depth,
    verify_opening,
)
from proofmill.exact.errors import InvalidOpening


def by_definition(hashes: list[bytes]) -> bytes:
    while len(hashes) & (len(hashes) - 1):
        hashes = [*hashes, bytes(32)]
    if len(hashes) == 1:
        return hashes[0]
    half = len(hashes) // 2
    return keccak256(by_definition(hashes[:half]) + by_definition(hashes[half:]))


def leaves(count: int) -> list[bytes]:
    return [b"leaf %d" % i for i in range(count)]


def array(hashes: list[bytes]) -> Bytes:
    return np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, 32)


@given(st.integers(1, 70), st.data())
@settings(max_examples=80, deadline=None)
def test_root_and_paths(count: int, data: st.DataObject) -> None:
    content = leaves(count)
    hashes = [hash_leaf(leaf) for leaf in content]
    tree = MerkleTree(array(hashes))
    root = by_definition(hashes)
    assert tree.root == root == bytes(roots(array(hashes)))
    index = data.draw(st.integers(0, count - 1))
    opening = Opening(content[index], index, tree.path(index))
    assert len(opening.path) == tree_depth(count)
    assert verify_opening(root, tree_depth(count), opening)
    wrong = data.draw(st.integers(0, (1 << tree_depth(count)) - 1))
    if wrong != index:
        assert not verify_opening(root, tree_depth(count), Opening(content[index], wrong, opening.path))
    assert not verify_opening(root, tree_depth(count), Opening(content[index] + b"x", index, opening.path))
    assert not verify_opening(root, tree_depth(count) + 1, opening)
    assert not verify_opening(
        root, tree_depth(count), Opening(content[index], index, opening.path[:-1] or (root,))
    )


@given(st.lists(st.integers(0, 20), min_size=1, max_size=8).filter(sum), st.data())
@settings(max_examples=80, deadline=None)
def test_a_stream_of_hashes_has_the_same_root_and_paths(pieces: list[int], data: st.DataObject) -> None:
    count = sum(pieces)
    hashes = array([hash_leaf(leaf) for leaf in leaves(count)])
    index = data.draw(st.integers(0, count - 1))
    builder, start = RootBuilder(watch=[index]), 0
    for piece in pieces:
        builder.append(hashes[start : start + piece])
        start += piece
        if start:
            assert builder.root() == MerkleTree(hashes[:start]).root
        if start > index:
            assert builder.path(index) == MerkleTree(hashes[:start]).path(index)
    with pytest.raises(InvalidOpening, match="not watched"):
        builder.path(index + 1)


def test_an_index_that_has_no_place_is_refused() -> None:
    tree = MerkleTree(array([hash_leaf(leaf) for leaf in leaves(3)]))
    for index in (-1, 3):
        with pytest.raises(InvalidOpening, match="no leaf"):
            tree.path(index)
    with pytest.raises(InvalidOpening, match="no place"):
        root_from_path(bytes(32), 4, tree.path(0))
    with pytest.raises(InvalidOpening, match="without leaves"):
        RootBuilder().root()
    with pytest.raises(InvalidOpening, match="make no tree"):
        MerkleTree(np.empty((0, 32), dtype=np.uint8))


@given(st.integers(0, 300), st.integers(0, 3), st.integers(1, 19), st.booleans(), st.randoms())
@settings(max_examples=100, deadline=None)
def test_bulk_hashes_are_those_of_single_messages(
    length: int, gap: int, count: int, twice: bool, generator: random.Random
) -> None:
    data = np.frombuffer(generator.randbytes(2 * count * (length + gap)), dtype=np.uint8)
    messages = data.reshape(2, count, length + gap)[..., :length]
    single = hash_leaf if twice else keccak256
    expected = [[single(message.tobytes()) for message in group] for group in messages]
    for native in (True, False):
        digests = hash_messages(messages, twice=twice, native=native)
        assert [[digest.tobytes() for digest in group] for group in digests] == expected
