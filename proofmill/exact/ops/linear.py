"""Linear layers with integer weights and one fixed-point multiplier per output channel."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from proofmill.exact.ops.operands import (
    CARRIER_LIMIT,
    OPERAND_BITS,
    require,
    require_activation,
    require_operand,
    require_range,
)
from proofmill.exact.ops.scalar import rounding_shift, saturate

WEIGHT_LIMIT_E16: Final = 127
WEIGHT_LIMIT_E16X: Final = 127 * 128  # the greatest that is two balanced digits below 2^14: 256 · 64 - 128
MULTIPLIER_LIMIT: Final = (1 << 24) - 1
SHIFT_LEAST: Final = 18  # an exponent is at most 17, so every shift is at least 1
SHIFT_GREATEST: Final = 62


def within_reach(weight: Tensor, multiplier: Tensor, bias: Tensor, shift: int) -> Tensor:
    """For each channel, whether ``A_j c_j + (|b_j| + 1) 2^shift <= 2^53`` with ``A_j = 2^14 Σ_i |w_ji|``.

    weight [N, K], multiplier and bias [N] within the ranges of :func:`linear`, K <= 2^20; bool [N]. Compared
    by division, so that the test itself cannot overflow: ``(|b_j| + 1) <= 2^(53 - shift)`` first (which shift
    > 53 fails), then ``A_j <= floor((2^53 - (|b_j| + 1) 2^shift) / c_j)``.
    """
    if shift > 53:
        return torch.zeros_like(bias, dtype=torch.bool)
    offset = bias.abs() + 1
    fits = offset <= CARRIER_LIMIT >> shift
    room = CARRIER_LIMIT - (torch.where(fits, offset, 0) << shift)
    greatest = torch.div(room, multiplier, rounding_mode="floor")
    return fits & ((weight.abs().sum(1) << OPERAND_BITS) <= greatest)


def linear(q: Tensor, k: Tensor, weight: Tensor, multiplier: Tensor, bias: Tensor, shift: int) -> Tensor:
    """``y_j = sat(rsh(c_j * Σ_i q_i w_ji, shift - k) + b_j)`` on an operand with one exponent a row.

    q [M, K] and k [M, 1] from ``quantise(x, K)``; y [M, N]; weight w [N, K], ``|w| <= 127`` in profile E16 and
    16256 in E16x; multiplier c [N], ``1 <= c_j < 2^24``; bias b [N], an activation; ``18 <= shift <= 62``.
    With x in Q.f and y and b in Q.g the weight's real value is ``w_ji * c_j * 2^(f - g - shift)``.

    No overflow: ``A_j = 2^14 Σ_i |w_ji|`` bounds the accumulator, and the reach ``A_j c_j + (|b_j| + 1)
    2^shift <= 2^53`` is proved by the importer for every channel and checked here. It bounds the product, the
    product with the bias and the rounding half brought to its scale, and implies ``shift <= 53``. Source:
    integer-arithmetic-only inference with fixed-point multipliers (Jacob et al., 2018, section 2.2), per
    output channel.
    """
    require(
        weight.ndim == 2 and 1 <= weight.shape[1] <= 1 << 20, f"linear: weight of shape {tuple(weight.shape)}"
    )
    require_operand("linear", q, k, weight.shape[1], 1)
    outputs = (weight.shape[0],)
    require(
        tuple(multiplier.shape) == outputs and tuple(bias.shape) == outputs,
        f"linear: multiplier {tuple(multiplier.shape)} and bias {tuple(bias.shape)} must be {outputs}",
    )
    require_range("linear: weight", weight, -WEIGHT_LIMIT_E16X, WEIGHT_LIMIT_E16X)
    require_range("linear: multiplier", multiplier, 1, MULTIPLIER_LIMIT)
    require_activation("linear: bias", bias)
    require(
        SHIFT_LEAST <= shift <= SHIFT_GREATEST,
        f"linear: shift {shift}, expected {SHIFT_LEAST} to {SHIFT_GREATEST}",
    )
    proved = within_reach(weight, multiplier, bias, shift)
    require(
        bool(proved.all()),
        f"linear: the reach of channel {int((~proved).to(torch.int64).argmax())} exceeds 2^53",
    )
    accumulator = q @ weight.T
    return saturate(rounding_shift(accumulator * multiplier, shift - k) + bias)
