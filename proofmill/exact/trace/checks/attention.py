"""Checks of scores, softmax and mix."""

from __future__ import annotations

from typing import Final

from proofmill.exact.trace.checks.arithmetic import (
    FieldOutOfRange,
    negative_power_of_two,
    rounding_shift,
    saturate,
)
from proofmill.exact.trace.checks.elementwise import Check, compare
from proofmill.exact.trace.checks.facts import Facts, Step, require_index
from proofmill.exact.trace.checks.rows import precedes, refuted
from proofmill.exact.trace.geometry import BLOCK, KEY_BLOCK, SOFTMAX_FIELDS, blocks


def _visible(facts: Facts, row: int) -> int:
    """How many keys a row sees."""
    return row + 1 if facts.constants["causal"] else facts.length


def _key_head(facts: Facts, head: int) -> int:
    return head // (facts.constants["heads"] // facts.constants["key_heads"])


def _score(facts: Facts, step: Step) -> str | None:
    claimed = facts.output(step.row, step.index, step.section)
    query = facts.operand(0, step.row, step.section)
    key = facts.operand(0, step.index, facts.constants["heads"] + _key_head(facts, step.section))
    product = sum(q * k for q, k in zip(query.values, key.values, strict=True))
    shift = 36 - query.exponent - key.exponent
    expected = saturate(rounding_shift(product * facts.constants["multiplier"], shift))
    return compare(f"the score of key {step.index}", claimed, expected)


class Softmax:
    """The witness of one head of a softmax row."""

    def __init__(self, facts: Facts, step: Step) -> None:
        self.facts, self.row, self.head = facts, step.row, step.section
        fields = facts.witness_fields(step.row, step.section)
        self.index, self.exponent, self.exponent_index, self.reciprocal = fields[: len(SOFTMAX_FIELDS)]
        self.running = fields[len(SOFTMAX_FIELDS) :]
        self.visible = _visible(facts, step.row)

    def score(self, key: int) -> int:
        return self.facts.input(0, self.row, key, self.head)

    def require_maximum(self) -> None:
        if not 0 <= self.index < self.visible:
            raise FieldOutOfRange(f"the maximum's index is {self.index}")

    def maximum(self) -> int:
        self.require_maximum()
        return self.score(self.index)

    def value_exponent(self, key: int) -> int:
        require_index("key", key, self.visible)
        heads, key_heads = self.facts.constants["heads"], self.facts.constants["key_heads"]
        return self.facts.operand(1, key, heads + key_heads + _key_head(self.facts, self.head)).exponent


def _softmax_maximum(facts: Facts, step: Step) -> str | None:
    softmax = Softmax(facts, step)
    if not 0 <= softmax.index < softmax.visible:
        return f"the maximum's index is {softmax.index} among {softmax.visible} keys"
    return None


def _softmax_greater(facts: Facts, step: Step) -> str | None:
    softmax = Softmax(facts, step)
    softmax.require_maximum()
    if precedes(softmax.score(step.index), step.index, softmax.maximum(), softmax.index):
        return refuted("score", step.index, softmax.index)
    return None


def _softmax_exponent(facts: Facts, step: Step) -> str | None:
    softmax = Softmax(facts, step)
    if not 0 <= softmax.exponent_index < softmax.visible:
        return f"the exponent's index is {softmax.exponent_index} among {softmax.visible} keys"
    return compare("the exponent", softmax.exponent, softmax.value_exponent(softmax.exponent_index))


def _softmax_greater_exponent(facts: Facts, step: Step) -> str | None:
    softmax = Softmax(facts, step)
    value = softmax.value_exponent(step.index)
    if precedes(value, step.index, softmax.exponent, softmax.exponent_index):
        return refuted("the exponent of key", step.index, softmax.exponent_index)
    return None


def _softmax_sum(facts: Facts, step: Step) -> str | None:
    softmax = Softmax(facts, step)
    require_index("block", step.index, len(softmax.running))
    claimed = softmax.running[step.index] - (softmax.running[step.index - 1] if step.index else 0)
    greatest = softmax.maximum()
    scores = facts.input_block(step.row, step.index, step.section)
    expected = sum(rounding_shift(negative_power_of_two(greatest - z), 10) for z in scores)
    return compare(f"the sum of keys {step.index * BLOCK} and following", claimed, expected)


def _softmax_reciprocal(facts: Facts, step: Step) -> str | None:
    softmax = Softmax(facts, step)
    total = softmax.running[-1]
    if total < 1:
        raise FieldOutOfRange(f"a sum of {total}")
    return compare("the reciprocal", softmax.reciprocal, (1 << 23 + total.bit_length()) // total)


def _softmax_element(facts: Facts, step: Step) -> str | None:
    claimed = facts.output(step.row, step.index, step.section)
    softmax = Softmax(facts, step)
    power = negative_power_of_two(softmax.maximum() - softmax.score(step.index))
    shift = 10 + softmax.exponent - softmax.value_exponent(step.index)
    return compare(f"the weight of key {step.index}", claimed, rounding_shift(power, shift))


def _mix_sum(facts: Facts, step: Step) -> str | None:
    """Block ``index`` of the products for component ``other`` of a head."""
    size, head = facts.constants["head_size"], step.section
    require_index("component", step.other, size)
    place = step.index * size + step.other
    claimed = facts.witness(step.row, place, head)
    if step.index:
        claimed -= facts.witness(step.row, place - size, head)
    weights = facts.input_leaf(step.row, head, step.index)
    values = facts.value_column(_key_head(facts, head) * size + step.other, step.index)
    expected = sum(p * v for p, v in zip(weights, values, strict=False))  # a causal row ends earlier
    return compare(f"the sum over block {step.index} of component {step.other}", claimed, expected)


def _mix_element(facts: Facts, step: Step) -> str | None:
    size = facts.constants["head_size"]
    head, component = divmod(step.index, size)
    last = blocks(_visible(facts, step.row), KEY_BLOCK) - 1
    claimed = facts.output(step.row, step.index)
    total = facts.witness(step.row, last * size + component, head)
    fields = facts.input_witness(step.row, head)
    exponent, reciprocal, normaliser = fields[1], fields[3], fields[-1]
    product = rounding_shift(total, normaliser.bit_length() - 15) * reciprocal
    return compare(
        f"element {step.index} of row {step.row}", claimed, saturate(rounding_shift(product, 38 - exponent))
    )


ATTENTION: Final[dict[str, dict[str, Check]]] = {
    "scores": {"element": _score},
    "softmax": {
        "maximum": _softmax_maximum,
        "greater": _softmax_greater,
        "exponent": _softmax_exponent,
        "greater_exponent": _softmax_greater_exponent,
        "sum": _softmax_sum,
        "reciprocal": _softmax_reciprocal,
        "element": _softmax_element,
    },
    "mix": {"sum": _mix_sum, "element": _mix_element},
}
