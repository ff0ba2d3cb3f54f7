"""The arithmetic of docs/EXACT.md on plain Python integers, as a contract computes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from proofmill.exact.tables import EXP2_TABLE, GUMBEL_TABLE, PHI_TABLE, SIGMA_TABLE

SATURATION: Final = (1 << 31) - 1
ARGUMENT_LIMIT: Final = 1 << 27
_MASK: Final = (1 << 64) - 1
_GAMMA: Final = 0x9E3779B97F4A7C15

_EXP2: Final[list[int]] = EXP2_TABLE.tolist()
_PHI: Final[list[int]] = PHI_TABLE.tolist()
_SIGMA: Final[list[int]] = SIGMA_TABLE.tolist()
_GUMBEL: Final[list[list[int]]] = GUMBEL_TABLE.tolist()


class FieldOutOfRange(Exception):
    """A committed number lies where no honest one can: a violation in itself."""


def require_shift(shift: int) -> None:
    """FieldOutOfRange for a shift that no honest witness leads to."""
    if not 0 <= shift <= 62:
        raise FieldOutOfRange(f"a shift by {shift}")


def rounding_shift(x: int, shift: int) -> int:
    """``rsh``; FieldOutOfRange for a shift that no honest witness leads to."""
    require_shift(shift)
    return (x + ((1 << shift) >> 1)) >> shift


def saturate(x: int) -> int:
    return max(-SATURATION, min(SATURATION, x))


def clamp(x: int) -> int:
    """To the arguments of the functions read from tables."""
    return max(-ARGUMENT_LIMIT, min(ARGUMENT_LIMIT, x))


def _interpolate(u: int, table: Sequence[int], bits: int) -> int:
    index, remainder = u >> bits, u & ((1 << bits) - 1)
    return table[index] + rounding_shift((table[index + 1] - table[index]) * remainder, bits)


def _around_zero(x: int, table: Sequence[int], limit: int) -> int:
    u = max(0, min((2 * limit << 16) - 1, x + (limit << 16)))
    return _interpolate(u, table, 10)


def gelu(x: int) -> int:
    x = clamp(x)
    return rounding_shift(x * _around_zero(x, _PHI, 8), 24)


def gated_silu(gate: int, up: int, shift: int) -> int:
    gate, up = clamp(gate), clamp(up)
    silu = rounding_shift(gate * _around_zero(gate, _SIGMA, 16), 24)
    return saturate(rounding_shift(silu * up, shift))


def negative_power_of_two(d: int) -> int:
    """``2^-d`` of d in Q.16, result in Q.24; FieldOutOfRange for a negative d, which a false maximum leads to."""
    if d < 0:
        raise FieldOutOfRange(f"a score {-d} above the maximum")
    whole = d >> 16
    return 0 if whole >= 25 else _interpolate(d & 0xFFFF, _EXP2, 8) >> whole


def _mix(z: int) -> int:
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK
    return z ^ z >> 31


def gumbel(seed: int, position: int, token: int) -> int:
    """The Gumbel variate of a token, Q.16."""
    row = _mix(seed + (position + 1) * _GAMMA & _MASK)
    bits = _mix(row + (token + 1) * _GAMMA & _MASK)
    v = max(bits & (_MASK >> 1), 1 << 23)
    b = v.bit_length()
    u = (b - 24 << 21) + (v >> b - 22) - (1 << 21)
    return _interpolate(u, _GUMBEL[bits >> 63], 16)
