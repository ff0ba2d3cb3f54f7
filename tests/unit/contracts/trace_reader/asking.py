"""Questions about traces, and the keys under which an honest defender's reveals are filed, by code of their own.

A key is made from hashes of the trace as docs/TRACE.md nests them and from nothing that the contract says.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from eth_abi.abi import encode

from proofmill.exact.commitment.descriptor import ProgramTree
from proofmill.exact.commitment.keccak import keccak256
from proofmill.exact.commitment.merkle import EMPTY, EMPTY_ROOTS
from proofmill.exact.program.kinds import Shape
from proofmill.exact.program.model import Model
from proofmill.exact.trace.geometry import Geometry, Grid, Leaf, Part
from proofmill.exact.trace.tracing import Rows, commit_tables, table_tree, trace
from tests.property.exact.test_exact_programs import Builder
from tests.reference import function_tables
from tests.suite.traces import PARTS, Honest, honest_leaves, honest_run, leaf_hash, nested_path, nested_root

CLAIM_ID = b"claim".ljust(32, b"\7")
LONG = 1_101  # rows: in groups of four, one of them alone

ROWS, ROW_GROUP, LEAVES, LEAF = 1, 2, 3, 4
SUPPLEMENT_ROWS, SUPPLEMENT_ROW_GROUP, SUPPLEMENT_LEAVES, TRACE_GROUP = 5, 6, 7, 8
ANSWER_ROWS, ANSWER_ROW_GROUP, ANSWER_LEAVES = 9, 10, 11


class Question(NamedTuple):
    """``ITraceReader.Question``."""

    what: int
    number: int = 0
    descriptor: bytes = b""
    descriptor_path: Sequence[bytes] = ()
    output_root: bytes = EMPTY
    output_path: Sequence[bytes] = ()
    part: int = 0
    row: int = 0
    section: int = 0
    leaf: int = 0
    node: bytes = EMPTY
    path: Sequence[bytes] = ()


# ------------------------------------------------------------------------------- what the game files reveals under


def key(form: int, node: bytes, *numbers: int) -> bytes:
    padded = [*numbers, *[0] * (5 - len(numbers))]
    types = ["bytes32", "uint256", "bytes32", *["uint256"] * 5]
    return keccak256(encode(types, [CLAIM_ID, form, node, *padded]))


def folded(hashes: Sequence[bytes], level: int, depth: int) -> bytes:
    """Root of a tree whose first nodes at ``level`` are these, and the rest free."""
    nodes = [*hashes, *[EMPTY_ROOTS[level]] * ((1 << depth) - len(hashes))]
    while len(nodes) > 1:
        nodes = [keccak256(nodes[i] + nodes[i + 1]) for i in range(0, len(nodes), 2)]
    return nodes[0]


def tree_key(level: int, depth: int, hashes: Sequence[bytes]) -> bytes:
    assert 1 <= len(hashes) <= 1_024
    return key(1, folded(hashes, level, depth), level, depth, 0, 0, len(hashes))


def rows_key(level: int, depth: int, supplement_root: bytes, hashes: Sequence[bytes]) -> bytes:
    assert 1 <= len(hashes) <= 512
    node = keccak256(folded(hashes, level, depth) + supplement_root)
    return key(2, node, level, depth, int(supplement_root != EMPTY), 0, len(hashes))


def leaves_key(shape: tuple[int, int, int, int], hashes: Sequence[bytes]) -> bytes:
    """``shape``: value sections, value leaves, witness sections, witness leaves."""
    value_sections, value_leaves, witness_sections, witness_leaves = shape
    values = value_sections * value_leaves
    assert len(hashes) == values + witness_sections * witness_leaves <= 1_024
    node = keccak256(_sections(hashes[:values], value_leaves) + _sections(hashes[values:], witness_leaves))
    return key(3, node, *shape, sum(hash != EMPTY for hash in hashes))


def _sections(hashes: Sequence[bytes], leaves: int) -> bytes:
    if not hashes:
        return EMPTY
    cut = range(0, len(hashes), leaves)
    return nested_root([nested_root(list(hashes[at : at + leaves]))[0] for at in cut])[0]


def leaf_key(data: bytes) -> bytes:
    return key(4, leaf_hash(data))


# ----------------------------------------------------------------------------------------------- one honest value


def groups_level(rows: int) -> int:
    """Least level with at most 512 groups of 2^level rows."""
    level = 0
    while -(-rows // 2**level) > 512:
        level += 1
    return level


class Levels:
    """A tree by its levels from the bottom up, free places included."""

    def __init__(self, hashes: list[bytes]) -> None:
        self.count = len(hashes)
        self.root, self.levels = nested_root(hashes)

    @property
    def depth(self) -> int:
        return len(self.levels) - 1

    def nodes(self, level: int) -> list[bytes]:
        """Those that have something below them."""
        return self.levels[level][: -(-self.count // 2**level)]

    def path(self, place: int, level: int = 0) -> list[bytes]:
        """Siblings of a place at the bottom, or of the group at ``level`` that it is in."""
        return nested_path(self.levels, place)[level:]

    def group(self, place: int, level: int) -> list[bytes]:
        start = place >> level << level
        return self.levels[0][start : min(start + 2**level, self.count)]


class Value:
    """All hashes of one value of a trace, and the questions about it with their keys."""

    def __init__(self, subject: Subject, number: int) -> None:
        honest = subject.honest
        self.subject, self.number = subject, number
        self.geometry: Geometry = honest.trace.run.geometry(number)
        self.leaves = honest_leaves(subject.rows(number))
        self._parts: dict[tuple[Part, int], tuple[Levels, list[Levels]]] = {}
        rows = range(self.geometry.values.rows)
        self.rows = Levels([keccak256(self.node("values", row) + self.node("witness", row)) for row in rows])
        self.supplement: Levels | None = None
        if self.geometry.supplement is not None:
            rows = range(self.geometry.supplement.rows)
            self.supplement = Levels([self.node("supplement", row) for row in rows])
        self.supplement_root = self.supplement.root if self.supplement else EMPTY
        self.root = keccak256(self.rows.root + self.supplement_root)
        assert self.root == honest.trace.roots[number]

    def hashes(self, part: Part, row: int) -> list[list[bytes]]:
        """Leaf hashes of a row by section, with zeros in places that the row does not reach."""
        grid = self.grid(part)
        if grid is None:
            return []
        places = [[Leaf(part, row, s, i) for i in range(grid.leaves)] for s in range(grid.sections)]
        return [[leaf_hash(self.leaves[x]) if x in self.leaves else EMPTY for x in line] for line in places]

    def grid(self, part: Part) -> Grid | None:
        grid: Grid | None = getattr(self.geometry, part)
        return grid

    def trees(self, part: Part, row: int) -> tuple[Levels, list[Levels]]:
        """Of sections, and of each section's leaves."""
        if (part, row) not in self._parts:
            below = [Levels(line) for line in self.hashes(part, row)]
            self._parts[part, row] = Levels([tree.root for tree in below]), below
        return self._parts[part, row]

    def node(self, part: Part, row: int) -> bytes:
        return self.trees(part, row)[0].root if self.grid(part) is not None else EMPTY

    def question(self, what: int, **fields: Any) -> Question:
        """With everything that shows where the value is."""
        return self.subject.question(what, self.number)._replace(**fields)

    # each: a question and the key of what answers it

    def ask_rows(self) -> tuple[Question, bytes]:
        level = groups_level(self.rows.count)
        reveal = rows_key(level, self.rows.depth - level, self.supplement_root, self.rows.nodes(level))
        return self.question(ROWS, node=self.root), reveal

    def ask_row_group(self, row: int) -> tuple[Question, bytes]:
        level = groups_level(self.rows.count)
        node = self.rows.levels[level][row >> level]
        path = [*self.rows.path(row, level), self.supplement_root]
        asked = self.question(ROW_GROUP, row=row, node=node, path=path)
        return asked, tree_key(0, level, self.rows.group(row, level))

    def row_path(self, row: int) -> list[bytes]:
        return [*self.rows.path(row), self.supplement_root]

    def ask_leaves(self, row: int) -> tuple[Question, bytes]:
        asked = self.question(LEAVES, row=row, node=self.rows.levels[0][row], path=self.row_path(row))
        hashes = [*self.hashes("values", row), *self.hashes("witness", row)]
        return asked, leaves_key(self.shape, [hash for line in hashes for hash in line])

    @property
    def shape(self) -> tuple[int, int, int, int]:
        values, witness = self.geometry.values, self.geometry.witness
        return (values.sections, values.leaves, *((witness.sections, witness.leaves) if witness else (0, 0)))

    def leaf_path(self, place: Leaf) -> list[bytes]:
        """Of any place of the grid, also one that its row does not reach."""
        sections, leaves = self.trees(place.part, place.row)
        path = [*leaves[place.section].path(place.leaf), *sections.path(place.section)]
        if place.part == "supplement":
            assert self.supplement is not None
            return [*path, *self.supplement.path(place.row), self.rows.root]
        other: Part = "witness" if place.part == "values" else "values"
        return [*path, self.node(other, place.row), *self.row_path(place.row)]

    def ask_leaf(self, place: Leaf) -> tuple[Question, bytes]:
        hash = self.hashes(place.part, place.row)[place.section][place.leaf]
        asked = self.question(
            LEAF,
            part=PARTS.index(place.part),
            row=place.row,
            section=place.section,
            leaf=place.leaf,
            node=hash,
            path=self.leaf_path(place),
        )
        return asked, leaf_key(self.leaves[place]) if place in self.leaves else b""

    def ask_supplement_rows(self) -> tuple[Question, bytes]:
        assert self.supplement is not None
        level = groups_level(self.supplement.count)
        asked = self.question(SUPPLEMENT_ROWS, node=self.supplement.root, path=[self.rows.root])
        depth = self.supplement.depth - level
        return asked, tree_key(level, depth, self.supplement.nodes(level))

    def ask_supplement_row_group(self, row: int) -> tuple[Question, bytes]:
        assert self.supplement is not None
        level = groups_level(self.supplement.count)
        path = [*self.supplement.path(row, level), self.rows.root]
        node = self.supplement.levels[level][row >> level]
        asked = self.question(SUPPLEMENT_ROW_GROUP, row=row, node=node, path=path)
        return asked, tree_key(0, level, self.supplement.group(row, level))

    def ask_supplement_leaves(self, row: int) -> tuple[Question, bytes]:
        assert self.supplement is not None
        path = [*self.supplement.path(row), self.rows.root]
        asked = self.question(SUPPLEMENT_LEAVES, row=row, node=self.supplement.levels[0][row], path=path)
        below = self.trees("supplement", row)[1][0]
        return asked, tree_key(0, below.depth, below.nodes(0))


