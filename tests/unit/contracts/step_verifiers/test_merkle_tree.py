"""Trees and paths against those in Python, at the sizes where a level begins."""

from __future__ import annotations

from typing import Any

import boa
import numpy as np
import pytest

from proofmill.exact.commitment.keccak import keccak256
from proofmill.exact.commitment.merkle import EMPTY_ROOTS, MerkleTree, parents
from tests.suite.deployment import deploy


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/TraceGeometryHarness.vy")


def hashes(count: int) -> list[bytes]:
    return [keccak256(bytes([i % 256, i // 256])) for i in range(count)]


def tree(nodes: list[bytes]) -> MerkleTree:
    return MerkleTree(np.frombuffer(b"".join(nodes), dtype=np.uint8).reshape(-1, 32))


@pytest.mark.parametrize("value", [0, 1, 2, 3, 255, 256, (1 << 64) - 1, 1 << 128, 1 << 255, (1 << 256) - 1])
def test_bits__is_the_length_in_binary(harness: Any, value: int) -> None:
    assert harness.bits(value) == value.bit_length()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9, 33])
def test_root_of_hashes__of_a_whole_tree(harness: Any, count: int) -> None:
    nodes = hashes(count)
    assert harness.root_of_hashes(nodes, 0, (count - 1).bit_length()) == tree(nodes).root


def test_root_of_hashes__above_the_leaves(harness: Any) -> None:
    """Nodes at level 2 of a tree of 37 places, and of one with two more levels of free places above."""
    level = np.frombuffer(b"".join(hashes(37)), dtype=np.uint8).reshape(-1, 32)
    for height in range(2):
        level = parents(level, height)
    nodes = [bytes(node) for node in level]
    root = tree(hashes(37)).root
    assert harness.root_of_hashes(nodes, 2, 4) == root
    wider = keccak256(keccak256(root + EMPTY_ROOTS[6]) + EMPTY_ROOTS[7])
    assert harness.root_of_hashes(nodes, 2, 6) == wider


def test_root_of_hashes__too_many(harness: Any) -> None:
    with boa.reverts("tree: too many hashes"):
        harness.root_of_hashes(hashes(5), 0, 2)


@pytest.mark.parametrize("index", [0, 1, 2, 5, 12])
def test_root_of_path__leads_to_the_root(harness: Any, index: int) -> None:
    nodes = hashes(13)
    built = tree(nodes)
    path = list(built.path(index))
    assert harness.root_of_path(nodes[index], index, path) == built.root
    assert harness.root_of_path(nodes[index], index ^ 1, path) != built.root
    assert (
        harness.root_of_path(nodes[index], index | 1 << 200, path) == built.root
    )  # the caller looks at the shape


def test_root_of_path__of_one_hash(harness: Any) -> None:
    assert harness.root_of_path(bytes(range(32)), 0, []) == bytes(range(32))
