"""Dot products by lanes equal those by definition, at the ends of what bytes can hold and one digit at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest

from tests.suite.deployment import deploy
from tests.unit.contracts.step_verifiers.linear_cases import padded_bytes, reverse_lanes

BIAS = 1 << 31
FUNCTIONS = {"dot_long": 12, "dot_short": 4, "dot_word": 1}  # words of digits that each takes


@pytest.fixture(scope="module")
def lanes() -> Any:
    return deploy("mocks/LaneArithmeticHarness.vy")


def words(data: bytes) -> list[int] | int:
    """As an array of words, or the word if there is one."""
    numbers = [int.from_bytes(data[i : i + 32], "big") for i in range(0, len(data), 32)]
    return numbers if len(numbers) > 1 else numbers[0]


def dot(lanes: Any, name: str, high: Sequence[int], low: Sequence[int], weights: Sequence[int]) -> int:
    arguments = [words(padded_bytes(digits)) for digits in (high, low)]
    result: int = getattr(lanes, name)(*arguments, words(reverse_lanes(padded_bytes(weights))))
    return result - BIAS


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("high", "low", "weight"), product((-128, 127), repeat=3))
def test_dot__extreme_digits(lanes: Any, name: str, high: int, low: int, weight: int) -> None:
    count = 32 * FUNCTIONS[name]
    result = dot(lanes, name, [high] * count, [low] * count, [weight] * count)
    assert result == count * (256 * high + low) * weight


@pytest.mark.parametrize("name", FUNCTIONS)
def test_dot__alternating_signs(lanes: Any, name: str) -> None:
    """Lanes below the top one that are as negative as they can be take nothing from it, and none gets into another."""
    count = 32 * FUNCTIONS[name]
    for period in (2, 4, 8, 32):
        high = [-128 if i % period < period // 2 else 127 for i in range(count)]
        weights = [127 if i % period < period // 2 else -128 for i in range(count)]
        for signs in ((high, weights), (weights, high), (high, high)):
            expected = sum((256 * h - 128) * w for h, w in zip(*signs, strict=True))
            assert dot(lanes, name, signs[0], [-128] * count, signs[1]) == expected


def test_dot_word__every_place_meets_its_own(lanes: Any) -> None:
    """Digit i of a word is multiplied by weight i and by no other."""
    for place, other in product(range(32), repeat=2):
        high, low, weights = ([int(i == at) for i in range(32)] for at in (place, place, other))
        assert dot(lanes, "dot_word", high, low, weights) == (257 if place == other else 0)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_dot__every_word_counts_once(lanes: Any, name: str) -> None:
    for word in range(FUNCTIONS[name]):
        digits = [int(i == 32 * word + 5) for i in range(32 * FUNCTIONS[name])]
        assert dot(lanes, name, digits, [0] * len(digits), [-3 * digit for digit in digits]) == -768


@pytest.mark.parametrize("name", FUNCTIONS)
def test_dot__zeros(lanes: Any, name: str) -> None:
    zeros = [0] * (32 * FUNCTIONS[name])
    assert dot(lanes, name, zeros, zeros, [-128] * len(zeros)) == 0
    assert dot(lanes, name, [-128] * len(zeros), [127] * len(zeros), zeros) == 0
