"""Bytes of table rows, laid out so that the EVM can use them as they are, and the Merkle trees over them.

Integers are big-endian two's complement. A *row* of a table is one or more leaves; its hash is the tree over them and the
table's root the tree over its rows, so a leaf's index is ``row · 2^depth(leaves of a row) + leaf``.

========= ============================== =====================================================================
layout    rows                           leaves of a row
========= ============================== =====================================================================
linear    N output channels              one: weight digits ‖ 24 zero bytes ‖ multiplier (4) ‖ bias (4)
matrix    R                              int32 of the columns, up to 256 a leaf
rotation  P positions                    int32 of the cosines, then of the sines, up to 256 a leaf
pairs     ceil(D / 16)                   one: gamma, beta, gamma, beta, … as int32, up to 16 pairs
========= ============================== =====================================================================

Weight digits are bytes, K of them padded with zeros to a multiple of 32, the eight 4-byte lanes of each 32-byte word in
reverse order: one 256-bit product with a word that is not reversed then sums eight products in its top lane. Profile
E16 has one digit a weight; E16x has two, w = 256 · hi + lo with -128 <= lo <= 127, all hi before all lo.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from proofmill.exact.commitment.keccak import Bytes, hash_messages
from proofmill.exact.commitment.merkle import MerkleTree, Opening, roots, tree_depth
from proofmill.exact.errors import InvalidOpening

if TYPE_CHECKING:  # those who only hash integers need no tensor library
    from torch import Tensor

Layout = Literal["matrix", "pairs", "linear", "rotation"]
Parts = Mapping[str, "Tensor"]

WORD_BYTES: Final = 32
LEAF_ELEMENTS: Final = 256  # 32-bit integers in one leaf, at most
PAIRS_PER_LEAF: Final = 16
LANE_BYTES: Final = 4
_TILE_BYTES: Final = 1 << 24  # how much of a table is laid out at once


def padded(size: int) -> int:
    """The least multiple of 32 that holds ``size`` bytes."""
    return -(-size // WORD_BYTES) * WORD_BYTES


def reverse_lanes(digits: Bytes) -> Bytes:
    """Reverse the eight 4-byte lanes of each 32-byte word along the last axis."""
    shape = digits.shape
    lanes = digits.reshape(*shape[:-1], shape[-1] // WORD_BYTES, WORD_BYTES // LANE_BYTES, LANE_BYTES)
    return np.ascontiguousarray(lanes[..., ::-1, :]).reshape(shape)


def split_digits(values: NDArray[np.int16]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """hi and lo with ``v = 256 · hi + lo`` and ``-128 <= lo <= 127``, for v in [-2^15, 32639]."""
    low = values.astype(np.int8)  # keeps the low byte, read as a signed number
    high = ((values.astype(np.int32) - low) >> 8).astype(np.int8)
    return high, low


def digit_bytes(values: NDArray[np.int16], *, reversed_lanes: bool = False) -> Bytes:
    """hi ‖ lo of integers along the last axis, each padded to whole words: int16 [..., n] gives uint8 [..., 2 padded(n)]."""
    size = values.shape[-1]
    parts = np.zeros((*values.shape[:-1], 2, padded(size)), dtype=np.uint8)
    for place, digits in enumerate(split_digits(values)):
        parts[..., place, :size] = digits.view(np.uint8)
    if reversed_lanes:
        parts = reverse_lanes(parts)
    return parts.reshape(*values.shape[:-1], 2 * padded(size))


def integer_bytes(values: NDArray[Any], size: int = 4) -> Bytes:
    """Big-endian two's complement of ``size`` bytes along the last axis: [..., n] gives uint8 [..., size · n]."""
    big = np.ascontiguousarray(values.astype(f">i{size}"))
    return big.view(np.uint8).reshape(*values.shape[:-1], size * values.shape[-1])


def hash_chunks(rows: Bytes, chunk: int) -> Bytes:
    """Leaf hashes of rows cut into chunks: uint8 [..., W] gives [..., ceil(W / chunk), 32]; the last may be shorter."""
    width = rows.shape[-1]
    whole = width // chunk
    parts = []
    if whole:
        cut = np.ascontiguousarray(rows[..., : whole * chunk])
        parts.append(hash_messages(cut.reshape(*rows.shape[:-1], whole, chunk), twice=True))
    if width % chunk:
        parts.append(hash_messages(rows[..., whole * chunk :], twice=True)[..., None, :])
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-2)


