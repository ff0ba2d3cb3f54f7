"""Trees of rows of which only groups were revealed."""

from __future__ import annotations

import numpy as np
import pytest

from proofmill.disputes.claimed_value import RowNodes, tree_shape
from proofmill.exact.commitment.keccak import keccak256
from proofmill.exact.commitment.merkle import MerkleTree, roots


@pytest.mark.parametrize("count", [1, 3, 512, 513, 530, 1_025, 1_500])
def test_row_nodes__have_the_root_and_the_paths_of_the_whole_tree(count: int) -> None:
    rows = [keccak256(row.to_bytes(4, "big")) for row in range(count)]
    whole = MerkleTree(np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, 32))
    level, _, groups = tree_shape(count)
    size = 1 << level
    nodes = [
        bytes(roots(np.frombuffer(b"".join(rows[at : at + size]), dtype=np.uint8).reshape(-1, 32), level))
        for at in range(0, count, size)
    ]
    assert len(nodes) == groups
    known = RowNodes(rows, nodes, level)
    assert known.root == whole.root
    for row in {0, count // 2, count - 1}:
        assert known.path(row) == whole.path(row)
