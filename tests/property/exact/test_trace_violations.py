"""Whatever is false in what a trace commits to, some step proves it, and no step convicts an honest trace."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact.commitment.descriptor import ProgramTree
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.program.kinds import KINDS, Shape
from proofmill.exact.program.model import Model
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import CHECKS, check_step
from proofmill.exact.trace.evidence import accuse, first_difference, judge
from proofmill.exact.trace.geometry import Geometry, Leaf, Part
from proofmill.exact.trace.tracing import commit_tables, table_tree, trace
from tests.property.exact.test_exact_programs import Builder
from tests.suite.traces import (
    EMPTY,
    MODELS,
    PARTS,
    Forgery,
    Honest,
    falsify,
    forge,
    honest_leaves,
    honest_run,
    places,
    rows_of,
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Operators of a few numbers lose more to threads than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def convict(honest: Honest, number: int, forgery: Forgery) -> str | None:
    """Play the end of a game: find the leaf, choose the step, open what it needs, judge it."""
    operator, length = honest.program.descriptors[number - 1], honest.trace.run.length
    true = forge(honest, number)
    place = first_difference(operator, length, true, forgery)
    assert place is not None
    view = honest.view(number, forgery)
    evidence = accuse(view, number, place, true, honest.program)
    if evidence is None:
        return None
    roots = [*honest.trace.roots]
    roots[number] = forgery.root
    return judge(replace(honest.claim, roots=roots), evidence)


OPERATORS = [
    (name, number) for name in MODELS for number in range(1, len(honest_run(name).program.descriptors) + 1)
]


def chosen_leaves(geometry: Geometry, part: Part, generator: random.Random) -> list[Leaf]:
    all_places = [place for place in places(geometry) if place.part == part]
    return [all_places[-1], generator.choice(all_places)] if all_places else []


def test_every_kind_of_operator_is_here() -> None:
    kinds = {honest_run(name).program.descriptors[number - 1].kind for name, number in OPERATORS}
    assert kinds == set(KINDS) == set(CHECKS)


@pytest.mark.parametrize("name", MODELS)
def test_each_number_of_a_leaf_is_proved_false(name: str) -> None:
    honest, generator = honest_run(name), random.Random(name)
    for number in range(1, len(honest.program.descriptors) + 1):
        for part in PARTS:
            for place in chosen_leaves(honest.trace.run.geometry(number), part, generator):
                count = honest.trace.run.geometry(number).grid(part).leaf_count(place.row, place.leaf)
                for at in {
                    *range(min(count, 8 if part == "witness" else 3)),
                    generator.randrange(count),
                    count - 1,
                }:
                    forgery = forge(honest, number)
                    assert falsify(forgery, place, at, generator.choice((1, -1, 2**12)))
                    assert convict(honest, number, forgery), (number, place, at)


def long_decoder() -> Model:
    b = Builder(Shape("tokens", None, 1), "E16", 1)
    b.attention(b.program.add("embedding", 0, table=b.matrix("word", 9, 6)), 1, 1, 2, causal=True)
    return b.model()


def test_sums_over_several_blocks_of_keys_are_proved_false() -> None:
    model = long_decoder()
    traced = trace(model, torch.arange(520) % 9)
    program = ProgramTree(model.program, commit_tables(model))
    honest = Honest(model, traced, program, {"word": table_tree(model, "word")})
    mix = len(program.descriptors)
    for number, place in (
        (mix, Leaf("witness", 519, leaf=1)),
        (mix, Leaf("witness", 511)),
        (mix, Leaf("values", 515)),
        (mix - 1, Leaf("values", 519, leaf=1)),
        (mix - 3, Leaf("supplement", 1, leaf=1)),
    ):
        forgery = forge(honest, number)
        assert falsify(forgery, place, 1, 1)
        assert convict(honest, number, forgery), (number, place)


@given(
    st.sampled_from(OPERATORS),
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from([1, -1, 2, 255, -(2**14), 2**30 - 1]), min_size=1, max_size=5),
)
@settings(max_examples=100, deadline=None)
def test_any_set_of_false_numbers_is_proved(
    operator: tuple[str, int], generator: random.Random, changes: list[int]
) -> None:
    name, number = operator
    honest = honest_run(name)
    forgery = forge(honest, number)
    all_places = list(forgery.leaves)
    for change in changes:
        place = generator.choice(all_places)
        count = forgery.geometry.grid(place.part).leaf_count(place.row, place.leaf)
        falsify(forgery, place, generator.randrange(count), change)
    if forgery.leaves != honest_leaves(rows_of(honest, number)):
        assert convict(honest, number, forgery)


@given(st.sampled_from(OPERATORS), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_malformed_bytes_are_proved(operator: tuple[str, int], generator: random.Random) -> None:
    """Leaves cut short, made longer, or with a bit set where no number stands."""
    name, number = operator
    honest = honest_run(name)
    forgery = forge(honest, number)
    place = generator.choice(list(forgery.leaves))
    data = bytearray(forgery.data(place))
    match generator.randrange(3):
        case 0:
            data = data[:-1]
        case 1:
            data += bytes(32)
        case _:
            data[-1] ^= 1  # in a leaf with padding this is no number
    forgery.leaves[place] = bytes(data)
    assert convict(honest, number, forgery)


@given(st.sampled_from(OPERATORS), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_rows_of_another_place_are_proved(operator: tuple[str, int], generator: random.Random) -> None:
    """Two rows swapped, values with their witnesses."""
    name, number = operator
    honest = honest_run(name)
    forgery = forge(honest, number)
    first, second = (generator.randrange(forgery.geometry.values.rows) for _ in range(2))
    original = dict(forgery.leaves)
    for place in original:
        if place.part != "supplement" and place.row in (first, second):
            other = replace(place, row=first + second - place.row)
            if other in original:
                forgery.leaves[place] = original[other]
    if forgery.leaves != original:
        assert convict(honest, number, forgery)


@pytest.mark.parametrize("name", MODELS)
def test_no_step_convicts_an_honest_trace(name: str) -> None:
    """Neither a sensible step nor a senseless one; those that point nowhere are refused."""
    honest, generator = honest_run(name), random.Random(name)
    judged = 0
    for number, operator in enumerate(honest.program.descriptors, start=1):
        view = honest.view(number, rows_of(honest, number))
        geometry = honest.trace.run.geometry(number)
        for step in CHECKS[operator.kind]:
            for _ in range(12):
                place = generator.choice(list(places(geometry)))
                index = generator.choice(
                    (0, 1, generator.randrange(geometry.values.elements), place.leaf, -1)
                )
                asked = Step(step, place.row, place.section, index, generator.randrange(4))
                try:
                    assert check_step(view, asked) is None, (number, asked)
                    judged += 1
                except InvalidOpening:
                    continue
    assert judged > 5 * len(honest.program.descriptors)


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_evidence_that_does_not_open_is_refused(name: str) -> None:
    honest = honest_run(name)
    number = next(i for i, o in enumerate(honest.program.descriptors, start=1) if o.kind == "linear")
    forgery = forge(honest, number)
    assert falsify(forgery, Leaf("values", 0), 3, 1)
    view = honest.view(number, forgery)
    evidence = accuse(view, number, Leaf("values", 0), rows_of(honest, number), honest.program)
    assert evidence is not None
    roots = [*honest.trace.roots]
    roots[number] = forgery.root
    claim = replace(honest.claim, roots=roots)
    right, false = (
        int.from_bytes(source.data(Leaf("values", 0))[12:16], "big", signed=True)
        for source in (rows_of(honest, number), forgery)
    )
    assert judge(claim, evidence) == f"element 3 of row 0 is {right}, the trace says {false}"
    with pytest.raises(InvalidOpening, match="does not open"):
        judge(honest.claim, evidence)  # the honest trace does not hold the forged leaf
    with pytest.raises(InvalidOpening, match="does not open"):
        judge(replace(claim, program_root=EMPTY), evidence)
    for count in range(len(evidence.openings)):
        with pytest.raises(InvalidOpening, match="not opened"):
            judge(claim, replace(evidence, openings=evidence.openings[:count]))
    assert judge(claim, replace(evidence, openings=(*evidence.openings, evidence.descriptor)))
    with pytest.raises(InvalidOpening, match="no check"):
        judge(claim, replace(evidence, step=Step("invented", 0)))
    weights = evidence.openings[-1]
    moved = (*evidence.openings[:-1], replace(weights, index=weights.index ^ 1))
    with pytest.raises(InvalidOpening, match="does not open"):
        judge(claim, replace(evidence, openings=moved))
    with pytest.raises(InvalidOpening, match="does not open"):
        judge(claim, replace(evidence, openings=evidence.openings[::-1]))
    with pytest.raises(InvalidOpening, match="not among"):
        judge(claim, replace(evidence, step=replace(evidence.step, row=10**6)))
