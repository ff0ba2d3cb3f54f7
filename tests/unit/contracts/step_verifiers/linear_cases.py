"""Linear operators of any width, one row and one channel of each: leaves are given, their siblings in the trees are drawn.

A step looks at three leaves and the roots that they open against, so nothing else of a trace has to exist.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from proofmill.disputes.evidence import Arguments, Context, step_tuple
from proofmill.exact.commitment.descriptor import InputDescriptor, OperatorDescriptor, TableCommitment
from proofmill.exact.commitment.keccak import hash_leaf
from proofmill.exact.commitment.leaves import TableTree
from proofmill.exact.commitment.merkle import EMPTY, root_from_path, tree_depth
from proofmill.exact.program.kinds import Shape, TableShape
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import check_step
from proofmill.exact.trace.codecs import FIELDS, INTEGERS
from proofmill.exact.trace.geometry import Leaf, geometry, read_geometry

LEAST, GREATEST = -(1 << 31), (1 << 31) - 1


@dataclass(frozen=True)
class LinearCase:
    """One row of an operand, one channel, and what is claimed of their product.

    ``high`` and ``low`` are the operand's digits and ``weights`` one or two rows of them, each K signed bytes; ``outputs`` are
    the claimed integers of the leaf that holds the element.
    """

    high: Sequence[int]
    low: Sequence[int]
    weights: Sequence[Sequence[int]]
    multiplier: int
    bias: int
    exponent: int
    shift: int
    outputs: Sequence[int]
    channels: int = 300  # N
    channel: int = 270
    rows: int = 21
    row: int = 13
    sequence: bool = True  # rows are those of the sequence
    seed: int = 0
    data: dict[str, bytes] = field(default_factory=dict)  # leaves of other bytes than those of the numbers

    @property
    def columns(self) -> int:
        return len(self.high)

    @property
    def value(self) -> int:
        """The element by the definition in docs/EXACT.md, on integers of any size."""
        q = [256 * high + low for high, low in zip(self.high, self.low, strict=True)]
        w = [
            sum((digit << 8 * i) for i, digit in enumerate(reversed(row)))
            for row in zip(*self.weights, strict=True)
        ]
        total = self.multiplier * sum(a * b for a, b in zip(q, w, strict=True))
        half = (1 << self.shift - self.exponent) >> 1
        shifted: int = (total + half) // (1 << self.shift - self.exponent)  # rounded down after adding a half
        return max(-GREATEST, min(GREATEST, shifted + self.bias))

    @property
    def step(self) -> Step:
        return Step("element", self.row, 0, self.channel)

    def truthful(self) -> LinearCase:
        """With the right element in its place."""
        return self.claiming(self.value)

    def claiming(self, element: int) -> LinearCase:
        outputs = [*self.outputs]
        outputs[self.channel % 256] = element
        return replace(self, outputs=outputs)

    def with_leaf(self, name: str, data: bytes) -> LinearCase:
        """With other bytes for the ``output``, ``operand`` or ``channel``; its path opens them all the same."""
        return replace(self, data={**self.data, name: data})

    # ------------------------------------------------------------------------------------------- as leaves

    def leaf(self, name: str) -> bytes:
        return self.data[name] if name in self.data else getattr(self, f"_{name}")()

    def _output(self) -> bytes:
        return INTEGERS.encode(np.array(self.outputs, dtype=np.int64)).tobytes()

    def _operand(self) -> bytes:
        header = FIELDS.encode(np.array([self.exponent, 0], dtype=np.int64)).tobytes()
        return header + padded_bytes(self.high) + padded_bytes(self.low)

    def _channel(self) -> bytes:
        digits = b"".join(reverse_lanes(padded_bytes(row)) for row in self.weights)
        numbers = self.multiplier.to_bytes(4, "big", signed=True) + self.bias.to_bytes(4, "big", signed=True)
        return digits + bytes(24) + numbers

    def _path(self, name: str, depth: int) -> list[bytes]:
        generator = random.Random(f"{self.seed} {name}")
        return [generator.randbytes(32) for _ in range(depth)]

    @property
    def operator(self) -> OperatorDescriptor:
        rows = None if self.sequence else self.rows
        channel_root = self._root("channel", self.channel, tree_depth(self.channels))
        table = TableShape("linear", self.channels, self.columns)
        return OperatorDescriptor(
            "linear",
            Shape("activation", rows, self.channels),
            (InputDescriptor(4, Shape("operand", rows, self.columns, self.columns)),),
            TableCommitment(channel_root, table, len(self.weights)),
            {"shift": self.shift},
        )

    def _root(self, name: str, index: int, depth: int) -> bytes:
        return root_from_path(hash_leaf(self.leaf(name)), index, self._path(name, depth))

    def arguments(self, step: Step | None = None) -> Arguments:
        """Of the contract, for the step's element or, by default, this case's; `form` opens the output alone."""
        step = step or self.step
        operator, names = self.operator, ("output", "operand", "channel")
        leaf = self.channel // 256
        outputs = geometry(operator, self.rows).locate(Leaf("values", self.row, 0, leaf))
        operands = read_geometry(operator, 0, self.rows).locate(Leaf("values", self.row))
        places = (outputs, operands, (self.channel, tree_depth(self.channels)))
        roots = [self._root(name, *place) for name, place in zip(names, places, strict=True)]
        openings = [
            (self.leaf(name), self._path(name, depth)) for name, (_, depth) in zip(names, places, strict=True)
        ]
        descriptor = operator.encode()
        context = Context(self.rows, 0, 0, hash_leaf(descriptor), roots[0], 4, roots[1], 0, EMPTY)
        return Arguments(
            context, step_tuple(step), descriptor, openings if step.name == "element" else openings[:1]
        )

    def judged(self, step: Step | None = None) -> str | None:
        """What the check in Python says."""
        return check_step(_View(self), step or self.step)


@dataclass(frozen=True)
class _View:
    """The case as a check sees it."""

    case: LinearCase
    sampling: Sampling | None = None

    @property
    def operator(self) -> OperatorDescriptor:
        return self.case.operator

    @property
    def length(self) -> int:
        return self.case.rows

    def output(self, place: Leaf) -> bytes:
        assert place == Leaf("values", self.case.row, 0, self.case.channel // 256)
        return self.case.leaf("output")

    def input(self, which: int, place: Leaf) -> bytes:
        assert (which, place) == (0, Leaf("values", self.case.row))
        return self.case.leaf("operand")

    def table(self, row: int, leaf: int) -> bytes:
        assert (row, leaf) == (self.case.channel, 0)
        return self.case.leaf("channel")


def padded_bytes(digits: Sequence[int]) -> bytes:
    """Signed bytes, then zeros to a whole word."""
    return bytes(digit & 255 for digit in digits) + bytes(-len(digits) % 32)


def reverse_lanes(data: bytes) -> bytes:
    """The eight lanes of each word in reverse order."""
    words = [data[i : i + 32] for i in range(0, len(data), 32)]
    return b"".join(word[4 * lane : 4 * lane + 4] for word in words for lane in reversed(range(8)))


def random_digits(generator: random.Random, count: int, extremes: Sequence[int] | None = None) -> list[int]:
    """Signed bytes, drawn from a few of them or from all."""
    return [generator.choice(extremes or range(-128, 128)) for _ in range(count)]


def random_case(generator: random.Random, columns: int, digits: int = 1, **changes: object) -> LinearCase:
    """An operator of a model's scale whose output is in range, with its true element."""
    case = LinearCase(
        high=random_digits(generator, columns, range(-64, 64)),
        low=random_digits(generator, columns),
        weights=[random_digits(generator, columns) for _ in range(digits)],
        multiplier=generator.randrange(1 << 20, 1 << 30),
        bias=generator.randrange(-(1 << 20), 1 << 20),
        exponent=generator.randrange(18),
        shift=generator.randrange(28, 36),
        outputs=[generator.randrange(-(1 << 24), 1 << 24) for _ in range(44)],
        seed=generator.randrange(1 << 30),
    )
    return replace(case, **changes).truthful()  # type: ignore[arg-type]


def table_leaf(case: LinearCase) -> bytes:
    """The channel's leaf as the model's own tables have it."""
    weights = [
        sum((d << 8 * i) for i, d in enumerate(reversed(row))) for row in zip(*case.weights, strict=True)
    ]
    parts = {
        "weight": torch.tensor([weights], dtype=torch.int8 if len(case.weights) == 1 else torch.int16),
        "multiplier": torch.tensor([case.multiplier], dtype=torch.int32),
        "bias": torch.tensor([case.bias], dtype=torch.int32),
    }
    return TableTree("linear", parts).open(0).data
