"""Functions read from tables of integers, with linear interpolation between neighbouring entries."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from proofmill.exact.ops.operands import FRACTION_BITS, require_range
from proofmill.exact.ops.scalar import rounding_shift
from proofmill.exact.tables import (
    EXP2_STEP_BITS,
    EXP2_TABLE,
    PHI_LIMIT,
    PHI_STEP_BITS,
    PHI_TABLE,
    SIGMA_LIMIT,
    SIGMA_STEP_BITS,
    SIGMA_TABLE,
)

VANISHING_POWER: Final = 25  # 2^-25 and less is zero in Q.24


def interpolate(u: Tensor, table: Tensor, bits: int) -> Tensor:
    """``T[i] + rsh((T[i+1] - T[i]) r, bits)`` with ``i = u >> bits``, ``r = u mod 2^bits``.

    u >= 0 in units of 2^-bits of a table interval, below the table's end; entries are 32-bit, bits <= 30, so
    the product is below 2^63. Source: standard.
    """
    require_range("table argument", u, 0, ((len(table) - 1) << bits) - 1)
    entries = table.to(u.device)
    index, remainder = u >> bits, u & ((1 << bits) - 1)
    low, high = entries[index], entries[index + 1]
    return low + rounding_shift((high - low) * remainder, bits)


def _interpolate_around_zero(x: Tensor, table: Tensor, limit: int, step_bits: int) -> Tensor:
    """A table over [-limit, limit] at x in Q.16; arguments outside read the first point or the last but one."""
    u = (x + (limit << FRACTION_BITS)).clamp(0, ((2 * limit) << FRACTION_BITS) - 1)
    return interpolate(u, table, FRACTION_BITS - step_bits)


def normal_distribution(x: Tensor) -> Tensor:
    """The normal distribution function Φ of an activation in Q.16, result in Q.24, between 0 and 2^24.

    ``u = clamp(x + 8·2^16, 0, 2^20 - 1)``, interpolated with 10 bits in the table of Φ over [-8, 8] in steps
    of 2^-6, whose ends are 0 and 2^24. Source: standard.
    """
    return _interpolate_around_zero(x, PHI_TABLE, PHI_LIMIT, PHI_STEP_BITS)


def logistic(x: Tensor) -> Tensor:
    """The logistic function ``σ(x) = 1 / (1 + e^-x)`` of an activation in Q.16, result in Q.24, 2 to 2^24 - 2.

    ``u = clamp(x + 16·2^16, 0, 2^21 - 1)``, interpolated with 10 bits in the table of σ over [-16, 16] in
    steps of 2^-6. Source: standard.
    """
    return _interpolate_around_zero(x, SIGMA_TABLE, SIGMA_LIMIT, SIGMA_STEP_BITS)


def negative_power_of_two(d: Tensor) -> Tensor:
    """``2^-d`` for d >= 0 in Q.16, result in Q.24: between 0 and 2^24, and 2^24 exactly at d = 0.

    ``n = d >> 16``, ``f = d mod 2^16``: the table of 2^-f over [0, 1] in steps of 2^-8 interpolated at f with 8
    bits, then shifted right by n; 0 for n >= 25. Source: standard (range reduction in base 2).
    """
    require_range("negative exponent", d, 0, (1 << 63) - 1)
    whole = (d >> FRACTION_BITS).clamp(max=VANISHING_POWER)
    mantissa = interpolate(d & ((1 << FRACTION_BITS) - 1), EXP2_TABLE, FRACTION_BITS - EXP2_STEP_BITS)
    return torch.where(whole >= VANISHING_POWER, 0, mantissa >> whole)
