"""Scalar operations, tables and functions read from them, against plain Python integers and against real functions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import ops, tables
from tests.property.exact.integers import EDGES, activations, quick, tensor
from tests.reference import function_tables, functions, scalars


def test_tables_equal_those_of_decimal_arithmetic() -> None:
    assert tuple(tables.EXP2_TABLE.tolist()) == function_tables.exp2_table()
    assert tuple(tables.PHI_TABLE.tolist()) == function_tables.phi_table()
    assert tuple(tables.SIGMA_TABLE.tolist()) == function_tables.sigma_table()
    upper, lower = function_tables.gumbel_tables()
    assert tables.GUMBEL_TABLE.tolist() == [list(upper), list(lower)]
    entries = {
        "exp2": function_tables.exp2_table(),
        "phi": function_tables.phi_table(),
        "sigma": function_tables.sigma_table(),
        "gumbel": upper + lower,
    }
    digests = {name: function_tables.digest(values) for name, values in entries.items()}
    assert digests == tables.TABLE_SHA256


@quick
@given(st.integers(-(2**62) + 1, 2**62 - 1), st.integers(0, 62))
def test_rounding_shift(x: int, s: int) -> None:
    assert ops.rounding_shift(tensor([x]), s).tolist() == [scalars.shift_right(x, s)]


@quick
@given(st.integers(-(2**20), 2**20), st.integers(1, 30))
def test_rounding_shift_takes_ties_upward(x: int, s: int) -> None:
    tie = x * 2**s + 2 ** (s - 1)
    assert ops.rounding_shift(tensor([tie, tie - 1]), s).tolist() == [x + 1, x]


@quick
@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_saturate(x: int) -> None:
    assert ops.saturate(tensor([x])).tolist() == [scalars.saturate(x)]


around_powers = st.integers(0, 62).flatmap(lambda b: st.integers(max(0, 2**b - 2), min(2**63 - 1, 2**b + 2)))


@quick
@given(st.one_of(st.integers(0, 2**63 - 1), around_powers))
def test_bit_length(x: int) -> None:
    assert ops.bit_length(tensor([x])).tolist() == [x.bit_length()]


around_squares = st.integers(1, 2**31 - 1).flatmap(
    lambda s: st.integers(s * s - 1, min(s * s + 1, 2**62 - 1))
)


@quick
@given(st.one_of(st.integers(0, 2**62 - 1), around_squares))
def test_integer_square_root(n: int) -> None:
    assert ops.integer_square_root(tensor([n])).tolist() == [math.isqrt(n)]


def test_integer_square_root_around_the_widest_squares() -> None:
    roots = [2**31 - 1 - i for i in range(2000)] + [2**30 + i for i in range(2000)]
    radicands = [n for s in roots for n in (s * s - 1, s * s)]
    assert ops.integer_square_root(tensor(radicands)).tolist() == [math.isqrt(n) for n in radicands]


@quick
@given(st.integers(0, 2**63 - 1), st.integers(1, 2**63 - 1))
def test_floor_divide(numerator: int, divisor: int) -> None:
    assert ops.floor_divide(numerator, tensor([divisor])).tolist() == [numerator // divisor]


@settings(max_examples=300, deadline=None)
@given(st.one_of(activations, st.integers(-(2**19) - 10, 2**19 + 10)))
def test_gelu(x: int) -> None:
    expected = functions.gelu(x)
    assert ops.gelu(tensor([x])).tolist() == [expected]
    clamped = max(-2048.0, min(2048.0, x / 2**16))
    assert abs(expected / 2**16 - clamped * 0.5 * math.erfc(-clamped / math.sqrt(2))) < 3e-5


@pytest.mark.parametrize(
    ("operator", "reference", "limit"),
    [
        (ops.normal_distribution, functions.normal_distribution, 8),
        (ops.logistic, functions.logistic, 16),
        (ops.gelu, functions.gelu, 8),
    ],
)
def test_functions_around_every_entry_of_their_table(operator, reference, limit) -> None:  # type: ignore[no-untyped-def]
    points = [i * 1024 + d for i in range(-64 * limit - 2, 64 * limit + 3) for d in (-1, 0, 1, 511, 512, 513)]
    assert operator(tensor(points)).tolist() == [reference(x) for x in points]


@quick
@given(activations)
def test_relu(x: int) -> None:
    assert ops.relu(tensor([x])).tolist() == [functions.relu(x)]


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.integers(0, 26 << 16), st.integers(0, 2**52)))
def test_negative_power_of_two(d: int) -> None:
    expected = functions.negative_power_of_two(d)
    assert ops.negative_power_of_two(tensor([d])).tolist() == [expected]
    assert abs(expected / 2**24 - 2.0 ** (-d / 2**16)) <= 2e-6 + 2**-24


def test_negative_power_of_two_at_its_ends() -> None:
    ends = tensor([0, 1, 24 << 16, (24 << 16) + 1, (25 << 16) - 1, 25 << 16, 2**32])
    expected = [functions.negative_power_of_two(d) for d in ends.tolist()]
    assert ops.negative_power_of_two(ends).tolist() == expected
    assert expected == [2**24, expected[1], 1, 0, 0, 0, 0]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(activations, min_size=3, max_size=3),
    st.lists(activations, min_size=3, max_size=3),
    st.integers(0, 62),
)
def test_gated_silu(gate: list[int], up: list[int], shift: int) -> None:
    expected = functions.gated_silu(gate + up, shift)
    assert ops.gated_silu(tensor([gate + up]), shift).tolist() == [expected]


@pytest.mark.parametrize("shift", [0, 16, 23, 24, 25, 27, 40, 62])
def test_gated_silu_at_its_clamps(shift: int) -> None:
    pairs = [(gate, up) for gate in EDGES for up in [*EDGES, 2**27 + 5, -(2**27) - 5]]
    gates, ups = [gate for gate, _ in pairs], [up for _, up in pairs]
    assert ops.gated_silu(tensor([gates + ups]), shift).tolist() == [functions.gated_silu(gates + ups, shift)]


def test_gated_silu_is_the_function_it_names() -> None:
    gate = torch.arange(-(20 << 16), 20 << 16, 997)
    up = torch.full_like(gate, 3 << 16)
    got = ops.gated_silu(torch.stack((gate, up), 1), 16)[:, 0].double() / 2**16
    expected = torch.nn.functional.silu(gate.double() / 2**16) * 3
    assert float((got - expected).abs().max()) < 2e-4
