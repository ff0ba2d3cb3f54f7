"""What surrounds an 8-bit matrix product: operands cut into digits before it, accumulators requantised after it."""

from __future__ import annotations

import triton.language as tl

from proofmill.exact.kernels.triton.arithmetic import jit, rounding_shift, saturate


@jit
def split_digits_kernel(q: tl.tensor, digits: tl.tensor, count: tl.tensor, block: tl.constexpr) -> None:
    """``count`` 15-bit numbers into balanced digits, int8: all high ones, then all low ones."""
    place = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = place < count
    value = tl.load(q + place, mask=inside, other=0).to(tl.int32)
    high = (value + 128) >> 8
    tl.store(digits + place, high.to(tl.int8), mask=inside)
    tl.store(digits + count + place, (value - (high << 8)).to(tl.int8), mask=inside)


@jit
def requantise_kernel(
    products: tl.tensor,
    exponents: tl.tensor,
    multiplier: tl.tensor,
    bias: tl.tensor,
    residual: tl.tensor,
    y: tl.tensor,
    rows: tl.tensor,
    outputs: tl.tensor,
    product_stride: tl.tensor,
    shift: tl.constexpr,
    wide: tl.constexpr,
    add_residual: tl.constexpr,
    rows_per_block: tl.constexpr,
    columns_per_block: tl.constexpr,
) -> None:
    """``sat(rsh(c acc, shift - k) + b)``, then ``sat(residual + y)``, of int32 products of digits.

    Products have the high digits of x in rows 0 to ``rows`` and the low ones below; with ``wide`` weights the high digits of
    weights in columns 0 to ``outputs`` and the low ones beside them. ``|c acc| + 2^(shift - k - 1) < 2^54``.
    """
    row = (tl.program_id(0) * rows_per_block + tl.arange(0, rows_per_block))[:, None]
    column = (tl.program_id(1) * columns_per_block + tl.arange(0, columns_per_block))[None, :]
    inside = (row < rows) & (column < outputs)
    high = row.to(tl.int64) * product_stride + column
    low = (row.to(tl.int64) + rows) * product_stride + column
    accumulator = tl.load(products + high, mask=inside, other=0).to(tl.int64) << 8
    if wide:
        accumulator += tl.load(products + low, mask=inside, other=0)
        accumulator += tl.load(products + high + outputs, mask=inside, other=0)
        accumulator = (accumulator << 8) + tl.load(products + low + outputs, mask=inside, other=0)
    else:
        accumulator += tl.load(products + low, mask=inside, other=0)
    channels = column < outputs
    c = tl.load(multiplier + column, mask=channels, other=0).to(tl.int64)
    b = tl.load(bias + column, mask=channels, other=0).to(tl.int64)
    k = tl.load(exponents + row, mask=row < rows, other=0).to(tl.int64)
    value = saturate(rounding_shift(accumulator * c, shift - k) + b)
    place = row.to(tl.int64) * outputs + column
    if add_residual:
        value = saturate(value + tl.load(residual + place, mask=inside, other=0))
    tl.store(y + place, value.to(tl.int32), mask=inside)
