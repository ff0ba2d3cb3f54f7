"""What the committee says and how a report hashes; the layout is drawn in ``contracts/interfaces/IOracleCommittee.vyi``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Protocol, Self

from eth_abi.abi import encode
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak

from proofmill.chain.errors import InvalidValue
from proofmill.chain.records import Answer, submitted_hash
from proofmill.chain.terms import JobTerms
from proofmill.chain.types import MAXIMUM_UINT64, MAXIMUM_UINT256, AbiStruct, address, bytes32, unsigned

MAXIMUM_VERDICTS: Final = 64  # of one report, as in IOracleCommittee
MAXIMUM_FEW_VERDICTS: Final = 8  # of a report that is relayed by `transmit`; more go by `transmit_batch`
MAXIMUM_MEASUREMENTS: Final = 16
VERDICTS_KIND: Final = keccak(text="verdicts")
MEASUREMENTS_KIND: Final = keccak(text="measurements")
MEASUREMENT_TYPES: Final = ("bytes32", "address", *["uint256"] * 4, "bytes32", "uint256", "uint256")


class Outcome(IntEnum):
    """What a verdict may say. VOID: the request could not be served, and that was not the worker's fault."""

    COMPLETE = 3
    REJECT = 4
    VOID = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What members sign of one submitted job; ``commitment`` is the whole hash of its record."""

    job_id: int
    outcome: Outcome
    commitment: bytes

    def __post_init__(self) -> None:
        unsigned(self.job_id, MAXIMUM_UINT256, "job_id")
        object.__setattr__(self, "commitment", bytes32(self.commitment, "commitment"))
        object.__setattr__(self, "outcome", checked_outcome(self.outcome))

    def item_hash(self) -> bytes:
        """What the report's hash takes of it."""
        values = (self.job_id, int(self.outcome), self.commitment)
        return keccak(encode(["uint256", "uint256", "bytes32"], values))


@dataclass(frozen=True, slots=True)
class OpenedVerdict(AbiStruct):
    """A verdict with the record that it is about, as it is relayed: the escrow needs the record to settle the job."""

    job_id: int
    outcome: Outcome
    terms: JobTerms
    answer: Answer

    def __post_init__(self) -> None:
        self.normalise(numbers="job_id")
        object.__setattr__(self, "outcome", checked_outcome(self.outcome))

    def to_abi(self) -> tuple[Any, ...]:
        """The values in the order of the struct on chain."""
        return (self.job_id, int(self.outcome), self.terms.to_abi(), self.answer.to_abi())

    @classmethod
    def from_abi(cls, values: Sequence[Any] | Mapping[str, Any]) -> Self:
        """From what web3 decodes."""
        job_id, outcome, terms, answer = values.values() if isinstance(values, Mapping) else values
        return cls(job_id, outcome, JobTerms.from_abi(terms), Answer.from_abi(answer))

    @property
    def verdict(self) -> Verdict:
        """What members sign of it."""
        return Verdict(self.job_id, self.outcome, submitted_hash(self.terms, self.answer))


@dataclass(frozen=True, slots=True)
class Measurement(AbiStruct):
    """What a device was measured to do."""

    device_id: bytes
    operator: ChecksumAddress
    device_class: int
    operations_per_second: int
    memory_bytes: int
    picojoules_per_operation: int
    evidence_hash: bytes
    observed_at: int
    expires_at: int

    def __post_init__(self) -> None:
        self.normalise(
            addresses="operator",
            words="device_id evidence_hash",
            numbers="device_class operations_per_second memory_bytes picojoules_per_operation observed_at expires_at",
        )

    def item_hash(self) -> bytes:
        """What the report's hash takes of it."""
        return keccak(encode(MEASUREMENT_TYPES, self.to_abi()))


@dataclass(frozen=True, slots=True)
class ReportHead(AbiStruct):
    """What every item of a report shares. ``evidence_hash`` is also the reason that the escrow records."""

    config_digest: bytes
    sequence: int
    observed_at: int
    evidence_hash: bytes
    target: ChecksumAddress

    def __post_init__(self) -> None:
        self.normalise(addresses="target", words="config_digest evidence_hash", numbers="observed_at")
        unsigned(self.sequence, MAXIMUM_UINT64, "sequence")


