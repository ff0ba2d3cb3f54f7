"""The answer that is claimed for one sequence, leaf by leaf, to show where a trace says something else.

The root of an answer is the tree over its rows of the ``values`` node of each: docs/DISPUTES.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from proofmill.disputes.claimed_value import Query, RowNodes, Unrevealed, array_of, path_above, tree_shape
from proofmill.disputes.keys import leaves_key, tree_key
from proofmill.disputes.revealed import Revealed
from proofmill.exact.commitment.keccak import Bytes, hash_leaf, keccak256
from proofmill.exact.commitment.merkle import EMPTY, MerkleTree, roots, tree_depth
from proofmill.exact.trace.geometry import Grid

#: One token of a claimed answer: the integer of its four bytes, which may be none of the vocabulary; or the hash of a leaf
#: that is no token's, whose bytes are of another number or known to nobody.
ClaimedToken = int | bytes


def token_hash(token: ClaimedToken) -> bytes:
    """Leaf hash of a token in an answer. A negative integer has the bytes of its two's complement."""
    return token if isinstance(token, bytes) else hash_leaf(token_word(token).to_bytes(4, "big"))


def token_word(token: int) -> int:
    """The four bytes of a token as a natural number, as the contracts read them."""
    return token % (1 << 32)


def token_leaves(tokens: Sequence[ClaimedToken]) -> Bytes:
    """Leaf hashes of a generation's answer, uint8 [tokens, 1, 1, 32]."""
    return array_of([token_hash(token) for token in tokens]).reshape(-1, 1, 1, 32)


def readable_tokens(tokens: Sequence[ClaimedToken], vocabulary: int) -> tuple[int, ...]:
    """The tokens before the first that is none of the vocabulary: as far as a model can go on with them."""
    readable = list[int]()
    for token in tokens:
        if isinstance(token, bytes) or not 0 <= token < vocabulary:
            break
        readable.append(token)
    return tuple(readable)


class ClaimedAnswer:
    """Leaf hashes of the claimed answer: what is revealed of it, and the challenger's own where the hashes are equal.

    Args:
        grid: of the last value.
        own: leaf hashes of the right answer's rows, uint8 [rows, sections, leaves, 32].
        root: of the claimed answer.
    """

    def __init__(self, claim_id: bytes, grid: Grid, own: Bytes, root: bytes, revealed: Revealed) -> None:
        self._claim_id, self._grid, self._own = claim_id, grid, own
        self._root, self._revealed = root, revealed
        self._own_rows = [node.tobytes() for node in roots(roots(own))]

    def first_difference(self) -> tuple[int, int, int]:
        """Row, section and leaf of the first leaf that is not the right answer's; the roots must differ.

        Raises Unrevealed while something is still to be asked.
        """
        for row, node in enumerate(self._rows().nodes):
            if node != self._own_rows[row]:
                leaves = self._leaves(row)
                for section in range(self._grid.sections):
                    for leaf in range(self._grid.leaves):
                        if leaves[section, leaf].tobytes() != self._own[row, section, leaf].tobytes():
                            return row, section, leaf
        raise AssertionError("the answers do not differ")

    def opening(self, row: int, section: int, leaf: int) -> tuple[bytes, tuple[bytes, ...]]:
        """Hash of a leaf and the siblings up to the answer's root."""
        leaves = self._leaves(row)
        path = MerkleTree(leaves[section]).path(leaf) + MerkleTree(roots(leaves)).path(section)
        return bytes(leaves[section, leaf]), (*path, *self._rows().path(row))

    def _rows(self) -> RowNodes:
        """The claimed node of each row."""
        own = self._own_rows
        level, depth, count = tree_shape(len(own))
        if path_root(own) == self._root:
            return RowNodes.whole(own)
        key = tree_key(self._claim_id, self._root, level, depth, count)
        found = self._revealed.hashes(key)
        if found is None:
            raise Unrevealed(Query(9, key, self._root, ()))
        if level == 0:
            return RowNodes.whole(found.hashes)
        size = 1 << level
        for place, group in enumerate(found.hashes):
            mine = own[place * size : (place + 1) * size]
            if path_root(mine, level) == group:
                continue
            key = tree_key(self._claim_id, group, 0, level, len(mine))
            below = self._revealed.hashes(key)
            if below is None:
                path = path_above(found.hashes, level, place)
                raise Unrevealed(Query(10, key, group, path, row=place * size))
            nodes = [*own[: place * size], *below.hashes, *own[place * size + len(mine) :]]
            return RowNodes(nodes, found.hashes, level)
        return RowNodes.whole(own)

    def _leaves(self, row: int) -> Bytes:
        node = self._rows()[row]
        if node == self._own_rows[row]:
            own: Bytes = self._own[row]
            return own
        sections, leaves = self._grid.sections, self._grid.leaves
        row_hash = keccak256(node + EMPTY)  # as a row without a witness
        count = sections * sum(self._grid.leaf_count(row, leaf) > 0 for leaf in range(leaves))
        key = leaves_key(self._claim_id, row_hash, sections, leaves, 0, 0, count)
        found = self._revealed.hashes(key)
        if found is None:
            raise Unrevealed(Query(11, key, node, self._rows().path(row), row=row))
        return array_of(found.hashes).reshape(sections, leaves, 32)


def path_root(nodes: Sequence[bytes], depth: int | None = None) -> bytes:
    """Root of the tree over nodes, of the least depth that holds them or of a given one."""
    depth = tree_depth(len(nodes)) if depth is None else depth
    return bytes(roots(array_of(nodes), depth))
