"""The portable kernels against the definition on activations of every magnitude, extremes included."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import ops
from proofmill.exact.kernels.arithmetic import (
    bit_length,
    inverse_square_root,
    power_of_two,
    square_root,
    wide_bit_length,
)
from proofmill.exact.kernels.carriers import CARRIER_NAMES, Carrier
from proofmill.exact.kernels.interface import AttentionShape, Form, Operand, Segment
from proofmill.exact.kernels.portable import PortableKernels
from proofmill.exact.kernels.selection import carrier_fault
from tests.property.exact.integers import quick, row_of, rows_of, tensor
from tests.unit.exact.kernel_cases import check, check_operand, score_multiplier

EXACT = [name for name in CARRIER_NAMES if carrier_fault(name) is None]
KERNELS = PortableKernels(Carrier("fp64"))
around_powers = st.integers(0, 61).flatmap(lambda b: st.integers(max(0, 2**b - 2), min(2**62 - 1, 2**b + 2)))
around_squares = st.integers(1, 2**31 - 1).flatmap(
    lambda s: st.integers(s * s - 1, min(s * s + 1, 2**62 - 1))
)


@quick
@given(st.one_of(st.integers(0, 2**62 - 1), around_powers, around_squares))
def test_scalar_steps(n: int) -> None:
    x = tensor([n])
    assert wide_bit_length(x).tolist() == [n.bit_length()]
    assert square_root(x).tolist() == ops.integer_square_root(x).tolist()
    if n < 2**53:
        assert bit_length(x).tolist() == [n.bit_length()]
    if n > 0:
        reciprocal, lift = inverse_square_root(x, 1 << 62)
        assert lift.tolist() == [(62 - n.bit_length()) // 2]
        root = ops.integer_square_root(x << (2 * lift))
        assert reciprocal.tolist() == ops.floor_divide(1 << 62, root).tolist()


@given(st.integers(-1000, 1000))
def test_powers_of_two(exponent: int) -> None:
    assert power_of_two(tensor([exponent])).tolist() == [2.0**exponent]


@quick
@given(rows_of(3, 8), st.sampled_from([1, 2, 4, 8]))
def test_quantise(rows: list[list[int]], group: int) -> None:
    x = tensor(rows)
    check_operand(KERNELS.quantise(x.to(torch.int32), group), x, group)


@quick
@given(rows_of(2, 8), rows_of(2, 8), st.integers(1, 40))
def test_elementwise(rows: list[list[int]], others: list[list[int]], shift: int) -> None:
    x, y = tensor(rows), tensor(others)
    narrow = x.to(torch.int32)
    check(KERNELS.gelu(narrow), ops.gelu(x))
    check(KERNELS.relu(narrow), ops.relu(x))
    check(KERNELS.add(narrow, y.to(torch.int32)), ops.add(x, y))
    check(KERNELS.gated_silu(narrow, shift, Form(True, 2)), ops.gated_silu(x, shift), 2)


@quick
@given(
    rows_of(2, 6),
    row_of(6, st.integers(1 - 2**24, 2**24 - 1)),
    row_of(6),
    st.integers(0, 2**52 - 1),
    st.booleans(),
)
def test_norms(rows: list[list[int]], gamma: list[int], beta: list[int], epsilon: int, centred: bool) -> None:
    x, root = tensor(rows), (math.isqrt(6 << 42) + 1) >> 1
    prepared = KERNELS.prepare_norm(
        tensor(gamma).to(torch.int32), tensor(beta).to(torch.int32), epsilon, root, centred=centred
    )
    define = ops.layer_norm if centred else ops.rms_norm
    check(KERNELS.norm(x.to(torch.int32), prepared), define(x, tensor(gamma), tensor(beta), epsilon, root))


@quick
@given(rows_of(2, 8), rows_of(3, 2, st.integers(-(2**20), 2**20)), st.integers(0, 2), st.integers(0, 2))
def test_rotate(rows: list[list[int]], angles: list[list[int]], first: int, second: int) -> None:
    x, cosine = tensor(rows), tensor(angles)
    sine, positions = cosine.flip(0), tensor([first, second])
    found = KERNELS.rotate(x.int(), positions, cosine.int(), sine.int(), 4, 4)
    check(found, ops.rotate(x, positions, cosine, sine, 4, 4))


@quick
@given(rows_of(5, 3), st.integers(1, 4))
def test_unit_mean(rows: list[list[int]], first: int) -> None:
    x = tensor(rows)
    expected = torch.cat([ops.unit_mean(x[:first]), ops.unit_mean(x[first:])])
    check(KERNELS.unit_mean(x.to(torch.int32), [first, 5 - first]), expected)


@quick
@given(
    st.sampled_from(EXACT),
    rows_of(2, 5),
    st.sampled_from([127, 16256]).flatmap(lambda limit: rows_of(3, 5, st.integers(-limit, limit))),
    st.integers(1, 2**12),
    st.integers(18, 30),
)
def test_linear(
    name: str, rows: list[list[int]], weights: list[list[int]], multiplier: int, shift: int
) -> None:
    kernels, x, weight = PortableKernels(Carrier(name)), tensor(rows), tensor(weights)
    kind = torch.int8 if int(weight.abs().max()) <= 127 else torch.int16
    multipliers, bias = tensor([multiplier, 1, 2]), tensor([5, -(2**20), 2**20])
    prepared = kernels.prepare_linear(weight.to(kind), multipliers.int(), bias.int(), shift)
    q, k = ops.quantise(x, 5)
    found = kernels.linear(kernels.quantise(x.to(torch.int32), 5), prepared)
    check(found, ops.linear(q, k, weight, multipliers, bias, shift))


@settings(max_examples=150, deadline=None)
@given(
    st.data(),
    st.sampled_from(EXACT),
    st.sampled_from([(1, 1, 1), (2, 2, 3), (2, 1, 2), (4, 2, 2)]),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.booleans(),
)
def test_attention(
    data: st.DataObject, name: str, shape: tuple[int, int, int], lengths: list[int], causal: bool
) -> None:
    heads, key_heads, size = shape
    layout = AttentionShape(heads, key_heads, size, score_multiplier(size), causal)
    x = tensor(data.draw(rows_of(sum(lengths), (heads + 2 * key_heads) * size)))
    q, k = ops.quantise(x, size)
    constants = heads, key_heads, size, layout.multiplier, causal
    expected, segments, start = [], [], 0
    for length in lengths:
        part = slice(start, start + length)
        expected.append(ops.attention(q[part], k[part], *constants))
        segments.append(Segment(start, length))
        start += length
    operand = Operand(q.to(torch.int16), k.to(torch.uint8))
    kernels = PortableKernels(Carrier(name))
    check(kernels.attention(operand, layout, segments), torch.cat(expected))
