"""What the escrow's events say of operators: how many jobs each has finished, and how many of the latest were clean.

Members have to arrive at the same numbers, so this is exact. Only these events of the escrow count, in the order of the chain,
up to and including the block asked about, whatever the job's evaluator or arbiter:

    JobCompleted(job)               one more finished job, clean, of the operator of the job's one JobSubmitted
    Compensated(job, operator)      a fault of that operator: its clean jobs are none. Also one more finished job, unless
                                    the job was paid before (then the payment has counted it, and this is its refutation)

A job that was voided, cancelled, or refunded because nobody judged it emits neither and is no job in this sense; a worker that is
late emits the second. What a job was worth does not matter here. Amounts of stake are of the end of the block of the submission.

Kept in the member's database, one row for each event, with the totals after it: a reorganisation deletes rows, and a database
that is lost is filled again from the chain.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from eth_typing import ChecksumAddress
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)
from web3 import Web3

from oracle.database import prepare_tables
from proofmill.chain.block_stamp import BlockStamp
from proofmill.chain.database import database_failures
from proofmill.chain.events import EventLog
from proofmill.chain.job_escrow import JobEscrow
from proofmill.chain.sync import EventSync, SyncResult
from proofmill.chain.types import address
from proofmill.sampling import OperatorHistory

EVENTS: Final = ("JobSubmitted", "JobCompleted", "Compensated")

_metadata = MetaData()

_submissions = Table(
    "job_submissions",
    _metadata,
    Column("escrow", String(42), primary_key=True),
    Column("job_id", String(78), primary_key=True),
    Column("operator", String(42), nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", LargeBinary(32), nullable=False),
    Column("stake", String(78)),  # slashable, at the end of that block; none until it is read
)

_outcomes = Table(
    "operator_outcomes",
    _metadata,
    Column("escrow", String(42), primary_key=True),
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("operator", String(42), nullable=False),
    Column("job_id", String(78), nullable=False),
    Column("is_clean", Boolean, nullable=False),
    Column("finished_jobs", BigInteger, nullable=False),  # of the operator, after this event
    Column("clean_jobs", BigInteger, nullable=False),
    Index("ix_operator_outcomes_operator", "escrow", "operator", "block_number", "log_index"),
    Index("ix_operator_outcomes_job_id", "job_id"),
)


@dataclass(frozen=True, slots=True)
class Submission:
    """Where an answer was submitted, by whom, and what its operator could lose then (none: not read yet)."""

    job_id: int
    operator: ChecksumAddress
    block_number: int
    block_hash: bytes
    stake: int | None


class TrackRecords:
    """Follows one escrow. For one thread."""

    def __init__(
        self, web3: Web3, escrow: JobEscrow, database: Engine, *, start_block: int, confirmations: int
    ) -> None:
        self._escrow = escrow.address
        self._database = database
        self._hashes: dict[int, bytes] = {}  # of the newest blocks read
        self._totals: dict[ChecksumAddress, OperatorHistory] = {}  # after the events of one result, so far
        prepare_tables(database)
        self._sync = EventSync(
            web3,
            [escrow],
            database,
            name=f"track records/{escrow.address}",
            start_block=start_block,
            confirmations=confirmations,
            events=EVENTS,
        )

    def refresh(self) -> int | None:
        """Read up to the newest confirmed block; the last block that still stands, if any were taken back.

        Killed half-way, it reads the same events again: what they said is deleted first.
        """
        stands: int | None = None
        head = self._sync.confirmed_head()
        while True:
            result = self._sync.poll()
            self._take(result)
            self._sync.acknowledge(result)
            if result.rolled_back_to is not None:
                stands = result.rolled_back_to if stands is None else min(stands, result.rolled_back_to)
            if result.to_block >= head or result.to_block < result.from_block:
                return stands

    @property
    def last_block(self) -> int:
        """The newest block that has been read."""
        return self._sync.next_block - 1

    def is_current(self, stamp: BlockStamp) -> bool:
        """Whether a block, as some endpoint shows it, is not known to be of another branch than what was read."""
        return self._hashes.get(stamp.number, stamp.hash) == stamp.hash

    def submission(self, job_id: int) -> Submission | None:
        """The submission of a job, None as long as it has not been read."""
        query = select(_submissions).where(
            _submissions.c.escrow == self._escrow, _submissions.c.job_id == str(job_id)
        )
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Submission(
            job_id=job_id,
            operator=ChecksumAddress(row.operator),
            block_number=row.block_number,
            block_hash=bytes(row.block_hash),
            stake=None if row.stake is None else int(row.stake),
        )

    def note_stake(self, submission: Submission, stake: int) -> None:
        """Keep what was read of the stake: nodes forget the state of old blocks."""
        query = (
            update(_submissions)
            .where(
                _submissions.c.escrow == self._escrow,
                _submissions.c.job_id == str(submission.job_id),
                _submissions.c.block_hash == submission.block_hash,
            )
            .values(stake=str(stake))
        )
        with self._transaction() as connection:
            connection.execute(query)

    def history(self, operator: ChecksumAddress, block_number: int) -> OperatorHistory:
        """What the chain says of an operator at the end of a block."""
        with self._transaction() as connection:
            return self._history(connection, operator, block_number)

    # ---------------------------------------------------------------- from events
    def _take(self, result: SyncResult) -> None:
        self._totals = {}
        with self._transaction() as connection:
            for table in (_submissions, _outcomes):
                # Also what a reorganisation took back: the first block read then follows the last one that stands.
                is_void = table.c.block_number >= result.from_block
                connection.execute(delete(table).where(table.c.escrow == self._escrow, is_void))
            for event in result.events:
                self._count(connection, event)
        self._hashes = {number: value for number, value in self._hashes.items() if number < result.from_block}
        self._hashes |= dict(result.hashes)
        newest = max(self._hashes, default=0)
        self._hashes = {number: value for number, value in self._hashes.items() if number > newest - 128}

    def _count(self, connection: Connection, event: EventLog) -> None:
        job_id = str(int(event.args["jobId"]))
        match event.name:
            case "JobSubmitted":
                values = {
                    "escrow": self._escrow,
                    "job_id": job_id,
                    "operator": address(event.args["provider"]),
                    "block_number": event.block_number,
                    "block_hash": event.block_hash,
                }
                connection.execute(insert(_submissions).values(values))
            case "JobCompleted":
                self._note(connection, event, job_id, self._submitter(connection, job_id), is_clean=True)
            case _:
                self._note(connection, event, job_id, address(event.args["provider"]), is_clean=False)

    def _note(
        self,
        connection: Connection,
        event: EventLog,
        job_id: str,
        operator: ChecksumAddress,
        *,
        is_clean: bool,
    ) -> None:
        before = self._totals.get(operator)
        if before is None:
            before = self._history(connection, operator, event.block_number)
        after = before.after(is_clean=is_clean)
        if not is_clean and self._was_paid(connection, job_id):
            after = OperatorHistory(before.finished_jobs, 0)
        values = {
            "escrow": self._escrow,
            "block_number": event.block_number,
            "log_index": event.log_index,
            "operator": operator,
            "job_id": job_id,
            "is_clean": is_clean,
            "finished_jobs": after.finished_jobs,
            "clean_jobs": after.clean_jobs,
        }
        connection.execute(insert(_outcomes).values(values))
        self._totals[operator] = after

    def _history(
        self, connection: Connection, operator: ChecksumAddress, block_number: int
    ) -> OperatorHistory:
        query = (
            select(_outcomes.c.finished_jobs, _outcomes.c.clean_jobs)
            .where(
                _outcomes.c.escrow == self._escrow,
                _outcomes.c.operator == operator,
                _outcomes.c.block_number <= block_number,
            )
            .order_by(_outcomes.c.block_number.desc(), _outcomes.c.log_index.desc())
            .limit(1)
        )
        row = connection.execute(query).one_or_none()
        return OperatorHistory(0, 0) if row is None else OperatorHistory(row.finished_jobs, row.clean_jobs)

    def _submitter(self, connection: Connection, job_id: str) -> ChecksumAddress:
        query = select(_submissions.c.operator).where(
            _submissions.c.escrow == self._escrow, _submissions.c.job_id == job_id
        )
        return ChecksumAddress(connection.execute(query).scalar_one())

    def _was_paid(self, connection: Connection, job_id: str) -> bool:
        query = select(_outcomes.c.job_id).where(
            _outcomes.c.escrow == self._escrow,
            _outcomes.c.job_id == job_id,
            _outcomes.c.is_clean,
        )
        return connection.execute(query).first() is not None

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with database_failures("the track records"), self._database.begin() as connection:
            yield connection
