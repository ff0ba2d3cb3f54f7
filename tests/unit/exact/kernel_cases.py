"""Checks that any kernels must pass: each compares functions with the definition, bit for bit.

Values are random ones of every magnitude with the extremes in the first rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
    Rows,
    Segment,
)

SATURATION: Final = (1 << 31) - 1
EDGES: Final = (SATURATION, -SATURATION, 0, 1, -1, 1 << 14, (1 << 14) - 1, 1 << 20, -(1 << 27) - 1, 1 << 27)


def rows(count: int, width: int, *, seed: int = 1) -> Tensor:
    """Activations as int64 [count, width]: rows of random magnitudes, some of them constant extremes."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(-SATURATION, SATURATION + 1, (count, width), generator=generator)
    x >>= torch.randint(0, 31, (count, 1), generator=generator)
    x >>= torch.randint(0, 4, (count, width), generator=generator)
    for row, edge in zip(range(0, count, 3), EDGES, strict=False):
        x[row] = edge
        x[row, ::5] = -edge
    return x


def score_multiplier(head_size: int) -> int:
    return round(math.log2(math.e) / math.sqrt(head_size) * 2**20)


def check(found: Rows | Tensor, expected: Tensor, group: int | None = None) -> None:
    """``found`` holds ``expected``, as values and, with a group, quantised as well."""
    result = Rows(found) if isinstance(found, Tensor) else found
    assert result.values is not None
    assert result.values.dtype == torch.int32
    assert result.values.is_contiguous()
    assert torch.equal(result.values.cpu().to(torch.int64), expected)
    if group is not None:
        assert result.operand is not None
        check_operand(result.operand, expected, group)


def check_operand(found: Operand, x: Tensor, group: int) -> None:
    q, k = ops.quantise(x, group)
    assert (found.values.dtype, found.exponents.dtype) == (torch.int16, torch.uint8)
    assert found.values.is_contiguous()
    assert found.exponents.is_contiguous()
    assert torch.equal(found.values.cpu().to(torch.int64), q)
    assert torch.equal(found.exponents.cpu().to(torch.int64), k)


def place(kernels: Kernels, x: Tensor, kind: torch.dtype = torch.int32) -> Tensor:
    return x.to(kernels.device, kind)


def embeddings(kernels: Kernels) -> None:
    matrix, ids = rows(50, 24), torch.tensor([3, 0, 49, 7, 7])
    for kind in (torch.int32, torch.int16):
        table = matrix if kind == torch.int32 else matrix >> 16
        found = kernels.embedding(place(kernels, ids, torch.int64), place(kernels, table, kind))
        check(found, ops.embedding(ids, table))
    x, positions = rows(5, 24, seed=2), torch.tensor([0, 1, 2, 0, 49])
    found = kernels.position_embedding(
        place(kernels, x), place(kernels, positions, torch.int64), place(kernels, matrix)
    )
    check(found, ops.position_embedding(x, positions, matrix))


def quantise(kernels: Kernels) -> None:
    for count, width, group in ((31, 96, 96), (5, 96, 32), (40, 64, 1), (1, 7, 7), (33, 1536, 1536)):
        x = rows(count, width)
        check_operand(kernels.quantise(place(kernels, x), group), x, group)


def norms(kernels: Kernels) -> None:
    for size in (1, 24, 100, 384):
        generator = torch.Generator().manual_seed(size)
        gamma = torch.randint(1 - 2**24, 2**24, (size,), generator=generator)
        beta = torch.randint(-SATURATION, SATURATION + 1, (size,), generator=generator) >> 4
        root = (math.isqrt(size << 42) + 1) >> 1
        x = rows(10, size, seed=size)
        for epsilon in (0, size * 42949, (1 << 52) - 1):
            for centred, define in ((True, ops.layer_norm), (False, ops.rms_norm)):
                prepared = kernels.prepare_norm(
                    gamma.to(torch.int32), beta.to(torch.int32), epsilon, root, centred=centred
                )
                expected = define(x, gamma, beta, epsilon, root)
                check(kernels.norm(place(kernels, x), prepared, Form(True, size)), expected, size)


