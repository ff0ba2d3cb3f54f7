"""Quantise, norms and the unit mean: any rows, any falsehood, any step, judged as in Python."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.suite import steps
from tests.suite.deployment import deploy
from tests.unit.contracts.step_verifiers.row_scene import GREATEST, KINDS, scene_of

RANDOM = st.randoms(use_true_random=False)
NUMBERS = st.one_of(st.integers(-3, 3), st.integers(-(2**16), 2**16), st.integers(-GREATEST, GREATEST))


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("RowVerifier.vy")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_violates__any_honest_row__never(verifier: Any, kind: str, data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 140), "width")
    numbers = st.lists(NUMBERS, min_size=width, max_size=width)
    scene = scene_of(kind, data.draw(st.lists(numbers, min_size=1, max_size=3), "rows"))
    for step in data.draw(st.permutations([*scene.steps(width)]), "steps")[:3]:
        arguments, violated = scene.judge(step)
        assert verifier.violates(*arguments) is violated is False, step


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(generator=RANDOM)
def test_violates__what_an_accuser_sends__always(verifier: Any, kind: str, generator: random.Random) -> None:
    case = steps.violation(kind, generator)
    assert verifier.violates(*case.arguments) is True, (case.step, case.words)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(generator=RANDOM)
def test_violates__any_falsehoods__as_in_python(verifier: Any, kind: str, generator: random.Random) -> None:
    steps.check_case(verifier, steps.random_case(kind, generator))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2, deadline=None)
@given(generator=RANDOM)
def test_violates__unsound_evidence__reverts(verifier: Any, kind: str, generator: random.Random) -> None:
    case = steps.honest_case(kind, generator)
    if case.violated is None:
        return
    steps.check_unsound(verifier, case, generator)
