"""Quantise, the norms and the unit mean over any rows, honest or falsified, as the contract that judges them takes them. No test
lives here.

What is honest is computed by the big-integer implementation, whose values must be those of the definition layer; witnesses are
counted out here. So a contract that finds no false step in a scene agrees with all three.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from proofmill.disputes.evidence import Arguments, call_arguments
from proofmill.exact import ops
from proofmill.exact.commitment.descriptor import InputDescriptor, OperatorDescriptor, TableCommitment
from proofmill.exact.commitment.leaves import TableTree
from proofmill.exact.commitment.merkle import EMPTY, Opening
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.program.kinds import Shape, TableShape
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import CHECKS, check_step
from proofmill.exact.trace.codecs import OPERAND, OPERAND_HEADER
from proofmill.exact.trace.commit import leaf_data
from proofmill.exact.trace.evidence import Claim, Evidence, Witnesses
from proofmill.exact.trace.geometry import BLOCK, Geometry, Leaf, Part, geometry, read_geometry
from tests.reference import function_tables, matrices, norms
from tests.reference.scalars import excess_bits, shift_right
from tests.suite.traces import PARTS, Forgery, places

Rows = Sequence[Sequence[int]]
GREATEST = 2**31 - 1  # of an honest activation
FIELD_EDGES = (-(2**63), 2**63 - 1, -(2**31), 2**31, -1, 0, 1, 39, 62, 63, 64, 2**32 + 1)
FORMS = ("form", "witness_form", "supplement_form")


class Laid(Forgery):
    """Integers laid out as leaves that may be set to any bytes: of each part [rows, sections, n]."""

    def __init__(self, shape: Geometry, parts: dict[Part, NDArray[np.int64]]) -> None:
        self.geometry = shape
        self.leaves = {}
        for place in places(shape):
            self.leaves[place] = leaf_data(shape.grid(place.part), parts[place.part], place, 0)

    def set(self, place: Leaf, at: int, value: int) -> None:
        """Write one integer of a leaf."""
        grid = self.geometry.grid(place.part)
        integers = grid.codec.read(self.data(place), grid.leaf_count(place.row, place.leaf))
        integers[at] = value
        self.leaves[place] = grid.codec.encode(np.array(integers, dtype=np.int64)).tobytes()

    def get(self, place: Leaf, at: int) -> int:
        grid = self.geometry.grid(place.part)
        return grid.codec.read(self.data(place), grid.leaf_count(place.row, place.leaf))[at]


@dataclass
class _Listener:
    """An output that notes which of its leaves are read."""

    output: Laid
    asked: list[Leaf]

    def data(self, place: Leaf) -> bytes:
        self.asked.append(place)
        return self.output.data(place)

    def open(self, place: Leaf) -> Opening:
        return self.output.open(place)


@dataclass
class RowScene:
    """One operator with its output, its input and its table."""

    operator: OperatorDescriptor
    length: int
    output: Laid
    input: Laid
    table: TableTree | None = None
    _view: Witnesses = field(init=False)

    def __post_init__(self) -> None:
        self._view = Witnesses(self.operator, self.length, None, self.output, [self.input], self.table)

    def judge(self, step: Step) -> tuple[Arguments, bool | None]:
        """The step as the contract takes it, and what the judgement in Python says; None for evidence that is not sound."""
        self._view.asked.clear()
        violated: bool | None
        try:
            violated = check_step(self._view, step) is not None
        except InvalidOpening:
            violated = None
        openings = tuple(opened() for opened in self._view.asked)
        evidence = Evidence(1, step, Opening(self.operator.encode(), 1, ()), openings)
        claim = Claim(EMPTY, self.length, None, [self.input.root, self.output.root])
        return call_arguments(claim, evidence), violated

    def first_own(self, step: Step) -> Leaf | None:
        """The first leaf of the operator's own output that a step asks for."""
        asked: list[Leaf] = []
        view = replace(self._view, asked=[], claimed=_Listener(self.output, asked))
        check_step(view, step)
        return asked[0] if asked else None

    def steps(self, seed: int = 0, elements: int = 2) -> Iterator[Step]:
        """Every check of the kind somewhere, at an edge of a leaf, a block or a word if it can be; ``element`` more often."""
        generator, shape = random.Random(seed), self.output.geometry
        for name in CHECKS[self.operator.kind]:
            if name in FORMS:
                part = PARTS[FORMS.index(name)]
                found = [place for place in self.output.leaves if place.part == part]
                for place in generator.sample(found, min(1, len(found))):
                    yield Step(name, place.row, place.section, place.leaf)
                continue
            grid = shape.supplement if name in ("column", "running") else shape.values
            if grid is None:
                continue
            count = grid.count(0) - (OPERAND_HEADER if grid.codec is OPERAND else 0)
            if name in ("sum", "square"):
                count = -(-count // BLOCK)
            edges = {0, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, count // 2, count - 2, count - 1}
            for _ in range(elements if name == "element" else 1):
                index = generator.choice([generator.randrange(count), *sorted(edges & set(range(count)))])
                yield Step(name, generator.randrange(grid.rows), generator.randrange(grid.sections), index)


def _running(values: Sequence[int]) -> list[int]:
    ends = [*range(BLOCK, len(values), BLOCK), len(values)]
    return [sum(values[:end]) for end in ends]


def _greatest(values: Sequence[int]) -> int:
    return [abs(x) for x in values].index(max(abs(x) for x in values))


def _witness(
    centred: Sequence[int], bits: int, epsilon: int, numerator: int, extra: Sequence[int]
) -> list[int]:
    drop = excess_bits(centred, bits)
    running = _running([shift_right(c, drop) ** 2 for c in centred])
    energy = max(1, running[-1] + epsilon // 4**drop)
    lift = (62 - energy.bit_length()) // 2
    root = math.isqrt(energy * 4**lift)
    return [_greatest(centred), drop, energy, lift, root, numerator // root, *extra, *running]


def _array(rows: Sequence[Sequence[int]] | Sequence[Sequence[Sequence[int]]]) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64)


def _laid_input(operator: OperatorDescriptor, rows: Rows) -> Laid:
    return Laid(read_geometry(operator, 0, len(rows)), {"values": _array(rows)[:, None]})


def quantised(rows: Rows, group: int, first_column: int = 0, columns: int = 0) -> RowScene:
    """Rows [R, W] as operands, of which some columns are committed by columns, too."""
    width = len(rows[0])
    shape = Shape("activation", None, width)
    operator = OperatorDescriptor(
        "quantise",
        Shape("operand", None, width, group),
        (InputDescriptor(0, shape),),
        None,
        {"group": group},
        first_column,
        columns,
    )
    expected = [matrices.quantise(row, group) for row in rows]
    q, k = ops.quantise(torch.tensor(rows), group)
    assert (q.tolist(), k.tolist()) == ([row for row, _ in expected], [ks for _, ks in expected])
    values = [
        [
            [ks[i], _greatest(row[i * group : (i + 1) * group]), *qs[i * group : (i + 1) * group]]
            for i in range(width // group)
        ]
        for row, (qs, ks) in zip(rows, expected, strict=True)
    ]
    parts: dict[Part, NDArray[np.int64]] = {"values": _array(values)}
    if columns:
        chosen = range(first_column, first_column + columns)
        parts["supplement"] = _array([[[qs[c] for qs, _ in expected]] for c in chosen])
    output = Laid(geometry(operator, len(rows)), parts)
    return RowScene(operator, len(rows), output, _laid_input(operator, rows))


def normalised(rows: Rows, kind: str, epsilon: int = 1, seed: int = 0) -> RowScene:
    """Rows [R, W] through a layer norm or an RMS norm with a random table."""
    width, generator = len(rows[0]), random.Random(seed)
    gamma = [generator.choice((1 << 14, generator.randint(1 - 2**24, 2**24 - 1))) for _ in range(width)]
    beta = [generator.choice((0, generator.randint(-GREATEST, GREATEST))) for _ in range(width)]
    pairs = {"gamma": torch.tensor(gamma), "beta": torch.tensor(beta)}
    table = TableTree("pairs", {name: part.to(torch.int32) for name, part in pairs.items()})
    shape, root = Shape("activation", None, width), function_tables.rounded_root(width)
    operator = OperatorDescriptor(
        kind,
        shape,
        (InputDescriptor(0, shape),),
        TableCommitment(table.root, TableShape("pairs", width, 1)),
        {"epsilon": epsilon, "root": root},
    )
    reference = {"layer_norm": norms.layer_norm, "rms_norm": norms.rms_norm}[kind]
    definition = {"layer_norm": ops.layer_norm, "rms_norm": ops.rms_norm}[kind]
    expected = [reference(row, gamma, beta, epsilon, root) for row in rows]
    found = definition(torch.tensor(rows), pairs["gamma"], pairs["beta"], epsilon, root)
    assert found.tolist() == expected
    witnesses = []
    for row in rows:
        mean, extra = 0, list[int]()
        if kind == "layer_norm":
            mean = (2 * sum(row) + width) // (2 * width)
            extra = [mean, *_running(row)]
        witnesses.append([_witness([x - mean for x in row], 20, epsilon, root << 35, extra)])
    parts: dict[Part, NDArray[np.int64]] = {"values": _array(expected)[:, None], "witness": _array(witnesses)}
    output = Laid(geometry(operator, len(rows)), parts)
    return RowScene(operator, len(rows), output, _laid_input(operator, rows), table)


def averaged(rows: Rows) -> RowScene:
    """The unit vector along the mean of rows [R, W]."""
    width = len(rows[0])
    operator = OperatorDescriptor(
        "unit_mean",
        Shape("activation", 1, width),
        (InputDescriptor(0, Shape("activation", None, width)),),
        None,
        {},
    )
    expected = norms.unit_mean([list(row) for row in rows])
    assert ops.unit_mean(torch.tensor(rows)).reshape(-1).tolist() == expected
    sums = _array(rows).cumsum(0)
    parts: dict[Part, NDArray[np.int64]] = {
        "values": _array([[expected]]),
        "witness": _array([[_witness(sums[-1].tolist(), 24, 0, 1 << 62, [])]]),
        "supplement": sums[:, None],
    }
    return RowScene(
        operator, len(rows), Laid(geometry(operator, len(rows)), parts), _laid_input(operator, rows)
    )


def scene_of(kind: str, rows: Rows) -> RowScene:
    """An operator of this kind over these rows; quantise with one exponent a row and its last column committed by columns."""
    if kind == "quantise":
        return quantised(rows, len(rows[0]), len(rows[0]) - 1, 1)
    return averaged(rows) if kind == "unit_mean" else normalised(rows, kind)


def random_rows(count: int, width: int, bits: int = 20, seed: int = 0) -> list[list[int]]:
    """Rows of numbers of about so many bits."""
    generator = random.Random(seed)
    return [[generator.randint(1 - 2**bits, 2**bits - 1) for _ in range(width)] for _ in range(count)]


KINDS = ("quantise", "layer_norm", "rms_norm", "unit_mean")
