"""Reports, proposals and attested reports as members make them, for the tests of the conversation."""

from oracle.evidence import evidence_blob
from oracle.messages import AttestedReport, Proposal, ReportMessage, SignatureMessage
from proofmill.chain import Job, Outcome, Report, ReportHead, sign_report
from proofmill.store import content_id
from tests.unit.oracle.conftest import (
    CHAIN_ID,
    COMMITTEE,
    CONFIG_DIGEST,
    ESCROW,
    NOW,
    Committee,
    Member,
)


def proposal_of(committee: Committee, leader: Member, report: Report) -> Proposal:
    """`report` signed by `leader`, honest or not."""
    signature = sign_report(report, leader.account, CHAIN_ID, COMMITTEE)
    return Proposal(report=ReportMessage.of(report), signature=SignatureMessage.of(signature))


def report_on(leader: Member, *jobs: Job, sequence: int = 1, observed_at: int = NOW) -> Report:
    """The report that an honest leader with findings on `jobs` would make."""
    findings = [leader.ballots.finding(job.escrow, job.id, job.commitment) for job in jobs]
    known = [finding for finding in findings if finding is not None]
    assert len(known) == len(jobs)
    head = ReportHead(
        config_digest=CONFIG_DIGEST,
        sequence=sequence,
        observed_at=observed_at,
        evidence_hash=content_id(evidence_blob(known)),
        target=ESCROW,
    )
    return Report(head, tuple(finding.verdict for finding in known))


def all_find(committee: Committee, *jobs: Job, outcome: Outcome = Outcome.COMPLETE) -> None:
    for member in committee.members:
        for job in jobs:
            member.finds(job, outcome)


def attested_by(committee: Committee, job: Job) -> AttestedReport:
    all_find(committee, job)
    committee.sees(job)
    leader = committee.leader_of(1)
    leader.rounds.lead()
    leader.rounds.relay()
    return leader.transmitted[0]


def attested_and_held_back(committee: Committee, *jobs: Job) -> AttestedReport:
    """The report of leader 1 with its quorum, handed to everybody and not relayed by anybody."""
    all_find(committee, *jobs)
    committee.sees(*jobs)
    committee.leader_of(1).rounds.lead()
    attested = committee.leader_of(2).ballots.attested(CONFIG_DIGEST, 1)
    assert attested is not None
    return attested
