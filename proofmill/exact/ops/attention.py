"""Scaled dot-product attention of one sequence, in the three steps a trace can show: scores, softmax, mix.

The operand of all three holds, per row, ``heads`` queries, then ``key_heads`` keys, then ``key_heads`` values,
each ``head_size`` columns wide and quantised on its own: q [T, (heads + 2 key_heads) head_size] and k [T, heads
+ 2 key_heads] from ``quantise(x, head_size)``. Query head h reads key and value head ``h // (heads /
key_heads)`` (grouped queries: Ainslie et al., 2023, section 2.2).

Outputs are for rows ``first_position`` to T - 1, R = T - first_position of them, each over the keys of all T rows; a
causal row t sees the keys j <= t only, and nothing depends on the others. A sequence never contains padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from proofmill.exact.ops.operands import (
    CARRIER_LIMIT,
    FRACTION_BITS,
    OPERAND_BITS,
    OPERAND_LIMIT,
    require,
    require_activation,
    require_operand,
    require_range,
)
from proofmill.exact.ops.scalar import bit_length, rounding_shift, saturate
from proofmill.exact.ops.tabulated import negative_power_of_two
from proofmill.exact.tables import TABLE_FRACTION_BITS

SCORE_BITS: Final = 20  # fraction bits of the constant log2(e) / sqrt(head_size)
HEAD_SIZE_LIMIT: Final = 256
LENGTH_LIMIT: Final = 1 << 24
SUM_BITS_LEAST: Final = 15  # the greatest weight of a row is 2^14, so the sum has at least 15 bits
RECIPROCAL_BITS: Final = 23  # R = floor(2^(23 + bits(S)) / S) lies in [2^23, 2^24]
NARROWING: Final = TABLE_FRACTION_BITS - OPERAND_BITS  # from Q.24 weights to operands


@dataclass(frozen=True)
class SoftmaxRows:
    """Softmax before its division: row r of head h stands for ``weights · 2^14 / sums`` times the values' scales."""

    weights: Tensor  # p, [R, heads, T], 0 to 2^14; 0 where a causal row cannot see
    exponents: Tensor  # κ, [R, heads], 0 to 17: the greatest exponent among the values a row sees
    sums: Tensor  # S, [R, heads], 2^14 to 2^14 T
    reciprocals: Tensor  # R, [R, heads], 2^23 to 2^24


def scores(
    q: Tensor,
    k: Tensor,
    heads: int,
    key_heads: int,
    head_size: int,
    multiplier: int,
    causal: bool,
    first_position: int = 0,
) -> Tensor:
    """``z_thj = sat(rsh(multiplier * Σ_c q_thc k_jc, 36 - κq_th - κk_j))``: scaled scores in base 2, Q.16.

    Gives [R, heads, T]; entries a causal row cannot see do not exist and hold 0. ``multiplier = round(log2(e)
    / sqrt(head_size) 2^20)`` turns the natural exponential of softmax into a power of two. The sum is at most
    2^28 head_size and its product with the multiplier at most ``1.4427 sqrt(head_size) 2^48 < 2^53`` for
    head_size <= 256, which is checked; exponents are at most 17, so the shift is at least 2. Source: scaled
    dot-product attention (Vaswani et al., 2017, section 3.2.1).
    """
    _require_shape("scores", q, k, heads, key_heads, head_size, first_position)
    require(
        multiplier > 0 and (multiplier * head_size) << (2 * OPERAND_BITS) <= CARRIER_LIMIT,
        f"scores: multiplier {multiplier} for heads of {head_size}",
    )
    shared = heads // key_heads
    parts = q.reshape(len(q), -1, head_size).transpose(0, 1)
    query = parts[:heads, first_position:]
    key = parts[heads : heads + key_heads].repeat_interleave(shared, 0)
    query_exponents = k[first_position:, :heads].T
    key_exponents = k[:, heads : heads + key_heads].T.repeat_interleave(shared, 0)
    product = (query @ key.transpose(1, 2)) * multiplier
    exponents = query_exponents[:, :, None] + key_exponents[:, None, :]
    z = saturate(rounding_shift(product, SCORE_BITS + FRACTION_BITS - exponents)).transpose(0, 1)
    return z.masked_fill(~_visible(z, causal, first_position), 0).contiguous()


