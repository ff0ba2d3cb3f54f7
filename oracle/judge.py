"""Re-execution: what this member computes for a submitted job, whatever anyone else says."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from oracle.ballots import Ballots
from oracle.evidence import NOTHING_COMPUTED, Finding
from proofmill.backoff import Backoff
from proofmill.chain.records import Job
from proofmill.chain.reports import Outcome, Verdict
from proofmill.errors import ProofmillError
from proofmill.jobs import Engine, InvalidRequest, UnknownModel, identify
from proofmill.logs import Logger
from proofmill.store import BlobFetcher, BlobStore, BlobUnavailable, StoreError, describe

Case = tuple[int, bytes]

# A request that nobody has makes a job void in the last quarter of its evaluation window: late enough for whoever has it to come,
# early enough for 2f + 1 members to say so.
VOID_SHARE: Final = 4
LEAST_TRIES: Final = 3  # of a member that has just started, too
SPARE_TURNS: Final = (
    4  # one turn of so many is for jobs that others are to judge, however much there is to do
)


def case_of(job: Job) -> Case:
    """What a finding is about: a job and its record. Two jobs of one block may have the same record."""
    return job.id, job.commitment


class Judge:
    """Fetches the request of a job, runs the model in exact integers and compares one root with another.

    A job that could not be served, through no fault of its worker, is void: its request is malformed, or nobody has it when the
    time for a verdict runs out, or its model is one whose answers nobody can prove wrong (a rejection would be upheld on appeal,
    and its signers slashed).

    Args:
        is_provable: whether a wrong answer to a job could be proved to its arbiter, or it has none; the same for all members.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        fetcher: BlobFetcher,
        store: BlobStore,
        ballots: Ballots,
        is_provable: Callable[[Job], bool],
        log: Logger,
    ) -> None:
        self._engine = engine
        self._fetcher = fetcher
        self._store = store
        self._ballots = ballots
        self._is_provable = is_provable
        self._log = log
        self._retries: Backoff[Case] = Backoff()
        self._judged: set[Case] = set()  # of jobs in sight, those that have a finding that stays
        self._now = 0
        self._doubts_turn = False
        self._turn = 0  # counts only where there is something of both kinds to do

    def next_of(
        self,
        waiting: Iterable[Job],
        challengeable: Iterable[Job] = (),
        spare: Iterable[Job] = (),
        *,
        now: int = 0,
    ) -> Job | None:
        """Which job to consider at time `now` of the chain; None when there is nothing to do.

        Those whose verdict is waited for and those that can only be challenged any more take turns, so that a flood of the one
        kind does not hide a lie in the other. `spare` comes last: answers that can be challenged, and that others have been drawn
        to judge. It has every fourth turn all the same: who floods the committee with work must not hide what colluders attest.
        Within a kind, what has failed least often comes first, then what has waited longest (of those that can only be
        challenged, what has the least time left): jobs whose input is nowhere to be found, however many, do not keep the
        others waiting.
        """
        self._now = now
        queues = list(waiting), list(challengeable), list(spare)
        cases = {case_of(job) for queue in queues for job in queue}
        self._retries.keep_only(cases)
        self._judged &= cases
        first = self._first_due(queues[0], lambda job: job.submitted_at)
        second = self._first_due(queues[1], lambda job: job.deadline)
        left = self._first_due(queues[2], lambda job: job.deadline)
        if left is not None and (first is not None or second is not None):
            self._turn = (self._turn + 1) % SPARE_TURNS
            if self._turn == 0:
                return left
        if first is None or second is None:
            return first or second or left
        self._doubts_turn = not self._doubts_turn
        return first if self._doubts_turn else second

    def _first_due(self, jobs: Iterable[Job], urgency: Callable[[Job], int]) -> Job | None:
        return min(
            (job for job in jobs if self._is_due(job)),
            key=lambda job: (self._retries.count(case_of(job)), urgency(job), job.id),
            default=None,
        )

    def consider(self, job: Job) -> Finding | None:
        """The finding for `job`, made now if there is none yet; None when it cannot be judged (the log says why)."""
        known = self._ballots.finding(job.escrow, job.id, job.commitment)
        if known is not None and known.verdict.outcome is not Outcome.VOID:
            self._judged.add(case_of(job))
            return known
        if not self._is_due(job):
            return known
        try:
            if not self._is_provable(job):
                return self._void(job, "its model was not registered when it was posted")
            request = self._fetcher.fetch(job.input_root)
            started = time.monotonic()
            answer = self._engine.execute(job.model_id, request)
        except BlobUnavailable as error:
            return self._miss(job, known, error)
        except UnknownModel as error:
            self._postpone(job, "model is not served here", error)
            return known
        except InvalidRequest as error:
            # No answer to it exists, on any machine, and whoever posted it could have known.
            return self._void(job, f"its request is malformed: {error}")
        except ProofmillError as error:
            self._postpone(job, "this machine cannot", error)
            return known
        except Exception as error:  # noqa: BLE001  every member gets the same request: it must not end all of them at once
            self._postpone(job, f"a bug: {type(error).__name__}", error)
            return known
        computed = identify(answer)
        outcome = Outcome.COMPLETE if computed == job.deliverable else Outcome.REJECT
        finding = self._find(job, outcome, computed)
        self._keep(answer)
        self._judged.add(case_of(job))
        self._log.info(
            "judged",
            job=job.id,
            worker=job.provider,
            outcome=finding.verdict.outcome.name.lower(),
            claimed=describe(finding.claimed),
            computed=describe(computed),
            seconds=round(time.monotonic() - started, 3),
        )
        return finding

    def _miss(self, job: Job, known: Finding | None, error: BlobUnavailable) -> Finding | None:
        """Nobody has the request: void once it has stayed so until the last quarter of the time for a verdict.

        It is looked for all the same until the end; if it turns up, it is judged after all.
        """
        self._postpone(job, "input is not available", error)
        is_late = self._now >= job.deadline - job.terms.schedule.evaluation_window // VOID_SHARE
        is_sure = self._retries.count(case_of(job)) >= LEAST_TRIES
        if known is not None or not (job.awaits_verdict and is_late and is_sure):
            return known
        finding = self._find(job, Outcome.VOID, NOTHING_COMPUTED)
        self._log.warning(
            "void", job=job.id, why="nobody has its request, and the time for a verdict runs out"
        )
        return finding

    def _void(self, job: Job, why: str) -> Finding:
        self._judged.add(case_of(job))
        self._log.warning("void", job=job.id, why=why)
        return self._find(job, Outcome.VOID, NOTHING_COMPUTED)

    def _find(self, job: Job, outcome: Outcome, computed: bytes) -> Finding:
        assert job.deliverable is not None
        finding = Finding(
            escrow=job.escrow,
            verdict=Verdict(job.id, outcome, job.commitment),
            model_id=job.model_id,
            input_root=job.input_root,
            claimed=job.deliverable,
            computed=computed,
        )
        self._ballots.record_finding(finding)
        return finding

    def _keep(self, answer: bytes) -> None:
        """Keep the right answer, so that the requester can fetch it from any member, for as long as there is room."""
        try:
            self._store.put(answer, pinned=False)
        except StoreError as error:
            self._log.warning("answer not kept", error=str(error), remedy=error.remedy)

    def _is_due(self, job: Job) -> bool:
        return (
            job.deliverable is not None
            and case_of(job) not in self._judged
            and self._retries.is_due(case_of(job))
        )

    def _postpone(self, job: Job, why: str, error: Exception) -> None:
        wait = self._retries.postpone(case_of(job))
        self._log.warning("cannot judge", job=job.id, why=why, error=str(error), retry_in_seconds=wait)
