"""What a program computes, by definition: its operators one after the other, each as ``proofmill.exact.ops`` defines it.

Slow and plain, one sample at a time. Faster ways of running a program are held equal to this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from proofmill.exact import ops
from proofmill.exact.errors import InvalidOperand
from proofmill.exact.program.graph import Operator
from proofmill.exact.program.kinds import LAYOUT_PARTS
from proofmill.exact.program.model import Model
from proofmill.exact.program.sampling import Sampling


@dataclass(frozen=True)
class OperandValue:
    """Quantised rows in int64: values q [R, W] and exponents k [R, W / group]."""

    values: Tensor
    exponents: Tensor


#: An activation, tokens, bytes, scores or a choice in int64; an operand; or softmax rows.
Value = Tensor | OperandValue | ops.SoftmaxRows
Parts = Mapping[str, Tensor]


def run(model: Model, input: Tensor, sampling: Sampling | None = None) -> list[Value]:
    """Every value of the program for one sample: token ids int64 [T], or an image uint8 [rows, channels].

    ``sampling`` is how a final ``choose`` draws; without it the choice is greedy. InvalidOperand where an input does not fit.
    """
    values: list[Value] = [input.to(torch.int64)]
    for operator in model.program.operators:
        inputs = [values[number] for number in operator.inputs]
        values.append(evaluate(operator, inputs, operator_parts(model, operator), sampling))
    return values


def operator_parts(model: Model, operator: Operator) -> Parts:
    """The parts of an operator's table in int64."""
    if not operator.table:
        return {}
    layout = model.program.tables[operator.table].layout
    return {part: model.tensors[f"{operator.table}.{part}"].to(torch.int64) for part in LAYOUT_PARTS[layout]}


def evaluate(
    operator: Operator, inputs: Sequence[Value], parts: Parts, sampling: Sampling | None = None
) -> Value:
    """One operator's output."""
    if operator.kind == "choose":
        return _choose(operator, _tensor(inputs[0]), sampling)
    return _EVALUATE[operator.kind](operator.constants, inputs, parts)


def _tensor(value: Value) -> Tensor:
    if not isinstance(value, Tensor):
        raise InvalidOperand(f"an operand of type {type(value).__name__}", remedy="Run a checked program.")
    return value


def _operand(value: Value) -> OperandValue:
    if not isinstance(value, OperandValue):
        raise InvalidOperand(f"an activation of type {type(value).__name__}", remedy="Run a checked program.")
    return value


def _softmax_rows(value: Value) -> ops.SoftmaxRows:
    if not isinstance(value, ops.SoftmaxRows):
        raise InvalidOperand(f"weights of type {type(value).__name__}", remedy="Run a checked program.")
    return value


def _choose(operator: Operator, logits: Tensor, sampling: Sampling | None) -> Tensor:
    if sampling is None:
        return ops.choose_greedy(logits)
    positions = torch.arange(len(logits), device=logits.device)
    fraction_bits = operator.constants["fraction_bits"]
    return ops.choose(logits, positions, sampling.inverse_temperature, sampling.seed, fraction_bits)


Constants = Mapping[str, int]
Evaluate = Callable[[Constants, Sequence[Value], Parts], Value]


def _positions(x: Tensor) -> Tensor:
    return torch.arange(len(x), device=x.device)


def _head_constants(constants: Constants) -> tuple[int, int, int]:
    return constants["heads"], constants["key_heads"], constants["head_size"]


def _position_embedding(constants: Constants, inputs: Sequence[Value], parts: Parts) -> Value:
    x = _tensor(inputs[1])
    return ops.position_embedding(x, _positions(x), parts["rows"])


def _layer_norm(constants: Constants, inputs: Sequence[Value], parts: Parts) -> Value:
    epsilon, root = constants["epsilon"], constants["root"]
    return ops.layer_norm(_tensor(inputs[0]), parts["gamma"], parts["beta"], epsilon, root)


def _rms_norm(constants: Constants, inputs: Sequence[Value], parts: Parts) -> Value:
    epsilon, root = constants["epsilon"], constants["root"]
    return ops.rms_norm(_tensor(inputs[0]), parts["gamma"], parts["beta"], epsilon, root)


def _quantise(constants: Constants, inputs: Sequence[Value], parts: Parts) -> Value:
    return OperandValue(*ops.quantise(_tensor(inputs[0]), constants["group"]))


def _linear(constants: Constants, inputs: Sequence[Value], parts: Parts) -> Value:
    x = _operand(inputs[0])
    weight, multiplier, bias = parts["weight"], parts["multiplier"], parts["bias"]
    return ops.linear(x.values, x.exponents, weight, multiplier, bias, constants["shift"])


def _rotate(constants: Constants, inputs: Sequence[Value], parts: Parts) -> Value:
    x = _tensor(inputs[0])
    columns, head_size = constants["columns"], constants["head_size"]
    return ops.rotate(x, _positions(x), parts["cosine"], parts["sine"], columns, head_size)


def _scores(constants: Constants, inputs: Sequence[Value], parts: Parts) -> Value:
    x = _operand(inputs[0])
    multiplier, causal = constants["multiplier"], bool(constants["causal"])
    return ops.scores(x.values, x.exponents, *_head_constants(constants), multiplier, causal)


def _softmax(constants: Constants, inputs: Sequence[Value], parts: Parts) -> Value:
    exponents = _operand(inputs[1]).exponents
    return ops.softmax(_tensor(inputs[0]), exponents, *_head_constants(constants), bool(constants["causal"]))


def _mix(constants: Constants, inputs: Sequence[Value], parts: Parts) -> Value:
    rows, x = _softmax_rows(inputs[0]), _operand(inputs[1])
    return ops.mix(rows, x.values, x.exponents, *_head_constants(constants), bool(constants["causal"]))


_EVALUATE: Final[Mapping[str, Evaluate]] = {
    "embedding": lambda constants, inputs, parts: ops.embedding(_tensor(inputs[0]), parts["rows"]),
    "position_embedding": _position_embedding,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "quantise": _quantise,
    "linear": _linear,
    "add": lambda constants, inputs, parts: ops.add(_tensor(inputs[0]), _tensor(inputs[1])),
    "gelu": lambda constants, inputs, parts: ops.gelu(_tensor(inputs[0])),
    "relu": lambda constants, inputs, parts: ops.relu(_tensor(inputs[0])),
    "gated_silu": lambda constants, inputs, parts: ops.gated_silu(_tensor(inputs[0]), constants["shift"]),
    "rotate": _rotate,
    "scores": _scores,
    "softmax": _softmax,
    "mix": _mix,
    "unit_mean": lambda constants, inputs, parts: ops.unit_mean(_tensor(inputs[0])),
    "pixels": lambda constants, inputs, parts: ops.pixels(_tensor(inputs[0]), parts["rows"]),
    "patches": lambda constants, inputs, parts: ops.patches(_tensor(inputs[0]), **constants),
    "max_pool": lambda constants, inputs, parts: ops.max_pool(_tensor(inputs[0]), **constants),
    "average_pool": lambda constants, inputs, parts: ops.average_pool(_tensor(inputs[0]), **constants),
    "flatten": lambda constants, inputs, parts: ops.flatten(_tensor(inputs[0]), constants["rows"]),
}
