"""Steps of pools and choices: the contract says what the judgement in Python says, whatever the leaves hold."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import ops
from proofmill.exact.trace.checks.arithmetic import gumbel
from tests.suite.deployment import deploy
from tests.suite.steps import check_case, check_unsound, honest_case, random_case, violation

KINDS = st.sampled_from(["max_pool", "average_pool", "choose"])
GENERATORS = st.randoms(use_true_random=False)
WORDS = st.integers(0, 2**64 - 1)
SEEDS = st.one_of(st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]), WORDS)


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("SelectionVerifier.vy")


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/GumbelHarness.vy")


@given(KINDS, GENERATORS)
@settings(max_examples=15, deadline=None)
def test_violates__never_for_an_honest_trace(verifier: Any, kind: str, generator: random.Random) -> None:
    check_case(verifier, honest_case(kind, generator))


@given(KINDS, GENERATORS)
@settings(max_examples=15, deadline=None)
def test_violates__whatever_an_accuser_finds(verifier: Any, kind: str, generator: random.Random) -> None:
    case = violation(kind, generator)
    assert verifier.violates(*case.arguments) is True, (case.step, case.words)


@given(KINDS, GENERATORS)
@settings(max_examples=30, deadline=None)
def test_violates__as_the_judgement_says(verifier: Any, kind: str, generator: random.Random) -> None:
    check_case(verifier, random_case(kind, generator))


@given(KINDS, GENERATORS)
@settings(max_examples=5, deadline=None)
def test_violates__unsound_evidence_reverts(verifier: Any, kind: str, generator: random.Random) -> None:
    check_unsound(verifier, violation(kind, generator), generator)


@given(SEEDS, st.integers(0, 2**32 - 1), st.integers(0, 2**18))
@settings(max_examples=25, deadline=None)
def test_draw__as_defined(harness: Any, seed: int, position: int, token: int) -> None:
    bits = harness.draw(seed, position, token)
    defined = ops.random_bits(seed, torch.tensor([position]), torch.tensor([token]))
    assert bits == int(defined) % 2**64
    assert harness.variates((bits, bits)) == [gumbel(seed, position, token)] * 2


@given(st.integers(0, 63), WORDS, st.booleans())
@settings(max_examples=25, deadline=None)
def test_variates__as_defined_in_every_octave(harness: Any, zeros: int, word: int, is_lower: bool) -> None:
    tail = is_lower << 63
    below = word & (1 << 63) - 1
    for bits in (tail | below >> zeros, tail | (1 << 63 - zeros) - 1 & (1 << 63) - 1, tail | 1 << zeros % 63):
        signed = bits - (1 << 64) if bits >> 63 else bits
        defined = int(ops.gumbel(torch.tensor([signed])))
        assert harness.variates((bits, bits ^ 1)) == [defined, _defined(bits ^ 1)]


def _defined(bits: int) -> int:
    return int(ops.gumbel(torch.tensor([bits - (1 << 64) if bits >> 63 else bits])))
