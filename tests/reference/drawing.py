"""The choice of a token: greedy, or drawn with Gumbel variates."""

from __future__ import annotations

from collections.abc import Sequence

from tests.reference.function_tables import gumbel_tables
from tests.reference.scalars import read_table, record

WORD = 2**64
GOLDEN_GAMMA = 0x9E3779B97F4A7C15


def choose_greedy(logits: Sequence[int]) -> int:
    return logits.index(max(logits))


def mix_bits(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


def random_bits(seed: int, position: int, token: int) -> int:
    """Output ``token`` of the SplitMix64 generator seeded by output ``position`` of the one seeded by ``seed``."""
    row = mix_bits((seed + (position + 1) * GOLDEN_GAMMA) % WORD)
    return mix_bits((row + (token + 1) * GOLDEN_GAMMA) % WORD)


def gumbel(bits: int) -> int:
    side, v = divmod(bits, 2**63)
    v = max(v, 2**23)
    b = v.bit_length()
    u = (b - 24) * 2**21 + v // 2 ** (b - 22) - 2**21
    return read_table(gumbel_tables()[side], u, 16)


def choose(
    logits: Sequence[int], position: int, inverse_temperature: int, seed: int, fraction_bits: int
) -> int:
    values = [
        record(
            "choose value",
            logit * inverse_temperature + gumbel(random_bits(seed, position, j)) * 2**fraction_bits,
        )
        for j, logit in enumerate(logits)
    ]
    return choose_greedy(values)
