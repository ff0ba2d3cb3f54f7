"""The grids of every operator of the small models, the places in them, and real leaves opened there."""

from __future__ import annotations

import random
from typing import Any

import boa
import pytest

from proofmill.exact.commitment.keccak import hash_leaf
from proofmill.exact.trace.codecs import DIGITS, FIELDS, INTEGERS, OPERAND, REVERSED_DIGITS, Codec
from proofmill.exact.trace.geometry import Geometry, Grid, Leaf, Part, read_geometry
from tests.suite.deployment import deploy
from tests.suite.traces import MODELS, PARTS, forge, honest_run, places

PART_NUMBERS: dict[Part, int] = {"values": 0, "witness": 1, "supplement": 2}
CODEC_NUMBERS: dict[Codec, int] = {INTEGERS: 1, FIELDS: 2, DIGITS: 3, REVERSED_DIGITS: 4, OPERAND: 5}


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/TraceGeometryHarness.vy")


def grid_tuple(grid: Grid | None) -> tuple[int | bool, ...]:
    """As the contract has it; no rows for a part that is not there."""
    if grid is None:
        return (0, 0, 0, 0, 0, 0, 0, 0, False)
    codec = CODEC_NUMBERS[grid.codec]
    sizes = (grid.rows, grid.sections, grid.base, grid.chunk, grid.step, grid.block, grid.length)
    return (codec, *sizes, grid.causal)


def part_grid(geometry: Geometry, part: Part) -> Grid | None:
    grid: Grid | None = getattr(geometry, part)
    return grid


@pytest.mark.parametrize("name", MODELS)
def test_grids__of_every_operator(harness: Any, name: str) -> None:
    honest, generator = honest_run(name), random.Random(name)
    length = honest.trace.run.length
    for number, operator in enumerate(honest.program.descriptors, start=1):
        descriptor, geometry = operator.encode(), honest.trace.run.geometry(number)
        for part in PARTS:
            assert harness.output_grid(descriptor, PART_NUMBERS[part], length) == grid_tuple(
                part_grid(geometry, part)
            )
        for which in range(len(operator.inputs)):
            read = read_geometry(operator, which, length)
            assert harness.input_grid(descriptor, which, length) == grid_tuple(read.values)
            if read.witness is not None and operator.kind == "mix":
                assert harness.input_witness_grid(descriptor, length) == grid_tuple(read.witness)
            if read.supplement is not None and operator.kind == "mix":
                assert harness.input_columns_grid(descriptor, length) == grid_tuple(read.supplement)
        for place in generator.choices(list(places(geometry)), k=3):
            grid = geometry.grid(place.part)
            index, depth = geometry.locate(place)
            count = grid.leaf_count(place.row, place.leaf)
            found = harness.place_of(
                descriptor, PART_NUMBERS[place.part], length, place.row, place.section, place.leaf
            )
            assert found == (index, depth, count, grid.codec.size(count))


@pytest.mark.parametrize("name", ["encoder", "decoder", "classifier"])
def test_check_opening__of_real_leaves(harness: Any, name: str) -> None:
    honest, generator = honest_run(name), random.Random(name)
    length = honest.trace.run.length
    for number, operator in enumerate(honest.program.descriptors, start=1):
        value = forge(honest, number)
        place = generator.choice(list(value.leaves))
        opening, grid = value.open(place), value.geometry.grid(place.part)
        arguments = [value.root, operator.encode(), PART_NUMBERS[place.part], length]
        where = [place.row, place.section, place.leaf]
        proof = [hash_leaf(opening.data), list(opening.path)]
        count = harness.check_opening(*arguments, *where, *proof)
        assert count == grid.leaf_count(place.row, place.leaf)
        for outside, reason in (
            ([grid.rows, place.section, place.leaf], "trace: no such place"),
            ([place.row, grid.sections, place.leaf], "trace: no such place"),
            ([place.row, place.section, grid.leaves], "trace: no such leaf"),
        ):
            with boa.reverts(reason):
                harness.check_opening(*arguments, *outside, *proof)
        with boa.reverts("trace: leaf does not open"):
            harness.check_opening(*arguments, *where, bytes(32), proof[1])
        with boa.reverts("trace: path of another depth"):
            harness.check_opening(*arguments, *where, proof[0], [*opening.path, bytes(32)])


def test_check_opening__a_leaf_that_a_causal_row_does_not_reach(harness: Any) -> None:
    """Row 255 of the scores fills one leaf; the second is for those after it."""
    operator = next(o for o in honest_run("decoder").program.descriptors if o.kind == "scores")
    with boa.reverts("trace: no such leaf"):
        harness.check_opening(bytes(32), operator.encode(), 0, 300, 255, 0, 1, bytes(32), [])
    with boa.reverts("trace: path of another depth"):
        harness.check_opening(bytes(32), operator.encode(), 0, 300, 256, 0, 1, bytes(32), [])


@pytest.mark.parametrize("name", ["encoder", "decoder", "classifier", "wide_encoder"])
def test_check_table_leaf__of_real_tables(harness: Any, name: str) -> None:
    honest = honest_run(name)
    opened = 0
    for number, operator in enumerate(honest.program.descriptors, start=1):
        table = honest.model.program.operators[number - 1].table
        if not table:
            continue
        tree = honest.tables[table]
        row, leaf = tree.rows - 1, tree.leaves_per_row - 1
        opening = tree.open(row, leaf)
        proof, descriptor = [hash_leaf(opening.data), list(opening.path)], operator.encode()
        harness.check_table_leaf(descriptor, row, leaf, *proof)
        for where in ((tree.rows, leaf), (row, tree.leaves_per_row)):
            with boa.reverts("step: no such table leaf"):
                harness.check_table_leaf(descriptor, *where, *proof)
        with boa.reverts("step: table does not open"):
            harness.check_table_leaf(descriptor, row, leaf, bytes(32), proof[1])
        with boa.reverts("step: table path of wrong depth"):
            harness.check_table_leaf(descriptor, row, leaf, proof[0], [*opening.path, bytes(32)])
        opened += 1
    assert opened > 2


def test_locate__parts_of_one_row_are_neighbours(harness: Any) -> None:
    honest = honest_run("encoder")
    number = next(i for i, o in enumerate(honest.program.descriptors, start=1) if o.kind == "layer_norm")
    descriptor, length = honest.program.descriptors[number - 1].encode(), honest.trace.run.length
    values, witness = (harness.place_of(descriptor, part, length, 0, 0, 0)[0] for part in (0, 1))
    assert (values, witness) == (
        honest.trace.run.geometry(number).locate(Leaf("values", 0))[0],
        honest.trace.run.geometry(number).locate(Leaf("witness", 0))[0],
    )
    assert witness == values + 1
