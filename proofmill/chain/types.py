"""The values that cross the seam between Python and the contracts, and their ABI form.

Field order is that of the structs in ``contracts/interfaces``; a test compares it with the compiled ABIs. Values
are checked when they are made, so that a wrong width fails here and not in an encoder far from its cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Final, Self, TypeAlias

from eth_typing import ChecksumAddress, HexAddress, HexStr
from eth_utils.address import is_address as has_address_form
from eth_utils.address import is_checksum_address, to_checksum_address

from proofmill.chain.errors import InvalidValue

EMPTY_ADDRESS: Final = ChecksumAddress(HexAddress(HexStr("0x" + "00" * 20)))
EMPTY_BYTES32: Final = bytes(32)
MAXIMUM_UINT8: Final = 2**8 - 1
MAXIMUM_UINT64: Final = 2**64 - 1
MAXIMUM_UINT256: Final = 2**256 - 1
MAXIMUM_VERDICTS: Final = 32  # of one report, as in IOracleCommittee

BlockReference: TypeAlias = int | bytes | str
"""A block number, a block hash, or a tag such as ``latest``."""


class JobState(IntEnum):
    """The states of ERC-8183."""

    OPEN = 0
    FUNDED = 1
    SUBMITTED = 2
    COMPLETED = 3
    REJECTED = 4
    EXPIRED = 5

    @property
    def is_final(self) -> bool:
        """Whether the job has been settled; no call changes it any more."""
        return self >= JobState.COMPLETED


class Outcome(IntEnum):
    """What a verdict may say: the states that it leads to."""

    COMPLETE = 3
    REJECT = 4


@dataclass(frozen=True, slots=True)
class ContractCall:
    """A call nobody has sent yet. ``to`` is None for a deployment, ``gas`` the least gas limit to give."""

    to: ChecksumAddress | None
    data: bytes
    description: str
    gas: int | None = None


def address(value: object, name: str = "address") -> ChecksumAddress:
    """The checksummed form of an address; a mixed-case spelling whose checksum (EIP-55) is wrong is refused."""
    if isinstance(value, bytes | str) and has_address_form(value) and not _is_misspelt(value):
        return to_checksum_address(value)
    raise InvalidValue(
        f"{name} is not an address: {value!r}",
        remedy="Give 0x followed by 40 hex digits, copied whole: mixed case carries a checksum.",
    )


def _is_misspelt(value: bytes | str) -> bool:
    if isinstance(value, bytes):
        return False
    digits = value[-40:]
    return digits not in (digits.lower(), digits.upper()) and not is_checksum_address(value)


def bytes32(value: object, name: str = "value") -> bytes:
    """``value`` as exactly 32 bytes."""
    if isinstance(value, bytes) and len(value) == 32:
        return bytes(value)  # HexBytes too becomes plain bytes
    raise InvalidValue(f"{name} is not 32 bytes: {value!r}", remedy="Give the 32-byte digest itself.")


def unsigned(value: object, maximum: int, name: str = "value") -> int:
    """``value`` as an unsigned integer of at most ``maximum``."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= maximum:
        return value
    raise InvalidValue(f"{name} is out of range: {value!r}", remedy=f"Give an integer from 0 to {maximum}.")


class _AbiStruct:
    """Conversion of a flat dataclass to and from the tuple that web3 and eth-abi use."""

    __slots__ = ()

    def to_abi(self) -> tuple[Any, ...]:
        """The values in the order of the struct on chain."""
        return tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]

    @classmethod
    def from_abi(cls, values: Sequence[Any] | Mapping[str, Any]) -> Self:
        """From what web3 decodes: a tuple, or a mapping by field name."""
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        if isinstance(values, Mapping):
            values = [values[name] for name in names]
        if len(values) != len(names):
            raise InvalidValue(
                f"{cls.__name__} has {len(names)} fields, {len(values)} were decoded",
                remedy="The ABI and this version of proofmill differ; run `make setup`.",
            )
        return cls(*values)

    def _normalise(self, *, addresses: str = "", words: str = "", numbers: str = "") -> None:
        for name in addresses.split():
            object.__setattr__(self, name, address(getattr(self, name), name))
        for name in words.split():
            object.__setattr__(self, name, bytes32(getattr(self, name), name))
        for name in numbers.split():
            unsigned(getattr(self, name), MAXIMUM_UINT256, name)


@dataclass(frozen=True, slots=True)
class JobOffer(_AbiStruct):
    """What a requester offers. Times are seconds, amounts the tokens' smallest units."""

    provider: ChecksumAddress
    model_id: bytes
    input_root: bytes
    price: int
    bond: int
    claim_deadline: int
    submit_window: int
    evaluation_window: int

    def __post_init__(self) -> None:
        self._normalise(
            addresses="provider",
            words="model_id input_root",
            numbers="price bond claim_deadline submit_window evaluation_window",
        )


