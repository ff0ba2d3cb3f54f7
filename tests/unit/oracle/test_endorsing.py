"""What an honest member signs, and what no dishonest leader can make it sign."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oracle.endorsing import Refusal
from proofmill.chain import Job, Outcome
from proofmill.chain.types import address
from tests.unit.oracle.conftest import (
    NOW,
    Committee,
    build_committee,
)
from tests.unit.oracle.reports import all_find, proposal_of, report_on

JobFactory = Callable[..., Job]


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
        ({"target": address("0x" + "11" * 20)}, "target"),
    ],
)
def test_endorse__report_with_one_thing_wrong__is_refused(
    committee: Committee, submitted_job: JobFactory, change: dict[str, object], code: str
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    leader = committee.leader_of(1)
    honest = report_on(leader, job)
    report = replace(honest, head=replace(honest.head, **change))  # type: ignore[arg-type]
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
    member.rounds._signer.view = None
    with pytest.raises(Refusal) as refusal:
        member.rounds.endorse(
            proposal_of(committee, committee.leader_of(1), report_on(committee.leader_of(1), job))
        )
    assert refusal.value.code == "starting"
