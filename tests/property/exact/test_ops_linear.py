"""Quantisation, linear operators, sums and embeddings against plain Python integers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import InvalidOperand, ops
from tests.property.exact.integers import SATURATION, activations, quick, row_of, rows_of, tensor
from tests.reference import matrices


@quick
@given(rows_of(2, 12), st.sampled_from([1, 2, 3, 4, 6, 12]))
def test_quantise(rows: list[list[int]], group: int) -> None:
    expected = [matrices.quantise(row, group) for row in rows]
    q, k = ops.quantise(tensor(rows), group)
    assert q.tolist() == [operand for operand, _ in expected]
    assert k.tolist() == [exponents for _, exponents in expected]
    assert int(q.abs().max()) <= 2**14
    assert 0 <= int(k.max()) <= 17
    restored = q.view(2, -1, group) << k[..., None]
    half = (1 << k[..., None]) >> 1
    assert bool(((restored - tensor(rows).view(2, -1, group)).abs() <= half).all())


def test_quantise_rounds_up_to_its_limit() -> None:
    q, k = ops.quantise(tensor([[SATURATION, -SATURATION, 2**14 - 1]]), 3)
    assert (q.tolist(), k.tolist()) == ([[2**14, -(2**14), 0]], [[17]])
    q, k = ops.quantise(tensor([[2**15 - 1], [2**14 - 1], [2**14], [0]]), 1)
    assert (q.tolist(), k.tolist()) == ([[2**14], [2**14 - 1], [2**13], [0]], [[1], [0], [1], [0]])


@quick
@given(st.integers(-(2**14), 2**14))
def test_split_digits(q: int) -> None:
    high, low = ops.split_digits(tensor([q]))
    assert (int(high), int(low)) == matrices.digits(q)
    assert 256 * int(high) + int(low) == q
    assert abs(int(high)) <= 64
    assert -128 <= int(low) <= 127


def weights(limit: int) -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from([-limit, limit, 0, 1]), st.integers(-limit, limit))


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from([127, 16256]), st.integers(18, 53))
def test_linear(data: st.DataObject, limit: int, shift: int) -> None:
    """Whatever the bound allows: biases and multipliers are drawn over their whole range and cut to the reach."""
    rows = data.draw(rows_of(3, 7))
    weight = data.draw(rows_of(2, 7, weights(limit)))
    bias, multiplier = [], []
    for row in weight:
        b = data.draw(st.integers(-(2**31) + 1, 2**31 - 1))
        most = min(2**31 - 1, 2 ** (53 - shift) - 1)
        bias.append(max(-most, min(most, b)))
        total = 2**14 * sum(abs(w) for w in row)
        room = 2**53 - (abs(bias[-1]) + 1) * 2**shift
        greatest = 2**24 - 1 if total == 0 else min(2**24 - 1, room // total)
        if greatest < 1:
            bias[-1], greatest = 0, min(2**24 - 1, (2**53 - 2**shift) // total)
        multiplier.append(data.draw(st.one_of(st.just(max(1, greatest)), st.integers(1, max(1, greatest)))))
    constants = tensor(weight), tensor(multiplier), tensor(bias)
    q, k = ops.quantise(tensor(rows), 7)
    reach = [
        2**14 * sum(map(abs, w)) * c + (abs(b) + 1) * 2**shift
        for w, c, b in zip(weight, multiplier, bias, strict=True)
    ]
    assert ops.within_reach(*constants, shift).tolist() == [value <= 2**53 for value in reach]
    if max(reach) > 2**53:
        with pytest.raises(InvalidOperand, match="reach"):
            ops.linear(q, k, *constants, shift)
        return
    expected = [matrices.linear(matrices.quantise(row, 7), weight, multiplier, bias, shift) for row in rows]
    assert ops.linear(q, k, *constants, shift).tolist() == expected


@quick
@given(
    rows_of(2, 5, weights(16256)),
    row_of(2, st.integers(1, 2**24 - 1)),
    row_of(2),
    st.integers(18, 62),
)
def test_reach_is_compared_without_overflow(
    weight: list[list[int]], c: list[int], b: list[int], shift: int
) -> None:
    reach = [
        2**14 * sum(map(abs, w)) * m + (abs(x) + 1) * 2**shift for w, m, x in zip(weight, c, b, strict=True)
    ]
    got = ops.within_reach(tensor(weight), tensor(c), tensor(b), shift)
    assert got.tolist() == [value <= 2**53 for value in reach]


def test_reach_at_its_limit_and_one_beyond() -> None:
    weight, one = tensor([[2**13]]), tensor([1])
    room = 2**53 - 2**27 * (2**24 - 1)
    assert ops.within_reach(weight, tensor([2**24 - 1]), tensor([room // 2**18 - 1]), 18).tolist() == [True]
    assert ops.within_reach(weight, tensor([2**24 - 1]), tensor([room // 2**18]), 18).tolist() == [False]
    assert ops.within_reach(tensor([[0]]), one, tensor([0]), 53).tolist() == [True]
    assert ops.within_reach(tensor([[1]]), one, tensor([0]), 53).tolist() == [False]


def test_linear_saturates_on_both_sides() -> None:
    q, k = ops.quantise(tensor([[SATURATION], [-SATURATION]]), 1)
    y = ops.linear(q, k, tensor([[16256]]), tensor([2**24 - 1]), tensor([SATURATION]), 18)
    assert y.tolist() == [[SATURATION], [-SATURATION]]


@quick
@given(rows_of(4, 3), row_of(3, st.integers(0, 3)), rows_of(6, 3), row_of(3, st.integers(0, 5)))
def test_embeddings(
    word: list[list[int]], ids: list[int], position: list[list[int]], positions: list[int]
) -> None:
    x = ops.embedding(tensor(ids), tensor(word))
    assert x.tolist() == matrices.embedding(ids, word)
    placed = ops.position_embedding(x, torch.arange(3) + 2, tensor(position))
    assert placed.tolist() == matrices.position_embedding(x.tolist(), position, 2)
    expected = [matrices.add(row, position[t]) for row, t in zip(x.tolist(), positions, strict=True)]
    assert ops.position_embedding(x, tensor(positions), tensor(position)).tolist() == expected


@quick
@given(rows_of(2, 4), rows_of(2, 4))
def test_add(a: list[list[int]], b: list[list[int]]) -> None:
    expected = [matrices.add(x, y) for x, y in zip(a, b, strict=True)]
    assert ops.add(tensor(a), tensor(b)).tolist() == expected


@quick
@given(activations)
def test_add_saturates(x: int) -> None:
    assert ops.add(tensor([x]), tensor([x])).tolist() == [max(-SATURATION, min(SATURATION, 2 * x))]
