"""Checks of operators that look at a whole row: quantise, the norms and the unit mean.

A row's maximum is proved by naming it and letting anyone name a greater one; its sums are running sums over blocks of 64, so
that a false sum shows in the first block that is off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from proofmill.exact.trace.checks.arithmetic import (
    FieldOutOfRange,
    require_shift,
    rounding_shift,
    saturate,
)
from proofmill.exact.trace.checks.elementwise import Check, compare
from proofmill.exact.trace.checks.facts import Facts, Step, require_index
from proofmill.exact.trace.geometry import BLOCK, LAYER_NORM_FIELDS, NORM_FIELDS, blocks


def precedes(value: int, place: int, maximum: int, index: int) -> bool:
    """Whether ``value`` at ``place`` refutes that the lowest index of the maximum is ``index``."""
    return value > maximum or (value == maximum and place < index)


def refuted(what: str, place: int, index: int) -> str:
    return f"{what} {place} is greater than {index}, which the trace names, or as great and before it"


# ---------------------------------------------------------------------------------------------------- quantise


def _quantise_input(facts: Facts, step: Step, index: int) -> int:
    group = facts.constants["group"]
    require_index("element", index, group)
    return facts.input(0, step.row, step.section * group + index)


def _quantise_maximum(facts: Facts, step: Step) -> str | None:
    claimed = facts.operand_output(step.row, step.section)
    if not 0 <= claimed.index < facts.constants["group"]:
        return f"the maximum's index is {claimed.index}"
    magnitude = abs(_quantise_input(facts, step, claimed.index))
    return compare("the exponent", claimed.exponent, max(0, magnitude.bit_length() - 14))


def _quantise_greater(facts: Facts, step: Step) -> str | None:
    claimed = facts.operand_output(step.row, step.section)
    if not 0 <= claimed.index < facts.constants["group"]:
        return f"the maximum's index is {claimed.index}"
    magnitude = abs(_quantise_input(facts, step, step.index))
    named = abs(_quantise_input(facts, step, claimed.index))
    if precedes(magnitude, step.index, named, claimed.index):
        return refuted("element", step.index, claimed.index)
    return None


def _quantise_element(facts: Facts, step: Step) -> str | None:
    claimed = facts.operand_output(step.row, step.section)
    require_shift(claimed.exponent)
    expected = rounding_shift(_quantise_input(facts, step, step.index), claimed.exponent)
    return compare(f"element {step.index}", claimed.values[step.index], expected)


def _quantise_column(facts: Facts, step: Step) -> str | None:
    """The element of key ``index`` in a value column is that of the operand's row."""
    claimed = facts.supplement(step.row, step.index)
    section, element = divmod(facts.operator.first_column + step.row, facts.constants["group"])
    in_row = facts.operand_output(step.index, section).values[element]
    return compare(f"key {step.index} of value column {step.row}", claimed, in_row)


# ----------------------------------------------------------------------------------------------------- norms


class Norm:
    """The witness of a norm: its fields by name, and what they say of its input."""

    def __init__(self, facts: Facts, row: int) -> None:
        self.facts, self.row = facts, row
        self.kind = facts.operator.kind
        fields = facts.witness_fields(row)
        names = LAYER_NORM_FIELDS if self.kind == "layer_norm" else NORM_FIELDS
        self.index, self.drop, self.energy, self.lift, self.root, self.reciprocal = fields[:6]
        self.mean = fields[6] if self.kind == "layer_norm" else 0
        count = blocks(facts.operator.output.width, BLOCK)
        running = fields[len(names) :]
        self.sums, self.energies = running[:-count], running[-count:]
        self.bits = 24 if self.kind == "unit_mean" else 20

    def centred(self, index: int) -> int:
        """Element ``index`` of what is brought to one length."""
        if self.kind == "unit_mean":
            return self.facts.supplement(self.facts.input_rows() - 1, index)
        return self.facts.input(0, self.row, index) - self.mean

    def centred_block(self, block: int) -> list[int]:
        """Up to 64 of these elements."""
        if self.kind == "unit_mean":
            return self.facts.supplement_block(self.facts.input_rows() - 1, block)
        return [x - self.mean for x in self.facts.input_block(self.row, block)]


