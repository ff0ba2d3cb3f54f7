"""A report's figures follow from signed observations, whatever f members say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proofmill.chain.errors import InvalidSignature, InvalidValue
from proofmill.measuring.figures import (
    InsufficientEvidence,
    Panel,
    WindowResult,
    evidence_blob,
    measurement_of,
    result_of,
)
from proofmill.measuring.observations import Outcome, SignedObservation
from proofmill.measuring.rules import MeasuringRules
from tests.unit.measuring.conftest import MEMBERS, OPERATOR, STRANGER, Observe

EVIDENCE = b"\xee" * 32


def test_result_of__honest_members__has_the_lower_median(
    observe: Observe, panel: Panel, rules: MeasuringRules
) -> None:
    signed = [observe(member, speed) for member, speed in zip(MEMBERS, (40, 10, 30, 20), strict=True)]
    assert result_of(signed, panel, rules).operations_per_second == 20


@pytest.mark.parametrize("lie", [1, 2**96 - 1])
def test_result_of__one_liar__stays_between_honest_observations(
    observe: Observe, panel: Panel, rules: MeasuringRules, lie: int
) -> None:
    signed = [observe(MEMBERS[0], lie), observe(MEMBERS[1], 100), observe(MEMBERS[2], 110)]
    assert 100 <= result_of(signed, panel, rules).operations_per_second <= 110


def test_result_of__one_false_accusation__is_outvoted(
    observe: Observe, panel: Panel, rules: MeasuringRules
) -> None:
    signed = [observe(MEMBERS[0], 0), observe(MEMBERS[1], 100), observe(MEMBERS[2], 110)]
    assert result_of(signed, panel, rules).operations_per_second == 100


def test_result_of__one_false_excuse__is_outvoted(
    observe: Observe, panel: Panel, rules: MeasuringRules
) -> None:
    signed = [observe(MEMBERS[0], 2**90), observe(MEMBERS[1], 0), observe(MEMBERS[2], 0)]
    result = result_of(signed, panel, rules)
    assert result.has_failed
    assert (result.memory_bytes, result.picojoules_per_operation) == (0, 0)


def test_result_of__energy_that_one_member_knows__is_unknown(
    observe: Observe, panel: Panel, rules: MeasuringRules
) -> None:
    signed = [
        observe(MEMBERS[0], 5, picojoules_per_operation=1),
        *(observe(member, 5) for member in MEMBERS[1:3]),
    ]
    assert result_of(signed, panel, rules).picojoules_per_operation == 0


def test_result_of__energies__are_not_flattered_by_a_low_one(
    observe: Observe, panel: Panel, rules: MeasuringRules
) -> None:
    energies = (1, 700, 800, 900)
    signed = [
        observe(member, 5, picojoules_per_operation=energy)
        for member, energy in zip(MEMBERS, energies, strict=True)
    ]
    assert result_of(signed, panel, rules).picojoules_per_operation == 800


def test_result_of__too_few_members__is_refused(
    observe: Observe, panel: Panel, rules: MeasuringRules
) -> None:
    with pytest.raises(InsufficientEvidence, match="2 members observed it, 3 are needed"):
        result_of([observe(member, 5) for member in MEMBERS[:2]], panel, rules)


def test_result_of__nothing__is_refused(panel: Panel, rules: MeasuringRules) -> None:
    with pytest.raises(InsufficientEvidence, match="or there are none"):
        result_of([], panel, rules)


def test_result_of__one_member_three_times__is_refused(
    observe: Observe, panel: Panel, rules: MeasuringRules
) -> None:
    signed = [observe(MEMBERS[0], speed) for speed in (1, 2, 3)]
    with pytest.raises(InsufficientEvidence, match="a member is heard twice"):
        result_of(signed, panel, rules)


def test_result_of__a_stranger__is_refused(observe: Observe, panel: Panel, rules: MeasuringRules) -> None:
    signed = [observe(member, 5) for member in (*MEMBERS[:2], STRANGER)]
    with pytest.raises(InsufficientEvidence, match="is no member"):
        result_of(signed, panel, rules)


@pytest.mark.parametrize(
    "change",
    [
        {"window": 8},
        {"beacon": b"\x01" * 32},
        {"operator": "0x" + "0c" * 20},
        {"device_id": b"\x02" * 32},
        {"config_digest": b"\x03" * 32},
        {"rules_digest": b"\x04" * 32},
    ],
)
def test_result_of__observations_of_different_things__are_refused(
    observe: Observe, panel: Panel, rules: MeasuringRules, change: dict[str, object]
) -> None:
    signed = [observe(MEMBERS[0], 5, **change), *(observe(member, 5) for member in MEMBERS[1:3])]
    with pytest.raises(InsufficientEvidence, match="are mixed"):
        result_of(signed, panel, rules)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config_digest": b"\x03" * 32}, "another configuration"),
        ({"rules_digest": b"\x04" * 32}, "other rules"),
    ],
)
def test_result_of__observations_for_others__are_refused(
    observe: Observe, panel: Panel, rules: MeasuringRules, change: dict[str, object], reason: str
) -> None:
    signed = [observe(member, 5, **change) for member in MEMBERS]
    with pytest.raises(InsufficientEvidence, match=reason):
        result_of(signed, panel, rules)


def test_result_of__figure_altered_after_signing__is_refused(
    observe: Observe, panel: Panel, rules: MeasuringRules
) -> None:
    honest = [observe(member, 5) for member in MEMBERS[:3]]
    altered = replace(honest[0].observation, operations_per_second=500)
    with pytest.raises((InsufficientEvidence, InvalidSignature)):
        result_of([SignedObservation(altered, honest[0].signature), *honest[1:]], panel, rules)


def test_measurement_of__a_good_window__expires_after_the_lifetime(rules: MeasuringRules) -> None:
    measurement = measurement_of([window_result(7, 100)], rules, EVIDENCE)
    assert measurement.operations_per_second == 100
    assert measurement.expires_at == measurement.observed_at + rules.lifetime_seconds
    assert measurement.evidence_hash == EVIDENCE


def test_measurement_of__three_failures_in_a_row__withdraw(rules: MeasuringRules) -> None:
    measurement = measurement_of([window_result(number, 0) for number in (5, 6, 7)], rules, EVIDENCE)
    assert measurement.operations_per_second == 0


@pytest.mark.parametrize("windows", [(7,), (6, 7), (4, 6, 7), (5, 7, 6)])
def test_measurement_of__fewer_failures_in_a_row__withdraw_nothing(
    rules: MeasuringRules, windows: tuple[int, ...]
) -> None:
    with pytest.raises(InsufficientEvidence, match=r"in a row|not in consecutive"):
        measurement_of([window_result(number, 0) for number in windows], rules, EVIDENCE)


def test_measurement_of__failures_with_a_success_between__withdraw_nothing(rules: MeasuringRules) -> None:
    results = [window_result(5, 0), window_result(6, 9), window_result(7, 0)]
    with pytest.raises(InsufficientEvidence, match="in a row"):
        measurement_of(results, rules, EVIDENCE)


def test_measurement_of__failures_of_another_device__are_refused(rules: MeasuringRules) -> None:
    other = replace(window_result(5, 0), device_id=b"\x01" * 32)
    with pytest.raises(InsufficientEvidence, match="different devices"):
        measurement_of([other, window_result(6, 0), window_result(7, 0)], rules, EVIDENCE)


def test_evidence_blob__same_observations__same_bytes(observe: Observe) -> None:
    signed = [observe(member, 5) for member in MEMBERS]
    assert evidence_blob([signed]) == evidence_blob([list(signed)])
    assert evidence_blob([signed]) != evidence_blob([signed[:3]])


@pytest.mark.parametrize(("outcome", "speed"), [(Outcome.MEASURED, 0), (Outcome.LATE, 5)])
def test_observation__speed_without_measurement__is_refused(
    observe: Observe, outcome: Outcome, speed: int
) -> None:
    with pytest.raises(InvalidValue, match="operations per second"):
        observe(MEMBERS[0], speed, outcome=outcome)


def window_result(number: int, speed: int) -> WindowResult:
    return WindowResult(number, OPERATOR, b"\xde" * 32, 1, speed, 1 << 30, 0, 1_700_000_000)
