"""The fast choice of a token gives the integers of its definition."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from proofmill.exact import InvalidOperand, ops
from proofmill.exact.kernels import choice

SEEDS = st.one_of(st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]), st.integers(0, 2**64 - 1))
POSITIONS = st.one_of(st.sampled_from([0, 1, 2**32 - 1]), st.integers(0, 2**32 - 1))
ROWS = st.lists(
    st.one_of(st.sampled_from([0, 2**31 - 1, -(2**31 - 1)]), st.integers(-(2**31) + 1, 2**31 - 1)),
    min_size=1,
    max_size=40,
)


@given(ROWS, POSITIONS, SEEDS, st.integers(1, 1 << 24), st.integers(0, 32))
def test_draws_equal_their_definition(
    row: list[int], position: int, seed: int, inverse_temperature: int, fraction_bits: int
) -> None:
    logits = torch.tensor([row], dtype=torch.int32)
    expected = ops.choose(logits, torch.tensor([position]), inverse_temperature, seed, fraction_bits)
    assert choice.choose(logits.numpy()[0], position, inverse_temperature, seed, fraction_bits) == int(
        expected
    )
    assert choice.choose_greedy(logits.numpy()[0]) == int(ops.choose_greedy(logits))


@given(SEEDS, POSITIONS)
def test_random_bits_equal_their_definition(seed: int, position: int) -> None:
    expected = ops.random_bits(seed, torch.tensor([position]), torch.arange(300))
    assert np.array_equal(choice.random_bits(seed, position, 300).view(np.int64), expected.numpy())


@given(st.integers(0, 63), st.integers(0, 2**64 - 1))
def test_variates_equal_their_definition_in_every_octave(zeros: int, value: int) -> None:
    edges = [0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, value, value >> zeros, (value >> zeros) | 1 << 63]
    edges += [(1 << zeros) - 1, 1 << zeros, (1 << zeros) + 1, ((1 << 64) - 1) >> zeros]
    bits = np.array([edge & (2**64 - 1) for edge in edges], dtype=np.uint64)
    assert np.array_equal(choice.gumbel(bits), ops.gumbel(torch.from_numpy(bits.view(np.int64))).numpy())


@pytest.mark.parametrize(
    ("position", "inverse_temperature", "seed", "fraction_bits"),
    [
        (-1, 1, 0, 0),
        (2**32, 1, 0, 0),
        (0, 0, 0, 0),
        (0, (1 << 24) + 1, 0, 0),
        (0, 1, 2**64, 0),
        (0, 1, 0, 33),
    ],
)
def test_arguments_out_of_range_are_refused(
    position: int, inverse_temperature: int, seed: int, fraction_bits: int
) -> None:
    with pytest.raises(InvalidOperand, match=f"position {position}"):
        choice.choose(np.zeros(3, np.int32), position, inverse_temperature, seed, fraction_bits)
