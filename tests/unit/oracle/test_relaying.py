"""Who carries an attested report to the chain, and which reports nobody takes."""

from collections.abc import Callable

import pytest

from oracle.endorsing import Refusal
from oracle.messages import AttestedReport
from proofmill.chain import Job
from tests.unit.oracle.conftest import (
    NOW,
    Committee,
)
from tests.unit.oracle.reports import all_find, attested_and_held_back, attested_by, proposal_of, report_on

JobFactory = Callable[..., Job]


def test_relay__leader_dies_after_handing_over__others_follow_by_rank(
    committee: Committee, submitted_job: JobFactory, clock: Callable[[float], None]
) -> None:
    attested_by(committee, submitted_job())
    second, third = committee.leader_of(2), committee.leader_of(3)
    clock(5)
    second.rounds.relay()
    assert second.transmitted == []
    clock(7)
    second.rounds.relay()
    third.rounds.relay()
    assert (len(second.transmitted), len(third.transmitted)) == (1, 0)
    clock(13)
    third.rounds.relay()
    assert len(third.transmitted) == 1


def test_relay__report_is_on_chain__nobody_repeats_it(
    committee: Committee, submitted_job: JobFactory, clock: Callable[[float], None]
) -> None:
    attested_by(committee, submitted_job())
    committee.sees(latest_sequence=1)
    clock(100)
    second = committee.leader_of(2)
    second.rounds.relay()
    assert second.transmitted == []


def test_accept_attested__signatures_below_the_quorum__is_refused(
    committee: Committee, submitted_job: JobFactory
) -> None:
    attested = attested_by(committee, submitted_job())
    lonely = attested.model_copy(update={"signers": 2, "signatures": attested.signatures[-1:]})
    with pytest.raises(Refusal) as refusal:
        committee.members[3].rounds.accept_attested(lonely)
    assert refusal.value.code == "signatures"


def test_accept_attested__bitmask_names_others__is_refused(
    committee: Committee, submitted_job: JobFactory
) -> None:
    attested = attested_by(committee, submitted_job())
    for signers in (0b1100, 0b110000, 0b11):
        if signers == attested.signers:
            continue
        with pytest.raises(Refusal) as refusal:
            committee.members[3].rounds.accept_attested(attested.model_copy(update={"signers": signers}))
        assert refusal.value.code == "signatures"


def test_accept_attested__report_changed_after_signing__is_refused(
    committee: Committee, submitted_job: JobFactory
) -> None:
    attested = attested_by(committee, submitted_job())
    changed = attested.model_copy(
        update={"report": attested.report.model_copy(update={"observed_at": attested.report.observed_at + 1})}
    )
    with pytest.raises(Refusal) as refusal:
        committee.members[3].rounds.accept_attested(changed)
    assert refusal.value.code == "signatures"


def test_relay__report_grew_too_old__does_not_hold_up_later_ones(
    committee: Committee, submitted_job: JobFactory, clock: Callable[[float], None]
) -> None:
    """A leader that holds its attested report back until it is too old must not stop the committee."""
    job = submitted_job(evaluation_window=7_200)
    attested_and_held_back(committee, job)
    committee.later(3_601)
    clock(3_601)
    successor = committee.leader_of(2)
    successor.rounds.lead()
    successor.rounds.relay()
    assert [attested.report.sequence for attested in successor.transmitted] == [2]


def test_relay__one_of_its_jobs_is_settled__does_not_hold_up_later_ones(
    committee: Committee, submitted_job: JobFactory, clock: Callable[[float], None]
) -> None:
    settled, waiting = submitted_job(1), submitted_job(2)
    attested_and_held_back(committee, settled, waiting)
    committee.sees(waiting, block_time=NOW + 30)
    clock(30)
    successor = committee.leader_of(2)
    successor.rounds.lead()
    successor.rounds.relay()
    assert [verdict.job_id for verdict in successor.transmitted[0].report.verdicts] == [2]


def test_relay__report_from_the_future__waits_for_its_time(
    committee: Committee, submitted_job: JobFactory, clock: Callable[[float], None]
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    leader, signer = committee.leader_of(1), committee.members[0]
    report = report_on(leader, job, observed_at=NOW + 60)
    proposal = proposal_of(committee, leader, report)
    endorsement = signer.rounds.endorse(proposal)
    attested = AttestedReport(
        report=proposal.report, signers=0b11, signatures=[endorsement.signature, proposal.signature]
    )
    signer.rounds.accept_attested(attested)
    clock(100)
    signer.rounds.relay()
    assert signer.transmitted == []
    committee.later(60)
    signer.rounds.relay()
    assert signer.transmitted == [attested]


def test_accept_attested__chain_is_past_it__is_refused(
    committee: Committee, submitted_job: JobFactory
) -> None:
    job = submitted_job()
    attested = attested_and_held_back(committee, job)
    committee.sees(job, latest_sequence=1)
    with pytest.raises(Refusal) as refusal:
        committee.members[3].rounds.accept_attested(attested)
    assert refusal.value.code == "sequence"


def test_accept_attested__too_old_for_the_contract__is_refused(
    committee: Committee, submitted_job: JobFactory
) -> None:
    attested = attested_and_held_back(committee, submitted_job())
    committee.later(3_601)
    with pytest.raises(Refusal) as refusal:
        committee.members[3].rounds.accept_attested(attested)
    assert refusal.value.code == "age"
