"""A value of the defender's trace, seen from the challenger's side: what is revealed of it, and what is the same as its own.

Whatever hash of the claimed value equals the challenger's own stands for the same data, so only what differs must ever be
revealed. Each method that needs something unrevealed says so by raising :class:`Unrevealed`, which names the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from proofmill.disputes.keys import leaf_key, leaves_key, rows_key, tree_key
from proofmill.disputes.revealed import Revealed
from proofmill.exact.commitment.keccak import Bytes, keccak256
from proofmill.exact.commitment.merkle import EMPTY, EMPTY_ROOTS, MerkleTree, Opening, roots, tree_depth
from proofmill.exact.trace.commit import Commitment, leaf_hashes
from proofmill.exact.trace.geometry import Geometry, Grid, Leaf, Part
from proofmill.exact.trace.tracing import Rows

#: Hashes that one question about a tree of rows asks for, at most.
GREATEST_TREE: Final = 512


@dataclass(frozen=True)
class Query:
    """What to ask about a value: see ``ITraceReader.Question``. ``path`` leads from the node to the value's root."""

    what: int
    key: bytes
    node: bytes
    path: tuple[bytes, ...]
    part: int = 0
    row: int = 0
    section: int = 0
    leaf: int = 0


class Unrevealed(Exception):
    """Something that the defender has to publish first."""

    def __init__(self, query: Query) -> None:
        super().__init__(f"question {query.what} about row {query.row} is open")
        self.query = query


PART_NUMBERS: Final[dict[Part, int]] = {"values": 0, "witness": 1, "supplement": 2}


def tree_shape(count: int) -> tuple[int, int, int]:
    """Of a tree over so many hashes: the level whose nodes one question asks for, the depth above it, how many they are."""
    level = max(0, tree_depth(count) - (GREATEST_TREE - 1).bit_length())
    return level, tree_depth(count) - level, -(-count >> level)


def reached_leaves(geometry: Geometry, row: int) -> int:
    """How many leaves of values and witness a row has."""
    grids = [geometry.values, *([geometry.witness] if geometry.witness else [])]
    return sum(
        grid.sections * sum(grid.leaf_count(row, leaf) > 0 for leaf in range(grid.leaves)) for grid in grids
    )


@dataclass(frozen=True)
class RowNodes:
    """The nodes of rows of a claimed tree, and the groups of 2^level of them that were revealed.

    The rows of one group are known as they are claimed, those of all others are the challenger's own: these may differ too,
    so what lies above a row comes from the groups alone.
    """

    nodes: Sequence[bytes]
    groups: Sequence[bytes]
    level: int

    @classmethod
    def whole(cls, nodes: Sequence[bytes]) -> RowNodes:
        """All nodes are known."""
        return cls(nodes, nodes, 0)

    def __getitem__(self, row: int) -> bytes:
        return self.nodes[row]

    def path(self, row: int) -> tuple[bytes, ...]:
        """Siblings from a row to the root of the tree; the row must be one that is known."""
        place, inside = divmod(row, 1 << self.level)
        start = place << self.level
        group = [*self.nodes[start : start + (1 << self.level)]]
        group += [EMPTY] * ((1 << self.level) - len(group))
        return (*path_above(group, 0, inside), *path_above(self.groups, self.level, place))

    @property
    def root(self) -> bytes:
        here, level = list(self.groups), self.level
        while len(here) > 1:
            here += [EMPTY_ROOTS[level]] * (len(here) % 2)
            here = [keccak256(here[i] + here[i + 1]) for i in range(0, len(here), 2)]
            level += 1
        return here[0]


