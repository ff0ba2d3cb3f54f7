"""The verification policy: known bits, known rates, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from proofmill.sampling import (
    BOUNDS,
    PARTS,
    InvalidPolicy,
    OperatorHistory,
    Reason,
    SamplingPolicy,
    SubmittedJob,
)

BEACON = bytes(range(32))
COMMITMENT = bytes(range(32, 64))
STAKE = 1_000 * 10**18
POLICY = SamplingPolicy()
NEW = OperatorHistory(finished_jobs=49, clean_jobs=49)
PROVEN = OperatorHistory(finished_jobs=1_000, clean_jobs=1_000)


def job(job_id: int = 7, value: int = STAKE // 20, stake: int = STAKE) -> SubmittedJob:
    return SubmittedJob(job_id, COMMITMENT, value, stake)


def test_draw__fixed_inputs__the_bits_never_change() -> None:
    # Computed apart from this code. Members of all versions must agree: a change of the bits needs a new domain.
    drawn = POLICY.draw(BEACON, job(), NEW, 7)
    assert drawn.order == (3, 4, 5, 6, 2, 1, 0)
    sampled = [number for number in range(200) if POLICY.draw(BEACON, job(number), PROVEN, 7).is_sampled]
    assert sampled == [54, 106, 119, 120, 137, 146]


@pytest.mark.parametrize(
    ("clean", "rate"),
    [(0, 200_000), (1, 196_000), (2, 192_080), (3, 188_238), (50, 72_833), (93, 30_553), (94, 30_000)],
)
def test_decayed_rate__exact_power_rounded_once(clean: int, rate: int) -> None:
    assert POLICY.decayed_rate(clean) == rate


@pytest.mark.parametrize(
    "policy", [POLICY, SamplingPolicy(first_rate=PARTS, decay=999_000, floor_rate=1_000)]
)
def test_decayed_rate__every_step__is_the_fraction_rounded_down(policy: SamplingPolicy) -> None:
    for clean in [*range(120), 6_904, 6_905, 6_906, 10**30]:
        exact = (
            Fraction(policy.first_rate) * Fraction(policy.decay, PARTS) ** clean
            if clean < 10_000
            else Fraction(0)
        )
        assert policy.decayed_rate(clean) == max(policy.floor_rate, int(exact))


def test_draw__fiftieth_job__is_judged_and_the_next_is_left_to_the_beacon() -> None:
    assert POLICY.draw(BEACON, job(), NEW, 4).reason is Reason.NEW_OPERATOR
    assert POLICY.draw(BEACON, job(), OperatorHistory(50, 50), 4).reason in (Reason.DRAWN, Reason.NOT_DRAWN)


def test_draw__above_a_twentieth_of_the_stake__always_judged() -> None:
    assert POLICY.draw(BEACON, job(value=STAKE // 20 + 1), PROVEN, 4).reason is Reason.LARGE_JOB
    assert POLICY.draw(BEACON, job(value=STAKE // 20), PROVEN, 4).reason is Reason.NOT_DRAWN
    assert POLICY.draw(BEACON, job(value=1, stake=0), PROVEN, 4).is_sampled


def test_draw__after_a_fault__the_first_rate_again() -> None:
    faulted = PROVEN.after(is_clean=False)
    assert faulted == OperatorHistory(1_001, 0)
    assert POLICY.draw(BEACON, job(), faulted, 4).rate == 200_000
    assert POLICY.draw(BEACON, job(), faulted.after(is_clean=True), 4).rate == 196_000


def test_draw__not_sampled__names_nobody() -> None:
    drawn = POLICY.draw(BEACON, job(), PROVEN, 4)
    assert (drawn.is_sampled, drawn.judges, drawn.substitutes) == (False, (), ())


def test_draw__fewer_members_than_judges__all_of_them_judge() -> None:
    assert (
        SamplingPolicy(judges=5).draw(BEACON, job(), NEW, 3).judges
        == POLICY.draw(BEACON, job(), NEW, 3).order
    )


def test_beacon_block__is_no_block_whose_beacon_a_proposer_of_the_submission_knows() -> None:
    assert POLICY.beacon_block(100) == 102


def test_is_canary_due__secret_decides_at_the_rate() -> None:
    secret, other = b"s" * 32, b"t" * 32
    due = [slot for slot in range(20_000) if POLICY.is_canary_due(secret, slot)]
    assert 140 < len(due) < 260  # 200 expected, standard deviation 14
    assert due != [slot for slot in range(20_000) if POLICY.is_canary_due(other, slot)]
    assert not any(replace(POLICY, canary_rate=0).is_canary_due(secret, slot) for slot in range(1_000))


def test_is_canary_due__short_secret__refused() -> None:
    with pytest.raises(InvalidPolicy, match="too short"):
        POLICY.is_canary_due(b"s" * 31, 0)


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_policy__outside_its_bounds__refused(name: str) -> None:
    least, most = BOUNDS[name]
    for value in (least - 1, most + 1, float(most), True):
        with pytest.raises(InvalidPolicy, match=name):
            replace(SamplingPolicy(first_rate=PARTS), **{name: value})


def test_policy__floor_above_the_first_rate__refused() -> None:
    with pytest.raises(InvalidPolicy, match="above first_rate"):
        SamplingPolicy(first_rate=20_000)


@pytest.mark.parametrize(("beacon", "members"), [(b"", 4), (BEACON + b"\0", 4), (BEACON, 0), (BEACON, 32)])
def test_draw__no_beacon_or_no_committee__refused(beacon: bytes, members: int) -> None:
    with pytest.raises(InvalidPolicy):
        POLICY.draw(beacon, job(), NEW, members)


@pytest.mark.parametrize(
    "wrong",
    [{"job_id": -1}, {"job_id": 2**256}, {"commitment": b"short"}, {"value": -1}, {"slashable_stake": 0.5}],
)
def test_job__not_what_the_chain_can_hold__refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidPolicy):
        replace(job(), **wrong)  # type: ignore[arg-type]


def test_history__more_clean_jobs_than_jobs__refused() -> None:
    with pytest.raises(InvalidPolicy, match="clean jobs"):
        OperatorHistory(1, 2)
