"""An operator given what its definition excludes raises a typed error that names it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from proofmill.exact import ops
from proofmill.exact.errors import InvalidOperand
from tests.reference.function_tables import rounded_root

ONE = torch.ones((1, 4), dtype=torch.int64)
NONE = torch.zeros((1, 1), dtype=torch.int64)  # the exponent of a row
WEIGHT = torch.ones((2, 4), dtype=torch.int64)
PAIR = torch.ones(2, dtype=torch.int64)
FOUR = torch.ones(4, dtype=torch.int64)
HUGE = ONE << 31
ROOT = rounded_root(4)

#: Three rows of two query heads, one key and one value head of two columns.
HEADS = torch.ones((3, 8), dtype=torch.int64)
EXPONENTS = torch.zeros((3, 4), dtype=torch.int64)
SHAPE = (2, 1, 2)
SCORES = ops.scores(HEADS, EXPONENTS, *SHAPE, 1 << 20, True)
ROWS = ops.softmax(SCORES, EXPONENTS, *SHAPE, True)

IMAGE = torch.ones((6, 2), dtype=torch.int64)  # two rows of three positions
ANGLES = torch.ones((4, 1), dtype=torch.int64)

Case = tuple[Callable[[], object], str]

SCALAR: dict[str, Case] = {
    "shift beyond 62": (lambda: ops.rounding_shift(ONE, 63), "shift"),
    "negative shift": (lambda: ops.rounding_shift(ONE, -1), "shift"),
    "shift that overflows": (lambda: ops.rounding_shift(ONE * (2**63 - 1), 2), "shifted value"),
    "shift of floats": (lambda: ops.rounding_shift(ONE.double(), 2), "int64"),
    "negative bit length": (lambda: ops.bit_length(-ONE), "value"),
    "root of a negative number": (lambda: ops.integer_square_root(-ONE), "radicand"),
    "root of too great a number": (lambda: ops.integer_square_root(ONE << 62), "radicand"),
    "division by zero": (lambda: ops.floor_divide(1, ONE - 1), "divisor"),
    "argument beyond a table": (lambda: ops.interpolate(FOUR * 24, FOUR, 3), "table argument"),
    "power of a negative distance": (lambda: ops.negative_power_of_two(-ONE), "negative exponent"),
    "gelu beyond an activation": (lambda: ops.gelu(HUGE), "gelu"),
    "relu of narrow integers": (lambda: ops.relu(ONE.to(torch.int32)), "relu"),
    "gated silu of an odd row": (lambda: ops.gated_silu(ONE[:, :3], 16), "gate"),
    "gated silu with a negative shift": (lambda: ops.gated_silu(ONE, -1), "shift -1"),
    "gated silu beyond an activation": (lambda: ops.gated_silu(HUGE, 16), "gated silu"),
}

LINEAR: dict[str, Case] = {
    "quantise beyond an activation": (lambda: ops.quantise(HUGE, 4), "activation"),
    "quantise floats": (lambda: ops.quantise(ONE.double(), 4), "int64"),
    "quantise nothing": (lambda: ops.quantise(ONE[:0], 4), "empty"),
    "quantise in groups that do not divide": (lambda: ops.quantise(ONE, 3), "groups of 3"),
    "quantise in groups of none": (lambda: ops.quantise(ONE, 0), "groups of 0"),
    "digits of a wide number": (lambda: ops.split_digits(ONE * 2**14 + 1), "operand"),
    "linear of other sizes": (lambda: ops.linear(ONE, NONE, WEIGHT[:, :3], PAIR, PAIR, 20), "columns"),
    "linear with an exponent for each column": (
        lambda: ops.linear(ONE, ONE, WEIGHT, PAIR, PAIR, 20),
        "1 exponents a row",
    ),
    "linear of a wide operand": (lambda: ops.linear(ONE << 15, NONE, WEIGHT, PAIR, PAIR, 20), "operand"),
    "linear with a wide exponent": (lambda: ops.linear(ONE, NONE + 18, WEIGHT, PAIR, PAIR, 20), "exponent"),
    "linear with a short bias": (lambda: ops.linear(ONE, NONE, WEIGHT, PAIR, PAIR[:1], 20), "bias"),
    "linear with wide weights": (lambda: ops.linear(ONE, NONE, WEIGHT * 16257, PAIR, PAIR, 20), "weight"),
    "linear with a wide multiplier": (
        lambda: ops.linear(ONE, NONE, WEIGHT, PAIR << 24, PAIR, 20),
        "multiplier",
    ),
    "linear with no multiplier": (lambda: ops.linear(ONE, NONE, WEIGHT, PAIR * 0, PAIR, 20), "multiplier"),
    "linear with a low shift": (lambda: ops.linear(ONE, NONE, WEIGHT, PAIR, PAIR, 17), "shift 17"),
    "linear with a high shift": (lambda: ops.linear(ONE, NONE, WEIGHT, PAIR, PAIR, 63), "shift 63"),
    "linear beyond its reach": (
        lambda: ops.linear(ONE, NONE, WEIGHT, PAIR, torch.tensor([1, 2**20]), 40),
        "channel 1",
    ),
    "linear whose reach would wrap": (
        lambda: ops.linear(ONE, NONE, WEIGHT, PAIR, PAIR * 3, 62),
        "channel 0",
    ),
    "add of other shapes": (lambda: ops.add(ONE, WEIGHT), "differ"),
    "add beyond an activation": (lambda: ops.add(ONE, HUGE), "second term"),
    "token beyond the vocabulary": (lambda: ops.embedding(FOUR * 2, WEIGHT), "token id"),
    "token ids in two axes": (lambda: ops.embedding(ONE, WEIGHT), "one axis"),
    "embedding beyond an activation": (lambda: ops.embedding(FOUR, WEIGHT << 31), "row"),
}

ROW: dict[str, Case] = {
    "position beyond the table": (lambda: ops.position_embedding(ONE, PAIR[:1] * 2, WEIGHT), "position"),
    "positions for other rows": (lambda: ops.position_embedding(ONE, PAIR, WEIGHT), "positions"),
    "positions of another width": (
        lambda: ops.position_embedding(ONE, PAIR[:1], WEIGHT[:, :3]),
        "do not fit",
    ),
    "norm with a wrong root": (lambda: ops.layer_norm(ONE, FOUR, FOUR, 1, ROOT + 2), "root"),
    "norm with a short gain": (lambda: ops.layer_norm(ONE, PAIR, FOUR, 1, ROOT), "size"),
    "norm with a wide gain": (lambda: ops.layer_norm(ONE, FOUR << 24, FOUR, 1, ROOT), "gamma"),
    "norm with a negative epsilon": (lambda: ops.layer_norm(ONE, FOUR, FOUR, -1, ROOT), "epsilon"),
    "rms norm with a wide epsilon": (lambda: ops.rms_norm(ONE, FOUR, FOUR, 2**52, ROOT), "rms norm: epsilon"),
    "rms norm beyond an activation": (lambda: ops.rms_norm(HUGE, FOUR, FOUR, 1, ROOT), "rms norm: input"),
    "rotation of odd heads": (lambda: ops.rotate(ONE, PAIR[:1], ANGLES, ANGLES, 3, 3), "heads of 3"),
    "rotation of half a head": (lambda: ops.rotate(ONE, PAIR[:1], ANGLES, ANGLES, 3, 2), "do not split"),
    "rotation of more columns than there are": (
        lambda: ops.rotate(ONE, PAIR[:1], ANGLES, ANGLES, 6, 2),
        "6 columns",
    ),
    "rotation with other angles": (lambda: ops.rotate(ONE, PAIR[:1], ANGLES, ANGLES, 4, 4), "cosine"),
    "rotation that stretches": (
        lambda: ops.rotate(ONE, PAIR[:1], ANGLES, ANGLES << 21, 4, 2),
        "sine",
    ),
    "rotation at an unknown position": (
        lambda: ops.rotate(ONE, PAIR[:1] * 4, ANGLES, ANGLES, 4, 2),
        "position",
    ),
    "unit mean of a flat tensor": (lambda: ops.unit_mean(FOUR), "unit mean"),
}

ATTENTION: dict[str, Case] = {
    "scores of other shapes": (lambda: ops.scores(HEADS, EXPONENTS, 2, 2, 2, 1, True), "12 columns"),
    "scores of heads that do not share": (lambda: ops.scores(HEADS, EXPONENTS, 3, 2, 2, 1, True), "evenly"),
    "scores of wide heads": (lambda: ops.scores(HEADS, EXPONENTS, 2, 1, 257, 1, True), "257"),
    "scores with a wide exponent": (
        lambda: ops.scores(HEADS, EXPONENTS + 18, *SHAPE, 1, True),
        "exponent",
    ),
    "scores with no multiplier": (lambda: ops.scores(HEADS, EXPONENTS, *SHAPE, 0, True), "multiplier"),
    "scores whose product may leave 2^53": (
        lambda: ops.scores(HEADS, EXPONENTS, *SHAPE, (1 << 24) + 1, True),
        "multiplier",
    ),
    "scores from beyond the sequence": (
        lambda: ops.scores(HEADS, EXPONENTS, *SHAPE, 1, True, 3),
        "first position 3",
    ),
    "softmax of another number of heads": (
        lambda: ops.softmax(SCORES, EXPONENTS, 3, 1, 2, True),
        "softmax: scores",
    ),
    "softmax of other rows": (lambda: ops.softmax(SCORES, EXPONENTS, *SHAPE, True, 1), "from position 1"),
    "softmax of wide scores": (
        lambda: ops.softmax(SCORES + 2**31, EXPONENTS, *SHAPE, True),
        "softmax: score",
    ),
    "mix of other rows": (lambda: ops.mix(ROWS, HEADS, EXPONENTS, *SHAPE, True, 1), "mix: weights"),
    "mix with a sum below its weights": (
        lambda: ops.mix(replace(ROWS, sums=ROWS.sums * 0 + 2**14), HEADS, EXPONENTS, *SHAPE, True),
        "exceed their sum",
    ),
    "mix with too great a reciprocal": (
        lambda: ops.mix(replace(ROWS, reciprocals=ROWS.reciprocals * 3), HEADS, EXPONENTS, *SHAPE, True),
        "reciprocal",
    ),
    "mix of a key that a causal row cannot see": (
        lambda: ops.mix(
            replace(ROWS, weights=ROWS.weights * 0 + 1, sums=ROWS.sums.clamp(min=2**14)),
            HEADS,
            EXPONENTS,
            *SHAPE,
            True,
        ),
        "cannot see",
    ),
}

IMAGES: dict[str, Case] = {
    "pixels beyond a byte": (
        lambda: ops.pixels(IMAGE * 256, torch.ones((2, 256), dtype=torch.int64)),
        "byte",
    ),
    "pixels of other channels": (
        lambda: ops.pixels(IMAGE, torch.ones((3, 256), dtype=torch.int64)),
        "does not fit",
    ),
    "patches of another image": (lambda: ops.patches(IMAGE, 3, 3, 2, 2, 1, 0), "image of 3 x 3"),
    "patches of no stride": (lambda: ops.patches(IMAGE, 2, 3, 2, 2, 0, 0), "stride 0"),
    "windows greater than the image": (lambda: ops.max_pool(IMAGE, 2, 3, 2, 3, 1), "do not fit"),
    "average over a vast window": (lambda: ops.average_pool(IMAGE, 2, 3, 2, 1 << 11, 1), "2048"),
    "flatten of other rows": (lambda: ops.flatten(IMAGE, 4), "flatten"),
}

SELECTION: dict[str, Case] = {
    "greedy choice of floats": (lambda: ops.choose_greedy(ONE.double()), "logits"),
    "greedy choice beyond an activation": (lambda: ops.choose_greedy(HUGE), "logits"),
    "draw at no temperature": (lambda: ops.choose(ONE, PAIR[:1], 0, 0), "inverse temperature 0"),
    "draw too cold": (lambda: ops.choose(ONE, PAIR[:1], 2**24 + 1, 0), "inverse temperature"),
    "draw with many fraction bits": (lambda: ops.choose(ONE, PAIR[:1], 1, 0, 33), "33 fraction bits"),
    "draw for other rows": (lambda: ops.choose(ONE, PAIR, 1, 0), "positions"),
    "draw at a negative position": (lambda: ops.choose(ONE, -PAIR[:1], 1, 0), "position"),
    "draw with a wide seed": (lambda: ops.choose(ONE, PAIR[:1], 1, 2**64), "seed"),
    "draw with a negative seed": (lambda: ops.choose(ONE, PAIR[:1], 1, -1), "seed"),
    "gumbel of narrow bits": (lambda: ops.gumbel(ONE.to(torch.int32)), "gumbel"),
}

REFUSED = SCALAR | LINEAR | ROW | ATTENTION | IMAGES | SELECTION


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    call, named = REFUSED[case]
    with pytest.raises(InvalidOperand, match=named) as caught:
        call()
    assert caught.value.remedy
