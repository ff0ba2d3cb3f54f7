"""Attention that never holds a T by T matrix: one pass for the maxima, one for the weights and their sums.

Both passes read the keys tile by tile, and integer maxima and sums do not depend on the tiles, so unlike its
floating-point relatives (Dao et al., FlashAttention, 2022) it needs no rescaling and gives the bits of the definition.
"""

from __future__ import annotations

import triton.language as tl

from proofmill.exact.kernels.triton.arithmetic import (
    FRACTION,
    OPERAND,
    TABLE_FRACTION,
    bit_length,
    jit,
    negative_power_of_two,
    rounding_shift,
    saturate,
)
from proofmill.exact.ops.attention import RECIPROCAL_BITS, SCORE_BITS, SUM_BITS_LEAST

SCORE_SHIFT = tl.constexpr(SCORE_BITS + FRACTION.value)
NARROWING = tl.constexpr(TABLE_FRACTION.value - OPERAND.value)
NARROWING_HALF = tl.constexpr(1 << (TABLE_FRACTION.value - OPERAND.value - 1))
RECIPROCAL = tl.constexpr(RECIPROCAL_BITS)
SUM_LEAST = tl.constexpr(SUM_BITS_LEAST)
RESULT_SHIFT = tl.constexpr(RECIPROCAL_BITS + SUM_BITS_LEAST)
#: Keys whose products of digits, at most 2^14 each, are summed in 32 bits before they join a 64-bit sum.
KEYS_PER_SUM = tl.constexpr(1 << 16)
HIDDEN = tl.constexpr(-(1 << 40))


@jit
def _high(x: tl.tensor) -> tl.tensor:
    """The high balanced digit of int16, as int8; the low one is x's own low byte."""
    return ((x.to(tl.int32) + 128) >> 8).to(tl.int8)


@jit
def _low(x: tl.tensor) -> tl.tensor:
    wide = x.to(tl.int32)
    return (wide - (((wide + 128) >> 8) << 8)).to(tl.int8)


@jit
def _load_transposed(
    base: tl.tensor,
    stride: tl.tensor,
    keys: tl.tensor,
    components: tl.tensor,
    inside: tl.tensor,
    head_size: tl.tensor,
) -> tl.tensor:
    """int16 [components, keys]: one head of the keys, a column for each."""
    place = keys.to(tl.int64)[None, :] * stride + components[:, None]
    return tl.load(base + place, mask=inside[None, :] & (components < head_size)[:, None], other=0)


@jit
def _scores(
    query_high: tl.tensor,
    query_low: tl.tensor,
    query_exponent: tl.tensor,
    key: tl.tensor,
    key_exponent: tl.tensor,
    multiplier: tl.tensor,
    visible: tl.tensor,
) -> tl.tensor:
    """int64 [rows, keys]; entries that are not visible are below any score."""
    key_high = _high(key)
    key_low = _low(key)
    upper = tl.dot(query_high, key_high, out_dtype=tl.int32).to(tl.int64)
    middle = tl.dot(query_high, key_low, out_dtype=tl.int32)
    middle += tl.dot(query_low, key_high, out_dtype=tl.int32)
    lower = tl.dot(query_low, key_low, out_dtype=tl.int32)
    product = (((upper << 8) + middle) << 8) + lower
    shift = -(query_exponent[:, None] + key_exponent[None, :]) + SCORE_SHIFT
    z = saturate(rounding_shift(product * multiplier, shift))
    return tl.where(visible, z, HIDDEN)


