"""Every bit of what an accusation opens counts: with one flipped it opens nothing, or accuses another operator."""

from __future__ import annotations

import random
from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.suite.deployment import deploy
from tests.suite.steps import Scene, random_step
from tests.unit.contracts.step_verifiers.test_op_verifier import TRUE, Case, answering, case_of

HASHES = ("descriptor_hash", "output_root", "first_root", "second_root")
PATHS = ("descriptor_path", "output_path", "first_path", "second_path")
KINDS = st.sampled_from(["linear", "add", "softmax", "mix", "quantise", "embedding", "choose"])


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("OpVerifier.vy", *answering([TRUE] * 6))


def flip(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(32, "big")


def some_case(kind: str, generator: random.Random) -> Case:
    scene = Scene.of(kind, generator)
    return case_of(scene, random_step(scene, generator))


@settings(max_examples=20, deadline=None)
@given(kind=KINDS, seed=st.integers(0, 1 << 30), bit=st.integers(0, 255))
def test_violates__every_bit_counts(verifier: Any, kind: str, seed: int, bit: int) -> None:
    generator = random.Random(seed)
    case = some_case(kind, generator)
    assert verifier.violates(*case.call)
    accused = case.accusation
    for name in HASHES:
        with boa.reverts():
            verifier.violates(*case.accusing(**{name: flip(getattr(accused, name), bit)}).call)
    for name in PATHS:
        path = list(getattr(accused, name))
        if path:
            place = generator.randrange(len(path))
            path[place] = flip(path[place], bit)
            with boa.reverts():
                verifier.violates(*case.accusing(**{name: path}).call)
    for name in ("number", "first_number", "second_number"):
        with boa.reverts():
            verifier.violates(*case.accusing(**{name: getattr(accused, name) ^ 1 << bit}).call)
    for name in ("program_root", "trace_root"):
        with boa.reverts():
            verifier.violates(*case.tracing(**{name: flip(getattr(case.trace, name), bit)}).call)
