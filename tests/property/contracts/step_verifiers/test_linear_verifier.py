"""Linear operators with any digits and headers: the contract, the check in Python and the definition agree."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.suite.deployment import deploy
from tests.suite.steps import check_case, check_unsound, honest_case, random_case, violation
from tests.unit.contracts.step_verifiers.linear_cases import GREATEST, LEAST, LinearCase, random_digits

INT32 = st.one_of(st.sampled_from([LEAST, LEAST + 1, -1, 0, 1, GREATEST]), st.integers(LEAST, GREATEST))
EXTREMES = st.sampled_from([None, (-128, 127), (-128,), (127,), (-1, 0, 1), (0,)])


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("LinearVerifier.vy")


@st.composite
def cases(draw: st.DrawFn) -> LinearCase:
    """Any bytes an operand and a channel can have, any multiplier and bias, every shift that is allowed."""
    generator = random.Random(draw(st.integers(0, 1 << 30)))
    columns = draw(st.one_of(st.integers(1, 40), st.integers(380, 390), st.integers(41, 600)))
    shift = draw(st.integers(0, 62))
    return LinearCase(
        high=random_digits(generator, columns, draw(EXTREMES)),
        low=random_digits(generator, columns, draw(EXTREMES)),
        weights=[random_digits(generator, columns, draw(EXTREMES)) for _ in range(draw(st.integers(1, 2)))],
        multiplier=draw(INT32),
        bias=draw(INT32),
        exponent=draw(st.integers(shift - 62, shift)),
        shift=shift,
        outputs=[generator.randrange(LEAST, GREATEST) for _ in range(44)],
        seed=generator.randrange(1 << 30),
    )


@settings(max_examples=40, deadline=None)
@given(case=cases(), claimed=INT32)
def test_violates__agrees_with_the_definition(verifier: Any, case: LinearCase, claimed: int) -> None:
    value = case.value
    assert verifier.violates(*case.claiming(value).arguments()) is False
    other = case.claiming(claimed)
    assert verifier.violates(*other.arguments()) is (claimed != value)
    assert (other.judged() is not None) is (claimed != value)


@settings(max_examples=15, deadline=None)
@given(case=cases(), exponent=st.integers(-(1 << 63), (1 << 63) - 1))
def test_violates__any_exponent(verifier: Any, case: LinearCase, exponent: int) -> None:
    case = replace(case, exponent=exponent)
    if 0 <= case.shift - exponent <= 62:
        case = case.truthful()
    assert verifier.violates(*case.arguments()) is (case.judged() is not None)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_violates__agrees_with_the_judgement_of_traces(verifier: Any, seed: int) -> None:
    """Of traced models: honest steps, steps of an accuser, steps about anything."""
    generator = random.Random(seed)
    for case in (
        honest_case("linear", generator),
        violation("linear", generator),
        random_case("linear", generator),
    ):
        check_case(verifier, case)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_violates__unsound_evidence_of_a_violation(verifier: Any, seed: int) -> None:
    generator = random.Random(seed)
    check_unsound(verifier, violation("linear", generator), generator)