@jit
def attention_kernel(
    query: tl.tensor,
    query_exponents: tl.tensor,
    segments: tl.tensor,
    power_table: tl.tensor,
    output: tl.tensor,
    query_stride: tl.tensor,
    query_exponent_stride: tl.tensor,
    output_stride: tl.tensor,
    multiplier_cell: tl.tensor,
    key_heads: tl.tensor,
    head_size: tl.tensor,
    shared: tl.constexpr,
    causal: tl.constexpr,
    rows_per_block: tl.constexpr,
    keys_per_block: tl.constexpr,
    components_per_block: tl.constexpr,
) -> None:
    """One block of query rows at one key head; the ``shared`` query heads of that key head lie side by side in the block.

    ``segments`` int64 [blocks, 8]: first row in the stack, rows, position, first (row, head) pair of this block, addresses
    of the key values and exponents (the first key's first head), strides of both from row to row.
    """
    described = segments + tl.program_id(0).to(tl.int64) * 8
    start = tl.load(described)
    rows = tl.load(described + 1)
    position = tl.load(described + 2)
    first_pair = tl.load(described + 3)
    held_values = tl.load(described + 4).to(tl.pointer_type(tl.int16))
    held_exponents = tl.load(described + 5).to(tl.pointer_type(tl.uint8))
    value_stride = tl.load(described + 6)
    exponent_stride = tl.load(described + 7)
    multiplier = tl.load(multiplier_cell)
    key_head = tl.program_id(1)

    pair = first_pair + tl.arange(0, rows_per_block)
    row = pair // shared
    head = key_head * shared + pair % shared
    present = row < rows
    components = tl.arange(0, components_per_block)
    own = (start + row) * query_stride + head * head_size
    mask = present[:, None] & (components < head_size)[None, :]
    q = tl.load(query + own[:, None] + components[None, :], mask=mask, other=0)
    query_high = _high(q)
    query_low = _low(q)
    query_exponent = tl.load(
        query_exponents + (start + row) * query_exponent_stride + head, mask=present, other=0
    ).to(tl.int64)

    keys = position + rows
    last = keys - 1 + tl.zeros((rows_per_block,), tl.int64)
    if causal:
        last = tl.minimum(position + row, keys - 1)
        keys = tl.minimum(keys, position + (first_pair + rows_per_block - 1) // shared + 1)
    key_base = held_values + key_head * head_size
    value_base = key_base + key_heads * head_size
    offsets = tl.arange(0, keys_per_block)

    greatest = tl.full((rows_per_block,), HIDDEN, tl.int64)
    value_scale = tl.zeros((rows_per_block,), tl.int64)
    for block in range(0, keys, keys_per_block):
        j = block + offsets
        inside = j < keys
        visible = j[None, :] <= last[:, None]
        key = _load_transposed(key_base, value_stride, j, components, inside, head_size)
        scale = held_exponents + j * exponent_stride + key_head
        key_exponent = tl.load(scale, mask=inside, other=0).to(tl.int64)
        value_exponent = tl.load(scale + key_heads, mask=inside, other=0).to(tl.int64)
        z = _scores(query_high, query_low, query_exponent, key, key_exponent, multiplier, visible)
        greatest = tl.maximum(greatest, tl.max(z, axis=1))
        seen = tl.where(visible, value_exponent[None, :], 0)
        value_scale = tl.maximum(value_scale, tl.max(seen, axis=1))

    sums = tl.zeros((rows_per_block,), tl.int64)
    total = tl.zeros((rows_per_block, components_per_block), tl.int64)
    for part in range(0, keys, KEYS_PER_SUM):
        upper = tl.zeros((rows_per_block, components_per_block), tl.int32)
        middle = tl.zeros((rows_per_block, components_per_block), tl.int32)
        lower = tl.zeros((rows_per_block, components_per_block), tl.int32)
        for block in range(part, tl.minimum(keys, part + KEYS_PER_SUM), keys_per_block):
            j = block + offsets
            inside = j < keys
            visible = j[None, :] <= last[:, None]
            key = _load_transposed(key_base, value_stride, j, components, inside, head_size)
            scale = held_exponents + j * exponent_stride + key_head
            key_exponent = tl.load(scale, mask=inside, other=0).to(tl.int64)
            value_exponent = tl.load(scale + key_heads, mask=inside, other=0)
            z = _scores(query_high, query_low, query_exponent, key, key_exponent, multiplier, visible)
            weight = negative_power_of_two(greatest[:, None] - z, power_table)
            weight = tl.where(visible, weight, 0)
            sums += tl.sum((weight + NARROWING_HALF) >> NARROWING, axis=1)
            drop = value_scale.to(tl.int32)[:, None] - value_exponent.to(tl.int32)[None, :] + NARROWING
            # 10 <= drop <= 27 where a key is visible; elsewhere the weight is 0 and the shift is brought into range.
            drop = tl.maximum(drop, NARROWING)
            one = tl.full((rows_per_block, keys_per_block), 1, tl.int32)
            probability = (weight + ((one << drop) >> 1)) >> drop
            probability_high = ((probability + 128) >> 8).to(tl.int8)
            probability_low = (probability - (((probability + 128) >> 8) << 8)).to(tl.int8)
            place = j[:, None] * value_stride + components[None, :]
            value = tl.load(
                value_base + place, mask=inside[:, None] & (components < head_size)[None, :], other=0
            )
            value_high = _high(value)
            value_low = _low(value)
            upper = tl.dot(probability_high, value_high, upper, out_dtype=tl.int32)
            middle = tl.dot(probability_high, value_low, middle, out_dtype=tl.int32)
            middle = tl.dot(probability_low, value_high, middle, out_dtype=tl.int32)
            lower = tl.dot(probability_low, value_low, lower, out_dtype=tl.int32)
        total += (((upper.to(tl.int64) << 8) + middle) << 8) + lower

    bits = bit_length(sums)
    bits = tl.maximum(bits, SUM_LEAST)  # rows beyond the segment have no sum; they are not stored
    numerator = tl.full((rows_per_block,), 1, tl.int64) << (bits + RECIPROCAL)
    reciprocal = numerator // tl.maximum(sums, 1)
    zeros = tl.zeros((rows_per_block, components_per_block), tl.int64)
    mean = rounding_shift(total, zeros + (bits - SUM_LEAST)[:, None]) * reciprocal[:, None]
    mixed = saturate(rounding_shift(mean, zeros + (-value_scale + RESULT_SHIFT)[:, None]))
    place = (start + row) * output_stride + head * head_size
    tl.store(output + place[:, None] + components[None, :], mixed.to(tl.int32), mask=mask)
