"""The nonlinear functions between linear layers, elementwise."""

from __future__ import annotations

from typing import Final

from torch import Tensor

from proofmill.exact.ops.operands import require, require_activation
from proofmill.exact.ops.scalar import rounding_shift, saturate
from proofmill.exact.ops.tabulated import logistic, normal_distribution
from proofmill.exact.tables import TABLE_FRACTION_BITS

ARGUMENT_LIMIT: Final = 1 << 27  # 2048 in Q.16: a product with a Q.24 table entry stays within 2^51


def gelu(x: Tensor) -> Tensor:
    """``gelu(x) = rsh(x Φ(x), 24)``, the exact (not the tanh) form, x clamped to ±2^27 first; Q.16 to Q.16.

    ``|x Φ| <= 2^51``. Multiplying by x keeps the relative precision near 0. Source: Hendrycks and Gimpel,
    2016, section 2.
    """
    require_activation("gelu: input", x)
    x = x.clamp(-ARGUMENT_LIMIT, ARGUMENT_LIMIT)
    return rounding_shift(x * normal_distribution(x), TABLE_FRACTION_BITS)


def relu(x: Tensor) -> Tensor:
    """``max(x, 0)``, any fraction. Source: Nair and Hinton, 2010, section 2."""
    require_activation("relu: input", x)
    return x.clamp(min=0)


def gated_silu(x: Tensor, shift: int) -> Tensor:
    """``silu(gate) * up`` of rows [..., 2F] that hold gate and up side by side; gives [..., F].

    ::

        g, u = gate, up clamped to ±2^27
        s = rsh(g σ(g), 24)              |g σ| < 2^51, |s| <= 2^27, Q.16
        y = sat(rsh(s u, shift))         |s u| <= 2^54

    The gate is in Q.16; up in Q.f and y in Q.g give ``shift = 16 + f - g``, 0 to 62. Source: SwiGLU (Shazeer, 2020,
    section 2).
    """
    require(
        x.ndim >= 1 and x.shape[-1] >= 2 and x.shape[-1] % 2 == 0,
        f"gated silu: shape {tuple(x.shape)} is not a gate beside an up part",
    )
    require(0 <= shift <= 62, f"gated silu: shift {shift}, expected 0 to 62")
    require_activation("gated silu: input", x)
    gate, up = x.clamp(-ARGUMENT_LIMIT, ARGUMENT_LIMIT).chunk(2, dim=-1)
    silu = rounding_shift(gate * logistic(gate), TABLE_FRACTION_BITS)
    return saturate(rounding_shift(silu * up, shift))
