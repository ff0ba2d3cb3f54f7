"""What is checked before memory is handed to compiled code: types, shapes, layout, and every index.

Ranges of values are not: an activation is saturated and an operand within ±2^14 by construction, and a number outside
makes a wrong answer, never an access outside a tensor.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from proofmill.exact.errors import InvalidOperand
from proofmill.exact.kernels.interface import AttentionShape, Form, Operand, Segment
from proofmill.exact.ops.operands import CARRIER_LIMIT, OPERAND_BITS

HEAD_SIZE_LIMIT = 256
LENGTH_LIMIT = 1 << 24
#: Half of the last bit that rounding adds to a score, in units of its product.
SCORE_HALF = 1 << 35


def require(condition: bool, message: str) -> None:
    """Refuse an operand with ``message`` unless ``condition`` holds."""
    if not condition:
        raise InvalidOperand(
            message, remedy="Give the kernel what kernels/interface.py asks for, on the CPU."
        )


def require_tensor(name: str, x: Tensor, dtype: torch.dtype, axes: int) -> None:
    """Refuse ``x`` unless it is a contiguous CPU tensor of that type with so many axes."""
    require(
        x.dtype == dtype and x.ndim == axes and x.device.type == "cpu" and x.is_contiguous(),
        f"{name} is {x.dtype} {tuple(x.shape)} on {x.device}"
        f"{'' if x.is_contiguous() else ', not contiguous'}; expected contiguous {dtype} with {axes} axes",
    )


def require_activation(name: str, x: Tensor) -> None:
    """Refuse ``x`` unless it is int32 [M, W] with W >= 1."""
    require_tensor(name, x, torch.int32, 2)
    require(x.shape[1] > 0, f"{name} has no columns")


def require_operand(name: str, x: Operand, columns: int, groups: int) -> None:
    """Refuse ``x`` unless it has that many columns and exponents a row."""
    require_tensor(f"{name}: operand", x.values, torch.int16, 2)
    require_tensor(f"{name}: exponents", x.exponents, torch.uint8, 2)
    require(
        x.values.shape[1] == columns and tuple(x.exponents.shape) == (x.values.shape[0], groups),
        f"{name}: operand {tuple(x.values.shape)} with exponents {tuple(x.exponents.shape)}, "
        f"expected {columns} columns and {groups} exponents a row",
    )


def require_group(name: str, width: int, form: Form) -> None:
    """Refuse a form whose groups do not divide the output's rows."""
    if form.group is not None:
        require(
            form.group >= 1 and width % form.group == 0,
            f"{name}: groups of {form.group} columns do not divide rows of {width}",
        )


def require_attention(x: Operand, shape: AttentionShape, segments: Sequence[Segment]) -> None:
    """Refuse shapes and segments that do not fit the operand, or leave some of its rows out."""
    require(
        shape.heads >= 1 and shape.key_heads >= 1 and shape.heads % shape.key_heads == 0,
        f"attention: {shape.heads} heads do not share {shape.key_heads} key heads evenly",
    )
    size = shape.head_size
    require(1 <= size <= HEAD_SIZE_LIMIT, f"attention: heads of {size}, expected 1 to {HEAD_SIZE_LIMIT}")
    require(
        shape.multiplier > 0
        and ((shape.multiplier * size) << (2 * OPERAND_BITS)) <= CARRIER_LIMIT - SCORE_HALF,
        f"attention: multiplier {shape.multiplier} for heads of {size}",
    )
    groups = shape.heads + 2 * shape.key_heads
    require_operand("attention", x, groups * size, groups)
    rows = 0
    for segment in sorted(segments, key=lambda segment: segment.start):
        end = segment.position + segment.rows
        require(
            segment.start == rows and segment.rows >= 1,
            f"attention: a segment of {segment.rows} rows at {segment.start}, expected one at {rows}",
        )
        require(segment.position >= 0 and end <= LENGTH_LIMIT, f"attention: position {segment.position}")
        rows += segment.rows
        if segment.cache is None:
            require(segment.position == 0, f"attention: position {segment.position} without a cache")
            continue
        keys, exponents = segment.cache.values, segment.cache.exponents
        require_tensor("attention: cache", keys, torch.int16, 2)
        require_tensor("attention: exponents of cache", exponents, torch.uint8, 2)
        require(
            keys.shape[1] == 2 * shape.key_heads * size
            and exponents.shape[1] == 2 * shape.key_heads
            and min(keys.shape[0], exponents.shape[0]) >= end,
            f"attention: cache {tuple(keys.shape)} with exponents {tuple(exponents.shape)} for position {end}",
        )
    require(
        rows == x.values.shape[0], f"attention: segments of {rows} rows in a stack of {x.values.shape[0]}"
    )
