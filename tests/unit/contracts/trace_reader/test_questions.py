"""Questions that must not have a key, each by its reason, and keys of shapes that small models do not have."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from proofmill.exact.commitment.keccak import hash_leaf, keccak256
from proofmill.exact.commitment.merkle import EMPTY, root_from_path
from proofmill.exact.trace.geometry import Leaf
from tests.suite.deployment import deploy
from tests.unit.contracts.trace_reader.asking import (
    ANSWER_LEAVES,
    ANSWER_ROW_GROUP,
    ANSWER_ROWS,
    CLAIM_ID,
    LEAF,
    LEAVES,
    ROW_GROUP,
    ROWS,
    SUPPLEMENT_LEAVES,
    SUPPLEMENT_ROW_GROUP,
    SUPPLEMENT_ROWS,
    TRACE_GROUP,
    Levels,
    Question,
    Reader,
    subject,
    tree_key,
)

SCORES, SCORE_VALUES, ACTIVATION, ADD = 12, 5, 3, 7


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(deploy("TraceReader.vy"))


class OneOperator:
    """A program of one operator with any descriptor, and a value whose root is any hash."""

    def __init__(self, length: int, words: dict[int, int], root: bytes) -> None:
        descriptor = b"".join(words.get(place, 0).to_bytes(32, "big") for place in range(31))
        head = bytes(992)
        self.trace = (
            keccak256(hash_leaf(head) + hash_leaf(descriptor)),
            1,
            keccak256(EMPTY + root),
            length,
            0,
            0,
        )
        self.question = Question(0, 1, descriptor, [hash_leaf(head)], root, [EMPTY])


def test_code__fits_a_contract(reader: Reader) -> None:
    assert len(boa.env.get_code(reader.contract.address)) < 24_576


# ------------------------------------------------------------------------------------------------------ what there is


@pytest.mark.parametrize("what", [0, 12, 2**256 - 1])
def test_key_of__no_such_question(reader: Reader, what: int) -> None:
    about = subject("encoder")
    question = about.value(1).ask_leaves(0)[0]._replace(what=what)
    reason = "question: unknown" if what == 0 else "question: none of the answer"
    with boa.reverts(reason):
        reader.key_of(about, question, (1, about.answer.root))


@pytest.mark.parametrize("what", [SUPPLEMENT_ROWS, SUPPLEMENT_ROW_GROUP, SUPPLEMENT_LEAVES])
@pytest.mark.parametrize("number", [0, 1])
def test_key_of__a_value_without_supplement(reader: Reader, what: int, number: int) -> None:
    about = subject("encoder")
    question = about.value(number).question(what, node=EMPTY, path=[about.value(number).rows.root])
    with boa.reverts("question: no supplement"):
        reader.key_of(about, question)


def test_key_of__no_group_of_few_rows(reader: Reader) -> None:
    about = subject("encoder")
    value = about.value(about.operators)
    node, path = value.rows.root, [value.supplement_root]
    for what in (ROW_GROUP, SUPPLEMENT_ROW_GROUP):
        with boa.reverts("question: no groups"):
            reader.key_of(about, value.question(what, node=node, path=path))
    with boa.reverts("question: no groups"):
        reader.key_of(about, about.answer.question(ANSWER_ROW_GROUP), (512, EMPTY))


def test_key_of__no_group_behind_the_last(reader: Reader) -> None:
    about = subject("long_encoder")
    rows, supplement = about.value(1), about.value(2)
    with boa.reverts("question: no such group"):
        reader.key_of(about, rows.ask_row_group(1_099)[0]._replace(row=1_101))
    with boa.reverts("question: no such group"):
        reader.key_of(about, supplement.ask_supplement_row_group(0)[0]._replace(row=2**255))


def test_key_of__no_row_behind_the_last(reader: Reader) -> None:
    about = subject("encoder")
    value, last = about.value(1), about.value(about.operators)
    rows = value.rows.count
    with boa.reverts("question: no such row"):
        reader.key_of(about, value.ask_leaves(0)[0]._replace(row=rows))
    with boa.reverts("question: no such supplement row"):
        reader.key_of(about, last.ask_supplement_leaves(0)[0]._replace(row=rows))
    with boa.reverts("question: no such answer row"):
        question = about.answer.ask_leaves(0)[0]._replace(row=1)
        reader.key_of(about, question, (1, about.answer.root))


def test_key_of__no_answer_without_rows(reader: Reader) -> None:
    about = subject("encoder")
    for what in (ANSWER_ROWS, ANSWER_ROW_GROUP, ANSWER_LEAVES):
        with boa.reverts("question: answer without rows"):
            reader.key_of(about, about.answer.question(what))


def test_key_of__leaves_that_do_not_exist(reader: Reader) -> None:
    about = subject("encoder")
    value = about.value(1)
    question = value.ask_leaf(Leaf("values", 0))[0]
    rows = value.rows.count
    changes: tuple[dict[str, Any], ...] = ({"row": rows}, {"section": 1}, {"part": 1}, {"part": 2})
    for wrong in changes:
        with boa.reverts("trace: no such place"):
            reader.key_of(about, question._replace(**wrong))
    for leaf in (1, 2**240):
        with boa.reverts("trace: no such leaf"):
            reader.key_of(about, question._replace(leaf=leaf))
    for part in (3, 2**256 - 1):
        with boa.reverts("question: no such part"):
            reader.key_of(about, question._replace(part=part))


def test_key_of__a_leaf_and_its_path_must_fit(reader: Reader) -> None:
    about = subject("encoder")
    question = about.value(3).ask_leaf(Leaf("witness", 1))[0]
    with boa.reverts("trace: path of another depth"):
        reader.key_of(about, question._replace(path=question.path[1:]))
    with boa.reverts("trace: leaf does not open"):
        reader.key_of(about, question._replace(row=0))


# ---------------------------------------------------------------------------------------------------- where it stands


def test_key_of__an_operator_of_the_program(reader: Reader) -> None:
    about = subject("encoder")
    question = about.value(1).ask_rows()[0]
    with boa.reverts("reader: no such operator"):
        reader.key_of(about, question._replace(number=about.operators + 1))
    with boa.reverts("reader: descriptor path length"):
        reader.key_of(about, question._replace(descriptor_path=[*question.descriptor_path, EMPTY]))
    with boa.reverts("reader: descriptor not of trace"):
        reader.key_of(about, question._replace(number=2))
    with boa.reverts("reader: value path length"):
        reader.key_of(about, question._replace(output_path=question.output_path[:-1]))
    with boa.reverts("reader: value not of trace"):
        reader.key_of(about, question._replace(output_root=about.value(2).root))


def test_key_of__another_operators_value(reader: Reader) -> None:
    """With the descriptor of one operator and the value of another."""
    about = subject("encoder")
    first, second = about.value(1).ask_rows()[0], about.value(2).ask_rows()[0]
    mixed = first._replace(output_root=second.output_root, output_path=second.output_path)
    with boa.reverts("reader: value not of trace"):
        reader.key_of(about, mixed)


@pytest.mark.parametrize("what", [ROWS, LEAVES])
def test_key_of__a_node_at_its_place(reader: Reader, what: int) -> None:
    about = subject("encoder")
    value = about.value(1)
    question = value.ask_rows()[0] if what == ROWS else value.ask_leaves(1)[0]
    with boa.reverts("question: path of another depth"):
        reader.key_of(about, question._replace(path=[*question.path, EMPTY]))
    with boa.reverts("question: node does not open"):
        reader.key_of(about, question._replace(node=EMPTY))


def test_key_of__values_are_no_supplement(reader: Reader) -> None:
    """The two children of a root cannot be taken for each other."""
    about = subject("encoder")
    last = about.value(about.operators)
    with boa.reverts("question: node does not open"):
        reader.key_of(about, last.question(SUPPLEMENT_ROWS, node=last.rows.root, path=[last.supplement_root]))


# ---------------------------------------------------------------------------------------------------- the same data


def test_key_of__the_answers_rows_are_those_of_the_last_value(reader: Reader) -> None:
    """Where it has no witness: what was revealed of one answers a question for the other."""
    about = subject("classifier")
    value, answer = about.value(about.operators), about.answer
    assert value.geometry.witness is None
    keys = {
        reader.key_of(about, value.ask_leaves(0)[0]),
        reader.key_of(about, answer.ask_leaves(0)[0], (answer.rows, answer.root)),
    }
    assert len(keys) == 1


def test_key_of__claims_share_nothing(reader: Reader) -> None:
    about = subject("encoder")
    question, key = about.value(1).ask_rows()
    other = reader.contract.key_of(b"other".ljust(32, b"\1"), about.trace, 0, EMPTY, question)
    assert reader.key_of(about, question) == key != bytes(other)


# ------------------------------------------------------------------------------------------------------ great shapes


@pytest.mark.parametrize("operators", [1_024, 1_030, 2_500])
def test_key_of__groups_of_a_long_trace(reader: Reader, operators: int) -> None:
    roots = Levels([keccak256(number.to_bytes(4, "big")) for number in range(operators + 1)])
    trace = (EMPTY, operators, roots.root, 1, 0, 0)
    level = roots.depth - 10
    for number in (0, 1_000, operators):
        node, path = roots.levels[level][number >> level], roots.path(number, level)
        question = Question(TRACE_GROUP, number, node=node, path=path)
        expected = tree_key(0, level, roots.group(number, level))
        assert bytes(reader.contract.key_of(CLAIM_ID, trace, 0, EMPTY, question)) == expected
        with boa.reverts("question: node does not open"):
            elsewhere = question._replace(number=(number + 500) % 1_024)
            reader.contract.key_of(CLAIM_ID, trace, 0, EMPTY, elsewhere)
    with boa.reverts("question: no such trace group"):
        reader.contract.key_of(CLAIM_ID, trace, 0, EMPTY, question._replace(number=operators + 1))


def test_key_of__no_groups_of_a_short_trace(reader: Reader) -> None:
    for operators in (1, 1_023):
        with boa.reverts("question: no trace groups"):
            reader.contract.key_of(
                CLAIM_ID, (EMPTY, operators, EMPTY, 1, 0, 0), 0, EMPTY, Question(TRACE_GROUP)
            )


def scores_of(heads: int, length: int, root: bytes, *, is_causal: bool = False) -> OneOperator:
    words = {0: SCORES, 1: SCORE_VALUES, 3: heads, 23: heads, 26: int(is_causal)}
    return OneOperator(length, words, root)


@pytest.mark.parametrize(("heads", "length"), [(1_024, 1), (512, 257), (1, 1_024 * 256)])
def test_key_of__as_many_leaves_as_are_revealed_at_once(reader: Reader, heads: int, length: int) -> None:
    """One row is enough to ask for: the others are whatever the path says."""
    path = [EMPTY] * (length - 1).bit_length() + [EMPTY]
    root = root_from_path(b"\1" * 32, 0, path)
    scene = scores_of(heads, length, root)
    question = scene.question._replace(what=LEAVES, node=b"\1" * 32, path=path)
    reader.contract.key_of(CLAIM_ID, scene.trace, 0, EMPTY, question)
    more = scores_of(heads + 1, length, root)
    question = more.question._replace(what=LEAVES, node=b"\1" * 32, path=path)
    with boa.reverts("question: too many leaves"):
        reader.contract.key_of(CLAIM_ID, more.trace, 0, EMPTY, question)


def test_key_of__groups_of_more_rows_than_are_revealed_at_once(reader: Reader) -> None:
    path = [EMPTY] * 10
    root = root_from_path(b"\1" * 32, 0, path)
    for length, fits in ((2**19, True), (2**19 + 1, False)):
        scene = OneOperator(length, {0: ADD, 1: ACTIVATION, 3: 1}, root)
        question = scene.question._replace(what=ROW_GROUP, node=b"\1" * 32, path=path)
        if fits:
            reader.contract.key_of(CLAIM_ID, scene.trace, 0, EMPTY, question)
            continue
        with boa.reverts("question: group too large"):
            reader.contract.key_of(CLAIM_ID, scene.trace, 0, EMPTY, question)


def test_gas__of_each_question(reader: Reader) -> None:
    about = subject("wide_decoder")
    value = about.value(about.operators - 3)
    asked: list[tuple[Question, Any]] = [
        value.ask_rows(),
        value.ask_leaves(3),
        value.ask_leaf(Leaf("values", 3)),
        about.answer.ask_rows(),
        about.answer.ask_leaves(5),
    ]
    for question, key in asked:
        assert reader.key_of(about, question, (about.answer.rows, about.answer.root)) == key
        assert reader.contract._computation.get_gas_used() < 150_000
    assert {question.what for question, _ in asked} == {ROWS, LEAVES, LEAF, ANSWER_ROWS, ANSWER_LEAVES}
