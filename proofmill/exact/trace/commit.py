"""Hashing grids of integers: rows as they are made, and one root at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from proofmill.exact.commitment.keccak import DIGEST_BYTES, Bytes, hash_messages, keccak256
from proofmill.exact.commitment.merkle import EMPTY, MerkleTree, Opening, roots
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.trace.codecs import Integers
from proofmill.exact.trace.geometry import Geometry, Grid, Leaf


def leaf_hashes(grid: Grid, values: Integers, first_row: int) -> Bytes:
    """Leaf hashes of rows from ``first_row`` on: integers [R, sections, n] give uint8 [R, sections, leaves, 32].

    n may end at the longest of these rows. Rows with equally many integers in a leaf are hashed together.
    """
    hashes = np.zeros((*values.shape[:2], grid.leaves, DIGEST_BYTES), dtype=np.uint8)
    for leaf in range(grid.leaves):
        counts = np.array([grid.leaf_count(first_row + i, leaf) for i in range(len(values))])
        for count in np.unique(counts):
            if count == 0:
                continue
            start = leaf * grid.chunk
            part = values[..., start : start + count]
            if (counts == count).all():
                hashes[:, :, leaf] = hash_messages(grid.codec.encode(part), twice=True)
            else:
                chosen = counts == count
                hashes[chosen, :, leaf] = hash_messages(grid.codec.encode(part[chosen]), twice=True)
    return hashes


def part_roots(grid: Grid | None, values: Integers | None, first_row: int, rows: int) -> Bytes:
    """Roots of one part of some rows, uint8 [R, 32]; zeros for a part the operator does not have."""
    if grid is None or values is None:
        return np.zeros((rows, DIGEST_BYTES), dtype=np.uint8)
    return roots(roots(leaf_hashes(grid, values, first_row)))


@dataclass(frozen=True)
class Commitment:
    """The root of one operator's output with what is needed to open its rows."""

    root: bytes
    row_hashes: Bytes  # uint8 [R, 32]
    supplement_root: bytes


class CommitmentBuilder:
    """Takes an operator's output in tiles of rows, in order."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._hashes: list[Bytes] = []
        self._count = 0

    def append(self, values: Integers, witness: Integers | None) -> None:
        """Integers [R, sections, n] of the next R rows, as the geometry's grids say."""
        rows = len(values)
        values_roots = part_roots(self._geometry.values, values, self._count, rows)
        witness_roots = part_roots(self._geometry.witness, witness, self._count, rows)
        self._hashes.append(hash_messages(np.concatenate((values_roots, witness_roots), axis=1)))
        self._count += rows

    def finish(self, supplement: Integers | None) -> Commitment:
        """The commitment, once all rows are in; ``supplement`` is [rows, 1, n]."""
        if self._count != self._geometry.values.rows:
            raise InvalidOpening(
                f"{self._count} rows of {self._geometry.values.rows}",
                remedy="Append every row before the end.",
            )
        row_hashes = np.concatenate(self._hashes)
        supplement_root = EMPTY
        if self._geometry.supplement is not None and supplement is not None:
            below = part_roots(self._geometry.supplement, supplement, 0, len(supplement))
            supplement_root = bytes(roots(below))
        return Commitment(keccak256(bytes(roots(row_hashes)) + supplement_root), row_hashes, supplement_root)


def open_leaf(
    geometry: Geometry, commitment: Commitment, place: Leaf, row: dict[str, Integers | None]
) -> Opening:
    """Open a leaf of values or witness, given that row's integers: ``row`` maps each part to [1, sections, n] or None.

    A leaf of the supplement needs the whole of it: ``row["supplement"]`` is [rows, 1, n].
    """
    index, _ = geometry.locate(place)
    grid = geometry.grid(place.part)
    integers = row[place.part]
    inside = (
        0 <= place.row < grid.rows and 0 <= place.section < grid.sections and 0 <= place.leaf < grid.leaves
    )
    if integers is None or not inside:
        raise InvalidOpening(f"there is no leaf {place}", remedy="Open an existing leaf.")
    first = 0 if place.part == "supplement" else place.row
    data = leaf_data(grid, integers, place, first)
    hashes = leaf_hashes(grid, integers, first)
    tree = MerkleTree(hashes[place.row - first, place.section])
    path = tree.path(place.leaf) + MerkleTree(roots(hashes[place.row - first])).path(place.section)
    if place.part == "supplement":
        path += MerkleTree(roots(roots(hashes))).path(place.row)
        return Opening(data, index, (*path, bytes(roots(commitment.row_hashes))))
    other = "witness" if place.part == "values" else "values"
    sibling = part_roots(getattr(geometry, other), row[other], place.row, 1)
    path += (
        bytes(sibling[0]),
        *MerkleTree(commitment.row_hashes).path(place.row),
        commitment.supplement_root,
    )
    return Opening(data, index, path)


def leaf_data(grid: Grid, integers: Integers, place: Leaf, first_row: int) -> bytes:
    """Bytes of one leaf, empty where the row does not reach it."""
    count = grid.leaf_count(place.row, place.leaf)
    start = place.leaf * grid.chunk
    part = integers[place.row - first_row, place.section, start : start + count]
    return grid.codec.encode(part).tobytes() if count else b""
