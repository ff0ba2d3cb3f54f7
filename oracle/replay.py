"""Running judged jobs again: is the result still what the member found, and has the chain done what follows from it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from oracle.ballots import Ballots
from oracle.evidence import NOTHING_COMPUTED, Finding
from proofmill.chain import JobEscrow, JobState, StageFlag
from proofmill.chain.errors import JobNotFound
from proofmill.chain.records import CloseReason, Job, submitted_hash
from proofmill.chain.reports import Outcome
from proofmill.errors import ProofmillError
from proofmill.jobs import Engine, InvalidRequest, UnknownModel, identify
from proofmill.store import BlobFetcher, BlobUnavailable, describe

#: The chain holds that the answer was wrong.
_CONDEMNING: Final = frozenset({CloseReason.CONDEMNED, CloseReason.CONVICTED, CloseReason.REFUTED})


@dataclass(frozen=True, slots=True)
class Replayed:
    """One job, run again. ``outcome`` is None where it could not be, and ``obstacle`` says why."""

    job_id: int
    state: str
    outcome: Outcome | None
    found: Outcome | None  # by this member, earlier
    computed: bytes | None
    differences: tuple[str, ...] = ()
    obstacle: str = ""


class Replay:
    """Compares fresh results with the findings of a member and with its chain; changes neither."""

    def __init__(self, escrow: JobEscrow, ballots: Ballots, fetcher: BlobFetcher, engine: Engine) -> None:
        self._escrow, self._ballots = escrow, ballots
        self._fetcher, self._engine = fetcher, engine

    def findings(self) -> list[int]:
        """The jobs about which this member has found something, by number."""
        return [finding.verdict.job_id for finding in self._ballots.all_findings(self._escrow.address)]

    def run(self, job_id: int) -> Replayed:
        """Run a job again.

        Raises:
            ChainError: the chain cannot be read.
        """
        try:
            job = self._escrow.job(job_id)
        except JobNotFound:
            return Replayed(job_id, "unknown", None, None, None, obstacle="no such job is on the chain")
        state = job.state.name.lower()
        if not job.is_known or job.deliverable is None:
            return Replayed(job_id, state, None, None, None, obstacle="it has no answer on the chain")
        commitment = submitted_hash(job.terms, job.answer)
        finding = self._ballots.finding(job.escrow, job.id, commitment)
        found = None if finding is None else finding.verdict.outcome
        try:
            outcome, computed = self._execute(job)
        except (BlobUnavailable, UnknownModel) as error:
            return Replayed(job_id, state, None, found, None, obstacle=str(error))
        differences = (*_with_finding(job, finding, outcome, computed), *_with_chain(job, outcome))
        return Replayed(job_id, state, outcome, found, computed, differences)

    def _execute(self, job: Job) -> tuple[Outcome, bytes]:
        request = self._fetcher.fetch(job.input_root)
        try:
            computed = identify(self._engine.execute(job.model_id, request))
        except InvalidRequest:
            return Outcome.VOID, NOTHING_COMPUTED
        return (Outcome.COMPLETE if computed == job.deliverable else Outcome.REJECT), computed


class NothingReplayed(ProofmillError):
    """No job of those that were named could be run."""


def _with_finding(job: Job, finding: Finding | None, outcome: Outcome, computed: bytes) -> list[str]:
    if finding is None:
        return []
    assert job.deliverable is not None
    found = finding.verdict.outcome
    if found is Outcome.VOID and outcome is not Outcome.VOID:
        return []  # its request was nowhere to be found, or its model could not be proved: that is no result
    differences: list[str] = []
    if found is not outcome:
        differences.append(f"this member found {found.name.lower()}, now it is {outcome.name.lower()}")
    if finding.computed != computed:
        differences.append(
            f"this member had computed {describe(finding.computed)}, now it is {describe(computed)}"
        )
    if finding.claimed != job.deliverable:
        differences.append(
            f"this member judged the answer {describe(finding.claimed)}, the chain has {describe(job.deliverable)}"
        )
    return differences


def _with_chain(job: Job, outcome: Outcome) -> list[str]:
    """What the chain has done that does not follow from the arithmetic. An open job has done nothing yet."""
    is_paid = job.state is JobState.COMPLETED
    is_condemned = job.close_reason in _CONDEMNING or StageFlag.CONDEMNED in job.flags
    if outcome is Outcome.REJECT and is_paid:
        return [f"the chain has paid for a wrong answer ({job.close_reason.name.lower()})"]
    if outcome is Outcome.COMPLETE and is_condemned:
        return ["the chain holds that a right answer is wrong"]
    return []
