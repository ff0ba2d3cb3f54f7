"""What a requester offers and what the escrow makes of it: the terms of a job, with the packed words as named fields.

``contracts/interfaces/IJobEscrow.vyi`` draws the layout of ``schedule`` and ``rates``. Times are seconds, amounts the
tokens' smallest units, shares basis points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Self

from eth_abi.abi import encode
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak

from proofmill.chain.errors import InvalidValue
from proofmill.chain.types import EMPTY_ADDRESS, MAXIMUM_UINT256, AbiStruct, bytes32, unsigned

BASIS_POINTS: Final = 10_000
RATE_UNIT: Final = 10**18  # a bond rate is in stake tokens for this many base units of the price
REOPENS: Final = 1
TERMS_TYPES: Final = (*["address"] * 6, "bytes32", *["uint256"] * 5)


class PackedWord:
    """Named fields in one word of the chain, the first in the lowest bits."""

    __slots__ = ()
    WIDTHS: ClassVar[tuple[int, ...]]

    def pack(self) -> int:
        """The word."""
        word, shift = 0, 0
        for name, width in self._widths():
            word |= int(getattr(self, name)) << shift
            shift += width
        return word

    @classmethod
    def unpack(cls, word: int) -> Self:
        """From the word; bits above the last field must be zero."""
        values, rest = [], unsigned(word, MAXIMUM_UINT256, cls.__name__.lower())
        for _, width in cls._widths():
            values.append(rest & ((1 << width) - 1))
            rest >>= width
        if rest:
            raise InvalidValue(
                f"{cls.__name__.lower()} 0x{word:x} has bits above its last field",
                remedy="The contract and this version of proofmill differ; run `make setup`.",
            )
        return cls(*values)

    def check_widths(self) -> None:
        """Fails unless each field fits its bits."""
        for name, width in self._widths():
            unsigned(getattr(self, name), (1 << width) - 1, name)

    @classmethod
    def _widths(cls) -> list[tuple[str, int]]:
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        return list(zip(names, cls.WIDTHS, strict=True))


@dataclass(frozen=True, slots=True)
class Schedule(PackedWord):
    """When what may happen: two moments in unix time, the rest in seconds."""

    WIDTHS: ClassVar = (40, 24, 40, 24, 24, 24, 24)

    posted_at: int
    ramp: int
    claim_deadline: int
    submit_window: int
    evaluation_window: int
    challenge_window: int
    dispute_window: int

    def __post_init__(self) -> None:
        self.check_widths()


@dataclass(frozen=True, slots=True)
class Rates(PackedWord):
    """The shares of the day on which the job was posted, its flags, and what its ceiling is worth in stake tokens."""

    WIDTHS: ClassVar = (16, 16, 16, 16, 16, 8, 8, 96)

    protocol_fee_bps: int
    evaluator_fee_bps: int
    late_penalty_bps: int
    cancellation_bps: int
    reporter_bps: int
    tier: int
    flags: int
    ceiling_in_stake: int

    def __post_init__(self) -> None:
        self.check_widths()


@dataclass(frozen=True, slots=True)
class JobOffer(AbiStruct):
    """What a requester offers. ``bond`` is in stake tokens, the prices in those of ``payment_token``."""

    provider: ChecksumAddress
    payment_token: ChecksumAddress
    callback: ChecksumAddress
    model_id: bytes
    input_root: bytes
    price_floor: int
    price_ceiling: int
    ramp: int
    bond: int
    cancellation_bps: int
    claim_deadline: int
    submit_window: int
    evaluation_window: int
    tier: int = 0
    is_exact: bool = False
    reopens: bool = False

    def __post_init__(self) -> None:
        self.normalise(
            addresses="provider payment_token callback",
            words="model_id input_root",
            numbers="price_floor price_ceiling ramp bond cancellation_bps claim_deadline submit_window "
            "evaluation_window tier",
        )


@dataclass(frozen=True, slots=True)
class JobTerms(AbiStruct):
    """The whole terms of a job, as ``JobPosted`` carries them and every later call brings them back."""

    requester: ChecksumAddress
    provider: ChecksumAddress
    evaluator: ChecksumAddress
    arbiter: ChecksumAddress
    payment_token: ChecksumAddress
    callback: ChecksumAddress
    request_hash: bytes
    price_floor: int
    price_ceiling: int
    bond: int
    schedule: Schedule
    rates: Rates

    def __post_init__(self) -> None:
        self.normalise(
            addresses="requester provider evaluator arbiter payment_token callback",
            words="request_hash",
            numbers="price_floor price_ceiling bond",
        )

    def to_abi(self) -> tuple[Any, ...]:
        """The values in the order of the struct on chain, the packed words as numbers."""
        return (
            *(getattr(self, field.name) for field in fields(self)[:-2]),
            self.schedule.pack(),
            self.rates.pack(),
        )

    @classmethod
    def from_abi(cls, values: Sequence[Any] | Mapping[str, Any]) -> Self:
        """From what web3 decodes: the packed words are numbers there."""
        names = [field.name for field in fields(cls)]
        if len(values) != len(names):
            raise InvalidValue(
                f"terms of {len(values)} fields were decoded, not of {len(names)}",
                remedy="The ABI and this version of proofmill differ; run `make setup`.",
            )
        plain = dict(zip(names, values.values() if isinstance(values, Mapping) else values, strict=True))
        plain["schedule"], plain["rates"] = Schedule.unpack(plain["schedule"]), Rates.unpack(plain["rates"])
        return cls(**plain)

    @property
    def is_exact(self) -> bool:
        """Whether the arithmetic can judge the job: silence pays the worker, and a rejection can be appealed."""
        return self.arbiter != EMPTY_ADDRESS

    @property
    def reopens(self) -> bool:
        """Whether a late worker is replaced for as long as the job may be claimed."""
        return bool(self.rates.flags & REOPENS)

    def price_at(self, time: int) -> int:
        """The price of a claim at ``time``, rounded down, in favour of the requester."""
        passed, ramp = max(0, time - self.schedule.posted_at), self.schedule.ramp
        if passed >= ramp:
            return self.price_ceiling
        return self.price_floor + (self.price_ceiling - self.price_floor) * passed // ramp

    def time_of_price(self, price: int) -> int | None:
        """When a claim is first paid at least ``price``; None where it never is."""
        if price > self.price_ceiling:
            return None
        if price <= self.price_floor:
            return self.schedule.posted_at
        rise = self.price_ceiling - self.price_floor
        return self.schedule.posted_at + -(-(price - self.price_floor) * self.schedule.ramp // rise)

    def compensation(self, price: int, taken: int) -> int:
        """What the requester receives out of ``taken`` stake: the price in stake tokens, at most half of what is taken."""
        return min(self.rates.ceiling_in_stake * price // self.price_ceiling, taken // 2)


def minimum_bond(price_ceiling: int, bond_rate: int) -> int:
    """The least bond that the escrow accepts, rounded up, against the worker."""
    return -(-price_ceiling * bond_rate // RATE_UNIT)


def request_hash(model_id: bytes, input_root: bytes) -> bytes:
    """What the terms keep of the request."""
    values = (bytes32(model_id, "model_id"), bytes32(input_root, "input_root"))
    return keccak(encode(["bytes32", "bytes32"], values))


def terms_hash(terms: JobTerms) -> bytes:
    """``JobEscrow.terms_hash``: the record of a job that waits for a worker."""
    return keccak(encode(TERMS_TYPES, terms.to_abi()))
