"""Checks of pools over windows of an image, and of the choice of a token."""

from __future__ import annotations

from typing import Final

from proofmill.exact.trace.checks.arithmetic import gumbel
from proofmill.exact.trace.checks.elementwise import Check, compare
from proofmill.exact.trace.checks.facts import Facts, Step, require_index
from proofmill.exact.trace.checks.rows import precedes, refuted


def _window_input(facts: Facts, row: int, place: int, channel: int) -> int:
    """The input under place ``dy · size + dx`` of output ``row``."""
    c = facts.constants
    require_index("place", place, c["size"] ** 2)
    across = (c["width"] - c["size"]) // c["stride"] + 1
    y = row // across * c["stride"] + place // c["size"]
    x = row % across * c["stride"] + place % c["size"]
    return facts.input(0, y * c["width"] + x, channel)


def _max_element(facts: Facts, step: Step) -> str | None:
    """The output is what stands at the place the witness names."""
    claimed, place = facts.output(step.row, step.index), facts.witness(step.row, step.index)
    if not 0 <= place < facts.constants["size"] ** 2:
        return f"the maximum's place is {place}"
    return compare(f"channel {step.index}", claimed, _window_input(facts, step.row, place, step.index))


def _max_greater(facts: Facts, step: Step) -> str | None:
    """Place ``other`` of the window holds more than the place the witness names."""
    place = facts.witness(step.row, step.index)
    if not 0 <= place < facts.constants["size"] ** 2:
        return f"the maximum's place is {place}"
    value = _window_input(facts, step.row, step.other, step.index)
    named = _window_input(facts, step.row, place, step.index)
    return refuted("place", step.other, place) if precedes(value, step.other, named, place) else None


def _average_running(facts: Facts, step: Step) -> str | None:
    """The sum up to place ``section`` of the window is that before it plus the input there."""
    claimed = facts.witness(step.row, step.index, step.section)
    before = facts.witness(step.row, step.index, step.section - 1) if step.section else 0
    expected = before + _window_input(facts, step.row, step.section, step.index)
    return compare(f"the sum of channel {step.index} up to place {step.section}", claimed, expected)


def _average_element(facts: Facts, step: Step) -> str | None:
    count = facts.constants["size"] ** 2
    total = facts.witness(step.row, step.index, count - 1)
    expected = (2 * total + count) // (2 * count)
    return compare(f"channel {step.index}", facts.output(step.row, step.index), expected)


def _logit(facts: Facts, row: int, token: int) -> int:
    """What the choice is the greatest of."""
    logit = facts.input(0, row, token)
    if facts.sampling is None:
        return logit
    noise = gumbel(facts.sampling.seed, row, token)
    return logit * facts.sampling.inverse_temperature + (noise << facts.constants["fraction_bits"])


def _choice_maximum(facts: Facts, step: Step) -> str | None:
    token, count = facts.output(step.row, 0), facts.input_width()
    return None if 0 <= token < count else f"token {token} is not one of {count}"


def _choice_greater(facts: Facts, step: Step) -> str | None:
    """Token ``index`` should have been chosen."""
    token = facts.output(step.row, 0)
    if not 0 <= token < facts.input_width():
        return f"token {token} is not one of {facts.input_width()}"
    value, named = _logit(facts, step.row, step.index), _logit(facts, step.row, token)
    return refuted("token", step.index, token) if precedes(value, step.index, named, token) else None


SELECTION: Final[dict[str, dict[str, Check]]] = {
    "max_pool": {"element": _max_element, "greater": _max_greater},
    "average_pool": {"running": _average_running, "element": _average_element},
    "choose": {"maximum": _choice_maximum, "greater": _choice_greater},
}
