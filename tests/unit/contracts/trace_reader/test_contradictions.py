"""A trace that was not made of the request, an answer that was not made of the trace, and answers of a wrong number of tokens."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import boa
import pytest

from proofmill.exact.commitment.keccak import hash_leaf, keccak256
from proofmill.exact.commitment.merkle import EMPTY
from tests.suite.deployment import MAX_UINT256, deploy
from tests.unit.contracts.trace_reader.asking import Levels, Subject, subject

MAP, GENERATION = 1, 2
INPUT, PROMPT, CONTINUATION, OUTPUT, TOO_LONG, STOPPED_EARLY, RAN_ON, NO_TOKEN = range(1, 9)
NO_STOP = MAX_UINT256


@pytest.fixture(scope="module")
def reader() -> Any:
    return deploy("TraceReader.vy")


class Contradiction(NamedTuple):
    """``ITraceReader.Contradiction``."""

    what: int
    descriptor: bytes = b""
    descriptor_path: Sequence[bytes] = ()
    root: bytes = EMPTY
    root_path: Sequence[bytes] = ()
    row: int = 0
    section: int = 0
    leaf: int = 0
    traced: bytes = EMPTY
    traced_path: Sequence[bytes] = ()
    claimed: bytes = EMPTY
    claimed_path: Sequence[bytes] = ()
    token: int = 0


def token_leaf(token: int) -> bytes:
    return hash_leaf(token.to_bytes(4, "big"))


class Tokens:
    """Rows of one id each, as a value and as an answer."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.leaves = Levels([token_leaf(token) for token in ids])
        self.row_hashes = Levels([keccak256(token_leaf(token) + EMPTY) for token in ids])
        self.value_root = keccak256(self.row_hashes.root + EMPTY)
        self.answer_root = self.leaves.root

    def leaf(self, row: int) -> bytes:
        return self.leaves.levels[0][row]

    def value_path(self, row: int) -> list[bytes]:
        return [EMPTY, *self.row_hashes.path(row), EMPTY]


@functools.cache
def tokens(*ids: int) -> Tokens:
    return Tokens(ids)


@dataclass(frozen=True)
class Generation:
    """What was asked, traced and answered: honest as it stands. The program is one that chooses tokens."""

    prompt: tuple[int, ...] = (5, 1, 0, 8, 4)
    ids: tuple[int, ...] = (5, 1, 0, 8, 4, 7, 3, 8)  # value 0
    chosen: tuple[int, ...] = (1, 1, 1, 1, 7, 3, 8, 2)  # the last value
    answer: tuple[int, ...] = (7, 3, 8, 2)
    maximum: int = 4
    stop: int = NO_STOP
    model: str = "decoder"

    @property
    def program(self) -> Any:
        return subject(self.model).program

    @property
    def operators(self) -> int:
        return len(self.program.descriptors)

    @property
    def values(self) -> Levels:
        between = [EMPTY] * (self.operators - 1)
        return Levels([tokens(*self.ids).value_root, *between, tokens(*self.chosen).value_root])

    @property
    def trace(self) -> tuple[bytes, int, bytes, int, int, int]:
        return self.program.root, self.operators, self.values.root, len(self.ids), 0, 0

    @property
    def expectation(self) -> tuple[int, int, bytes, int, bytes, int, int]:
        prompt, answer = tokens(*self.prompt), tokens(*self.answer) if self.answer else None
        rows, root = len(self.answer), answer.answer_root if answer else EMPTY
        return GENERATION, len(self.prompt), prompt.value_root, rows, root, self.maximum, self.stop

    def evidence(self, what: int, row: int) -> Contradiction:
        """For a row of the prompt or of the answer."""
        number = self.operators if what == OUTPUT else 0
        value = tokens(*(self.chosen if what == OUTPUT else self.ids))
        first = {PROMPT: 0, CONTINUATION: len(self.prompt), OUTPUT: len(self.prompt) - 1}[what]
        claimed = tokens(*(self.prompt if what == PROMPT else self.answer))
        descriptor = self.program.open(number)
        return Contradiction(
            what,
            descriptor.data,
            list(descriptor.path),
            value.value_root,
            self.values.path(number),
            row,
            traced=value.leaf(first + row),
            traced_path=value.value_path(first + row),
            claimed=claimed.leaf(row),
            claimed_path=claimed.value_path(row) if what == PROMPT else claimed.leaves.path(row),
        )

    def token(self, what: int, row: int) -> Contradiction:
        answer = tokens(*self.answer)
        descriptor = self.program.open(self.operators)
        return Contradiction(
            what,
            descriptor.data if what == NO_TOKEN else b"",
            list(descriptor.path) if what == NO_TOKEN else (),
            row=row,
            claimed=answer.leaf(row),
            claimed_path=answer.leaves.path(row),
            token=self.answer[row],
        )


