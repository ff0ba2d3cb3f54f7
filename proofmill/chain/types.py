"""What all values have in common that cross the seam between Python and the contracts, and their ABI form.

The values themselves are in ``terms``, ``records`` and ``reports``. Field order is that of the structs in
``contracts/interfaces``; a test compares it with the compiled ABIs. Values are checked when they are made, so that a wrong
width fails here and not in an encoder far from its cause.
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
        """Whether the money has moved. Only a conviction changes such a job: a completed one is then rejected."""
        return self >= JobState.COMPLETED


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


class AbiStruct:
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

    def normalise(self, *, addresses: str = "", words: str = "", numbers: str = "") -> None:
        """Checks the named fields; addresses become checksummed, byte strings plain."""
        for name in addresses.split():
            object.__setattr__(self, name, address(getattr(self, name), name))
        for name in words.split():
            object.__setattr__(self, name, bytes32(getattr(self, name), name))
        for name in numbers.split():
            unsigned(getattr(self, name), MAXIMUM_UINT256, name)
