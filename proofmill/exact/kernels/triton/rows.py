"""Row by row operators: quantise, norms and activations, each optionally fused with the quantisation of its output."""

from __future__ import annotations

import triton.language as tl

from proofmill.exact.kernels.triton.arithmetic import (
    ARGUMENT,
    TABLE_FRACTION,
    bit_length,
    interpolate_around_zero,
    jit,
    operand_exponent,
    rounding_shift,
    rounding_shift_by,
    saturate,
    square_root,
)
from proofmill.exact.ops.normalisation import GAMMA_BITS, NORM_BITS, NORM_RECIPROCAL_BITS
from proofmill.exact.ops.operands import FRACTION_BITS
from proofmill.exact.tables import PHI_LIMIT, PHI_STEP_BITS, SIGMA_LIMIT, SIGMA_STEP_BITS

GAIN = tl.constexpr(GAMMA_BITS)
KEPT = tl.constexpr(NORM_BITS)
NORM_SHIFT = tl.constexpr(NORM_BITS + NORM_RECIPROCAL_BITS - FRACTION_BITS)
PHI_EDGE, PHI_STEP = tl.constexpr(PHI_LIMIT), tl.constexpr(PHI_STEP_BITS)
SIGMA_EDGE, SIGMA_STEP = tl.constexpr(SIGMA_LIMIT), tl.constexpr(SIGMA_STEP_BITS)

IDENTITY = tl.constexpr(0)
RELU = tl.constexpr(1)
GELU = tl.constexpr(2)
GATED_SILU = tl.constexpr(3)


@jit
def evaluate(
    x: tl.tensor,
    row: tl.tensor,
    group: tl.tensor,
    columns: tl.tensor,
    inside: tl.tensor,
    table: tl.tensor,
    shift: tl.constexpr,
    function: tl.constexpr,
) -> tl.tensor:
    """The function's outputs at ``columns`` of a row of ``group``; a gated row of x holds 2 · group. int64, 0 outside."""
    start = row.to(tl.int64) * group
    if function == GATED_SILU:
        start *= 2
    value = tl.load(x + start + columns, mask=inside, other=0).to(tl.int64)
    if function == RELU:
        value = tl.maximum(value, 0)
    if function == GELU:
        value = tl.minimum(tl.maximum(value, -ARGUMENT), ARGUMENT)
        value *= interpolate_around_zero(value, table, PHI_EDGE, PHI_STEP)
        value = rounding_shift_by(value, TABLE_FRACTION)
    if function == GATED_SILU:
        up = tl.load(x + start + group + columns, mask=inside, other=0).to(tl.int64)
        up = tl.minimum(tl.maximum(up, -ARGUMENT), ARGUMENT)
        gate = tl.minimum(tl.maximum(value, -ARGUMENT), ARGUMENT)
        silu = rounding_shift_by(
            gate * interpolate_around_zero(gate, table, SIGMA_EDGE, SIGMA_STEP), TABLE_FRACTION
        )
        value = saturate(rounding_shift_by(silu * up, shift))
    return value


