"""Every part of an honest trace can be asked for, under the key of what an honest defender reveals; nothing beyond can."""

from __future__ import annotations

import random
from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact.commitment.merkle import EMPTY
from proofmill.exact.trace.geometry import Leaf, Part
from tests.suite.deployment import deploy
from tests.suite.traces import MODELS, PARTS, places
from tests.unit.contracts.trace_reader.asking import (
    CLAIM_ID,
    LONG_MODELS,
    Answer,
    Question,
    Reader,
    Subject,
    Value,
    groups_level,
    subject,
)

GENERATORS = st.randoms(use_true_random=False)
VALUES = [
    (name, number) for name in MODELS for number in range(len(MODELS[name]("E16", 3).program.operators) + 1)
]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(deploy("TraceReader.vy"))


def check(reader: Reader, about: Subject, asked: tuple[Question, bytes]) -> None:
    question, key = asked
    assert reader.key_of(about, question, (about.answer.rows, about.answer.root)) == key, question


def check_value(reader: Reader, value: Value, generator: random.Random) -> None:
    """Everything that there is to ask of a value, at a random place and at the last one."""
    about = value.subject
    check(reader, about, value.ask_rows())
    for row in (generator.randrange(value.rows.count), value.rows.count - 1):
        check(reader, about, value.ask_leaves(row))
    existing = list(places(value.geometry))
    for place in (generator.choice(existing), existing[-1]):
        check(reader, about, value.ask_leaf(place))
    if value.supplement is not None:
        check(reader, about, value.ask_supplement_rows())
        for row in (generator.randrange(value.supplement.count), value.supplement.count - 1):
            check(reader, about, value.ask_supplement_leaves(row))


@pytest.mark.parametrize("name", MODELS)
def test_key_of__each_value_of_each_program(reader: Reader, name: str) -> None:
    about, generator = subject(name), random.Random(name)
    for number in range(about.operators + 1):
        check_value(reader, about.value(number), generator)


@pytest.mark.parametrize(
    "name", ["encoder", "decoder", "classifier", "wide_decoder", "sectioned", "wide_embedding"]
)
def test_key_of__each_row_of_the_answer(reader: Reader, name: str) -> None:
    about = subject(name)
    check(reader, about, about.answer.ask_rows())
    for row in range(min(about.answer.rows, 5)):
        check(reader, about, about.answer.ask_leaves(row))


@given(st.sampled_from(VALUES), GENERATORS)
@settings(max_examples=15, deadline=None)
def test_key_of__any_leaf(reader: Reader, value: tuple[str, int], generator: random.Random) -> None:
    about = subject(value[0])
    place = generator.choice(list(places(about.value(value[1]).geometry)))
    check(reader, about, about.value(value[1]).ask_leaf(place))


@pytest.mark.parametrize("name", LONG_MODELS)
def test_key_of__groups_of_many_rows(reader: Reader, name: str) -> None:
    about = subject(name)
    value = about.value(1)
    assert groups_level(value.rows.count) == 2
    check(reader, about, value.ask_rows())
    for row in (0, 514, value.rows.count - 1):
        check(reader, about, value.ask_row_group(row))
        check(reader, about, value.ask_leaves(row))


def test_key_of__groups_of_many_supplement_rows(reader: Reader) -> None:
    about = subject("long_encoder")
    value = about.value(2)
    check(reader, about, value.ask_supplement_rows())
    for row in (0, 513, 1_100):
        check(reader, about, value.ask_supplement_row_group(row))
        check(reader, about, value.ask_supplement_leaves(row))


def test_key_of__groups_of_many_answer_rows(reader: Reader) -> None:
    about = subject("long_embedding")
    check(reader, about, about.answer.ask_rows())
    for row in (0, 1_023, 1_024, 1_100):
        check(reader, about, about.answer.ask_row_group(row))
        check(reader, about, about.answer.ask_leaves(row))


