"""The words between a worker and a member of the committee, as JSON over HTTP.

The worker asks, so it needs no open port. Every message names its window by the beacon's hash and is signed by a key that may
act for the operator; a member's nonce is signed by the member, so that others can see that a seed holds it.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from eth_abi.abi import encode
from eth_utils.address import is_checksum_address
from eth_utils.crypto import keccak
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from proofmill.chain.typed_data import committee_domain, typed_digest

MAXIMUM_DEVICES: Final = 16  # of an operator in one window: a report takes as many
MAXIMUM_SEGMENTS: Final = 4_096  # MOST_ROUNDS of a challenge, in segments
MAXIMUM_MEMBERS: Final = 31
#: Largest message except openings, which say their size by the challenge's parameters.
MAXIMUM_MESSAGE_BYTES: Final = 8 << 20
ECHOES: Final = 4

_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")


def _hex_of(count: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) != 2 + 2 * count or not _HEX.fullmatch(value):
            raise ValueError(f"{count} bytes as 0x and lower-case hex digits are expected")
        return value

    return AfterValidator(check)


def _checksummed(value: str) -> str:
    if not is_checksum_address(value):
        raise ValueError("a checksummed address is expected")
    return value


Word = Annotated[str, _hex_of(32)]
SignatureHex = Annotated[str, _hex_of(65)]
Address = Annotated[str, AfterValidator(_checksummed)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DeviceClaim(_Message):
    """A device that is to be measured: what it is called and which size of challenge it takes."""

    device_id: Word
    device_class: Literal[0, 1]
    size: str = Field(pattern=r"[a-z0-9-]{1,32}")
    memory_bytes: int = Field(ge=0, lt=1 << 64)


class Begin(_Message):
    """All devices of an operator begin in a window; once for each member."""

    beacon: Word
    operator: Address
    rules: Word
    devices: list[DeviceClaim] = Field(min_length=1, max_length=MAXIMUM_DEVICES)
    signature: SignatureHex


class Nonce(_Message):
    """A member's part of the seed. Its clock runs from the moment in which it says this."""

    member: Address
    nonce: Word
    echo: Word  # to be said back at once, for the round trip
    signature: SignatureHex


class Echo(_Message):
    """Says a token back; the answer is the next one."""

    beacon: Word
    operator: Address
    token: Word


class NextEcho(_Message):
    token: Word


class DeviceRoots(_Message):
    """The roots that a device came to, one after each segment, and the energy it says it took."""

    device_id: Word
    roots: list[Word] = Field(min_length=1, max_length=MAXIMUM_SEGMENTS)
    energy_millijoules: int | None = Field(default=None, ge=0, lt=1 << 53)


class Roots(_Message):
    """What all devices came to, with the nonces that their seeds hold, in the order of the committee."""

    beacon: Word
    operator: Address
    nonces: list[Nonce] = Field(min_length=1, max_length=MAXIMUM_MEMBERS)
    devices: list[DeviceRoots] = Field(min_length=1, max_length=MAXIMUM_DEVICES)
    signature: SignatureHex


class Accepted(_Message):
    """The member has it, so many milliseconds after the device began by its clock."""

    after_milliseconds: int = Field(ge=0)


class Opening(_Message):
    """Announces the opening of one device, which follows as bytes: the digest of these bytes, signed."""

    beacon: Word
    operator: Address
    device_id: Word
    proof: Word
    signature: SignatureHex


NONCE_TYPE: Final = "ChallengeNonce(bytes32 beacon,address operator,bytes32 devices,bytes32 nonce)"
WORD_TYPE: Final = "ChallengeMessage(string kind,bytes32 beacon,address operator,bytes32 content)"


def devices_digest(devices: list[DeviceClaim]) -> bytes:
    """Names the set of devices that begins, in the order given."""
    return keccak(b"".join(keccak(claim.model_dump_json().encode()) for claim in devices))


def nonce_digest(
    beacon: bytes, operator: str, devices: bytes, nonce: bytes, *, chain_id: int, committee: str
) -> bytes:
    """What a member signs of its nonce (EIP-712)."""
    values = (keccak(text=NONCE_TYPE), beacon, operator, devices, nonce)
    struct_hash = keccak(encode(["bytes32", "bytes32", "address", "bytes32", "bytes32"], values))
    return typed_digest(committee_domain(chain_id, committee), struct_hash)


def message_digest(
    kind: Literal["begin", "roots", "openings"],
    beacon: bytes,
    operator: str,
    content: bytes,
    *,
    chain_id: int,
    committee: str,
) -> bytes:
    """What a worker signs of a message (EIP-712); ``content`` is the digest of what it says."""
    values = (keccak(text=WORD_TYPE), keccak(text=kind), beacon, operator, content)
    struct_hash = keccak(encode(["bytes32", "bytes32", "bytes32", "address", "bytes32"], values))
    return typed_digest(committee_domain(chain_id, committee), struct_hash)


def roots_digest(nonces: list[Nonce], devices: list[DeviceRoots]) -> bytes:
    """Names what all devices came to, and with which nonces."""
    parts = [message.model_dump_json().encode() for message in (*nonces, *devices)]
    return keccak(b"".join(keccak(part) for part in parts))


def to_hex(value: bytes) -> str:
    """Bytes as they travel."""
    return "0x" + value.hex()


def from_hex(value: str) -> bytes:
    """Bytes from what was checked to be hex."""
    return bytes.fromhex(value[2:])
