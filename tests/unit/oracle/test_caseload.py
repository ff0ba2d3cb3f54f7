"""Which jobs a member judges, when, and at whose word: one committee of four, one draw, one clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from oracle.caseload import FIRST_SUBSTITUTE_SHARE, LAST_SUBSTITUTE_SHARE, UNDRAWN_SHARE, Caseload, called_at
from oracle.committee_view import CommitteeView
from proofmill.chain import Job, JobState, Outcome, Report, ReportHead, StageFlag, Verdict
from proofmill.chain.types import address
from proofmill.sampling import Draw, Reason
from tests.unit.oracle.conftest import EVALUATION_WINDOW, NOW, Committee, account, build_committee

ARBITER = address("0x" + "ab" * 20)
CONTESTED = JobState.SUBMITTED | StageFlag.CONTESTED << 4
FIRST_JUDGE, SECOND_JUDGE, FIRST_SUBSTITUTE, LAST_SUBSTITUTE = 2, 0, 3, 1  # seats
SAMPLED = Draw(Reason.DRAWN, 30_000, (FIRST_JUDGE, SECOND_JUDGE, FIRST_SUBSTITUTE, LAST_SUBSTITUTE), 2)
NOT_SAMPLED = Draw(Reason.NOT_DRAWN, 30_000, (), 2)
FIRST_CALL = NOW + EVALUATION_WINDOW // FIRST_SUBSTITUTE_SHARE
ALL_CALLED = NOW + EVALUATION_WINDOW // LAST_SUBSTITUTE_SHARE


@dataclass
class KnownDraws:
    """`Sampling` whose beacon a test has chosen."""

    draws: dict[int, Draw] = field(default_factory=dict)

    def refresh(self, view: CommitteeView) -> None:
        """They are known."""

    def draw_of(self, job: Job) -> Draw | None:
        return self.draws.get(job.id)


@pytest.fixture(scope="module")
def committee(tmp_path_factory: pytest.TempPathFactory) -> Committee:
    """Only its view is used here, so one is enough."""
    return build_committee(tmp_path_factory.mktemp("committee"))


@pytest.fixture
def exact_job(submitted_job: Callable[..., Job]) -> Callable[..., Job]:
    def build(job_id: int = 1, stage: int = JobState.SUBMITTED) -> Job:
        job = submitted_job(job_id)
        return replace(job, terms=replace(job.terms, arbiter=ARBITER), stage=stage)

    return build


def caseload(seat: int, draw: Draw | None, jobs: tuple[int, ...] = (1,)) -> Caseload:
    known = {} if draw is None else dict.fromkeys(jobs, draw)
    return Caseload(account(seat).address, KnownDraws(known))  # type: ignore[arg-type]  # the same two methods


def seen_at(committee: Committee, now: int, *jobs: Job, challengeable: tuple[Job, ...] = ()) -> CommitteeView:
    return replace(
        committee.view,
        stamp=replace(committee.view.stamp, timestamp=now),
        submitted={job.id: job for job in jobs},
        challengeable={job.id: job for job in challengeable},
    )


def waits_for(seat: int, draw: Draw | None, view: CommitteeView) -> bool:
    return bool(caseload(seat, draw).queues(view).waiting)


@pytest.mark.parametrize("seat", [FIRST_JUDGE, SECOND_JUDGE])
def test_queues__drawn_member__judges_at_once(
    committee: Committee, exact_job: Callable[..., Job], seat: int
) -> None:
    assert waits_for(seat, SAMPLED, seen_at(committee, NOW, exact_job()))


@pytest.mark.parametrize("seat", range(4))
def test_queues__job_that_is_not_drawn__is_left_to_silence_by_everybody(
    committee: Committee, exact_job: Callable[..., Job], seat: int
) -> None:
    assert not waits_for(seat, NOT_SAMPLED, seen_at(committee, NOW + EVALUATION_WINDOW - 1, exact_job()))


@pytest.mark.parametrize("draw", [NOT_SAMPLED, SAMPLED, None])
def test_queues__job_without_arbiter__is_judged_by_everybody(
    committee: Committee, submitted_job: Callable[..., Job], draw: Draw | None
) -> None:
    """Of such a job silence refunds the requester, and the worker has worked for nothing."""
    view = seen_at(committee, NOW, submitted_job())
    assert all(waits_for(seat, draw, view) for seat in range(4))


def test_queues__silent_judges__substitutes_come_one_after_the_other_in_the_order_of_the_draw(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    first, second = (called_at(SAMPLED, seat, exact_job()) for seat in (FIRST_SUBSTITUTE, LAST_SUBSTITUTE))
    assert first == FIRST_CALL
    assert second is not None
    assert FIRST_CALL < second < ALL_CALLED
    assert not waits_for(FIRST_SUBSTITUTE, SAMPLED, seen_at(committee, FIRST_CALL - 1, exact_job()))
    early = seen_at(committee, FIRST_CALL, exact_job())
    assert waits_for(FIRST_SUBSTITUTE, SAMPLED, early)
    assert not waits_for(LAST_SUBSTITUTE, SAMPLED, early)
    assert waits_for(LAST_SUBSTITUTE, SAMPLED, seen_at(committee, second, exact_job()))


def test_queues__draw_that_is_not_known__is_waited_for_and_then_done_without(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    late = NOW + EVALUATION_WINDOW // UNDRAWN_SHARE
    assert not waits_for(FIRST_JUDGE, None, seen_at(committee, late - 1, exact_job()))
    assert all(waits_for(seat, None, seen_at(committee, late, exact_job())) for seat in range(4))


def test_queues__job_whose_time_is_over__is_judged_by_nobody(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    assert not waits_for(FIRST_JUDGE, SAMPLED, seen_at(committee, NOW + EVALUATION_WINDOW, exact_job()))


@pytest.mark.parametrize(
    ("seat", "draw"),
    [(FIRST_SUBSTITUTE, SAMPLED), (FIRST_JUDGE, NOT_SAMPLED), (FIRST_JUDGE, None)],
)
def test_queues__answer_that_colluders_had_paid__is_left_to_spare_time_by_who_was_not_drawn(
    committee: Committee, exact_job: Callable[..., Job], seat: int, draw: Draw | None
) -> None:
    """Last, not never: one honest member with spare time finds the lie."""
    paid = exact_job()
    queues = caseload(seat, draw).queues(seen_at(committee, NOW, challengeable=(paid,)))
    assert (queues.challengeable, queues.spare) == ((), (paid,))


def test_queues__answer_that_colluders_had_paid__is_the_business_of_who_was_drawn(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    contested = exact_job(stage=int(CONTESTED))
    queues = caseload(FIRST_JUDGE, SAMPLED).queues(seen_at(committee, NOW, challengeable=(contested,)))
    assert (queues.challengeable, queues.spare) == ((contested,), ())


def test_queues__stranger_to_the_committee__judges_all_that_it_sees(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    stranger = caseload(9, NOT_SAMPLED)
    job, paid = exact_job(1), exact_job(2)
    queues = stranger.queues(seen_at(committee, NOW, job, challengeable=(paid,)))
    assert (queues.waiting, queues.challengeable) == ((job,), (paid,))


def test_queues__no_sampling__everybody_judges_everything(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    job, paid = exact_job(1), exact_job(2)
    queues = Caseload(account(LAST_SUBSTITUTE).address, None).queues(
        seen_at(committee, NOW, job, challengeable=(paid,))
    )
    assert (queues.waiting, queues.challengeable) == ((job,), (paid,))


# ---------------------------------------------------------------- asked for a signature
def asked_by(
    committee: Committee, leader: int, outcome: Outcome, job: Job, draw: Draw, *, now: int = NOW
) -> bool:
    """Whether the last substitute judges a job once a leader has asked it for a verdict of this kind."""
    member = caseload(LAST_SUBSTITUTE, draw)
    view = seen_at(committee, now, job)
    assert not member.queues(view).waiting
    head = ReportHead(view.config_digest, 1, now, bytes(32), view.escrow)
    report = Report(head, (Verdict(job.id, outcome, job.commitment),))
    member.note_undecided(view, leader, report, [job.id])
    return member.queues(view).waiting == (job,)


@pytest.mark.parametrize("outcome", [Outcome.REJECT, Outcome.VOID])
def test_note_undecided__judge_wants_to_take_money__everybody_judges(
    committee: Committee, exact_job: Callable[..., Job], outcome: Outcome
) -> None:
    assert asked_by(committee, FIRST_JUDGE, outcome, exact_job(), SAMPLED)


def test_note_undecided__completion__is_the_business_of_its_judges(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    assert not asked_by(committee, FIRST_JUDGE, Outcome.COMPLETE, exact_job(), SAMPLED)


def test_note_undecided__member_that_was_not_drawn__cannot_make_others_work(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    assert not asked_by(committee, FIRST_SUBSTITUTE, Outcome.REJECT, exact_job(), SAMPLED)
    assert not asked_by(committee, FIRST_JUDGE, Outcome.REJECT, exact_job(), NOT_SAMPLED)


def test_note_undecided__substitute_whose_time_has_come__may_ask(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    assert asked_by(committee, FIRST_SUBSTITUTE, Outcome.REJECT, exact_job(), SAMPLED, now=FIRST_CALL)


def test_note_undecided__another_record_than_on_chain__is_ignored(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    member, job = caseload(LAST_SUBSTITUTE, SAMPLED), exact_job()
    view = seen_at(committee, NOW, job)
    head = ReportHead(view.config_digest, 1, NOW, bytes(32), view.escrow)
    member.note_undecided(
        view, FIRST_JUDGE, Report(head, (Verdict(job.id, Outcome.REJECT, bytes(32)),)), [job.id]
    )
    assert member.queues(view).waiting == ()


def test_note_undecided__job_that_is_gone__is_forgotten(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    member, job = caseload(LAST_SUBSTITUTE, SAMPLED), exact_job()
    view = seen_at(committee, NOW, job)
    head = ReportHead(view.config_digest, 1, NOW, bytes(32), view.escrow)
    member.note_undecided(
        view, FIRST_JUDGE, Report(head, (Verdict(job.id, Outcome.REJECT, job.commitment),)), [job.id]
    )
    member.queues(seen_at(committee, NOW))
    assert member.queues(view).waiting == ()


# ---------------------------------------------------------------- companions
def test_companions__are_the_judges_and_whoever_has_been_called_since(
    committee: Committee, exact_job: Callable[..., Job]
) -> None:
    member, job = caseload(FIRST_JUDGE, SAMPLED), exact_job()
    judges = frozenset({FIRST_JUDGE, SECOND_JUDGE})
    assert member.companions(seen_at(committee, NOW, job), job) == judges
    assert member.companions(seen_at(committee, FIRST_CALL, job), job) == judges | {FIRST_SUBSTITUTE}
    assert member.companions(seen_at(committee, ALL_CALLED, job), job) == frozenset(range(4))


def test_companions__of_a_job_that_is_not_drawn__are_none(
    committee: Committee, exact_job: Callable[..., Job], submitted_job: Callable[..., Job]
) -> None:
    view = seen_at(committee, NOW)
    assert caseload(0, NOT_SAMPLED).companions(view, exact_job()) == frozenset()
    assert caseload(0, NOT_SAMPLED).companions(view, submitted_job()) is None, "all judge it"
    assert caseload(0, None).companions(view, exact_job()) == frozenset({0}), (
        "who else judged it without a draw is not known"
    )