class Answer:
    """What an honest operator delivers of the last value: the tree over the `values` nodes of some of its rows."""

    def __init__(self, value: Value, first_row: int = 0) -> None:
        self.value, self.first_row = value, first_row
        rows = range(first_row, value.geometry.values.rows)
        self.tree = Levels([value.node("values", row) for row in rows])
        self.rows, self.root = self.tree.count, self.tree.root

    def question(self, what: int, **fields: Any) -> Question:
        descriptor = self.value.subject.program.open(self.value.number)
        return Question(what, descriptor=descriptor.data, descriptor_path=list(descriptor.path), **fields)

    def ask_rows(self) -> tuple[Question, bytes]:
        level = groups_level(self.rows)
        reveal = tree_key(level, self.tree.depth - level, self.tree.nodes(level))
        return self.question(ANSWER_ROWS, node=self.root), reveal

    def ask_row_group(self, row: int) -> tuple[Question, bytes]:
        level = groups_level(self.rows)
        node = self.tree.levels[level][row >> level]
        asked = self.question(ANSWER_ROW_GROUP, row=row, node=node, path=self.tree.path(row, level))
        return asked, tree_key(0, level, self.tree.group(row, level))

    def ask_leaves(self, row: int) -> tuple[Question, bytes]:
        node, path = self.tree.levels[0][row], self.tree.path(row)
        hashes = [hash for line in self.value.hashes("values", self.first_row + row) for hash in line]
        reveal = leaves_key((*self.value.shape[:2], 0, 0), hashes)
        return self.question(ANSWER_LEAVES, row=row, node=node, path=path), reveal

    def leaf_path(self, row: int, section: int = 0, leaf: int = 0) -> list[bytes]:
        sections, leaves = self.value.trees("values", self.first_row + row)
        return [*leaves[section].path(leaf), *sections.path(section), *self.tree.path(row)]

    def leaf(self, row: int, section: int = 0, leaf: int = 0) -> bytes:
        return self.value.hashes("values", self.first_row + row)[section][leaf]


