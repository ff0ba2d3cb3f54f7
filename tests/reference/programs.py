"""Whole programs: the operator list of a manifest, evaluated over Python integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.reference import attention, drawing, functions, images, matrices, norms
from tests.reference.attention import Heads

#: The parts of a table; an operator asks for those it knows.
Table = Mapping[str, Any]
Constants = Mapping[str, int]
Evaluate = Callable[[Sequence[Any], Table, Constants], Any]


def run_program(
    document: Mapping[str, Any],
    tensors: Mapping[str, Any],
    value: Any,
    *,
    inverse_temperature: int | None = None,
    seed: int = 0,
) -> Any:
    """The last value of the program ``document["operators"]`` on one sample: token ids, or rows of bytes.

    tensors: nested lists by "<table>.<part>". A ``choose`` is greedy unless an inverse temperature (Q.16) is given.
    """
    return run_operators(document, tensors, value, inverse_temperature=inverse_temperature, seed=seed)[-1]


def run_operators(
    document: Mapping[str, Any],
    tensors: Mapping[str, Any],
    value: Any,
    *,
    inverse_temperature: int | None = None,
    seed: int = 0,
) -> list[Any]:
    """All values: the input, then each operator's output."""
    values = [value]
    for operator in document["operators"]:
        inputs = [values[number] for number in operator["inputs"]]
        constants = operator["constants"]
        if operator["kind"] == "choose":
            values.append(_choose(inputs[0], constants, inverse_temperature, seed))
        else:
            table = _table(tensors, operator["table"])
            values.append(EVALUATE[operator["kind"]](inputs, table, constants))
    return values


def _table(tensors: Mapping[str, Any], name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {
        key.removeprefix(prefix): part
        for key, part in tensors.items()
        if name and key.startswith(prefix) and "." not in key.removeprefix(prefix)
    }


def _choose(
    logits: Sequence[Sequence[int]], constants: Constants, inverse_temperature: int | None, seed: int
) -> list[int]:
    if inverse_temperature is None:
        return [drawing.choose_greedy(row) for row in logits]
    return [
        drawing.choose(row, t, inverse_temperature, seed, constants["fraction_bits"])
        for t, row in enumerate(logits)
    ]


def _heads(constants: Constants) -> Heads:
    return Heads(
        constants["heads"], constants["key_heads"], constants["head_size"], bool(constants["causal"])
    )


def _layer_norm(inputs: Sequence[Any], table: Table, constants: Constants) -> Any:
    return [norms.layer_norm(row, table["gamma"], table["beta"], **constants) for row in inputs[0]]


def _rms_norm(inputs: Sequence[Any], table: Table, constants: Constants) -> Any:
    return [norms.rms_norm(row, table["gamma"], table["beta"], **constants) for row in inputs[0]]


def _linear(inputs: Sequence[Any], table: Table, constants: Constants) -> Any:
    parts = table["weight"], table["multiplier"], table["bias"]
    return [matrices.linear(operand, *parts, constants["shift"]) for operand in inputs[0]]


def _rotate(inputs: Sequence[Any], table: Table, constants: Constants) -> Any:
    angles = zip(
        inputs[0], table["cosine"], table["sine"], strict=False
    )  # there may be more positions than rows
    return [functions.rotate(row, cosine, sine, **constants) for row, cosine, sine in angles]


EVALUATE: dict[str, Evaluate] = {
    "embedding": lambda inputs, table, constants: matrices.embedding(inputs[0], table["rows"]),
    "position_embedding": lambda inputs, table, constants: matrices.position_embedding(
        inputs[1], table["rows"]
    ),
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "quantise": lambda inputs, table, constants: [
        matrices.quantise(row, constants["group"]) for row in inputs[0]
    ],
    "linear": _linear,
    "add": lambda inputs, table, constants: list(map(matrices.add, inputs[0], inputs[1])),
    "gelu": lambda inputs, table, constants: [[functions.gelu(x) for x in row] for row in inputs[0]],
    "relu": lambda inputs, table, constants: [[functions.relu(x) for x in row] for row in inputs[0]],
    "gated_silu": lambda inputs, table, constants: [
        functions.gated_silu(row, constants["shift"]) for row in inputs[0]
    ],
    "rotate": _rotate,
    "scores": lambda inputs, table, constants: attention.scores(
        inputs[0], _heads(constants), constants["multiplier"]
    ),
    "softmax": lambda inputs, table, constants: attention.softmax(inputs[0], inputs[1], _heads(constants)),
    "mix": lambda inputs, table, constants: attention.mix(inputs[0], inputs[1], _heads(constants)),
    "unit_mean": lambda inputs, table, constants: [norms.unit_mean(inputs[0])],
    "pixels": lambda inputs, table, constants: images.pixels(inputs[0], table["rows"]),
    "patches": lambda inputs, table, constants: images.patches(inputs[0], **constants),
    "max_pool": lambda inputs, table, constants: images.max_pool(inputs[0], **constants),
    "average_pool": lambda inputs, table, constants: images.average_pool(inputs[0], **constants),
    "flatten": lambda inputs, table, constants: images.flatten(inputs[0], constants["rows"]),
}
