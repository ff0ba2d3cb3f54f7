"""Re-execution: what this member computes for a submitted job, whatever anyone else says."""

import time
from collections.abc import Iterable

from oracle.ballots import Ballots
from oracle.evidence import Finding
from proofmill.backoff import Backoff
from proofmill.chain.records import Job
from proofmill.chain.reports import Outcome, Verdict
from proofmill.errors import ProofmillError
from proofmill.jobs import Engine, InvalidRequest, UnknownModel, identify
from proofmill.logs import Logger
from proofmill.store import BlobFetcher, BlobStore, BlobUnavailable, StoreError, describe


class Judge:
    """Fetches the request of a job, runs the model in exact integers and compares one root with another."""

    def __init__(
        self, *, engine: Engine, fetcher: BlobFetcher, store: BlobStore, ballots: Ballots, log: Logger
    ) -> None:
        self._engine = engine
        self._fetcher = fetcher
        self._store = store
        self._ballots = ballots
        self._log = log
        self._retries: Backoff[bytes] = Backoff()  # by commitment
        self._judged: set[bytes] = set()  # commitments of waiting jobs that have a finding

    def next_of(self, waiting: Iterable[Job]) -> Job | None:
        """Which of the jobs that wait on chain to consider now; None when there is nothing to do.

        What has failed least often comes first, then what has waited longest: jobs whose input is nowhere to be found,
        however many, do not keep the others waiting.
        """
        jobs = list(waiting)
        commitments = {job.commitment for job in jobs}
        self._retries.keep_only(commitments)
        self._judged &= commitments
        due = [job for job in jobs if self._is_due(job)]
        return min(
            due,
            key=lambda job: (self._retries.count(job.commitment), job.submitted_at, job.id),
            default=None,
        )

    def consider(self, job: Job) -> Finding | None:
        """The finding for `job`, made now if there is none yet; None when it cannot be judged (the log says why)."""
        known = self._ballots.finding(job.escrow, job.id, job.commitment)
        if known is not None:
            self._judged.add(job.commitment)
            return known
        if job.deliverable is None or not self._retries.is_due(job.commitment):
            return None
        try:
            request = self._fetcher.fetch(job.input_root)
            started = time.monotonic()
            answer = self._engine.execute(job.model_id, request)
        except BlobUnavailable as error:
            self._postpone(job, "input is not available", error)
            return None
        except UnknownModel as error:
            self._postpone(job, "model is not served here", error)
            return None
        except InvalidRequest as error:
            # No answer to it exists, so there is nothing to compare: the job expires and both sides get theirs back.
            self._postpone(job, "request is malformed", error)
            return None
        except ProofmillError as error:
            self._postpone(job, "this machine cannot", error)
            return None
        except Exception as error:  # noqa: BLE001  every member gets the same request: it must not end all of them at once
            self._postpone(job, f"a bug: {type(error).__name__}", error)
            return None
        computed = identify(answer)
        finding = Finding(
            escrow=job.escrow,
            verdict=Verdict(
                job_id=job.id,
                outcome=Outcome.COMPLETE if computed == job.deliverable else Outcome.REJECT,
                commitment=job.commitment,
            ),
            model_id=job.model_id,
            input_root=job.input_root,
            claimed=job.deliverable,
            computed=computed,
        )
        self._keep(answer)
        self._ballots.record_finding(finding)
        self._judged.add(job.commitment)
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

    def _keep(self, answer: bytes) -> None:
        """Keep the right answer, so that the requester can fetch it from any member, for as long as there is room."""
        try:
            self._store.put(answer, pinned=False)
        except StoreError as error:
            self._log.warning("answer not kept", error=str(error), remedy=error.remedy)

    def _is_due(self, job: Job) -> bool:
        return (
            job.deliverable is not None
            and job.commitment not in self._judged
            and self._retries.is_due(job.commitment)
        )

    def _postpone(self, job: Job, why: str, error: Exception) -> None:
        wait = self._retries.postpone(job.commitment)
        self._log.warning("cannot judge", job=job.id, why=why, error=str(error), retry_in_seconds=wait)