@given(st.sampled_from(VALUES), GENERATORS)
@settings(max_examples=6, deadline=None)
def test_key_of__nothing_that_does_not_exist(
    reader: Reader, chosen: tuple[str, int], generator: random.Random
) -> None:
    """Zeros stand in free places, with true paths: they open and must not be asked for all the same."""
    about = subject(chosen[0])
    value = about.value(chosen[1])
    free = list(_free_places(value))
    for place in generator.sample(free, min(len(free), 3)):
        question, _ = value.ask_leaf(place)
        with boa.reverts():
            reader.key_of(about, question)
    for row in range(value.rows.count, len(value.rows.levels[0])):
        question = value.ask_leaves(row=0)[0]._replace(
            row=row, node=value.rows.levels[0][row], path=value.row_path(row)
        )
        with boa.reverts("question: no such row"):
            reader.key_of(about, question)


def _free_places(value: Value) -> list[Leaf]:
    parts: list[Part] = [part for part in PARTS if value.grid(part) is not None]
    found = []
    for part in parts:
        grid = value.grid(part)
        assert grid is not None
        for row in range(grid.rows):
            found += [
                Leaf(part, row, 0, leaf) for leaf in range(grid.leaves) if not grid.leaf_count(row, leaf)
            ]
    return found


def test_key_of__free_places_are_met(reader: Reader) -> None:
    """What the test before this one is about exists: leaves that causal rows do not reach."""
    wide = subject("wide_decoder")
    values = [wide.value(number) for number in range(wide.operators + 1)]
    assert any(value.rows.count < len(value.rows.levels[0]) for value in values)
    long = subject("causal_decoder").value(3)
    free = _free_places(long)
    assert free
    for place in (free[0], free[-1]):
        with boa.reverts("trace: no such leaf"):
            reader.key_of(long.subject, long.ask_leaf(place)[0])
    for row in (0, 255, 256, 299):  # one leaf or two of a section
        check(reader, long.subject, long.ask_leaves(row))


@given(st.sampled_from(VALUES), GENERATORS)
@settings(max_examples=12, deadline=None)
def test_key_of__no_question_with_a_false_word(
    reader: Reader, chosen: tuple[str, int], generator: random.Random
) -> None:
    """Whatever is changed in what proves the place of a node, the question reverts or asks for the same as before."""
    about = subject(chosen[0])
    value = about.value(chosen[1])
    place = generator.choice(list(places(value.geometry)))
    asked = [value.ask_rows(), value.ask_leaves(generator.randrange(value.rows.count)), value.ask_leaf(place)]
    if value.supplement is not None:
        asked.append(value.ask_supplement_leaves(generator.randrange(value.supplement.count)))
    question, key = generator.choice(asked)
    field = generator.choice(["descriptor", "output_root", "node", "descriptor_path", "output_path", "path"])
    before = getattr(question, field)
    if isinstance(before, bytes):
        at = generator.randrange(len(before))
        changed: Any = before[:at] + bytes([before[at] ^ 1 << generator.randrange(8)]) + before[at + 1 :]
    elif before and generator.random() < 0.5:
        changed = before[:-1]
    else:
        changed = [*before, bytes(32)]
    with boa.reverts():
        reader.key_of(about, question._replace(**{field: changed}))
    moved = question._replace(row=question.row + generator.choice((1, 2, 1 << 40)))
    try:
        found = reader.key_of(about, moved)
    except boa.BoaError:
        assert question.what not in (1, 5)
    else:
        assert found == key  # the row does not matter, or the next one holds the same


def test_key_of__another_trace_length_is_another_shape(reader: Reader) -> None:
    """The shape follows from the claim's T, not from what the asker says."""
    about = subject("decoder")
    value = about.value(1)
    question, key = value.ask_rows()
    program, operators, trace_root, length, *drawing = about.trace
    other = (program, operators, trace_root, 2 * length, *drawing)
    assert bytes(reader.contract.key_of(CLAIM_ID, other, 0, EMPTY, question)) != key


def test_key_of__an_answer_begins_anywhere(reader: Reader) -> None:
    """In a generation: the tokens after the prompt."""
    about = subject("wide_decoder")
    answer = Answer(about.value(about.operators), first_row=60)
    assert answer.rows == 7
    for question, key in (answer.ask_rows(), answer.ask_leaves(0), answer.ask_leaves(6)):
        assert reader.key_of(about, question, (answer.rows, answer.root)) == key