class Subject:
    """A traced model as the contract is told of it."""

    def __init__(self, honest: Honest) -> None:
        self.honest, self.program = honest, honest.program
        self.operators = len(honest.program.descriptors)
        self.tree = Levels(list(honest.trace.roots))
        self._values: dict[int, Value] = {}
        self._rows: dict[int, Rows] = {}

    @property
    def trace(self) -> tuple[bytes, int, bytes, int, int, int]:
        """``IOpVerifier.Trace``."""
        return self.program.root, self.operators, self.tree.root, self.honest.trace.run.length, 0, 0

    def rows(self, number: int) -> Rows:
        if number not in self._rows:
            run, commitments = self.honest.trace.run, self.honest.trace.commitments
            self._rows[number] = Rows(run, number, commitments[number])
        return self._rows[number]

    def value(self, number: int) -> Value:
        if number not in self._values:
            self._values[number] = Value(self, number)
        return self._values[number]

    @functools.cached_property
    def answer(self) -> Answer:
        """Of a map."""
        return Answer(self.value(self.operators))

    def question(self, what: int, number: int) -> Question:
        descriptor = self.program.open(number)
        return Question(
            what,
            number,
            descriptor.data,
            list(descriptor.path),
            self.honest.trace.roots[number],
            self.tree.path(number),
        )


