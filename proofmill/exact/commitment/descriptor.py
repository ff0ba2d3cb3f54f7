"""What a contract must know of a program, as words of 32 bytes, and the hashes that identify a model.

The program's tree has one leaf per operator and leaf 0 for the whole::

    word  program (leaf 0)                    operator i (leaf i)
    0     0                                   code of its kind, 1 and up
    1-4   the input: value kind, rows,        its output: value kind, rows, width, group
          width, group
    5     number of operators                 number of inputs, 1 or 2
    6-10                                      input 0: number of the value, value kind, rows, width, group
    11-15                                     input 1 likewise, zeros where there is none
    16                                        first column that is also committed by columns, see docs/TRACE.md
    17                                        how many such columns there are, 0 for most operators
    18                                        root of the table, zero where the kind has none
    19-22                                     the table: layout, rows, columns, bytes of an integer (or digits of a weight)
    23-30                                     constants in the order of the kind's schema, zeros after the last

All words are unsigned big-endian. Rows are 0 where they are the length of the sequence. Value kinds are numbered 1 tokens,
2 bytes, 3 activation, 4 operand, 5 scores, 6 weights, 7 choice; layouts 1 matrix, 2 pairs, 3 linear, 4 rotation.

``program_root`` is the root of that tree. ``tables_root`` is the root of the tree over the tables sorted by name, with leaves
``keccak(name) ‖ root ‖ layout ‖ rows ‖ columns ‖ bytes of an integer``, six words each; a program without tables has 32
zero bytes. ``model_id = keccak(program_root ‖ tables_root ‖ keccak(manifest))``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from proofmill.exact.commitment.keccak import Bytes, hash_leaf, keccak256
from proofmill.exact.commitment.merkle import EMPTY, MerkleTree, Opening
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.program.graph import Operator, Program
from proofmill.exact.program.kinds import KINDS, Shape, TableShape

WORD_BYTES: Final = 32
DESCRIPTOR_WORDS: Final = 31
CONSTANT_WORDS: Final = 8

VALUE_KINDS: Final = ("tokens", "bytes", "activation", "operand", "scores", "weights", "choice")
LAYOUTS: Final = ("matrix", "pairs", "linear", "rotation")


@dataclass(frozen=True)
class TableCommitment:
    """A table as descriptors name it. ``integer_bytes`` is 4 but for linear tables, where it is the digits of a weight."""

    root: bytes
    shape: TableShape
    integer_bytes: int = 4

    def words(self) -> tuple[int, ...]:
        shape = self.shape
        return (
            int.from_bytes(self.root, "big"),
            1 + LAYOUTS.index(shape.layout),
            shape.rows,
            shape.columns,
            self.integer_bytes,
        )


@dataclass(frozen=True)
class InputDescriptor:
    """Which value an operator reads, and its shape."""

    number: int
    shape: Shape


@dataclass(frozen=True)
class OperatorDescriptor:
    """One operator as a contract sees it."""

    kind: str
    output: Shape
    inputs: tuple[InputDescriptor, ...]
    table: TableCommitment | None
    constants: Mapping[str, int]
    first_column: int = 0  # of the columns committed a second time
    columns: int = 0

    def encode(self) -> bytes:
        """The 992 bytes of the leaf."""
        words = [KINDS[self.kind].code, *_shape_words(self.output), len(self.inputs)]
        for value in self.inputs:
            words += [value.number, *_shape_words(value.shape)]
        words += [0] * (16 - len(words))
        words += [self.first_column, self.columns]
        words += self.table.words() if self.table else (0,) * 5
        words += [self.constants[name] for name in KINDS[self.kind].constants]
        return _encode(words)

    @classmethod
    def decode(cls, data: bytes) -> OperatorDescriptor:
        """Read a leaf back; InvalidOpening if no operator has these bytes."""
        words = _decode(data)
        kind = {kind.code: kind for kind in KINDS.values()}.get(words[0])
        if kind is None or words[5] != len(kind.inputs):
            raise InvalidOpening(f"no operator has code {words[0]}", remedy="Open the descriptor again.")
        inputs = [
            InputDescriptor(words[place], _shape(words[place + 1 : place + 5]))
            for place in range(6, 6 + 5 * len(kind.inputs), 5)
        ]
        table = _table(words[18:23]) if kind.layout else None
        constants = dict(zip(kind.constants, words[23:], strict=False))
        result = cls(kind.name, _shape(words[1:5]), tuple(inputs), table, constants, words[16], words[17])
        if result.encode() != data:
            raise InvalidOpening("a descriptor with stray bytes", remedy="Open the descriptor again.")
        return result


def _encode(words: Sequence[int]) -> bytes:
    padded = [*words, *[0] * (DESCRIPTOR_WORDS - len(words))]
    return b"".join(word.to_bytes(WORD_BYTES, "big") for word in padded)


def _decode(data: bytes) -> list[int]:
    if len(data) != WORD_BYTES * DESCRIPTOR_WORDS:
        raise InvalidOpening(f"a descriptor of {len(data)} bytes", remedy="Open the descriptor again.")
    return [int.from_bytes(data[i : i + WORD_BYTES], "big") for i in range(0, len(data), WORD_BYTES)]


def _shape_words(shape: Shape) -> tuple[int, int, int, int]:
    return 1 + VALUE_KINDS.index(shape.kind), shape.rows or 0, shape.width, shape.group


def _shape(words: Sequence[int]) -> Shape:
    kind, rows, width, group = words
    if not 1 <= kind <= len(VALUE_KINDS):
        raise InvalidOpening(f"there is no value kind {kind}", remedy="Open the descriptor again.")
    return Shape(VALUE_KINDS[kind - 1], rows or None, width, group)


def _table(words: Sequence[int]) -> TableCommitment:
    root, layout, rows, columns, size = words
    if not 1 <= layout <= len(LAYOUTS):
        raise InvalidOpening(f"there is no layout {layout}", remedy="Open the descriptor again.")
    return TableCommitment(
        root.to_bytes(WORD_BYTES, "big"), TableShape(LAYOUTS[layout - 1], rows, columns), size
    )


def describe(program: Program, tables: Mapping[str, TableCommitment]) -> tuple[OperatorDescriptor, ...]:
    """Descriptors of operators 1, 2, …; ``tables`` by name."""
    mixed = _mixed_columns(program)
    descriptors = []
    for number, operator in enumerate(program.operators, start=1):
        first, count = mixed.get(number, (0, 0))
        descriptors.append(
            OperatorDescriptor(
                operator.kind,
                program.shapes[number],
                tuple(InputDescriptor(value, program.shapes[value]) for value in operator.inputs),
                tables[operator.table] if operator.table else None,
                dict(operator.constants),
                first,
                count,
            )
        )
    return tuple(descriptors)


def _mixed_columns(program: Program) -> dict[int, tuple[int, int]]:
    """For each operand that a mix reads, the first of its value columns and their number."""
    columns: dict[int, tuple[int, int]] = {}
    for operator in program.operators:
        if operator.kind == "mix":
            span = value_columns(operator)
            if columns.setdefault(operator.inputs[1], span) != span:
                raise InvalidOpening(
                    f"value {operator.inputs[1]} is mixed with two splits into heads",
                    remedy="Quantise the activation once for each split.",
                )
    return columns


def value_columns(operator: Operator) -> tuple[int, int]:
    """First value column of the operand of an attention operator, and how many there are."""
    heads, key_heads, size = (operator.constants[name] for name in ("heads", "key_heads", "head_size"))
    return (heads + key_heads) * size, key_heads * size


class ProgramTree:
    """The tree over a program's descriptors."""

    def __init__(self, program: Program, tables: Mapping[str, TableCommitment]) -> None:
        self.descriptors = describe(program, tables)
        head = _encode([0, *_shape_words(program.input), len(program.operators)])
        self._leaves = (head, *(descriptor.encode() for descriptor in self.descriptors))
        self._tree = _tree(self._leaves)

    @property
    def root(self) -> bytes:
        return self._tree.root

    @property
    def depth(self) -> int:
        return self._tree.depth

    def open(self, number: int) -> Opening:
        """The descriptor of operator ``number``, counted from 1, or 0 for the whole program's."""
        path = self._tree.path(number)
        return Opening(self._leaves[number], number, path)


