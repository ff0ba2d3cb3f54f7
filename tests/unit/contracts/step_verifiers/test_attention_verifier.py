"""Steps of attention: honest ones are no violation, false numbers are, and each is judged as the Python program judges it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boa
import pytest
import torch

from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.geometry import Leaf
from tests.reference import attention as reference
from tests.suite.deployment import deploy
from tests.unit.contracts.step_verifiers.attention_scene import (
    MULTIPLIERS,
    OUTPUT,
    Heads,
    Row,
    Scene,
    operand,
)

GAS_LIMIT = 400_000  # of a whole transaction
LEAST, MOST = -(1 << 63), (1 << 63) - 1
SHARED = Heads(heads=4, key_heads=2, head_size=3, length=65, causal=True)
OPEN = replace(SHARED, causal=False)
ONE_TOKEN = Heads(heads=1, key_heads=1, head_size=1, length=1, causal=True)
TWO_BLOCKS = Heads(heads=2, key_heads=1, head_size=2, length=513, causal=True)
WIDE = Heads(heads=1, key_heads=1, head_size=256, length=33, causal=False)
MINILM = Heads(heads=12, key_heads=12, head_size=32, length=128, causal=False)
LLAMA = Heads(heads=32, key_heads=8, head_size=64, length=512, causal=True)
#: A shape with one of its rows: short and long, at the edges of blocks and leaves.
ROWS = [
    *((ONE_TOKEN, 0), (SHARED, 0), (SHARED, 63), (SHARED, 64), (OPEN, 0), (OPEN, 40)),
    *((TWO_BLOCKS, 300), (TWO_BLOCKS, 511), (TWO_BLOCKS, 512), (WIDE, 5)),
]


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("AttentionVerifier.vy")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@functools.cache
def honest_row(heads: Heads, row: int, seed: int = 1) -> Row:
    return Row(heads, row, *operand(heads, seed))


def steps(row: Row) -> list[tuple[str, Step]]:
    """Every check of every kind, at the last key the row sees and wherever else something may be special."""
    heads, last, t = row.heads, row.visible - 1, row.row
    head, keys = heads.heads - 1, sorted({0, last // 2, last})
    found = []
    for key in keys:
        found += [("scores", Step("element", t, head, key)), ("softmax", Step("element", t, head, key))]
        found += [("softmax", Step(name, t, head, key)) for name in ("greater", "greater_exponent")]
    found += [
        ("softmax", Step(name, t, head)) for name in ("maximum", "exponent", "reciprocal", "witness_form")
    ]
    found += [("softmax", Step("sum", t, head, block)) for block in sorted({0, last // 64})]
    found += [("mix", Step("sum", t, head, block, heads.head_size - 1)) for block in sorted({0, last // 512})]
    found += [("mix", Step("element", t, 0, heads.heads * heads.head_size - 1))]
    found += [("mix", Step(name, t, 0)) for name in ("form", "witness_form")]
    return [
        *found,
        ("scores", Step("form", t, head, last // 256)),
        ("softmax", Step("form", t, head, last // 512)),
    ]


def row_name(case: tuple[Heads, int]) -> str:
    heads, row = case
    return f"{heads.heads}x{heads.head_size}-{heads.length}-{row}"


# ------------------------------------------------------------------ honest rows


@pytest.mark.parametrize("case", ROWS, ids=row_name)
def test_violates__never_an_honest_row(verifier: Any, case: tuple[Heads, int]) -> None:
    row = honest_row(*case)
    for kind, step in steps(row):
        arguments, violated = Scene(kind, row).judged(step)
        assert violated is False, (kind, step)
        assert verifier.violates(*arguments) is False, (kind, step)


def test_scene__is_the_reference() -> None:
    """What is called honest here is what the big-integer definition says."""
    row = honest_row(SHARED, 64)
    heads = reference.Heads(SHARED.heads, SHARED.key_heads, SHARED.head_size, causal=True)
    operands = list(zip(row.values.tolist(), row.exponents.tolist(), strict=True))
    scores = reference.scores(operands, heads, MULTIPLIERS[SHARED.head_size])
    weights = reference.softmax(scores, operands, heads)
    assert row.scores.tolist() == scores[-1]
    assert row.mixed == reference.mix(weights, operands, heads)[-1]
    for head, expected in enumerate(weights[-1]):
        witness = row.softmax_witness(head)
        assert (witness[1], witness[3], witness[-1]) == (expected.exponent, expected.reciprocal, expected.sum)
        assert row.softmax.weights[0, head].tolist() == expected.weights


# ------------------------------------------------------------------ false numbers


def changed(value: int, bits: int) -> set[int]:
    """By one, by a bit, largely, to what nothing honest holds; signed integers of so many bits."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    return {new for new in (value + 1, value ^ 1 << bits - 3, -1, 63, low, high) if low <= new <= high} - {
        value
    }


