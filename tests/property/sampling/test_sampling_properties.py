"""The verification policy under random inputs: agreement, fairness, and that nobody can choose for itself."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofmill.sampling import (
    MAXIMUM_MEMBERS,
    PARTS,
    Draw,
    OperatorHistory,
    Reason,
    SamplingPolicy,
    SubmittedJob,
    _uniform,
)

words = st.binary(min_size=32, max_size=32)
amounts = st.integers(0, 2**96 - 1)
jobs = st.builds(SubmittedJob, st.integers(0, 2**48 - 1), words, amounts, amounts)
histories = st.integers(0, 5_000).flatmap(
    lambda finished: st.builds(OperatorHistory, st.just(finished), st.integers(0, finished))
)
policies = st.builds(
    SamplingPolicy,
    new_operator_jobs=st.integers(0, 200),
    first_rate=st.integers(500_000, PARTS),
    decay=st.integers(500_000, 999_000),
    floor_rate=st.integers(1_000, 500_000),
    large_job_divisor=st.integers(1, 1_000),
    judges=st.integers(1, 5),
)
sizes = st.integers(1, MAXIMUM_MEMBERS)
quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
PROVEN = OperatorHistory(1_000, 1_000)
SMALL = 10**18
LARGE_STAKE = 10**24
SEEDED = np.random.default_rng(20_260_701)


def beacons(count: int) -> list[bytes]:
    return [SEEDED.bytes(32) for _ in range(count)]


def chi_square_bound(degrees: int) -> float:
    """Wilson and Hilferty's approximation of the quantile at five standard deviations (3e-7)."""
    return float(degrees * (1 - 2 / (9 * degrees) + 5 * (2 / (9 * degrees)) ** 0.5) ** 3)


def chi_square(counts: list[int], expected: float) -> float:
    return sum((count - expected) ** 2 / expected for count in counts)


@quick
@given(policies, words, jobs, histories, sizes)
def test_draw__all_members__the_same_bits(
    policy: SamplingPolicy, beacon: bytes, job: SubmittedJob, history: OperatorHistory, members: int
) -> None:
    copies = [
        replace(policy).draw(bytearray(beacon)[:], replace(job), replace(history), members) for _ in range(2)
    ]
    assert copies[0] == copies[1] == policy.draw(beacon, job, history, members)


