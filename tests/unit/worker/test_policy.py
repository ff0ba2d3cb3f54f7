"""Every reason to leave a job alone, one by one: the job below is taken, each change makes it refused."""

from dataclasses import replace

import pytest

from proofmill.chain.job_board import TrackedJob
from proofmill.chain.types import EMPTY_ADDRESS, JobState, JobTerms, address
from worker.policy import Circumstances, Policy

NOW = 1_800_000_000
OPERATOR = address("0x" + "a1" * 20)
COMMITTEE = address("0x" + "c0" * 20)
STRANGER = address("0x" + "dd" * 20)
MODEL = bytes([7]) * 32

POLICY = Policy(
    minimum_price=10,
    maximum_bond_bps=30_000,
    minimum_submit_window=60,
    minimum_evaluation_window=600,
    request_bytes_per_second=100,
)

CIRCUMSTANCES = Circumstances(
    operator=OPERATOR,
    committee=COMMITTEE,
    block_time=NOW,
    available_stake=25,
    escrowed=1_000,
    escrow_balance=1_000,
    model_ids=frozenset({MODEL}),
)

TERMS = JobTerms(
    requester=address("0x" + "b2" * 20),
    provider=EMPTY_ADDRESS,
    evaluator=COMMITTEE,
    model_id=MODEL,
    input_root=bytes(32),
    price=10,
    bond=25,
    late_penalty=1,
    claim_deadline=NOW + 300,
    submit_window=60,
    evaluation_window=600,
)

JOB = TrackedJob(
    id=1,
    escrow=address("0x" + "e5" * 20),
    terms=TERMS,
    state=JobState.FUNDED,
    provider=EMPTY_ADDRESS,
    deadline=0,
    commitment=bytes(32),
    posted_block=1,
    deliverable=None,
)


def test_objection__sound_job__none() -> None:
    assert POLICY.objection(JOB, CIRCUMSTANCES) is None


def test_objection__reserved_for_this_operator__none() -> None:
    job = replace(JOB, terms=replace(TERMS, provider=OPERATOR))
    assert POLICY.objection(job, CIRCUMSTANCES) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"provider": STRANGER}, "reserved"),
        ({"evaluator": STRANGER}, "not the committee"),
        ({"model_id": bytes(32)}, "not served"),
        ({"price": 9}, "below the minimum"),
        ({"bond": 26}, "exceeds the available stake"),
        ({"bond": 31}, "bps of the price"),
        ({"claim_deadline": NOW}, "deadline has passed"),
        ({"submit_window": 59}, "to submit is less than the minimum"),
        ({"evaluation_window": 599}, "to judge is less than the minimum"),
    ],
)
def test_objection__terms_with_one_thing_wrong__names_it(change: dict[str, object], words: str) -> None:
    objection = POLICY.objection(replace(JOB, terms=replace(TERMS, **change)), CIRCUMSTANCES)  # type: ignore[arg-type]
    assert objection is not None
    assert words in objection


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": JobState.SUBMITTED}, "not open"),
        ({"provider": STRANGER}, "not open"),
    ],
)
def test_objection__job_that_is_taken__not_open(change: dict[str, object], words: str) -> None:
    objection = POLICY.objection(replace(JOB, **change), CIRCUMSTANCES)  # type: ignore[arg-type]
    assert objection is not None
    assert words in objection


def test_objection__escrow_cannot_pay__names_it() -> None:
    objection = POLICY.objection(JOB, replace(CIRCUMSTANCES, escrow_balance=999))
    assert objection is not None
    assert "holds less than it owes" in objection


def test_objection_to_size__request_that_just_fits__none() -> None:
    assert POLICY.objection_to_size(JOB, 6_000) is None


def test_objection_to_size__request_that_cannot_be_computed_in_time__names_it() -> None:
    """Else a requester could collect the late penalty of every worker with one long request and a short window."""
    objection = POLICY.objection_to_size(JOB, 6_001)
    assert objection is not None
    assert "may take 61 s" in objection
