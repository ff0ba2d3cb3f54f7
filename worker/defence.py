"""A worker's defence of its own answers: every challenge is answered in time, a wrong verdict is appealed, cases are ended.

Nothing here must be remembered: who doubts what is read from the game's events, and each reply is an intent of the journaled
sender. What is kept in memory only saves a second computation.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from eth_typing import ChecksumAddress

from proofmill.chain import Job, StageFlag, Suite, TransactionSender
from proofmill.chain.errors import ChainError, JobNotFound
from proofmill.disputes.defence import Defence
from proofmill.disputes.docket import ChallengeFile, Docket
from proofmill.disputes.matter import Matter, Reruns, embedding_matter
from proofmill.disputes.prosecution import Narrator, record_of
from proofmill.errors import ProofmillError
from proofmill.jobs import Engine
from proofmill.store import BlobFetcher

# A dispute lasts two days at most, and nothing that was published before it has to be known.
LOOK_BACK_SECONDS: Final = 7 * 86_400
MATTERS_KEPT: Final = 4
Case = tuple[int, bytes]  # job, record


class OwnAnswerWrong(ProofmillError):
    """What was submitted is not what this machine computes."""


class OwnDefence:
    """Defends one operator. `step` is its part of a worker's cycle; not for several threads."""

    def __init__(
        self,
        *,
        operator: ChecksumAddress,
        suite: Suite,
        sender: TransactionSender,
        docket: Docket,
        reruns: Reruns,
        engine: Engine,
        fetcher: BlobFetcher,
        log: Narrator,
    ) -> None:
        self._operator, self._suite, self._docket = operator, suite, docket
        self._engine, self._fetcher, self._log = engine, fetcher, log
        self._player = Defence(operator, suite, sender, docket, reruns, log)
        self._matters: OrderedDict[Case, Matter] = OrderedDict()
        self._foreign: set[Case] = set()  # answers of other operators: a record names its operator
        self._conceded: set[bytes] = set()  # records that this machine computes otherwise; said once

    def step(self, own: Sequence[Job]) -> int:
        """One look at all disputes about answers of the operator; how many are open.

        ``own`` are its open jobs, among which those that the committee has rejected are looked for.

        Raises:
            ChainError: the node cannot be reached; whatever else fails concerns one job and is logged.
        """
        self._docket.refresh(int(self._suite.dispute_game.web3.eth.block_number))
        challenges = self._docket.challenges()
        open_cases = 0
        for job_id, record in self._docket.open_cases():
            job = self._own_job(job_id, record)
            if job is None:
                continue
            open_cases += 1
            files = [
                file
                for file in challenges.values()
                if (file.job_id, file.record) == (job_id, record) and not file.is_lost
            ]
            self._answer(job, files)
        for job in own:
            if StageFlag.CONDEMNED in job.flags and StageFlag.CONTESTED not in job.flags:
                self._appeal(job)
        return open_cases

    def _answer(self, job: Job, files: Sequence[ChallengeFile]) -> None:
        for file in files:
            try:
                self._player.step(file, job, lambda: self._defensible(job))
            except OwnAnswerWrong:
                continue
            except ChainError:
                raise
            except Exception as error:  # noqa: BLE001  whoever challenges chooses the question: it must not end the worker
                self._log.error("a challenge waits", job=job.id, challenge=file.id, error=_in_words(error))
        self._player.settle(job)

    def _appeal(self, job: Job) -> None:
        if job.terms.arbiter != self._suite.dispute_game.address:
            return
        try:
            self._player.appeal(job, self._defensible(job))
        except OwnAnswerWrong:
            return
        except ChainError:
            raise
        except ProofmillError as error:
            self._log.error("an appeal waits", job=job.id, error=_in_words(error))

    def _defensible(self, job: Job) -> Matter:
        """The matter of a job whose answer this machine still finds right; every reply would only show that it is wrong.

        Raises OwnAnswerWrong; says so the first time.
        """
        record = record_of(job)
        if record not in self._conceded:
            matter = self._matter(job)
            if matter.own.root == job.deliverable:
                return matter
            self._conceded.add(record)
            self._log.error(
                "own answer is wrong, it is not defended",
                job=job.id,
                remedy="Test this machine with `proofmill model verify` before it serves any further job.",
            )
        raise OwnAnswerWrong(f"the answer to job {job.id} is wrong", remedy="Let it go.")

    def _own_job(self, job_id: int, record: bytes) -> Job | None:
        """The job, if the answer that is disputed is the operator's and still that of the job."""
        if (job_id, record) in self._foreign:
            return None
        try:
            job = self._suite.job_escrow.job(job_id)
        except JobNotFound:
            return None
        if not job.is_known or record_of(job) != record:
            return None  # the events and the state are of different branches: the next look knows
        if job.provider != self._operator:
            self._foreign.add((job_id, record))
            return None
        return job

    def _matter(self, job: Job) -> Matter:
        """Made once: it takes a run of the whole job."""
        case = (job.id, record_of(job))
        if case not in self._matters:
            request = self._fetcher.fetch(job.input_root)
            own = self._engine.execute(job.model_id, request)
            self._matters[case] = embedding_matter(job, request, own, own)
            if len(self._matters) > MATTERS_KEPT:
                self._matters.popitem(last=False)
        return self._matters[case]


def _in_words(error: Exception) -> str:
    if isinstance(error, ProofmillError):
        return f"{error} {error.remedy}"
    return f"a bug: {type(error).__name__}: {error}"
