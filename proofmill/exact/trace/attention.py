"""Tiles of attention rows with their witnesses: the integers of ``ops.attention``, a few rows at a time.

Matrix products run in double precision, exact because every sum is an integer below 2^53: ``|Σ q k| <= 2^28 · 256`` for
scores and ``|Σ p v| <= 2^28 · 512`` for one block of a mix.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from proofmill.exact import ops
from proofmill.exact.kernels.arithmetic import power_of_two
from proofmill.exact.kernels.interface import AttentionShape, Operand
from proofmill.exact.ops.attention import NARROWING, RECIPROCAL_BITS, SUM_BITS_LEAST
from proofmill.exact.ops.tabulated import VANISHING_POWER
from proofmill.exact.trace.geometry import BLOCK, KEY_BLOCK

HIDDEN: Final = -(1 << 31)  # below every score
CUTOFF: Final = VANISHING_POWER << ops.FRACTION_BITS


@dataclass(frozen=True)
class Rows:
    """Rows ``start`` to ``stop`` of attention over keys 0 to ``keys``; a causal row t sees keys up to t."""

    start: int
    stop: int
    keys: int
    visible: Tensor  # bool [R, 1, keys]


def select_rows(length: int, causal: bool, start: int, stop: int) -> Rows:
    keys = stop if causal else length
    index = torch.arange(keys)
    last = torch.arange(start, stop) if causal else torch.full((stop - start,), length - 1)
    return Rows(start, stop, keys, (index <= last[:, None])[:, None, :])


def scores(x: Operand, shape: AttentionShape, rows: Rows) -> Tensor:
    """int32 [R, heads, keys]; 0 where a row does not see the key.

    In double precision: ``|m Σ q k| < 2^52.6``, so neither the product nor the added half leaves the exact range, and
    multiplying by a power of two is exact.
    """
    shared = shape.heads // shape.key_heads
    query = _heads(x, shape, 0, shape.heads, slice(rows.start, rows.stop))
    key = _heads(x, shape, shape.heads, shape.key_heads, slice(0, rows.keys))
    product = torch.matmul(query, key.repeat_interleave(shared, 0).transpose(1, 2))
    exponents = x.exponents.to(torch.int64)
    query_exponents = exponents[rows.start : rows.stop, : shape.heads].T
    key_exponents = exponents[: rows.keys, shape.heads : shape.heads + shape.key_heads].T
    bits = ops.SCORE_BITS + ops.FRACTION_BITS
    query_scales = shape.multiplier * power_of_two(query_exponents - bits)
    key_scales = power_of_two(key_exponents).repeat_interleave(shared, 0)
    product.mul_(query_scales[:, :, None]).mul_(key_scales[:, None, :]).add_(0.5).floor_()
    z = product.clamp_(-ops.SATURATION, ops.SATURATION).to(torch.int32).transpose(0, 1)
    return z.masked_fill_(~rows.visible, 0)


@dataclass(frozen=True)
class SoftmaxTile:
    """``ops.SoftmaxRows`` of some rows with what shows each step of them."""

    weights: Tensor  # p, int32 [R, heads, keys]; everything else is int64
    maximum: Tensor  # lowest index of the greatest score, [R, heads]
    exponents: Tensor  # κ, [R, heads]
    exponent_index: Tensor  # lowest key with that exponent
    running_sums: Tensor  # Σ rsh(e, 10) up to the end of each 64 keys, [R, heads, blocks]
    reciprocals: Tensor  # R, [R, heads]

    @property
    def sums(self) -> Tensor:
        """S: the last running sum, which later blocks do not change."""
        return self.running_sums[..., -1]

    def witness(self) -> Tensor:
        header = torch.stack((self.maximum, self.exponents, self.exponent_index, self.reciprocals), dim=-1)
        return torch.cat((header, self.running_sums), dim=-1)


@functools.cache
def _powers() -> Tensor:
    """2^-d for every d that is not zero in Q.24, as int32."""
    return ops.negative_power_of_two(torch.arange(CUTOFF + 1)).to(torch.int32)


def softmax(z: Tensor, x: Operand, shape: AttentionShape, rows: Rows) -> SoftmaxTile:
    """All numbers fit 32 bits but for differences of scores, which are cut off where 2^-d is zero."""
    hidden = ~rows.visible
    maximum = z.masked_fill(hidden, HIDDEN).argmax(-1)
    greatest = z.gather(-1, maximum[..., None])
    least = (greatest.to(torch.int64) - CUTOFF).clamp(min=-ops.SATURATION).to(torch.int32)
    # A hidden key's score of 0 may be above the maximum: it is brought down to it before its weight is put to zero.
    distance = greatest - z.maximum(least).minimum(greatest)
    e = _powers()[distance].masked_fill_(hidden, 0)
    value_exponents = x.exponents[: rows.keys, shape.heads + shape.key_heads :].T.to(torch.int32)
    shared = shape.heads // shape.key_heads
    value_exponents = value_exponents.repeat_interleave(shared, 0)
    seen_exponents = value_exponents.masked_fill(hidden, -1)
    exponent_index = seen_exponents.argmax(-1).expand_as(maximum)
    exponents = seen_exponents.expand_as(z).gather(-1, exponent_index[..., None])
    # rsh(e, s) for 10 <= s <= 27: the half is below 2^27 and e at most 2^24. Hidden keys have e = 0 and any shift.
    drop = (exponents - value_exponents).clamp_(min=0).add_(NARROWING)
    half = torch.bitwise_left_shift(torch.ones_like(drop), drop - 1)
    weights = half.add_(e).bitwise_right_shift_(drop)
    narrowed = e.add_(1 << (NARROWING - 1)).bitwise_right_shift_(NARROWING)
    running = _block_sums(narrowed, BLOCK).cumsum(-1)
    sums = running[..., -1]
    numerator = torch.ones_like(sums) << (RECIPROCAL_BITS + ops.bit_length(sums))
    reciprocals = numerator.div(sums, rounding_mode="floor")
    return SoftmaxTile(
        weights, maximum, exponents[..., 0].to(torch.int64), exponent_index, running, reciprocals
    )


def mix(tile: SoftmaxTile, x: Operand, shape: AttentionShape, rows: Rows) -> tuple[Tensor, Tensor]:
    """Output int64 [R, heads · d] and the running sums Σ p v up to the end of each 512 keys, [R, heads, blocks · d]."""
    shared = shape.heads // shape.key_heads
    value = _heads(x, shape, shape.heads + shape.key_heads, shape.key_heads, slice(0, rows.keys))
    value = value.repeat_interleave(shared, 0)
    weights = tile.weights.transpose(0, 1).to(torch.float64)
    products = [
        torch.matmul(weights[..., start : start + KEY_BLOCK], value[:, start : start + KEY_BLOCK])
        for start in range(0, rows.keys, KEY_BLOCK)
    ]
    running = torch.stack(products, dim=2).to(torch.int64).cumsum(2).transpose(0, 1)  # [R, heads, blocks, d]
    drop = (ops.bit_length(tile.sums) - SUM_BITS_LEAST)[..., None]
    product = ops.rounding_shift(running[:, :, -1], drop) * tile.reciprocals[..., None]
    shift = RECIPROCAL_BITS + SUM_BITS_LEAST - tile.exponents
    output = ops.saturate(ops.rounding_shift(product, shift[..., None])).flatten(1)
    return output, running.flatten(2)


def _heads(x: Operand, shape: AttentionShape, first: int, count: int, rows: slice) -> Tensor:
    """Heads ``first`` and following of some rows, float64 [count, rows, d]."""
    size = shape.head_size
    part = x.values[rows, first * size : (first + count) * size]
    return part.reshape(len(part), count, size).transpose(0, 1).to(torch.float64)


def _block_sums(x: Tensor, size: int) -> Tensor:
    """Sums over blocks of the last axis, the last block as short as it comes."""
    short = -x.shape[-1] % size
    if short:
        x = torch.nn.functional.pad(x, (0, short))
    return x.reshape(*x.shape[:-1], -1, size).sum(-1)
