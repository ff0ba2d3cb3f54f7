"""One row of attention of any shape, honest or falsified, as the contract that judges its steps takes it. No test lives here.

Numbers come from the definition (``proofmill.exact.ops``); running sums and indices are made here, by counting. A tree is
known only where its leaves are opened, its other nodes are arbitrary: so a row of a large model costs no more than a small one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from proofmill.disputes.evidence import Arguments, call_arguments
from proofmill.exact import ops
from proofmill.exact.commitment.descriptor import InputDescriptor, OperatorDescriptor
from proofmill.exact.commitment.keccak import hash_leaf, keccak256
from proofmill.exact.commitment.merkle import Opening
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.program.kinds import KINDS, Shape
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import check_step
from proofmill.exact.trace.evidence import Claim, Evidence, judge
from proofmill.exact.trace.geometry import BLOCK, KEY_BLOCK, Geometry, Grid, Leaf, geometry, read_geometry

OUTPUT = -1  # the accused value, where inputs are 0 and 1
OPERAND, SCORES, WEIGHTS, MIXED = 1, 2, 3, 4  # numbers of the values
VALUES = {
    "scores": (SCORES, OPERAND),
    "softmax": (WEIGHTS, SCORES, OPERAND),
    "mix": (MIXED, WEIGHTS, OPERAND),
}
MULTIPLIERS = {size: round(2**20 * 1.4426950408889634 / size**0.5) for size in (1, 2, 3, 8, 32, 64, 256)}


@dataclass(frozen=True)
class Heads:
    """Of an operator, and the length of its sequence."""

    heads: int
    key_heads: int
    head_size: int
    length: int
    causal: bool

    @property
    def groups(self) -> int:
        return self.heads + 2 * self.key_heads

    def visible(self, row: int) -> int:
        return row + 1 if self.causal else self.length

    def constants(self, kind: str) -> dict[str, int]:
        known = {
            "heads": self.heads,
            "key_heads": self.key_heads,
            "head_size": self.head_size,
            "causal": int(self.causal),
            "multiplier": MULTIPLIERS[self.head_size],
        }
        return {name: known[name] for name in KINDS[kind].constants}

    def shape(self, number: int) -> Shape:
        width = self.head_size * (self.groups if number == OPERAND else self.heads)
        return {
            OPERAND: Shape("operand", None, width, self.head_size),
            SCORES: Shape("scores", None, self.heads),
            WEIGHTS: Shape("weights", None, self.heads),
            MIXED: Shape("activation", None, width),
        }[number]

    def descriptor(self, kind: str) -> OperatorDescriptor:
        output, *inputs = VALUES[kind]
        return OperatorDescriptor(
            kind,
            self.shape(output),
            tuple(InputDescriptor(number, self.shape(number)) for number in inputs),
            None,
            self.constants(kind),
        )


class Row:
    """What is honest in one row: of all heads, of the keys it sees.

    ``values`` [T, groups · head_size] and ``exponents`` [T, groups] are the operand, ``scores`` [heads, visible] may be given
    instead of what follows from it.
    """

    def __init__(
        self, heads: Heads, row: int, values: Tensor, exponents: Tensor, scores: Tensor | None = None
    ) -> None:
        self.heads, self.row, self.values, self.exponents = heads, row, values, exponents
        self.visible = heads.visible(row)
        self._given = scores

    @property
    def _arguments(self) -> tuple[Tensor, Tensor, int, int, int]:
        """Of a sequence that ends with the keys the row sees, whose last row asks the row's queries."""
        shape, keys = self.heads, self.visible
        values, exponents = self.values[:keys].clone(), self.exponents[:keys].clone()
        queries = shape.heads * shape.head_size
        values[-1, :queries] = self.values[self.row, :queries]
        exponents[-1, : shape.heads] = self.exponents[self.row, : shape.heads]
        return values, exponents, shape.heads, shape.key_heads, shape.head_size

    @cached_property
    def scores(self) -> Tensor:
        if self._given is not None:
            return self._given
        multiplier = MULTIPLIERS[self.heads.head_size]
        return ops.scores(*self._arguments, multiplier, False, self.visible - 1)[0]

    @cached_property
    def softmax(self) -> ops.SoftmaxRows:
        _, exponents, heads, key_heads, head_size = self._arguments
        return ops.softmax(self.scores[None], exponents, heads, key_heads, head_size, False, self.visible - 1)

    @cached_property
    def mixed(self) -> list[int]:
        return ops.mix(self.softmax, *self._arguments, False, self.visible - 1)[0].tolist()

    def softmax_witness(self, head: int) -> list[int]:
        scores = self.scores[head].tolist()
        shape = self.heads
        group = shape.heads + shape.key_heads + head * shape.key_heads // shape.heads
        exponents = self.exponents[: self.visible, group].tolist()
        powers = ops.negative_power_of_two(max(scores) - self.scores[head])
        narrow = ops.rounding_shift(powers, 10).tolist()
        running = [sum(narrow[: at + BLOCK]) for at in range(0, self.visible, BLOCK)]
        assert running[-1] == self.softmax.sums[0, head]
        greatest = max(exponents)
        reciprocal = int(self.softmax.reciprocals[0, head])
        return [scores.index(max(scores)), greatest, exponents.index(greatest), reciprocal, *running]

    def mix_witness(self, head: int) -> list[int]:
        shape = self.heads
        first = (shape.heads + shape.key_heads + head * shape.key_heads // shape.heads) * shape.head_size
        values = self.values[: self.visible, first : first + shape.head_size]
        products = self.softmax.weights[0, head, :, None] * values
        return [
            int(total)
            for at in range(0, self.visible, KEY_BLOCK)
            for total in products[: at + KEY_BLOCK].sum(0)
        ]

    def integers(self, number: int, place: Leaf) -> list[int]:
        """All integers of the section that a leaf belongs to."""
        head = place.section
        if number == OPERAND and place.part == "supplement":
            shape = self.heads
            column = (shape.heads + shape.key_heads) * shape.head_size + place.row
            return self.values[:, column].tolist()
        if number == OPERAND:
            size = self.heads.head_size
            group = self.values[place.row, head * size : (head + 1) * size]
            return [int(self.exponents[place.row, head]), 0, *group.tolist()]
        if place.part == "witness":
            return self.softmax_witness(head) if number == WEIGHTS else self.mix_witness(head)
        if number == SCORES:
            return self.scores[head].tolist()
        return self.softmax.weights[0, head].tolist() if number == WEIGHTS else self.mixed


Node = tuple[int, int]  # depth and index


def sparse_tree(leaves: dict[Node, bytes]) -> tuple[bytes, dict[Node, tuple[bytes, ...]]]:
    """Root and paths of some leaves, which may lie at different depths, of a tree whose other nodes are arbitrary."""
    nodes = dict(leaves)
    for depth in range(max(depth for depth, _ in leaves), 0, -1):
        for index in [index for at, index in nodes if at == depth]:
            nodes.setdefault((depth, index ^ 1), keccak256(b"node %d %d" % (depth, index ^ 1)))
            pair = nodes[depth, index & ~1] + nodes[depth, index | 1]
            nodes[depth - 1, index >> 1] = keccak256(pair)
    paths = {
        (depth, index): tuple(nodes[depth - up, index >> up ^ 1] for up in range(depth))
        for depth, index in leaves
    }
    return nodes[0, 0], paths


Place = tuple[int, Leaf]  # OUTPUT or which input, and where


@dataclass
class Scene:
    """An operator over one row; ``leaves`` hold what has been falsified. A view that notes what it is asked for."""

    kind: str
    row: Row
    leaves: dict[Place, bytes] = field(default_factory=dict)
    asked: list[Place] = field(default_factory=list)
    sampling: None = None

    @cached_property
    def operator(self) -> OperatorDescriptor:
        return self.row.heads.descriptor(self.kind)

    @property
    def length(self) -> int:
        return self.row.heads.length

    def number(self, which: int) -> int:
        return VALUES[self.kind][which + 1]

    def geometry(self, which: int) -> Geometry:
        if which == OUTPUT:
            return geometry(self.operator, self.length)
        return read_geometry(self.operator, which, self.length)

    def honest(self, place: Place) -> bytes:
        which, leaf = place
        grid = self.geometry(which).grid(leaf.part)
        start, count = leaf.leaf * grid.chunk, grid.leaf_count(leaf.row, leaf.leaf)
        part = self.row.integers(self.number(which), leaf)[start : start + count]
        assert len(part) == count
        return encode(grid, part)

    def data(self, place: Place) -> bytes:
        return self.leaves[place] if place in self.leaves else self.honest(place)

    def output(self, place: Leaf) -> bytes:
        self.asked.append((OUTPUT, place))
        return self.data((OUTPUT, place))

    def input(self, which: int, place: Leaf) -> bytes:
        self.asked.append((which, place))
        return self.data((which, place))

    def table(self, row: int, leaf: int) -> bytes:
        raise AssertionError("attention reads no table")

    def integers(self, place: Place) -> list[int]:
        which, leaf = place
        grid = self.geometry(which).grid(leaf.part)
        return grid.codec.read(self.data(place), grid.leaf_count(leaf.row, leaf.leaf))

    def set(self, place: Place, changes: dict[int, int]) -> None:
        """Write integers, by their place in the leaf."""
        integers = self.integers(place)
        for at, new in changes.items():
            integers[at] = new
        self.leaves[place] = encode(self.geometry(place[0]).grid(place[1].part), integers)

    def judged(self, step: Step) -> tuple[Arguments, bool | None]:
        """The call, and whether Python finds a violation; None for evidence that is not sound."""
        self.asked.clear()
        violated: bool | None = None
        words: str | None = None
        try:
            words = check_step(self, step)
            violated = words is not None
        except InvalidOpening:
            pass
        claim, evidence = self._evidence(step)
        if violated is not None:
            assert judge(claim, evidence) == words
        return call_arguments(claim, evidence), violated

    def _evidence(self, step: Step) -> tuple[Claim, Evidence]:
        known: dict[int, dict[Node, bytes]] = {}
        places: list[tuple[int, Node]] = []
        for which, leaf in self.asked:
            index, depth = self.geometry(which).locate(leaf)
            places.append((self.number(which), (depth, index)))
            known.setdefault(self.number(which), {})[depth, index] = hash_leaf(self.data((which, leaf)))
        trees = {number: sparse_tree(leaves) for number, leaves in known.items()}
        roots = [
            trees[number][0] if number in trees else keccak256(b"value %d" % number)
            for number in range(MIXED + 1)
        ]
        openings = [
            Opening(self.data(place), node[1], trees[number][1][node])
            for place, (number, node) in zip(self.asked, places, strict=True)
        ]
        accused = self.number(OUTPUT)
        descriptor = self.operator.encode()
        program_root, program = sparse_tree({(3, accused): hash_leaf(descriptor)})
        opened = Opening(descriptor, accused, program[3, accused])
        return Claim(program_root, self.length, None, roots), Evidence(accused, step, opened, tuple(openings))


def encode(grid: Grid, integers: Sequence[int]) -> bytes:
    return grid.codec.encode(np.array(integers, dtype=np.int64)).tobytes()


def operand(heads: Heads, seed: int, *, size: int = 14, exponents: int = 17) -> tuple[Tensor, Tensor]:
    """A random operand of numbers below 2^size, and its exponents up to a greatest one."""
    generator = torch.Generator().manual_seed(seed)
    limit = 1 << size
    values = torch.randint(
        -limit, limit + 1, (heads.length, heads.groups * heads.head_size), generator=generator
    )
    return values, torch.randint(0, exponents + 1, (heads.length, heads.groups), generator=generator)