@pytest.mark.parametrize(("case", "block"), [((SHARED, 64), 1), ((ONE_TOKEN, 0), 0)])
def test_violates__every_field_of_a_softmax_witness(
    verifier: Any, case: tuple[Heads, int], block: int
) -> None:
    """Each false field is shown by a step, and no step of another opinion than Python's."""
    row = honest_row(*case)
    head = row.heads.heads - 1
    place = (OUTPUT, Leaf("witness", row.row, head))
    true = row.softmax_witness(head)
    asked = [Step(name, row.row, head) for name in ("maximum", "exponent", "reciprocal")]
    asked += [Step("greater", row.row, head, true[0]), Step("greater_exponent", row.row, head, true[2])]
    asked += [Step("sum", row.row, head, block), Step("element", row.row, head, row.visible - 1)]
    for field in range(len(true)):
        for new in sorted(changed(true[field], 64)):
            scene = Scene("softmax", row)
            scene.set(place, {field: new})
            verdicts = []
            for step in asked:
                arguments, violated = scene.judged(step)
                if violated or field % 4 == new % 4:  # and some of those that do not read this field
                    assert verifier.violates(*arguments) is violated, (field, new, step)
                verdicts.append(violated)
            assert any(verdicts) or field - 4 < block, (field, new)


@pytest.mark.parametrize(("kind", "bits"), [("scores", 32), ("softmax", 15), ("mix", 32)])
def test_violates__a_false_element(verifier: Any, kind: str, bits: int) -> None:
    row = honest_row(SHARED, 64)
    step = Step("element", 64, 3, 64) if kind != "mix" else Step("element", 64, 0, 11)
    place = (OUTPUT, Leaf("values", 64, step.section))
    true = Scene(kind, row).integers(place)[step.index]
    for new in sorted(changed(true, bits)):
        scene = Scene(kind, row)
        scene.set(place, {step.index: new})
        arguments, violated = scene.judged(step)
        assert violated is True
        assert verifier.violates(*arguments) is True


def test_violates__a_false_sum_of_the_second_block_of_keys(verifier: Any) -> None:
    """Of the block itself, of the one before it, and not of another component."""
    row = honest_row(TWO_BLOCKS, 512)
    for block, component, shown in ((1, 1, True), (0, 1, True), (1, 0, False)):
        for change in (1, -1, 1 << 20, LEAST, MOST):
            scene = Scene("mix", row)
            place = (OUTPUT, Leaf("witness", 512, 1, block))
            scene.set(
                place,
                {component: change if abs(change) >= MOST else scene.integers(place)[component] + change},
            )
            arguments, violated = scene.judged(Step("sum", 512, 1, 1, 1))
            assert violated is shown
            assert verifier.violates(*arguments) is shown


@pytest.mark.parametrize(
    ("kind", "step", "which", "part", "field"),
    [
        ("scores", Step("element", 64, 3, 64), 0, "values", 0),
        ("softmax", Step("element", 64, 3, 64), 1, "values", 0),
        ("softmax", Step("exponent", 64, 3), 1, "values", 0),
        ("softmax", Step("greater_exponent", 64, 3, 64), 1, "values", 0),
        ("mix", Step("element", 64, 0, 11), 0, "witness", 0),
        ("mix", Step("element", 64, 0, 11), 0, "witness", 1),
        ("mix", Step("element", 64, 0, 11), 0, "witness", 3),
        ("mix", Step("element", 64, 0, 11), 0, "witness", -1),
        ("mix", Step("element", 64, 0, 11), OUTPUT, "witness", 2),
    ],
)
def test_violates__hostile_fields_as_python_does(
    verifier: Any, kind: str, step: Step, which: int, part: str, field: int
) -> None:
    """Of inputs too: whoever accuses an operator may have to do with a false input, and nothing overflows."""
    row = honest_row(SHARED, 64)
    scene = Scene(kind, row)
    scene.judged(step)
    places = {place for place in scene.asked if place[0] == which and place[1].part == part}
    assert places
    for place in places:
        for new in (LEAST, -1, 0, 14, 36, 39, 63, MOST):
            falsified = Scene(kind, row)
            falsified.set(place, {field: new})
            arguments, violated = falsified.judged(step)
            assert verifier.violates(*arguments) is violated, new