@dataclass(frozen=True, slots=True)
class JobTerms(_AbiStruct):
    """The whole terms of a job, as ``JobPosted`` carries them and every later call brings them back."""

    requester: ChecksumAddress
    provider: ChecksumAddress
    evaluator: ChecksumAddress
    model_id: bytes
    input_root: bytes
    price: int
    bond: int
    late_penalty: int
    claim_deadline: int
    submit_window: int
    evaluation_window: int

    def __post_init__(self) -> None:
        self._normalise(
            addresses="requester provider evaluator",
            words="model_id input_root",
            numbers="price bond late_penalty claim_deadline submit_window evaluation_window",
        )


@dataclass(frozen=True, slots=True)
class PostedJob:
    """A job as its event announced it: what never changes."""

    id: int
    escrow: ChecksumAddress
    terms: JobTerms
    posted_block: int


@dataclass(frozen=True, slots=True)
class Job:
    """A job at one block: terms and live state. ``provider`` is who claimed it, else the empty address."""

    id: int
    escrow: ChecksumAddress
    terms: JobTerms
    state: JobState
    provider: ChecksumAddress
    deadline: int
    commitment: bytes
    posted_block: int

    @property
    def is_claimed(self) -> bool:
        """Whether some operator has claimed the job."""
        return self.provider != EMPTY_ADDRESS


@dataclass(frozen=True, slots=True)
class Verdict(_AbiStruct):
    """What the committee says of one submitted job."""

    escrow: ChecksumAddress
    job_id: int
    commitment: bytes
    outcome: Outcome
    reason: bytes

    def __post_init__(self) -> None:
        self._normalise(addresses="escrow", words="commitment reason", numbers="job_id")
        try:
            object.__setattr__(self, "outcome", Outcome(self.outcome))
        except ValueError:
            raise InvalidValue(
                f"outcome is neither complete nor reject: {self.outcome!r}",
                remedy="Give 3 (complete) or 4 (reject).",
            ) from None


@dataclass(frozen=True, slots=True)
class Report:
    """What a committee signs: verdicts bound to a configuration and a sequence number."""

    config_digest: bytes
    sequence: int
    observed_at: int
    evidence_hash: bytes
    verdicts: tuple[Verdict, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "config_digest", bytes32(self.config_digest, "config_digest"))
        object.__setattr__(self, "evidence_hash", bytes32(self.evidence_hash, "evidence_hash"))
        object.__setattr__(self, "verdicts", tuple(self.verdicts))
        unsigned(self.sequence, MAXIMUM_UINT64, "sequence")
        unsigned(self.observed_at, MAXIMUM_UINT256, "observed_at")
        if len(self.verdicts) > MAXIMUM_VERDICTS:
            raise InvalidValue(
                f"a report of {len(self.verdicts)} verdicts",
                remedy=f"Report at most {MAXIMUM_VERDICTS} at a time.",
            )

    @property
    def rejects(self) -> bool:
        """Whether any verdict takes money, so that 2f + 1 members must sign."""
        return any(verdict.outcome is Outcome.REJECT for verdict in self.verdicts)

    def to_abi(self) -> tuple[Any, ...]:
        """The values in the order of the struct on chain."""
        verdicts = [verdict.to_abi() for verdict in self.verdicts]
        return (self.config_digest, self.sequence, self.observed_at, self.evidence_hash, verdicts)

    @classmethod
    def from_abi(cls, values: Sequence[Any]) -> Report:
        """From the tuple that web3 decodes."""
        config_digest, sequence, observed_at, evidence_hash, verdicts = values
        opened = tuple(Verdict.from_abi(verdict) for verdict in verdicts)
        return cls(config_digest, sequence, observed_at, evidence_hash, opened)


@dataclass(frozen=True, slots=True)
class JobOpening:
    """What opens a verdict's commitment, so that the escrow can be called."""

    terms: JobTerms
    deliverable: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "deliverable", bytes32(self.deliverable, "deliverable"))

    def to_abi(self) -> tuple[Any, ...]:
        """The values in the order of the struct on chain."""
        return (self.terms.to_abi(), self.deliverable)

    @classmethod
    def from_abi(cls, values: Sequence[Any]) -> JobOpening:
        """From the tuple that web3 decodes."""
        terms, deliverable = values
        return cls(JobTerms.from_abi(terms), deliverable)


@dataclass(frozen=True, slots=True)
class CompactSignature(_AbiStruct):
    """EIP-2098: ``vs`` holds the parity of y in its top bit and the low s below it."""

    r: bytes
    vs: bytes

    def __post_init__(self) -> None:
        self._normalise(words="r vs")

    def to_bytes(self) -> bytes:
        """The 64 bytes ``r ‖ vs``."""
        return self.r + self.vs

    @classmethod
    def from_bytes(cls, data: bytes) -> CompactSignature:
        """From the 64 bytes ``r ‖ vs``."""
        return cls(data[:32], data[32:])
