"""What one member saw a device do, signed: the evidence that a report's figures are recomputed from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak

from proofmill.chain.errors import InvalidValue
from proofmill.chain.typed_data import committee_domain, recover_digest_signer, sign_digest, typed_digest
from proofmill.chain.types import MAXIMUM_UINT64, AbiStruct, address, bytes32, unsigned

OBSERVATION_TYPE: Final = (
    "CapabilityObservation(bytes32 configDigest,bytes32 rulesDigest,uint64 window,bytes32 beacon,address operator,"
    "bytes32 deviceId,uint8 deviceClass,uint8 outcome,uint256 operationsPerSecond,uint256 memoryBytes,"
    "uint256 picojoulesPerOperation,uint64 observedAt)"
)
_TYPES: Final = (
    "bytes32",
    "bytes32",
    "uint64",
    "bytes32",
    "address",
    "bytes32",
    "uint8",
    "uint8",
    "uint256",
    "uint256",
    "uint256",
    "uint64",
)
MAXIMUM_OPERATIONS_PER_SECOND: Final = 2**96 - 1  # as the registry keeps it


class Outcome(IntEnum):
    """How a device fared in a window."""

    MEASURED = 1
    MISSING = 2  # it did not begin, sent no roots, or did not open
    LATE = 3
    WRONG = 4  # an opening is not what the roots and the definition say


@dataclass(frozen=True, slots=True)
class Observation(AbiStruct):
    """One device in one window by one member's clock. Figures are 0 unless measured; energy is 0 where it is not known.

    ``beacon`` is the hash of the window's first block: on another branch the same words mean nothing.
    """

    config_digest: bytes
    rules_digest: bytes
    window: int
    beacon: bytes
    operator: ChecksumAddress
    device_id: bytes
    device_class: int
    outcome: Outcome
    operations_per_second: int
    memory_bytes: int
    picojoules_per_operation: int
    observed_at: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "operator", address(self.operator, "operator"))
        for name in ("config_digest", "rules_digest", "beacon", "device_id"):
            object.__setattr__(self, name, bytes32(getattr(self, name), name))
        for name in ("window", "memory_bytes", "picojoules_per_operation", "observed_at"):
            unsigned(getattr(self, name), MAXIMUM_UINT64, name)
        unsigned(self.device_class, 1, "device_class")
        unsigned(self.operations_per_second, MAXIMUM_OPERATIONS_PER_SECOND, "operations_per_second")
        try:
            object.__setattr__(self, "outcome", Outcome(self.outcome))
        except ValueError:
            raise InvalidValue(
                f"no outcome has the number {self.outcome!r}", remedy="Give one of those of `Outcome`."
            ) from None
        if (self.outcome is Outcome.MEASURED) != (self.operations_per_second > 0):
            raise InvalidValue(
                f"an observation of {self.operations_per_second} operations per second is {self.outcome.name.lower()}",
                remedy="Give a speed exactly where one was measured.",
            )

    @property
    def about(self) -> tuple[bytes, bytes, int, bytes, ChecksumAddress, bytes]:
        """What observations that belong together have in common."""
        return (
            self.config_digest,
            self.rules_digest,
            self.window,
            self.beacon,
            self.operator,
            self.device_id,
        )

    def digest(self, chain_id: int, committee: str) -> bytes:
        """The EIP-712 digest that a member signs, in the domain of its committee."""
        struct_hash = keccak(encode(("bytes32", *_TYPES), (keccak(text=OBSERVATION_TYPE), *self.to_abi())))
        return typed_digest(committee_domain(chain_id, committee), struct_hash)


@dataclass(frozen=True, slots=True)
class SignedObservation:
    """An observation and its member's signature, 65 bytes r ‖ s ‖ v."""

    observation: Observation
    signature: bytes

    @classmethod
    def of(cls, observation: Observation, account: LocalAccount, chain_id: int, committee: str) -> Self:
        """Sign an observation."""
        return cls(observation, sign_digest(observation.digest(chain_id, committee), account))

    def signer(self, chain_id: int, committee: str) -> ChecksumAddress:
        """Whose key signed it; raises InvalidSignature."""
        return recover_digest_signer(self.observation.digest(chain_id, committee), self.signature)
