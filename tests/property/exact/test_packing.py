"""Whatever the weights, packing either refuses or gives integers whose bounds hold, close to the weights they stand for."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from proofmill.exact import ModelRefused
from proofmill.exact.importers.packing import (
    WEIGHT_LIMIT,
    PackedLinear,
    fixed_point,
    narrowed,
    norm_constants,
    pack_linear,
    score_multiplier,
)
from proofmill.exact.program.model import Profile

PROFILES: tuple[Profile, ...] = ("E16", "E16x")


@st.composite
def layers(draw: st.DrawFn) -> tuple[Tensor, Tensor | None, int, int]:
    """Weights with channels of very different sizes, biases or none, and fraction bits."""
    outputs, inputs = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    scales = torch.tensor(draw(st.lists(st.integers(-12, 6), min_size=outputs, max_size=outputs)))
    weight = torch.randn((outputs, inputs), generator=generator) * torch.exp2(scales.float())[:, None]
    if draw(st.booleans()):
        weight[draw(st.integers(0, outputs - 1))] = 0
    biased, size = draw(st.booleans()), draw(st.integers(-8, 9))
    bias = torch.randn(outputs, generator=generator) * 2.0**size if biased else None
    return weight, bias, draw(st.integers(8, 16)), draw(st.integers(8, 16))


def exact_reach(packed: PackedLinear, channel: int) -> int:
    """``A c + (|b| + 1) 2^shift`` in Python integers."""
    accumulator = int(packed.weight[channel].long().abs().sum()) << 14
    multiplier, bias = int(packed.multiplier[channel]), int(packed.bias[channel])
    return accumulator * multiplier + ((abs(bias) + 1) << packed.shift)


@settings(max_examples=150, deadline=None)
@given(layers(), st.sampled_from(PROFILES))
def test_bounds_hold_and_weights_are_near(
    layer: tuple[Tensor, Tensor | None, int, int], profile: Profile
) -> None:
    weight, bias, input_bits, output_bits = layer
    try:
        packed = pack_linear("layer", weight, bias, profile, input_bits, output_bits)
    except ModelRefused as refusal:
        assume("no shift" not in str(refusal) and "vanish" not in str(refusal))
        raise
    limit = WEIGHT_LIMIT[profile]
    assert packed.weight.dtype == {"E16": torch.int8, "E16x": torch.int16}[profile]
    assert 18 <= packed.shift <= 62
    assert int(packed.weight.abs().max()) <= limit
    assert 1 <= int(packed.multiplier.min()) <= int(packed.multiplier.max()) < 1 << 24
    exponent = packed.shift - input_bits + output_bits
    for channel, row in enumerate(weight):
        assert exact_reach(packed, channel) <= 1 << 53
        multiplier, greatest = int(packed.multiplier[channel]), Fraction(float(row.abs().max()))
        # The multiplier is the least with which the greatest weight fits, so its rounding costs 1 / c of the range at most.
        assert multiplier * limit >= greatest * 2**exponent or greatest == 0
        assert multiplier == 1 or (multiplier - 1) * limit < greatest * 2**exponent
        for w, real in zip(packed.weight[channel].tolist(), row.tolist(), strict=True):
            error = abs(w * multiplier - Fraction(real) * 2**exponent)
            assert error <= Fraction(multiplier, 2) * (1 + Fraction(1, 2**30))
    if bias is not None:
        assert packed.bias.tolist() == [round(Fraction(b) * 2**output_bits) for b in bias.tolist()]


@settings(max_examples=60, deadline=None)
@given(layers(), st.sampled_from(PROFILES))
def test_the_exponent_is_the_greatest_that_is_proved(
    layer: tuple[Tensor, Tensor | None, int, int], profile: Profile
) -> None:
    weight, bias, input_bits, output_bits = layer
    try:
        packed = pack_linear("layer", weight, bias, profile, input_bits, output_bits)
    except ModelRefused:
        assume(False)
    # One exponent more, by the definition in plain Python, must break a bound in some channel.
    exponent, broken = packed.shift - input_bits + output_bits + 1, False
    for channel, row in enumerate(weight.double().tolist()):
        greatest = max(abs(value) for value in row)
        multiplier = max(1, math.ceil(greatest * 2.0**exponent / WEIGHT_LIMIT[profile]))
        rounded = sum(abs(round(value * 2.0**exponent / multiplier)) for value in row)
        reach = (rounded << 14) * multiplier + ((abs(int(packed.bias[channel])) + 1) << packed.shift + 1)
        broken |= multiplier >= 1 << 24 or reach > 1 << 53
    assert broken or packed.shift == 62


@settings(max_examples=50, deadline=None)
@given(layers(), st.sampled_from(PROFILES), st.permutations(range(6)))
def test_channels_do_not_depend_on_their_order(
    layer: tuple[Tensor, Tensor | None, int, int], profile: Profile, order: list[int]
) -> None:
    weight, bias, *bits = layer
    places = [index for index in order if index < len(weight)]
    moved = None if bias is None else bias[places]
    try:
        packed = pack_linear("layer", weight, bias, profile, *bits)
    except ModelRefused:
        with pytest.raises(ModelRefused):
            pack_linear("layer", weight[places], moved, profile, *bits)
        return
    again = pack_linear("layer", weight[places], moved, profile, *bits)
    assert again.shift == packed.shift
    assert torch.equal(again.weight, packed.weight[places])
    assert torch.equal(again.multiplier, packed.multiplier[places])


@given(st.lists(st.floats(-3000, 3000, width=32), min_size=1, max_size=20), st.integers(0, 16))
def test_fixed_point_rounds_to_the_nearest_half_to_even(values: list[float], bits: int) -> None:
    packed = fixed_point("values", torch.tensor(values), bits)
    assert packed.tolist() == [round(Fraction(value) * 2**bits) for value in values]
    narrow = narrowed(packed[None])
    assert torch.equal(narrow.to(torch.int32), packed[None])
    fits = all(-(2**15) <= value < 2**15 for value in packed.tolist())
    assert narrow.dtype == (torch.int16 if fits else torch.int32)


@given(st.integers(1, 8192), st.integers(4, 16), st.integers(4, 12))
def test_norm_constants_are_those_of_the_definition(size: int, bits: int, digits: int) -> None:
    epsilon = Fraction(1, 10**digits)
    constants = norm_constants("norm", size, epsilon, bits)
    assert constants["epsilon"] == math.floor(size * epsilon * 4**bits)
    # Nearest integer to sqrt(size) 2^20, by comparing squares of the neighbouring halves.
    root = constants["root"]
    assert (2 * root - 1) ** 2 < size << 42 < (2 * root + 1) ** 2


@given(st.integers(1, 256))
def test_the_score_multiplier_is_the_nearest_integer(head_size: int) -> None:
    multiplier = score_multiplier(head_size)
    # log2(e) to 60 digits; sqrt is avoided by squaring.
    log2_e = Fraction("1.44269504088896340735992468100189213742664595415298593413544940")
    target = log2_e**2 * 2**40 / head_size
    assert Fraction(2 * multiplier - 1, 2) ** 2 < target < Fraction(2 * multiplier + 1, 2) ** 2
