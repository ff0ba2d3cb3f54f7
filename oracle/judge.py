"""Re-execution: what this member computes for a submitted job, whatever anyone else says."""

import time

from oracle.ballots import Ballots
from oracle.evidence import Finding
from proofmill.chain.job_board import TrackedJob
from proofmill.chain.types import Outcome, Verdict
from proofmill.jobs import Engine, InvalidRequest, UnknownModel
from proofmill.logs import Logger
from proofmill.store import BlobFetcher, BlobStore, BlobUnavailable, content_id, to_cid

# A job that cannot be judged now is looked at again after this many seconds, doubling up to the maximum.
FIRST_RETRY_SECONDS = 2.0
LAST_RETRY_SECONDS = 120.0


class Judge:
    """Fetches the request of a job, runs the model in exact integers and compares one hash with another."""

    def __init__(
        self, *, engine: Engine, fetcher: BlobFetcher, store: BlobStore, ballots: Ballots, log: Logger
    ) -> None:
        self._engine = engine
        self._fetcher = fetcher
        self._store = store
        self._ballots = ballots
        self._log = log
        self._retries: dict[bytes, tuple[float, float]] = {}  # commitment → (next look, current wait)

    def consider(self, job: TrackedJob) -> Finding | None:
        """The finding for `job`, made now if there is none yet; None when it cannot be judged (the log says why)."""
        known = self._ballots.finding(job.escrow, job.id, job.commitment)
        if known is not None:
            return known
        if job.deliverable is None or not self._due(job.commitment):
            return None
        try:
            request = self._fetcher.fetch(job.terms.input_root)
            started = time.monotonic()
            answer = self._engine.execute(job.terms.model_id, request)
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
        computed = content_id(answer)
        finding = Finding(
            verdict=Verdict(
                escrow=job.escrow,
                job_id=job.id,
                commitment=job.commitment,
                outcome=Outcome.COMPLETE if computed == job.deliverable else Outcome.REJECT,
                reason=computed,
            ),
            model_id=job.terms.model_id,
            input_root=job.terms.input_root,
            claimed=job.deliverable,
            computed=computed,
        )
        self._store.put(answer)  # so that the requester can fetch the right answer from any member
        self._ballots.record_finding(finding)
        self._retries.pop(job.commitment, None)
        self._log.info(
            "judged",
            job=job.id,
            worker=job.provider,
            outcome=finding.verdict.outcome.name.lower(),
            claimed=to_cid(finding.claimed),
            computed=to_cid(computed),
            seconds=round(time.monotonic() - started, 3),
        )
        return finding

    def _due(self, commitment: bytes) -> bool:
        next_look, _ = self._retries.get(commitment, (0.0, 0.0))
        return time.monotonic() >= next_look

    def _postpone(self, job: TrackedJob, why: str, error: Exception) -> None:
        _, wait = self._retries.get(job.commitment, (0.0, FIRST_RETRY_SECONDS / 2))
        wait = min(2 * wait, LAST_RETRY_SECONDS)
        self._retries[job.commitment] = (time.monotonic() + wait, wait)
        self._log.warning("cannot judge", job=job.id, why=why, error=str(error), retry_in_seconds=wait)
