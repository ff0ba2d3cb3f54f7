"""The rules of the registry once more, from the Python that defines them. No test lives here."""

from __future__ import annotations

from proofmill.exact.commitment.descriptor import InputDescriptor, OperatorDescriptor
from proofmill.exact.errors import InvalidOpening, InvalidProgram
from proofmill.exact.program.graph import MAXIMUM_NUMBERS
from proofmill.exact.program.kinds import KINDS, Shape, infer_shape
from proofmill.exact.trace.limits import MAXIMUM_ROW_LEAVES, row_leaves, shape_excess
from tests.unit.contracts.model_registry.programs import Placed


def decoded(placed: Placed) -> OperatorDescriptor | None:
    """The operator, if its bytes are those of one: known codes, and nothing where its kind has nothing."""
    try:
        return OperatorDescriptor.decode(placed.leaf)
    except InvalidOpening:
        return None


def is_inferred(operator: OperatorDescriptor) -> bool:
    """`infer_shape`: kinds of inputs, layout, constants, shapes, and the output is what follows."""
    table = operator.table.shape if operator.table else None
    shapes = [value.shape for value in operator.inputs]
    try:
        return operator.output == infer_shape("", KINDS[operator.kind], shapes, table, operator.constants)
    except InvalidProgram:
        return False


def accepts(placed: Placed) -> bool:
    """All that the registry asks of one operator."""
    operator = decoded(placed)
    return operator is not None and is_inferred(operator) and is_placed(operator, placed)


def is_placed(operator: OperatorDescriptor, placed: Placed) -> bool:
    """What `infer_shape` does not look at: programs, manifests and `describe` see to it; and the limits of disputes."""
    shapes = [operator.output, *(value.shape for value in operator.inputs)]
    return (
        all(_is_input(value, placed) for value in operator.inputs)
        and all(map(_is_possible, shapes))
        and _has_table_of_manifest(operator)
        and row_leaves(operator) <= MAXIMUM_ROW_LEAVES
        and _has_value_columns(operator)
        and _ends_well(operator, placed)
    )


def _is_input(value: InputDescriptor, placed: Placed) -> bool:
    """`Program`: values are read after they are made. Value 0 is of a kind that no operator makes."""
    if value.number == 0:
        return value.shape == placed.input
    return value.number < placed.number and value.shape.kind not in ("tokens", "bytes")


def _is_possible(shape: Shape) -> bool:
    """Shapes that inference can lead to, from the inputs that a manifest may name; docs/TRACE.md: a token is one id."""
    if shape_excess(shape) is not None or shape.width < 1:
        return False
    if (shape.rows or 1) * shape.width > MAXIMUM_NUMBERS:
        return False
    if shape.kind == "operand":
        return shape.group > 0 and shape.width % shape.group == 0
    if shape.kind == "bytes" and shape.rows is None:
        return False
    if shape.kind in ("tokens", "scores", "weights") and shape.rows is not None:
        return False
    return shape.group == 0 and (shape.kind != "tokens" or shape.width == 1)


def _has_table_of_manifest(operator: OperatorDescriptor) -> bool:
    if operator.table is None:
        return True
    shape = operator.table.shape
    sizes = (1, 2) if shape.layout == "linear" else (4,)
    return (
        1 <= shape.rows < 1 << 31 and 1 <= shape.columns < 1 << 24 and operator.table.integer_bytes in sizes
    )


def _has_value_columns(operator: OperatorDescriptor) -> bool:
    """`describe`: the columns of some mix that can read this operand, or none."""
    if operator.columns == 0:
        return operator.first_column == 0
    output = operator.output
    if operator.kind != "quantise" or output.rows is not None or output.group > 256:
        return False
    key_heads, rest = divmod(operator.columns, output.group)
    heads = output.width // output.group - 2 * key_heads
    return (
        rest == 0
        and heads > 0
        and heads % key_heads == 0
        and operator.first_column == (heads + key_heads) * output.group
    )


def _ends_well(operator: OperatorDescriptor, placed: Placed) -> bool:
    """`Program`: an activation or a choice comes last, a choice nowhere else; a mean is over the input's rows."""
    is_last = placed.number == placed.operators
    if operator.kind == "unit_mean" and operator.inputs[0].shape.rows != placed.input.rows:
        return False
    if operator.kind == "choose":
        return is_last and operator.inputs[0].number == placed.number - 1
    return not is_last or operator.output.kind == "activation"
