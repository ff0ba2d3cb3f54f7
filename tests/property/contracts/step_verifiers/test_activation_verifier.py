"""Any step against any trace, honest or not: the contract says what the judgement in Python says."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofmill.exact.ops import tabulated
from tests.suite.deployment import deploy
from tests.suite.steps import check_case, check_unsound, honest_case, random_case, violation

KINDS = ("gelu", "gated_silu")
ARGUMENTS = st.one_of(st.integers(-(1 << 20), 1 << 20), st.integers(-(1 << 27), 1 << 27))
quickly = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("ActivationVerifier.vy")


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/TraceGeometryHarness.vy")


@given(ARGUMENTS)
@settings(quickly, max_examples=40)
def test_functions__are_those_of_the_definition(harness: Any, x: int) -> None:
    assert harness.phi(x) == int(tabulated.normal_distribution(torch.tensor(x)))
    assert harness.sigma(x) == int(tabulated.logistic(torch.tensor(x)))


@pytest.mark.parametrize("kind", KINDS)
@given(st.randoms(use_true_random=False))
@quickly
def test_violates__is_the_judgement(verifier: Any, kind: str, generator: random.Random) -> None:
    for make in (random_case, violation, honest_case):
        check_case(verifier, make(kind, generator))


@pytest.mark.parametrize("kind", KINDS)
@given(st.randoms(use_true_random=False))
@settings(quickly, max_examples=3)
def test_violates__unsound_evidence_reverts(verifier: Any, kind: str, generator: random.Random) -> None:
    check_unsound(verifier, violation(kind, generator), generator)