HONEST = Generation()


def contradicts(reader: Any, claim: Generation, evidence: Contradiction) -> bool:
    said: bool = reader.contradicts(claim.trace, claim.expectation, evidence)
    return said


def changed(ids: tuple[int, ...], at: int) -> tuple[int, ...]:
    return (*ids[:at], ids[at] + 1, *ids[at + 1 :])


# -------------------------------------------------------------------------------------------------------- generations


@pytest.mark.parametrize(("what", "rows"), [(PROMPT, 5), (CONTINUATION, 3), (OUTPUT, 4)])
def test_contradicts__nothing_in_an_honest_generation(reader: Any, what: int, rows: int) -> None:
    assert not any(contradicts(reader, HONEST, HONEST.evidence(what, row)) for row in range(rows))


@pytest.mark.parametrize("row", range(5))
def test_prompt__another_than_the_one_asked_for(reader: Any, row: int) -> None:
    claim = replace(HONEST, ids=changed(HONEST.ids, row))
    found = [contradicts(reader, claim, claim.evidence(PROMPT, other)) for other in range(5)]
    assert found == [other == row for other in range(5)]


@pytest.mark.parametrize("row", range(3))
def test_continuation__by_another_token(reader: Any, row: int) -> None:
    claim = replace(HONEST, ids=changed(HONEST.ids, 5 + row))
    found = [contradicts(reader, claim, claim.evidence(CONTINUATION, other)) for other in range(3)]
    assert found == [other == row for other in range(3)]


@pytest.mark.parametrize("row", range(4))
def test_output__another_token_than_was_chosen(reader: Any, row: int) -> None:
    claim = replace(HONEST, answer=changed(HONEST.answer, row))
    found = [contradicts(reader, claim, claim.evidence(OUTPUT, other)) for other in range(4)]
    assert found == [other == row for other in range(4)]


@pytest.mark.parametrize("model", ["encoder", "classifier"])
def test_output__a_program_that_chooses_nothing_generates_nothing(reader: Any, model: str) -> None:
    claim = replace(HONEST, model=model)
    assert contradicts(reader, claim, claim.evidence(OUTPUT, 0))


def test_rows__that_do_not_exist_revert(reader: Any) -> None:
    prompt = replace(HONEST, prompt=HONEST.ids).evidence(PROMPT, 5)
    with boa.reverts("trace: no such place"):
        contradicts(reader, HONEST, prompt)  # row 5 of value 0 is there, of the prompt it is not
    with boa.reverts("trace: no such place"):
        contradicts(reader, HONEST, HONEST.evidence(CONTINUATION, 2)._replace(row=3))
    with boa.reverts("trace: no such place"):
        contradicts(reader, HONEST, HONEST.evidence(OUTPUT, 3)._replace(row=4))
    short = replace(HONEST, answer=(7, 3, 8))  # as no game says it, which counts rows
    with boa.reverts("reader: no such answer row"):
        contradicts(reader, short, HONEST.evidence(OUTPUT, 3))


