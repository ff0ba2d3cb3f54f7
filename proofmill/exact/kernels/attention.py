"""Attention in tiles of query rows, exact for any number of keys, with bounded scratch memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import torch
from torch import Tensor

from proofmill.exact.errors import InvalidOperand
from proofmill.exact.kernels.arithmetic import (
    VANISHING_DISTANCE,
    bit_length,
    look_up,
    power_of_two,
    power_table,
)
from proofmill.exact.kernels.carriers import Carrier
from proofmill.exact.kernels.interface import AttentionShape, Operand, Segment
from proofmill.exact.ops.attention import NARROWING, RECIPROCAL_BITS, SCORE_BITS, SUM_BITS_LEAST
from proofmill.exact.ops.operands import FRACTION_BITS, SATURATION

#: Scores held at once: on a processor what stays in cache, on a GPU 128 MiB of float64.
SCORES_PER_TILE_CPU: Final = 1 << 18
SCORES_PER_TILE_GPU: Final = 1 << 24

_HIDDEN_SCORE: Final = -float(1 << 40)  # further below any score than the distance where weights vanish


@dataclass(frozen=True)
class _Batch:
    """Sequences of one shape: B of them, L query rows each, T keys."""

    rows: Tensor | slice  # where the query rows lie in the stack, B·L of them
    count: int
    position: int
    query: Tensor  # int16 [B, L, heads, d]
    query_exponent: Tensor  # uint8 [B, L, heads]
    key_value: Tensor  # int16 [B, T, 2, key_heads, d]
    key_value_exponent: Tensor  # uint8 [B, T, 2, key_heads]


def attend(carrier: Carrier, x: Operand, shape: AttentionShape, segments: Sequence[Segment]) -> Tensor:
    """``ops.attention`` of every segment of a stack: int32 [M, heads · head_size].

    Sequences without a cache that are equally long are computed together; no result depends on that.

    Raises:
        InvalidOperand: the operand does not hold the heads, or the segments do not cover its rows once.
    """
    check_attention(x, shape, segments)
    output = torch.empty(
        (x.values.shape[0], shape.heads * shape.head_size), dtype=torch.int32, device=x.values.device
    )
    for batch in _batches(x, shape, segments):
        output[batch.rows] = _attend_batch(carrier, shape, batch)
    return output


def check_attention(x: Operand, shape: AttentionShape, segments: Sequence[Segment]) -> None:
    """Refuse operands and segments that attention cannot be computed of; see :func:`attend`."""
    rows, heads = x.values.shape[0], shape.heads + 2 * shape.key_heads
    columns = heads * shape.head_size
    problem = None
    if tuple(x.values.shape) != (rows, columns) or tuple(x.exponents.shape) != (rows, heads):
        problem = (
            f"operand {tuple(x.values.shape)} with exponents {tuple(x.exponents.shape)} for {heads} heads"
        )
    elif shape.heads % shape.key_heads != 0:
        problem = f"{shape.heads} query heads do not share {shape.key_heads} key heads evenly"
    end = 0
    for segment in sorted(segments, key=lambda segment: segment.start):
        keys = segment.position + segment.rows
        if segment.start != end or segment.rows < 1:
            problem = f"a segment of {segment.rows} rows starts at row {segment.start}, expected {end}"
        elif segment.cache is None and segment.position != 0:
            problem = f"a segment at position {segment.position} has no cache of the earlier keys"
        elif segment.cache is not None and keys > segment.cache.values.shape[0]:
            problem = f"a cache of {segment.cache.values.shape[0]} rows for {keys} keys"
        end = segment.start + segment.rows
    if problem is None and end != rows:
        problem = f"segments of {end} rows for a stack of {rows}"
    if problem is not None:
        raise InvalidOperand(
            f"attention: {problem}", remedy="Give each row of the stack to exactly one segment."
        )


def _batches(x: Operand, shape: AttentionShape, segments: Sequence[Segment]) -> Iterator[_Batch]:
    heads, size = shape.heads, shape.head_size

    def split(rows: Tensor | slice, count: int) -> _Batch:
        values = x.values[rows].view(count, -1, heads + 2 * shape.key_heads, size)
        exponents = x.exponents[rows].view(count, -1, heads + 2 * shape.key_heads)
        own = (count, values.shape[1], 2, shape.key_heads)
        return _Batch(
            rows,
            count,
            0,
            values[:, :, :heads],
            exponents[:, :, :heads],
            values[:, :, heads:].reshape(*own, size),
            exponents[:, :, heads:].reshape(own),
        )

    plain = sorted(
        (s for s in segments if s.cache is None), key=lambda segment: (segment.rows, segment.start)
    )
    for length, found in groupby(plain, key=lambda segment: segment.rows):
        starts = [segment.start for segment in found]
        stop = starts[0] + length * len(starts)
        if starts == list(range(starts[0], stop, length)):
            yield split(slice(starts[0], stop), len(starts))
        else:
            offsets = torch.arange(length, device=x.values.device)
            rows = torch.tensor(starts, device=x.values.device)[:, None] + offsets
            yield split(rows.view(-1), len(starts))
    for segment in segments:
        if segment.cache is not None:
            own = split(slice(segment.start, segment.start + segment.rows), 1)
            keys = segment.position + segment.rows
            held = (1, keys, 2, shape.key_heads)
            values = segment.cache.values[:keys].view(*held, size)
            exponents = segment.cache.exponents[:keys].view(held)
            query, query_exponent = own.query, own.query_exponent
            yield _Batch(own.rows, 1, segment.position, query, query_exponent, values, exponents)


def _attend_batch(carrier: Carrier, shape: AttentionShape, batch: _Batch) -> Tensor:
    """int32 [B · L, heads · d], a tile at a time.

    A unit is one key head of one sequence together with the query heads that share it; tiles take whole units while
    they fit, and otherwise a part of the query rows of one unit. A causal tile reads no key after its last row.
    """
    count, length = batch.query.shape[:2]
    keys, shared = batch.key_value.shape[1], shape.heads // shape.key_heads
    units = count * shape.key_heads

    def by_unit(x: Tensor) -> Tensor:
        """[B, rows, key_heads, ...] to [B · key_heads, rows, ...]."""
        return x.transpose(1, 2).flatten(0, 1)

    split = (count, length, shape.key_heads, shared)
    query = by_unit(batch.query.reshape(*split, shape.head_size))  # [units, L, shared, d]
    query_exponent = by_unit(batch.query_exponent.reshape(split))
    key, value = (by_unit(batch.key_value[:, :, part]) for part in (0, 1))  # [units, T, d]
    key_exponent, value_exponent = (by_unit(batch.key_value_exponent[:, :, part]) for part in (0, 1))
    greatest = value_exponent.to(torch.int32)
    if shape.causal:
        greatest = torch.cummax(greatest, dim=1).values[:, batch.position :]  # [units, L]
    else:
        greatest = greatest.amax(1, keepdim=True).expand(units, length)

    budget = SCORES_PER_TILE_GPU if query.is_cuda else SCORES_PER_TILE_CPU
    row_step = min(length, max(1, budget // (shared * keys)))
    unit_step = max(1, budget // (shared * keys * row_step))
    mixed = torch.empty((units, length, shared, shape.head_size), dtype=torch.int32, device=query.device)
    for unit in range(0, units, unit_step):
        part = slice(unit, unit + unit_step)
        keys_of_part = _scaled_keys(carrier, key[part], key_exponent[part])
        values_of_part = value[part].to(torch.float64)
        value_scale = power_of_two(value_exponent[part])
        for row in range(0, length, row_step):
            stop = min(length, row + row_step)
            seen = batch.position + stop if shape.causal else keys
            mixed[part, row:stop] = _attend_tile(
                carrier,
                shape.multiplier,
                query[part, row:stop],
                query_exponent[part, row:stop],
                (keys_of_part[0][:, :seen], keys_of_part[1][:, :seen]),
                values_of_part[:, :seen],
                value_scale[:, :seen],
                greatest[part, row:stop],
                batch.position + row if shape.causal else None,
            )
    return mixed.view(count, shape.key_heads, *mixed.shape[1:]).transpose(1, 2).reshape(count * length, -1)


def _scaled_keys(carrier: Carrier, key: Tensor, exponent: Tensor) -> tuple[Tensor, Tensor]:
    """Keys as the carrier multiplies them, and the powers of two that their products still lack."""
    scale = power_of_two(exponent)
    if carrier.name in ("int8", "fp64"):
        # In double precision the scale can go in first: all terms of one sum share it, so no bit is lost.
        return key.to(torch.float64).mul_(scale[..., None]), torch.ones_like(scale)
    return key, scale


def _attend_tile(
    carrier: Carrier,
    multiplier: int,
    query: Tensor,
    query_exponent: Tensor,
    keys: tuple[Tensor, Tensor],
    value: Tensor,
    value_scale: Tensor,
    greatest: Tensor,
    first_position: int | None,
) -> Tensor:
    """Query int16 [u, r, s, d] against [u, T, d]: int32 [u, r, s, d].

    ``greatest`` [u, r] is the greatest exponent of the values each row sees; ``first_position`` of the rows where
    they are causal. Bounds as in ``ops.attention``.
    """
    units, rows, shared, size = query.shape
    key, key_scale = keys
    row_scale = power_of_two(query_exponent.to(torch.int32) - (SCORE_BITS + FRACTION_BITS)).mul_(multiplier)
    row_scale = row_scale.reshape(units, rows * shared, 1)
    flat = query.reshape(units, rows * shared, size)
    if key.dtype == torch.float64:
        z = torch.matmul(flat.to(torch.float64).mul_(row_scale), key.transpose(1, 2))
    else:
        z = carrier.multiply_operands(flat, key.transpose(1, 2)).mul_(row_scale).mul_(key_scale[:, None])
    z = z.add_(0.5).floor_().clamp_(-SATURATION, SATURATION)
    if first_position is not None and rows > 1:
        places = torch.arange(key.shape[1], device=z.device)
        hidden = places > torch.arange(first_position, first_position + rows, device=z.device)[:, None]
        z.view(units, rows, shared, -1).masked_fill_(hidden[:, None], _HIDDEN_SCORE)
    distance = z.neg_().sub_(z.amin(-1, keepdim=True)).clamp_(max=VANISHING_DISTANCE)
    weights = look_up(power_table(z.device), distance.to(torch.int32))
    sums = ((weights + (1 << (NARROWING - 1))) >> NARROWING).sum(-1, keepdim=True)
    bits = bit_length(sums)
    numerator = torch.ones_like(sums) << (bits + RECIPROCAL_BITS)
    reciprocal = torch.div(numerator, sums, rounding_mode="floor").to(torch.float64)
    greatest = greatest[:, :, None].expand(units, rows, shared).reshape(units, rows * shared, 1)
    probabilities = torch.mul(weights, value_scale[:, None]).mul_(power_of_two(-greatest - NARROWING))
    probabilities = probabilities.add_(0.5).floor_()
    mixed = carrier.multiply_operands(probabilities, value)
    mixed = mixed.mul_(power_of_two(SUM_BITS_LEAST - bits)).add_(0.5).floor_().mul_(reciprocal)
    mixed = mixed.mul_(power_of_two(greatest - (RECIPROCAL_BITS + SUM_BITS_LEAST))).add_(0.5).floor_()
    return mixed.clamp_(-SATURATION, SATURATION).view(units, rows, shared, size).to(torch.int32)