def test_violates__hostile_scores_as_python_does(verifier: Any) -> None:
    row = honest_row(SHARED, 64)
    for at in (row.softmax_witness(3)[0], 7, 64):
        for new in (-(1 << 31), 1 - (1 << 31), 0, (1 << 31) - 1):
            for step in ("greater", "sum", "element"):
                scene = Scene("softmax", row)
                scene.set((0, Leaf("values", 64, 3)), {at: new})
                arguments, violated = scene.judged(Step(step, 64, 3, 0 if step == "sum" else 64))
                assert verifier.violates(*arguments) is violated


# ------------------------------------------------------------------ chosen scores


def test_violates__distances_at_every_edge_of_the_power(verifier: Any) -> None:
    """Whole parts from 0 to 26 and beyond, one below, at and one above each."""
    whole = [w << 16 for w in (*range(27), 100, 32767)]
    distances = sorted({max(0, d + e) for d in whole for e in (-1, 0, 1)})
    heads = Heads(1, 1, 1, len(distances), causal=True)
    values, exponents = operand(heads, 3)
    top = (1 << 31) - 1
    row = Row(heads, heads.length - 1, values, exponents, torch.tensor([[top - d for d in distances]]))
    for block in (0, 1):
        for change, shown in ((0, False), (1, True)):
            scene = Scene("softmax", row)
            place = (OUTPUT, Leaf("witness", row.row))
            scene.set(place, {4 + block: scene.integers(place)[4 + block] + change})
            arguments, violated = scene.judged(Step("sum", row.row, 0, block))
            assert violated is shown
            assert verifier.violates(*arguments) is shown
    for key in (0, 1, 2, 3, 37, 38, 39, 73, 74, 75, 76, heads.length - 1):
        arguments, violated = Scene("softmax", row).judged(Step("element", row.row, 0, key))
        assert violated is False
        assert verifier.violates(*arguments) is False


def test_violates__another_of_equal_maxima(verifier: Any) -> None:
    """Ties go to the lowest index, of scores and of exponents."""
    heads = replace(SHARED, length=6)
    values, exponents = operand(heads, 4)
    row = Row(heads, 5, values, exponents * 0 + 9, torch.zeros((4, 6), dtype=torch.int64))
    assert row.softmax_witness(2)[:3] == [0, 9, 0]
    for field, name in ((0, "greater"), (2, "greater_exponent")):
        for named in (0, 1, 5):
            scene = Scene("softmax", row)
            scene.set((OUTPUT, Leaf("witness", 5, 2)), {field: named})
            for suspect in (0, 1, 4, 5):
                arguments, violated = scene.judged(Step(name, 5, 2, suspect))
                assert violated is (suspect < named)
                assert verifier.violates(*arguments) is violated


