"""Every operator, and every fast kernel, against plain Python integers, on random and on extreme values."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import kernels, operators
from proofmill.exact.carriers import CARRIER_NAMES, Carrier, carrier_fault
from proofmill.exact.tables import EXP2_TABLE, PHI_TABLE
from tests.reference import big_integers as reference

SATURATION = operators.SATURATION
EDGES = [0, 1, -1, 2**13, 2**14 - 1, 2**14, -(2**14), 2**19 - 1, 2**19, -(2**19), 2**20, 2**27, 2**27 + 1]
EDGES += [SATURATION, -SATURATION, SATURATION - 1]

#: Activations of every magnitude: extremes, and values of a random number of bits.
activations = st.one_of(
    st.sampled_from(EDGES),
    st.integers(0, 31).flatmap(lambda bits: st.integers(-(2**bits) + 1, 2**bits - 1)),
)
quick = settings(max_examples=150, deadline=None)


def matrix(
    rows: int, columns: int, values: st.SearchStrategy[int] = activations
) -> st.SearchStrategy[list[list[int]]]:
    return st.lists(st.lists(values, min_size=columns, max_size=columns), min_size=rows, max_size=rows)


def tensor(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int64)


def real(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_tables_equal_those_of_power_series() -> None:
    assert tuple(EXP2_TABLE.tolist()) == reference.exp2_table()
    assert tuple(PHI_TABLE.tolist()) == reference.phi_table()


@quick
@given(st.integers(-(2**62) + 1, 2**62 - 1), st.integers(0, 62))
def test_rounding_shift(x: int, s: int) -> None:
    assert operators.rounding_shift(tensor([x]), s).tolist() == [reference.shift_right(x, s)]


@quick
@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_saturate(x: int) -> None:
    assert operators.saturate(tensor([x])).tolist() == [reference.saturate(x)]


around_powers = st.integers(0, 62).flatmap(lambda b: st.integers(max(0, 2**b - 2), min(2**63 - 1, 2**b + 2)))


@quick
@given(st.one_of(st.integers(0, 2**63 - 1), around_powers))
def test_bit_length(x: int) -> None:
    assert operators.bit_length(tensor([x])).tolist() == [x.bit_length()]
    if x < 2**62:
        assert kernels._int64_bit_length(tensor([x])).tolist() == [x.bit_length()]
    if x < 2**53:
        assert kernels.bit_length(real([x])).tolist() == [x.bit_length()]


around_squares = st.integers(1, 2**31 - 1).flatmap(
    lambda s: st.integers(s * s - 1, min(s * s + 1, 2**62 - 1))
)


@quick
@given(st.one_of(st.integers(0, 2**62 - 1), around_squares))
def test_integer_square_root(n: int) -> None:
    assert operators.integer_square_root(tensor([n])).tolist() == [math.isqrt(n)]
    assert kernels._square_root(tensor([n])).tolist() == [math.isqrt(n)]


@given(st.integers(-900, 900))
def test_power_of_two(exponent: int) -> None:
    assert kernels.power_of_two(tensor([exponent])).tolist() == [2.0**exponent]


@quick
@given(matrix(2, 5))
def test_quantise(rows: list[list[int]]) -> None:
    expected = [reference.quantise(row) for row in rows]
    q, k = operators.quantise(tensor(rows))
    assert q.tolist() == [row for row, _ in expected]
    assert k.flatten().tolist() == [exponent for _, exponent in expected]
    fast_q, fast_k = kernels.quantise(real(rows))
    assert torch.equal(fast_q.to(torch.int64), q)
    assert torch.equal(fast_k, k)
    assert int(q.abs().max()) <= 2**14
    assert 0 <= int(k.max()) <= 17


@quick
@given(st.integers(-(2**14), 2**14))
def test_split_digits(q: int) -> None:
    high, low = operators.split_digits(tensor([q]))
    assert (int(high), int(low)) == reference.digits(q)
    assert 256 * int(high) + int(low) == q
    assert abs(int(high)) <= 64
    assert -128 <= int(low) <= 127


weights = st.one_of(st.sampled_from([-127, 127, 0]), st.integers(-127, 127))


@quick
@given(
    matrix(3, 7),
    matrix(2, 7, weights),
    st.lists(st.integers(0, 2**24 - 1), min_size=2, max_size=2),
    st.lists(st.integers(-(2**21), 2**21), min_size=2, max_size=2),
    st.integers(18, 30),
)
def test_linear(
    rows: list[list[int]], weight: list[list[int]], c: list[int], b: list[int], exponent: int
) -> None:
    expected = [reference.linear(row, weight, c, b, exponent) for row in rows]
    constants = tensor(weight), tensor(c), tensor(b)
    assert operators.linear(tensor(rows), *constants, exponent).tolist() == expected
    for name in CARRIER_NAMES:
        if carrier_fault(name) is None:
            carrier = Carrier(name)
            kernel = kernels.LinearKernel.build(
                carrier, constants[0].to(torch.int8), *constants[1:], exponent
            )
            assert kernel(carrier, real(rows)).tolist() == expected


@quick
@given(
    matrix(4, 3, st.integers(-(2**20), 2**20)),
    matrix(3, 3),
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
)
def test_embedding_sum(word: list[list[int]], position: list[list[int]], ids: list[int]) -> None:
    expected = [[a + b for a, b in zip(word[i], position[t], strict=True)] for t, i in enumerate(ids)]
    if max(abs(x) for row in expected for x in row) <= SATURATION:
        assert operators.embedding_sum(tensor(ids), tensor(word), tensor(position)).tolist() == expected


@quick
@given(matrix(2, 4), matrix(2, 4))
def test_residual_add(a: list[list[int]], b: list[list[int]]) -> None:
    expected = [reference.residual_add(x, y) for x, y in zip(a, b, strict=True)]
    assert operators.residual_add(tensor(a), tensor(b)).tolist() == expected
    assert kernels.residual_add(real(a), real(b)).tolist() == expected


@settings(max_examples=300, deadline=None)
@given(st.data(), st.integers(1, 24))
def test_layer_norm(data: st.DataObject, size: int) -> None:
    rows = data.draw(matrix(2, size))
    gamma = data.draw(st.lists(st.integers(-(2**24) + 1, 2**24 - 1), min_size=size, max_size=size))
    beta = data.draw(st.lists(activations, min_size=size, max_size=size))
    epsilon = data.draw(st.sampled_from([0, 1, 1000, 2**40]))
    root = reference.rounded_root(size)
    expected = [reference.layer_norm(row, gamma, beta, epsilon, root) for row in rows]
    assert operators.layer_norm(tensor(rows), tensor(gamma), tensor(beta), epsilon, root).tolist() == expected
    kernel = kernels.NormKernel.build(tensor(gamma), tensor(beta), epsilon, root)
    assert kernel(real(rows)).tolist() == expected


@pytest.mark.parametrize("size", [384, 8192])
def test_layer_norm_at_its_bounds(size: int) -> None:
    one_large = [SATURATION] + [-SATURATION] * (size - 1)
    alternating = [SATURATION if i % 2 else -SATURATION for i in range(size)]
    rows = [one_large, alternating, [SATURATION] * size, [0] * size, [1] + [0] * (size - 1)]
    gamma, beta, root = [2**24 - 1] * size, [1] * size, reference.rounded_root(size)
    expected = [reference.layer_norm(row, gamma, beta, 1, root) for row in rows]
    assert operators.layer_norm(tensor(rows), tensor(gamma), tensor(beta), 1, root).tolist() == expected
    assert kernels.NormKernel.build(tensor(gamma), tensor(beta), 1, root)(real(rows)).tolist() == expected


@settings(max_examples=500, deadline=None)
@given(st.one_of(activations, st.integers(-(2**19) - 10, 2**19 + 10)))
def test_gelu(x: int) -> None:
    expected = reference.gelu(x)
    assert operators.gelu(tensor([x])).tolist() == [expected]
    assert kernels.gelu(real([x])).tolist() == [expected]
    real_value = x / 2**16
    clamped = max(-2048.0, min(2048.0, real_value))
    assert abs(expected / 2**16 - clamped * 0.5 * math.erfc(-clamped / math.sqrt(2))) < 3e-5


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.integers(0, 26 << 16), st.integers(0, 2**52)))
def test_negative_power_of_two(d: int) -> None:
    expected = reference.negative_power_of_two(d)
    assert operators.negative_power_of_two(tensor([d])).tolist() == [expected]
    # The kernel reads differences: 0 is the row's greatest score.
    assert kernels.softmax_weights(real([[0, -d]])).tolist() == [[2**24, expected]]
    assert abs(expected / 2**24 - 2.0 ** (-d / 2**16)) <= 2e-6 + 2**-24


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 2), st.integers(1, 4))
def test_attention(data: st.DataObject, length: int, heads: int, width: int) -> None:
    rows = data.draw(matrix(length, 3 * heads * width))
    multiplier = reference.score_multiplier(width)
    expected = reference.attention(rows, heads, multiplier)
    assert operators.attention(tensor(rows), heads, multiplier).tolist() == expected
    for name in CARRIER_NAMES:
        q, k = kernels.quantise(real(rows).view(length, 3, heads, width).permute(1, 2, 0, 3))
        scores = kernels.attention_scores(Carrier(name), q[0], k[0], q[1], k[1], multiplier)
        mixed = kernels.attention_values(Carrier(name), kernels.softmax_weights(scores), q[2], k[2])
        fast = mixed.clamp(-SATURATION, SATURATION).permute(1, 0, 2).reshape(length, heads * width)
        assert fast.tolist() == expected


def test_attention_at_its_bounds() -> None:
    """Greatest operands, widest heads and a long sequence of equal scores."""
    length, width = 40, 256
    multiplier = reference.score_multiplier(width)
    for key, value in ((SATURATION, SATURATION), (-SATURATION, -SATURATION), (SATURATION, 0)):
        rows = [[SATURATION] * width + [key] * width + [value] * width for _ in range(length)]
        expected = reference.attention(rows, 1, multiplier)
        assert operators.attention(tensor(rows), 1, multiplier).tolist() == expected


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(1, 6), st.integers(1, 12))
def test_mean_pool_normalise(data: st.DataObject, length: int, size: int) -> None:
    rows = data.draw(matrix(length, size))
    expected = reference.mean_pool_normalise(rows)
    assert operators.mean_pool_normalise(tensor(rows)).tolist() == expected
    assert kernels.mean_pool_normalise(real([rows, rows])).tolist() == [expected, expected]
    assert max(abs(x) for x in expected) <= 2**24 + 1


def test_mean_pool_at_its_bounds() -> None:
    rows = [[SATURATION] * 8191 for _ in range(3)]
    assert operators.mean_pool_normalise(tensor(rows)).tolist() == reference.mean_pool_normalise(rows)
    assert operators.mean_pool_normalise(tensor([[0, 0]])).tolist() == [0, 0]


@pytest.mark.parametrize("head_size", [1, 32, 64, 256])
def test_constants(head_size: int) -> None:
    from proofmill.exact.convert import rounded_root, score_multiplier

    assert score_multiplier(head_size) == reference.score_multiplier(head_size)
    assert rounded_root(12 * head_size) == reference.rounded_root(12 * head_size)