class ClaimedValue:
    """A :class:`proofmill.exact.trace.evidence.Source` of the claimed value's leaves.

    Args:
        geometry: of the value.
        honest: the challenger's own rows of the same operator on the same inputs.
        commitment: to those rows.
        root: of the claimed value.
    """

    def __init__(
        self,
        claim_id: bytes,
        geometry: Geometry,
        honest: Rows,
        commitment: Commitment,
        root: bytes,
        revealed: Revealed,
    ) -> None:
        self._claim_id, self._geometry, self._honest = claim_id, geometry, honest
        self._commitment, self._root, self._revealed = commitment, root, revealed

    # --------------------------------------------------------------------------------------- finding the difference
    def first_difference(self, order: Sequence[Part]) -> Leaf:
        """The leaf to accuse, with its bytes revealed; the roots must differ.

        Raises Unrevealed while something is still to be asked.
        """
        rows, supplement_root = self._rows()
        supplement_differs = supplement_root != self._commitment.supplement_root
        if supplement_differs and order[0] == "supplement":
            return self._supplement_difference()
        for row, own in enumerate(self._commitment.row_hashes):
            if rows[row] != own.tobytes():
                return self._row_difference(row, [part for part in order if part != "supplement"])
        return self._supplement_difference()

    def _row_difference(self, row: int, order: Sequence[Part]) -> Leaf:
        for part in order:
            if getattr(self._geometry, part) is None:
                continue
            grid = self._geometry.grid(part)
            claimed, own = self._row_leaves(part, row), self._own_leaves(part, row)
            for section in range(grid.sections):
                for leaf in range(grid.leaves):
                    if claimed[section, leaf].tobytes() != own[section, leaf].tobytes():
                        return self._with_data(
                            Leaf(part, row, section, leaf), claimed[section, leaf].tobytes()
                        )
        raise AssertionError(f"row {row} differs in no leaf, although its hash does")

    def _supplement_difference(self) -> Leaf:
        grid = self._geometry.grid("supplement")
        claimed, own = self._supplement_rows(), self._own_supplement_rows()
        for row in range(grid.rows):
            if claimed[row] != own[row].tobytes():
                leaves, own_leaves = self._supplement_leaves(row), self._own_leaves("supplement", row)[0]
                for leaf in range(grid.leaves):
                    if leaves[leaf].tobytes() != own_leaves[leaf].tobytes():
                        return self._with_data(Leaf("supplement", row, 0, leaf), leaves[leaf].tobytes())
        raise AssertionError("the supplements do not differ")

    def _with_data(self, place: Leaf, leaf_hash: bytes) -> Leaf:
        if self._revealed.leaf(leaf_hash) is None:
            numbers = (PART_NUMBERS[place.part], place.row, place.section, place.leaf)
            raise Unrevealed(
                Query(4, leaf_key(self._claim_id, leaf_hash), leaf_hash, self._path(place), *numbers)
            )
        return place

    # ------------------------------------------------------------------------------------------------- as a source
    def data(self, place: Leaf) -> bytes:
        """Bytes of a leaf: revealed, or the challenger's own where the hashes are equal."""
        claimed = self._leaf_hash(place)
        if claimed == self._own_leaf_hash(place):
            return self._honest.data(place)
        data = self._revealed.leaf(claimed)
        if data is None:
            self._with_data(place, claimed)
            raise AssertionError("unreachable")
        return data

    def open(self, place: Leaf) -> Opening:
        return Opening(self.data(place), self._geometry.locate(place)[0], self._path(place))

    def leaf_opening(self, place: Leaf) -> tuple[bytes, tuple[bytes, ...]]:
        """Hash and path of a leaf."""
        return self._leaf_hash(place), self._path(place)

    def _leaf_hash(self, place: Leaf) -> bytes:
        if place.part == "supplement":
            return bytes(self._supplement_leaves(place.row)[place.leaf])
        return bytes(self._row_leaves(place.part, place.row)[place.section, place.leaf])

    def _own_leaf_hash(self, place: Leaf) -> bytes:
        return bytes(self._own_leaves(place.part, place.row)[place.section, place.leaf])

    def _path(self, place: Leaf) -> tuple[bytes, ...]:
        rows, supplement_root = self._rows()
        if place.part == "supplement":
            leaves, supplement = self._supplement_leaves(place.row), self._supplement_rows()
            inner = MerkleTree(leaves).path(place.leaf) + supplement.path(place.row)
            return (*inner, rows.root)
        leaves = self._row_leaves(place.part, place.row)
        inner = MerkleTree(leaves[place.section]).path(place.leaf)
        inner += MerkleTree(roots(leaves)).path(place.section)
        other: Part = "witness" if place.part == "values" else "values"
        sibling = EMPTY
        if getattr(self._geometry, other) is not None:
            sibling = bytes(roots(roots(self._row_leaves(other, place.row)[None]))[0])
        return (*inner, sibling, *rows.path(place.row), supplement_root)

    # ---------------------------------------------------------------------------------------------- what is revealed
    def _rows(self) -> tuple[RowNodes, bytes]:
        """Row hashes and supplement root."""
        own = [row.tobytes() for row in self._commitment.row_hashes]
        if self._root == self._commitment.root:
            return RowNodes.whole(own), self._commitment.supplement_root
        level, depth, count = tree_shape(len(own))
        supplemented = self._geometry.supplement is not None
        key = rows_key(self._claim_id, self._root, level, depth, count, has_supplement=supplemented)
        found = self._revealed.hashes(key)
        if found is None:
            raise Unrevealed(Query(1, key, self._root, ()))
        if level == 0:
            return RowNodes.whole(found.hashes), found.supplement_root
        above = (found.supplement_root,)
        return self._groups(own, found.hashes, level, 2, above), found.supplement_root

    def _groups(
        self, own: list[bytes], groups: Sequence[bytes], level: int, what: int, above: tuple[bytes, ...]
    ) -> RowNodes:
        """Hashes of which groups were revealed: own ones, but for the first group that differs."""
        size = 1 << level
        for place, group in enumerate(groups):
            mine = own[place * size : (place + 1) * size]
            if bytes(roots(array_of(mine), level)) == group:
                continue
            key = tree_key(self._claim_id, group, 0, level, len(mine))
            found = self._revealed.hashes(key)
            if found is None:
                path = path_above(groups, level, place)
                raise Unrevealed(Query(what, key, group, (*path, *above), row=place * size))
            nodes = [*own[: place * size], *found.hashes, *own[place * size + len(mine) :]]
            return RowNodes(nodes, groups, level)
        return RowNodes.whole(own)

    def _own_leaves(self, part: Part, row: int) -> Bytes:
        """The challenger's leaf hashes of a row: [sections, leaves, 32]."""
        grid = self._geometry.grid(part)
        integers = self._honest.integers(Leaf(part, row))
        assert integers is not None
        if part == "supplement":
            integers = integers[row : row + 1]
        own: Bytes = leaf_hashes(grid, integers, row)[0]
        return own

    def _row_leaves(self, part: Part, row: int) -> Bytes:
        """The claimed leaf hashes of a part of a row: [sections, leaves, 32]."""
        rows, supplement_root = self._rows()
        if rows[row] == self._commitment.row_hashes[row].tobytes():
            return self._own_leaves(part, row)
        values, witness = self._geometry.values, self._geometry.witness
        shape = (values.sections, values.leaves, *((witness.sections, witness.leaves) if witness else (0, 0)))
        key = leaves_key(self._claim_id, rows[row], *shape, reached_leaves(self._geometry, row))
        found = self._revealed.hashes(key)
        if found is None:
            path = (*rows.path(row), supplement_root)
            raise Unrevealed(Query(3, key, rows[row], path, row=row))
        count = values.sections * values.leaves
        chosen = found.hashes[:count] if part == "values" else found.hashes[count:]
        grid = self._geometry.grid(part)
        return array_of(chosen).reshape(grid.sections, grid.leaves, 32)

    def _own_supplement_rows(self) -> Bytes:
        grid = self._geometry.grid("supplement")
        integers = self._honest.integers(Leaf("supplement", 0))
        assert integers is not None
        return roots(roots(leaf_hashes(grid, integers, 0)))

    def _supplement_rows(self) -> RowNodes:
        """The claimed hashes of the supplement's rows: [rows, 32]."""
        own = self._own_supplement_rows()
        rows, supplement_root = self._rows()
        if supplement_root == self._commitment.supplement_root:
            return RowNodes.whole([row.tobytes() for row in own])
        level, depth, count = tree_shape(len(own))
        key = tree_key(self._claim_id, supplement_root, level, depth, count)
        found = self._revealed.hashes(key)
        above = (rows.root,)
        if found is None:
            raise Unrevealed(Query(5, key, supplement_root, above))
        if level == 0:
            return RowNodes.whole(found.hashes)
        return self._groups([row.tobytes() for row in own], found.hashes, level, 6, above)

    def _supplement_leaves(self, row: int) -> Bytes:
        """The claimed leaf hashes of a row of the supplement: [leaves, 32]."""
        claimed = self._supplement_rows()
        own: Bytes = self._own_leaves("supplement", row)[0]
        if claimed[row] == bytes(roots(own)):
            return own
        grid: Grid = self._geometry.grid("supplement")
        if grid.leaves == 1:
            return array_of([claimed[row]])  # a tree of one leaf is that leaf
        node = claimed[row]
        key = tree_key(self._claim_id, node, 0, tree_depth(grid.leaves), grid.leaves)
        found = self._revealed.hashes(key)
        if found is None:
            rows, _ = self._rows()
            path = (*claimed.path(row), rows.root)
            raise Unrevealed(Query(7, key, node, path, row=row))
        return array_of(found.hashes)


def path_above(nodes: Sequence[bytes], level: int, place: int) -> tuple[bytes, ...]:
    """Siblings of a node among the nodes at a level of a tree, up to its root."""
    siblings, here = list[bytes](), list(nodes)
    while len(here) > 1:
        if len(here) % 2:
            here.append(EMPTY_ROOTS[level])
        siblings.append(here[place ^ 1])
        here = [keccak256(here[i] + here[i + 1]) for i in range(0, len(here), 2)]
        place, level = place >> 1, level + 1
    return tuple(siblings)


def array_of(hashes: Sequence[bytes]) -> Bytes:
    """Hashes as uint8 [n, 32]."""
    return np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, 32)
