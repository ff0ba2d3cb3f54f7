"""The typed client of ``JobEscrow``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, ClassVar, Final, NamedTuple, cast

from eth_typing import ChecksumAddress
from web3 import Web3
from web3.exceptions import BlockNotFound
from web3.types import BlockIdentifier, TxReceipt

from proofmill.chain.errors import JobNotFound
from proofmill.chain.events import EventLog, LogReader
from proofmill.chain.mill_token import Authorization, Permit
from proofmill.chain.ownable import PausableClient
from proofmill.chain.records import (
    Answer,
    Claim,
    CloseReason,
    Job,
    PostedJob,
    commitment_of,
    submitted_hash,
)
from proofmill.chain.terms import JobOffer, JobTerms, terms_hash
from proofmill.chain.types import EMPTY_BYTES32, BlockReference, ContractCall, JobState, address

MAXIMUM_REMEMBERED: Final = 4_096  # jobs whose terms are kept in memory
# What changes a job's record; every other event of a job leaves it as it is.
RECORD_EVENTS: Final = ("ProviderSet", "JobClaimed", "JobSubmitted", "JobReopened")
CLOSING_EVENTS: Final = ("JobCompleted", "JobRejected", "JobExpired", "JobVoided")


class PostingRates(NamedTuple):
    """Fees and shares of jobs posted from now on, in basis points."""

    protocol_fee_bps: int
    evaluator_fee_bps: int
    late_penalty_bps: int
    reporter_bps: int


class JobEscrow(PausableClient):
    """Jobs and their money. Terms and records are not stored on chain: they come from events and are checked by hash."""

    name: ClassVar[str] = "JobEscrow"

    def __init__(self, web3: Web3, contract_address: str, *, deployed_block: int = 0) -> None:
        super().__init__(web3, contract_address)
        self._deployed_block = deployed_block
        self._reader = LogReader(web3, [self.address])
        self._posted: dict[int, tuple[PostedJob, bytes]] = {}  # with the hash of its block
        self._posted_lock = Lock()

    # ------------------------------------------------------------------ requester
    def post(self, offer: JobOffer) -> ContractCall:
        """Posts a job and escrows its ceiling."""
        return self._build("post", offer.to_abi())

    def post_with_permit(
        self, offer: JobOffer, permit_deadline: int, v: int, r: bytes, s: bytes
    ) -> ContractCall:
        """Posts a job by an ERC-2612 permit of its ceiling."""
        return self._build("post_with_permit", offer.to_abi(), permit_deadline, v, r, s)

    def post_by_permit(self, offer: JobOffer, permit: Permit) -> ContractCall:
        """Posts a job by a permit that was signed for this escrow."""
        return self.post_with_permit(offer, permit.deadline, permit.v, permit.r, permit.s)

    def post_with_authorization(
        self,
        offer: JobOffer,
        valid_after: int,
        valid_before: int,
        nonce: bytes,
        v: int,
        r: bytes,
        s: bytes,
    ) -> ContractCall:
        """Posts a job by an ERC-3009 authorization of its ceiling."""
        return self._build(
            "post_with_authorization", offer.to_abi(), valid_after, valid_before, nonce, v, r, s
        )

    def post_by_authorization(self, offer: JobOffer, signed: Authorization) -> ContractCall:
        """Posts a job by an authorization that was signed for this escrow to receive."""
        return self.post_with_authorization(
            offer, signed.valid_after, signed.valid_before, signed.nonce, signed.v, signed.r, signed.s
        )

    def cancel(self, job_id: int, terms: JobTerms) -> ContractCall:
        """Takes an unclaimed job back."""
        return self._job_call("cancel", job_id, terms.to_abi())

    # ------------------------------------------------------------------ operator or its hot key
    def claim(self, job_id: int, terms: JobTerms, operator: str) -> ContractCall:
        """Binds the operator to a job and commits its bond; the caller is the operator or one of its hot keys."""
        return self._job_call("claim", job_id, terms.to_abi(), address(operator, "operator"))

    def submit(self, job_id: int, claim: Claim, deliverable: bytes) -> ContractCall:
        """Submits the digest of the answer."""
        return self._job_call("submit", job_id, claim.to_abi(), deliverable)

    # ------------------------------------------------------------------ evaluator of the terms
    def complete(self, job_id: int, terms: JobTerms, answer: Answer, reason: bytes) -> ContractCall:
        """Pays the worker."""
        return self._settlement("complete", job_id, terms, answer, reason)

    def complete_many(
        self, completions: Sequence[tuple[int, JobTerms, Answer]], reason: bytes
    ) -> ContractCall:
        """Pays the workers of up to 64 jobs."""
        items = [(job_id, terms.to_abi(), answer.to_abi()) for job_id, terms, answer in completions]
        return self._build("complete_many", items, reason)

    def reject(self, job_id: int, terms: JobTerms, answer: Answer, reason: bytes) -> ContractCall:
        """Refunds the requester and slashes the bond; where there is an arbiter, once the worker has not appealed."""
        return self._settlement("reject", job_id, terms, answer, reason)

    def void(self, job_id: int, terms: JobTerms, answer: Answer, reason: bytes) -> ContractCall:
        """Ends a job whose request could not be served: the worker is paid its cancellation share."""
        return self._settlement("void", job_id, terms, answer, reason)

    # ------------------------------------------------------------------ arbiter of the terms
    def contest(self, job_id: int, terms: JobTerms, answer: Answer) -> ContractCall:
        """Takes a submitted or condemned job before the arbiter."""
        return self._settlement("contest", job_id, terms, answer)

    def dismiss(self, job_id: int, terms: JobTerms, answer: Answer) -> ContractCall:
        """Gives a contested job back as it was."""
        return self._settlement("dismiss", job_id, terms, answer)

    def uphold(self, job_id: int, terms: JobTerms, answer: Answer, reason: bytes) -> ContractCall:
        """Pays the worker of a contested job."""
        return self._settlement("uphold", job_id, terms, answer, reason)

    def convict(
        self, job_id: int, terms: JobTerms, answer: Answer, challenger: str, reason: bytes
    ) -> ContractCall:
        """Slashes the worker of a contested job, or of a completed one whose answer was proved wrong."""
        return self._settlement("convict", job_id, terms, answer, address(challenger, "challenger"), reason)

    # ------------------------------------------------------------------ anyone
    def finalize(self, job_id: int, terms: JobTerms, answer: Answer) -> ContractCall:
        """Settles a job on which silence has been kept for long enough."""
        return self._settlement("finalize", job_id, terms, answer)

    def claim_refund(self, job_id: int, terms: JobTerms, answer: Answer | None = None) -> ContractCall:
        """Refunds a job whose deadline has passed; an unclaimed one has no answer."""
        return self._settlement("claimRefund", job_id, terms, answer or Answer())

    def withdraw(self, token: str, account: str) -> ContractCall:
        """Pays an account what the escrow keeps for it."""
        return self._build("withdraw", address(token, "token"), address(account, "account"))

    def withdraw_to(self, token: str, receiver: str) -> ContractCall:
        """Pays the caller's credit to another receiver."""
        return self._build("withdraw_to", address(token, "token"), address(receiver, "receiver"))

    def collect_earnings(self, token: str, operator: str) -> ContractCall:
        """Hands what an operator has earned to Staking, which shares it with its delegators."""
        return self._build("collect_earnings", address(token, "token"), address(operator, "operator"))

    def collect_fees(self, token: str, evaluator: str) -> ContractCall:
        """Pays the fees of an evaluator's jobs to it and to the treasury."""
        return self._build("collect_fees", address(token, "token"), address(evaluator, "evaluator"))

    # ------------------------------------------------------------------ owner
    def set_evaluator(self, evaluator: str) -> ContractCall:
        """Names who judges the jobs posted from now on."""
        return self._build("set_evaluator", address(evaluator))

    def set_arbiter(self, arbiter: str) -> ContractCall:
        """Names the last word on exact jobs posted from now on."""
        return self._build("set_arbiter", address(arbiter))

    def set_capability_registry(self, registry: str) -> ContractCall:
        """Names where tiers are read when work is claimed."""
        return self._build("set_capability_registry", address(registry))

    def set_treasury(self, treasury: str) -> ContractCall:
        """Names who receives protocol fees."""
        return self._build("set_treasury", address(treasury))

    def set_payment_token(self, token: str, bond_rate: int) -> ContractCall:
        """Accepts a token for prices: ``bond_rate`` stake tokens of bond for 10**18 of it; 0 takes no new jobs."""
        return self._build("set_payment_token", address(token), bond_rate)

    def set_rates(
        self, protocol_fee_bps: int, evaluator_fee_bps: int, late_penalty_bps: int, reporter_bps: int
    ) -> ContractCall:
        """Sets fees and shares of jobs posted from now on."""
        return self._build("set_rates", protocol_fee_bps, evaluator_fee_bps, late_penalty_bps, reporter_bps)

    def set_windows(self, challenge_window: int, dispute_window: int) -> ContractCall:
        """Sets how long jobs posted from now on can be challenged, and how long an arbiter may take."""
        return self._build("set_windows", challenge_window, dispute_window)

    # ------------------------------------------------------------------ views
    def job_count(self, *, block: BlockReference = "latest") -> int:
        """How many jobs were ever posted."""
        return int(self._read("job_count", block=block))

    def state(self, job_id: int, *, block: BlockReference = "latest") -> JobState:
        """The state of a job; a number never used reads as ``OPEN``."""
        return JobState(self._read("state", job_id, block=block))

    def stage(self, job_id: int, *, block: BlockReference = "latest") -> int:
        """The state, and above its four bits how far within it the job is or why it ended."""
        return int(self._read("stage", job_id, block=block))

    def deadline(self, job_id: int, *, block: BlockReference = "latest") -> int:
        """Until when the next step may be taken, unix time, inclusive."""
        return int(self._read("deadline", job_id, block=block))

    def commitment(self, job_id: int, *, block: BlockReference = "latest") -> bytes:
        """The low 208 bits of the hash of the job's record."""
        return bytes(self._read("commitment", job_id, block=block))

    def close_reason(self, job_id: int, *, block: BlockReference = "latest") -> CloseReason:
        """Why a job ended."""
        return CloseReason(self._read("closeReason", job_id, block=block))

    def runway(self, job_id: int, *, block: BlockReference = "latest") -> int:
        """Seconds until anyone can end the present stage."""
        return int(self._read("runway", job_id, block=block))

    def terms_hash(self, terms: JobTerms, *, block: BlockReference = "latest") -> bytes:
        """The hash of terms, computed on chain."""
        return bytes(self._read("terms_hash", terms.to_abi(), block=block))

    def price_at(self, terms: JobTerms, time: int, *, block: BlockReference = "latest") -> int:
        """The price of a claim at a time, computed on chain."""
        return int(self._read("price_at", terms.to_abi(), time, block=block))

    def earnings(self, token: str, operator: str, *, block: BlockReference = "latest") -> int:
        """What an operator has earned and nobody has collected."""
        return int(self._read("earnings", address(token), address(operator), block=block))

    def credit(self, token: str, account: str, *, block: BlockReference = "latest") -> int:
        """What waits for an account: change of a price below the ceiling, or a payment that the token refused."""
        return int(self._read("credit", address(token), address(account), block=block))

    def fees(self, token: str, evaluator: str, *, block: BlockReference = "latest") -> tuple[int, int]:
        """Uncollected fees on an evaluator's jobs: the protocol's and the evaluator's."""
        protocol, share = self._read("fees", address(token), address(evaluator), block=block)
        return int(protocol), int(share)

    def owed(self, token: str, *, block: BlockReference = "latest") -> int:
        """All that the contract owes in a token."""
        return int(self._read("owed", address(token), block=block))

    def bond_rate(self, token: str, *, block: BlockReference = "latest") -> int:
        """Stake tokens of bond for 10**18 of a payment token; 0 where it is not accepted."""
        return int(self._read("bond_rate", address(token), block=block))

    def evaluator(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Who judges the jobs posted from now on."""
        return address(self._read("evaluator", block=block))

    def arbiter(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """The last word on exact jobs posted from now on; empty while there is none."""
        return address(self._read("arbiter", block=block))

    def capability_registry(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Where tiers are read."""
        return address(self._read("capability_registry", block=block))

    def treasury(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Who receives protocol fees."""
        return address(self._read("treasury", block=block))

    def rates(self, *, block: BlockReference = "latest") -> PostingRates:
        """Fees and shares of jobs posted from now on."""
        return PostingRates(*map(int, self._read("rates", block=block)))

    def windows(self, *, block: BlockReference = "latest") -> tuple[int, int]:
        """The challenge and the dispute window of jobs posted from now on."""
        challenge, dispute = self._read("windows", block=block)
        return int(challenge), int(dispute)

    def staking(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Where bonds are committed."""
        return address(self._read("staking", block=block))

    # ------------------------------------------------------------------ events and state together
    def job(self, job_id: int, *, block: BlockReference = "latest", posted_block: int | None = None) -> Job:
        """A job with its terms, its state and its record, all as of one block.

        ``posted_block``, where known, saves a search for its event through all blocks since the deployment. A record that
        does not hash to what the chain keeps is left out, and the job marked as not known.
        """
        reference = self._one_block(block)
        posted = self._posted_job(job_id, reference, posted_block)
        job = Job(
            id=job_id,
            escrow=self.address,
            terms=posted.terms,
            model_id=posted.model_id,
            input_root=posted.input_root,
            posted_block=posted.posted_block,
            stage=self.stage(job_id, block=reference),
            deadline=self.deadline(job_id, block=reference),
            commitment=self.commitment(job_id, block=reference),
        )
        if not posted.is_sound:
            return replace(job, is_known=False)
        return self._with_record(job, reference)

    def jobs_posted(self, from_block: int, to_block: int) -> list[PostedJob]:
        """The jobs posted in a range of blocks, both ends included, in order."""
        return [self.posted_job(event) for event in self._events_of(["JobPosted"], from_block, to_block)]

    def payment_tokens(self) -> list[ChecksumAddress]:
        """Every token in which jobs could ever be posted: some job may still pay in it."""
        head = int(self.web3.eth.block_number)
        events = self._events_of(["PaymentTokenSet"], self._deployed_block, head)
        return list(dict.fromkeys(address(event.args["token"]) for event in events))

    def posted_job(self, event: EventLog) -> PostedJob:
        """What an event ``JobPosted`` says."""
        return PostedJob(
            id=int(event.args["jobId"]),
            escrow=event.address,
            terms=JobTerms.from_abi(event.args["terms"]),
            model_id=bytes(event.args["model_id"]),
            input_root=bytes(event.args["input_root"]),
            posted_block=event.block_number,
        )

    def posted_in(self, receipt: TxReceipt) -> PostedJob:
        """The job that a transaction of ``post`` made."""
        return self.posted_job(self.event(receipt, "JobPosted"))

    def claimed_in(self, receipt: TxReceipt, job: Job) -> Job:
        """``job`` as the transaction that claimed it left it."""
        provider = address(self.event(receipt, "ProviderSet").args["provider"])
        return job.claimed_by(provider, int(self.event(receipt, "JobClaimed").args["claimed_at"]))

    def _job_call(self, function: str, job_id: int, *arguments: Any) -> ContractCall:
        description = f"JobEscrow.{function} of job {job_id}"
        return self._build(function, job_id, *arguments, description=description)

    def _settlement(
        self, function: str, job_id: int, terms: JobTerms, answer: Answer, *arguments: Any
    ) -> ContractCall:
        return self._job_call(function, job_id, terms.to_abi(), answer.to_abi(), *arguments)

    def _events_of(
        self, names: Sequence[str], from_block: int, to_block: int, job_id: int | None = None
    ) -> list[EventLog]:
        topics: list[Any] = [self.decoder.topics(names)]
        if job_id is not None:
            topics.append(f"0x{job_id:064x}")
        return self.decoder.decode_all(self._reader.read(from_block, to_block, topics))

    def _with_record(self, job: Job, block: int | bytes) -> Job:
        """``job`` with the record that opens its commitment."""
        posted_hash = terms_hash(job.terms)
        if commitment_of(posted_hash) == job.commitment and not job.terms.reopens:
            return replace(job, commitment=posted_hash)
        head = int(self.web3.eth.get_block(cast(BlockIdentifier, block))["number"])
        claimed, deliverable, is_closed = job, None, False
        for event in self._events_of(RECORD_EVENTS + CLOSING_EVENTS, job.posted_block, head, job.id):
            match event.name:
                case "ProviderSet":
                    claimed = replace(claimed, provider=address(event.args["provider"]))
                case "JobClaimed":
                    claimed = replace(claimed, claimed_at=int(event.args["claimed_at"]))
                case "JobSubmitted":
                    deliverable = bytes(event.args["deliverable"])
                case "JobReopened":
                    claimed, deliverable = replace(job, reopened=claimed.reopened + 1), None
                case _:
                    is_closed = True
        if job.state.is_final and job.commitment == EMPTY_BYTES32:
            # Nothing is kept of a job that is over: its record is what the events say that also tell of its end.
            return replace(claimed, deliverable=deliverable, is_known=is_closed)
        if commitment_of(posted_hash) == job.commitment:
            return replace(job, commitment=posted_hash, reopened=claimed.reopened)
        if commitment_of(claimed.claim.record_hash()) == job.commitment:
            return replace(claimed, commitment=claimed.claim.record_hash())
        submitted = replace(claimed, deliverable=deliverable)
        full = submitted_hash(job.terms, submitted.answer)
        if deliverable is not None and commitment_of(full) == job.commitment:
            return replace(submitted, commitment=full)
        # Logs are read at another moment than the state. A record that does not open the commitment belongs to another
        # branch of the chain, and to judge it would be to judge the wrong one.
        return replace(job, is_known=False)

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
        found = self._events_of(["JobPosted"], start, head, job_id)
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
