"""Which of the jobs in sight are this member's to judge, in what order of importance, and from when on.

    a submitted job without an arbiter          always: silence would refund its requester
    one that the beacon has not drawn           never: silence pays its worker, and anyone may challenge
    one whose judges include this member        at once
    one that it is a substitute for             once nobody has brought a verdict for so long: the first after a sixteenth of the
                                                evaluation window, the last before a quarter of it, one after the other
    one that a judge wants to reject or void    as soon as that judge asks for the signature: it takes 2f + 1
    one whose draw is not known                 after a quarter of its evaluation window

    contested, appealed, or paid by a report    at once if this member was drawn, in spare time if not: lies that colluders have
                                                attested are found by any honest member that has some

A member outside of the committee judges whatever it sees.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from eth_typing import ChecksumAddress

from oracle.committee_view import CommitteeView
from oracle.judge import Case, case_of
from oracle.sampling import Sampling, is_drawn_at_all
from proofmill.chain import Job
from proofmill.chain.reports import Outcome, Report
from proofmill.sampling import Draw

FIRST_SUBSTITUTE_SHARE: Final = 16  # of the evaluation window: when the first substitute takes over
LAST_SUBSTITUTE_SHARE: Final = 4  # until when the last one has
UNDRAWN_SHARE: Final = 4  # from when on a job is judged although its draw is not known

Companions = frozenset[int] | None  # seats
NOBODY: Final[Companions] = frozenset()


@dataclass(frozen=True)
class Queues:
    """Jobs to judge: a verdict is waited for; the answer can only be challenged any more; whatever else there is time for."""

    waiting: tuple[Job, ...] = ()
    challengeable: tuple[Job, ...] = ()
    spare: tuple[Job, ...] = ()


def called_at(draw: Draw, seat: int, job: Job) -> int | None:
    """From when on (unix time) a member has to judge a submitted job that still has no verdict; None: not at all."""
    if seat not in draw.order:  # nobody is drawn for it, or the committee has grown since
        return None
    if seat in draw.judges:
        return job.submitted_at
    window = job.terms.schedule.evaluation_window
    first, last = window // FIRST_SUBSTITUTE_SHARE, window // LAST_SUBSTITUTE_SHARE
    place = draw.substitutes.index(seat)
    return job.submitted_at + first + (last - first) * place // len(draw.substitutes)


class Caseload:
    """One member's share of the work. `queues` is for one thread, the other methods for any.

    Args:
        key: what the member signs with.
        sampling: None where everything is judged.
    """

    def __init__(self, key: ChecksumAddress, sampling: Sampling | None) -> None:
        self._key = key
        self._sampling = sampling
        self._asked: set[Case] = set()
        self._lock = threading.Lock()
        self._drawn_for: object = None

    def queues(self, view: CommitteeView) -> Queues:
        """What to judge now."""
        submitted = [job for job in view.submitted.values() if job.deadline > view.block_time]
        challengeable = tuple(view.challengeable.values())
        seat = view.seat(self._key)
        if self._sampling is None or seat is None:
            return Queues(tuple(submitted), challengeable)
        if self._drawn_for is not view:
            self._sampling.refresh(view)
            self._drawn_for = view
        with self._lock:
            self._asked &= {case_of(job) for job in view.submitted.values()}
            asked = frozenset(self._asked)
        own = {job.id for job in challengeable if self._is_judge(seat, job)}
        return Queues(
            waiting=tuple(job for job in submitted if self._is_due(job, seat, asked, view.block_time)),
            challengeable=tuple(job for job in challengeable if job.id in own),
            spare=tuple(job for job in challengeable if job.id not in own),
        )

    def note_undecided(
        self, view: CommitteeView, leader: int, report: Report, undecided: Collection[int]
    ) -> None:
        """A leader wants this member's signature for verdicts that it has not computed.

        Only where they take money, which needs more signatures than there are judges, and only from a member whose turn it is to
        judge the job: nobody else can make the whole committee work.
        """
        if self._sampling is None:
            return
        asked: set[Case] = set()
        for verdict in report.verdicts:
            job = view.open_job(verdict)
            if job is None or job.id not in undecided or verdict.outcome is Outcome.COMPLETE:
                continue
            draw = self._sampling.draw_of(job)
            due = None if draw is None else called_at(draw, leader, job)
            if due is not None and due <= view.block_time:
                asked.add(case_of(job))
        with self._lock:
            self._asked |= asked

    def companions(self, view: CommitteeView, job: Job) -> Companions:
        """Who is to have a finding on a submitted job by now.

        A report needs members who have computed all that is in it, so jobs that share one have the same companions; a job
        without any is in none. None stands for all members; where the draw is not known, this one can speak for itself only.
        """
        seat = view.seat(self._key)
        if self._sampling is None or seat is None or not is_drawn_at_all(job):
            return None
        draw = self._sampling.draw_of(job)
        if draw is None:
            return frozenset({seat})
        due = ((seat, called_at(draw, seat, job)) for seat in draw.order)
        return frozenset(seat for seat, when in due if when is not None and when <= view.block_time)

    def _is_due(self, job: Job, seat: int, asked: Collection[Case], now: int) -> bool:
        if not is_drawn_at_all(job) or case_of(job) in asked:
            return True
        assert self._sampling is not None
        draw = self._sampling.draw_of(job)
        if draw is None:
            return now >= job.submitted_at + job.terms.schedule.evaluation_window // UNDRAWN_SHARE
        due = called_at(draw, seat, job)
        return due is not None and now >= due

    def _is_judge(self, seat: int, job: Job) -> bool:
        if not is_drawn_at_all(job):
            return True
        assert self._sampling is not None
        draw = self._sampling.draw_of(job)
        return draw is not None and draw.is_sampled and seat in draw.judges