def test_draw__in_another_process_with_another_hash_seed__the_same_bits() -> None:
    program = (
        "from proofmill.sampling import *\n"
        "p = SamplingPolicy()\n"
        "for i in range(300):\n"
        "    d = p.draw(i.to_bytes(32, 'big'), SubmittedJob(i, bytes(32), 1, 10**6), OperatorHistory(60, 10), 13)\n"
        "    print(d.reason.name, d.rate, *d.order)\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    [output] = outputs
    assert output.count(b"\n") == 300


@quick
@given(policies, words, jobs, histories, sizes)
def test_draw__judges_are_different_members_and_substitutes_the_others(
    policy: SamplingPolicy, beacon: bytes, job: SubmittedJob, history: OperatorHistory, members: int
) -> None:
    drawn = policy.draw(beacon, job, history, members)
    assert drawn.is_sampled == bool(drawn.judges)
    if drawn.is_sampled:
        assert len(drawn.judges) == min(policy.judges, members)
        assert sorted(drawn.judges + drawn.substitutes) == list(range(members))


@quick
@given(policies, words, jobs, histories, sizes)
def test_draw__new_operators_and_large_jobs__always_judged(
    policy: SamplingPolicy, beacon: bytes, job: SubmittedJob, history: OperatorHistory, members: int
) -> None:
    drawn = policy.draw(beacon, job, history, members)
    if history.finished_jobs < policy.new_operator_jobs:
        assert drawn.reason is Reason.NEW_OPERATOR
    elif job.value * policy.large_job_divisor > job.slashable_stake:
        assert drawn.reason is Reason.LARGE_JOB
    else:
        assert drawn.reason in (Reason.DRAWN, Reason.NOT_DRAWN)
        assert policy.floor_rate <= drawn.rate <= policy.first_rate


# ------------------------------------------------------------------ monotony
@quick
@given(policies, histories, amounts, amounts, st.integers(0, 2**90))
def test_rate__never_falls_with_value_and_never_rises_with_clean_jobs(
    policy: SamplingPolicy, history: OperatorHistory, value: int, stake: int, more: int
) -> None:
    rate = policy.rate(history, value, stake)
    assert policy.rate(history, value + more, stake) >= rate
    assert policy.rate(history, value, stake + more) <= rate
    assert policy.rate(history.after(is_clean=True), value, stake) <= rate
    assert policy.rate(history.after(is_clean=False), value, stake) >= min(rate, policy.first_rate)


@quick
@given(policies, st.integers(0, 8_000))
def test_decayed_rate__falls_until_the_floor_and_stays(policy: SamplingPolicy, clean: int) -> None:
    before, after = policy.decayed_rate(clean), policy.decayed_rate(clean + 1)
    assert after <= before
    assert (before == policy.floor_rate) <= (after == policy.floor_rate)


@quick
@given(words, jobs, histories, st.integers(0, 300))
def test_draw__who_is_judged_at_some_rate__is_at_each_higher_one(
    beacon: bytes, job: SubmittedJob, history: OperatorHistory, fewer: int
) -> None:
    policy = SamplingPolicy()
    worse = OperatorHistory(history.finished_jobs, max(0, history.clean_jobs - fewer))
    if policy.draw(beacon, job, history, 7).is_sampled:
        assert policy.draw(beacon, job, worse, 7).is_sampled
        stricter = replace(policy, floor_rate=150_000)
        assert stricter.draw(beacon, job, history, 7).is_sampled


# ------------------------------------------------------------------ distribution, on seeded draws
def test_draw__judges__uniform_over_all_ordered_pairs() -> None:
    members, count = 7, 8_400
    new = OperatorHistory(0, 0)
    pairs = Counter(
        SamplingPolicy().draw(beacon, SubmittedJob(1, bytes(32), 1, 1), new, members).judges
        for beacon in beacons(count)
    )
    expected = count / (members * (members - 1))
    cells = [pairs[first, second] for first in range(members) for second in range(members) if first != second]
    assert sum(cells) == count  # no member twice
    assert chi_square(cells, expected) < chi_square_bound(len(cells) - 1)


def test_draw__rates__as_often_as_they_say() -> None:
    policy, count = SamplingPolicy(), 6_000
    for clean in (0, 40, 1_000):
        history = OperatorHistory(2_000, clean)
        drawn = [
            policy.draw(beacon, SubmittedJob(1, bytes(32), 1, SMALL), history, 4).is_sampled
            for beacon in beacons(count)
        ]
        rate = policy.decayed_rate(clean) / PARTS
        assert abs(sum(drawn) - count * rate) < 5 * (count * rate * (1 - rate)) ** 0.5


def test_uniform__words_that_would_prefer_low_seats__are_passed_over() -> None:
    # 2**256 = 4 (mod 6), so the four highest words would make four of the six seats likelier.
    assert _uniform(iter([2**256 - 1, 2**256 - 4, 2**256 - 5]), 6) == (2**256 - 5) % 6
    assert _uniform(iter([2**256 - 1]), 8) == 7


# ------------------------------------------------------------------ what an operator can choose before the beacon
def test_draw__grinding_the_answer__wins_nothing() -> None:
    """Whatever of many answers an operator submits, the beacon, unknown then, draws each as often as any other."""
    policy, trials = SamplingPolicy(), 1_500
    commitments = [index.to_bytes(32, "little") for index in range(8)]
    history = OperatorHistory(100, 0)  # 20 %
    drawn = np.array(
        [
            [
                policy.draw(beacon, SubmittedJob(1, commitment, 1, SMALL), history, 4).is_sampled
                for commitment in commitments
            ]
            for beacon in beacons(trials)
        ]
    )
    counts = drawn.sum(axis=0)
    expected = trials * 0.2
    assert chi_square(list(counts), expected) / 0.8 < chi_square_bound(len(commitments))
    # Pairwise independent as well: the answers' draws say nothing about each other, so nor does a better guess help.
    both = (drawn.astype(float).T @ drawn.astype(float)) / trials
    off_diagonal = both[~np.eye(len(commitments), dtype=bool)]
    assert np.all(np.abs(off_diagonal - 0.04) < 5 * (0.04 * 0.96 / trials) ** 0.5)


@quick
@given(words, jobs, jobs, histories, histories, sizes)
def test_draw__value_stake_and_history__do_not_move_the_judges(
    beacon: bytes,
    job: SubmittedJob,
    other: SubmittedJob,
    first: OperatorHistory,
    second: OperatorHistory,
    members: int,
) -> None:
    """They decide whether a job is judged, never by whom: nobody picks its judges by the size of its stake."""
    policy = SamplingPolicy()
    moved = replace(job, value=other.value, slashable_stake=other.slashable_stake)
    draws = [policy.draw(beacon, job, first, members), policy.draw(beacon, moved, second, members)]
    if all(drawn.is_sampled for drawn in draws):
        assert draws[0].order == draws[1].order


def test_draw__one_beacon__jobs_are_drawn_independently() -> None:
    """Jobs submitted in one block share a beacon: their draws must not go together."""
    policy, count = SamplingPolicy(), 4_000
    draws: list[Draw] = [
        policy.draw(bytes(32), SubmittedJob(number, bytes(32), 1, SMALL), OperatorHistory(100, 0), 4)
        for number in range(count)
    ]
    sampled = [drawn.is_sampled for drawn in draws]
    in_a_row = sum(left and right for left, right in pairwise(sampled))
    assert abs(in_a_row - count * 0.04) < 5 * (count * 0.04) ** 0.5


@quick
@given(words, words, words, st.integers(0, 2**48 - 1))
def test_draw__beacon_job_and_commitment__each_changes_the_order_of_a_large_committee(
    beacon: bytes, other: bytes, commitment: bytes, number: int
) -> None:
    policy, new = SamplingPolicy(), OperatorHistory(0, 0)
    job = SubmittedJob(number, commitment, SMALL, LARGE_STAKE)
    order = policy.draw(beacon, job, new, 31).order
    changed = [replace(job, job_id=number + 1)] + (
        [replace(job, commitment=other)] if other != commitment else []
    )
    assert all(policy.draw(beacon, each, new, 31).order != order for each in changed)
    if other != beacon:
        assert policy.draw(other, job, new, 31).order != order
