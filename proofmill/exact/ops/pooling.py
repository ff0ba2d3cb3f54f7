"""Several rows made one: the mean of a sequence, and the windows of an image."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from proofmill.exact.ops.image import windows
from proofmill.exact.ops.operands import require, require_activation
from proofmill.exact.ops.scalar import (
    SQUARE_ROOT_LIMIT,
    bit_length,
    floor_divide,
    integer_square_root,
    rounding_shift,
)

UNIT_BITS: Final = 24  # fraction bits of a unit vector's components, and bits a sum of rows keeps


def unit_mean(x: Tensor) -> Tensor:
    """The unit vector along the mean of a sequence's rows: [T, D] in any fraction gives [1, D] in Q.24.

    ::

        s = Σ_t x_t                                     the mean's direction; its length does not matter; |s| < 2^51
        h = max(0, bit_length(max |s|) - 24)            s' = rsh(s, h)          |s'| <= 2^24
        V = max(1, Σ s'²)                               V <= D 2^48 < 2^61 for D <= 2^13 - 1
        t = (62 - bit_length(V)) >> 1                   r = isqrt(V 4^t)        2^30 <= r < 2^31
        R = floor(2^62 / r)                             2^31 < R <= 2^32
        y = rsh(s' R, 38 - t)                           |s' R| <= 2^56, |y| <= 2^24 + 1; 8 <= 38 - t <= 38

    T <= 2^20. A sequence whose rows sum to zero gives zeros. Source: mean pooling (Reimers and Gurevych, 2019, section 3).
    """
    require(x.ndim == 2 and 1 <= x.shape[1] < 1 << 13, f"unit mean: shape {tuple(x.shape)}")
    require(len(x) <= 1 << 20, f"unit mean: {len(x)} rows")
    require_activation("unit mean: input", x)
    total = x.sum(0, keepdim=True)
    drop = (bit_length(total.abs().amax(-1, keepdim=True)) - UNIT_BITS).clamp(min=0)
    total = rounding_shift(total, drop)
    energy = (total * total).sum(-1, keepdim=True).clamp(min=1)
    lift = (62 - bit_length(energy)) >> 1
    length = integer_square_root(energy << (2 * lift))
    return rounding_shift(total * floor_divide(SQUARE_ROOT_LIMIT, length), 62 - UNIT_BITS - lift)


def max_pool(x: Tensor, height: int, width: int, channels: int, size: int, stride: int) -> Tensor:
    """The greatest of ``size`` x ``size`` positions, per channel, for every window that lies inside the image.

    x [height · width, channels], any fraction; gives [outputs, channels], windows row by row; there are
    ``floor((height - size) / stride) + 1`` rows of them. Source: standard.
    """
    return windows("max pool", x, height, width, channels, size, stride, 0).amax(1)


def average_pool(x: Tensor, height: int, width: int, channels: int, size: int, stride: int) -> Tensor:
    """``floor((2 Σ + n) / 2n)`` over the n = size² positions of a window: the mean, halves upward.

    Shapes as in :func:`max_pool`; n <= 2^20, so ``|2 Σ| < 2^52``. Source: standard.
    """
    require(1 <= size <= 1 << 10, f"average pool: windows of {size}")
    count = size * size
    total = windows("average pool", x, height, width, channels, size, stride, 0).sum(1)
    return torch.div(2 * total + count, 2 * count, rounding_mode="floor")
