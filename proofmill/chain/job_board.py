"""The open jobs of one escrow, with their live state at a confirmed block.

Events are hints, state is truth: `JobPosted` says that a job exists and what its terms are, the others that it has moved;
the stage and the hash of the record are then read from the contract, and a record counts only if it has that hash. A job
without news is not read again, so that a thousand open jobs cost a node no more than one; every job is read again after a
reorganisation and once a minute, in case an event was missed. A job that a reorganisation removed disappears with its event,
and one whose settlement a reorganisation removed is open again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)
from web3 import Web3

from proofmill.chain.database import database_failures
from proofmill.chain.errors import JobNotFound
from proofmill.chain.job_escrow import JobEscrow
from proofmill.chain.records import Job
from proofmill.chain.sync import HASHES_KEPT, EventSync, SyncResult

_metadata = MetaData()

# Every change of a job's stage or record has one of these.
_EVENTS = (
    "JobPosted",
    "JobClaimed",
    "JobReopened",
    "JobSubmitted",
    "JobCompleted",
    "JobCondemned",
    "JobRejected",
    "JobContested",
    "ContestDismissed",
    "JobVoided",
    "JobExpired",
)
RECONCILE_SECONDS = 60.0

_watched = Table(
    "watched_jobs",
    _metadata,
    Column("escrow", String(42), primary_key=True),
    Column("job_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("posted_block", BigInteger, nullable=False),
    Column("settled_block", BigInteger),  # where it was first seen settled; none while it is open
)


@dataclass(frozen=True, slots=True)
class BoardView:
    """All that a refresh found, as of one block. `settled` jobs are named once, when they are first seen settled."""

    block_number: int
    block_hash: bytes
    block_time: int
    open: tuple[Job, ...]
    settled: tuple[Job, ...]


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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.escrow_address = escrow.address
        self._web3 = web3
        self._escrow = escrow
        self._database = database
        self._ours = _watched.c.escrow == escrow.address
        self._clock = clock
        self._reconciled_at = float("-inf")
        self._current: dict[int, Job] = {}  # open jobs as last read; without news they are still so
        # What is acknowledged and not read yet: a refresh that fails half-way leaves its news to the next.
        self._unread: set[int] = set()
        self._is_all_unread = False
        with database_failures("the job board"):
            _metadata.create_all(database)
        self._sync = EventSync(
            web3,
            [escrow],
            database,
            name=f"jobs/{escrow.address}",
            start_block=start_block,
            confirmations=confirmations,
            events=_EVENTS,
        )

    def refresh(self) -> BoardView:
        """Read new events, then the state of every open job that they touch, as of the last block they were read from."""
        self._take_events()
        touched = None if self._is_all_unread else self._unread
        block = self._web3.eth.get_block(max(0, self._sync.next_block - 1))
        number, block_hash = int(block["number"]), bytes(block["hash"])
        settled: list[Job] = []
        notes: dict[int, int | None] = {}  # written when all is read: a settlement is named or comes again
        current: dict[int, Job] = {}
        for job_id, posted_block, settled_block in self._watched():
            known = self._current.get(job_id)
            if (
                touched is not None
                and job_id not in touched
                and (known is not None or settled_block is not None)
            ):
                if known is not None:
                    current[job_id] = known
                elif settled_block is not None and number - settled_block >= HASHES_KEPT:
                    self._forget(job_id)
                continue
            if settled_block is not None and self._escrow.state(job_id, block=block_hash).is_final:
                continue
            try:
                job = self._escrow.job(job_id, block=block_hash, posted_block=posted_block)
            except JobNotFound:
                # Reorganised away, or the node is behind: the next poll knows, and only it may end the watch.
                continue
            if job.state.is_final:
                settled.append(job)
                notes[job_id] = number
            else:
                current[job_id] = job
                if settled_block is not None:
                    notes[job_id] = None
        for job_id, settled_block in notes.items():
            self._note_settlement(job_id, settled_block)
        if self._is_all_unread:
            self._reconciled_at = self._clock()
        self._unread, self._is_all_unread = set(), False
        # The record of a job that is not known is still to be found.
        self._current = {job_id: job for job_id, job in current.items() if job.is_known}
        return BoardView(number, block_hash, int(block["timestamp"]), tuple(current.values()), tuple(settled))

    def _take_events(self) -> None:
        """Notes the jobs that have news, or that every job is to be read."""
        self._is_all_unread |= self._clock() - self._reconciled_at >= RECONCILE_SECONDS
        head = self._sync.confirmed_head()
        while True:
            result = self._sync.poll()
            self._keep_posted(result)
            self._unread.update(int(event.args["jobId"]) for event in result.events)
            self._is_all_unread |= result.rolled_back_to is not None
            self._sync.acknowledge(result)
            if result.to_block >= head or result.to_block < result.from_block:
                break

    def _keep_posted(self, result: SyncResult) -> None:
        posted = [self._escrow.posted_job(event) for event in result.events if event.name == "JobPosted"]
        with self._transaction() as connection:
            if result.rolled_back_to is not None:
                connection.execute(
                    delete(_watched).where(self._ours, _watched.c.posted_block > result.rolled_back_to)
                )
            # Read after the deletion and in its transaction: a job that was posted again must not pass for known.
            known = set(connection.execute(select(_watched.c.job_id).where(self._ours)).scalars())
            rows = [
                {"escrow": self._escrow.address, "job_id": job.id, "posted_block": job.posted_block}
                for job in posted
                if job.id not in known
            ]
            if rows:
                connection.execute(insert(_watched), rows)

    def _watched(self) -> list[tuple[int, int, int | None]]:
        """(id, block it was posted in, block it was first seen settled in) of every job, by id."""
        query = (
            select(_watched.c.job_id, _watched.c.posted_block, _watched.c.settled_block)
            .where(self._ours)
            .order_by(_watched.c.job_id)
        )
        with self._transaction() as connection:
            return [(row.job_id, row.posted_block, row.settled_block) for row in connection.execute(query)]

    def _note_settlement(self, job_id: int, block_number: int | None) -> None:
        query = update(_watched).where(self._ours, _watched.c.job_id == job_id)
        with self._transaction() as connection:
            connection.execute(query.values(settled_block=block_number))

    def _forget(self, job_id: int) -> None:
        with self._transaction() as connection:
            connection.execute(delete(_watched).where(self._ours, _watched.c.job_id == job_id))

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with database_failures("the job board"), self._database.begin() as connection:
            yield connection