@dataclass(frozen=True, slots=True)
class Report:
    """Verdicts bound to a configuration and a sequence number: what a committee signs."""

    head: ReportHead
    verdicts: tuple[Verdict, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdicts", tuple(self.verdicts))
        if len(self.verdicts) > MAXIMUM_VERDICTS:
            raise InvalidValue(
                f"a report of {len(self.verdicts)} verdicts",
                remedy=f"Report at most {MAXIMUM_VERDICTS} at a time.",
            )

    @property
    def takes_money(self) -> bool:
        """Whether any verdict takes something from somebody, so that 2f + 1 members must sign."""
        return any(verdict.outcome is not Outcome.COMPLETE for verdict in self.verdicts)

    def hash(self) -> bytes:
        """``OracleCommittee.verdicts_hash``."""
        return items_hash(VERDICTS_KIND, self.head, [verdict.item_hash() for verdict in self.verdicts])


@dataclass(frozen=True, slots=True)
class MeasurementReport:
    """Measurements bound to a configuration and a sequence number; always signed by 2f + 1 members."""

    head: ReportHead
    measurements: tuple[Measurement, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "measurements", tuple(self.measurements))
        if len(self.measurements) > MAXIMUM_MEASUREMENTS:
            raise InvalidValue(
                f"a report of {len(self.measurements)} measurements",
                remedy=f"Report at most {MAXIMUM_MEASUREMENTS} at a time.",
            )

    def hash(self) -> bytes:
        """``OracleCommittee.measurements_hash``."""
        return measurements_hash(self.head, self.measurements)


class SignedByMembers(Protocol):
    """A report of either kind, as far as its signature goes."""

    @property
    def head(self) -> ReportHead: ...

    def hash(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Equivocation(AbiStruct):
    """Two reports of one member under one number: the proof that costs its bond."""

    key: ChecksumAddress
    config_digest: bytes
    sequence: int
    first_hash: bytes
    first_signature: bytes
    second_hash: bytes
    second_signature: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", address(self.key, "key"))
        self.normalise(words="config_digest first_hash second_hash")
        unsigned(self.sequence, MAXIMUM_UINT64, "sequence")


@dataclass(frozen=True, slots=True)
class Misjudgement(AbiStruct):
    """A member's verdict that the arithmetic refuted, in the report that it signed; ``items`` are the hashes of all its items."""

    key: ChecksumAddress
    report: ReportHead
    items: tuple[bytes, ...]
    index: int
    verdict: OpenedVerdict
    signature: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", address(self.key, "key"))
        object.__setattr__(self, "items", tuple(bytes32(item, "item") for item in self.items))
        unsigned(self.index, MAXIMUM_VERDICTS - 1, "index")

    def to_abi(self) -> tuple[Any, ...]:
        """The values in the order of the struct on chain."""
        head, verdict = self.report.to_abi(), self.verdict.to_abi()
        return (self.key, head, list(self.items), self.index, verdict, self.signature)


def items_hash(kind: bytes, head: ReportHead, items: Sequence[bytes]) -> bytes:
    """The chain of hashes that binds a report's head and its items, in order."""
    values = (kind, head.observed_at, head.evidence_hash, head.target)
    chained = keccak(encode(["bytes32", "uint256", "bytes32", "address"], values))
    for item in items:
        chained = keccak(chained + item)
    return chained


def measurements_hash(head: ReportHead, measurements: Sequence[Measurement]) -> bytes:
    """``OracleCommittee.measurements_hash``."""
    return items_hash(MEASUREMENTS_KIND, head, [measurement.item_hash() for measurement in measurements])


def checked_outcome(value: int) -> Outcome:
    """``value`` as an outcome."""
    try:
        return Outcome(value)
    except ValueError:
        raise InvalidValue(
            f"outcome is none of complete, reject and void: {value!r}",
            remedy="Give 3 (complete), 4 (reject) or 5 (void).",
        ) from None
