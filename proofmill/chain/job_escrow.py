"""The typed client of ``JobEscrow``."""

from __future__ import annotations

from threading import Lock
from typing import Any, ClassVar, Final, cast

from eth_typing import ChecksumAddress
from web3 import Web3
from web3.exceptions import BlockNotFound
from web3.types import BlockIdentifier, TxReceipt

from proofmill.chain.errors import JobNotFound
from proofmill.chain.events import EventLog, LogReader
from proofmill.chain.ownable import OwnableClient
from proofmill.chain.types import (
    EMPTY_BYTES32,
    BlockReference,
    ContractCall,
    Job,
    JobOffer,
    JobState,
    JobTerms,
    PostedJob,
    address,
)

MAXIMUM_REMEMBERED: Final = 4_096  # jobs whose terms are kept in memory


class JobEscrow(OwnableClient):
    """Jobs and their money. Terms are not stored on chain: they come from the event ``JobPosted``."""

    name: ClassVar[str] = "JobEscrow"

    def __init__(self, web3: Web3, contract_address: str, *, deployed_block: int = 0) -> None:
        super().__init__(web3, contract_address)
        self._deployed_block = deployed_block
        self._reader = LogReader(web3, [self.address])
        self._posted: dict[int, tuple[PostedJob, bytes]] = {}  # with the hash of its block
        self._posted_lock = Lock()

    # ------------------------------------------------------------------ requester
    def post(self, offer: JobOffer) -> ContractCall:
        """Posts a job and escrows its price."""
        return self._build("post", offer.to_abi())

    def cancel(self, job_id: int, terms: JobTerms) -> ContractCall:
        """Takes an unclaimed job back."""
        return self._job_call("cancel", job_id, terms)

    # ------------------------------------------------------------------ worker
    def claim(self, job_id: int, terms: JobTerms) -> ContractCall:
        """Binds the caller to a job and commits its bond."""
        return self._job_call("claim", job_id, terms)

    def submit(self, job_id: int, terms: JobTerms, deliverable: bytes) -> ContractCall:
        """Submits the digest of the answer."""
        return self._job_call("submit", job_id, terms, deliverable)

    # ------------------------------------------------------------------ evaluator
    def complete(self, job_id: int, terms: JobTerms, deliverable: bytes, reason: bytes) -> ContractCall:
        """Pays the worker (evaluator of the terms only)."""
        return self._job_call("complete", job_id, terms, deliverable, reason)

    def reject(self, job_id: int, terms: JobTerms, deliverable: bytes, reason: bytes) -> ContractCall:
        """Refunds the requester and slashes the bond (evaluator of the terms only)."""
        return self._job_call("reject", job_id, terms, deliverable, reason)

    # ------------------------------------------------------------------ anyone
    def claim_refund(self, job_id: int, terms: JobTerms, deliverable: bytes = EMPTY_BYTES32) -> ContractCall:
        """Settles a job whose deadline has passed; ``deliverable`` counts only for a submitted one."""
        return self._job_call("claimRefund", job_id, terms, deliverable)

    # ------------------------------------------------------------------ owner
    def set_evaluator(self, evaluator: str) -> ContractCall:
        """Names who judges the jobs posted from now on."""
        return self._build("set_evaluator", address(evaluator))

    def set_minimum_bond_bps(self, minimum_bond_bps: int) -> ContractCall:
        """Sets the least bond as a share of the price."""
        return self._build("set_minimum_bond_bps", minimum_bond_bps)

    def set_late_penalty_bps(self, late_penalty_bps: int) -> ContractCall:
        """Sets the late penalty as a share of the bond."""
        return self._build("set_late_penalty_bps", late_penalty_bps)

    # ------------------------------------------------------------------ views
    def job_count(self, *, block: BlockReference = "latest") -> int:
        """How many jobs were ever posted."""
        return int(self._read("job_count", block=block))

    def state(self, job_id: int, *, block: BlockReference = "latest") -> JobState:
        """The state of a job; a number never used reads as ``OPEN``."""
        return JobState(self._read("state", job_id, block=block))

    def provider(self, job_id: int, *, block: BlockReference = "latest") -> ChecksumAddress:
        """The operator that claimed the job, else the empty address."""
        return address(self._read("provider", job_id, block=block))

    def deadline(self, job_id: int, *, block: BlockReference = "latest") -> int:
        """Until when the next step may be taken, unix time, inclusive."""
        return int(self._read("deadline", job_id, block=block))

    def commitment(self, job_id: int, *, block: BlockReference = "latest") -> bytes:
        """The hash that binds terms and, once submitted, answer."""
        return bytes(self._read("commitment", job_id, block=block))

    def terms_hash(self, terms: JobTerms, *, block: BlockReference = "latest") -> bytes:
        """The hash of terms, computed on chain."""
        return bytes(self._read("terms_hash", terms.to_abi(), block=block))

    def escrowed(self, *, block: BlockReference = "latest") -> int:
        """What the contract owes in all."""
        return int(self._read("escrowed", block=block))

    def evaluator(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Who judges the jobs posted from now on."""
        return address(self._read("evaluator", block=block))

    def minimum_bond_bps(self, *, block: BlockReference = "latest") -> int:
        """The least bond as a share of the price."""
        return int(self._read("minimum_bond_bps", block=block))

    def late_penalty_bps(self, *, block: BlockReference = "latest") -> int:
        """The late penalty of jobs posted from now on, as a share of the bond."""
        return int(self._read("late_penalty_bps", block=block))

    def payment_token(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """The token of prices."""
        return address(self._read("payment_token", block=block))

    def staking(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Where bonds are committed."""
        return address(self._read("staking", block=block))

    # ------------------------------------------------------------------ events and state together
    def job(self, job_id: int, *, block: BlockReference = "latest", posted_block: int | None = None) -> Job:
        """A job with its terms and its state, all as of one block.

        ``posted_block``, where known, saves a search for its event through all blocks since the deployment.
        """
        reference = self._one_block(block)
        posted = self._posted_job(job_id, reference, posted_block)
        return Job(
            id=job_id,
            escrow=self.address,
            terms=posted.terms,
            state=self.state(job_id, block=reference),
            provider=self.provider(job_id, block=reference),
            deadline=self.deadline(job_id, block=reference),
            commitment=self.commitment(job_id, block=reference),
            posted_block=posted.posted_block,
        )

    def jobs_posted(self, from_block: int, to_block: int) -> list[PostedJob]:
        """The jobs posted in a range of blocks, both ends included, in order."""
        return [self.posted_job(event) for event in self._events_of("JobPosted", from_block, to_block)]

    def deliverable(self, job_id: int, *, posted_block: int | None = None) -> bytes | None:
        """The digest of the answer, or None as long as none is submitted; ``posted_block`` as for ``job``."""
        head = int(self.web3.eth.block_number)
        start = self._deployed_block if posted_block is None else posted_block
        found = self._events_of("JobSubmitted", start, head, job_id)
        return bytes(found[-1].args["deliverable"]) if found else None

    def posted_job(self, event: EventLog) -> PostedJob:
        """What an event ``JobPosted`` says."""
        return PostedJob(
            id=int(event.args["jobId"]),
            escrow=event.address,
            terms=JobTerms.from_abi(event.args["terms"]),
            posted_block=event.block_number,
        )

    def posted_in(self, receipt: TxReceipt) -> PostedJob:
        """The job that a transaction of ``post`` made."""
        return self.posted_job(self.event(receipt, "JobPosted"))

    def _job_call(self, function: str, job_id: int, terms: JobTerms, *arguments: Any) -> ContractCall:
        description = f"JobEscrow.{function} of job {job_id}"
        return self._build(function, job_id, terms.to_abi(), *arguments, description=description)

    def _events_of(
        self, name: str, from_block: int, to_block: int, job_id: int | None = None
    ) -> list[EventLog]:
        topics: list[str] = self.decoder.topics([name])
        if job_id is not None:
            topics.append(f"0x{job_id:064x}")
        return self.decoder.decode_all(self._reader.read(from_block, to_block, topics))

    def _one_block(self, block: BlockReference) -> int | bytes:
        """The hash of a block named by a tag, so that all reads of one job see the same state."""
        if isinstance(block, int):
            return block
        return bytes(self.web3.eth.get_block(cast(BlockIdentifier, block))["hash"])

    def _posted_job(self, job_id: int, block: int | bytes, posted_block: int | None) -> PostedJob:
        with self._posted_lock:
            known = self._posted.get(job_id)
        if known is not None and self._is_canonical(known[0].posted_block, known[1]):
            return known[0]
        head = int(self.web3.eth.get_block(cast(BlockIdentifier, block))["number"])
        start = self._deployed_block if posted_block is None else posted_block
        found = self._events_of("JobPosted", start, head, job_id)
        if not found:
            raise JobNotFound(
                f"the escrow {self.address} has no job {job_id} at block {head}",
                remedy="Check the number and the chain; a job just posted may need another confirmation.",
            )
        posted = self.posted_job(found[-1])
        with self._posted_lock:
            while len(self._posted) >= MAXIMUM_REMEMBERED:
                del self._posted[next(iter(self._posted))]  # the one remembered for longest
            self._posted[job_id] = (posted, found[-1].block_hash)
        return posted

    def _is_canonical(self, number: int, block_hash: bytes) -> bool:
        """Whether a block is still in the chain: after a reorganisation a number may name other terms."""
        try:
            return bytes(self.web3.eth.get_block(number)["hash"]) == block_hash
        except BlockNotFound:
            return False
