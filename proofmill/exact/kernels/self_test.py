"""The compiled functions against the definition, on full-range values: run once before their first use in a process.

A compiler or a processor that computes other integers is found here, not in an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import torch
from torch import Tensor

from proofmill.exact import ops
from proofmill.exact.kernels.interface import (
    AttentionShape,
    Form,
    Kernels,
    LayerCache,
    Operand,
    Segment,
)

_LIMIT: Final = ops.OPERAND_LIMIT
#: Widths (K) of the products: one, odd, one slice, several slices.
_INPUTS: Final = (1, 67, 1008, 2050)
_LOG2_E: Final = 1.4426950408889634


def self_test(kernels: Kernels) -> str | None:
    """Which function computes something else than ``proofmill.exact.ops`` on this machine, or None."""
    with torch.inference_mode():
        generator = torch.Generator().manual_seed(20)
        for name, got, expected in _comparisons(kernels, generator):
            if got is None or not torch.equal(got.to(torch.int64), expected):
                return f"{name} is wrong"
    return None


_Comparison = tuple[str, Tensor | None, Tensor]


def _comparisons(kernels: Kernels, generator: torch.Generator) -> Iterator[_Comparison]:
    yield from _linear(kernels, generator)
    for bits in (9, 18, 31):
        yield from _rows(kernels, _activation(generator, 5, 130, bits), generator)
    for bits in (17, 31):
        for causal in (False, True):
            yield from _attention(kernels, generator, bits, causal)


def _activation(generator: torch.Generator, rows: int, columns: int, bits: int) -> Tensor:
    """Random within ±(2^bits - 1), with both ends in the first row and zeros in the last."""
    limit = (1 << bits) - 1
    x = torch.randint(-limit, limit + 1, (rows, columns), generator=generator)
    x[0, 0], x[0, -1] = limit, -limit
    if rows > 1:
        x[-1] = 0
    return x.to(torch.int32)


def _linear(kernels: Kernels, generator: torch.Generator) -> Iterator[_Comparison]:
    for limit, dtype in ((127, torch.int8), (16256, torch.int16)):
        for inputs in _INPUTS:
            outputs = 50
            weight = torch.randint(-limit, limit + 1, (outputs, inputs), generator=generator)
            # 127·128 + 127 has the greatest value in the upper bytes of either split, 63·256 + 127 in both digits.
            extremes = (limit, -limit, min(limit, 63 * 256 + 127), min(limit, 127), -min(limit, 128))
            for channel, value in enumerate(extremes):
                weight[channel] = value
            reach = weight.abs().sum(1) << 14
            shift = 30
            multiplier = ((1 << 52) // reach.clamp(min=1)).clamp(1, (1 << 24) - 1)
            bias = torch.randint(-(1 << 20), 1 << 20, (outputs,), generator=generator)
            prepared = kernels.prepare_linear(weight.to(dtype), multiplier, bias, shift)
            for rows in (1, 2, 9, 17):
                q = torch.randint(-_LIMIT, _LIMIT + 1, (rows, inputs), generator=generator)
                for row, value in enumerate((_LIMIT, -_LIMIT, 63 * 256 + 127, 127 - _LIMIT)):
                    q[row : row + 1] = value
                k = torch.randint(0, 18, (rows, 1), generator=generator)
                residual = _activation(generator, rows, outputs, 31)
                x = Operand(q.to(torch.int16), k.to(torch.uint8))
                expected = ops.linear(q, k, weight, multiplier, bias, shift)
                name = f"linear of {rows} rows, {inputs} inputs and {dtype} weights"
                yield name, kernels.linear(x, prepared), expected
                total = ops.add(residual.to(torch.int64), expected)
                yield f"{name} with a residual", kernels.linear(x, prepared, residual), total


def _rows(kernels: Kernels, x: Tensor, generator: torch.Generator) -> Iterator[_Comparison]:
    wide = x.to(torch.int64)
    count, width = x.shape
    form = Form(values=True, group=width // 2)
    gamma = torch.randint(1 - (1 << 24), 1 << 24, (width,), generator=generator)
    beta = torch.randint(-(1 << 20), 1 << 20, (width,), generator=generator)
    root = ops.integer_square_root(torch.tensor([width << 42])).add(1).div(2, rounding_mode="floor").item()
    epsilon, shift, head_size = 1 << 20, 16, 10
    positions = torch.arange(count)
    cosine, sine = (
        torch.randint(-(1 << 20), (1 << 20) + 1, (count, head_size // 2), generator=generator)
        for _ in range(2)
    )
    angles = cosine.to(torch.int32), sine.to(torch.int32)
    norms: tuple[tuple[bool, Callable[..., Tensor]], ...] = ((True, ops.layer_norm), (False, ops.rms_norm))
    for centred, definition in norms:
        norm = kernels.prepare_norm(gamma, beta, epsilon, int(root), centred=centred)
        expected = definition(wide, gamma, beta, epsilon, int(root))
        rows = kernels.norm(x, norm, form)
        yield "norm", rows.values, expected
        if rows.operand is not None:
            q, k = ops.quantise(expected, width // 2)
            yield "operand of norm", rows.operand.values, q
            yield "exponents of norm", rows.operand.exponents, k
    yield "gelu", kernels.gelu(x).values, ops.gelu(wide)
    yield "relu", kernels.relu(x).values, ops.relu(wide)
    yield "gated silu", kernels.gated_silu(x, shift).values, ops.gated_silu(wide, shift)
    yield "add", kernels.add(x, x.flip(0).contiguous()), ops.add(wide, wide.flip(0))
    turned = kernels.rotate(x, positions, *angles, 120, head_size).values
    yield "rotate", turned, ops.rotate(wide, positions, cosine, sine, 120, head_size)
    yield "position embedding", kernels.position_embedding(x, positions, x), ops.add(wide, wide)
    yield "embedding", kernels.embedding(positions, x), wide
    yield "unit mean", kernels.unit_mean(x, [count]), ops.unit_mean(wide).reshape(1, width)


def _attention(
    kernels: Kernels, generator: torch.Generator, bits: int, causal: bool
) -> Iterator[_Comparison]:
    heads, key_heads, size, rows = 4, 2, 20, 37
    x = _activation(generator, rows, (heads + 2 * key_heads) * size, bits)
    q, k = ops.quantise(x.to(torch.int64), size)
    multiplier = round(_LOG2_E / size**0.5 * (1 << ops.SCORE_BITS))
    expected = ops.attention(q, k, heads, key_heads, size, multiplier, causal)
    operand = Operand(q.to(torch.int16), k.to(torch.uint8))
    shape = AttentionShape(heads, key_heads, size, multiplier, causal)
    yield "attention", kernels.attention(operand, shape, [Segment(0, rows)]).values, expected
    if causal:
        cache = LayerCache(
            operand.values[:, heads * size :].contiguous(), operand.exponents[:, heads:].contiguous()
        )
        last = Operand(operand.values[-1:].contiguous(), operand.exponents[-1:].contiguous())
        segments = [Segment(0, 1, rows - 1, cache)]
        yield "attention of a cache", kernels.attention(last, shape, segments).values, expected[-1:]
