"""The tokens that a posted trace ends with, read from the defender's reveals alone.

An answer that holds no token at some place has no honest trace to compare with. None is needed: what stands at that place of
the last value is either something else than the answer, or what no choice of the program gives.
"""

from __future__ import annotations

from proofmill.disputes.claimed_value import Query, RowNodes, Unrevealed, path_above, tree_shape
from proofmill.disputes.keys import leaf_key, leaves_key, rows_key, tree_key
from proofmill.disputes.revealed import Revealed
from proofmill.exact.commitment.keccak import keccak256
from proofmill.exact.commitment.merkle import EMPTY, Opening
from proofmill.exact.trace.geometry import Geometry, Leaf


class ClaimedChoices:
    """The defender's last value of a program that chooses tokens: a :class:`proofmill.exact.trace.evidence.Source` of one leaf.

    Every method raises Unrevealed while something is still to be asked.

    Args:
        geometry: of the value: T rows of one leaf, without witness and supplement.
        root: of the value, as posted.
        row: the one that is looked at.
        answered: hash of the leaf that the answer has in its place.
    """

    def __init__(
        self, claim_id: bytes, geometry: Geometry, root: bytes, row: int, answered: bytes, revealed: Revealed
    ) -> None:
        self._claim_id, self._geometry, self._root = claim_id, geometry, root
        self._row, self._answered, self._revealed = row, answered, revealed

    def leaf_opening(self) -> tuple[bytes, tuple[bytes, ...]]:
        """Hash of the row's leaf, and its siblings up to the value's root."""
        rows, supplement_root = self._rows()
        path = (*rows.path(self._row), supplement_root)
        row_hash, leaf_hash = rows[self._row], self._answered
        if row_hash != keccak256(self._answered + EMPTY):
            key = leaves_key(self._claim_id, row_hash, 1, 1, 0, 0, 1)
            found = self._revealed.hashes(key)
            if found is None:
                raise Unrevealed(Query(3, key, row_hash, path, row=self._row))
            [leaf_hash] = found.hashes
        return leaf_hash, (EMPTY, *path)

    def data(self, place: Leaf) -> bytes:
        """Bytes of the row's leaf."""
        leaf_hash, path = self.leaf_opening()
        data = self._revealed.leaf(leaf_hash)
        if data is None:
            key = leaf_key(self._claim_id, leaf_hash)
            raise Unrevealed(Query(4, key, leaf_hash, path, row=self._row))
        return data

    def open(self, place: Leaf) -> Opening:
        """The row's leaf with its path."""
        return Opening(self.data(place), self._geometry.locate(place)[0], self.leaf_opening()[1])

    def _rows(self) -> tuple[RowNodes, bytes]:
        """Row hashes, at least those of the row's group, and what stands for a supplement."""
        total = self._geometry.values.rows
        level, depth, count = tree_shape(total)
        key = rows_key(self._claim_id, self._root, level, depth, count, has_supplement=False)
        found = self._revealed.hashes(key)
        if found is None:
            raise Unrevealed(Query(1, key, self._root, ()))
        if level == 0:
            return RowNodes.whole(found.hashes), found.supplement_root
        place = self._row >> level
        start, group = place << level, found.hashes[place]
        size = min(1 << level, total - start)
        key = tree_key(self._claim_id, group, 0, level, size)
        below = self._revealed.hashes(key)
        if below is None:
            path = (*path_above(found.hashes, level, place), found.supplement_root)
            raise Unrevealed(Query(2, key, group, path, row=start))
        nodes = [*[EMPTY] * start, *below.hashes, *[EMPTY] * (total - start - size)]
        return RowNodes(nodes, found.hashes, level), found.supplement_root