def _tree(leaves: Sequence[bytes]) -> MerkleTree:
    hashes: Bytes = np.frombuffer(b"".join(map(hash_leaf, leaves)), dtype=np.uint8).reshape(-1, WORD_BYTES)
    return MerkleTree(hashes)


def table_leaf(name: str, table: TableCommitment) -> bytes:
    """The 192 bytes by which ``tables_root`` commits to a table."""
    return keccak256(name.encode()) + b"".join(word.to_bytes(WORD_BYTES, "big") for word in table.words())


def tables_tree(tables: Mapping[str, TableCommitment]) -> MerkleTree:
    """The tree over at least one table; table number i in order of names is leaf i."""
    return _tree([table_leaf(name, tables[name]) for name in sorted(tables)])


def tables_root(tables: Mapping[str, TableCommitment]) -> bytes:
    """The commitment to all tables of a model."""
    return tables_tree(tables).root if tables else EMPTY


def table_opening_of(name: str, tables: Mapping[str, TableCommitment]) -> Opening:
    """The leaf of one table in ``tables_root``."""
    index = sorted(tables).index(name)
    return Opening(table_leaf(name, tables[name]), index, tables_tree(tables).path(index))


def model_id(program_root: bytes, tables_root: bytes, manifest: bytes) -> bytes:
    """The 32 bytes that identify a model: its program, its tables and everything its manifest says."""
    return keccak256(program_root + tables_root + keccak256(manifest))
