"""What operators work on: the formats of numbers, and the refusal of everything outside them.

All tensors of the definition are int64, whatever narrower type holds the same integers elsewhere, so that no
intermediate can wrap: every one of them is proved below 2^63. ``Q.f`` is an integer read as a multiple of 2^-f.

The definition runs on the CPU: elsewhere torch has no int64 matrix product, and the fast kernels stand in for it.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from proofmill.exact.errors import InvalidOperand

FRACTION_BITS: Final = (
    16  # of an activation whose fraction is fixed: norms' outputs, scores, arguments of tables
)
SATURATION: Final = (1 << 31) - 1  # greatest magnitude of an activation
OPERAND_BITS: Final = 14  # a quantised operand lies in [-2^14, 2^14]
OPERAND_LIMIT: Final = 1 << OPERAND_BITS
EXPONENT_LIMIT: Final = 17  # greatest exponent of an operand: an activation has 31 bits, 14 remain
CARRIER_LIMIT: Final = 1 << 53  # integers up to here are exact in float64


def require(condition: bool, message: str) -> None:
    """Refuse an operand with ``message`` unless ``condition`` holds."""
    if not condition:
        raise InvalidOperand(
            message, remedy="Give the operator what its definition asks for; see docs/EXACT.md."
        )


def require_range(name: str, x: Tensor, low: int, high: int) -> None:
    """Refuse ``x`` unless it is a non-empty int64 tensor with all entries in [low, high]."""
    require(x.dtype == torch.int64, f"{name} has type {x.dtype}, expected int64")
    require(x.numel() > 0, f"{name} is empty: shape {tuple(x.shape)}")
    extremes = torch.aminmax(x)
    least, greatest = int(extremes.min), int(extremes.max)
    require(
        low <= least and greatest <= high,
        f"{name} has values in [{least}, {greatest}], expected [{low}, {high}]",
    )


def require_activation(name: str, x: Tensor) -> None:
    """Refuse ``x`` unless its entries lie within ±(2^31 - 1)."""
    require_range(name, x, -SATURATION, SATURATION)


def require_operand(name: str, q: Tensor, k: Tensor, columns: int, groups: int) -> None:
    """Refuse a quantised operand unless q is [M, columns] within ±2^14 and k is [M, groups] in [0, 17]."""
    require(
        q.ndim == 2 and q.shape[1] == columns and tuple(k.shape) == (len(q), groups),
        f"{name}: operand {tuple(q.shape)} with exponents {tuple(k.shape)}, "
        f"expected {columns} columns and {groups} exponents a row",
    )
    require_range(f"{name}: operand", q, -OPERAND_LIMIT, OPERAND_LIMIT)
    require_range(f"{name}: exponent", k, 0, EXPONENT_LIMIT)