@pytest.mark.parametrize("what", [PROMPT, CONTINUATION, OUTPUT])
def test_evidence__must_open(reader: Any, what: int) -> None:
    evidence = HONEST.evidence(what, 0)
    other = HONEST.evidence(what, 1)
    with boa.reverts("trace: leaf does not open"):
        contradicts(reader, HONEST, evidence._replace(traced=EMPTY))
    reasons = {PROMPT: "trace: leaf does not open"}
    with boa.reverts(reasons.get(what, "reader: leaf not of answer")):
        contradicts(reader, HONEST, evidence._replace(claimed=EMPTY))
    with boa.reverts("reader: value not of trace"):
        contradicts(reader, HONEST, evidence._replace(root=EMPTY))
    with boa.reverts("reader: descriptor not of trace"):
        descriptor = evidence.descriptor[:-1] + b"\1"
        contradicts(reader, HONEST, evidence._replace(descriptor=descriptor))
    with boa.reverts("trace: leaf does not open"):
        contradicts(reader, HONEST, evidence._replace(row=other.row))
    reasons = {PROMPT: "trace: path of another depth"}
    with boa.reverts(reasons.get(what, "reader: answer path length")):
        path = [*evidence.claimed_path, EMPTY]
        contradicts(reader, HONEST, evidence._replace(claimed_path=path))


def test_output__of_another_place_does_not_convict(reader: Any) -> None:
    """A leaf of one row of the trace against one of another row of the answer."""
    evidence, other = HONEST.evidence(OUTPUT, 0), HONEST.evidence(OUTPUT, 1)
    mixed = evidence._replace(claimed=other.claimed, claimed_path=other.claimed_path)
    with boa.reverts("reader: leaf not of answer"):
        contradicts(reader, HONEST, mixed)


@pytest.mark.parametrize(("maximum", "expected"), [(3, True), (4, False), (5, False)])
def test_too_long(reader: Any, maximum: int, expected: bool) -> None:
    claim = replace(HONEST, maximum=maximum)
    assert contradicts(reader, claim, Contradiction(TOO_LONG)) is expected


@pytest.mark.parametrize(
    ("maximum", "stop", "expected"),
    [(4, 9, False), (5, 9, True), (5, NO_STOP, True), (5, 2, False), (5, 8, True)],
)
def test_stopped_early(reader: Any, maximum: int, stop: int, expected: bool) -> None:
    claim = replace(HONEST, maximum=maximum, stop=stop)
    assert contradicts(reader, claim, claim.token(STOPPED_EARLY, 3)) is expected


def test_stopped_early__the_last_token_and_no_other(reader: Any) -> None:
    claim = replace(HONEST, maximum=9, stop=2)
    with boa.reverts("reader: leaf not of answer"):
        contradicts(reader, claim, claim.token(STOPPED_EARLY, 1))
    with boa.reverts("contradiction: another token"):
        contradicts(reader, claim, claim.token(STOPPED_EARLY, 3)._replace(token=3))
    with boa.reverts("contradiction: no token"):
        contradicts(reader, claim, claim.token(STOPPED_EARLY, 3)._replace(token=2 + 2**32))
    places: tuple[dict[str, Any], ...] = ({"section": 1}, {"leaf": 1})
    for place in places:
        with boa.reverts("reader: no such answer leaf"):
            contradicts(reader, claim, claim.token(STOPPED_EARLY, 3)._replace(**place))


def test_stopped_early__before_the_first_token(reader: Any) -> None:
    claim = replace(HONEST, answer=())
    assert contradicts(reader, claim, Contradiction(STOPPED_EARLY))
    assert not contradicts(reader, replace(claim, maximum=0), Contradiction(STOPPED_EARLY))
    with boa.reverts("contradiction: last token"):
        contradicts(reader, claim, Contradiction(RAN_ON))


@pytest.mark.parametrize(
    ("row", "stop", "expected"), [(0, 7, True), (1, 3, True), (1, 7, False), (2, 9, False)]
)
def test_ran_on(reader: Any, row: int, stop: int, expected: bool) -> None:
    claim = replace(HONEST, stop=stop)
    assert contradicts(reader, claim, claim.token(RAN_ON, row)) is expected


