"""What became of judged jobs on chain: which of them the committee's word has paid or condemned, in which transaction, and which
the arithmetic has decided.

A job that is paid leaves the board at once, and with colluders that is before an honest member has run it. Here it stays in
sight for as long as its answer can be disputed. Nothing is kept on disk: the events of the last week are read again at a start,
the last blocks at every look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eth_typing import ChecksumAddress

from proofmill.chain import Job, JobState, Suite
from proofmill.chain.errors import JobNotFound
from proofmill.chain.events import EventDecoder, EventLog, LogReader
from proofmill.chain.records import CloseReason
from proofmill.chain.types import EMPTY_ADDRESS

# Longer than a report can lie between the submission of a job and the end of its last dispute.
LOOK_BACK_SECONDS: Final = 7 * 86_400
REREAD_BLOCKS: Final = 64  # a reorganisation takes back what it removes
MOST_EVENTS: Final = 200_000
EVENTS: Final = (
    *("JobCompleted", "JobCondemned", "JobRejected", "JobRefuted"),
    "ReportTransmitted",
    "CaseRefuted",
)
_JUDGES: Final = ("evaluator", "rejector", "arbiter")  # how the events name who decided


@dataclass(frozen=True)
class Transmitted:
    """A report that the committee contract took."""

    config_digest: bytes
    sequence: int
    transaction_hash: bytes
    block_number: int


class Settlements:
    """Follows escrow and committee. `refresh` is for one thread; all else may be asked by others meanwhile."""

    def __init__(self, suite: Suite, first_block: int) -> None:
        self._escrow, self._committee = suite.job_escrow, suite.oracle_committee
        self._game = suite.dispute_game.address
        clients = (suite.job_escrow, suite.oracle_committee, suite.dispute_game)
        self._decoder = EventDecoder([(client.name, client.contract) for client in clients])
        self._topics = self._decoder.topics(EVENTS)
        self._reader = LogReader(self._escrow.web3, [client.address for client in clients])
        self._first = self._next = first_block
        self._events: tuple[EventLog, ...] = ()
        self._over: set[tuple[int, bytes]] = set()  # job, transaction that paid it
        self._paid: dict[int, Job] = {}

    def refresh(self, head: int) -> None:
        """Read what happened up to block `head`."""
        start = max(self._first, self._next - REREAD_BLOCKS)
        if head < start:
            return
        logs = self._reader.read(start, head, [self._topics])
        known = tuple(event for event in self._events if event.block_number < start)
        self._events = (known + tuple(self._decoder.decode_all(logs)))[-MOST_EVENTS:]
        self._next = head + 1

    def paid(self, now: int, is_right: Callable[[Job], bool]) -> dict[int, Job]:
        """Jobs that were paid by the committee's word and whose answer can still be challenged at time `now`.

        Those whose answer `is_right` are left out. A job is read once, however often this is asked.
        """
        current: dict[int, Job] = {}
        over: set[tuple[int, bytes]] = set()
        for event in self._of("JobCompleted", self._committee.address):
            job_id = int(event.args["jobId"])
            case = (job_id, event.transaction_hash)
            job = None
            if case not in self._over:
                job = self._paid.get(job_id) or self._paid_job(job_id, now)
            if job is None or now > job.deadline or is_right(job):
                over.add(case)
            else:
                current[job_id] = job
        self._paid, self._over = current, over
        return current

    def decided(self) -> list[int]:
        """Jobs about whose answer the arithmetic has said something, each once."""
        names = ("JobCompleted", "JobRejected", "JobRefuted")
        found = [int(event.args["jobId"]) for name in names for event in self._of(name, self._game)]
        # Also where nobody has told the escrow in time: the ruling stands.
        found += [int(event.args["job_id"]) for event in self._events if event.name == "CaseRefuted"]
        return list(dict.fromkeys(found))

    def reports_on(self, job_id: int) -> list[bytes]:
        """The transactions in which the committee's word has paid or condemned a job."""
        events = (
            event
            for name in ("JobCompleted", "JobCondemned")
            for event in self._of(name, self._committee.address)
        )
        return [event.transaction_hash for event in events if int(event.args["jobId"]) == job_id]

    def transmitted(self) -> list[Transmitted]:
        """Every report that the committee contract took, oldest first."""
        return [
            Transmitted(
                bytes(event.args["config_digest"]),
                int(event.args["sequence"]),
                event.transaction_hash,
                event.block_number,
            )
            for event in self._events
            if event.name == "ReportTransmitted"
        ]

    def _of(self, name: str, judge: ChecksumAddress) -> list[EventLog]:
        return [
            event
            for event in self._events
            if event.name == name and judge in (event.args.get(role, EMPTY_ADDRESS) for role in _JUDGES)
        ]

    def _paid_job(self, job_id: int, now: int) -> Job | None:
        """The job, if its payment can be refuted."""
        if now > self._escrow.deadline(job_id):
            return None  # one question instead of six: at a start most are of this kind
        try:
            job = self._escrow.job(job_id)
        except JobNotFound:
            return None
        is_refutable = job.state is JobState.COMPLETED and job.close_reason is CloseReason.ATTESTED
        has_arbiter = job.terms.arbiter != EMPTY_ADDRESS
        return job if job.is_known and is_refutable and has_arbiter and job.deliverable is not None else None
