"""Each reason for which an operator is refused. That the rules are those of Python, and their ends, is tested as a property."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proofmill.exact.program.kinds import Shape
from tests.unit.contracts.model_registry.programs import (
    Placed,
    every_kind,
    real_manifest,
    real_registration,
    refusal,
    shape_words,
)

LAST_WORD = 2**256 - 1


def first_of(kind: str) -> Placed:
    return next(placed for placed in every_kind() if placed.kind == kind)


def test_every_kind__of_real_programs__is_accepted(bounds_harness: Any) -> None:
    assert [refusal(bounds_harness, placed) for placed in every_kind()] == [None] * len(every_kind())


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("relu", {0: 0}, "model: unknown kind"),
        ("relu", {0: 22}, "model: unknown kind"),
        ("relu", {0: LAST_WORD}, "model: unknown kind"),
        ("linear", {23: 17}, "model: constant out of range"),
        ("linear", {23: 63}, "model: constant out of range"),
        ("linear", {24: 1}, "model: constant out of range"),
        ("relu", {30: 1}, "model: constant out of range"),
        ("linear", {19: 1}, "model: table of another layout"),
        ("relu", {19: 1}, "model: table of another layout"),
        ("relu", {18: 1}, "model: takes no table"),
        ("relu", {22: 4}, "model: takes no table"),
        ("embedding", {20: 0}, "model: table rows out of range"),
        ("embedding", {20: 2**31}, "model: table rows out of range"),
        ("layer_norm", {21: 0}, "model: table width out of range"),
        ("layer_norm", {21: 2**24}, "model: table width out of range"),
        ("layer_norm", {22: 2}, "model: table integers of no size"),
        ("linear", {22: 0}, "model: table integers of no size"),
        ("linear", {22: 4}, "model: table integers of no size"),
        ("relu", {7: 4}, "model: inputs of other kinds"),
        ("add", {12: 4}, "model: inputs of other kinds"),
        ("relu", {12: 3}, "model: inputs of other kinds"),
        ("add", {5: 1}, "model: takes two inputs"),
        ("relu", {5: 2}, "model: takes one input"),
        ("relu", {11: 1}, "model: stray words"),
        ("relu", {14: 1}, "model: stray words"),
        ("relu", {6: 10**6}, "model: reads a later value"),
        ("relu", {6: 0}, "model: another program input"),
        ("embedding", {9: 2}, "model: another program input"),
        ("position_embedding", {6: 1}, "model: impossible value"),
        ("relu", {9: 0}, "model: impossible value"),
        ("relu", {10: 1}, "model: impossible value"),
        ("linear", {10: 0}, "model: impossible value"),
        ("softmax", {8: 5}, "model: impossible value"),
        ("linear", {21: 8}, "model: parts do not fit"),
        ("layer_norm", {24: 5}, "model: parts do not fit"),
        ("relu", {3: 5}, "model: another output"),
        ("relu", {1: 4}, "model: another output"),
        ("linear", {20: 2**18 + 1, 3: 2**18 + 1}, "model: impossible output"),
        ("scores", {23: 65, 24: 1, 25: 1, 3: 65, 9: 67, 10: 1}, "model: too many leaves in a row"),
        ("relu", {17: 1}, "model: not its value columns"),
        ("quantise", {16: 1, 17: 0}, "model: columns from nowhere"),
        ("choose", {6: 1}, "model: choice of other values"),
    ],
)
def test_check__operator_that_cannot_be__reverts(
    bounds_harness: Any, kind: str, changes: dict[int, int], reason: str
) -> None:
    assert refusal(bounds_harness, first_of(kind).changed(changes)) == reason


def test_check__out_of_place__reverts(bounds_harness: Any) -> None:
    choose, mean = first_of("choose"), first_of("unit_mean")
    for placed, reason in (
        (replace(choose, operators=choose.operators + 1), "model: choice is not last"),
        (
            replace(first_of("quantise"), operators=first_of("quantise").number),
            "model: ends without an answer",
        ),
        (replace(mean, input=Shape("bytes", 49, 1)), "model: mean of other rows"),
        (replace(mean, number=1), "model: reads a later value"),
    ):
        assert refusal(bounds_harness, placed) == reason


@pytest.mark.parametrize("shift", [-1, 1, 64])
def test_check__value_columns_of_no_mix__revert(bounds_harness: Any, shift: int) -> None:
    """The columns that a mix reads are the last third of the heads it has, or fewer; never others."""
    operand = next(p for p in every_kind() if p.kind == "quantise" and p.words[17])
    first, count = operand.words[16:18]
    for changes in ({16: first + shift}, {17: count + shift}, {16: first - shift, 17: count + shift}):
        assert refusal(bounds_harness, operand.changed(changes)) == "model: not its value columns"
    # A split into fewer key heads is one that a mix can have.
    group, width = operand.words[4], operand.words[3]
    assert refusal(bounds_harness, operand.changed({16: width - group, 17: group})) is None


def test_read_head__of_every_real_program__says_operators_and_input(bounds_harness: Any) -> None:
    for name in ("digits-e16", "minilm-e16", "smollm2-e16"):
        operators, shape = bounds_harness.read_head(real_registration(name).head.data)
        program = real_manifest(name).program
        assert (operators, tuple(shape)) == (len(program.operators), shape_words(program.input))
