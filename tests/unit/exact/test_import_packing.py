"""What packing refuses, and the cases at the edge of what it accepts."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from proofmill.exact import ModelRefused
from proofmill.exact.importers.packing import (
    fixed_point,
    norm_constants,
    pack_linear,
    pack_norm,
    require_values,
)
from proofmill.exact.importers.rotation import llama3_divisors, rotation_table


def test_weights_are_the_nearest_multiples_of_their_multiplier() -> None:
    weight = torch.tensor([[1.0, -0.5, 0.25], [0.0, 0.0, 0.0], [-3.0, 3.0, 1.0]])
    packed = pack_linear("test", weight, None, "E16")
    assert packed.weight.tolist() == [[127, -63, 32], [0, 0, 0], [-127, 127, 42]]
    real = packed.weight.double() * packed.multiplier.double()[:, None] * 2.0**-packed.shift
    assert torch.allclose(real, weight.double(), atol=3 / 127 / 2)
    assert packed.multiplier[1] == 1
    assert packed.bias.tolist() == [0, 0, 0]


def test_fractions_only_move_the_shift() -> None:
    weight = torch.randn((8, 64), generator=torch.Generator().manual_seed(1))
    packed = {bits: pack_linear("test", weight, None, "E16", bits, 16) for bits in (10, 13, 16)}
    for bits, one in packed.items():
        assert one.shift == packed[16].shift - 16 + bits
        assert torch.equal(one.weight, packed[16].weight)
        assert torch.equal(one.multiplier, packed[16].multiplier)


def test_a_large_bias_lowers_the_exponent() -> None:
    weight = torch.randn((4, 32), generator=torch.Generator().manual_seed(1))
    free = pack_linear("test", weight, None, "E16")
    bound = pack_linear("test", weight, torch.tensor([0.0, 16000.0, 0.0, 0.0]), "E16")
    assert bound.shift < free.shift
    assert ((16000 << 16) + 1) << bound.shift <= 1 << 53
    assert int(bound.bias[1]) == 16000 << 16


def test_a_channel_without_effect_is_zero_and_a_faint_one_is_refused() -> None:
    weight = torch.ones((2, 8))
    weight[1] = 1e-14
    assert pack_linear("test", weight, None, "E16").weight[1].tolist() == [0] * 8
    weight[1] = 1e-9
    with pytest.raises(ModelRefused, match="channel 1 vanish"):
        pack_linear("test", weight, None, "E16")


def test_what_cannot_be_packed_is_refused() -> None:
    with pytest.raises(ModelRefused, match="test: no shift of at least 18"):
        pack_linear("test", torch.full((2, 8), 1e6), None, "E16")
    with pytest.raises(ModelRefused, match=r"test\.bias: reaches .* beyond"):
        pack_linear("test", torch.ones((2, 8)), torch.full((2,), 32768.0), "E16")
    with pytest.raises(ModelRefused, match="1048577 inputs"):
        pack_linear("test", torch.ones((1, (1 << 20) + 1)), None, "E16")
    with pytest.raises(ModelRefused, match=r"gain: reaches .* Q\.14"):
        pack_norm("norm", "gain", torch.tensor([1024.0]), None)
    with pytest.raises(ModelRefused, match="offset of gain"):
        pack_norm("norm", "gain", torch.tensor([1.0]), torch.tensor([40000.0]))


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (torch.tensor([1.0, math.inf]), "not finite"),
        (torch.tensor([1.0, math.nan]), "not finite"),
        (torch.tensor([1, 2]), "int64"),
        (torch.tensor([1.0]), r"shape \(1,\)"),
    ],
)
def test_values_are_checked(tensor: torch.Tensor, reason: str) -> None:
    with pytest.raises(ModelRefused, match=f"weights: .*{reason}"):
        require_values("weights", tensor, 2)
    assert require_values("weights", torch.ones(2, dtype=torch.bfloat16), 2).dtype == torch.bfloat16


def test_norms_outside_the_proved_range_are_refused() -> None:
    for size, epsilon in ((8193, Fraction(0)), (0, Fraction(0)), (8, Fraction(-1)), (8192, Fraction(10**9))):
        with pytest.raises(ModelRefused, match="norm"):
            norm_constants("norm", size, epsilon, 16)
    # all-MiniLM-L6-v2's constants, as docs/EXACT.md states them
    assert norm_constants("norm", 384, Fraction("1e-12"), 16) == {"epsilon": 1, "root": 20547809}


def test_fixed_point_rounds_halves_to_even() -> None:
    assert fixed_point("x", torch.tensor([0.5, 1.5, -0.5, -2.5]), 0).tolist() == [0, 2, 0, -2]


def test_rotations_are_the_rounded_angles() -> None:
    table = rotation_table("rotation", 8, 600, Fraction(10000))
    for position in (0, 1, 17, 599):
        for index in range(4):
            angle = position * 10000.0 ** (-2 * index / 8)
            assert abs(int(table["rotation.cosine"][position, index]) - math.cos(angle) * 2**20) < 0.501
            assert abs(int(table["rotation.sine"][position, index]) - math.sin(angle) * 2**20) < 0.501
    assert table["rotation.cosine"][0].tolist() == [1 << 20] * 4
    same = rotation_table("rotation", 8, 10, Fraction(10000), [Fraction(2)] * 4)
    # Half the frequency turns as far at twice the position; equality is exact, because both round the same angle.
    assert torch.equal(same["rotation.sine"][::2], table["rotation.sine"][:5])


def test_rotations_that_make_no_sense_are_refused() -> None:
    for head_size, theta, divisors in ((7, 1, None), (8, 0, None), (8, 1, [1]), (8, 1, [1, 1, 0, 1])):
        parts = None if divisors is None else [Fraction(value) for value in divisors]
        with pytest.raises(ModelRefused, match="rotary positions"):
            rotation_table("rotation", head_size, 4, Fraction(theta), parts)
    with pytest.raises(ModelRefused, match="rope_scaling"):
        llama3_divisors(8, Fraction(10000), Fraction(1, 2), Fraction(1), Fraction(4), 16)


def test_llama3_divisors_meet_at_the_ends_of_the_middle_band() -> None:
    divisors = llama3_divisors(64, Fraction(500000), Fraction(32), Fraction(1), Fraction(4), 8192)
    assert divisors[0] == 1
    assert divisors[-1] == 32
    assert list(divisors) == sorted(divisors)
    assert sum(1 < divisor < 32 for divisor in divisors) == 3
