"""Any leaf, well formed or not, is read as Python reads it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofmill.exact.trace.checks import arithmetic
from tests.suite.deployment import deploy
from tests.suite.steps import limits
from tests.unit.contracts.step_verifiers.test_leaf_codec import CODES, encoded, is_malformed

quickly = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/TraceGeometryHarness.vy")


@given(st.sampled_from(sorted(CODES)), st.integers(3, 150), st.randoms(use_true_random=False))
@quickly
def test_is_malformed__is_what_no_encoder_makes(
    harness: Any, name: str, count: int, generator: random.Random
) -> None:
    code, codec = CODES[name]
    values = [generator.randint(*limits(codec, at)) for at in range(count)]
    leaf = bytearray(encoded(codec, values))
    assert codec.decode(bytes(leaf), count) == values
    assert harness.is_malformed(code, count, bytes(leaf)) is False
    for _ in range(generator.randrange(1, 4)):
        leaf[generator.choice((-1, 0, generator.randrange(len(leaf))))] = generator.choice(
            (0, 1, 127, 128, 255)
        )
    assert harness.is_malformed(code, count, bytes(leaf)) is is_malformed(codec, count, bytes(leaf))


@given(st.sampled_from(["digits", "reversed_digits"]), st.randoms(use_true_random=False))
@quickly
def test_is_malformed__any_digits(harness: Any, name: str, generator: random.Random) -> None:
    code, codec = CODES[name]
    data = bytes(generator.choice((0, 127, 128, 129, 255)) for _ in range(128))
    assert harness.is_malformed(code, 64, data) is is_malformed(codec, 64, data)
    high = np.frombuffer(data[:64], dtype=np.int8).tolist()
    low = np.frombuffer(data[64:], dtype=np.int8).tolist()
    below = any(hi == -128 and lo < 0 for hi, lo in zip(high, low, strict=True))
    assert is_malformed(codec, 64, data) is below


@given(st.sampled_from(["integers", "fields"]), st.integers(1, 200), st.randoms(use_true_random=False))
@quickly
def test_integer_and_field__read_what_was_written(
    harness: Any, name: str, count: int, generator: random.Random
) -> None:
    _, codec = CODES[name]
    values = [generator.randint(*limits(codec, at)) for at in range(count)]
    at = generator.randrange(count)
    read = harness.integer if name == "integers" else harness.field
    assert read(encoded(codec, values), at) == values[at]


@given(st.integers(-(1 << 127), 1 << 127), st.integers(0, 62))
@quickly
def test_arithmetic__is_that_of_the_definition(harness: Any, x: int, shift: int) -> None:
    assert harness.rounding_shift(x, shift) == arithmetic.rounding_shift(x, shift)
    assert harness.saturate(x) == arithmetic.saturate(x)
    assert harness.bit_length(x) == x.bit_length()
