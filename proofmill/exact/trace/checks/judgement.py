"""All checks by kind, and the judgement of one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from proofmill.exact.errors import InvalidOpening
from proofmill.exact.trace.checks.arithmetic import FieldOutOfRange
from proofmill.exact.trace.checks.attention import ATTENTION
from proofmill.exact.trace.checks.elementwise import ELEMENTWISE, Check
from proofmill.exact.trace.checks.facts import Facts, MalformedLeaf, Step, View
from proofmill.exact.trace.checks.rows import ROWS
from proofmill.exact.trace.checks.selection import SELECTION
from proofmill.exact.trace.geometry import Part

#: Parts of an output whose leaves may be malformed, by the name of the step that says so.
FORM_STEPS: Final[Mapping[str, Part]] = {
    "form": "values",
    "witness_form": "witness",
    "supplement_form": "supplement",
}


def _form(facts: Facts, step: Step) -> str | None:
    """Leaf ``index`` of a section is bytes that no output has."""
    facts.require_form(FORM_STEPS[step.name], step.row, step.section, step.index)
    return None


CHECKS: Final[Mapping[str, Mapping[str, Check]]] = {
    kind: {**checks, **dict.fromkeys(FORM_STEPS, _form)}
    for kind, checks in {**ELEMENTWISE, **ROWS, **ATTENTION, **SELECTION}.items()
}


def check_step(view: View, step: Step) -> str | None:
    """The violation that a step proves, in words, or None if the claimed output passes it.

    A number that no honest output holds is a violation wherever it is met. Raises InvalidOpening for a step that the
    operator's kind does not have, that points outside the operator, or that needs a leaf the view cannot give.
    """
    check = CHECKS[view.operator.kind].get(step.name)
    if check is None:
        raise InvalidOpening(
            f"{view.operator.kind} has no check {step.name!r}",
            remedy=f"Choose one of: {', '.join(CHECKS[view.operator.kind])}.",
        )
    try:
        return check(Facts(view), step)
    except FieldOutOfRange as violation:
        return f"the trace implies {violation}"
    except MalformedLeaf as violation:
        return f"the claimed output holds {violation}"
