"""Rows brought to one length: layer norm, and RMS norm, which leaves the mean in.

Both cancel the scale of their input, so any fraction bits will do there; only epsilon depends on them.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor

from proofmill.exact.ops.operands import FRACTION_BITS, require, require_activation, require_range
from proofmill.exact.ops.scalar import (
    bit_length,
    floor_divide,
    integer_square_root,
    rounding_shift,
    saturate,
)

GAMMA_BITS: Final = 14  # fraction bits of a norm's gain
NORM_BITS: Final = 20  # bits a row keeps; also fraction bits of the constant sqrt(size)
NORM_RECIPROCAL_BITS: Final = 35
NORM_SIZE_LIMIT: Final = 1 << 13


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: int, root: int) -> Tensor:
    """Layer normalisation of rows of D values, with one integer root and one division per row.

    ::

        µ = floor((2 Σx + D) / 2D)            c = x - µ          |c| <= 2^32

    and then as :func:`rms_norm` from c. x, y [M, D], x in Q.f, y in Q.16; gamma [D] in Q.14, |gamma| < 2^24;
    beta [D] in Q.16; ``epsilon = floor(D eps 2^(2f))``; ``root = round(sqrt(D) 2^20)``; D <= 2^13. Source:
    layer normalisation (Ba et al., 2016, section 3); integer form with a Newton-free exact root is ours.
    """
    _require_norm("layer norm", x, gamma, beta, epsilon, root)
    size = x.shape[-1]
    mean = (2 * x.sum(-1, keepdim=True) + size).div(2 * size, rounding_mode="floor")
    return _to_unit_rows(x - mean, gamma, beta, epsilon, root)


def rms_norm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: int, root: int) -> Tensor:
    """Normalisation of rows of D values by their root mean square.

    With c = x, ``|c| < 2^31``::

        h = max(0, bit_length(max |c|) - 20)  c' = rsh(c, h)     |c'| <= 2^20; h <= 13 (11 without a mean)
        V = max(1, Σ c'² + (epsilon >> 2h))                      V <= D 2^40 + epsilon < 2^54
        t = (62 - bit_length(V)) >> 1         s = isqrt(V 4^t)   2^30 <= s < 2^31; 4 <= t <= 30
        R = floor(root 2^35 / s)              with root = round(sqrt(D) 2^20), so root 2^35 < 2^62
        n = rsh(c' R, 39 - t)                 |c' R| <= sqrt(D) 2^45 < 2^52; |n| <= sqrt(D) 2^16 + 2, in Q.16
        y = sat(rsh(n gamma, 14) + beta)      |n gamma| < 2^47

    Shapes and formats as in :func:`layer_norm`; Llama models have beta = 0. The shift h cancels: c' and
    sqrt(V) carry the same factor 2^-h. ``|n|`` is as stated because s >= |c'| 2^t. Source: root mean square
    layer normalisation (Zhang and Sennrich, 2019, section 4).
    """
    _require_norm("rms norm", x, gamma, beta, epsilon, root)
    return _to_unit_rows(x, gamma, beta, epsilon, root)


def _to_unit_rows(centred: Tensor, gamma: Tensor, beta: Tensor, epsilon: int, root: int) -> Tensor:
    drop = (bit_length(centred.abs().amax(-1, keepdim=True)) - NORM_BITS).clamp(min=0)
    centred = rounding_shift(centred, drop)
    scaled_epsilon = drop.new_full(drop.shape, epsilon) >> (2 * drop)
    variance = ((centred * centred).sum(-1, keepdim=True) + scaled_epsilon).clamp(min=1)
    lift = (62 - bit_length(variance)) >> 1
    deviation = integer_square_root(variance << (2 * lift))
    reciprocal = floor_divide(root << NORM_RECIPROCAL_BITS, deviation)
    shift = NORM_BITS + NORM_RECIPROCAL_BITS - FRACTION_BITS - lift
    normalised = rounding_shift(centred * reciprocal, shift)
    return saturate(rounding_shift(normalised * gamma, GAMMA_BITS) + beta)


def _require_norm(name: str, x: Tensor, gamma: Tensor, beta: Tensor, epsilon: int, root: int) -> None:
    require(x.ndim == 2 and 1 <= x.shape[1] <= NORM_SIZE_LIMIT, f"{name}: shape {tuple(x.shape)}")
    size = x.shape[1]
    require(
        tuple(gamma.shape) == (size,) and tuple(beta.shape) == (size,),
        f"{name}: gain {tuple(gamma.shape)} or offset {tuple(beta.shape)} of another size than {size}",
    )
    require_activation(f"{name}: input", x)
    require_range(f"{name}: gamma", gamma, 1 - (1 << 24), (1 << 24) - 1)
    require_activation(f"{name}: beta", beta)
    require(0 <= epsilon < 1 << 52, f"{name}: epsilon {epsilon}, expected 0 to 2^52 - 1")
    # root = round(sqrt(D) 2^20) if and only if root² is within root of D 2^40.
    require(
        root > 0 and abs(root * root - (size << (2 * NORM_BITS))) <= root,
        f"{name}: root {root} for size {size}",
    )
