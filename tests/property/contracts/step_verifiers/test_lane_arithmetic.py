"""Dot products by lanes of any bytes equal those by definition."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.suite.deployment import deploy
from tests.unit.contracts.step_verifiers.test_lane_arithmetic import FUNCTIONS, dot

BYTES = st.one_of(st.sampled_from([-128, 127]), st.integers(-128, 127))


@pytest.fixture(scope="module")
def lanes() -> Any:
    return deploy("mocks/LaneArithmeticHarness.vy")


@settings(max_examples=40, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(FUNCTIONS)))
def test_dot__any_digits(lanes: Any, data: st.DataObject, name: str) -> None:
    """Rows of 32 digits are drawn and repeated, so that lanes can reach their ends."""
    rows = data.draw(st.lists(st.lists(BYTES, min_size=32, max_size=32), min_size=3, max_size=3))
    high, low, weights = (row * FUNCTIONS[name] for row in rows)
    expected = sum((256 * hi + lo) * w for hi, lo, w in zip(high, low, weights, strict=True))
    assert dot(lanes, name, high, low, weights) == expected
