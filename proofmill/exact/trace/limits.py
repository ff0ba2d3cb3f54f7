"""What a dispute can carry: the limits, beyond those of ``program.kinds``, that the model registry holds programs to.

A program outside them runs and gives exact answers; but the trace of one of its rows would not fit a reveal, so that even an
honest operator could not answer, and the registry refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from proofmill.exact.commitment.descriptor import OperatorDescriptor
from proofmill.exact.errors import ModelRefused
from proofmill.exact.program.kinds import Shape
from proofmill.exact.trace.geometry import Grid, geometry

MAXIMUM_OPERATORS: Final = 4095  # leaves 0 to n in 256 groups of 16
#: Tokens of the longest sequence that can be disputed. No contract knows a model's own maximum: who takes a job looks at both.
MAXIMUM_LENGTH: Final = 4096
MAXIMUM_ROW_LEAVES: Final = 1024  # values and witness together
MAXIMUM_ROWS: Final = 1 << 18  # 512 groups of 512 row hashes
MAXIMUM_WIDTH: Final = 1 << 18
MAXIMUM_GROUP: Final = 1 << 13  # elements in one leaf of an operand, 16,416 bytes


def check_disputable(program_input: Shape, operators: Sequence[OperatorDescriptor]) -> None:
    """ModelRefused, naming the operator and the limit, if a trace of this program could not be revealed."""
    if len(operators) > MAXIMUM_OPERATORS:
        raise _refused(f"{len(operators)} operators, at most {MAXIMUM_OPERATORS}")
    excess = shape_excess(program_input)
    if excess is None and program_input.kind == "tokens" and program_input.width != 1:
        excess = f"rows of {program_input.width} tokens, not of one"
    if excess is not None:
        raise _refused(f"the input has {excess}")
    for number, operator in enumerate(operators, start=1):
        excess = shape_excess(operator.output)
        leaves = row_leaves(operator)
        if excess is None and leaves > MAXIMUM_ROW_LEAVES:
            excess = f"rows of {leaves} leaves, at most {MAXIMUM_ROW_LEAVES}"
        if excess is not None:
            raise _refused(f"operator {number} ({operator.kind}) has {excess}")


def shape_excess(shape: Shape) -> str | None:
    """What of a shape is too large for a dispute, in words, or None."""
    if (shape.rows or 0) > MAXIMUM_ROWS:
        return f"{shape.rows} rows, at most {MAXIMUM_ROWS}"
    if shape.width > MAXIMUM_WIDTH:
        return f"rows of {shape.width}, at most {MAXIMUM_WIDTH}"
    if shape.kind == "operand" and shape.group > MAXIMUM_GROUP:
        return f"groups of {shape.group} columns, at most {MAXIMUM_GROUP}"
    return None


def row_leaves(operator: OperatorDescriptor) -> int:
    """Places for leaves of values and witness in a row of the operator's output, for the longest sequence."""
    shape = geometry(operator, MAXIMUM_LENGTH)
    return _places(shape.values) + (_places(shape.witness) if shape.witness else 0)


def _places(grid: Grid) -> int:
    return grid.sections * grid.leaves


def _refused(reason: str) -> ModelRefused:
    return ModelRefused(
        f"a dispute cannot carry this model: {reason}",
        remedy="It can be run, and jobs of it that are not exact can be taken; it cannot be registered.",
    )
