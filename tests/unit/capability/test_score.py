"""Scores and classes."""

from __future__ import annotations

from fractions import Fraction

import pytest

from proofmill.capability.errors import InvalidChallenge
from proofmill.capability.score import (
    counted_round_trip,
    lasts_long_enough,
    operations_per_second,
    picojoules_per_operation,
)
from proofmill.capability.sizes import (
    CLASSES,
    DURATION_SECONDS,
    LONGEST_ROUND_TRIP_SECONDS,
    class_by_speed,
    device_class,
)

SECOND = 10**9


@pytest.mark.parametrize(
    ("echoes", "counted"),
    [([], 0), ([7], 7), ([9, 5, 8], 5), ([SECOND, 2 * SECOND], SECOND // 5), ([SECOND, 3], 3)],
    ids=["none", "one", "least", "delayed echoes win a tenth", "one honest echo is enough"],
)
def test_counted_round_trip__least_echo_capped(echoes: list[int], counted: int) -> None:
    assert counted_round_trip(2 * SECOND, echoes) == counted


def test_operations_per_second__takes_the_round_trip_off_and_rounds_down() -> None:
    assert operations_per_second(1000, 2 * SECOND, []) == 500
    assert operations_per_second(1000, SECOND + 100, [100]) == 1000
    assert operations_per_second(999, 2 * SECOND, []) == 499


def test_operations_per_second__echoes_delayed_at_will__gain_a_ninth_at_most() -> None:
    honest = operations_per_second(10**15, SECOND, [0])
    assert operations_per_second(10**15, SECOND, [SECOND]) <= honest * 10 // 9 + 1


@pytest.mark.parametrize(("elapsed", "echoes"), [(0, [1]), (-5, []), (10, [-1])])
def test_operations_per_second__clock_went_back__is_refused(elapsed: int, echoes: list[int]) -> None:
    with pytest.raises(InvalidChallenge):
        operations_per_second(1, elapsed, echoes)


def test_picojoules__idle_power_is_taken_off() -> None:
    # 500 J in a second of which 100 W are idle, for 10^12 operations: 400 pJ each.
    assert picojoules_per_operation(10**12, 500_000, 100_000, SECOND) == 400
    assert picojoules_per_operation(3, 1, 0, 1) == Fraction(10**9, 3)
    assert picojoules_per_operation(10**12, 50_000, 100_000, SECOND) == 0
    with pytest.raises(InvalidChallenge):
        picojoules_per_operation(10**12, -1, 0, SECOND)


def test_lasts_long_enough__ten_round_trips() -> None:
    assert lasts_long_enough(100, [10, 50])
    assert not lasts_long_enough(99, [10, 50])
    assert not lasts_long_enough(100, [])


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.name)
def test_classes__at_their_expected_speed__last_two_to_three_seconds(one: object) -> None:
    found = device_class(one.name)  # type: ignore[attr-defined]
    seconds = found.parameters.operations / found.operations_per_second
    assert 2 <= seconds <= 3
    assert seconds >= 0.8 * DURATION_SECONDS
    assert LONGEST_ROUND_TRIP_SECONDS * 10 == DURATION_SECONDS


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.name)
def test_memory_parameters__of_a_claim__fill_85_percent_in_whole_blocks(one: object) -> None:
    found = device_class(one.name)  # type: ignore[attr-defined]
    claim = 16 << 30
    parameters = found.memory_parameters(claim)
    assert 0 <= claim * 85 // 100 - parameters.memory_bytes < found.block_size**2
    assert parameters.steps >= 8 * parameters.blocks


def test_memory_parameters__claims_without_sense__are_refused() -> None:
    for claim in (0, 1, 1 << 60):
        with pytest.raises(InvalidChallenge):
            CLASSES[-1].memory_parameters(claim)


def test_class_by_speed__goes_by_what_was_measured() -> None:
    assert class_by_speed(0) is CLASSES[0]
    assert class_by_speed(10**12) is CLASSES[0]
    for one in CLASSES:
        assert class_by_speed(one.operations_per_second).operations_per_second >= one.operations_per_second
    assert class_by_speed(10**18).name == "h100"


def test_device_class__unknown__lists_the_known() -> None:
    with pytest.raises(InvalidChallenge, match="abacus"):
        device_class("abacus")
