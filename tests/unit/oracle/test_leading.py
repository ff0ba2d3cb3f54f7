"""What a leader proposes, gathers and gives up."""

from collections.abc import Callable

import pytest

from oracle.messages import MAXIMUM_MESSAGE_BYTES, MAXIMUM_SIGNATURES
from proofmill.chain import Job, Outcome
from proofmill.chain.reports import MAXIMUM_VERDICTS
from proofmill.chain.typed_data import recover_signer
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.store import StoreFull
from tests.unit.oracle.conftest import (
    CHAIN_ID,
    COMMITTEE,
    CONFIG_DIGEST,
    NOW,
    Committee,
)
from tests.unit.oracle.reports import all_find

JobFactory = Callable[..., Job]


def test_lead__all_agree__completion_needs_two_signatures(
    committee: Committee, submitted_job: JobFactory
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    leader = committee.leader_of(1)
    leader.rounds.lead()
    leader.rounds.relay()
    [attested] = leader.transmitted
    assert attested.signers.bit_count() == 2
    assert len(attested.signatures) == 2
    report = attested.report.report()
    indices = [index for index in range(4) if attested.signers >> index & 1]
    for index, signature in zip(indices, attested.signatures, strict=True):
        signer = recover_signer(report, signature.signature(), CHAIN_ID, COMMITTEE)
        assert signer == committee.members[index].account.address


def test_lead__rejection__needs_three_signatures(committee: Committee, submitted_job: JobFactory) -> None:
    job = submitted_job()
    all_find(committee, job, outcome=Outcome.REJECT)
    committee.sees(job)
    leader = committee.leader_of(1)
    leader.rounds.lead()
    leader.rounds.relay()
    assert leader.transmitted[0].signers.bit_count() == 3


def test_lead__not_the_leader__says_nothing(committee: Committee, submitted_job: JobFactory) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    for member in committee.others(committee.leader_of(1)):
        member.rounds.lead()
        member.rounds.relay()
        assert member.transmitted == []


def test_lead__dead_leader__the_next_takes_over_after_the_patience(
    committee: Committee, submitted_job: JobFactory
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    successor = committee.leader_of(2)
    successor.rounds.lead()
    successor.rounds.relay()
    assert successor.transmitted == []
    committee.later(20)
    successor.rounds.lead()
    successor.rounds.relay()
    assert successor.transmitted[0].report.sequence == 2


def test_lead__one_member_asleep__rejection_still_reaches_its_quorum(
    committee: Committee, submitted_job: JobFactory
) -> None:
    job = submitted_job()
    all_find(committee, job, outcome=Outcome.REJECT)
    committee.sees(job)
    leader = committee.leader_of(1)
    leader.peers.asleep = {committee.others(leader)[0].operator}
    leader.rounds.lead()
    leader.rounds.relay()
    assert len(leader.transmitted) == 1


def test_lead__two_members_asleep__rejection_waits_and_is_proposed_again(
    committee: Committee, submitted_job: JobFactory
) -> None:
    job = submitted_job()
    all_find(committee, job, outcome=Outcome.REJECT)
    committee.sees(job)
    leader = committee.leader_of(1)
    leader.peers.asleep = {member.operator for member in committee.others(leader)[:2]}
    leader.rounds.lead()
    leader.rounds.relay()
    assert leader.transmitted == []
    leader.peers.asleep = set()
    leader.rounds.lead()
    leader.rounds.relay()
    assert leader.transmitted[0].report.sequence == 1


def test_lead__several_jobs__travel_in_one_report(committee: Committee, submitted_job: JobFactory) -> None:
    jobs = [submitted_job(number) for number in (1, 2, 3)]
    all_find(committee, *jobs)
    committee.sees(*jobs)
    leader = committee.leader_of(1)
    leader.rounds.lead()
    leader.rounds.relay()
    assert [verdict.job_id for verdict in leader.transmitted[0].report.verdicts] == [1, 2, 3]


def test_lead__contested_job__does_not_hold_up_the_others(
    committee: Committee, submitted_job: JobFactory
) -> None:
    """A leader whose own verdict on job 1 is wrong is refused; its next report leaves that job out."""
    disputed, calm = submitted_job(1), submitted_job(2)
    leader = committee.leader_of(1)
    leader.finds(disputed)
    leader.finds(calm)
    for member in committee.others(leader):
        member.finds(disputed, Outcome.REJECT)
        member.finds(calm)
    committee.sees(disputed, calm)
    leader.rounds.lead()  # refused by all
    leader.rounds.lead()  # given up
    committee.later(4 * 20)  # the leader's next sequence is open
    leader.rounds.lead()
    leader.rounds.relay()
    [attested] = leader.transmitted
    assert attested.report.sequence == 5
    assert [verdict.job_id for verdict in attested.report.verdicts] == [2]


def test_lead__crash_between_signing_and_keeping__sequence_is_lost_and_no_second_report_signed(
    committee: Committee, submitted_job: JobFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    leader = committee.leader_of(1)
    with monkeypatch.context() as patch:

        def crash(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(leader.ballots, "keep_proposal", crash)
        with pytest.raises(KeyboardInterrupt):
            leader.rounds.lead()
    committee.later(1)  # the report would now have another observation time
    leader.rounds.lead()
    leader.rounds.relay()
    assert leader.transmitted == []
    committee.later(4 * 20)
    leader.rounds.lead()
    leader.rounds.relay()
    assert leader.transmitted[0].report.sequence == 5


def test_lead__settled_meanwhile__proposal_is_given_up(
    committee: Committee, submitted_job: JobFactory
) -> None:
    first, second = submitted_job(1), submitted_job(2)
    leader = committee.leader_of(1)
    leader.finds(first)
    committee.sees(first)
    leader.rounds.lead()  # nobody else has a verdict yet
    all_find(committee, second)
    committee.sees(second)
    leader.rounds.lead()
    assert leader.ballots.highest_abandoned(CONFIG_DIGEST) == 1


def test_lead__job_past_its_deadline__is_not_reported(
    committee: Committee, submitted_job: JobFactory
) -> None:
    job = submitted_job(submitted_at=NOW - 1_200)
    all_find(committee, job)
    committee.sees(job)
    for member in committee.members:
        member.rounds.lead()
        member.rounds.relay()
        assert member.transmitted == []


def test_lead__every_leader_has_an_attested_report_that_is_too_old__the_committee_goes_on(
    committee: Committee, submitted_job: JobFactory, clock: Callable[[float], None]
) -> None:
    """After an hour in which nothing could be sent (fees, an empty account) no leader may be stuck with its own report."""
    job = submitted_job(evaluation_window=36_000)
    all_find(committee, job)
    committee.sees(job)
    committee.later(60)
    for member in committee.members:
        member.rounds.lead()
    assert all(committee.members[0].ballots.attested(CONFIG_DIGEST, sequence) for sequence in (1, 2, 3, 4))
    committee.later(3_601)
    clock(3_601)
    for _ in range(2):  # given up, then led anew
        for member in committee.members:
            member.rounds.lead()
            member.rounds.relay()
    relayed = [attested.report for member in committee.members for attested in member.transmitted]
    assert relayed
    assert all(report.observed_at > NOW + 3_600 for report in relayed)


def test_lead__rejection_without_its_quorum__does_not_hold_up_completions(
    committee: Committee, submitted_job: JobFactory
) -> None:
    """With two members away completions still reach f + 1, so a lie among them must not ask for 2f + 1."""
    lie, honest = submitted_job(1), submitted_job(2)
    all_find(committee, lie, outcome=Outcome.REJECT)
    all_find(committee, honest)
    committee.sees(lie, honest)
    leader = committee.leader_of(1)
    leader.peers.asleep = {member.operator for member in committee.others(leader)[:2]}
    leader.rounds.lead()
    leader.rounds.relay()
    assert [verdict.job_id for verdict in leader.transmitted[0].report.verdicts] == [2]


def test_lead__completions_keep_coming__rejection_has_its_turn(
    committee: Committee, submitted_job: JobFactory
) -> None:
    lie = submitted_job(1)
    all_find(committee, lie, outcome=Outcome.REJECT)
    reported: list[int] = []
    for sequence in range(1, 10):
        fresh = submitted_job(100 + sequence)
        all_find(committee, fresh)
        committee.sees(lie, fresh, latest_sequence=sequence - 1)
        leader = committee.leader_of(sequence)
        leader.rounds.lead()
        leader.rounds.relay()
        reported += [verdict.job_id for verdict in leader.transmitted[-1].report.verdicts]
    assert 1 in reported


def test_lead__f_members_dispute_everything__jobs_do_not_travel_alone(
    committee: Committee, submitted_job: JobFactory
) -> None:
    """One liar and one sleeper: the quorum fails this once, and what one liar says is no reason to split the report."""
    jobs = [submitted_job(number) for number in (1, 2)]
    leader = committee.leader_of(1)
    liar, *sleepers = committee.others(leader)
    for member in committee.members:
        for job in jobs:
            member.finds(job, Outcome.REJECT if member is liar else Outcome.COMPLETE)
    committee.sees(*jobs)
    leader.peers.asleep = {member.operator for member in sleepers}
    leader.rounds.lead()
    leader.peers.asleep = set()
    leader.rounds.lead()
    leader.rounds.relay()
    assert [verdict.job_id for verdict in leader.transmitted[0].report.verdicts] == [1, 2]


def test_lead__store_has_no_room__verdicts_do_not_wait_for_it(
    committee: Committee, submitted_job: JobFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    leader = committee.leader_of(1)

    def full(*_: object, **__: object) -> bytes:
        raise StoreFull("no room", remedy="none: this is a test")

    monkeypatch.setattr(leader.rounds._store, "put", full)
    leader.rounds.lead()
    leader.rounds.relay()
    assert len(leader.transmitted) == 1


@pytest.mark.parametrize("outcome", [Outcome.REJECT, Outcome.VOID])
def test_lead__verdict_that_takes_money__needs_three_signatures(
    committee: Committee, submitted_job: JobFactory, outcome: Outcome
) -> None:
    job = submitted_job()
    all_find(committee, job, outcome=outcome)
    committee.sees(job)
    leader = committee.leader_of(1)
    leader.rounds.lead()
    leader.rounds.relay()
    [attested] = leader.transmitted
    assert attested.signers.bit_count() == 3
    assert [verdict.outcome for verdict in attested.report.verdicts] == [int(outcome)]


def test_lead__member_was_ejected__the_rest_goes_on_without_it(
    committee: Committee, submitted_job: JobFactory
) -> None:
    """Its place stays and nobody can sign for it; three of four still reach every quorum."""
    job = submitted_job()
    all_find(committee, job, outcome=Outcome.REJECT)
    ejected = committee.leader_of(2)
    keys = tuple(
        EMPTY_ADDRESS if member is ejected else member.account.address for member in committee.members
    )
    committee.sees(job, keys=keys)
    leader = committee.leader_of(1)
    leader.rounds.lead()
    leader.rounds.relay()
    [attested] = leader.transmitted
    assert attested.signers == 0b1111 & ~(1 << committee.members.index(ejected))
    committee.later(20)
    ejected.rounds.lead()
    ejected.rounds.relay()
    assert ejected.transmitted == []


def test_lead__report_as_full_as_it_may_be__fits_a_message(
    committee: Committee, submitted_job: JobFactory
) -> None:
    jobs = [submitted_job(2**48 + number) for number in range(MAXIMUM_VERDICTS + 1)]
    all_find(committee, *jobs)
    committee.sees(*jobs)
    leader = committee.leader_of(1)
    leader.rounds.lead()
    leader.rounds.relay()
    [attested] = leader.transmitted
    assert len(attested.report.verdicts) == MAXIMUM_VERDICTS
    [signature, *_] = attested.signatures
    largest = attested.model_copy(
        update={"signers": (1 << 31) - 1, "signatures": [signature] * MAXIMUM_SIGNATURES}
    )
    assert len(largest.model_dump_json()) < MAXIMUM_MESSAGE_BYTES // 2
