"""Exact integer steps on machine numbers, shared by the portable kernels.

Float64 holds integers only where their bound is at most 2^53; multiplying by a power of two and ``floor(x + 1/2)``
are then exact, so they are the arithmetic's ``rsh``. Everything else stays in int32 or int64.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from proofmill.exact.ops.activation import ARGUMENT_LIMIT, gelu
from proofmill.exact.ops.operands import FRACTION_BITS, OPERAND_BITS
from proofmill.exact.ops.tabulated import VANISHING_POWER, logistic, negative_power_of_two
from proofmill.exact.tables import PHI_LIMIT, SIGMA_LIMIT

GELU_EDGE = PHI_LIMIT << FRACTION_BITS  # from here on gelu(x) = x, below its negative gelu(x) = 0
LOGISTIC_EDGE = SIGMA_LIMIT << FRACTION_BITS
VANISHING_DISTANCE = VANISHING_POWER << FRACTION_BITS  # 2^-d is 0 in Q.24 from here on


def power_of_two(exponent: Tensor) -> Tensor:
    """2^exponent as float64 for integral -1000 <= exponent <= 1000, assembled from its bit pattern: exact anywhere."""
    return ((exponent.to(torch.int64) + 1023) << 52).view(torch.float64)


def bit_length(x: Tensor) -> Tensor:
    """``ops.bit_length`` of non-negative integral values below 2^53 in any type: float64's exponent; int32."""
    return torch.frexp(x.to(torch.float64)).exponent


def wide_bit_length(x: Tensor) -> Tensor:
    """``ops.bit_length`` of int64 values below 2^62: the exponent is one too great where x rounds up to a power."""
    guess = torch.frexp(x.to(torch.float64)).exponent.to(torch.int64)
    too_great = (torch.ones_like(x) << (guess - 1).clamp_(min=0)) > x
    return (guess - too_great.to(torch.int64)).clamp_(min=0)


def rounding_shift(x: Tensor, shift: int | Tensor) -> Tensor:
    """``ops.rounding_shift`` of int64 without its range checks."""
    if isinstance(shift, int):
        return (x + ((1 << shift) >> 1)) >> shift
    return (x + ((torch.ones_like(shift) << shift) >> 1)) >> shift


def square_root(n: Tensor) -> Tensor:
    """``ops.integer_square_root`` of int64 below 2^62 without its range check."""
    s = n.to(torch.float64).sqrt_().to(torch.int64)
    s = torch.where(s * s > n, s - 1, s)
    return torch.where((s + 1) * (s + 1) <= n, s + 1, s)


def inverse_square_root(energy: Tensor, numerator: int) -> tuple[Tensor, Tensor]:
    """``(floor(numerator / isqrt(V 4^t)), t)`` with ``t = (62 - bit_length(V)) >> 1``, for int64 ``1 <= V < 2^62``."""
    lift = (62 - wide_bit_length(energy)) >> 1
    root = square_root(energy << (2 * lift))
    return torch.div(torch.full_like(root, numerator), root, rounding_mode="floor"), lift


def quantise_groups(x: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """``ops.quantise`` of int32 rows [M, W]: int16 [M, W] and uint8 [M, W / group].

    32 bits suffice: for k >= 1 ``rsh(x, k) = ((x >> (k - 1)) + 1) >> 1``, and k = 1 only where ``|x| < 2^15``.
    """
    groups = x.view(x.shape[0], -1, group)
    greatest = torch.maximum(groups.amax(-1, keepdim=True), -groups.amin(-1, keepdim=True))
    k = (bit_length(greatest) - OPERAND_BITS).clamp_(min=0)
    half = (k > 0).to(torch.int32)
    q = ((groups >> (k - half)).add_(half)).bitwise_right_shift_(half)
    return q.to(torch.int16).view(x.shape), k.squeeze(-1).to(torch.uint8)


@functools.cache
def gelu_table(device: torch.device) -> Tensor:
    """gelu of every Q.16 value in [-8, 8), by the definition itself: 2^20 int32 entries, 4 MiB."""
    x = torch.arange(-GELU_EDGE, GELU_EDGE, dtype=torch.int64)
    return gelu(x).to(torch.int32).to(device)


@functools.cache
def logistic_table(device: torch.device) -> Tensor:
    """The logistic function of every Q.16 value in [-16, 16): 2^21 int32 entries, 8 MiB."""
    x = torch.arange(-LOGISTIC_EDGE, LOGISTIC_EDGE, dtype=torch.int64)
    return logistic(x).to(torch.int32).to(device)


@functools.cache
def power_table(device: torch.device) -> Tensor:
    """2^-d in Q.24 for every Q.16 value of d below 25, and the 0 that follows: int32, 6.6 MB."""
    d = torch.arange(VANISHING_DISTANCE + 1, dtype=torch.int64)
    return negative_power_of_two(d).to(torch.int32).to(device)


def look_up(table: Tensor, index: Tensor) -> Tensor:
    """``table[index]`` for an int32 index of any shape."""
    return table.index_select(0, index.reshape(-1)).view(index.shape)


def gelu_by_table(x: Tensor) -> Tensor:
    """``ops.gelu`` of int32 by one look-up: outside the table gelu is 0 on the left and x on the right; int32."""
    x = x.clamp(-ARGUMENT_LIMIT, ARGUMENT_LIMIT)
    y = look_up(gelu_table(x.device), x.clamp(-GELU_EDGE, GELU_EDGE - 1).add_(GELU_EDGE))
    # The last entry is gelu(8 - 2^-16) = 8 - 2^-16, so what exceeds that argument is added unchanged.
    return y.add_(x.clamp_(min=GELU_EDGE - 1).sub_(GELU_EDGE - 1))


def gated_silu_by_table(x: Tensor, shift: int) -> Tensor:
    """``ops.gated_silu`` of int32 [M, 2F]: int64 [M, F], not yet saturated; products reach 2^54, beyond float64."""
    gate, up = x.clamp(-ARGUMENT_LIMIT, ARGUMENT_LIMIT).chunk(2, dim=-1)
    index = gate.clamp(-LOGISTIC_EDGE, LOGISTIC_EDGE - 1).add_(LOGISTIC_EDGE)
    wide = gate.to(torch.int64)
    silu = wide.mul_(look_up(logistic_table(x.device), index)).add_(1 << 23).bitwise_right_shift_(24)
    return silu.mul_(up).add_((1 << shift) >> 1).bitwise_right_shift_(shift)