def _norm_scalars(facts: Facts, step: Step) -> str | None:
    """Everything that follows from the witness alone."""
    norm = Norm(facts, step.row)
    require_shift(norm.drop)
    width = facts.operator.output.width
    if norm.sums:
        expected = (2 * norm.sums[-1] + width) // (2 * width)
        if norm.mean != expected:
            return compare("the mean", norm.mean, expected)
    epsilon = facts.constants.get("epsilon", 0)
    energy = max(1, norm.energies[-1] + (epsilon >> 2 * norm.drop))
    if norm.energy != energy:
        return compare("the energy", norm.energy, energy)
    lift = (62 - energy.bit_length()) >> 1
    if norm.lift != lift:
        return compare("the lift", norm.lift, lift)
    if lift < 0:
        raise FieldOutOfRange(f"an energy of {energy}")
    lifted = energy << 2 * lift
    if norm.root < 1 or not norm.root**2 <= lifted < (norm.root + 1) ** 2:
        return f"{norm.root} is not the integer root of {lifted}"
    numerator = 1 << 62 if norm.kind == "unit_mean" else facts.constants["root"] << 35
    return compare("the reciprocal", norm.reciprocal, numerator // norm.root)


def _norm_maximum(facts: Facts, step: Step) -> str | None:
    norm = Norm(facts, step.row)
    if not 0 <= norm.index < facts.operator.output.width:
        return f"the maximum's index is {norm.index}"
    magnitude = abs(norm.centred(norm.index))
    return compare("the drop", norm.drop, max(0, magnitude.bit_length() - norm.bits))


def _norm_greater(facts: Facts, step: Step) -> str | None:
    norm = Norm(facts, step.row)
    if not 0 <= norm.index < facts.operator.output.width:
        return f"the maximum's index is {norm.index}"
    magnitude, named = abs(norm.centred(step.index)), abs(norm.centred(norm.index))
    return (
        refuted("element", step.index, norm.index)
        if precedes(magnitude, step.index, named, norm.index)
        else None
    )


def _norm_sum(facts: Facts, step: Step) -> str | None:
    norm = Norm(facts, step.row)
    increase = _increase(norm.sums, step.index)
    return compare(f"the sum of block {step.index}", increase, sum(facts.input_block(step.row, step.index)))


def _norm_square(facts: Facts, step: Step) -> str | None:
    norm = Norm(facts, step.row)
    require_shift(norm.drop)
    increase = _increase(norm.energies, step.index)
    expected = sum(rounding_shift(c, norm.drop) ** 2 for c in norm.centred_block(step.index))
    return compare(f"the energy of block {step.index}", increase, expected)


def _increase(running: list[int], block: int) -> int:
    require_index("block", block, len(running))
    return running[block] - (running[block - 1] if block else 0)


def _norm_element(facts: Facts, step: Step) -> str | None:
    claimed = facts.output(step.row, step.index)
    norm = Norm(facts, step.row)
    fall = (38 if norm.kind == "unit_mean" else 39) - norm.lift
    require_shift(norm.drop)
    require_shift(fall)
    product = rounding_shift(norm.centred(step.index), norm.drop) * norm.reciprocal
    normalised = expected = rounding_shift(product, fall)
    if norm.kind != "unit_mean":
        gamma, beta = facts.pair(step.index)
        expected = saturate(rounding_shift(normalised * gamma, 14) + beta)
    return compare(f"element {step.index} of row {step.row}", claimed, expected)


def _running_row(facts: Facts, step: Step) -> str | None:
    """The sum of a column up to a row is that up to the row before, plus the row's element."""
    claimed = facts.supplement(step.row, step.index)
    before = facts.supplement(step.row - 1, step.index) if step.row else 0
    expected = before + facts.input(0, step.row, step.index)
    return compare(f"the sum of column {step.index} up to row {step.row}", claimed, expected)


_NORM: Final[dict[str, Callable[[Facts, Step], str | None]]] = {
    "scalars": _norm_scalars,
    "maximum": _norm_maximum,
    "greater": _norm_greater,
    "square": _norm_square,
    "element": _norm_element,
}

ROWS: Final[dict[str, dict[str, Check]]] = {
    "quantise": {
        "maximum": _quantise_maximum,
        "greater": _quantise_greater,
        "element": _quantise_element,
        "column": _quantise_column,
    },
    "layer_norm": {**_NORM, "sum": _norm_sum},
    "rms_norm": _NORM,
    "unit_mean": {**_NORM, "running": _running_row},
}
