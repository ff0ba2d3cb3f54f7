"""The kinds of operators a program may hold: their inputs, tables and constants, and the shape each makes.

A kind is checked twice: when an importer builds a program and when a manifest is read. Ranges here are those the proofs of
``docs/EXACT.md`` assume, so a program that passes cannot overflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from proofmill.exact.errors import InvalidProgram

ValueKind = Literal["tokens", "bytes", "activation", "operand", "scores", "weights", "choice"]


@dataclass(frozen=True)
class Shape:
    """What a value looks like for one sample.

    ``rows`` is None where it is the length T of the sequence. ``width`` counts columns; scores and weights have ``width``
    heads of T columns each. ``group`` is the number of columns that share an exponent, 0 for anything but operands.
    """

    kind: ValueKind
    rows: int | None
    width: int
    group: int = 0


#: Parts of a table, by its layout, in the order they appear in leaves.
LAYOUT_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "matrix": ("rows",),
    "pairs": ("gamma", "beta"),
    "linear": ("weight", "multiplier", "bias"),
    "rotation": ("cosine", "sine"),
}

Layout = Literal["matrix", "pairs", "linear", "rotation"]


@dataclass(frozen=True)
class TableShape:
    """Layout and shape of a table: rows and columns of a matrix, linear or rotation table; ``rows`` pairs have one column."""

    layout: Layout
    rows: int
    columns: int


Constants = Mapping[str, int]
Infer = Callable[[Sequence[Shape], TableShape | None, Constants], Shape]


@dataclass(frozen=True)
class Kind:
    """One kind of operator; ``code`` is its number in descriptors and never changes."""

    name: str
    code: int
    inputs: tuple[ValueKind, ...]
    layout: Layout | None
    constants: Mapping[str, tuple[int, int]]  # least and greatest value of each
    infer: Infer


class _Mismatch(Exception):
    """An operator's inputs, table and constants do not fit together."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _Mismatch(message)


def _size(table: TableShape | None) -> TableShape:
    assert table is not None  # the kind has a layout, so the caller has looked the table up
    return table