def long_encoder() -> Model:
    """More rows than are asked for at once, in the values and in a supplement."""
    b = Builder(Shape("tokens", None, 1), "E16", 1)
    b.program.add("unit_mean", b.program.add("embedding", 0, table=b.matrix("word", 9, 2)))
    return b.model()


def long_embedding() -> Model:
    """An answer of more rows than are asked for at once."""
    b = Builder(Shape("tokens", None, 1), "E16", 1)
    b.program.add("embedding", 0, table=b.matrix("word", 9, 2))
    return b.model()


def causal_decoder() -> Model:
    """Rows of scores of one leaf and of two."""
    b = Builder(Shape("tokens", None, 1), "E16", 1)
    b.attention(b.program.add("embedding", 0, table=b.matrix("word", 9, 6)), 1, 1, 2, causal=True)
    return b.model()


def sectioned() -> Model:
    """An answer whose rows have sections."""
    b = Builder(Shape("tokens", None, 1), "E16", 1)
    x = b.program.add("embedding", 0, table=b.matrix("word", 9, 6))
    shape: dict[str, Any] = {"heads": 3, "key_heads": 3, "head_size": 2, "causal": 0}
    operand = b.program.add("quantise", b.linear(x, "query_key_value", 18, 6, 30), group=2)
    b.program.add("scores", operand, **shape, multiplier=function_tables.score_multiplier(2))
    return b.model()


def wide_embedding() -> Model:
    """An answer whose rows have two leaves."""
    b = Builder(Shape("tokens", None, 1), "E16", 1)
    b.program.add("embedding", 0, table=b.matrix("word", 9, 300))
    return b.model()


OTHER_MODELS = {
    "causal_decoder": causal_decoder,
    "sectioned": sectioned,
    "wide_embedding": wide_embedding,
}
LONG_MODELS = {"long_encoder": long_encoder, "long_embedding": long_embedding}
LENGTHS = {
    "long_encoder": LONG,
    "long_embedding": LONG,
    "causal_decoder": 300,
    "sectioned": 6,
    "wide_embedding": 3,
}


@functools.cache
def subject(name: str) -> Subject:
    if name not in LENGTHS:
        return Subject(honest_run(name))
    model = (LONG_MODELS | OTHER_MODELS)[name]()
    ids = [random.Random(i).randrange(9) for i in range(LENGTHS[name])]
    traced = trace(model, torch.tensor(ids))
    program = ProgramTree(model.program, commit_tables(model))
    return Subject(
        Honest(model, traced, program, {table: table_tree(model, table) for table in model.program.tables})
    )


@dataclass(frozen=True)
class Reader:
    """The contract, asked about one claim."""

    contract: Any

    def key_of(self, about: Subject, question: Question, answer: tuple[int, bytes] = (0, EMPTY)) -> bytes:
        return bytes(self.contract.key_of(CLAIM_ID, about.trace, *answer, question))
