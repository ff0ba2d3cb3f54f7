"""Traced models small enough to be falsified leaf by leaf, by a program that knows the hashes from docs/TRACE.md alone."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from proofmill.exact.commitment.descriptor import ProgramTree
from proofmill.exact.commitment.keccak import hash_leaf, keccak256
from proofmill.exact.commitment.leaves import TableTree
from proofmill.exact.commitment.merkle import Opening
from proofmill.exact.program.kinds import Shape
from proofmill.exact.program.model import Model
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.codecs import DIGITS, OPERAND, REVERSED_DIGITS
from proofmill.exact.trace.evidence import Claim, Witnesses
from proofmill.exact.trace.geometry import Geometry, Leaf, Part
from proofmill.exact.trace.tracing import Rows, Trace, commit_tables, table_tree, trace
from tests.property.exact.test_exact_programs import ARCHITECTURES, Builder, sample_of

PARTS: tuple[Part, ...] = ("values", "witness", "supplement")
EMPTY = bytes(32)


def wide_encoder(profile: str, seed: int) -> Model:
    """Rows of several leaves and blocks, and more keys than one block of a softmax has."""
    b = Builder(Shape("tokens", None, 1), "E16", seed)
    x = b.program.add("embedding", 0, table=b.matrix("word", 9, 300))
    x = b.norm(x, "norm", "layer_norm", 300)
    x = b.attention(b.linear(x, "query_key_value", 24, 300, 30), 2, 2, 4, causal=False)
    b.program.add("unit_mean", x)
    return b.model()


def wide_decoder(profile: str, seed: int) -> Model:
    b = Builder(Shape("tokens", None, 1), "E16", seed)
    x = b.program.add("embedding", 0, table=b.matrix("word", 9, 8))
    x = b.attention(b.linear(x, "query_key_value", 8, 8, 30), 2, 1, 2, causal=True)
    x = b.norm(b.linear(x, "up", 70, 4, 29), "norm", "rms_norm", 70)
    b.program.add("choose", b.linear(x, "head", 300, 70, 31), fraction_bits=16)
    return b.model()


MODELS = {**ARCHITECTURES, "wide_encoder": wide_encoder, "wide_decoder": wide_decoder}
LENGTHS = {"wide_encoder": 70, "wide_decoder": 67}
SAMPLING = {"decoder": Sampling(40_000, 77)}


@dataclass
class Honest:
    """A traced model with everything an accuser has."""

    model: Model
    trace: Trace
    program: ProgramTree
    tables: dict[str, TableTree]

    @property
    def claim(self) -> Claim:
        return Claim(self.program.root, self.trace.run.length, self.trace.run.sampling, self.trace.roots)

    def view(self, number: int, claimed: Forgery | Rows) -> Witnesses:
        operator = self.program.descriptors[number - 1]
        name = self.model.program.operators[number - 1].table
        sources = [forge(self, value.number) for value in operator.inputs]
        run = self.trace.run
        return Witnesses(
            operator, run.length, run.sampling, claimed, sources, self.tables[name] if name else None
        )


_ROWS: dict[tuple[int, int], Rows] = {}


def rows_of(honest: Honest, number: int) -> Rows:
    return _ROWS.setdefault(
        (id(honest), number), Rows(honest.trace.run, number, honest.trace.commitments[number])
    )


@functools.cache
def honest_run(name: str) -> Honest:
    model = MODELS[name]("E16x" if name == "encoder" else "E16", 3)
    sample = sample_of(model, 5)
    if name in LENGTHS:
        sample = [random.Random(i).randrange(9) for i in range(LENGTHS[name])]
    traced = trace(model, torch.tensor(sample), sampling=SAMPLING.get(name))
    program = ProgramTree(model.program, commit_tables(model))
    return Honest(model, traced, program, {table: table_tree(model, table) for table in model.program.tables})


# Forgeries differ in a few leaves, so most of their hashes have been computed before.
leaf_hash = functools.lru_cache(maxsize=1 << 18)(hash_leaf)
node_hash = functools.lru_cache(maxsize=1 << 18)(keccak256)


def nested_root(nodes: list[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """Root and levels of a tree by its definition, one hash at a time."""
    size = 1
    while size < len(nodes):
        size *= 2
    levels = [nodes + [EMPTY] * (size - len(nodes))]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i] + below[i + 1]) for i in range(0, len(below), 2)])
    return levels[-1][0], levels


def nested_path(levels: list[list[bytes]], index: int) -> list[bytes]:
    return [level[(index >> height) ^ 1] for height, level in enumerate(levels[:-1])]


class Forgery:
    """An output whose leaves may be set to any bytes, hashed as docs/TRACE.md says by code of its own."""

    def __init__(self, geometry: Geometry, rows: Rows) -> None:
        self.geometry = geometry
        self.leaves = dict(honest_leaves(rows))

    def data(self, place: Leaf) -> bytes:
        return self.leaves[place]

    def _hash(self, place: Leaf) -> bytes:
        return leaf_hash(self.leaves[place]) if place in self.leaves else EMPTY

    def _part(self, part: Part, row: int) -> bytes:
        return self._part_trees(part, row)[0]

    def _part_trees(self, part: Part, row: int) -> tuple[bytes, list[list[bytes]], list[list[list[bytes]]]]:
        if getattr(self.geometry, part) is None:
            return EMPTY, [], []
        grid = self.geometry.grid(part)
        sections = [
            nested_root([self._hash(Leaf(part, row, section, leaf)) for leaf in range(grid.leaves)])
            for section in range(grid.sections)
        ]
        root, levels = nested_root([section[0] for section in sections])
        return root, levels, [section[1] for section in sections]

    def _rows(self) -> tuple[bytes, list[list[bytes]]]:
        rows = range(self.geometry.values.rows)
        return nested_root(
            [node_hash(self._part("values", row) + self._part("witness", row)) for row in rows]
        )

    def _supplement(self) -> tuple[bytes, list[list[bytes]]]:
        if self.geometry.supplement is None:
            return EMPTY, []
        return nested_root([self._part("supplement", row) for row in range(self.geometry.supplement.rows)])

    @property
    def root(self) -> bytes:
        return node_hash(self._rows()[0] + self._supplement()[0])

    def open(self, place: Leaf) -> Opening:
        _, sections, leaves = self._part_trees(place.part, place.row)
        path = nested_path(leaves[place.section], place.leaf) + nested_path(sections, place.section)
        if place.part == "supplement":
            path += [*nested_path(self._supplement()[1], place.row), self._rows()[0]]
        else:
            other: Part = "witness" if place.part == "values" else "values"
            path += [
                self._part(other, place.row),
                *nested_path(self._rows()[1], place.row),
                self._supplement()[0],
            ]
        return Opening(self.data(place), self.geometry.locate(place)[0], tuple(path))


@functools.cache
def honest_leaves(rows: Rows) -> dict[Leaf, bytes]:
    return {place: rows.data(place) for place in places(rows.geometry)}


def places(geometry: Geometry) -> Iterator[Leaf]:
    for part in PARTS:
        if getattr(geometry, part) is not None:
            grid = geometry.grid(part)
            for row in range(grid.rows):
                for section in range(grid.sections):
                    for leaf in range(grid.leaves):
                        if grid.leaf_count(row, leaf):
                            yield Leaf(part, row, section, leaf)


def forge(honest: Honest, number: int) -> Forgery:
    """The honest output, to be falsified."""
    return Forgery(honest.trace.run.geometry(number), rows_of(honest, number))


def falsify(forgery: Forgery, place: Leaf, at: int, change: int) -> bool:
    """Add to one integer of a leaf, within what its layout can say; whether anything changed."""
    grid = forgery.geometry.grid(place.part)
    integers = grid.codec.decode(forgery.data(place), grid.leaf_count(place.row, place.leaf))
    if grid.codec is DIGITS or grid.codec is REVERSED_DIGITS or (grid.codec is OPERAND and at > 1):
        integers[at] = (integers[at] + change + 2**14) % 2**15 - 2**14
    else:
        integers[at] = (integers[at] + change + 2**31) % 2**32 - 2**31
    before, forgery.leaves[place] = forgery.data(place), grid.codec.encode(np.array(integers)).tobytes()
    return forgery.leaves[place] != before
