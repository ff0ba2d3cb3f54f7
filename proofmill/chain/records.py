"""A job at one block: its terms, how far it has come, and the record whose hash the escrow keeps.

The chain holds one word for each job: stage, deadline, and the low 208 bits of the hash of its record. The record itself
comes from events. Events are hints; a record counts only if it hashes to what the chain holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from typing import Final

from eth_abi.abi import encode
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak

from proofmill.chain.terms import BASIS_POINTS, JobTerms, request_hash, terms_hash
from proofmill.chain.types import EMPTY_ADDRESS, EMPTY_BYTES32, AbiStruct, JobState

COMMITMENT_BYTES: Final = 26  # of a record's hash are kept on chain, the lowest ones
STATE_BITS: Final = 4


class StageFlag(IntFlag):
    """What the high bits of the stage say of an open job."""

    CLAIMED = 1
    CONDEMNED = 2
    CONTESTED = 4


class CloseReason(IntEnum):
    """What the high bits of the stage say of a settled job: why it ended."""

    NONE = 0
    ATTESTED = 1
    UNOPPOSED = 2
    UPHELD = 3
    CANCELLED = 4
    UNCLAIMED = 5
    LATE = 6
    NOT_EVALUATED = 7
    CONDEMNED = 8
    CONVICTED = 9
    VOIDED = 10
    REFUTED = 11


@dataclass(frozen=True, slots=True)
class Claim(AbiStruct):
    """The record of a claimed job: enough to submit without the terms."""

    terms_hash: bytes
    provider: ChecksumAddress
    claimed_at: int
    evaluation_window: int

    def __post_init__(self) -> None:
        self.normalise(addresses="provider", words="terms_hash", numbers="claimed_at evaluation_window")

    def record_hash(self) -> bytes:
        """The hash of the record."""
        return keccak(encode(["bytes32", "address", "uint256", "uint256"], self.to_abi()))


@dataclass(frozen=True, slots=True)
class Answer(AbiStruct):
    """What a submitted job adds to its terms; a claimed one is named by the first two and an empty deliverable."""

    provider: ChecksumAddress = EMPTY_ADDRESS
    claimed_at: int = 0
    deliverable: bytes = EMPTY_BYTES32

    def __post_init__(self) -> None:
        self.normalise(addresses="provider", words="deliverable", numbers="claimed_at")


def claim_of(terms: JobTerms, provider: str, claimed_at: int) -> Claim:
    """The record of a job with these terms that ``provider`` claimed."""
    return Claim(terms_hash(terms), ChecksumAddress(provider), claimed_at, terms.schedule.evaluation_window)  # type: ignore[arg-type]


def submitted_hash(terms: JobTerms, answer: Answer) -> bytes:
    """The hash of the record of a submitted job: what a verdict binds to."""
    values = (terms_hash(terms), *answer.to_abi())
    return keccak(encode(["bytes32", "address", "uint256", "bytes32"], values))


def commitment_of(record_hash: bytes) -> bytes:
    """What the chain keeps of a record's hash, as ``JobEscrow.commitment`` shows it."""
    return record_hash[-COMMITMENT_BYTES:].rjust(32, b"\0")


@dataclass(frozen=True, slots=True)
class PostedJob:
    """A job as its event announced it: what never changes."""

    id: int
    escrow: ChecksumAddress
    terms: JobTerms
    model_id: bytes
    input_root: bytes
    posted_block: int

    @property
    def is_sound(self) -> bool:
        """Whether the request named beside the terms is the one that they bind to."""
        return request_hash(self.model_id, self.input_root) == self.terms.request_hash


@dataclass(frozen=True, slots=True)
class Job:
    """A job at one block.

    ``commitment`` is the whole hash of its record, or, where no record that the node knows opens what the chain keeps
    (``is_known`` is false: logs and state are of different branches), only that. Such a job is not to be acted upon. The chain
    keeps nothing of a job that is over: its ``commitment`` is zero, and its record what the events say that tell of its end.
    """

    id: int
    escrow: ChecksumAddress
    terms: JobTerms
    model_id: bytes
    input_root: bytes
    posted_block: int
    stage: int
    deadline: int
    commitment: bytes
    is_known: bool = True
    provider: ChecksumAddress = EMPTY_ADDRESS  # who claimed it
    claimed_at: int = 0
    deliverable: bytes | None = None  # the root of the answer, None before there is one
    reopened: int = 0  # how many late workers it has lost, where its terms let it reopen

    @property
    def state(self) -> JobState:
        """The state of ERC-8183."""
        return JobState(self.stage & (1 << STATE_BITS) - 1)

    @property
    def flags(self) -> StageFlag:
        """How far within its state an open job is."""
        return StageFlag(0) if self.state.is_final else StageFlag(self.stage >> STATE_BITS)

    @property
    def close_reason(self) -> CloseReason:
        """Why a settled job ended."""
        return CloseReason(self.stage >> STATE_BITS) if self.state.is_final else CloseReason.NONE

    @property
    def is_claimed(self) -> bool:
        """Whether some operator has (or, once settled, had) claimed the job."""
        if self.state.is_final:
            return self.provider != EMPTY_ADDRESS
        return self.state is JobState.SUBMITTED or StageFlag.CLAIMED in self.flags

    @property
    def is_open(self) -> bool:
        """Whether it waits for a worker."""
        return self.state is JobState.FUNDED and not self.is_claimed

    @property
    def awaits_verdict(self) -> bool:
        """Whether the evaluator may still judge it: it is submitted, and neither condemned nor before the arbiter."""
        return self.state is JobState.SUBMITTED and not self.flags & (
            StageFlag.CONDEMNED | StageFlag.CONTESTED
        )

    @property
    def price(self) -> int:
        """What the claim fixed; before it, the most that it can be."""
        return self.terms.price_at(self.claimed_at) if self.claimed_at else self.terms.price_ceiling

    @property
    def pay(self) -> int:
        """What the worker earned: the price or, where the request could not be served, a share of it; less fees."""
        rates, amount = self.terms.rates, 0
        if self.state is JobState.COMPLETED:
            amount = self.price
        elif self.close_reason is CloseReason.VOIDED:
            amount = self.price * rates.cancellation_bps // BASIS_POINTS
        fee = amount * rates.protocol_fee_bps // BASIS_POINTS
        if self.close_reason in (CloseReason.ATTESTED, CloseReason.VOIDED, CloseReason.REFUTED):
            fee += amount * rates.evaluator_fee_bps // BASIS_POINTS
        return amount - fee

    @property
    def submitted_at(self) -> int:
        """Unix time of the submission; only meaningful while the job awaits its verdict."""
        return self.deadline - self.terms.schedule.evaluation_window

    @property
    def claim(self) -> Claim:
        """What `submit` takes."""
        return claim_of(self.terms, self.provider, self.claimed_at)

    @property
    def answer(self) -> Answer:
        """What every call takes that settles the job."""
        return Answer(self.provider, self.claimed_at, self.deliverable or EMPTY_BYTES32)

    def claimed_by(self, provider: ChecksumAddress, claimed_at: int) -> Job:
        """The same job with the claim that a receipt tells of."""
        claimed = replace(
            self,
            stage=JobState.FUNDED | StageFlag.CLAIMED << STATE_BITS,
            provider=provider,
            claimed_at=claimed_at,
            deadline=claimed_at + self.terms.schedule.submit_window,
        )
        return replace(claimed, commitment=claimed.claim.record_hash())
