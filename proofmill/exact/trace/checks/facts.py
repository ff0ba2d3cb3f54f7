"""What a terminal step may look at: leaves of a claimed output, of its inputs and of its table, one at a time.

A check asks :class:`Facts` for the numbers it needs. Whoever prepares a step answers from memory and notes what was
asked for; whoever judges it answers from opened leaves and refuses what was not opened. So the same few lines decide what
has to be opened and whether it proves a violation.

A check asks for leaves in a fixed order, once for each number or block that may lie in a leaf of its own, even if two of
them share one; and it asks for nothing more once it has met a number that no honest output holds. Evidence is the openings
in that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from proofmill.exact.commitment.descriptor import OperatorDescriptor
from proofmill.exact.commitment.leaves import LEAF_ELEMENTS, PAIRS_PER_LEAF, padded
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.geometry import (
    BLOCK,
    Geometry,
    Grid,
    Leaf,
    Part,
    geometry,
    read_geometry,
)


@dataclass(frozen=True)
class Step:
    """One question to the arithmetic: which check of the operator's kind, and where.

    ``row`` and ``section`` are those of the output's part the check is about, ``index`` and ``other`` what it needs besides: an
    element, a block, or the place of something greater.
    """

    name: str
    row: int
    section: int = 0
    index: int = 0
    other: int = 0


class View(Protocol):
    """Where a check's numbers come from."""

    @property
    def operator(self) -> OperatorDescriptor: ...

    @property
    def length(self) -> int:
        """Tokens of the sequence."""
        ...

    @property
    def sampling(self) -> Sampling | None:
        """How the claim says tokens are drawn; None for greedily."""
        ...

    def output(self, place: Leaf) -> bytes: ...

    def input(self, which: int, place: Leaf) -> bytes: ...

    def table(self, row: int, leaf: int) -> bytes: ...


class MalformedLeaf(Exception):
    """Bytes of the claimed output that no output can have."""


def _outside(what: str, index: int, count: int) -> InvalidOpening:
    return InvalidOpening(
        f"{what} {index} is not among 0 to {count - 1}", remedy="Name a place that the operator has."
    )


