"""The defender's side of one claim: the trace it posts and what it reveals, from a run of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proofmill.disputes.claimed_value import array_of, tree_shape
from proofmill.disputes.rerun import Rerun
from proofmill.disputes.trace_roots import group_level, posted_hashes
from proofmill.exact.commitment.keccak import Bytes
from proofmill.exact.commitment.merkle import roots, tree_depth
from proofmill.exact.trace.commit import leaf_hashes
from proofmill.exact.trace.geometry import Grid, Leaf, Part

#: A row that is no larger is revealed at once, which saves an exchange; the last two are limits of the contract.
GREATEST_ROW_BYTES = 8_192
GREATEST_LEAF_BYTES = 4_160
GREATEST_ROW_LEAVES = 40


@dataclass(frozen=True)
class Reveal:
    """A call of the game: its name, and its arguments after the claim's id."""

    function: str
    arguments: tuple[Any, ...]


class Defender:
    """Answers questions about one claim.

    Args:
        rerun: the trace to defend.
        answer: leaf hashes of the claimed answer's rows, uint8 [rows, sections, leaves, 32].
    """

    def __init__(self, rerun: Rerun, answer: Bytes) -> None:
        self._rerun, self._answer = rerun, answer

    def trace(self) -> list[bytes]:
        """What ``post_trace`` takes."""
        return posted_hashes(self._rerun.trace.roots)

    def answer(self, question: Sequence[Any]) -> Reveal:
        """What answers an ``ITraceReader.Question``."""
        what, number, part, row = question[0], question[1], question[6], question[7]
        if what in (1, 2):
            hashes = [each.tobytes() for each in self._rerun.trace.commitments[number].row_hashes]
            if what == 2:
                return self._group(hashes, row)
            level, depth, nodes = _nodes(hashes)
            supplement = self._rerun.trace.commitments[number].supplement_root
            return Reveal("reveal_rows", (level, depth, supplement, nodes))
        if what == 3:
            return self._row(number, row)
        if what == 4:
            parts: tuple[Part, ...] = ("values", "witness", "supplement")
            place = Leaf(parts[part], row, question[8], question[9])
            return Reveal("reveal_leaf", (self._rerun.rows(number).data(place),))
        if what in (5, 6):
            hashes = [each.tobytes() for each in roots(self._supplement(number))]
            return self._tree(hashes) if what == 5 else self._group(hashes, row)
        if what == 7:
            leaves = self._supplement(number)[row]
            return Reveal("reveal_tree", (0, tree_depth(len(leaves)), [each.tobytes() for each in leaves]))
        if what == 8:
            own = self._rerun.trace.roots
            level = group_level(len(own) - 1)
            return Reveal("reveal_tree", (0, level, own[number : number + (1 << level)]))
        hashes = [each.tobytes() for each in roots(roots(self._answer))]
        if what in (9, 10):
            return self._tree(hashes) if what == 9 else self._group(hashes, row)
        sections, leaves = self._answer.shape[1:3]
        nodes = [each.tobytes() for each in self._answer[row].reshape(-1, 32)]
        return Reveal("reveal_leaves", (sections, leaves, 0, 0, nodes))

    def _tree(self, hashes: Sequence[bytes]) -> Reveal:
        return Reveal("reveal_tree", _nodes(hashes))

    def _group(self, hashes: Sequence[bytes], first: int) -> Reveal:
        level = tree_shape(len(hashes))[0]
        return Reveal("reveal_tree", (0, level, list(hashes[first : first + (1 << level)])))

    def _supplement(self, number: int) -> Bytes:
        """Roots of the supplement's rows' leaves: uint8 [rows, leaves, 32]."""
        grid = self._rerun.geometry(number).grid("supplement")
        integers = self._rerun.rows(number).integers(Leaf("supplement", 0))
        assert integers is not None
        hashes: Bytes = leaf_hashes(grid, integers, 0)[:, 0]
        return hashes

    def _row(self, number: int, row: int) -> Reveal:
        geometry, rows = self._rerun.geometry(number), self._rerun.rows(number)
        grids: list[tuple[Part, Grid]] = [("values", geometry.values)]
        if geometry.witness is not None:
            grids.append(("witness", geometry.witness))
        witness = geometry.witness
        shape = [geometry.values.sections, geometry.values.leaves]
        shape += [witness.sections, witness.leaves] if witness else [0, 0]
        places = [
            (grid, Leaf(part, row, section, leaf))
            for part, grid in grids
            for section in range(grid.sections)
            for leaf in range(grid.leaves)
        ]
        sizes = [grid.codec.size(grid.leaf_count(row, place.leaf)) for grid, place in places]
        is_small = sum(sizes) <= GREATEST_ROW_BYTES and max(sizes) <= GREATEST_LEAF_BYTES
        if is_small and len(places) <= GREATEST_ROW_LEAVES:
            leaves = [rows.data(place) if grid.leaf_count(row, place.leaf) else b"" for grid, place in places]
            return Reveal("reveal_row", (*shape, leaves))
        hashes = list[bytes]()
        for part, grid in grids:
            integers = rows.integers(Leaf(part, row))
            assert integers is not None
            hashes += [each.tobytes() for each in leaf_hashes(grid, integers, row)[0].reshape(-1, 32)]
        return Reveal("reveal_leaves", (*shape, hashes))


def _nodes(hashes: Sequence[bytes]) -> tuple[int, int, list[bytes]]:
    """Level, depth and nodes that one call reveals of a tree over hashes."""
    level, depth, _ = tree_shape(len(hashes))
    size = 1 << level
    nodes = [
        bytes(roots(array_of(hashes[start : start + size]), level)) for start in range(0, len(hashes), size)
    ]
    return level, depth, nodes