def _linear_rows(parts: Parts, start: int, stop: int) -> Bytes:
    weight = parts["weight"][start:stop].numpy()
    rows, columns = weight.shape
    if weight.dtype == np.int8:
        digits = np.zeros((rows, padded(columns)), dtype=np.uint8)
        digits[:, :columns] = weight.view(np.uint8)
        digits = reverse_lanes(digits)
    else:
        digits = digit_bytes(weight, reversed_lanes=True)
    tail = np.zeros((rows, WORD_BYTES), dtype=np.uint8)
    tail[:, 24:28] = integer_bytes(parts["multiplier"][start:stop, None].numpy())
    tail[:, 28:] = integer_bytes(parts["bias"][start:stop, None].numpy())
    return np.concatenate((digits, tail), axis=1)


def _matrix_rows(parts: Parts, start: int, stop: int) -> Bytes:
    return integer_bytes(parts["rows"][start:stop].numpy())


def _rotation_rows(parts: Parts, start: int, stop: int) -> Bytes:
    values = [parts[part][start:stop].numpy() for part in ("cosine", "sine")]
    return integer_bytes(np.concatenate(values, axis=1))


def _pair_rows(parts: Parts, start: int, stop: int) -> Bytes:
    first, last = start * PAIRS_PER_LEAF, min(stop * PAIRS_PER_LEAF, len(parts["gamma"]))
    pairs = np.stack([parts[part][first:last].numpy() for part in ("gamma", "beta")], axis=1)
    return integer_bytes(pairs.reshape(1, -1))


class TableTree:
    """The commitment to one table: its root, and openings of its leaves. Keeps one hash per row.

    ``parts`` are tensors on the CPU: weight int8 or int16 [N, K], multiplier, bias int32 [N]; rows int16 or int32 [R, C];
    cosine, sine int32 [P, d / 2]; gamma, beta int32 [D].
    """

    def __init__(self, layout: Layout, parts: Parts) -> None:
        self._layout, self._parts = layout, parts
        if layout == "pairs":
            self.rows, sample = -(-len(parts["gamma"]) // PAIRS_PER_LEAF), 8 * PAIRS_PER_LEAF
        else:
            first = {"linear": "weight", "matrix": "rows", "rotation": "cosine"}[layout]
            self.rows, sample = len(parts[first]), self._row_bytes(0, 1).shape[1]
        self._chunk = 4 * LEAF_ELEMENTS if layout in ("matrix", "rotation") else sample
        self.leaves_per_row = -(-sample // self._chunk)
        hashes = [roots(hash_chunks(rows, self._chunk)) for rows in self._tiles(sample)]
        self._tree = MerkleTree(np.concatenate(hashes))

    @property
    def root(self) -> bytes:
        return self._tree.root

    @property
    def depth(self) -> int:
        """Length of every path."""
        return self._tree.depth + tree_depth(self.leaves_per_row)

    def open(self, row: int, leaf: int = 0) -> Opening:
        """One leaf of one row; ``row`` counts leaves of 16 pairs in a table of pairs."""
        if not (0 <= row < self.rows and 0 <= leaf < self.leaves_per_row):
            raise InvalidOpening(
                f"leaf {leaf} of row {row} in a table of {self.rows} rows of {self.leaves_per_row} leaves",
                remedy="Open an existing leaf.",
            )
        data = self._row_bytes(row, row + 1)
        below = MerkleTree(hash_chunks(data, self._chunk)[0])
        chunk = data[0, leaf * self._chunk : (leaf + 1) * self._chunk].tobytes()
        return Opening(chunk, row << below.depth | leaf, below.path(leaf) + self._tree.path(row))

    def _row_bytes(self, start: int, stop: int) -> Bytes:
        build = {
            "linear": _linear_rows,
            "matrix": _matrix_rows,
            "rotation": _rotation_rows,
            "pairs": _pair_rows,
        }
        return build[self._layout](self._parts, start, stop)

    def _tiles(self, row_bytes: int) -> Iterator[Bytes]:
        step = 1 if self._layout == "pairs" else max(1, _TILE_BYTES // row_bytes)
        for start in range(0, self.rows, step):
            yield self._row_bytes(start, min(start + step, self.rows))


def table_root(layout: Layout, parts: Parts) -> bytes:
    """The 32-byte commitment to a table."""
    return TableTree(layout, parts).root


def table_opening(layout: Layout, parts: Parts, row: int, leaf: int = 0) -> Opening:
    """One leaf of a table; opens against :func:`table_root`. Keep a :class:`TableTree` to open many."""
    return TableTree(layout, parts).open(row, leaf)


def table_depth(layout: Layout, rows: int, columns: int) -> int:
    """Length of a path in a table of this shape; ``rows`` counts pairs in a table of pairs."""
    if layout == "pairs":
        return tree_depth(-(-rows // PAIRS_PER_LEAF))
    if layout == "linear":
        return tree_depth(rows)
    integers = 2 * columns if layout == "rotation" else columns
    return tree_depth(rows) + tree_depth(-(-integers // LEAF_ELEMENTS))
