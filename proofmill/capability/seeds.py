"""The seed of a device: what it is bound to, and the keys that follow from it.

Everything is laid out in 32-byte words, so that a contract can hash the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from proofmill.capability.errors import InvalidChallenge
from proofmill.exact.commitment.keccak import keccak256

SEED_DOMAIN: Final = keccak256(b"proofmill.capability.seed.1")
KEY_DOMAIN: Final = keccak256(b"proofmill.capability.key.1")
MOST_NONCES: Final = 256

#: A generator's key: two 64-bit words.
Key = tuple[int, int]


class Encodable(Protocol):
    """Parameters of any kind of challenge."""

    def encode(self) -> bytes: ...


@dataclass(frozen=True)
class Nonce:
    """What one member of the committee drew for this operator in this window."""

    member: int  # its place in the committee
    value: bytes  # 32 bytes


@dataclass(frozen=True)
class Binding:
    """Who is challenged, where and when. Nonces are in ascending order of their members, each member once.

    Raises:
        InvalidChallenge: a field has the wrong length or range, or the nonces are none, repeated or out of order.
    """

    chain_id: int
    beacon: bytes  # 32 bytes: the hash of the window's beacon block
    operator: bytes  # 20 bytes: an address
    device: bytes  # 32 bytes: the device's id in the registry
    nonces: tuple[Nonce, ...]

    def __post_init__(self) -> None:
        lengths = (("beacon", self.beacon, 32), ("operator", self.operator, 20), ("device", self.device, 32))
        for field, value, length in lengths:
            _require_bytes(field, value, length)
        if not 0 < self.chain_id < 1 << 256:
            raise InvalidChallenge(f"chain id {self.chain_id}", remedy="Pass the id of the registry's chain.")
        members = [nonce.member for nonce in self.nonces]
        if not 1 <= len(members) <= MOST_NONCES or members != sorted(set(members)) or members[0] < 0:
            raise InvalidChallenge(
                f"nonces of members {members}",
                remedy=f"Pass 1 to {MOST_NONCES} nonces in ascending order of their members, each member once.",
            )
        for nonce in self.nonces:
            _require_bytes(f"nonce of member {nonce.member}", nonce.value, 32)

    def seed(self, parameters: Encodable) -> bytes:
        """The 32-byte seed of the device for a challenge of these parameters."""
        words = [
            SEED_DOMAIN,
            self.chain_id.to_bytes(32, "big"),
            self.beacon,
            self.operator.rjust(32, b"\0"),
            self.device,
            keccak256(parameters.encode()),
            len(self.nonces).to_bytes(32, "big"),
        ]
        for nonce in self.nonces:
            words += [nonce.member.to_bytes(32, "big"), nonce.value]
        return keccak256(b"".join(words))


def derive_key(seed: bytes, purpose: str, index: int = 0) -> Key:
    """The key of one generator of a challenge: the first 16 bytes of a hash, as two big-endian words."""
    _require_bytes("seed", seed, 32)
    digest = keccak256(KEY_DOMAIN + seed + keccak256(purpose.encode()) + index.to_bytes(32, "big"))
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")


def _require_bytes(field: str, value: bytes, length: int) -> None:
    if type(value) is not bytes or len(value) != length:
        raise InvalidChallenge(
            f"{field}: {type(value).__name__} of {len(value)} bytes", remedy=f"Pass {length} bytes."
        )
