"""Grids and places of any operator for any length are those of Python's geometry."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofmill.exact.commitment.descriptor import InputDescriptor, OperatorDescriptor, TableCommitment
from proofmill.exact.program.kinds import KINDS, Shape, TableShape
from proofmill.exact.trace.geometry import Leaf, geometry, read_geometry
from tests.suite.deployment import deploy
from tests.suite.traces import PARTS
from tests.unit.contracts.step_verifiers.test_trace_geometry import PART_NUMBERS, grid_tuple, part_grid

LENGTHS = st.one_of(st.integers(1, 70), st.integers(1, 2048), st.sampled_from([64, 65, 256, 257, 512, 513]))
quickly = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/TraceGeometryHarness.vy")


def random_shape(kind: str, generator: random.Random, heads: int) -> Shape:
    width = generator.choice((1, 63, 64, 65, 128, 129, 256, 257, 1536, generator.randint(1, 9000)))
    rows = generator.choice((None, None, 1, generator.randint(1, 5000)))
    if kind == "operand":
        group = generator.choice((1, 31, 32, 33, 384, 8192))
        return Shape("operand", rows, group * generator.randint(1, 5), group)
    if kind in ("scores", "weights"):
        return Shape(kind, None, heads)  # type: ignore[arg-type]
    return Shape(kind, rows, 1 if kind in ("tokens", "choice") else width)  # type: ignore[arg-type]


OUTPUTS = {"quantise": "operand", "scores": "scores", "softmax": "weights", "choose": "choice"}


def random_operator(kind: str, generator: random.Random) -> OperatorDescriptor:
    schema = KINDS[kind]
    constants = {name: generator.randint(1, 40) for name in schema.constants}
    if "causal" in constants:
        constants["causal"] = generator.randrange(2)
    heads = constants.get("heads", 1)
    inputs = tuple(
        InputDescriptor(number, random_shape(shape, generator, heads))
        for number, shape in enumerate(schema.inputs, start=generator.randrange(9))
    )
    output = random_shape(OUTPUTS.get(kind, "activation"), generator, heads)
    columns = (generator.randint(0, 99), generator.choice((0, 1, 64, 70))) if kind == "quantise" else (0, 0)
    table = TableCommitment(bytes(32), TableShape(schema.layout, 5, 9)) if schema.layout else None
    return OperatorDescriptor(kind, output, inputs, table, constants, *columns)


@given(st.sampled_from(sorted(KINDS)), LENGTHS, st.randoms(use_true_random=False))
@settings(quickly, max_examples=120)
def test_grids__of_any_operator(harness: Any, kind: str, length: int, generator: random.Random) -> None:
    operator = random_operator(kind, generator)
    descriptor, shape = operator.encode(), geometry(operator, length)
    for part in PARTS:
        grid, number = part_grid(shape, part), PART_NUMBERS[part]
        assert harness.output_grid(descriptor, number, length) == grid_tuple(grid)
        if grid is None:
            continue
        place = Leaf(
            part,
            generator.choice((0, grid.rows - 1, generator.randrange(grid.rows))),
            generator.randrange(grid.sections),
            generator.choice((0, grid.leaves - 1, generator.randrange(grid.leaves))),
        )
        count = grid.leaf_count(place.row, place.leaf)
        found = harness.place_of(descriptor, number, length, place.row, place.section, place.leaf)
        assert found[:3] == (*shape.locate(place), count)
        if count:
            assert found[3] == grid.codec.size(count)
    for which in range(len(operator.inputs)):
        read = read_geometry(operator, which, length)
        assert harness.input_grid(descriptor, which, length) == grid_tuple(read.values)
    if kind == "mix":
        assert harness.input_witness_grid(descriptor, length) == grid_tuple(
            read_geometry(operator, 0, length).witness
        )
        columns = read_geometry(operator, 1, length).supplement
        assert harness.input_columns_grid(descriptor, length) == grid_tuple(columns)
