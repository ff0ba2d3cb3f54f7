"""Where the leaves of an operator's output lie: docs/TRACE.md, section 2, as code.

An operator's root is ``keccak(rows ‖ supplement)``. Each row's hash is ``keccak(values ‖ witness)``. Values, witness
and supplement are grids: a tree over sections of a tree over leaves (the supplement a tree over rows of a tree over leaves). A
part an operator does not have is 32 zero bytes, and so is the hash of a leaf that a short row does not reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from proofmill.exact.commitment.descriptor import OperatorDescriptor
from proofmill.exact.commitment.leaves import LEAF_ELEMENTS
from proofmill.exact.commitment.merkle import tree_depth
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.program.kinds import Shape
from proofmill.exact.trace.codecs import (
    DIGITS,
    FIELDS,
    INTEGERS,
    OPERAND,
    OPERAND_HEADER,
    REVERSED_DIGITS,
    Codec,
)

Part = Literal["values", "witness", "supplement"]

BLOCK: Final = 64  # elements in one step of a running sum
KEY_BLOCK: Final = 512  # keys in one step of a mix, and elements in a leaf of digits
LEAF_FIELDS: Final = 128  # 64-bit fields in one leaf, at most

#: Fields before the running sums.
NORM_FIELDS: Final = ("index", "drop", "energy", "lift", "root", "reciprocal")
LAYER_NORM_FIELDS: Final = (*NORM_FIELDS, "mean")
SOFTMAX_FIELDS: Final = ("index", "exponent", "exponent_index", "reciprocal")


def blocks(count: int, size: int) -> int:
    """Blocks of ``size`` that hold ``count`` elements."""
    return -(-count // size)


@dataclass(frozen=True)
class Leaf:
    """The place of one leaf in an operator's output; a supplement has no sections."""

    part: Part
    row: int
    section: int = 0
    leaf: int = 0


@dataclass(frozen=True)
class Grid:
    """Rows of sections of integers, cut into leaves of ``chunk`` integers.

    A section of row r holds ``base + step · blocks(v, block)`` integers, v = r + 1 in a causal grid and ``length`` elsewhere.
    """

    codec: Codec
    rows: int
    sections: int
    base: int
    chunk: int
    step: int = 0
    block: int = 1
    length: int = 0
    causal: bool = False

    def count(self, row: int) -> int:
        """Integers in a section of this row."""
        visible = row + 1 if self.causal else self.length
        return self.base + self.step * blocks(visible, self.block)

    @property
    def elements(self) -> int:
        """Integers in a section of the longest row."""
        return self.count(self.rows - 1)

    @property
    def leaves(self) -> int:
        """Places for leaves in every section."""
        return blocks(self.elements, self.chunk)

    def leaf_count(self, row: int, leaf: int) -> int:
        """Integers in one leaf; 0 where the row does not reach it."""
        return max(0, min(self.chunk, self.count(row) - leaf * self.chunk))

    @property
    def depth(self) -> int:
        """Levels from a leaf to the root of its row's part."""
        return tree_depth(self.sections) + tree_depth(self.leaves)


@dataclass(frozen=True)
class Geometry:
    """The grids of one operator's output for a sequence of ``length`` tokens."""

    values: Grid
    witness: Grid | None = None
    supplement: Grid | None = None

    def grid(self, part: Part) -> Grid:
        grid = {"values": self.values, "witness": self.witness, "supplement": self.supplement}[part]
        if grid is None:
            raise InvalidOpening(f"this operator has no {part}", remedy="Open a part its kind has.")
        return grid

    def locate(self, place: Leaf) -> tuple[int, int]:
        """Index and depth of a leaf in the whole tree."""
        grid = self.grid(place.part)
        below = place.section << tree_depth(grid.leaves) | place.leaf
        rows = tree_depth(grid.rows)
        if place.part == "supplement":
            return 1 << (rows + grid.depth) | place.row << grid.depth | below, 1 + rows + grid.depth
        part = int(place.part == "witness")
        return (place.row << 1 | part) << grid.depth | below, 2 + rows + grid.depth