def require_index(what: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise _outside(what, index, count)


@dataclass(frozen=True)
class OperandSection:
    """One group of a quantised row."""

    exponent: int
    index: int
    values: list[int]


class Facts:
    """Numbers by their meaning, read from the leaves of a view."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.operator = view.operator
        self.constants = view.operator.constants
        self.sampling = view.sampling
        self.length = view.length
        self.geometry: Geometry = geometry(view.operator, view.length)
        self._reads = [read_geometry(view.operator, i, view.length) for i in range(len(view.operator.inputs))]

    # ------------------------------------------------------------------------------------- the claimed output

    def leaf(self, part: Part, row: int, section: int, leaf: int) -> list[int]:
        """All integers of one leaf of the claimed output; MalformedLeaf if it has another length."""
        grid, place = self.geometry.grid(part), Leaf(part, row, section, leaf)
        require_place(grid, place)
        data = self._view.output(place)  # outside: a leaf that does not open is no violation
        try:
            return grid.codec.read(data, grid.leaf_count(row, leaf))
        except InvalidOpening as error:
            raise MalformedLeaf(str(error)) from error

    def require_form(self, part: Part, row: int, section: int, leaf: int) -> None:
        """MalformedLeaf if the bytes of a leaf of the claimed output are not those of any numbers."""
        grid, place = self.geometry.grid(part), Leaf(part, row, section, leaf)
        require_place(grid, place)
        data = self._view.output(place)
        try:
            grid.codec.decode(data, grid.leaf_count(row, leaf))
        except InvalidOpening as error:
            raise MalformedLeaf(str(error)) from error

    def output(self, row: int, index: int, section: int = 0) -> int:
        return self._element("values", row, section, index)

    def supplement(self, row: int, index: int) -> int:
        return self._element("supplement", row, 0, index)

    def witness(self, row: int, index: int, section: int = 0) -> int:
        return self._element("witness", row, section, index)

    def witness_fields(self, row: int, section: int = 0) -> list[int]:
        """All fields of a witness that has one leaf per section."""
        return self.leaf("witness", row, section, 0)

    def operand_output(self, row: int, section: int) -> OperandSection:
        exponent, index, *values = self.leaf("values", row, section, 0)
        return OperandSection(exponent, index, values)

    def _element(self, part: Part, row: int, section: int, index: int) -> int:
        grid = self.geometry.grid(part)
        require_index("row", row, grid.rows)
        require_index("element", index, grid.count(row))
        return self.leaf(part, row, section, index // grid.chunk)[index % grid.chunk]

    # -------------------------------------------------------------------------------------------- the inputs

    def _input_leaf(self, which: int, part: Part, row: int, section: int, leaf: int) -> list[int]:
        grid, place = self._reads[which].grid(part), Leaf(part, row, section, leaf)
        require_place(grid, place)
        return grid.codec.read(self._view.input(which, place), grid.leaf_count(row, leaf))

    def input(self, which: int, row: int, index: int, section: int = 0) -> int:
        """One element of an input's values."""
        grid = self._reads[which].values
        require_index("row", row, grid.rows)
        require_index("element", index, grid.count(row))
        return self._input_leaf(which, "values", row, section, index // grid.chunk)[index % grid.chunk]

    def input_pair(self, row: int, index: int) -> tuple[int, int]:
        """Elements ``index`` and ``index + 1`` of the first input; an even index, so that one leaf holds both."""
        grid = self._reads[0].values
        require_index("row", row, grid.rows)
        require_index("element", index + 1, grid.count(row))
        values = self._input_leaf(0, "values", row, 0, index // grid.chunk)
        return values[index % grid.chunk], values[index % grid.chunk + 1]

    def supplement_block(self, row: int, block: int) -> list[int]:
        """Up to 64 elements of one row of the supplement."""
        grid = self.geometry.grid("supplement")
        require_index("row", row, grid.rows)
        require_index("block", block, -(-grid.count(row) // BLOCK))
        start = block * BLOCK
        values = self.leaf("supplement", row, 0, start // grid.chunk)
        return values[start % grid.chunk : start % grid.chunk + BLOCK]

    def input_block(self, row: int, block: int, section: int = 0) -> list[int]:
        """Up to 64 elements of the first input."""
        grid = self._reads[0].values
        require_index("row", row, grid.rows)
        require_index("block", block, -(-grid.count(row) // BLOCK))
        start = block * BLOCK
        values = self._input_leaf(0, "values", row, section, start // grid.chunk)
        return values[start % grid.chunk : start % grid.chunk + BLOCK]

    def input_leaf(self, row: int, section: int, leaf: int) -> list[int]:
        """All elements of one leaf of the first input."""
        return self._input_leaf(0, "values", row, section, leaf)

    def input_rows(self, which: int = 0) -> int:
        return self._reads[which].values.rows

    def input_width(self, which: int = 0) -> int:
        return self.operator.inputs[which].shape.width

    def operand(self, which: int, row: int, section: int) -> OperandSection:
        exponent, index, *values = self._input_leaf(which, "values", row, section, 0)
        return OperandSection(exponent, index, values)

    def input_witness(self, row: int, section: int) -> list[int]:
        """All fields of the witness of the first input."""
        return self._input_leaf(0, "witness", row, section, 0)

    def value_column(self, column: int, block: int) -> list[int]:
        """Up to 512 keys of one value column of the second input, an operand, from its supplement."""
        operand = self._reads[1]
        grid = operand.grid("supplement")
        place = Leaf("supplement", column, 0, block)
        require_place(grid, place)
        return grid.codec.read(self._view.input(1, place), grid.leaf_count(column, block))

    # --------------------------------------------------------------------------------------------- the table

    def table_element(self, row: int, column: int) -> int:
        """One integer of a matrix."""
        return _integer(self._view.table(row, column // LEAF_ELEMENTS), column % LEAF_ELEMENTS)

    def rotation(self, row: int, angle: int, angles: int) -> tuple[int, int]:
        """Cosine and sine; a head has at most 128 angles, so that one leaf holds a row."""
        data = self._view.table(row, 0)
        return _integer(data, angle), _integer(data, angles + angle)

    def pair(self, index: int) -> tuple[int, int]:
        """gamma and beta."""
        data, place = self._view.table(index // PAIRS_PER_LEAF, 0), 2 * (index % PAIRS_PER_LEAF)
        return _integer(data, place), _integer(data, place + 1)

    def channel(self, row: int, inputs: int) -> tuple[list[int], int, int]:
        """Weights, multiplier and bias of one output channel."""
        data = self._view.table(row, 0)
        width = padded(inputs)
        digits = (len(data) - 32) // width
        weights = []
        for i in range(inputs):
            place = i - i % 32 + 28 - i % 32 // 4 * 4 + i % 4
            value = 0
            for digit in range(digits):
                at = digit * width + place
                value = 256 * value + int.from_bytes(data[at : at + 1], "big", signed=True)
            weights.append(value)
        end = len(data)
        multiplier, bias = (
            int.from_bytes(data[at : at + 4], "big", signed=True) for at in (end - 8, end - 4)
        )
        return weights, multiplier, bias


def _integer(data: bytes, place: int) -> int:
    return int.from_bytes(data[4 * place : 4 * place + 4], "big", signed=True)


def require_place(grid: Grid, place: Leaf) -> None:
    """InvalidOpening unless the grid has this leaf and the row reaches it."""
    require_index("row", place.row, grid.rows)
    require_index("section", place.section, grid.sections)
    require_index("leaf", place.leaf, grid.leaves)
    if grid.leaf_count(place.row, place.leaf) == 0:
        raise _outside("leaf", place.leaf, -(-grid.count(place.row) // grid.chunk))
