"""Every reason to leave a job alone, one by one: the job below is taken, each change makes it refused."""

from dataclasses import replace

import pytest

from proofmill.chain import Job, JobState, JobTerms, Rates, Schedule, StageFlag
from proofmill.chain.records import STATE_BITS
from proofmill.chain.types import EMPTY_ADDRESS, address
from proofmill.deterrence import BOND_MULTIPLE
from worker.config import WorkerSettings
from worker.policy import Circumstances, Policy

NOW = 1_800_000_000
OPERATOR = address("0x" + "a1" * 20)
COMMITTEE = address("0x" + "c0" * 20)
STRANGER = address("0x" + "dd" * 20)
MILL = address("0x" + "70" * 20)
DOLLAR = address("0x" + "d0" * 20)
MODEL = bytes([7]) * 32

POLICY = Policy(
    minimum_prices={MILL: 10, DOLLAR: 3},
    maximum_bond_bps=30_000,
    minimum_submit_window=60,
    minimum_evaluation_window=600,
    request_bytes_per_second=100,
)

CIRCUMSTANCES = Circumstances(
    operator=OPERATOR,
    committee=COMMITTEE,
    block_time=NOW,
    bond_room=25,
    largest_bond=25,
    insolvent_tokens=frozenset(),
    tier=2,
    model_ids=frozenset({MODEL}),
)

TERMS = JobTerms(
    requester=address("0x" + "b2" * 20),
    provider=EMPTY_ADDRESS,
    evaluator=COMMITTEE,
    arbiter=EMPTY_ADDRESS,
    payment_token=MILL,
    callback=EMPTY_ADDRESS,
    request_hash=bytes(32),
    price_floor=10,
    price_ceiling=10,
    bond=25,
    schedule=replace(
        Schedule.unpack(0),
        posted_at=NOW - 10,
        claim_deadline=NOW + 300,
        submit_window=60,
        evaluation_window=600,
    ),
    rates=replace(Rates.unpack(0), ceiling_in_stake=10, tier=2),
)

JOB = Job(
    id=1,
    escrow=address("0x" + "e5" * 20),
    terms=TERMS,
    model_id=MODEL,
    input_root=bytes(32),
    posted_block=1,
    stage=int(JobState.FUNDED),
    deadline=NOW + 300,
    commitment=bytes(32),
)


def objection(job: Job = JOB, now: Circumstances = CIRCUMSTANCES, policy: Policy = POLICY) -> str:
    found = policy.objection(job, now)
    assert found is not None
    return found


def with_terms(**changes: object) -> Job:
    """The job with other terms; names of the schedule and the rates reach into them."""
    schedule = {name: value for name, value in changes.items() if name in Schedule.__dataclass_fields__}
    rates = {name: value for name, value in changes.items() if name in Rates.__dataclass_fields__}
    rest = {name: value for name, value in changes.items() if name not in {**schedule, **rates}}
    terms = replace(
        TERMS,
        schedule=replace(TERMS.schedule, **schedule),  # type: ignore[arg-type]
        rates=replace(TERMS.rates, **rates),  # type: ignore[arg-type]
        **rest,  # type: ignore[arg-type]
    )
    return replace(JOB, terms=terms)


def test_objection__sound_job__none() -> None:
    assert POLICY.objection(JOB, CIRCUMSTANCES) is None


def test_objection__default_bond_of_a_client_and_default_settings__none() -> None:
    policy = replace(POLICY, maximum_bond_bps=WorkerSettings.model_fields["maximum_bond_bps"].default)
    bond = BOND_MULTIPLE * TERMS.price_ceiling
    now = replace(CIRCUMSTANCES, bond_room=bond, largest_bond=bond)
    assert policy.objection(with_terms(bond=bond), now) is None


def test_objection__reserved_for_this_operator__none() -> None:
    assert POLICY.objection(with_terms(provider=OPERATOR), CIRCUMSTANCES) is None


def test_objection__paid_in_another_token_that_is_taken__none() -> None:
    job = with_terms(payment_token=DOLLAR, price_floor=3, price_ceiling=3)
    assert POLICY.objection(job, CIRCUMSTANCES) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"provider": STRANGER}, "reserved"),
        ({"evaluator": STRANGER}, "not the committee"),
        ({"payment_token": STRANGER}, "not taken here"),
        ({"price_floor": 9, "price_ceiling": 9}, "below the minimum"),
        ({"bond": 26}, "exceeds 25"),
        ({"bond": 31}, "bps of the price"),
        ({"ceiling_in_stake": 8}, "bps of the price"),
        ({"claim_deadline": NOW}, "deadline has passed"),
        ({"submit_window": 59}, "to submit is less than the minimum"),
        ({"evaluation_window": 599}, "to judge is less than the minimum"),
        ({"tier": 3}, "wants tier 3, this operator has tier 2"),
    ],
)
def test_objection__terms_with_one_thing_wrong__names_it(change: dict[str, object], words: str) -> None:
    assert words in objection(with_terms(**change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stage": int(JobState.SUBMITTED)}, "not open"),
        ({"stage": JobState.FUNDED | StageFlag.CLAIMED << STATE_BITS}, "not open"),
        ({"is_known": False}, "not those that the chain keeps"),
        ({"model_id": bytes(32)}, "not served"),
    ],
)
def test_objection__job_that_is_not_to_be_had__names_it(change: dict[str, object], words: str) -> None:
    assert words in objection(replace(JOB, **change))  # type: ignore[arg-type]


# ------------------------------------------------------------------ money
def test_objection__escrow_cannot_pay__names_it() -> None:
    now = replace(CIRCUMSTANCES, insolvent_tokens=frozenset({MILL}))
    assert "holds less than it owes" in objection(now=now)


def test_objection__price_still_below_the_minimum__waits_and_says_until_when() -> None:
    """The words do not change while the price rises: they are logged once."""
    rising = with_terms(price_floor=0, price_ceiling=20, ramp=100, posted_at=NOW)
    words = {objection(rising, replace(CIRCUMSTANCES, block_time=NOW + passed)) for passed in (0, 10, 49)}
    assert words == {f"its price reaches the minimum 10 at {NOW + 50}"}
    assert POLICY.objection(rising, replace(CIRCUMSTANCES, block_time=NOW + 50)) is None


def test_objection__ceiling_below_the_minimum__never_pays() -> None:
    assert "below the minimum" in objection(
        with_terms(price_floor=0, price_ceiling=9, ramp=100, posted_at=NOW)
    )


def test_objection__stake_is_bound_by_open_jobs__says_what_to_do() -> None:
    words = objection(now=replace(CIRCUMSTANCES, bond_room=24, largest_bond=24))
    assert "exceeds 24, what open jobs" in words
    assert "proofmill stake add" in words
    assert "wait until open jobs are settled" in words


def test_objection__bond_too_large_for_this_stake__says_what_to_do() -> None:
    words = objection(now=replace(CIRCUMSTANCES, bond_room=100, largest_bond=24))
    assert "the most that one job may bind" in words
    assert "proofmill stake add" in words


# ------------------------------------------------------------------ size
def test_objection_to_size__request_that_just_fits__none() -> None:
    assert POLICY.objection_to_size(JOB, 6_000) is None


def test_objection_to_size__request_that_cannot_be_computed_in_time__names_it() -> None:
    """Else a requester could collect the late penalty of every worker with one long request and a short window."""
    objection = POLICY.objection_to_size(JOB, 6_001)
    assert objection is not None
    assert "may take 61 s" in objection