def _same(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    return inputs[0]


def _embedding(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    return Shape("activation", inputs[0].rows, _size(table).columns)


def _position_embedding(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    x = inputs[1]
    _require(x.rows == inputs[0].rows, "the rows are not one per token")
    _require(_size(table).columns == x.width, f"table of width {_size(table).columns} for rows of {x.width}")
    return x


def _norm(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    x = inputs[0]
    _require(x.width <= 1 << 13, f"rows of {x.width} are wider than 8192")
    _require(_size(table).rows == x.width, f"{_size(table).rows} gains for rows of {x.width}")
    root = constants["root"]
    _require(abs(root * root - (x.width << 40)) <= root, f"root {root} is not that of size {x.width}")
    return x


def _quantise(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    x, group = inputs[0], constants["group"]
    _require(x.width % group == 0, f"groups of {group} do not divide rows of {x.width}")
    return Shape("operand", x.rows, x.width, group)


def _linear(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    x = inputs[0]
    _require(x.group == x.width, "the operand must have one exponent per row")
    _require(
        _size(table).columns == x.width, f"weights of {_size(table).columns} columns for rows of {x.width}"
    )
    return Shape("activation", x.rows, _size(table).rows)


def _add(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    _require(inputs[0] == inputs[1], f"shapes differ: {inputs[0]} and {inputs[1]}")
    return inputs[0]


def _gated_silu(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    x = inputs[0]
    _require(x.width % 2 == 0, f"rows of {x.width} do not split into gate and up")
    return Shape("activation", x.rows, x.width // 2)


def _rotate(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    x, columns, size = inputs[0], constants["columns"], constants["head_size"]
    _require(x.rows is None, "only rows of a sequence have positions")
    _require(
        size % 2 == 0 and columns % size == 0 and columns <= x.width, f"{columns} columns in heads of {size}"
    )
    _require(_size(table).columns == size // 2, f"{_size(table).columns} angles for heads of {size}")
    return x


def _check_heads(x: Shape, constants: Constants) -> None:
    heads, key_heads, size = constants["heads"], constants["key_heads"], constants["head_size"]
    _require(heads % key_heads == 0, f"{heads} query heads do not share {key_heads} key heads evenly")
    _require(x.width == (heads + 2 * key_heads) * size, f"{x.width} columns do not hold the heads")
    _require(x.group == size and x.rows is None, "the operand must be a sequence with one exponent per head")


def _scores(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    _check_heads(inputs[0], constants)
    size, multiplier = constants["head_size"], constants["multiplier"]
    _require(
        multiplier * multiplier * size <= 2.0815 * (1 << 40), f"multiplier {multiplier} for heads of {size}"
    )
    return Shape("scores", None, constants["heads"])


def _softmax(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    _check_heads(inputs[1], constants)
    _require(inputs[0].width == constants["heads"], f"scores of {inputs[0].width} heads")
    return Shape("weights", None, constants["heads"])


def _mix(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    _check_heads(inputs[1], constants)
    _require(inputs[0].width == constants["heads"], f"weights of {inputs[0].width} heads")
    return Shape("activation", None, constants["heads"] * constants["head_size"])


def _unit_mean(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    _require(inputs[0].width < 1 << 13, f"rows of {inputs[0].width} are wider than 8191")
    return Shape("activation", 1, inputs[0].width)


def _pixels(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    x = inputs[0]
    _require(
        (_size(table).rows, _size(table).columns) == (x.width, 256), f"a table of {x.width} by 256 is needed"
    )
    return Shape("activation", x.rows, x.width)


def _grid(x: Shape, constants: Constants) -> None:
    area = constants["height"] * constants["width"]
    _require(
        x.rows == area and x.width == constants["channels"], f"{x.rows} rows of {x.width} are not that image"
    )


def _patches(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    x, kernel, stride, padding = inputs[0], constants["kernel"], constants["stride"], constants["padding"]
    _grid(x, constants)
    _require(padding < kernel, f"a padding of {padding} leaves windows of {kernel} outside the image")
    height = (constants["height"] + 2 * padding - kernel) // stride + 1
    width = (constants["width"] + 2 * padding - kernel) // stride + 1
    _require(height > 0 and width > 0, f"a kernel of {kernel} does not fit the image")
    return Shape("activation", height * width, kernel * kernel * x.width)


def _pool(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    x, size, stride = inputs[0], constants["size"], constants["stride"]
    _grid(x, constants)
    height, width = (constants["height"] - size) // stride + 1, (constants["width"] - size) // stride + 1
    _require(height > 0 and width > 0, f"a window of {size} does not fit the image")
    return Shape("activation", height * width, x.width)


def _flatten(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    x, rows = inputs[0], constants["rows"]
    _require(x.rows is not None and x.rows % rows == 0, f"{x.rows} rows do not join {rows} by {rows}")
    assert x.rows is not None
    return Shape("activation", x.rows // rows, x.width * rows)


def _choose(inputs: Sequence[Shape], table: TableShape | None, constants: Constants) -> Shape:
    return Shape("choice", inputs[0].rows, 1)


_SIZE = (1, 1 << 20)
_SHIFT = (18, 62)
_HEADS: Final = {"heads": (1, 1 << 10), "key_heads": (1, 1 << 10), "head_size": (1, 256), "causal": (0, 1)}
_IMAGE: Final = {"height": (1, 1 << 12), "width": (1, 1 << 12), "channels": (1, 1 << 14)}
_NORM: Final = {"epsilon": (0, (1 << 52) - 1), "root": (1, 1 << 27)}
_WINDOW: Final = {"size": (1, 64), "stride": (1, 64)}

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("embedding", 1, ("tokens",), "matrix", {}, _embedding),
        Kind("position_embedding", 2, ("tokens", "activation"), "matrix", {}, _position_embedding),
        Kind("layer_norm", 3, ("activation",), "pairs", _NORM, _norm),
        Kind("rms_norm", 4, ("activation",), "pairs", _NORM, _norm),
        Kind("quantise", 5, ("activation",), None, {"group": _SIZE}, _quantise),
        Kind("linear", 6, ("operand",), "linear", {"shift": _SHIFT}, _linear),
        Kind("add", 7, ("activation", "activation"), None, {}, _add),
        Kind("gelu", 8, ("activation",), None, {}, _same),
        Kind("relu", 9, ("activation",), None, {}, _same),
        Kind("gated_silu", 10, ("activation",), None, {"shift": (1, 40)}, _gated_silu),
        Kind("rotate", 11, ("activation",), "rotation", {"columns": _SIZE, "head_size": (2, 256)}, _rotate),
        Kind("scores", 12, ("operand",), None, {**_HEADS, "multiplier": (1, 1512775)}, _scores),
        Kind("softmax", 13, ("scores", "operand"), None, _HEADS, _softmax),
        Kind("mix", 14, ("weights", "operand"), None, _HEADS, _mix),
        Kind("unit_mean", 15, ("activation",), None, {}, _unit_mean),
        Kind("pixels", 16, ("bytes",), "matrix", {}, _pixels),
        Kind(
            "patches",
            17,
            ("activation",),
            None,
            {**_IMAGE, "kernel": (1, 64), "stride": (1, 64), "padding": (0, 32)},
            _patches,
        ),
        Kind("max_pool", 18, ("activation",), None, {**_IMAGE, **_WINDOW}, _pool),
        Kind("average_pool", 19, ("activation",), None, {**_IMAGE, **_WINDOW}, _pool),
        Kind("flatten", 20, ("activation",), None, {"rows": _SIZE}, _flatten),
        Kind("choose", 21, ("activation",), None, {"fraction_bits": (0, 32)}, _choose),
    )
}


def infer_shape(
    place: str, kind: Kind, inputs: Sequence[Shape], table: TableShape | None, constants: Constants
) -> Shape:
    """The shape an operator makes; InvalidProgram, naming ``place`` and the reason, if its parts do not fit."""

    def refuse(reason: str) -> InvalidProgram:
        return InvalidProgram(
            f"{place} ({kind.name}): {reason}", remedy="Import the model again with this version."
        )

    if tuple(shape.kind for shape in inputs) != kind.inputs:
        raise refuse(f"takes {', '.join(kind.inputs)}, given {', '.join(shape.kind for shape in inputs)}")
    if (table.layout if table else None) != kind.layout:
        raise refuse(f"needs a table of layout {kind.layout}, given {table.layout if table else None}")
    if set(constants) != set(kind.constants):
        raise refuse(f"has constants {sorted(constants)}, needs {sorted(kind.constants)}")
    for name, (least, greatest) in kind.constants.items():
        if not least <= constants[name] <= greatest:
            raise refuse(f"{name} is {constants[name]}, the proved range is {least} to {greatest}")
    try:
        return kind.infer(inputs, table, constants)
    except _Mismatch as mismatch:
        raise refuse(str(mismatch)) from mismatch
