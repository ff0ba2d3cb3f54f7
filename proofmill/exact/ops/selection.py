"""The choice of a token: the greatest logit, or a draw from their softmax that anyone can repeat.

A draw adds to each scaled logit a Gumbel variate that depends on the seed, the position and the token only; the
greatest sum is distributed like the softmax (Gumbel, 1954; Maddison et al., A* Sampling, 2014, section 2). So a
claimed choice is refuted by showing two tokens, whatever the size of the vocabulary.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from proofmill.exact.ops.operands import FRACTION_BITS, require, require_activation, require_range
from proofmill.exact.ops.scalar import bit_length
from proofmill.exact.ops.tabulated import interpolate
from proofmill.exact.tables import GUMBEL_OCTAVES, GUMBEL_STEP_BITS, GUMBEL_TABLE

INVERSE_TEMPERATURE_BITS: Final = 16
INVERSE_TEMPERATURE_LIMIT: Final = 1 << 24
LOGIT_FRACTION_LIMIT: Final = 32
POSITION_LIMIT: Final = 1 << 32
GUMBEL_REMAINDER_BITS: Final = 16

GOLDEN_GAMMA: Final = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, made odd
MIX_MULTIPLIERS: Final = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
MIX_SHIFTS: Final = (30, 27, 31)


def choose_greedy(logits: Tensor) -> Tensor:
    """The lowest index of the greatest logit of each row: activations [R, V] give int64 [R]. Source: standard."""
    return _lowest_index_of_greatest(_logits(logits))


def choose(
    logits: Tensor,
    positions: Tensor,
    inverse_temperature: int,
    seed: int,
    fraction_bits: int = FRACTION_BITS,
) -> Tensor:
    """A token per row, drawn from softmax(inverse temperature · logits): activations [R, V] give int64 [R].

    ::

        value_rj = logit_rj · inverse_temperature + gumbel(seed, t_r, j) · 2^fraction_bits
        choice_r = the lowest j whose value is greatest

    logits in Q.fraction_bits (int32 or int64), 0 <= fraction_bits <= 32; ``0 < inverse_temperature <= 2^24`` in
    Q.16; both terms are then in Q.(fraction_bits + 16). positions t [R]: where the row stands in its sequence,
    counted from the first token of the prompt, 0 <= t < 2^32. 0 <= seed < 2^64. ``|logit · inverse temperature| <
    2^55``, ``|gumbel| < 2^21``, so values are below 2^56. The seed decides the draw: whoever picks it picks the
    text. Source: Gumbel-max sampling (Maddison et al., 2014, section 2).
    """
    logits = _logits(logits)
    require(
        0 < inverse_temperature <= INVERSE_TEMPERATURE_LIMIT,
        f"choose: inverse temperature {inverse_temperature}, expected 1 to 2^24",
    )
    require(0 <= fraction_bits <= LOGIT_FRACTION_LIMIT, f"choose: {fraction_bits} fraction bits")
    require(
        tuple(positions.shape) == (len(logits),),
        f"choose: positions of shape {tuple(positions.shape)} for {len(logits)} rows",
    )
    tokens = torch.arange(logits.shape[1], dtype=torch.int64, device=logits.device)
    noise = gumbel(random_bits(seed, positions[:, None], tokens))
    return _lowest_index_of_greatest(logits * inverse_temperature + (noise << fraction_bits))


def random_bits(seed: int, positions: Tensor, tokens: Tensor) -> Tensor:
    """64 random bits for each position and token, as int64 in two's complement; broadcasts.

    ::

        mix(z):  z ^= z >> 30;  z *= 0xBF58476D1CE4E5B9;  z ^= z >> 27;  z *= 0x94D049BB133111EB;  z ^= z >> 31
        bits = mix(mix(seed + (t + 1) γ) + (j + 1) γ),  γ = 0x9E3779B97F4A7C15,  all modulo 2^64

    That is: output t of SplitMix64 seeds another SplitMix64, whose output j is taken. ``0 <= seed < 2^64``, positions
    and tokens in [0, 2^32). It mixes well and is not cryptographic. Source: Steele, Lea and Flood, Fast Splittable
    Pseudorandom Number Generators, 2014, section 4, with Stafford's mix 13.
    """
    require(0 <= seed < 1 << 64, f"seed {seed}, expected 0 to 2^64 - 1")
    require_range("position of a draw", positions, 0, POSITION_LIMIT - 1)
    require_range("token of a draw", tokens, 0, POSITION_LIMIT - 1)
    gamma = _as_signed(GOLDEN_GAMMA)
    row = _mix((positions + 1) * gamma + _as_signed(seed))
    return _mix(row + (tokens + 1) * gamma)


def gumbel(bits: Tensor) -> Tensor:
    """A standard Gumbel variate in Q.16 from 64 random bits, ``-ln(-ln(uniform))``.

    The first bit picks the side of the median, the others are v, 63 bits, and ``w = v / 2^64`` is the distance of the
    uniform number from the end of that side (upper for bit 0)::

        v = max(v, 2^23);  b = bit_length(v)                     24 <= b <= 63
        u = (b - 24) 2^21 + floor(v / 2^(b - 22)) - 2^21         octave, 5 bits of index, 16 of remainder
        gumbel = interpolate(u, table of the side, 16 bits)

    So both tails keep their relative precision down to w = 2^-41, where they end: results are within ±2^21. Linear
    interpolation is off by at most 2^-5·2/8 squared, 1.3e-4. Source: standard (tabulated inverse distribution).
    """
    require(bits.dtype == torch.int64, f"gumbel: type {bits.dtype}, expected int64")
    least = 64 - GUMBEL_OCTAVES
    v = (bits & ((1 << 63) - 1)).clamp(min=1 << (least - 1))
    b = bit_length(v)
    kept = GUMBEL_STEP_BITS + GUMBEL_REMAINDER_BITS
    u = ((b - least) << kept) + (v >> (b - 1 - kept)) - (1 << kept)
    upper, lower = (interpolate(u, table, GUMBEL_REMAINDER_BITS) for table in GUMBEL_TABLE)
    return torch.where(bits >= 0, upper, lower)


def _mix(z: Tensor) -> Tensor:
    """Stafford's mix 13 on int64 taken as unsigned: torch multiplies and adds modulo 2^64."""
    for shift, factor in zip(MIX_SHIFTS, (*MIX_MULTIPLIERS, 1), strict=True):
        z = (z ^ ((z >> shift) & ((1 << (64 - shift)) - 1))) * _as_signed(factor)
    return z


def _as_signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _logits(logits: Tensor) -> Tensor:
    require(logits.ndim == 2 and logits.shape[1] <= POSITION_LIMIT, f"logits of shape {tuple(logits.shape)}")
    wide = logits.to(torch.int64) if logits.dtype == torch.int32 else logits
    require_activation("logits", wide)
    return wide


def _lowest_index_of_greatest(values: Tensor) -> Tensor:
    count = values.shape[1]
    indices = torch.arange(count, dtype=torch.int64, device=values.device)
    return torch.where(values == values.amax(1, keepdim=True), indices, count).amin(1)
