"""The conversation of a committee in which each job has its own judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oracle.caseload import Caseload
from proofmill.chain import Job, Outcome
from proofmill.chain.types import address
from proofmill.sampling import Draw, Reason
from tests.unit.oracle.conftest import Committee, account, build_committee
from tests.unit.oracle.test_caseload import KnownDraws

ARBITER = address("0x" + "ab" * 20)
LEADER, OTHER_JUDGE, FIRST_UNDRAWN, SECOND_UNDRAWN = 1, 3, 0, 2  # seats; sequence 1 is member 1's
FOR_BOTH = Draw(Reason.DRAWN, 30_000, (LEADER, OTHER_JUDGE, FIRST_UNDRAWN, SECOND_UNDRAWN), 2)
FOR_ANOTHER_PAIR = Draw(Reason.DRAWN, 30_000, (LEADER, SECOND_UNDRAWN, FIRST_UNDRAWN, OTHER_JUDGE), 2)
NOT_SAMPLED = Draw(Reason.NOT_DRAWN, 30_000, (), 2)
DRAWS = {1: FOR_BOTH, 2: FOR_ANOTHER_PAIR, 3: FOR_BOTH, 4: NOT_SAMPLED}


@pytest.fixture
def caseloads() -> list[Caseload]:
    return [Caseload(account(index).address, KnownDraws(DRAWS)) for index in range(4)]  # type: ignore[arg-type]


@pytest.fixture
def committee(tmp_path: Path, caseloads: list[Caseload]) -> Committee:
    return build_committee(tmp_path, caseload_of=caseloads.__getitem__)


@pytest.fixture
def exact_job(submitted_job: Callable[..., Job]) -> Callable[..., Job]:
    def build(job_id: int) -> Job:
        job = submitted_job(job_id)
        return replace(job, terms=replace(job.terms, arbiter=ARBITER))

    return build


def judges_find(committee: Committee, *jobs: Job, outcome: Outcome = Outcome.COMPLETE) -> None:
    for job in jobs:
        for seat in DRAWS[job.id].judges:
            committee.members[seat].finds(job, outcome)


def attested_jobs(committee: Committee, seat: int) -> list[int]:
    """What the report holds that this member leads and transmits."""
    committee.members[seat].rounds.lead()
    committee.members[seat].rounds.relay()
    return [
        verdict.job_id for sent in committee.members[seat].transmitted for verdict in sent.report.verdicts
    ]


def test_lead__completions_of_different_judges__travel_apart(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    """In one report nobody but the leader could sign both."""
    jobs = [exact_job(number) for number in (1, 2, 3)]
    judges_find(committee, *jobs)
    committee.sees(*jobs)
    assert attested_jobs(committee, LEADER) == [1, 3]
    committee.sees(jobs[1], latest_sequence=4)
    assert attested_jobs(committee, LEADER) == [1, 3, 2]


def test_lead__finding_about_a_job_that_is_not_sampled__is_kept_to_oneself(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    """It was judged while it was contested, say. Nobody else has computed it, so it would hold up what they have."""
    jobs = [exact_job(number) for number in (1, 4)]
    judges_find(committee, jobs[0])
    committee.members[LEADER].finds(jobs[1])
    committee.sees(jobs[1])
    assert attested_jobs(committee, LEADER) == []
    assert committee.members[LEADER].ballots.proposal(committee.view.config_digest, 1) is None
    committee.sees(*jobs)
    assert attested_jobs(committee, LEADER) == [1]


def test_endorse__completion__does_not_make_the_undrawn_judge(
    committee: Committee, exact_job: Callable[..., Job], caseloads: list[Caseload]
) -> None:
    job = exact_job(1)
    committee.members[LEADER].finds(job)  # the other judge is slow
    committee.sees(job)
    assert attested_jobs(committee, LEADER) == []
    assert [bool(one.queues(committee.view).waiting) for one in caseloads] == [False, True, False, True]


def test_endorse__rejection__the_undrawn_judge_it_and_then_sign_what_they_found(
    committee: Committee, exact_job: Callable[..., Job], caseloads: list[Caseload]
) -> None:
    job = exact_job(1)
    judges_find(committee, job, outcome=Outcome.REJECT)
    committee.sees(job)
    assert attested_jobs(committee, LEADER) == [], "two of the three signatures"
    for seat in (FIRST_UNDRAWN, SECOND_UNDRAWN):
        assert caseloads[seat].queues(committee.view).waiting == (job,)
    committee.members[FIRST_UNDRAWN].finds(job, Outcome.REJECT)
    assert attested_jobs(committee, LEADER) == [1]
