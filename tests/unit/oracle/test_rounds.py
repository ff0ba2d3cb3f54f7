"""What an honest member signs, leads and relays, and what no dishonest one can make it do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oracle.evidence import evidence_blob
from oracle.messages import AttestedReport, Proposal, ReportMessage, SignatureMessage
from oracle.rounds import Refusal
from proofmill.chain.job_board import TrackedJob
from proofmill.chain.typed_data import recover_signer, sign_report
from proofmill.chain.types import Outcome, Report
from proofmill.store import StoreFull, content_id
from tests.unit.oracle.conftest import (
    CHAIN_ID,
    COMMITTEE,
    CONFIG_DIGEST,
    NOW,
    Committee,
    Member,
    build_committee,
)

JobFactory = Callable[..., TrackedJob]


def proposal_of(committee: Committee, leader: Member, report: Report) -> Proposal:
    """`report` signed by `leader`, honest or not."""
    signature = sign_report(report, leader.account, CHAIN_ID, COMMITTEE)
    return Proposal(report=ReportMessage.of(report), signature=SignatureMessage.of(signature))


def report_on(leader: Member, *jobs: TrackedJob, sequence: int = 1, observed_at: int = NOW) -> Report:
    """The report that an honest leader with findings on `jobs` would make."""
    findings = [leader.ballots.finding(job.escrow, job.id, job.commitment) for job in jobs]
    known = [finding for finding in findings if finding is not None]
    assert len(known) == len(jobs)
    return Report(
        config_digest=CONFIG_DIGEST,
        sequence=sequence,
        observed_at=observed_at,
        evidence_hash=content_id(evidence_blob(known)),
        verdicts=tuple(finding.verdict for finding in known),
    )


def all_find(committee: Committee, *jobs: TrackedJob, outcome: Outcome = Outcome.COMPLETE) -> None:
    for member in committee.members:
        for job in jobs:
            member.finds(job, outcome)


# ------------------------------------------------------------------ leading
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
    leader.peers.asleep = {committee.others(leader)[0].account.address}
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
    leader.peers.asleep = {member.account.address for member in committee.others(leader)[:2]}
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


# ------------------------------------------------------------------ endorsing
def test_endorse__same_report_twice__same_signature(committee: Committee, submitted_job: JobFactory) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    leader = committee.leader_of(1)
    proposal = proposal_of(committee, leader, report_on(leader, job))
    signer = committee.others(leader)[0]
    assert signer.rounds.endorse(proposal) == signer.rounds.endorse(proposal)


def test_endorse__two_reports_for_one_sequence__second_is_refused(
    committee: Committee, submitted_job: JobFactory
) -> None:
    first, second = submitted_job(1), submitted_job(2)
    all_find(committee, first, second)
    committee.sees(first, second)
    leader = committee.leader_of(1)
    signer = committee.others(leader)[0]
    signer.rounds.endorse(proposal_of(committee, leader, report_on(leader, first)))
    with pytest.raises(Refusal) as refusal:
        signer.rounds.endorse(proposal_of(committee, leader, report_on(leader, second)))
    assert refusal.value.code == "signed"


def test_endorse__after_a_restart__remembers_what_it_signed(
    tmp_path: Path, submitted_job: JobFactory
) -> None:
    first, second = submitted_job(1), submitted_job(2)
    before = build_committee(tmp_path)
    all_find(before, first, second)
    before.sees(first, second)
    leader = before.leader_of(1)
    before.others(leader)[0].rounds.endorse(proposal_of(before, leader, report_on(leader, first)))
    after = build_committee(tmp_path)
    after.sees(first, second)
    leader = after.leader_of(1)
    with pytest.raises(Refusal) as refusal:
        after.others(leader)[0].rounds.endorse(proposal_of(after, leader, report_on(leader, second)))
    assert refusal.value.code == "signed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sequence": 2}, "leader"),
        ({"sequence": 9}, "sequence"),
        ({"sequence": 2**64 - 3}, "sequence"),
        ({"config_digest": b"\x00\x01" + b"\xff" * 30}, "config"),
        ({"observed_at": NOW - 1_801}, "age"),
        ({"observed_at": NOW + 1_801}, "age"),
        ({"evidence_hash": bytes(32)}, "evidence"),
    ],
)
def test_endorse__report_with_one_thing_wrong__is_refused(
    committee: Committee, submitted_job: JobFactory, change: dict[str, object], code: str
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    leader = committee.leader_of(1)
    report = replace(report_on(leader, job), **change)  # type: ignore[arg-type]
    with pytest.raises(Refusal) as refusal:
        committee.others(leader)[1].rounds.endorse(proposal_of(committee, leader, report))
    assert refusal.value.code == code


def test_endorse__sequence_already_on_chain__is_refused(
    committee: Committee, submitted_job: JobFactory
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job, latest_sequence=1)
    leader = committee.leader_of(1)
    with pytest.raises(Refusal) as refusal:
        committee.others(leader)[0].rounds.endorse(proposal_of(committee, leader, report_on(leader, job)))
    assert refusal.value.code == "sequence"


def test_endorse__no_own_verdict_yet__is_undecided(committee: Committee, submitted_job: JobFactory) -> None:
    job = submitted_job()
    leader = committee.leader_of(1)
    leader.finds(job)
    committee.sees(job)
    with pytest.raises(Refusal) as refusal:
        committee.others(leader)[0].rounds.endorse(proposal_of(committee, leader, report_on(leader, job)))
    assert (refusal.value.code, refusal.value.jobs) == ("undecided", (1,))


def test_endorse__leader_wants_a_wrong_answer_accepted__is_refused(
    committee: Committee, submitted_job: JobFactory
) -> None:
    job = submitted_job()
    leader = committee.leader_of(1)
    leader.finds(job, Outcome.COMPLETE)
    honest = committee.others(leader)
    for member in honest:
        member.finds(job, Outcome.REJECT)
    committee.sees(job)
    for member in honest:
        with pytest.raises(Refusal) as refusal:
            member.rounds.endorse(proposal_of(committee, leader, report_on(leader, job)))
        assert refusal.value.code == "disagree"


def test_endorse__job_resubmitted_after_a_reorganisation__old_verdict_does_not_count(
    committee: Committee, submitted_job: JobFactory
) -> None:
    before, after = submitted_job(answer=b"first answer"), submitted_job(answer=b"second answer")
    all_find(committee, before)
    leader = committee.leader_of(1)
    leader.finds(after)
    committee.sees(after)
    with pytest.raises(Refusal) as refusal:
        committee.others(leader)[0].rounds.endorse(proposal_of(committee, leader, report_on(leader, after)))
    assert refusal.value.code == "undecided"


def test_endorse__before_the_chain_was_seen__is_refused(tmp_path: Path, submitted_job: JobFactory) -> None:
    committee = build_committee(tmp_path)
    job = submitted_job()
    all_find(committee, job)
    member = committee.others(committee.leader_of(1))[0]
    member.rounds._view = None
    with pytest.raises(Refusal) as refusal:
        member.rounds.endorse(
            proposal_of(committee, committee.leader_of(1), report_on(committee.leader_of(1), job))
        )
    assert refusal.value.code == "starting"


# ------------------------------------------------------------------ relaying
def attested_by(committee: Committee, job: TrackedJob) -> AttestedReport:
    all_find(committee, job)
    committee.sees(job)
    leader = committee.leader_of(1)
    leader.rounds.lead()
    leader.rounds.relay()
    return leader.transmitted[0]


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


# ------------------------------------------------------------------ a report that can no longer be relayed
def attested_and_held_back(committee: Committee, *jobs: TrackedJob) -> AttestedReport:
    """The report of leader 1 with its quorum, handed to everybody and not relayed by anybody."""
    all_find(committee, *jobs)
    committee.sees(*jobs)
    committee.leader_of(1).rounds.lead()
    attested = committee.leader_of(2).ballots.attested(CONFIG_DIGEST, 1)
    assert attested is not None
    return attested


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


# ------------------------------------------------------------------ nobody is held up
def test_lead__rejection_without_its_quorum__does_not_hold_up_completions(
    committee: Committee, submitted_job: JobFactory
) -> None:
    """With two members away completions still reach f + 1, so a lie among them must not ask for 2f + 1."""
    lie, honest = submitted_job(1), submitted_job(2)
    all_find(committee, lie, outcome=Outcome.REJECT)
    all_find(committee, honest)
    committee.sees(lie, honest)
    leader = committee.leader_of(1)
    leader.peers.asleep = {member.account.address for member in committee.others(leader)[:2]}
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
    leader.peers.asleep = {member.account.address for member in sleepers}
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