def test_violates__each_head_reads_its_group(verifier: Any) -> None:
    """Four heads share two key heads: the wrong neighbour's key would give another score."""
    row = honest_row(SHARED, 64)
    for head in range(4):
        for kind, step in (
            ("scores", Step("element", 64, head, 11)),
            ("softmax", Step("element", 64, head, 11)),
            ("mix", Step("sum", 64, head, 0, 1)),
        ):
            scene = Scene(kind, row)
            arguments, violated = scene.judged(step)
            assert verifier.violates(*arguments) is violated is False
            groups = {place[1].section for place in scene.asked if scene.number(place[0]) == 1}
            columns = {place[1].row for place in scene.asked if place[1].part == "supplement"}
            expected: dict[str, tuple[set[int], set[int]]] = {
                "scores": ({head, 4 + head // 2}, set()),
                "softmax": ({6 + head // 2}, set()),
                "mix": ({0}, {head // 2 * 3 + 1}),  # a supplement has no sections
            }
            assert (groups, columns) == expected[kind]


# ------------------------------------------------------------------ malformed leaves


def lengths(size: int) -> list[int]:
    return [0, size - 1, size + 32, 2113, 16_448]


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("scores", Step("element", 64, 3, 64)),
        ("scores", Step("form", 64, 3)),
        *(("softmax", Step(name, 64, 3, 1)) for name in ("greater", "greater_exponent", "sum", "element")),
        *(
            ("softmax", Step(name, 64, 3))
            for name in ("maximum", "exponent", "reciprocal", "form", "witness_form")
        ),
        ("mix", Step("sum", 64, 3)),
        ("mix", Step("element", 64, 0, 11)),
    ],
)
def test_violates__an_output_leaf_of_another_length(verifier: Any, kind: str, step: Step) -> None:
    """However long, as far as it can be revealed; of an input it is no evidence."""
    row = honest_row(SHARED, 64)
    honest = Scene(kind, row)
    honest.judged(step)
    for place in dict.fromkeys(honest.asked):
        size = len(honest.data(place))
        for length in lengths(size):
            scene = Scene(kind, row, {place: honest.data(place)[:length].ljust(length, b"\0")})
            arguments, violated = scene.judged(step)
            if place[0] == OUTPUT:
                assert violated is True
                assert verifier.violates(*arguments) is True
            else:
                assert violated is None
                with boa.reverts("attention: input of other length"):
                    verifier.violates(*arguments)


def test_violates__bytes_that_are_no_numbers(verifier: Any) -> None:
    """Every byte behind the last number, and hi = -128 with lo < 0, which is no number of 16 bits."""
    row = honest_row(SHARED, 64)
    weights, witness = (OUTPUT, Leaf("values", 64, 1)), (OUTPUT, Leaf("witness", 64, 1))
    cases = [(weights, at, 1, True) for at in (65, 95, 96 + 65, 191)] + [(weights, 64, 1, False)]
    cases += [(witness, at, 1, True) for at in (48, 63)] + [(witness, 47, 1, False)]
    cases += [((OUTPUT, Leaf("values", 64, 1)), at, 0x80, False) for at in (3, 96 + 3)]
    for place, at, byte, malformed in cases:
        scene = Scene("softmax", row)
        data = bytearray(scene.honest(place))
        data[at] ^= byte
        if byte == 0x80:
            data[at] = byte
            data[(at + 96) % 192] = 0 if at < 96 else 0x7F
        scene.leaves[place] = bytes(data)
        name = "form" if place == weights else "witness_form"
        arguments, violated = scene.judged(Step(name, 64, 1))
        assert violated is malformed, (place, at)
        assert verifier.violates(*arguments) is malformed
    for low, malformed in ((0x80, True), (0xFF, True), (0x00, False), (0x7F, False)):
        scene = Scene("softmax", row)
        data = bytearray(scene.honest(weights))
        data[40], data[96 + 40] = 0x80, low
        scene.leaves[weights] = bytes(data)
        arguments, violated = scene.judged(Step("form", 64, 1))
        assert verifier.violates(*arguments) is violated is malformed


def test_violates__padding_of_an_input_does_not_count(verifier: Any) -> None:
    """Weights behind the last key the row sees, against columns that go on: as if they were not there."""
    row = honest_row(replace(TWO_BLOCKS, length=100), 70)
    for byte in (0x01, 0x7F, 0x80, 0xFF):
        scene = Scene("mix", row)
        place = (0, Leaf("values", 70, 1))
        data = bytearray(scene.honest(place))
        for at in (*range(71, 96), *range(96 + 71, 192)):
            data[at] = byte
        scene.leaves[place] = bytes(data)
        arguments, violated = scene.judged(Step("sum", 70, 1, 0, 1))
        assert verifier.violates(*arguments) is violated is False


# ------------------------------------------------------------------ gas


@pytest.mark.parametrize(
    ("heads", "t"), [(MINILM, 64), (LLAMA, 100), (LLAMA, 511)], ids=["minilm", "llama", "llama-last"]
)
def test_violates__gas_of_a_whole_transaction(verifier: Any, heads: Heads, t: int) -> None:
    """Execution, calldata and 21,000; and the floor of EIP-7623."""
    row = honest_row(heads, t)
    for kind, step in steps(row):
        arguments, _ = Scene(kind, row).judged(step)
        assert verifier.violates(*arguments) is False
        data = verifier.violates.prepare_calldata(*arguments)
        bytes_set = sum(map(bool, data))
        empty = len(data) - bytes_set
        spent = 21_000 + verifier._computation.get_gas_used() + 16 * bytes_set + 4 * empty
        assert spent <= GAS_LIMIT, (kind, step, spent)
        assert 21_000 + 40 * bytes_set + 10 * empty <= GAS_LIMIT
