"""Whether a block can hold certain events, by the bloom filter in its header (Ethereum yellow paper, section 4.4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from eth_utils.crypto import keccak

BLOOM_BYTES: Final = 256


class LogFilter:
    """Events of any of some addresses with any of some first topics."""

    def __init__(self, addresses: Iterable[bytes], topics: Iterable[bytes]) -> None:
        self._addresses = [_bits(value) for value in addresses]
        self._topics = [_bits(value) for value in topics]

    def may_match(self, bloom: bytes) -> bool:
        """False only if the block holds no such event. Chains without blooms have them empty, which matches nothing."""
        bits = int.from_bytes(bloom, "big")
        return _any_in(bits, self._addresses) and _any_in(bits, self._topics)


def _any_in(bloom: int, masks: Sequence[int]) -> bool:
    return any(bloom & mask == mask for mask in masks)


def _bits(value: bytes) -> int:
    """The three bits of a value: each the low 11 bits of two bytes of its hash."""
    digest = keccak(value)
    mask = 0
    for position in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[position : position + 2], "big") % (8 * BLOOM_BYTES))
    return mask
