"""A program: operators in the order they run, each naming the values it reads by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proofmill.exact.errors import InvalidProgram
from proofmill.exact.program.kinds import KINDS, Shape, TableShape, infer_shape

MAXIMUM_OPERATORS = 1 << 14
#: Numbers in a value of fixed size: 512 MiB of activations, more than any layer of an image needs.
MAXIMUM_NUMBERS = 1 << 27


@dataclass(frozen=True)
class Operator:
    """One step. Value 0 is the program's input and operator i, counted from 1, makes value i."""

    kind: str
    inputs: tuple[int, ...]
    table: str = ""  # name of its table, empty where the kind has none
    constants: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """Operators, the tables they read, and the shape of every value; checked when it is made.

    Raises:
        InvalidProgram: an operator is unknown, reads a later value, or does not fit its inputs, table or constants.
    """

    input: Shape
    operators: tuple[Operator, ...]
    tables: Mapping[str, TableShape]
    shapes: tuple[Shape, ...] = field(init=False)  # of value 0, 1, …

    def __post_init__(self) -> None:
        if not 1 <= len(self.operators) <= MAXIMUM_OPERATORS:
            raise InvalidProgram(
                f"{len(self.operators)} operators, a program has 1 to {MAXIMUM_OPERATORS}",
                remedy="Import a model of this size with a later version.",
            )
        shapes = [self.input]
        for number, operator in enumerate(self.operators, start=1):
            shapes.append(self._infer(number, operator, shapes))
        self._check_output(shapes)
        unused = set(self.tables) - {operator.table for operator in self.operators}
        if unused:
            raise InvalidProgram(
                f"no operator reads table {min(unused)}", remedy="Leave unused tables out of the model."
            )
        object.__setattr__(self, "shapes", tuple(shapes))

    def _infer(self, number: int, operator: Operator, shapes: Sequence[Shape]) -> Shape:
        place = f"operator {number}"
        kind = KINDS.get(operator.kind)
        if kind is None:
            raise InvalidProgram(
                f"{place}: there is no operator {operator.kind!r}", remedy=f"Known: {', '.join(KINDS)}."
            )
        for value in operator.inputs:
            if not 0 <= value < number:
                raise InvalidProgram(
                    f"{place} ({kind.name}) reads value {value}, which is not made before it",
                    remedy="Import the model again with this version.",
                )
        table = self.tables.get(operator.table)
        if operator.table and table is None:
            raise InvalidProgram(
                f"{place} ({kind.name}): there is no table {operator.table!r}",
                remedy="Import the model again with this version.",
            )
        inputs = [shapes[value] for value in operator.inputs]
        shape = infer_shape(place, kind, inputs, table, operator.constants)
        if kind.name == "unit_mean" and inputs[0].rows != self.input.rows:
            raise InvalidProgram(
                f"{place} (unit_mean) reads {inputs[0].rows} rows a sample, not those of the program's input",
                remedy="Import the model again with this version.",
            )
        if (shape.rows or 1) * shape.width > MAXIMUM_NUMBERS:
            raise InvalidProgram(
                f"{place} ({kind.name}) makes {shape.rows or 1} rows of {shape.width}, at most {MAXIMUM_NUMBERS} numbers",
                remedy="Use smaller images, windows or layers.",
            )
        if kind.name in ("softmax", "mix"):
            self._check_attention(place, operator)
        return shape

    def _check_output(self, shapes: Sequence[Shape]) -> None:
        """A program ends in an activation, or in the choice of a token from the activation just before it."""
        last = len(self.operators)
        if shapes[last].kind == "operand":  # scores and weights have no plan without what follows them
            raise InvalidProgram(
                "the program ends in an operand, not in an activation or a choice",
                remedy="Import the model again with this version.",
            )
        for number, operator in enumerate(self.operators, start=1):
            if operator.kind == "choose" and (number != last or operator.inputs != (last - 1,)):
                raise InvalidProgram(
                    f"operator {number} (choose) is not the last one, or does not read the value before it",
                    remedy="Import the model again with this version.",
                )

    def _check_attention(self, place: str, operator: Operator) -> None:
        """The three operators of an attention must read one operand and split it into the same heads."""
        before = self.operators[operator.inputs[0] - 1]
        split = {name: before.constants.get(name) for name in operator.constants}
        if before.inputs[-1] != operator.inputs[1] or split != dict(operator.constants):
            raise InvalidProgram(
                f"{place} ({operator.kind}) reads another operand or other heads than operator {operator.inputs[0]}",
                remedy="Import the model again with this version.",
            )

    @property
    def output(self) -> Shape:
        """Shape of the last value, the program's answer."""
        return self.shapes[-1]


class ProgramBuilder:
    """Appends operators and keeps their numbers; ``build`` checks the whole."""

    def __init__(self, input: Shape) -> None:
        self._input = input
        self._operators: list[Operator] = []
        self._tables: dict[str, TableShape] = {}

    def table(self, name: str, shape: TableShape) -> str:
        """Declare a table; InvalidProgram if the name is taken by another shape."""
        if self._tables.setdefault(name, shape) != shape:
            raise InvalidProgram(f"table {name} is declared twice", remedy="Give tables distinct names.")
        return name

    def add(self, kind: str, *inputs: int, table: str = "", **constants: int) -> int:
        """Append an operator and return the number of the value it makes."""
        self._operators.append(Operator(kind, inputs, table, constants))
        return len(self._operators)

    def build(self) -> Program:
        return Program(self._input, tuple(self._operators), dict(self._tables))
