"""The native kernels against the definition: shapes and values that hypothesis chooses."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import ops
from proofmill.exact.kernels.interface import AttentionShape, Form, Operand
from proofmill.exact.kernels.native.kernels import NativeKernels
from tests.property.exact.integers import quick, rows_of, tensor
from tests.unit.exact import kernel_cases as cases
from tests.unit.exact.native_variants import needs_compiler

pytestmark = needs_compiler
few = settings(max_examples=40, deadline=None)


@few
@given(
    rows=st.integers(1, 40),
    outputs=st.integers(1, 130),
    inputs=st.integers(1, 2100),
    wide=st.booleans(),
    added=st.booleans(),
    seed=st.integers(0, 1 << 30),
)
def test_products(rows: int, outputs: int, inputs: int, wide: bool, added: bool, seed: int) -> None:
    kernels = NativeKernels()
    generator = torch.Generator().manual_seed(seed)
    limit = 16256 if wide else 127
    weight = torch.randint(-limit, limit + 1, (outputs, inputs), generator=generator)
    weight[seed % outputs] = limit
    x = cases.rows(rows, inputs, seed=seed)
    multiplier = ((1 << 51) // (weight.abs().sum(1) << 14).clamp(min=1)).clamp(1, (1 << 24) - 1)
    bias = torch.randint(-(1 << 22), 1 << 22, (outputs,), generator=generator)
    residual = cases.rows(rows, outputs, seed=seed + 1)
    prepared = kernels.prepare_linear(weight.to(torch.int16 if wide else torch.int8), multiplier, bias, 28)
    operand = kernels.quantise(x.to(torch.int32), inputs)
    found = kernels.linear(operand, prepared, residual.to(torch.int32) if added else None)
    expected = ops.linear(*ops.quantise(x, inputs), weight, multiplier, bias, 28)
    assert torch.equal(found.to(torch.int64), ops.add(residual, expected) if added else expected)


@few
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    shared=st.integers(1, 5),
    key_heads=st.integers(1, 3),
    size=st.integers(1, 80),
    causal=st.booleans(),
    drop=st.integers(0, 20),
    seed=st.integers(0, 1 << 30),
)
def test_attention(
    lengths: list[int], shared: int, key_heads: int, size: int, causal: bool, drop: int, seed: int
) -> None:
    heads = shared * key_heads
    shape = AttentionShape(heads, key_heads, size, cases.score_multiplier(size), causal)
    x = cases.rows(sum(lengths), (heads + 2 * key_heads) * size, seed=seed) >> drop
    cases.check_attention(NativeKernels(), x, shape, lengths)


@quick
@given(rows_of(3, 12))
def test_rows(values: list[list[int]]) -> None:
    kernels = NativeKernels()
    wide = tensor(values)
    x = wide.to(torch.int32)
    form = Form(True, 6)
    cases.check_operand(kernels.quantise(x, 4), wide, 4)
    cases.check(kernels.gelu(x, form), ops.gelu(wide), 6)
    cases.check(kernels.relu(x, form), ops.relu(wide), 6)
    cases.check(kernels.gated_silu(x, 16), ops.gated_silu(wide, 16))
    cases.check(kernels.add(x, x.flip(0)), ops.add(wide, wide.flip(0)))
    gamma, beta, root = (
        torch.arange(12) * 9000 - 40000,
        torch.arange(12) << 20,
        (math.isqrt(12 << 42) + 1) >> 1,
    )
    for centred, definition in ((True, ops.layer_norm), (False, ops.rms_norm)):
        norm = kernels.prepare_norm(gamma, beta, 500, root, centred=centred)
        cases.check(kernels.norm(x, norm, form), definition(wide, gamma, beta, 500, root), 6)
    cases.check(kernels.unit_mean(x, [3]), ops.unit_mean(wide).reshape(1, 12))


@quick
@given(st.integers(-(1 << 14), 1 << 14), st.integers(-16256, 16256), st.integers(1, 40))
def test_two_digit_products_of_constants(q: int, w: int, inputs: int) -> None:
    """Every split of operand and weight into bytes, at nine rows where byte products are used."""
    kernels = NativeKernels()
    one, zero = torch.ones(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)
    weight = torch.full((1, inputs), w)
    prepared = kernels.prepare_linear(weight.to(torch.int16), one, zero, 18)
    k = torch.full((9, 1), 17)
    x = Operand(torch.full((9, inputs), q, dtype=torch.int16), k.to(torch.uint8))
    found = kernels.linear(x, prepared)
    assert torch.equal(
        found.to(torch.int64), ops.linear(torch.full((9, inputs), q), k, weight, one, zero, 18)
    )
