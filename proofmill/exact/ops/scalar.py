"""Elementwise integer arithmetic that every other operator is made of."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from proofmill.exact.ops.operands import SATURATION, require_range

SQUARE_ROOT_LIMIT: Final = 1 << 62


def rounding_shift(x: Tensor, shift: int | Tensor) -> Tensor:
    """``rsh(x, s) = floor((x + floor(2^s / 2)) / 2^s)``: divide by 2^s, round halves up; ``rsh(x, 0) = x``.

    Elementwise with broadcasting, 0 <= s <= 62 and ``|x| + 2^(s-1) < 2^63``. The one rounding rule of the
    arithmetic. Source: standard (add half, arithmetic shift).
    """
    s = torch.as_tensor(shift, dtype=torch.int64, device=x.device)
    require_range("shift", s, 0, 62)
    half = (torch.ones_like(s) << s) >> 1
    room = (1 << 63) - 1 - int(half.max())
    require_range("shifted value", x, -room - 1, room)
    return (x + half) >> s


def saturate(x: Tensor) -> Tensor:
    """``sat(x) = max(-(2^31 - 1), min(2^31 - 1, x))``: symmetric clamp to an activation. Source: standard."""
    return x.clamp(-SATURATION, SATURATION)


def bit_length(x: Tensor) -> Tensor:
    """The number of binary digits of ``0 <= x < 2^63``; 0 for 0. Found by halving. Source: standard."""
    require_range("value", x, 0, (1 << 63) - 1)
    length = torch.zeros_like(x)
    for step in (32, 16, 8, 4, 2, 1):
        high = x >> step
        length += torch.where(high > 0, step, 0)
        x = torch.where(high > 0, high, x)
    return length + x


def integer_square_root(n: Tensor) -> Tensor:
    """``floor(sqrt(n))`` for ``0 <= n < 2^62``: the only s >= 0 with ``s^2 <= n < (s + 1)^2``.

    The float64 root is only a guess, within one of s because rounding n and its root moves a value below 2^31
    by less than 2^-20; two integer comparisons settle it on any hardware. Squares stay below (2^31 + 1)^2 <
    2^63. Source: standard.
    """
    require_range("radicand", n, 0, SQUARE_ROOT_LIMIT - 1)
    s = n.to(torch.float64).sqrt().to(torch.int64)
    s = torch.where(s * s > n, s - 1, s)
    return torch.where((s + 1) * (s + 1) <= n, s + 1, s)


def floor_divide(numerator: int, divisor: Tensor) -> Tensor:
    """``floor(numerator / d)`` elementwise, ``0 <= numerator < 2^63`` and d >= 1. Source: standard."""
    require_range("divisor", divisor, 1, (1 << 63) - 1)
    return torch.div(torch.full_like(divisor, numerator), divisor, rounding_mode="floor")
