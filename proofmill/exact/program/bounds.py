"""The proof that a model cannot overflow: every number in its tables lies where ``docs/EXACT.md`` assumes it.

Shapes and constants are checked with the program; what remains are the weights themselves. A hostile manifest with correct
roots could still hold weights that overflow, so this runs on every load, not only at import.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from torch import Tensor

from proofmill.exact.errors import ModelRefused
from proofmill.exact.program.kinds import LAYOUT_PARTS
from proofmill.exact.program.model import Model

OPERAND_BITS: Final = 14
REACH_BITS: Final = 53
ACTIVATION_LIMIT: Final = (1 << 31) - 1
GAMMA_LIMIT: Final = (1 << 24) - 1
MULTIPLIER_LIMIT: Final = (1 << 24) - 1
ROTATION_LIMIT: Final = 1 << 20
WEIGHT_LIMIT: Final = {"E16": 127, "E16x": 127 << 7}


def check_bounds(model: Model) -> None:
    """Check every table; ModelRefused, naming the table and the bound, if one fails."""
    check_description(model)
    weight_limit = WEIGHT_LIMIT[model.description.profile]
    checked: set[tuple[str, int]] = set()
    for number, operator in enumerate(model.program.operators, start=1):
        if not operator.table:
            continue
        key = (operator.table, operator.constants.get("shift", 0))
        if key in checked:
            continue
        checked.add(key)
        layout = model.program.tables[operator.table].layout
        place = f"operator {number} ({operator.kind}), table {operator.table}"
        parts = {part: model.tensors[f"{operator.table}.{part}"] for part in LAYOUT_PARTS[layout]}
        if layout == "linear":
            check_linear(place, parts, operator.constants["shift"], weight_limit)
        elif layout == "pairs":
            _require_within(f"{place}: gamma", parts["gamma"], GAMMA_LIMIT)
            _require_within(f"{place}: beta", parts["beta"], ACTIVATION_LIMIT)
        elif layout == "rotation":
            for part, tensor in parts.items():
                _require_within(f"{place}: {part}", tensor, ROTATION_LIMIT)
        else:
            _require_within(place, parts["rows"], ACTIVATION_LIMIT)


def check_description(model: Model) -> None:
    """What callers are told of a model must be true of its program: task, vocabulary, positions; ModelRefused if not."""
    program, description = model.program, model.description
    last = program.operators[-1]
    answer = program.shapes[-2] if last.kind == "choose" else program.output
    task = description.task
    if (program.input.kind == "bytes") != (task == "classification"):
        raise _refused(f"a model whose task is {task} reads {program.input.kind}")
    if (last.kind == "choose" and task != "generation") or answer.rows != (
        None if task == "generation" else 1
    ):
        raise _refused(f"a model whose task is {task} answers with {answer.rows or 'as many'} rows a sample")
    if last.kind == "choose" and last.constants["fraction_bits"] != description.output_fraction_bits:
        raise _refused(
            f"tokens are chosen from logits of other than {description.output_fraction_bits} fraction bits"
        )
    if task == "generation" and (
        answer.width > description.vocabulary_size or any(o.kind == "unit_mean" for o in program.operators)
    ):
        raise _refused(
            f"logits of width {answer.width} for {description.vocabulary_size} tokens, or a pooled sequence"
        )
    most = {"embedding": description.vocabulary_size}
    most |= dict.fromkeys(("position_embedding", "rotate"), description.maximum_tokens)
    for number, operator in enumerate(program.operators, start=1):
        if operator.table and program.tables[operator.table].rows < most.get(operator.kind, 0):
            raise _refused(
                f"operator {number} ({operator.kind}) has fewer rows than the model's {most[operator.kind]} "
                f"{'tokens' if operator.kind == 'embedding' else 'positions'}"
            )


def check_linear(place: str, parts: Mapping[str, Tensor], shift: int, weight_limit: int) -> None:
    """``A_j c_j + (|b_j| + 1) 2^shift <= 2^53`` with ``A_j = 2^14 Σ_i |w_ji|``, for every channel j; ModelRefused if not."""
    weight, multiplier, bias = parts["weight"], parts["multiplier"].long(), parts["bias"].long()
    _require_within(f"{place}: weight", weight, weight_limit)
    _require_within(f"{place}: bias", bias, ACTIVATION_LIMIT)
    if int(multiplier.min()) < 1 or int(multiplier.max()) > MULTIPLIER_LIMIT:
        raise _refused(f"{place}: a multiplier lies outside 1 to {MULTIPLIER_LIMIT}")
    # Rearranged so that nothing here overflows 64 bits: first the offset, then the room it leaves for the product.
    offset = bias.abs() + 1
    if shift > REACH_BITS or bool((offset > (1 << REACH_BITS) >> shift).any()):
        raise _refused(f"{place}: bias and shift {shift} exceed 2^{REACH_BITS}")
    # Summing in int64 needs no copy of the weights in int64.
    accumulator = weight.abs().sum(1, dtype=offset.dtype) << OPERAND_BITS
    if bool((accumulator > ((1 << REACH_BITS) - (offset << shift)) // multiplier).any()):
        raise _refused(f"{place}: the reach of a channel exceeds 2^{REACH_BITS} at shift {shift}")


def _require_within(place: str, values: Tensor, limit: int) -> None:
    least, greatest = int(values.min()), int(values.max())
    if least < -limit or greatest > limit:
        raise _refused(f"{place} has values in [{least}, {greatest}], the proved range is ±{limit}")


def _refused(reason: str) -> ModelRefused:
    return ModelRefused(reason, remedy="This model cannot be run exactly; import it again with this version.")
