"""One element of a linear operator: against the check in Python and the definition on big integers; and unsound evidence."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import boa
import pytest

from proofmill.disputes.evidence import CHECK_NUMBERS, Arguments
from proofmill.exact.commitment.descriptor import OperatorDescriptor
from proofmill.exact.commitment.keccak import hash_leaf
from proofmill.exact.program.kinds import KINDS
from proofmill.exact.trace.checks.facts import Step
from tests.suite.deployment import deploy
from tests.unit.contracts.step_verifiers.linear_cases import (
    GREATEST,
    LEAST,
    LinearCase,
    padded_bytes,
    random_case,
    table_leaf,
)

DIGITS = pytest.mark.parametrize("digits", [1, 2], ids=["E16", "E16x"])


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("LinearVerifier.vy")


def violates(verifier: Any, case: LinearCase, step: Step | None = None) -> bool:
    """What the contract says; Python says the same."""
    result: bool = verifier.violates(*case.arguments(step))
    assert result == (case.judged(step) is not None)
    return result


# ------------------------------------------------------------------------------------------- the element


@DIGITS
@pytest.mark.parametrize("columns", [1, 5, 31, 32, 33, 96, 127, 128, 129, 384, 416, 500, 544, 768])
def test_violates__element_of_any_width(verifier: Any, columns: int, digits: int) -> None:
    """Widths that end in the middle of a word, and that leave one to eleven words after the last twelve."""
    case = random_case(random.Random(columns), columns, digits)
    assert not violates(verifier, case)
    assert violates(verifier, case.claiming(case.value + 1))
    assert violates(verifier, case.claiming(case.value - 1))


@DIGITS
def test_violates__widest_element(verifier: Any, digits: int) -> None:
    case = random_case(random.Random(4), 8192, digits, multiplier=1 << 17)
    assert abs(case.value) < GREATEST
    assert not violates(verifier, case)
    assert violates(verifier, case.claiming(case.value ^ 1))


@DIGITS
@pytest.mark.parametrize(("high", "low", "weight"), product((-128, 127), repeat=3))
def test_violates__extreme_digits(verifier: Any, high: int, low: int, weight: int, digits: int) -> None:
    """In range and saturated, with the largest and smallest multiplier and shift."""
    narrow = random_case(random.Random(1), 416, digits)
    extreme = replace(narrow, high=[high] * 416, low=[low] * 416, weights=[[weight] * 416] * digits)
    for multiplier, shift in ((1, 15), (GREATEST, 62), (LEAST, 17)):
        case = replace(extreme, multiplier=multiplier, shift=shift, exponent=0).truthful()
        assert not violates(verifier, case)
    assert violates(verifier, case.claiming(case.value - 1 if case.value > 0 else case.value + 1))


@pytest.mark.parametrize(("digit", "multiplier"), [(-128, LEAST), (-128, GREATEST), (127, LEAST)])
def test_violates__largest_sum(verifier: Any, digit: int, multiplier: int) -> None:
    """Nothing overflows with 8,192 of the largest digits, two to a weight, and the largest multiplier."""
    digits = [digit] * 8192
    case = random_case(random.Random(1), 1, 2, multiplier=multiplier, shift=62, exponent=0)
    case = replace(case, high=digits, low=digits, weights=[digits, digits]).truthful()
    assert not violates(verifier, case)


@pytest.mark.parametrize(("shift", "exponent"), [(62, 0), (40, 40), (35, 17), (0, -62), (1, 0), (1, 1)])
def test_violates__ends_of_the_shift(verifier: Any, shift: int, exponent: int) -> None:
    """A shift by 0 rounds nothing, one by 62 nearly everything; `exponent` may be any field."""
    case = random_case(random.Random(9), 64, shift=shift, exponent=exponent, multiplier=3)
    assert not violates(verifier, case)
    assert violates(verifier, case.claiming(case.value + 1))


@pytest.mark.parametrize("exponent", [-63, 1, -(1 << 63), (1 << 63) - 1])
def test_violates__shift_that_nothing_leads_to(verifier: Any, exponent: int) -> None:
    case = replace(random_case(random.Random(9), 64), shift=0, exponent=exponent)
    assert violates(verifier, case)


@pytest.mark.parametrize("bias", [LEAST, GREATEST])
def test_violates__saturates(verifier: Any, bias: int) -> None:
    """The result is never below -(2^31 - 1)."""
    extreme = -128 if bias < 0 else 127
    case = random_case(
        random.Random(2), 32, high=[extreme] * 32, weights=[[1] * 32], bias=bias, shift=20, exponent=0
    )
    assert case.value == (GREATEST if bias > 0 else -GREATEST)
    assert not violates(verifier, case)
    assert violates(verifier, case.claiming(LEAST if bias < 0 else GREATEST - 1))


def test_violates__halves_are_rounded_up(verifier: Any) -> None:
    for weight, expected in ((1, 1), (3, 2), (-1, 0), (-3, -1)):
        case = random_case(
            random.Random(3),
            1,
            high=[0],
            low=[1],
            weights=[[weight]],
            multiplier=1,
            bias=0,
            shift=1,
            exponent=0,
        )
        assert case.value == expected
        assert not violates(verifier, case)


@DIGITS
def test_violates__weights_of_a_real_table(verifier: Any, digits: int) -> None:
    """The leaf of a channel is the one that the model's own table has."""
    case = random_case(random.Random(6), 75, digits)
    assert case.leaf("channel") == table_leaf(case)
    assert not violates(verifier, case)