def value_grid(shape: Shape, length: int, *, causal: bool = False) -> Grid:
    """How a value of this shape is laid out; ``causal`` matters to scores and weights only."""
    rows = length if shape.rows is None else shape.rows
    if shape.kind == "operand":
        elements = OPERAND_HEADER + shape.group
        return Grid(OPERAND, rows, shape.width // shape.group, elements, elements)
    if shape.kind in ("scores", "weights"):
        codec, chunk = (INTEGERS, LEAF_ELEMENTS) if shape.kind == "scores" else (DIGITS, KEY_BLOCK)
        return Grid(codec, rows, shape.width, 0, chunk, step=1, length=length, causal=causal)
    return Grid(INTEGERS, rows, 1, shape.width, LEAF_ELEMENTS)


def input_geometry(shape: Shape, length: int) -> Geometry:
    """Of value 0, the program's input."""
    return Geometry(value_grid(shape, length))


def geometry(operator: OperatorDescriptor, length: int) -> Geometry:
    """Of an operator's output."""
    causal = bool(operator.constants.get("causal", 0))
    values = value_grid(operator.output, length, causal=causal)
    return Geometry(values, _witness(operator, values.rows, length, causal), _supplement(operator, length))


def read_geometry(operator: OperatorDescriptor, which: int, length: int) -> Geometry:
    """Of an operator's input, as far as the operator may read it.

    That is its values; for a mix also the witness of its softmax and the value columns of its operand.
    """
    causal = bool(operator.constants.get("causal", 0))
    shape = operator.inputs[which].shape
    values = value_grid(shape, length, causal=causal)
    if shape.kind == "weights":
        return Geometry(values, _softmax_witness(operator.constants["heads"], length, causal))
    if operator.kind == "mix":
        columns = operator.constants["key_heads"] * operator.constants["head_size"]
        return Geometry(values, None, _value_columns(columns, length))
    return Geometry(values)


def _value_columns(columns: int, length: int) -> Grid:
    return Grid(REVERSED_DIGITS, columns, 1, length, KEY_BLOCK)


def _softmax_witness(heads: int, length: int, causal: bool) -> Grid:
    fields = len(SOFTMAX_FIELDS)
    chunk = fields + blocks(length, BLOCK)
    return Grid(FIELDS, length, heads, fields, chunk, step=1, block=BLOCK, length=length, causal=causal)


def _witness(operator: OperatorDescriptor, rows: int, length: int, causal: bool) -> Grid | None:
    constants = operator.constants
    if operator.kind in ("layer_norm", "rms_norm", "unit_mean"):
        sums = blocks(operator.output.width, BLOCK)
        fields = len(NORM_FIELDS) + sums
        if operator.kind == "layer_norm":
            fields = len(LAYER_NORM_FIELDS) + 2 * sums
        return Grid(FIELDS, rows, 1, fields, fields)
    if operator.kind == "softmax":
        return _softmax_witness(constants["heads"], length, causal)
    if operator.kind == "mix":
        size = constants["head_size"]
        return Grid(
            FIELDS,
            rows,
            constants["heads"],
            0,
            size,
            step=size,
            block=KEY_BLOCK,
            length=length,
            causal=causal,
        )
    if operator.kind == "max_pool":
        return Grid(FIELDS, rows, 1, operator.output.width, LEAF_FIELDS)
    if operator.kind == "average_pool":
        return Grid(FIELDS, rows, constants["size"] ** 2, operator.output.width, LEAF_FIELDS)
    return None


def _supplement(operator: OperatorDescriptor, length: int) -> Grid | None:
    if operator.columns:
        return _value_columns(operator.columns, length)
    if operator.kind == "unit_mean":
        rows = operator.inputs[0].shape.rows or length
        return Grid(FIELDS, rows, 1, operator.output.width, LEAF_FIELDS)
    return None
