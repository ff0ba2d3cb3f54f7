"""Element steps of kinds that move or add numbers: what is proved, what is not, and what reverts for which reason."""

from __future__ import annotations

from typing import Any

import boa
import pytest
import torch

from proofmill.exact import ops
from proofmill.exact.trace.checks.facts import Step
from tests.suite.deployment import deploy
from tests.unit.contracts.step_verifiers.element_cases import OUTPUT, Sketch, element, sketch

KINDS = ("embedding", "position_embedding", "add", "relu", "rotate", "pixels", "patches", "flatten")
GREATEST = (1 << 31) - 1
EDGES = (-GREATEST, -(1 << 30), -1, 0, 1, 1 << 30, GREATEST)
INSIDE = element(40, 2)  # in patches not in the padding
STEP_GAS = 160_000


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("ElementVerifier.vy")


def column(*values: int) -> torch.Tensor:
    return torch.tensor([values])


def corrected(operator: Sketch, row: int, index: int) -> int:
    """Set the output to what Python expects, and return it."""
    words = operator.case(element(row, index)).words
    if words:
        operator.integers[OUTPUT, row, index] = int(words.split(" is ")[1].split(",")[0])
    return operator.integers.get((OUTPUT, row, index), 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [0, 1, -1, 1 << 20])
def test_violates__an_element(verifier: Any, kind: str, change: int) -> None:
    operator = sketch(kind)
    expected = corrected(operator, 3, 2)
    operator.integers[OUTPUT, 3, 2] = expected + change
    case = operator.case(element(3, 2))
    assert verifier.violates(*case.arguments) is (change != 0) is case.violated
    assert 20_000 < verifier._computation.get_gas_used() < STEP_GAS


@pytest.mark.parametrize("x", EDGES)
def test_violates__sums_are_those_of_the_definition(verifier: Any, x: int) -> None:
    operator = sketch("add")
    for y in (x, -x, GREATEST):
        operator.integers.update({(0, 9, 300): x, (1, 9, 300): y})
        expected = int(ops.add(column(x), column(y)))
        for claimed, violated in ((expected, False), (expected - 1, True)):
            operator.integers[OUTPUT, 9, 300] = claimed
            assert verifier.violates(*operator.case(element(9, 300)).arguments) is violated


@pytest.mark.parametrize("x", EDGES)
@pytest.mark.parametrize("entry", [-(1 << 20), 0, GREATEST])
def test_violates__positions_are_those_of_the_definition(verifier: Any, x: int, entry: int) -> None:
    operator = sketch("position_embedding")
    operator.integers[1, 5, 8] = x
    operator.entries[5, 8] = entry
    expected = max(-GREATEST, min(GREATEST, x + entry))
    for claimed, violated in ((expected, False), (expected ^ 1, True)):
        operator.integers[OUTPUT, 5, 8] = claimed
        assert verifier.violates(*operator.case(element(5, 8)).arguments) is violated


@pytest.mark.parametrize("x", EDGES)
def test_violates__rectified_numbers_are_those_of_the_definition(verifier: Any, x: int) -> None:
    operator = sketch("relu")
    operator.integers.update({(0, 1, 0): x, (OUTPUT, 1, 0): int(ops.relu(column(x)))})
    assert verifier.violates(*operator.case(element(1, 0)).arguments) is False
    operator.integers[OUTPUT, 1, 0] = -1
    assert verifier.violates(*operator.case(element(1, 0)).arguments) is True