def activations(kernels: Kernels) -> None:
    wide = torch.arange(-(2**20) - 64, 2**20 + 64, 101)
    x = torch.cat([rows(40, 512), wide[: len(wide) // 512 * 512].view(-1, 512)])
    check(kernels.gelu(place(kernels, x), Form(True, 512)), ops.gelu(x), 512)
    check(kernels.relu(place(kernels, x), Form(True, 64)), ops.relu(x), 64)
    for shift in (1, 16, 40):
        expected = ops.gated_silu(x, shift)
        check(kernels.gated_silu(place(kernels, x), shift, Form(True, 256)), expected, 256)
    y = rows(len(x), 512, seed=9)
    check(kernels.add(place(kernels, x), place(kernels, y)), ops.add(x, y))


def rotation(kernels: Kernels) -> None:
    for count, heads, turned, size in ((20, 5, 3, 16), (3, 1, 1, 2), (7, 4, 4, 64)):
        x = rows(count, heads * size, seed=size)
        generator = torch.Generator().manual_seed(size)
        cosine, sine = (
            torch.randint(-(2**20), 2**20 + 1, (count + 9, size // 2), generator=generator) for _ in range(2)
        )
        cosine[0], sine[0] = 2**20, -(2**20)
        positions = torch.randint(0, count + 9, (count,), generator=generator)
        positions[0] = 0
        expected = ops.rotate(x, positions, cosine, sine, turned * size, size)
        found = kernels.rotate(
            place(kernels, x),
            place(kernels, positions, torch.int64),
            place(kernels, cosine),
            place(kernels, sine),
            turned * size,
            size,
            Form(True, size),
        )
        check(found, expected, size)


def unit_means(kernels: Kernels) -> None:
    lengths = [1, 7, 20, 2]
    x = rows(30, 48, seed=3)
    x[28], x[29] = 5, -5
    expected = torch.cat([ops.unit_mean(part) for part in x.split(lengths)])
    assert not expected[3].any()
    check(kernels.unit_mean(place(kernels, x), lengths), expected)


def linear(kernels: Kernels) -> None:
    for limit, kind in ((127, torch.int8), (16256, torch.int16)):
        for count, outputs, inputs in ((1, 3, 1), (9, 20, 64), (40, 33, 1009), (3, 8, 4096)):
            generator = torch.Generator().manual_seed(inputs)
            weight = torch.randint(-limit, limit + 1, (outputs, inputs), generator=generator)
            weight[0], weight[1] = limit, -limit
            reach = int(weight.abs().sum(1).max()) << 14
            greatest = min((1 << 24) - 1, ((1 << 53) - ((1 << 27) + 1 << 24)) // reach)
            multiplier = torch.randint(1, greatest + 1, (outputs,), generator=generator)
            multiplier[:2] = greatest
            bias = torch.randint(-(2**27), 2**27, (outputs,), generator=generator)
            x, residual = rows(count, inputs, seed=inputs), rows(count, outputs, seed=4)
            operand = kernels.quantise(place(kernels, x), inputs)
            for shift in (18, 24):
                expected = ops.linear(*ops.quantise(x, inputs), weight, multiplier, bias, shift)
                constants = multiplier.to(torch.int32), bias.to(torch.int32)
                prepared = kernels.prepare_linear(weight.to(kind), *constants, shift)
                check(kernels.linear(operand, prepared), expected)
                check(
                    kernels.linear(operand, prepared, place(kernels, residual)), ops.add(residual, expected)
                )


def check_attention(kernels: Kernels, x: Tensor, shape: AttentionShape, lengths: Sequence[int]) -> None:
    """Attention of sequences of these lengths, stacked, against the definition of each."""
    constants = shape.heads, shape.key_heads, shape.head_size, shape.multiplier, shape.causal
    expected, segments, start = [], [], 0
    for length in lengths:
        q, k = ops.quantise(x[start : start + length], shape.head_size)
        expected.append(ops.attention(q, k, *constants))
        segments.append(Segment(start, length))
        start += length
    operand = kernels.quantise(place(kernels, x), shape.head_size)
    width = shape.heads * shape.head_size
    found = kernels.attention(operand, shape, segments, Form(True, width))
    check(found, torch.cat(expected), width)


def whole_attention(kernels: Kernels) -> None:
    for heads, key_heads, size in ((3, 3, 16), (4, 2, 8), (4, 1, 5), (1, 1, 256)):
        for causal in (False, True):
            lengths = [5, 1, 18, 5, 5, 2]
            shape = AttentionShape(heads, key_heads, size, score_multiplier(size), causal)
            x = rows(sum(lengths), (heads + 2 * key_heads) * size, seed=size)
            # Moderate values weigh many keys, extreme ones very few.
            check_attention(kernels, x.clamp(-(2**18), 2**18) if causal else x, shape, lengths)
            if size == 8:
                check_attention(kernels, x if causal else x.clamp(-(2**18), 2**18), shape, lengths)


def continued_attention(kernels: Kernels) -> None:
    """Sequences whose first rows lie in caches, in one call with one that has none: the same rows as all at once."""
    shape = AttentionShape(4, 2, 8, score_multiplier(8), causal=True)
    constants = shape.heads, shape.key_heads, shape.head_size, shape.multiplier, shape.causal
    own_columns = shape.heads * shape.head_size
    expected, segments, stack, start = [], [], [], 0
    for number, (held, new) in enumerate(((0, 5), (11, 1), (30, 6), (0, 9), (11, 1))):
        x = rows(held + new, 64, seed=40 + number) >> (5 * (number % 2))
        q, k = ops.quantise(x, shape.head_size)
        expected.append(ops.attention(q, k, *constants, held))
        cache = None
        if number != 0:
            values = torch.full((50, 32), 77, dtype=torch.int16)
            exponents = torch.full((50, 4), 9, dtype=torch.uint8)
            values[: held + new], exponents[: held + new] = q[:, own_columns:], k[:, shape.heads :]
            cache = LayerCache(values.to(kernels.device), exponents.to(kernels.device))
        segments.append(Segment(start, new, held, cache))
        stack.append((q[held:], k[held:]))
        start += new
    operand = Operand(
        place(kernels, torch.cat([q for q, _ in stack]), torch.int16),
        place(kernels, torch.cat([k for _, k in stack]), torch.uint8),
    )
    check(kernels.attention(operand, shape, segments, Form(True, 32)), torch.cat(expected), 32)


#: What does not multiply matrices, and so is the same for every carrier.
ROW_CASES: Final[tuple[Callable[[Kernels], None], ...]] = (
    embeddings,
    quantise,
    norms,
    activations,
    rotation,
    unit_means,
)
PRODUCT_CASES: Final[tuple[Callable[[Kernels], None], ...]] = (linear, whole_attention, continued_attention)
