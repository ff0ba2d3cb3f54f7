"""What an operator's output needs beside it so that every wrong number shows in one element or one block.

Each function returns int64 [R, sections, n] in the order of docs/TRACE.md. An index is always the lowest that will do, so
a witness is a function of the operator's inputs and two honest traces are equal byte by byte.
"""

from __future__ import annotations

import torch
from torch import Tensor

from proofmill.exact import ops
from proofmill.exact.ops.image import windows
from proofmill.exact.ops.normalisation import NORM_BITS, NORM_RECIPROCAL_BITS
from proofmill.exact.ops.pooling import UNIT_BITS
from proofmill.exact.ops.scalar import SQUARE_ROOT_LIMIT
from proofmill.exact.trace.geometry import BLOCK


def operand_rows(x: Tensor, values: Tensor, exponents: Tensor) -> Tensor:
    """Exponent, index of the maximum and elements of every group: x and values [R, W] give [R, groups, 2 + group]."""
    groups = exponents.shape[1]
    index = x.to(torch.int64).reshape(len(x), groups, -1).abs().argmax(-1)
    header = torch.stack((exponents.to(torch.int64), index), dim=-1)
    return torch.cat((header, values.to(torch.int64).reshape(len(x), groups, -1)), dim=-1)


def norm_witness(x: Tensor, epsilon: int, root: int, *, centred: bool) -> Tensor:
    """index, drop, energy, lift, root, reciprocal, then for a layer norm the mean and running sums, then running energy."""
    x = x.to(torch.int64)
    size = x.shape[1]
    extra: list[Tensor] = []
    if centred:
        running = running_blocks(x)
        mean = (2 * running[:, -1:] + size).div(2 * size, rounding_mode="floor")
        extra = [mean, running]
        x = x - mean
    drop, index, rounded = _rounded_to(x, NORM_BITS)
    return _finish_norm(rounded, drop, index, epsilon, root << NORM_RECIPROCAL_BITS, extra)


def unit_mean_witness(total: Tensor) -> Tensor:
    """The fields of a norm for the column sums [1, D]: no epsilon, and 2^62 divided by the root."""
    drop, index, rounded = _rounded_to(total, UNIT_BITS)
    return _finish_norm(rounded, drop, index, 0, SQUARE_ROOT_LIMIT, [])


def _rounded_to(x: Tensor, bits: int) -> tuple[Tensor, Tensor, Tensor]:
    index = x.abs().argmax(-1, keepdim=True)
    drop = (ops.bit_length(x.gather(-1, index).abs()) - bits).clamp(min=0)
    return drop, index, ops.rounding_shift(x, drop)


def _finish_norm(
    rounded: Tensor, drop: Tensor, index: Tensor, epsilon: int, numerator: int, extra: list[Tensor]
) -> Tensor:
    energies = running_blocks(rounded * rounded)
    energy = (energies[:, -1:] + (torch.full_like(drop, epsilon) >> (2 * drop))).clamp(min=1)
    lift = (62 - ops.bit_length(energy)) >> 1
    root = ops.integer_square_root(energy << (2 * lift))
    reciprocal = ops.floor_divide(numerator, root)
    return torch.cat((index, drop, energy, lift, root, reciprocal, *extra, energies), dim=1)[:, None]


def running_blocks(x: Tensor) -> Tensor:
    """Sums of each row up to the end of each 64 elements: [R, n] gives [R, ceil(n / 64)]."""
    short = -x.shape[1] % BLOCK
    if short:
        x = torch.nn.functional.pad(x, (0, short))
    return x.reshape(len(x), -1, BLOCK).sum(-1).cumsum(1)


def max_pool_witness(x: Tensor, height: int, width: int, channels: int, size: int, stride: int) -> Tensor:
    """For each output and channel the place of the maximum in its window, dy · size + dx: [R, 1, channels]."""
    found = windows("max pool", x.to(torch.int64), height, width, channels, size, stride, 0)
    return found.argmax(1)[:, None]


def average_pool_witness(x: Tensor, height: int, width: int, channels: int, size: int, stride: int) -> Tensor:
    """Running sums over the window, one section per place in it: [R, size · size, channels]."""
    found = windows("average pool", x.to(torch.int64), height, width, channels, size, stride, 0)
    return found.cumsum(1)


def value_columns(values: Tensor, first: int, count: int) -> Tensor:
    """Columns of an operand, one row each: [T, W] gives int16 [count, 1, T]."""
    return values[:, first : first + count].T.contiguous()[:, None]


def running_rows(x: Tensor) -> Tensor:
    """Sums of the columns up to each row: [T, D] gives int64 [T, 1, D]."""
    return x.to(torch.int64).cumsum(0)[:, None]
