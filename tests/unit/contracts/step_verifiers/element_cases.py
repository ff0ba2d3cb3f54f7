"""Operators of any size, of which only the leaves that a step asks for exist: their siblings in the trees are made up.

A step looks at a few leaves and the roots that they open against, so nothing else of a trace has to be there.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from proofmill.disputes.evidence import Arguments, Context, step_tuple
from proofmill.exact.commitment.descriptor import InputDescriptor, OperatorDescriptor, TableCommitment
from proofmill.exact.commitment.keccak import hash_leaf, keccak256
from proofmill.exact.commitment.leaves import LEAF_ELEMENTS, table_depth
from proofmill.exact.commitment.merkle import EMPTY
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.program.kinds import Layout, Shape, TableShape
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import check_step
from proofmill.exact.trace.geometry import Leaf, geometry, read_geometry
from tests.suite.steps import Case

OUTPUT = -1
IDENTIFIER = 77  # the token of every row, unless a test says otherwise


class SparseTree:
    """A tree of a given depth of which a few leaves are known."""

    def __init__(self, depth: int, leaves: Mapping[int, bytes]) -> None:
        self._paths: dict[int, list[bytes]] = {index: [] for index in leaves}
        nodes = {index: hash_leaf(data) for index, data in leaves.items()}
        for level in range(depth):
            for index, path in self._paths.items():
                sibling = index >> level ^ 1
                path.append(nodes[sibling] if sibling in nodes else _made_up(level, sibling))
            nodes = {
                index >> 1: keccak256(
                    b"".join(nodes.get(i) or _made_up(level, i) for i in (index & ~1, index | 1))
                )
                for index in nodes
            }
        self.root = nodes.get(0, EMPTY)

    def path(self, index: int) -> list[bytes]:
        return self._paths[index]


def _made_up(level: int, index: int) -> bytes:
    return keccak256(level.to_bytes(32, "big") + index.to_bytes(32, "big"))


class Sketch:
    """An operator whose integers are small and drawn by their place, but for those that are set."""

    def __init__(self, operator: OperatorDescriptor, length: int) -> None:
        self.operator, self.length = operator, length
        self.sampling: Sampling | None = None
        self.integers: dict[tuple[int, int, int], int] = {}  # by value, row, index; value OUTPUT, 0 or 1
        self.entries: dict[tuple[int, int], int] = {}  # of the table, by row and column
        self.leaves: dict[int, bytes] = {}  # instead of integers, by the number of the opening
        self._asked: list[tuple[int, int, bytes]] = []  # value (2 for the table), index, data

    # ------------------------------------------------------------------------------ what a check may ask

    def output(self, place: Leaf) -> bytes:
        shape = geometry(self.operator, self.length)
        return self._answer(OUTPUT, shape.locate(place)[0], self._leaf(OUTPUT, place))

    def input(self, which: int, place: Leaf) -> bytes:
        shape = read_geometry(self.operator, which, self.length)
        return self._answer(which, shape.locate(place)[0], self._leaf(which, place))

    def table(self, row: int, leaf: int) -> bytes:
        assert self.operator.table is not None
        shape = self.operator.table.shape
        integers = shape.columns * (2 if shape.layout == "rotation" else 1)
        first = leaf * LEAF_ELEMENTS
        columns = range(first, min(integers, first + LEAF_ELEMENTS))
        if not 0 <= row < shape.rows or not len(columns):
            raise InvalidOpening("no such leaf", remedy="Open another.")
        below = table_depth(shape.layout, 1, shape.columns)
        data = _encode([self.entries.get((row, column), _drawn(2, row, column)) for column in columns])
        return self._answer(2, row << below | leaf, data)

    def _leaf(self, value: int, place: Leaf) -> bytes:
        shape = (
            geometry(self.operator, self.length)
            if value == OUTPUT
            else read_geometry(self.operator, value, self.length)
        )
        grid, first = shape.values, place.leaf * LEAF_ELEMENTS
        columns = range(first, first + grid.leaf_count(place.row, place.leaf))
        is_id = value != OUTPUT and self.operator.inputs[value].shape.kind in ("tokens", "bytes")
        drawn = (lambda *_: IDENTIFIER) if is_id else _drawn
        return _encode(
            [
                self.integers.get((value, place.row, column), drawn(value, place.row, column))
                for column in columns
            ]
        )

    def _answer(self, value: int, index: int, data: bytes) -> bytes:
        data = self.leaves.get(len(self._asked), data)
        self._asked.append((value, index, data))
        return data

    # ------------------------------------------------------------------------------------------ the step

    def case(self, step: Step) -> Case:
        """The step with what Python says of it, None for evidence that is not sound."""
        self._asked = []
        words: str | None
        violated: bool | None
        try:
            words = check_step(self, step)
            violated = words is not None
        except InvalidOpening as error:
            words, violated = str(error), None
        trees = {value: self._tree(value) for value in (OUTPUT, 0, 1, 2)}
        operator = self.operator
        if operator.table is not None:
            operator = replace(operator, table=replace(operator.table, root=trees[2].root))
        descriptor = operator.encode()
        numbers = [value.number for value in operator.inputs] + [0]
        context = Context(
            self.length,
            0,
            0,
            hash_leaf(descriptor),
            trees[OUTPUT].root,
            numbers[0],
            trees[0].root,
            numbers[1],
            trees[1].root,
        )
        openings = [(data, trees[value].path(index)) for value, index, data in self._asked]
        return Case(Arguments(context, step_tuple(step), descriptor, openings), violated, step, words or "")

    def _tree(self, value: int) -> SparseTree:
        leaves = {index: data for of, index, data in self._asked if of == value}
        if not leaves:
            return SparseTree(0, {})
        if value == 2:
            assert self.operator.table is not None
            shape = self.operator.table.shape
            return SparseTree(table_depth(shape.layout, shape.rows, shape.columns), leaves)
        shape_of = (
            geometry(self.operator, self.length)
            if value == OUTPUT
            else read_geometry(self.operator, value, self.length)
        )
        return SparseTree(shape_of.locate(Leaf("values", 0))[1], leaves)


def _drawn(value: int, row: int, column: int) -> int:
    return random.Random(value << 60 ^ row << 30 ^ column).randint(-(1 << 20), 1 << 20)


def _encode(integers: list[int]) -> bytes:
    return np.array(integers, dtype=">i4").tobytes()


def activation(rows: int | None, width: int) -> Shape:
    return Shape("activation", rows, width)


def sketch(kind: str, length: int = 128, width: int = 384, **constants: Any) -> Sketch:
    """An operator of MiniLM's size unless said otherwise; images are 32 x 32 with 3 channels."""
    tokens, table = Shape("tokens", None, 1), None
    rows: int | None = None
    inputs = [activation(None, width)]
    layout: tuple[Layout, int, int] | None = None
    match kind:
        case "embedding":
            inputs, layout = [tokens], ("matrix", 30_522, width)
        case "position_embedding":
            inputs, layout = [tokens, activation(None, width)], ("matrix", 512, width)
        case "add":
            inputs = [activation(None, width)] * 2
        case "gated_silu":
            inputs, constants = [activation(None, 2 * width)], {"shift": 16, **constants}
        case "rotate":
            constants = {"columns": width // 2, "head_size": 64, **constants}
            layout = ("rotation", 2048, constants["head_size"] // 2)
        case "pixels":
            inputs, width, rows, layout = [Shape("bytes", 1024, 3)], 3, 1024, ("matrix", 3, 256)
        case "patches":
            shape = {"height": 32, "width": 32, "channels": 3, "kernel": 3, "stride": 1, "padding": 1}
            constants = {**shape, **constants}
            across = (32 + 2 * constants["padding"] - constants["kernel"]) // constants["stride"] + 1
            inputs, rows, width = [activation(1024, 3)], across * across, 3 * constants["kernel"] ** 2
        case "flatten":
            constants = {"rows": 16, **constants}
            inputs, rows, width = [activation(1024, 40)], 1024 // constants["rows"], 40 * constants["rows"]
    if layout is not None:
        table = TableCommitment(EMPTY, TableShape(*layout))
    numbered = tuple(InputDescriptor(number, shape) for number, shape in enumerate(inputs, start=3))
    return Sketch(OperatorDescriptor(kind, activation(rows, width), numbered, table, constants), length)


def element(row: int, index: int) -> Step:
    return Step("element", row, index=index)
