"""An operator given what its definition excludes raises a typed error that names it."""

from collections.abc import Callable

import pytest
import torch

from proofmill.exact import InvalidOperand, operators
from proofmill.exact.convert import rounded_root

ONE = torch.ones((1, 4), dtype=torch.int64)
WEIGHT = torch.ones((2, 4), dtype=torch.int64)
PAIR = torch.ones(2, dtype=torch.int64)
FOUR = torch.ones(4, dtype=torch.int64)
HUGE = ONE << 31
ROOT = rounded_root(4)

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "shift beyond 62": (lambda: operators.rounding_shift(ONE, 63), "shift"),
    "negative shift": (lambda: operators.rounding_shift(ONE, -1), "shift"),
    "shift that overflows": (lambda: operators.rounding_shift(ONE * (2**63 - 1), 2), "shifted value"),
    "negative bit length": (lambda: operators.bit_length(-ONE), "value"),
    "root of a negative number": (lambda: operators.integer_square_root(-ONE), "radicand"),
    "root of too great a number": (lambda: operators.integer_square_root(ONE << 62), "radicand"),
    "quantise beyond an activation": (lambda: operators.quantise(HUGE), "activation"),
    "quantise floats": (lambda: operators.quantise(ONE.to(torch.float64)), "int64"),
    "quantise nothing": (lambda: operators.quantise(ONE[:0]), "empty"),
    "digits of a wide number": (lambda: operators.split_digits(ONE * 2**14 + 1), "operand"),
    "linear of other sizes": (lambda: operators.linear(ONE, WEIGHT[:, :3], PAIR, PAIR, 20), "does not fit"),
    "linear with a short bias": (lambda: operators.linear(ONE, WEIGHT, PAIR, PAIR[:1], 20), "bias"),
    "linear with wide weights": (lambda: operators.linear(ONE, WEIGHT * 128, PAIR, PAIR, 20), "weight"),
    "linear with a wide multiplier": (
        lambda: operators.linear(ONE, WEIGHT, PAIR << 24, PAIR, 20),
        "multiplier",
    ),
    "linear with a low exponent": (lambda: operators.linear(ONE, WEIGHT, PAIR, PAIR, 17), "exponent"),
    "linear beyond its reach": (lambda: operators.linear(ONE, WEIGHT, PAIR, PAIR << 20, 40), "reach"),
    "token beyond the vocabulary": (
        lambda: operators.embedding_sum(FOUR * 2, WEIGHT, WEIGHT.repeat(2, 1)),
        "token id",
    ),
    "more tokens than positions": (lambda: operators.embedding_sum(FOUR, WEIGHT, WEIGHT), "positions"),
    "token ids in two axes": (lambda: operators.embedding_sum(ONE, WEIGHT, WEIGHT), "one axis"),
    "embedding beyond an activation": (
        lambda: operators.embedding_sum(FOUR[:1], WEIGHT << 30, WEIGHT << 30),
        "sum",
    ),
    "residual of other shapes": (lambda: operators.residual_add(ONE, WEIGHT), "differ"),
    "norm with a wrong root": (lambda: operators.layer_norm(ONE, FOUR, FOUR, 1, ROOT + 2), "root"),
    "norm with a short gain": (lambda: operators.layer_norm(ONE, PAIR, FOUR, 1, ROOT), "size"),
    "norm with a wide gain": (lambda: operators.layer_norm(ONE, FOUR << 24, FOUR, 1, ROOT), "gamma"),
    "norm with a negative epsilon": (lambda: operators.layer_norm(ONE, FOUR, FOUR, -1, ROOT), "epsilon"),
    "gelu beyond an activation": (lambda: operators.gelu(HUGE), "gelu"),
    "power of a negative distance": (lambda: operators.negative_power_of_two(-ONE), "negative exponent"),
    "scores of other shapes": (lambda: operators.attention_scores(ONE, ONE, WEIGHT, ONE, 1), "query"),
    "scores with a wide exponent": (
        lambda: operators.attention_scores(ONE, ONE[:, :1] * 18, ONE, ONE[:, :1], 1),
        "query exponent",
    ),
    "scores with no multiplier": (
        lambda: operators.attention_scores(ONE, ONE[:, :1], ONE, ONE[:, :1], 0),
        "multiplier",
    ),
    "values of other shapes": (lambda: operators.attention_values(ONE, ONE, ONE[:, :1]), "weights"),
    "values without a full weight": (
        lambda: operators.attention_values(ONE[:, :1], ONE, ONE[:, :1]),
        "row maximum",
    ),
    "attention of a width that does not split": (lambda: operators.attention(ONE, 1, 1), "split"),
    "pool of a flat tensor": (lambda: operators.mean_pool_normalise(FOUR), "pool"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    call, named = REFUSED[case]
    with pytest.raises(InvalidOperand, match=named) as caught:
        call()
    assert caught.value.remedy
