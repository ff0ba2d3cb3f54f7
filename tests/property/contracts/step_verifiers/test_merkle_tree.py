"""Roots of any hashes at any level are those of Python's trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofmill.exact.commitment.merkle import EMPTY_ROOTS, MerkleTree, parents
from tests.suite.deployment import deploy

HASHES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=24)
quickly = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/TraceGeometryHarness.vy")


@given(HASHES, st.integers(0, 6), st.integers(0, 3))
@quickly
def test_root_of_hashes__pads_with_empty_subtrees(
    harness: Any, nodes: list[bytes], level: int, more: int
) -> None:
    rows = np.frombuffer(b"".join(nodes), dtype=np.uint8).reshape(-1, 32)
    depth = (len(nodes) - 1).bit_length() + more
    for height in range(level, level + depth):
        rows = parents(rows, height)
    assert harness.root_of_hashes(nodes, level, depth) == bytes(rows[0])
    assert harness.root_of_hashes([EMPTY_ROOTS[level]], level, depth) == EMPTY_ROOTS[level + depth]


@given(HASHES, st.integers(0))
@quickly
def test_root_of_path__leads_every_leaf_to_the_root(harness: Any, nodes: list[bytes], choice: int) -> None:
    tree = MerkleTree(np.frombuffer(b"".join(nodes), dtype=np.uint8).reshape(-1, 32))
    index = choice % len(nodes)
    assert harness.root_of_path(nodes[index], index, list(tree.path(index))) == tree.root