@jit
def apply_kernel(
    x: tl.tensor,
    table: tl.tensor,
    values: tl.tensor,
    operand: tl.tensor,
    exponents: tl.tensor,
    rows: tl.tensor,
    group: tl.tensor,
    shift: tl.constexpr,
    function: tl.constexpr,
    write_values: tl.constexpr,
    write_operand: tl.constexpr,
    rows_per_block: tl.constexpr,
    columns_per_block: tl.constexpr,
    whole: tl.constexpr,
) -> None:
    """``function`` of rows of ``group`` outputs, as values, quantised with one exponent per row, or both.

    ``whole``: a block is as wide as a row, which then is evaluated once; wider rows are evaluated again to be quantised.
    """
    row = (tl.program_id(0) * rows_per_block + tl.arange(0, rows_per_block))[:, None]
    offsets = tl.arange(0, columns_per_block)[None, :]
    greatest = tl.zeros((rows_per_block, 1), tl.int64)
    if whole:
        inside = (row < rows) & (offsets < group)
        y = evaluate(x, row, group, offsets, inside, table, shift, function)
        place = row.to(tl.int64) * group + offsets
        if write_values:
            tl.store(values + place, y.to(tl.int32), mask=inside)
        if write_operand:
            greatest = tl.max(tl.abs(y), axis=1, keep_dims=True)
            exponent = operand_exponent(greatest)
            tl.store(operand + place, rounding_shift(y, exponent).to(tl.int16), mask=inside)
            tl.store(exponents + row, exponent.to(tl.uint8), mask=row < rows)
    else:
        for start in range(0, group, columns_per_block):
            columns = start + offsets
            inside = (row < rows) & (columns < group)
            y = evaluate(x, row, group, columns, inside, table, shift, function)
            if write_values:
                tl.store(values + row.to(tl.int64) * group + columns, y.to(tl.int32), mask=inside)
            greatest = tl.maximum(greatest, tl.max(tl.abs(y), axis=1, keep_dims=True))
        if write_operand:
            exponent = operand_exponent(greatest)
            tl.store(exponents + row, exponent.to(tl.uint8), mask=row < rows)
            for start in range(0, group, columns_per_block):
                columns = start + offsets
                inside = (row < rows) & (columns < group)
                y = evaluate(x, row, group, columns, inside, table, shift, function)
                place = row.to(tl.int64) * group + columns
                tl.store(operand + place, rounding_shift(y, exponent).to(tl.int16), mask=inside)


@jit
def norm_kernel(
    x: tl.tensor,
    gamma: tl.tensor,
    beta: tl.tensor,
    constants: tl.tensor,
    values: tl.tensor,
    operand: tl.tensor,
    exponents: tl.tensor,
    size: tl.tensor,
    centred: tl.constexpr,
    write_values: tl.constexpr,
    write_operand: tl.constexpr,
    columns_per_block: tl.constexpr,
) -> None:
    """``layer_norm`` or ``rms_norm`` of one row, in int64 throughout; constants holds epsilon and root · 2^35.

    Like ``ops.normalisation`` step by step; a row of at most 8192 values is held whole.
    """
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, columns_per_block)
    inside = columns < size
    epsilon = tl.load(constants)
    numerator = tl.load(constants + 1)
    c = tl.load(x + row * size + columns, mask=inside, other=0).to(tl.int64)
    if centred:
        # 2^32 · 2 size more than the dividend, so that it is positive and truncation rounds downward.
        twice = tl.full((), 2, tl.int64) * size
        mean = (2 * tl.sum(c, axis=0) + size + (twice << 32)) // twice - (1 << 32)
        c = tl.where(inside, c - mean, 0)
    drop = tl.maximum(bit_length(tl.max(tl.abs(c), axis=0)) - KEPT, 0)
    one = tl.full((), 1, tl.int64)
    c = (c + ((one << drop) >> 1)) >> drop
    c = tl.where(inside, c, 0)
    variance = tl.maximum(tl.sum(c * c, axis=0) + (epsilon >> (2 * drop)), 1)
    lift = (62 - bit_length(variance)) >> 1
    reciprocal = numerator // square_root(variance << (2 * lift))
    shift = -lift + NORM_SHIFT
    n = (c * reciprocal + ((one << shift) >> 1)) >> shift
    gain = tl.load(gamma + columns, mask=inside, other=0).to(tl.int64)
    offset = tl.load(beta + columns, mask=inside, other=0).to(tl.int64)
    y = saturate(rounding_shift_by(n * gain, GAIN) + offset)
    place = row * size + columns
    if write_values:
        tl.store(values + place, y.to(tl.int32), mask=inside)
    if write_operand:
        exponent = operand_exponent(tl.max(tl.abs(y), axis=0))
        q = (y + ((one << exponent) >> 1)) >> exponent
        tl.store(operand + place, q.to(tl.int16), mask=inside)
        tl.store(exponents + row, exponent.to(tl.uint8))
