"""From a leaf that differs from the honest one to the steps that may prove it.

The order in which parts are compared matters: a part is judged on the assumption that those before it are right, so the first
leaf that differs, in this order and by row, section and leaf within a part, is the one to accuse. At least one of its
suspects is then a violation; the accuser tries them at home and sends the one that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from proofmill.exact.commitment.descriptor import OperatorDescriptor
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.geometry import (
    KEY_BLOCK,
    LAYER_NORM_FIELDS,
    LEAF_FIELDS,
    NORM_FIELDS,
    SOFTMAX_FIELDS,
    Grid,
    Leaf,
    Part,
)

#: Parts of an output in the order of accusation.
DEFAULT_ORDER: Final[tuple[Part, ...]] = ("witness", "values")
PART_ORDER: Final[Mapping[str, tuple[Part, ...]]] = {
    "quantise": ("values", "supplement"),
    "unit_mean": ("supplement", "witness", "values"),
}

Differences = Sequence[int]  # places within the leaf whose integers differ
Suspect = Callable[[OperatorDescriptor, Leaf, Sequence[int], Differences], Iterator[Step]]


def accusation_order(kind: str) -> tuple[Part, ...]:
    return PART_ORDER.get(kind, DEFAULT_ORDER)


def form_step(place: Leaf) -> Step:
    """That a leaf is malformed."""
    name = {"values": "form", "witness": "witness_form", "supplement": "supplement_form"}[place.part]
    return Step(name, place.row, place.section, place.leaf)


def suspects(
    operator: OperatorDescriptor, grid: Grid, place: Leaf, honest: Sequence[int], claimed: Sequence[int]
) -> Iterator[Step]:
    """Steps to try for a leaf whose integers should be ``honest`` and are ``claimed``."""
    differences = [i for i, (a, b) in enumerate(zip(honest, claimed, strict=True)) if a != b]
    if not differences:
        return
    if place.part == "values":
        find = _VALUES.get(operator.kind)
        if find is None:
            yield Step("element", place.row, place.section, place.leaf * grid.chunk + differences[0])
            return
    else:
        find = _WITNESS[operator.kind] if place.part == "witness" else _SUPPLEMENT[operator.kind]
    yield from find(operator, place, honest, differences)


def _quantise(
    operator: OperatorDescriptor, place: Leaf, honest: Sequence[int], differences: Differences
) -> Iterator[Step]:
    if differences[0] < 2:
        yield Step("maximum", place.row, place.section)
        yield Step("greater", place.row, place.section, honest[1])
    else:
        yield Step("element", place.row, place.section, differences[0] - 2)


def _choose(
    operator: OperatorDescriptor, place: Leaf, honest: Sequence[int], differences: Differences
) -> Iterator[Step]:
    yield Step("maximum", place.row)
    yield Step("greater", place.row, index=honest[0])


def _norm(
    operator: OperatorDescriptor, place: Leaf, honest: Sequence[int], differences: Differences
) -> Iterator[Step]:
    centred = operator.kind == "layer_norm"
    names = LAYER_NORM_FIELDS if centred else NORM_FIELDS
    sums = (len(honest) - len(names)) // 2 if centred else 0
    for field in differences:
        if field < len(names):
            continue
        block = field - len(names)
        yield (
            Step("sum", place.row, index=block)
            if block < sums
            else Step("square", place.row, index=block - sums)
        )
    yield Step("scalars", place.row)
    yield Step("maximum", place.row)
    yield Step("greater", place.row, index=honest[0])


def _softmax(
    operator: OperatorDescriptor, place: Leaf, honest: Sequence[int], differences: Differences
) -> Iterator[Step]:
    row, head = place.row, place.section
    yield Step("maximum", row, head)
    yield Step("greater", row, head, honest[0])
    yield Step("exponent", row, head)
    yield Step("greater_exponent", row, head, honest[2])
    for field in differences:
        if field >= len(SOFTMAX_FIELDS):
            yield Step("sum", row, head, field - len(SOFTMAX_FIELDS))
    yield Step("reciprocal", row, head)


def _mix(
    operator: OperatorDescriptor, place: Leaf, honest: Sequence[int], differences: Differences
) -> Iterator[Step]:
    yield Step("sum", place.row, place.section, place.leaf, differences[0])


def _max_pool(
    operator: OperatorDescriptor, place: Leaf, honest: Sequence[int], differences: Differences
) -> Iterator[Step]:
    channel = place.leaf * LEAF_FIELDS + differences[0]
    yield Step("greater", place.row, index=channel, other=honest[differences[0]])


def _average_pool(
    operator: OperatorDescriptor, place: Leaf, honest: Sequence[int], differences: Differences
) -> Iterator[Step]:
    yield Step("running", place.row, place.section, place.leaf * LEAF_FIELDS + differences[0])


def _value_columns(
    operator: OperatorDescriptor, place: Leaf, honest: Sequence[int], differences: Differences
) -> Iterator[Step]:
    yield Step("column", place.row, index=place.leaf * KEY_BLOCK + differences[0])


def _running_rows(
    operator: OperatorDescriptor, place: Leaf, honest: Sequence[int], differences: Differences
) -> Iterator[Step]:
    yield Step("running", place.row, index=place.leaf * LEAF_FIELDS + differences[0])


_VALUES: Final[Mapping[str, Suspect]] = {"quantise": _quantise, "choose": _choose}
_WITNESS: Final[Mapping[str, Suspect]] = {
    "layer_norm": _norm,
    "rms_norm": _norm,
    "unit_mean": _norm,
    "softmax": _softmax,
    "mix": _mix,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
}
_SUPPLEMENT: Final[Mapping[str, Suspect]] = {"quantise": _value_columns, "unit_mean": _running_rows}
