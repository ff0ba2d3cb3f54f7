"""Operators on whole rows: norms, rotations and the unit mean, against plain Python integers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import ops
from tests.property.exact.integers import SATURATION, activations, row_of, rows_of, tensor
from tests.reference import function_tables, functions, norms

NORMS = {"layer_norm": (ops.layer_norm, norms.layer_norm), "rms_norm": (ops.rms_norm, norms.rms_norm)}


@pytest.mark.parametrize("name", NORMS)
@settings(max_examples=120, deadline=None)
@given(st.data(), st.integers(1, 24))
def test_norms(name: str, data: st.DataObject, size: int) -> None:
    rows = data.draw(rows_of(2, size))
    gamma = data.draw(row_of(size, st.integers(-(2**24) + 1, 2**24 - 1)))
    beta = data.draw(row_of(size, activations))
    epsilon = data.draw(st.sampled_from([0, 1, 1000, 2**40, 2**52 - 1]))
    root = function_tables.rounded_root(size)
    operator, reference = NORMS[name]
    expected = [reference(row, gamma, beta, epsilon, root) for row in rows]
    assert operator(tensor(rows), tensor(gamma), tensor(beta), epsilon, root).tolist() == expected


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("size", [384, 8192])
def test_norms_at_their_bounds(name: str, size: int) -> None:
    one_large = [SATURATION] + [-SATURATION] * (size - 1)
    alternating = [SATURATION if i % 2 else -SATURATION for i in range(size)]
    lone = [SATURATION] + [0] * (size - 1)
    rows = [one_large, alternating, lone, [SATURATION] * size, [0] * size, [1] + [0] * (size - 1)]
    gamma, beta = [2**24 - 1] * size, [1] * size
    root = function_tables.rounded_root(size)
    operator, reference = NORMS[name]
    for epsilon in (1, 2**52 - 1):
        expected = [reference(row, gamma, beta, epsilon, root) for row in rows]
        assert operator(tensor(rows), tensor(gamma), tensor(beta), epsilon, root).tolist() == expected


def test_norms_are_the_functions_they_name() -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randint(-(2**20), 2**20, (8, 96), generator=generator)
    root, ones, zeros = (
        function_tables.rounded_root(96),
        torch.full((96,), 2**14),
        torch.zeros(96, dtype=torch.int64),
    )
    real = x.double() / 2**16
    centred = real - real.mean(1, keepdim=True)
    expected = centred / centred.square().mean(1, keepdim=True).sqrt()
    assert float((ops.layer_norm(x, ones, zeros, 0, root) / 2**16 - expected).abs().max()) < 5e-5
    expected = real / real.square().mean(1, keepdim=True).sqrt()
    assert float((ops.rms_norm(x, ones, zeros, 0, root) / 2**16 - expected).abs().max()) < 5e-5


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from([(2, 2), (4, 2), (4, 4), (8, 4), (12, 6)]), st.integers(0, 3))
def test_rotate(data: st.DataObject, shape: tuple[int, int], others: int) -> None:
    columns, size = shape
    turns = st.one_of(st.sampled_from([0, 2**20, -(2**20)]), st.integers(-(2**20), 2**20))
    rows = data.draw(rows_of(3, columns + others))
    cosine, sine = data.draw(rows_of(5, size // 2, turns)), data.draw(rows_of(5, size // 2, turns))
    positions = data.draw(row_of(3, st.integers(0, 4)))
    expected = [
        functions.rotate(row, cosine[t], sine[t], columns, size)
        for row, t in zip(rows, positions, strict=True)
    ]
    got = ops.rotate(tensor(rows), tensor(positions), tensor(cosine), tensor(sine), columns, size)
    assert got.tolist() == expected


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 6), st.integers(1, 12))
def test_unit_mean(data: st.DataObject, length: int, size: int) -> None:
    rows = data.draw(rows_of(length, size))
    expected = norms.unit_mean(rows)
    assert ops.unit_mean(tensor(rows)).tolist() == [expected]
    assert max(abs(x) for x in expected) <= 2**24 + 1


def test_unit_mean_at_its_bounds() -> None:
    rows = [[SATURATION] * 8191 for _ in range(3)]
    assert ops.unit_mean(tensor(rows)).tolist() == [norms.unit_mean(rows)]
    assert ops.unit_mean(tensor([[0, 0]])).tolist() == [[0, 0]]
    assert ops.unit_mean(tensor([[5, 0], [-3, 0]])).tolist() == [[2**24, 0]]
