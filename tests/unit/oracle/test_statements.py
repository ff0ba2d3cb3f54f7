"""What a member keeps of what the others sign, and the proofs that follow from it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from oracle.endorsing import Refusal
from oracle.statements import KEPT_SECONDS, Statements
from proofmill.chain import Answer, Job, OpenedVerdict, Outcome, Report, ReportHead, Verdict, open_database
from proofmill.chain.reports import VERDICTS_KIND, items_hash
from proofmill.chain.types import address
from tests.unit.oracle.conftest import CONFIG_DIGEST, ESCROW, NOW, WORKER, Committee
from tests.unit.oracle.reports import all_find, proposal_of, report_on

JobFactory = Callable[..., Job]
LIAR, OTHER = address("0x" + "71" * 20), address("0x" + "72" * 20)


@pytest.fixture
def statements(tmp_path: Path) -> Statements:
    return Statements(open_database(tmp_path / "oracle.db"))


def report(*verdicts: Verdict, sequence: int = 1, observed_at: int = NOW) -> Report:
    return Report(ReportHead(CONFIG_DIGEST, sequence, observed_at, bytes(32), ESCROW), verdicts)


COMPLETE = Verdict(1, Outcome.COMPLETE, b"\1" * 32)
REJECT = Verdict(1, Outcome.REJECT, b"\1" * 32)
ANOTHER = Verdict(2, Outcome.COMPLETE, b"\2" * 32)


def test_contradictions__two_reports_under_one_number__one_proof(statements: Statements) -> None:
    first, second = report(COMPLETE), report(REJECT)
    statements.note(first, LIAR, b"one")
    statements.note(second, LIAR, b"two")
    [proof] = statements.contradictions()
    assert (proof.key, proof.config_digest, proof.sequence) == (LIAR, CONFIG_DIGEST, 1)
    found = {proof.first_hash: proof.first_signature, proof.second_hash: proof.second_signature}
    assert found == {first.hash(): b"one", second.hash(): b"two"}


def test_contradictions__same_report_again_other_number_other_member__none(statements: Statements) -> None:
    statements.note(report(COMPLETE), LIAR, b"one")
    statements.note(report(COMPLETE), LIAR, b"one again")
    statements.note(report(REJECT, sequence=2), LIAR, b"two")
    statements.note(report(REJECT), OTHER, b"three")
    assert statements.contradictions() == []


def test_note__a_thousand_reports_under_one_number__two_are_kept(statements: Statements) -> None:
    for moment in range(5):
        statements.note(report(COMPLETE, observed_at=moment), LIAR, bytes([moment]))
    assert statements.changes == 3
    assert len(statements.contradictions()) == 1


def test_on__verdict_among_others__its_signers_with_proofs(statements: Statements) -> None:
    signed = report(ANOTHER, COMPLETE)
    for key in (LIAR, OTHER):
        statements.note(signed, key, key.encode())
    statements.note(report(REJECT, sequence=2), address("0x" + "73" * 20), b"honest")
    found = statements.on(1, COMPLETE.commitment, Outcome.COMPLETE)
    assert [(each.key, each.signature) for each in found] == [(key, key.encode()) for key in (LIAR, OTHER)]
    assert statements.on(1, b"\3" * 32, Outcome.COMPLETE) == [], "another record of the job"


def test_misjudgement__place_and_items_make_the_signed_report_again(
    statements: Statements, submitted_job: JobFactory
) -> None:
    job = submitted_job()
    assert job.deliverable is not None
    opened = OpenedVerdict(
        job.id, Outcome.COMPLETE, job.terms, Answer(WORKER, job.claimed_at, job.deliverable)
    )
    signed = report(ANOTHER, opened.verdict)
    statements.note(signed, LIAR, b"signature")
    [statement] = statements.on(job.id, job.commitment, Outcome.COMPLETE)
    proof = statement.misjudgement(opened)
    assert (proof.key, proof.index, proof.signature) == (LIAR, 1, b"signature")
    assert items_hash(VERDICTS_KIND, proof.report, list(proof.items)) == signed.hash()


def test_knows__after_a_restart_and_until_it_is_old(tmp_path: Path, clock: Callable[[float], None]) -> None:
    before = Statements(open_database(tmp_path / "oracle.db"))
    before.note(report(COMPLETE), LIAR, b"one")
    clock(KEPT_SECONDS + 1)
    after = Statements(open_database(tmp_path / "oracle.db"))
    assert after.knows(CONFIG_DIGEST, 1)
    after.changes = 2_000
    after.note(report(COMPLETE, sequence=9, observed_at=NOW + 1), LIAR, b"nine")
    assert not after.knows(CONFIG_DIGEST, 1)
    assert after.knows(CONFIG_DIGEST, 9)
    assert after.on(1, COMPLETE.commitment, Outcome.COMPLETE)[0].report.head.sequence == 9


# ------------------------------------------------------------------ in the conversation
def test_endorse__leader_that_tells_two_stories__both_are_kept(
    committee: Committee, submitted_job: JobFactory
) -> None:
    first, second = submitted_job(1), submitted_job(2)
    all_find(committee, first, second)
    committee.sees(first, second)
    leader = committee.leader_of(1)
    listener = committee.others(leader)[0]
    listener.rounds.endorse(proposal_of(committee, leader, report_on(leader, first)))
    with pytest.raises(Refusal, match="is signed for"):
        listener.rounds.endorse(proposal_of(committee, leader, report_on(leader, second)))
    [proof] = listener.statements.contradictions()
    assert proof.key == leader.account.address


def test_endorse__lie_that_is_refused__its_signature_is_kept(
    committee: Committee, submitted_job: JobFactory
) -> None:
    job = submitted_job()
    leader = committee.leader_of(1)
    leader.finds(job, Outcome.COMPLETE)
    listener = committee.others(leader)[0]
    listener.finds(job, Outcome.REJECT)
    committee.sees(job)
    with pytest.raises(Refusal, match="other verdicts"):
        listener.rounds.endorse(proposal_of(committee, leader, report_on(leader, job)))
    [statement] = listener.statements.on(job.id, job.commitment, Outcome.COMPLETE)
    assert statement.key == leader.account.address


def test_endorse__signature_of_somebody_else__is_not_kept(
    committee: Committee, submitted_job: JobFactory
) -> None:
    """Whoever forges a statement must not have an honest member accused in vain, and at a cost."""
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    leader = committee.leader_of(1)
    forger, listener = committee.others(leader)[:2]
    with pytest.raises(Refusal):
        listener.rounds.endorse(proposal_of(committee, forger, report_on(leader, job)))
    assert listener.statements.on(job.id, job.commitment, Outcome.COMPLETE) == []


def test_round__attested__every_member_keeps_the_others_signatures_and_not_its_own(
    committee: Committee, submitted_job: JobFactory
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    leader = committee.leader_of(1)
    leader.rounds.lead()
    for member in committee.members:
        kept = [each.key for each in member.statements.on(job.id, job.commitment, Outcome.COMPLETE)]
        assert kept
        assert member.account.address not in kept


def test_lead__finding_has_changed_since_the_proposal__given_up(
    committee: Committee, submitted_job: JobFactory
) -> None:
    """A request that nobody had turned up: who proposed to void its job asks nobody to sign that any more."""
    job = submitted_job()
    leader = committee.leader_of(1)
    leader.finds(job, Outcome.VOID)
    committee.sees(job)
    leader.rounds.lead()
    assert leader.ballots.proposal(CONFIG_DIGEST, 1) is not None
    leader.finds(job, Outcome.COMPLETE)
    leader.rounds.lead()
    assert leader.ballots.highest_abandoned(CONFIG_DIGEST) == 1


def test_void__members_that_agree__attested_with_the_larger_quorum(
    committee: Committee, submitted_job: JobFactory
) -> None:
    job = submitted_job()
    for member in committee.members:
        member.finds(job, Outcome.VOID)
    committee.sees(job)
    leader = committee.leader_of(1)
    leader.rounds.lead()
    attested = leader.ballots.attested(CONFIG_DIGEST, 1)
    assert attested is not None
    assert attested.signers.bit_count() == 3
    assert attested.report.report().verdicts[0].outcome is Outcome.VOID
