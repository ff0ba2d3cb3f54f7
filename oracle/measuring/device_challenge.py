"""What a session needs of the proof-of-compute, and nothing else of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eth_typing import ChecksumAddress


@dataclass(frozen=True, slots=True)
class ChallengeSize:
    """One size of challenge.

    ``operations``: int8 multiplications and additions of the whole run; ``memory_bytes``: without which it cannot be run in time.
    """

    name: str
    device_class: int
    operations: int
    memory_bytes: int
    segments: int
    deadline_seconds: float
    largest_proof_bytes: int


class DeviceChallenge(Protocol):
    """The definition of a challenge: :mod:`proofmill.capability`, or a smaller one of the same kind in tests."""

    def size(self, name: str) -> ChallengeSize | None:
        """The size of a name; None if there is none."""
        ...

    def seed(
        self,
        beacon: bytes,
        operator: ChecksumAddress,
        device_id: bytes,
        size: str,
        nonces: Sequence[tuple[int, bytes]],
    ) -> bytes:
        """The seed of one device, 32 bytes. ``nonces`` are pairs of a member's place and what it drew, in ascending order."""
        ...

    def problem_with(
        self, size: str, seed: bytes, roots: Sequence[bytes], sample: bytes, proof: bytes
    ) -> str | None:
        """What is wrong with an opening of the cells that ``sample`` draws, in words; None if nothing is."""
        ...
