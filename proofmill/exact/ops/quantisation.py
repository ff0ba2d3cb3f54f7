"""Activations as 15-bit operands of matrix products."""

from __future__ import annotations

from torch import Tensor

from proofmill.exact.ops.operands import (
    OPERAND_BITS,
    OPERAND_LIMIT,
    require,
    require_activation,
    require_range,
)
from proofmill.exact.ops.scalar import bit_length, rounding_shift


def quantise(x: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """15-bit operands with one power-of-two scale per ``group`` columns of a row: ``x ≈ q * 2^k``.

    Per group: ``k = max(0, bit_length(max |x_i|) - 14)``, ``q_i = rsh(x_i, k)``. For an activation 0 <= k <=
    17 and ``|q| <= 2^14`` (reached when the greatest element rounds up). x [..., W] in Q.f gives q [..., W]
    and k [..., W / group]. A linear operator reads rows with one exponent (group = W), attention one exponent
    per head (group = head size). Source: dynamic per-token quantisation (Yao et al., ZeroQuant, 2022, section
    4.1), with the scale restricted to powers of two so that neither a division nor a reciprocal is needed.
    """
    require(
        x.ndim >= 1 and group >= 1 and x.shape[-1] % group == 0,
        f"quantise: shape {tuple(x.shape)} does not split into groups of {group} columns",
    )
    require_activation("quantise: activation", x)
    groups = x.reshape(*x.shape[:-1], -1, group)
    k = (bit_length(groups.abs().amax(-1)) - OPERAND_BITS).clamp(min=0)
    return rounding_shift(groups, k[..., None]).flatten(-2), k


def split_digits(q: Tensor) -> tuple[Tensor, Tensor]:
    """Balanced radix-256 digits: the only (hi, lo) with ``q = 256 hi + lo`` and ``-128 <= lo <= 127``.

    For ``|q| <= 2^14``: ``|hi| <= 64``. Both digits are 8-bit integers, so a product of a 15-bit number with an
    8-bit one is two 8-bit products, ``q·w = 256 (hi·w) + lo·w``, and one of two 15-bit numbers is four. Source:
    balanced (signed-digit) radix representation (Knuth, TAOCP 2, section 4.1).
    """
    require_range("operand", q, -OPERAND_LIMIT, OPERAND_LIMIT)
    low = ((q + 128) & 255) - 128
    return (q - low) >> 8, low