def test_violates__padding_of_the_operand_meets_zeros(verifier: Any) -> None:
    """What an operand holds after its last digit changes nothing: there the channel has zeros."""
    case = random_case(random.Random(6), 33)
    operand = case.leaf("operand")
    header, half = operand[:32], padded_bytes(case.high)
    stray = case.with_leaf("operand", header + half[:33] + b"\x7f" * 31 + operand[96:129] + b"\x81" * 31)
    assert not violates(verifier, stray)


@pytest.mark.parametrize(
    ("channels", "channel", "rows", "row"),
    [
        (1, 0, 1, 0),
        (2, 1, 1, 0),
        (256, 255, 2, 1),
        (257, 256, 3, 2),
        (700, 511, 5, 4),
        (49152, 49151, 512, 511),
    ],
)
@pytest.mark.parametrize("sequence", [True, False])
def test_violates__places(
    verifier: Any, channels: int, channel: int, rows: int, row: int, sequence: bool
) -> None:
    """First and last rows and leaves of trees of every form, with rows of the sequence and of the operator."""
    width = min(256, channels - channel // 256 * 256)
    case = random_case(
        random.Random(channels),
        40,
        channels=channels,
        channel=channel,
        rows=rows,
        row=row,
        sequence=sequence,
        outputs=[0] * width,
    )
    assert not violates(verifier, case)
    assert violates(verifier, case.claiming(~case.value))


# ---------------------------------------------------------------------------------------------- the form


def test_violates__form_of_any_integers(verifier: Any) -> None:
    case = random_case(random.Random(5), 32)
    form = Step("form", case.row, 0, case.channel // 256)
    assert not violates(verifier, case, form)
    assert not violates(verifier, case.claiming(LEAST), form)


@pytest.mark.parametrize("size", [0, 1, 172, 175, 177, 180, 1024, 16448])
def test_violates__output_of_another_length(verifier: Any, size: int) -> None:
    """A violation in both steps, whatever else is opened or not."""
    case = random_case(random.Random(5), 32).with_leaf("output", bytes(size))
    assert violates(verifier, case, Step("form", case.row, 0, case.channel // 256))
    assert violates(verifier, case)
    arguments = case.arguments()
    assert verifier.violates(*arguments._replace(openings=arguments.openings[:1]))


# --------------------------------------------------------------------------------------- unsound evidence


def step(arguments: Arguments, **changes: int) -> Arguments:
    names = ("check", "row", "section", "index", "other")
    values = dict(zip(names, arguments.step, strict=True)) | changes
    return arguments._replace(step=tuple(values[name] for name in names))  # type: ignore[arg-type]


def opening(
    arguments: Arguments, which: int, data: bytes | None = None, path: list[bytes] | None = None
) -> Arguments:
    openings = [*arguments.openings]
    openings[which] = (
        openings[which][0] if data is None else data,
        openings[which][1] if path is None else path,
    )
    return arguments._replace(openings=openings)


def flipped(arguments: Arguments, which: int) -> Arguments:
    data = arguments.openings[which][0]
    return opening(arguments, which, data[:-1] + bytes([data[-1] ^ 1]))


def other_sibling(arguments: Arguments, which: int) -> Arguments:
    path = arguments.openings[which][1]
    return opening(arguments, which, path=[*path[:-1], bytes(32)])


def shorter(arguments: Arguments, which: int) -> Arguments:
    return opening(arguments, which, path=arguments.openings[which][1][:-1])


def longer(arguments: Arguments, which: int) -> Arguments:
    return opening(arguments, which, path=[*arguments.openings[which][1], bytes(32)])


def context(arguments: Arguments, **changes: Any) -> Arguments:
    return arguments._replace(context=arguments.context._replace(**changes))


def described(arguments: Arguments, change: Callable[[OperatorDescriptor], OperatorDescriptor]) -> Arguments:
    """With another descriptor, that the program is taken to hold."""
    descriptor = change(OperatorDescriptor.decode(arguments.descriptor)).encode()
    return context(arguments, descriptor_hash=hash_leaf(descriptor))._replace(descriptor=descriptor)


def word(arguments: Arguments, place: int, number: int) -> Arguments:
    """With another word in the descriptor, that the program is taken to hold."""
    data = arguments.descriptor
    descriptor = data[: 32 * place] + number.to_bytes(32, "big") + data[32 * place + 32 :]
    return context(arguments, descriptor_hash=hash_leaf(descriptor))._replace(descriptor=descriptor)


UNSOUND: dict[str, list[Callable[[Arguments], Arguments]]] = {
    "linear: another descriptor": [
        lambda a: a._replace(descriptor=a.descriptor[:-1] + b"\x01"),
        lambda a: a._replace(descriptor=a.descriptor[:-1]),
        lambda a: a._replace(descriptor=b""),
        lambda a: context(a, descriptor_hash=bytes(32)),
    ],
    "linear: another kind": [
        partial(word, place=0, number=kind.code) for kind in KINDS.values() if kind.code != 6
    ],
    "linear: another input": [lambda a: context(a, first_number=5), lambda a: word(a, 6, 3)],
    "linear: no such element": [lambda a: step(a, index=300), lambda a: step(a, index=2**256 - 1)],
    "linear: no such check": [
        partial(step, check=number)
        for number in (*CHECK_NUMBERS.values(), 14, 2**255)
        if number not in (0, 3)
    ],
    "linear: no such section": [lambda a: step(a, check=0, index=1, section=1)],
    "linear: no such leaf": [
        lambda a: step(a, check=0, index=2),
        lambda a: step(a, check=0, index=2**256 - 1),
    ],
    "linear: no such row": [
        lambda a: step(a, row=21),
        lambda a: step(a, row=2**256 - 1),
        lambda a: step(a, row=13 + 32),
    ],
    "linear: output not opened": [lambda a: a._replace(openings=[])],
    "linear: output path too long": [
        lambda a: longer(a, 0),
        lambda a: shorter(a, 0),
        lambda a: opening(a, 0, path=[]),
    ],
    "linear: output does not open": [
        lambda a: flipped(a, 0),
        lambda a: other_sibling(a, 0),
        lambda a: step(a, row=12),
        lambda a: step(a, index=14),
        lambda a: context(a, output_root=bytes(32)),
        lambda a: opening(a, 0, data=a.openings[1][0]),
    ],
    "linear: no such operand row": [lambda a: word(a, 8, 13)],
    "linear: a leaf is missing": [
        lambda a: a._replace(openings=a.openings[:2]),
        lambda a: a._replace(openings=a.openings[:1]),
    ],
    "linear: operand path too long": [
        lambda a: longer(a, 1),
        lambda a: shorter(a, 1),
        lambda a: opening(a, 1, path=[]),
    ],
    "linear: operand does not open": [
        lambda a: flipped(a, 1),
        lambda a: other_sibling(a, 1),
        lambda a: context(a, first_root=a.context.output_root),
    ],
    "linear: operand of other length": [
        lambda a: word(word(a, 10, 20), 9, 20),
        lambda a: word(word(a, 10, 65), 9, 65),
    ],
    "linear: no such channel": [lambda a: word(a, 20, 270)],
    "linear: channel path too long": [
        lambda a: longer(a, 2),
        lambda a: shorter(a, 2),
        lambda a: opening(a, 2, path=[]),
    ],
    "linear: channel does not open": [
        lambda a: flipped(a, 2),
        lambda a: other_sibling(a, 2),
        lambda a: step(a, index=271),
        lambda a: word(a, 18, 1),
    ],
    "linear: channel of other length": [lambda a: word(a, 22, 2), lambda a: word(a, 22, 0)],
}


@pytest.mark.parametrize(
    ("reason", "number"), [(reason, i) for reason, changes in UNSOUND.items() for i in range(len(changes))]
)
def test_violates__unsound_evidence(verifier: Any, reason: str, number: int) -> None:
    """Of a false element: what does not open proves nothing."""
    case = random_case(random.Random(8), 40)
    arguments = case.claiming(case.value + 1).arguments()
    assert verifier.violates(*arguments)
    with boa.reverts(reason):
        verifier.violates(*UNSOUND[reason][number](arguments))


def test_violates__lengths_and_paths_at_their_bounds(verifier: Any) -> None:
    """Longer than the interface has room for: refused before anything is read."""
    arguments = random_case(random.Random(8), 40).arguments()
    for changed in (
        opening(arguments, 0, data=bytes(16449)),
        opening(arguments, 1, path=[bytes(32)] * 49),
        arguments._replace(openings=[*arguments.openings, arguments.openings[0]]),
        arguments._replace(descriptor=arguments.descriptor + b"\x00"),
    ):
        with boa.reverts():
            verifier.violates(*changed)