def softmax(
    z: Tensor, k: Tensor, heads: int, key_heads: int, head_size: int, causal: bool, first_position: int = 0
) -> SoftmaxRows:
    """Weights of the values, with the values' scales put in, and what divides their sum.

    Over the keys j that row t sees, z [R, heads, T] from :func:`scores`, κv_j the exponent of value j::

        e_j  = 2^-(max z - z_j)             in Q.24; the greatest is 2^24
        κ    = max κv_j                     over all keys the row sees, whatever their weight
        p_j  = rsh(e_j, 10 + κ - κv_j)      0 <= p_j <= 2^14
        S    = Σ rsh(e_j, 10)               2^14 <= S <= 2^14 T <= 2^38
        R    = floor(2^(23 + bit_length(S)) / S)     2^23 <= R <= 2^24; the numerator is at most 2^62

    k are the exponents of the same operand; ``head_size`` is no part of the formula. Source: the usual shift by the row's
    maximum; the normaliser is applied after the product with the values (Milakov and Gimelshein, 2018, section 2).
    """
    length = len(k)
    require(
        heads >= 1
        and key_heads >= 1
        and heads % key_heads == 0
        and 1 <= head_size <= HEAD_SIZE_LIMIT
        and k.ndim == 2
        and k.shape[1] == heads + 2 * key_heads
        and 0 <= first_position < length <= LENGTH_LIMIT
        and tuple(z.shape) == (length - first_position, heads, length),
        f"softmax: scores {tuple(z.shape)} and exponents {tuple(k.shape)} for {heads} heads and {key_heads} key heads "
        f"from position {first_position}",
    )
    require_activation("softmax: score", z)
    require_range("softmax: exponent", k, 0, 17)
    visible = _visible(z, causal, first_position)
    greatest = z.masked_fill(~visible, -(1 << 32)).amax(-1, keepdim=True)
    distance = (greatest - z).masked_fill(~visible, 0)
    e = negative_power_of_two(distance).masked_fill(~visible, 0)
    value_exponents = k[:, heads + key_heads :].T.repeat_interleave(heads // key_heads, 0)
    seen = value_exponents.expand_as(z).masked_fill(~visible, 0)
    exponents = seen.amax(-1)
    weights = rounding_shift(e, NARROWING + exponents[..., None] - seen)
    sums = rounding_shift(e, NARROWING).sum(-1)
    numerator = torch.ones_like(sums) << (RECIPROCAL_BITS + bit_length(sums))
    return SoftmaxRows(weights, exponents, sums, numerator.div(sums, rounding_mode="floor"))


def mix(
    rows: SoftmaxRows,
    q: Tensor,
    k: Tensor,
    heads: int,
    key_heads: int,
    head_size: int,
    causal: bool,
    first_position: int = 0,
) -> Tensor:
    """Weighted mean of the values: gives [R, heads · head_size], an activation of the values' fraction.

    ::

        a    = Σ_j p_j v_jc                              |a| <= 2^14 S < 2^(14 + t) with t = bit_length(S) >= 15
        o_hc = sat(rsh(rsh(a, t - 15) R, 38 - κ))        |rsh(a, t - 15)| <= 2^29, so |product| <= 2^53

    The first bound holds because p_j <= rsh(e_j, 10), whose sum is S. A mean of values is at most 2^31 in magnitude, so
    saturation removes little. ``21 <= 38 - κ <= 38``. ``causal`` is no part of the formula: weights of invisible keys are 0.
    Source: multi-head attention (Vaswani et al., 2017, section 3.2.2).
    """
    _require_shape("mix", q, k, heads, key_heads, head_size, first_position)
    shape = (len(q) - first_position, heads)
    require(
        tuple(rows.weights.shape) == (*shape, len(q))
        and tuple(rows.exponents.shape) == shape
        and tuple(rows.sums.shape) == shape
        and tuple(rows.reciprocals.shape) == shape,
        f"mix: weights {tuple(rows.weights.shape)} for {shape[0]} rows, {heads} heads and {len(q)} values",
    )
    require_range("mix: weight", rows.weights, 0, OPERAND_LIMIT)
    require_range("mix: exponent of values", rows.exponents, 0, 17)
    require_range("mix: sum", rows.sums, OPERAND_LIMIT, len(q) << OPERAND_BITS)
    require_range("mix: reciprocal", rows.reciprocals, 1 << RECIPROCAL_BITS, 1 << (RECIPROCAL_BITS + 1))
    require(bool((rows.weights.sum(-1) <= rows.sums).all()), "mix: a row's weights exceed their sum")
    hidden = ~_visible(rows.weights, causal, first_position)
    require(not bool((rows.weights.ne(0) & hidden).any()), "mix: a causal row weighs a key it cannot see")
    values = q.reshape(len(q), -1, head_size)[:, heads + key_heads :].transpose(0, 1)
    accumulator = rows.weights.transpose(0, 1) @ values.repeat_interleave(heads // key_heads, 0)
    accumulator = accumulator.transpose(0, 1)
    drop = bit_length(rows.sums) - SUM_BITS_LEAST
    product = rounding_shift(accumulator, drop[..., None]) * rows.reciprocals[..., None]
    shift = RECIPROCAL_BITS + SUM_BITS_LEAST - rows.exponents
    return saturate(rounding_shift(product, shift[..., None])).flatten(1)


def attention(
    q: Tensor,
    k: Tensor,
    heads: int,
    key_heads: int,
    head_size: int,
    multiplier: int,
    causal: bool,
    first_position: int = 0,
) -> Tensor:
    """:func:`scores`, :func:`softmax` and :func:`mix` of one sequence: [R, heads · head_size]."""
    z = scores(q, k, heads, key_heads, head_size, multiplier, causal, first_position)
    rows = softmax(z, k, heads, key_heads, head_size, causal, first_position)
    return mix(rows, q, k, heads, key_heads, head_size, causal, first_position)


def _visible(rows: Tensor, causal: bool, first_position: int) -> Tensor:
    """bool [R, 1, T]: whether row first_position + r sees key j."""
    count, length = rows.shape[0], rows.shape[-1]
    keys = torch.arange(length, device=rows.device)
    last = torch.arange(first_position, length, device=rows.device) if causal else keys[-1:].expand(count)
    return (keys <= last[:, None])[:, None, :]


def _require_shape(
    name: str, q: Tensor, k: Tensor, heads: int, key_heads: int, head_size: int, first_position: int
) -> None:
    require(
        heads >= 1 and key_heads >= 1 and heads % key_heads == 0,
        f"{name}: {heads} heads do not share {key_heads} key heads evenly",
    )
    require(1 <= head_size <= HEAD_SIZE_LIMIT, f"{name}: heads of {head_size}, expected 1 to 256")
    groups = heads + 2 * key_heads
    require_operand(name, q, k, groups * head_size, groups)
    require(
        0 <= first_position < len(q) <= LENGTH_LIMIT,
        f"{name}: first position {first_position} of {len(q)} rows",
    )
