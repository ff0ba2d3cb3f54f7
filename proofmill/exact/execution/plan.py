"""The plan of a program: which operators run together in one call of the kernels.

Fusing changes no integer: a quantised output is the operator ``quantise`` applied to the output, an added residual is the
operator ``add``, and attention is ``scores``, ``softmax`` and ``mix``. The plan only says where such runs of operators occur.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from proofmill.exact.errors import InvalidProgram
from proofmill.exact.program.graph import Operator, Program

#: Kinds whose kernels can hand out their output already quantised.
_QUANTISING = frozenset({"layer_norm", "rms_norm", "gelu", "relu", "gated_silu", "rotate", "mix"})


@dataclass(frozen=True)
class Step:
    """One call of the kernels.

    ``operator`` does the work. ``reads`` are the values it needs; ``values`` is the number of the activation it makes, and
    ``operand`` the number of the same quantised per ``group`` columns, each None where nothing reads it. ``releases`` are
    the values nobody reads afterwards.
    """

    operator: Operator
    number: int  # of the operator, which names it in errors
    reads: tuple[int, ...]
    values: int | None
    operand: int | None = None
    group: int | None = None
    residual: int | None = None  # of a linear operator: the value added to its output
    releases: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Steps in order. After step ``mixing``, the last that mixes rows of a sequence, each row goes its own way."""

    steps: tuple[Step, ...]
    mixing: int
    output: int


def make_plan(program: Program) -> Plan:
    """Fuse a program's operators. A final ``choose`` is left out: whoever samples does it with the request's seed."""
    operators = program.operators
    if operators[-1].kind == "choose":
        operators = operators[:-1]
    readers: dict[int, list[int]] = defaultdict(list)
    for number, operator in enumerate(operators, start=1):
        for value in operator.inputs:
            readers[value].append(number)

    def kind(number: int) -> str:
        return operators[number - 1].kind

    def only_reader(value: int) -> int | None:
        return readers[value][0] if len(readers[value]) == 1 else None

    absorbed: set[int] = set()  # operators done as part of another step
    steps: list[Step] = []
    for number, operator in enumerate(operators, start=1):
        if number in absorbed:
            continue
        made, reads = number, list(operator.inputs)
        residual = None
        if operator.kind == "scores":
            softmax = only_reader(number)
            mix = only_reader(softmax) if softmax else None
            if not softmax or not mix or (kind(softmax), kind(mix)) != ("softmax", "mix"):
                raise InvalidProgram(
                    f"operator {number} (scores) is not followed by a softmax and a mix of its own",
                    remedy="Import the model again with this version.",
                )
            # The scores' operator carries every constant of the three.
            absorbed.update((softmax, mix))
            made = mix
        elif operator.kind == "linear":
            add = only_reader(number)
            if add and kind(add) == "add":
                other = next(value for value in operators[add - 1].inputs if value != number)
                if other < number:
                    absorbed.add(add)
                    residual, made = other, add
                    reads.append(other)
        operand = group = None
        if kind(made) in _QUANTISING:
            for reader in readers[made]:
                if kind(reader) == "quantise" and operand is None:
                    absorbed.add(reader)
                    operand, group = reader, operators[reader - 1].constants["group"]
        wanted = made == len(operators) or any(reader != operand for reader in readers[made])
        if operator.kind == "quantise":
            operand, group, wanted = made, operator.constants["group"], False
        steps.append(Step(operator, number, tuple(reads), made if wanted else None, operand, group, residual))
    return _with_releases(tuple(steps), len(operators))


def _with_releases(steps: tuple[Step, ...], output: int) -> Plan:
    last_read: dict[int, int] = {}
    for place, step in enumerate(steps):
        for value in (*step.reads, step.values, step.operand):
            if value is not None:
                last_read[value] = place
    freed = defaultdict(list)
    for value, place in last_read.items():
        if value not in (0, output):
            freed[place].append(value)
    mixing = max(
        (place for place, step in enumerate(steps) if step.operator.kind in ("scores", "unit_mean")),
        default=-1,
    )
    released = (
        Step(
            step.operator,
            step.number,
            step.reads,
            step.values,
            step.operand,
            step.group,
            step.residual,
            tuple(freed[place]),
        )
        for place, step in enumerate(steps)
    )
    return Plan(tuple(released), mixing, output)
