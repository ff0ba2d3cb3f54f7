"""Exact integer steps inside Triton kernels; each is the definition of the same name in ``proofmill.exact.ops``.

Triton reads these functions' source: module constants must be ``tl.constexpr``, and integer division truncates, so
every dividend here is made non-negative first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl

from proofmill.exact.ops.activation import ARGUMENT_LIMIT
from proofmill.exact.ops.operands import FRACTION_BITS, OPERAND_BITS, SATURATION
from proofmill.exact.ops.tabulated import VANISHING_POWER
from proofmill.exact.tables import EXP2_STEP_BITS, TABLE_FRACTION_BITS


def jit(function: Callable[..., Any]) -> Any:
    """``triton.jit`` with a type, so that decorated kernels can be checked."""
    return triton.jit(function)


SATURATED = tl.constexpr(SATURATION)
FRACTION = tl.constexpr(FRACTION_BITS)
OPERAND = tl.constexpr(OPERAND_BITS)
TABLE_FRACTION = tl.constexpr(TABLE_FRACTION_BITS)
ARGUMENT = tl.constexpr(ARGUMENT_LIMIT)
FRACTION_MASK = tl.constexpr((1 << FRACTION_BITS) - 1)
VANISHING = tl.constexpr(VANISHING_POWER)
VANISHING_DISTANCE = tl.constexpr(VANISHING_POWER << FRACTION_BITS)
REMAINDER_BITS = tl.constexpr(FRACTION_BITS - EXP2_STEP_BITS)
REMAINDER_MASK = tl.constexpr((1 << (FRACTION_BITS - EXP2_STEP_BITS)) - 1)
REMAINDER_HALF = tl.constexpr(1 << (FRACTION_BITS - EXP2_STEP_BITS - 1))


@jit
def rounding_shift(x: tl.tensor, shift: tl.tensor) -> tl.tensor:
    """``rsh`` of int64; the shift is int64 as well, 0 to 62."""
    one = tl.full(shift.shape, 1, tl.int64)
    return (x + ((one << shift) >> 1)) >> shift


@jit
def rounding_shift_by(x: tl.tensor, shift: tl.constexpr) -> tl.tensor:
    """``rsh`` of int64 by a constant from 0 to 62."""
    one = tl.full((), 1, tl.int64)
    return (x + ((one << shift) >> 1)) >> shift


@jit
def saturate(x: tl.tensor) -> tl.tensor:
    return tl.minimum(tl.maximum(x, -SATURATED), SATURATED)


@jit
def bit_length(x: tl.tensor) -> tl.tensor:
    """Of int64 in [0, 2^63), by halving: int64."""
    length = tl.zeros(x.shape, tl.int64)
    for step in tl.static_range(6):
        upper = x >> (32 >> step)
        length += tl.where(upper != 0, 32 >> step, 0)
        x = tl.where(upper != 0, upper, x)
    return length + x


@jit
def square_root(n: tl.tensor) -> tl.tensor:
    """``floor(sqrt(n))`` of int64 below 2^62: the float64 root is a guess within one, two comparisons settle it."""
    s = tl.sqrt(n.to(tl.float64)).to(tl.int64)
    s = tl.where(s * s > n, s - 1, s)
    return tl.where((s + 1) * (s + 1) <= n, s + 1, s)


@jit
def operand_exponent(greatest: tl.tensor) -> tl.tensor:
    """The exponent of a quantised group whose greatest magnitude is given as int64."""
    return tl.maximum(bit_length(greatest) - OPERAND, 0)


@jit
def negative_power_of_two(distance: tl.tensor, table: tl.tensor) -> tl.tensor:
    """2^-d in Q.24 of int64 d >= 0 in Q.16, from the 257 entries of the table: int32."""
    d = tl.minimum(distance, VANISHING_DISTANCE).to(tl.int32)
    whole = d >> FRACTION
    fraction = d & FRACTION_MASK
    index = fraction >> REMAINDER_BITS
    remainder = fraction & REMAINDER_MASK
    low = tl.load(table + index)
    high = tl.load(table + index + 1)
    mantissa = low + (((high - low) * remainder + REMAINDER_HALF) >> REMAINDER_BITS)
    return tl.where(whole >= VANISHING, 0, mantissa >> whole)


@jit
def interpolate_around_zero(
    x: tl.tensor, table: tl.tensor, limit: tl.constexpr, step_bits: tl.constexpr
) -> tl.tensor:
    """A table over [-limit, limit] at int64 x in Q.16: int64."""
    bits: tl.constexpr = FRACTION - step_bits
    edge: tl.constexpr = limit << FRACTION
    u = tl.minimum(tl.maximum(x + edge, 0), 2 * edge - 1).to(tl.int32)
    index = u >> bits
    remainder = u - (index << bits)
    low = tl.load(table + index).to(tl.int64)
    high = tl.load(table + index + 1).to(tl.int64)
    return low + rounding_shift_by((high - low) * remainder, bits)