def test_ran_on__never_by_the_last_token(reader: Any) -> None:
    claim = replace(HONEST, stop=2)
    with boa.reverts("contradiction: last token"):
        contradicts(reader, claim, claim.token(RAN_ON, 3))


@pytest.mark.parametrize("row", [0, 1, 3])  # the last one is continued by nothing
@pytest.mark.parametrize(
    ("token", "expected"), [(0, False), (8, False), (9, True), (2**31 - 1, True), (2**32 - 1, True)]
)
def test_no_token__none_that_the_program_chooses_among(
    reader: Any, row: int, token: int, *, expected: bool
) -> None:
    claim = replace(HONEST, answer=(*HONEST.answer[:row], token, *HONEST.answer[row + 1 :]))
    assert claim.program.descriptors[-1].inputs[0].shape.width == 9
    found = [contradicts(reader, claim, claim.token(NO_TOKEN, other)) for other in range(4)]
    assert found == [expected and other == row for other in range(4)]


def test_no_token__must_open_in_the_answer(reader: Any) -> None:
    claim = replace(HONEST, answer=(7, 9, 8, 2))
    evidence = claim.token(NO_TOKEN, 1)
    assert contradicts(reader, claim, evidence)
    with boa.reverts("contradiction: another token"):
        contradicts(reader, claim, evidence._replace(token=10))
    with boa.reverts("contradiction: no token"):
        contradicts(reader, claim, evidence._replace(token=2**32 + 9))
    with boa.reverts("reader: leaf not of answer"):
        contradicts(reader, claim, evidence._replace(row=0))
    with boa.reverts("reader: leaf not of answer"):
        contradicts(reader, claim, evidence._replace(token=10, claimed=token_leaf(10)))
    with boa.reverts("reader: no such answer row"):
        contradicts(reader, claim, evidence._replace(row=4))
    with boa.reverts("reader: answer path length"):
        contradicts(reader, claim, evidence._replace(claimed_path=evidence.claimed_path[:-1]))
    places: tuple[dict[str, Any], ...] = ({"section": 1}, {"leaf": 1})
    for place in places:
        with boa.reverts("reader: no such answer leaf"):
            contradicts(reader, claim, evidence._replace(**place))


def test_no_token__the_vocabulary_is_that_of_the_registered_program(reader: Any) -> None:
    """Neither another operator's width nor a descriptor that says less."""
    claim = HONEST
    evidence = claim.token(NO_TOKEN, 1)
    smaller = bytearray(evidence.descriptor)
    smaller[32 * 9 : 32 * 10] = (1).to_bytes(32, "big")
    with boa.reverts("reader: descriptor not of trace"):
        contradicts(reader, claim, evidence._replace(descriptor=bytes(smaller)))
    before = claim.program.open(claim.operators - 1)
    with boa.reverts("reader: descriptor not of trace"):
        contradicts(
            reader, claim, evidence._replace(descriptor=before.data, descriptor_path=list(before.path))
        )
    with boa.reverts("reader: descriptor path length"):
        contradicts(reader, claim, evidence._replace(descriptor_path=()))
    encoder = replace(claim, model="encoder")
    with boa.reverts("contradiction: no vocabulary"):
        contradicts(reader, encoder, encoder.token(NO_TOKEN, 1))


# --------------------------------------------------------------------------------------------------------------- maps


def map_expectation(about: Subject, **changes: Any) -> tuple[Any, ...]:
    fields = {
        "kind": MAP,
        "prompt_rows": about.value(0).rows.count,
        "prompt_root": about.value(0).root,
        "answer_rows": about.answer.rows,
        "answer_root": about.answer.root,
        "maximum": 0,
        "stop": NO_STOP,
    }
    return tuple((fields | changes).values())


