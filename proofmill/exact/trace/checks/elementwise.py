"""Checks of operators whose every output element follows from a few input elements, or from one row of an operand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from proofmill.exact.trace.checks.arithmetic import (
    gated_silu,
    gelu,
    rounding_shift,
    saturate,
)
from proofmill.exact.trace.checks.facts import Facts, Step

Expected = Callable[[Facts, int, int], int]
Check = Callable[[Facts, Step], str | None]


def compare(what: str, claimed: int, expected: int) -> str | None:
    """A violation in words, or None."""
    return None if claimed == expected else f"{what} is {expected}, the trace says {claimed}"


def _embedding(facts: Facts, row: int, column: int) -> int:
    return facts.table_element(facts.input(0, row, 0), column)


def _position_embedding(facts: Facts, row: int, column: int) -> int:
    return saturate(facts.input(1, row, column) + facts.table_element(row, column))


def _linear(facts: Facts, row: int, column: int) -> int:
    operand = facts.operand(0, row, 0)
    weights, multiplier, bias = facts.channel(column, len(operand.values))
    total = sum(q * w for q, w in zip(operand.values, weights, strict=True))
    return saturate(rounding_shift(total * multiplier, facts.constants["shift"] - operand.exponent) + bias)


def _add(facts: Facts, row: int, column: int) -> int:
    return saturate(facts.input(0, row, column) + facts.input(1, row, column))


def _gelu(facts: Facts, row: int, column: int) -> int:
    return gelu(facts.input(0, row, column))


def _relu(facts: Facts, row: int, column: int) -> int:
    return max(0, facts.input(0, row, column))


def _gated_silu(facts: Facts, row: int, column: int) -> int:
    gate, up = facts.input(0, row, column), facts.input(0, row, facts.operator.output.width + column)
    return gated_silu(gate, up, facts.constants["shift"])


def _rotate(facts: Facts, row: int, column: int) -> int:
    if column >= facts.constants["columns"]:
        return facts.input(0, row, column)
    angles = facts.constants["head_size"] // 2
    angle = column % facts.constants["head_size"] // 2
    first, second = facts.input_pair(row, column - column % 2)
    cosine, sine = facts.rotation(row, angle, angles)
    turned = first * sine + second * cosine if column % 2 else first * cosine - second * sine
    return saturate(rounding_shift(turned, 20))


def _pixels(facts: Facts, row: int, column: int) -> int:
    return facts.table_element(column, facts.input(0, row, column))


def _patches(facts: Facts, row: int, column: int) -> int:
    c = facts.constants
    across = (c["width"] + 2 * c["padding"] - c["kernel"]) // c["stride"] + 1
    place, channel = divmod(column, c["channels"])
    y = row // across * c["stride"] + place // c["kernel"] - c["padding"]
    x = row % across * c["stride"] + place % c["kernel"] - c["padding"]
    if not (0 <= y < c["height"] and 0 <= x < c["width"]):
        return 0
    return facts.input(0, y * c["width"] + x, channel)


def _flatten(facts: Facts, row: int, column: int) -> int:
    below, index = divmod(column, facts.input_width())
    return facts.input(0, row * facts.constants["rows"] + below, index)


def _element(expected: Expected) -> Check:
    def check(facts: Facts, step: Step) -> str | None:
        claimed = facts.output(step.row, step.index)
        return compare(
            f"element {step.index} of row {step.row}", claimed, expected(facts, step.row, step.index)
        )

    return check


ELEMENTWISE: Final[dict[str, dict[str, Check]]] = {
    kind: {"element": _element(expected)}
    for kind, expected in {
        "embedding": _embedding,
        "position_embedding": _position_embedding,
        "linear": _linear,
        "add": _add,
        "gelu": _gelu,
        "relu": _relu,
        "gated_silu": _gated_silu,
        "rotate": _rotate,
        "pixels": _pixels,
        "patches": _patches,
        "flatten": _flatten,
    }.items()
}