@pytest.mark.parametrize("pair", [(GREATEST, GREATEST), (-GREATEST, GREATEST), (5, -7), (1 << 19, 3)])
@pytest.mark.parametrize("angle", [(1 << 20, 0), (0, -(1 << 20)), (741_455, 741_455), (-1_048_575, 1_448)])
def test_violates__rotations_are_those_of_the_definition(
    verifier: Any, pair: tuple[int, int], angle: tuple[int, int]
) -> None:
    operator = sketch("rotate", width=384, columns=320, head_size=64)
    operator.integers.update({(0, 40, 254): pair[0], (0, 40, 255): pair[1]})
    at = 254 % 64 // 2
    operator.entries.update({(40, at): angle[0], (40, 32 + at): angle[1]})
    cosine, sine = (torch.tensor([[value]]) for value in angle)
    turned = ops.rotate(column(*pair), torch.tensor([0]), cosine, sine, 2, 2)[0].tolist()
    for offset, expected in enumerate(turned):
        for claimed, violated in ((expected, False), (expected // 2 + 1, True)):
            operator.integers[OUTPUT, 40, 254 + offset] = claimed
            case = operator.case(element(40, 254 + offset))
            assert verifier.violates(*case.arguments) is violated


def test_violates__columns_behind_a_rotation_are_copied(verifier: Any) -> None:
    operator = sketch("rotate", columns=320)
    operator.integers.update({(0, 1, 320): 77, (OUTPUT, 1, 320): 77, (OUTPUT, 1, 321): 1 << 25})
    copied, changed = (operator.case(element(1, 320 + i)) for i in range(2))
    assert len(copied.arguments.openings) == 2
    assert verifier.violates(*copied.arguments) is False
    assert verifier.violates(*changed.arguments) is True


@pytest.mark.parametrize(
    ("row", "index", "outside"),
    [
        (0, 0, True),
        (0, 12, False),
        (31, 24, True),
        (31, 6, True),
        (992, 21, True),
        (1023, 26, True),
        (500, 26, False),
    ],
)
def test_violates__patches_are_zero_outside_the_image(
    verifier: Any, row: int, index: int, outside: bool
) -> None:
    operator = sketch("patches")
    operator.integers[OUTPUT, row, index] = 0
    case = operator.case(element(row, index))
    assert len(case.arguments.openings) == (1 if outside else 2)
    assert verifier.violates(*case.arguments) is (not outside)
    operator.integers[OUTPUT, row, index] = 5
    assert verifier.violates(*operator.case(element(row, index)).arguments) is True


@pytest.mark.parametrize("kind", KINDS)
def test_violates__an_output_of_another_length(verifier: Any, kind: str) -> None:
    operator = sketch(kind)
    for size in (0, 1, 1028, 16_448):
        operator.leaves = {0: bytes(size)}
        for step in (element(3, 2), Step("form", 3)):
            case = operator.case(step)
            assert len(case.arguments.openings) == 1
            assert verifier.violates(*case.arguments) is True


@pytest.mark.parametrize("kind", KINDS)
def test_violates__any_integers_have_form(verifier: Any, kind: str) -> None:
    assert verifier.violates(*sketch(kind).case(Step("form", 3)).arguments) is False


@pytest.mark.parametrize("kind", KINDS)
def test_violates__an_input_of_another_length(verifier: Any, kind: str) -> None:
    operator = sketch(kind)
    honest = operator.case(INSIDE).arguments.openings
    for data in (honest[1][0] + bytes(4), b"\0"):
        operator.leaves = {1: data}
        case = operator.case(INSIDE)
        assert case.violated is None
        with boa.reverts("element: input of false length"):
            verifier.violates(*case.arguments._replace(openings=case.arguments.openings[:2] + honest[2:]))


@pytest.mark.parametrize("token", [-1, -(1 << 31), 30_522, GREATEST])
def test_violates__no_such_token(verifier: Any, token: int) -> None:
    operator = sketch("embedding")
    arguments = operator.case(element(3, 2)).arguments
    operator.integers[0, 3, 0] = token
    case = operator.case(element(3, 2))
    assert case.violated is None
    with boa.reverts("step: no such table leaf"):
        verifier.violates(
            *case.arguments._replace(openings=[*case.arguments.openings, arguments.openings[2]])
        )


def test_violates__missing_leaves(verifier: Any) -> None:
    for kind in KINDS:
        arguments = sketch(kind).case(INSIDE).arguments
        for count in range(1, len(arguments.openings)):
            with boa.reverts("element: leaf not opened"):
                verifier.violates(*arguments._replace(openings=arguments.openings[:count]))
        with boa.reverts("element: nothing opened"):
            verifier.violates(*arguments._replace(openings=[]))


@pytest.mark.parametrize("check", [4, 7, 13, 14, 1 << 255])
def test_violates__no_such_check(verifier: Any, check: int) -> None:
    arguments = sketch("add").case(element(3, 2)).arguments
    with boa.reverts("element: no such check"):
        verifier.violates(*arguments._replace(step=(check, *arguments.step[1:])))


def test_violates__another_kind(verifier: Any) -> None:
    with boa.reverts("element: not such a kind"):
        verifier.violates(*sketch("gelu").case(element(3, 2)).arguments)


@pytest.mark.parametrize("name", ["witness_form", "supplement_form"])
def test_violates__no_such_part(verifier: Any, name: str) -> None:
    arguments = sketch("add").case(Step("form", 3)).arguments
    with boa.reverts("trace: no such place"):
        verifier.violates(*arguments._replace(step=(1 if name == "witness_form" else 2, 3, 0, 0, 0)))


def test_violates__other_context(verifier: Any) -> None:
    context, step, descriptor, openings = sketch("add").case(element(3, 2)).arguments
    for changed, reason in (
        (context._replace(descriptor_hash=bytes(32)), "step: another descriptor"),
        (context._replace(first_number=9), "step: another first input"),
        (context._replace(second_number=9), "step: another second input"),
        (context._replace(output_root=bytes(32)), "trace: leaf does not open"),
        (context._replace(first_root=context.second_root), "trace: leaf does not open"),
        (context._replace(second_root=context.first_root), "trace: leaf does not open"),
        (context._replace(length=129), "trace: path of another depth"),
        (context._replace(length=3), "step: no such row"),
    ):
        with boa.reverts(reason):
            verifier.violates(changed, step, descriptor, openings)


def test_violates__no_such_element(verifier: Any) -> None:
    arguments = sketch("add").case(element(3, 2)).arguments
    with boa.reverts("step: no such element"):
        verifier.violates(*arguments._replace(step=(3, 3, 0, 384, 0)))


def test_violates__a_table_that_does_not_open(verifier: Any) -> None:
    arguments = sketch("embedding").case(element(3, 2)).arguments
    *others, (data, path) = arguments.openings
    for opening, reason in (
        ((bytes(len(data)), path), "step: table does not open"),
        ((data, path[:-1]), "step: table path of wrong depth"),
    ):
        with boa.reverts(reason):
            verifier.violates(*arguments._replace(openings=[*others, opening]))