def input_evidence(about: Subject) -> Contradiction:
    return Contradiction(INPUT, root=about.value(0).root, root_path=about.tree.path(0))


def output_evidence(about: Subject, row: int, section: int = 0, leaf: int = 0) -> Contradiction:
    value, answer = about.value(about.operators), about.answer
    descriptor = about.program.open(about.operators)
    traced = value.trees("values", row)
    sections = [*traced[1][section].path(leaf), *traced[0].path(section)]
    return Contradiction(
        OUTPUT,
        descriptor.data,
        list(descriptor.path),
        value.root,
        about.tree.path(about.operators),
        row,
        section,
        leaf,
        traced=value.hashes("values", row)[section][leaf],
        traced_path=[*sections, value.node("witness", row), *value.row_path(row)],
        claimed=answer.leaf(row, section, leaf),
        claimed_path=answer.leaf_path(row, section, leaf),
    )


@pytest.mark.parametrize("model", ["encoder", "classifier"])
def test_input__of_a_map(reader: Any, model: str) -> None:
    about = subject(model)
    evidence = input_evidence(about)
    assert not reader.contradicts(about.trace, map_expectation(about), evidence)
    assert reader.contradicts(about.trace, map_expectation(about, prompt_root=EMPTY), evidence)
    with boa.reverts("reader: value not of trace"):
        reader.contradicts(
            about.trace, map_expectation(about, prompt_root=EMPTY), evidence._replace(root=EMPTY)
        )
    with boa.reverts("reader: value path length"):
        reader.contradicts(about.trace, map_expectation(about), evidence._replace(root_path=[]))


def test_output__of_a_map(reader: Any) -> None:
    about = subject("long_embedding")  # rows of one leaf
    answer = about.answer
    honest, false = output_evidence(about, 1_100), b"\1" * 32
    assert not reader.contradicts(about.trace, map_expectation(about), honest)
    forged = Levels([*answer.tree.levels[0][:1_100], false])
    evidence = honest._replace(claimed=false, claimed_path=forged.path(1_100))
    assert reader.contradicts(about.trace, map_expectation(about, answer_root=forged.root), evidence)


@pytest.mark.parametrize(
    ("model", "shape", "places"),
    [
        ("sectioned", (3, 1), ((0, 0, 0), (1, 2, 0), (5, 1, 0))),
        ("wide_embedding", (1, 2), ((0, 0, 0), (2, 0, 1))),
    ],
)
def test_output__of_a_map_with_sections_or_leaves(
    reader: Any, model: str, shape: tuple[int, int], places: Sequence[tuple[int, int, int]]
) -> None:
    about = subject(model)
    values = about.value(about.operators).geometry.values
    assert (values.sections, values.leaves) == shape
    for place in places:
        evidence = output_evidence(about, *place)
        assert not reader.contradicts(about.trace, map_expectation(about), evidence)
        with boa.reverts("reader: leaf not of answer"):
            reader.contradicts(about.trace, map_expectation(about), evidence._replace(claimed=EMPTY))


@pytest.mark.parametrize("rows", [0, 2, 2**255])
def test_output__another_number_of_rows(reader: Any, rows: int) -> None:
    about = subject("encoder")
    assert about.answer.rows == 1
    expectation = map_expectation(about, answer_rows=rows)
    assert reader.contradicts(about.trace, expectation, output_evidence(about, 0))


def test_kinds__each_has_contradictions_of_its_own(reader: Any) -> None:
    about = subject("encoder")
    with boa.reverts("contradiction: only of a map"):
        contradicts(reader, HONEST, Contradiction(INPUT))
    for what in (0, PROMPT, CONTINUATION, TOO_LONG, STOPPED_EARLY, RAN_ON, NO_TOKEN, 9):
        with boa.reverts("contradiction: of a generation"):
            reader.contradicts(about.trace, map_expectation(about), Contradiction(what))
    for what in (0, 9, MAX_UINT256):
        with boa.reverts("contradiction: unknown"):
            contradicts(reader, HONEST, Contradiction(what))
