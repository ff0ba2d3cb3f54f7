"""The open jobs of one escrow, with their live state at a confirmed block.

Events are hints, state is truth: `JobPosted` says that a job exists and what its terms are; everything that changes is read
from the contract at each refresh. A job that a reorganisation removed disappears with its event.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import BigInteger, Column, Engine, Integer, MetaData, String, Table, delete, insert, select
from web3 import Web3

from proofmill.chain.errors import JobNotFound
from proofmill.chain.job_escrow import JobEscrow
from proofmill.chain.sync import EventSync
from proofmill.chain.types import Job, JobState

_metadata = MetaData()

_watched = Table(
    "watched_jobs",
    _metadata,
    Column("escrow", String(42), primary_key=True),
    Column("job_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("posted_block", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class TrackedJob(Job):
    """A job as the board sees it; `deliverable` is the digest of the submitted answer, None before."""

    deliverable: bytes | None

    @property
    def submitted_at(self) -> int:
        """Unix time of the submission; only meaningful in state SUBMITTED."""
        return self.deadline - self.terms.evaluation_window


@dataclass(frozen=True, slots=True)
class BoardView:
    """All that a refresh found, as of one block. `settled` jobs are named once and then forgotten."""

    block_number: int
    block_time: int
    open: tuple[TrackedJob, ...]
    settled: tuple[TrackedJob, ...]


class JobBoard:
    """Follows one escrow. Not for use by several threads; its views are immutable and may be shared."""

    def __init__(
        self,
        web3: Web3,
        escrow: JobEscrow,
        database: Engine,
        *,
        start_block: int,
        confirmations: int,
    ) -> None:
        self._web3 = web3
        self._escrow = escrow
        self._database = database
        _metadata.create_all(database)
        self._sync = EventSync(
            web3,
            [escrow],
            database,
            name=f"jobs/{escrow.address}",
            start_block=start_block,
            confirmations=confirmations,
            events=["JobPosted"],
        )

    def refresh(self) -> BoardView:
        """Read new events, then the state of every open job at the newest confirmed block."""
        self._take_events()
        block = self._web3.eth.get_block(max(0, self._sync.confirmed_head()))
        number = int(block["number"])
        open_jobs: list[TrackedJob] = []
        settled: list[TrackedJob] = []
        for job_id in self._watched_ids():
            try:
                job = self._track(self._escrow.job(job_id, block=number))
            except JobNotFound:
                self._forget(job_id)
                continue
            if job.state.is_final:
                settled.append(job)
                self._forget(job_id)
            else:
                open_jobs.append(job)
        return BoardView(number, int(block["timestamp"]), tuple(open_jobs), tuple(settled))

    def _take_events(self) -> None:
        result = self._sync.poll()
        with self._database.begin() as connection:
            if result.rolled_back_to is not None:
                connection.execute(
                    delete(_watched).where(
                        _watched.c.escrow == self._escrow.address,
                        _watched.c.posted_block > result.rolled_back_to,
                    )
                )
            known = set(self._watched_ids())
            rows = [
                {"escrow": self._escrow.address, "job_id": job.id, "posted_block": job.posted_block}
                for job in map(self._escrow.posted_job, result.events)
                if job.id not in known
            ]
            if rows:
                connection.execute(insert(_watched), rows)
        self._sync.acknowledge(result)

    def _track(self, job: Job) -> TrackedJob:
        deliverable = self._escrow.deliverable(job.id) if job.state == JobState.SUBMITTED else None
        return TrackedJob(
            **{field.name: getattr(job, field.name) for field in fields(Job)}, deliverable=deliverable
        )

    def _watched_ids(self) -> list[int]:
        query = (
            select(_watched.c.job_id)
            .where(_watched.c.escrow == self._escrow.address)
            .order_by(_watched.c.job_id)
        )
        with self._database.connect() as connection:
            return [int(row.job_id) for row in connection.execute(query)]

    def _forget(self, job_id: int) -> None:
        with self._database.begin() as connection:
            connection.execute(
                delete(_watched).where(_watched.c.escrow == self._escrow.address, _watched.c.job_id == job_id)
            )
