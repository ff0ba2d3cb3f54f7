"""Programs drawn at random: any shape, order and sharing of values that ``Program`` accepts."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from proofmill.exact.program.graph import ProgramBuilder
from proofmill.exact.program.interpreter import run
from proofmill.exact.program.kinds import KINDS, Shape, TableShape, infer_shape
from proofmill.exact.program.model import Description, Model, Profile

ACTIVATION = (1 << 31) - 1
POSITIONS, TOKENS = 9, 11


class RandomProgram:
    """Appends random operators to random earlier values; few of the results resemble a network."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.images = self.random.random() < 0.35
        self.profile: Profile = self.random.choice(("E16", "E16x"))
        self.tensors: dict[str, Tensor] = {}
        if self.images:
            self.input = Shape("bytes", self.random.randint(1, 25), self.random.randint(1, 3))
        else:
            self.input = Shape("tokens", None, 1)
        self.builder = ProgramBuilder(self.input)
        self.shapes = [self.input]

    def model(self) -> Model:
        if self.images:
            self.add("pixels", 0, table=self.matrix(self.input.width, 256))
        else:
            self.embedding()
        steps: list[Callable[[], object]] = [
            *(self.linear, self.linear, self.residual, self.residual, self.addition, self.norm),
            *(self.activation, self.gated, self.rotation, self.attention, self.attention, self.mean),
            *(self.operands, self.embedding, self.position, self.patches, self.patches, self.pool),
            self.flattened,
        ]
        for _ in range(self.random.randint(1, 12)):
            self.random.choice(steps)()
        if self.random.random() < 0.2:
            self.add("choose", self.pick(), fraction_bits=5)
        description = Description("odd", self.profile, "embedding", 0, TOKENS, POSITIONS)
        return Model(self.builder.build(), self.tensors, description)

    def samples(self) -> list[Tensor]:
        count = self.random.randint(1, 3)
        if self.images:
            shape = (self.input.rows or 1, self.input.width)
            return [self.integers(shape, 0, 255).to(torch.uint8) for _ in range(count)]
        return [self.integers((self.random.randint(1, POSITIONS),), 0, TOKENS - 1) for _ in range(count)]

    # ----------------------------------------------------------------------------------------------- parts

    def add(self, kind: str, *inputs: int, table: str = "", **constants: int) -> int:
        number = self.builder.add(kind, *inputs, table=table, **constants)
        shape = self.builder._tables.get(table)
        given = [self.shapes[value] for value in inputs]
        self.shapes.append(infer_shape("here", KINDS[kind], given, shape, constants))
        return number

    def table(self, shape: TableShape, **parts: Tensor) -> str:
        name = f"t{len(self.builder._tables)}"
        self.tensors |= {f"{name}.{part}": tensor for part, tensor in parts.items()}
        return self.builder.table(name, shape)

    def integers(self, shape: tuple[int, ...], least: int, greatest: int) -> Tensor:
        return torch.randint(least, greatest + 1, shape, generator=self.generator)

    def within(self, shape: tuple[int, ...], limit: int) -> Tensor:
        """Extremes only, or values of a random scale."""
        if self.random.random() < 0.2:
            return self.integers(shape, 0, 1) * 2 * limit - limit
        scale = max(1, min(limit, 1 << self.random.randint(0, limit.bit_length())))
        return self.integers(shape, -scale, scale)

    def matrix(self, rows: int, columns: int) -> str:
        kind, limit = self.random.choice(((torch.int16, 32767), (torch.int32, ACTIVATION)))
        return self.table(
            TableShape("matrix", rows, columns), rows=self.within((rows, columns), limit).to(kind)
        )

    def pick(self, *, sequence: bool | None = None, like: Shape | None = None, even: bool = False) -> int:
        """An activation, often the last; 0 if there is none of that sort."""
        found = [
            number
            for number, shape in enumerate(self.shapes)
            if shape.kind == "activation"
            and (sequence is None or sequence == (shape.rows is None))
            and (like is None or shape == like)
            and not (even and shape.width % 2)
        ]
        if not found:
            return 0
        return found[-1] if self.random.random() < 0.5 else self.random.choice(found)

    def divisor(self, number: int) -> int:
        return self.random.choice([size for size in range(1, number + 1) if number % size == 0])

    # ------------------------------------------------------------------------------------------- operators

    def embedding(self) -> None:
        if not self.images:
            self.add("embedding", 0, table=self.matrix(TOKENS, self.random.randint(1, 24)))

    def position(self) -> None:
        if x := self.pick(sequence=True):
            self.add("position_embedding", 0, x, table=self.matrix(POSITIONS, self.shapes[x].width))

    def linear(self, x: int = 0, outputs: int = 0) -> int:
        x, outputs = x or self.pick(), outputs or self.random.randint(1, 20)
        inputs, shift = self.shapes[x].width, self.random.randint(18, 40)
        limit, kind = (127, torch.int8) if self.profile == "E16" else (127 << 7, torch.int16)
        weight = self.within((outputs, inputs), limit).to(kind)
        reach = max(1, int(weight.long().abs().sum(1).max()) << 14)
        offset = self.random.choice((0, min(ACTIVATION, ((1 << 52) >> shift) - 1)))
        # The greatest multiplier that the bound allows, or the least.
        multiplier = max(1, min((1 << 24) - 1, ((1 << 53) - ((offset + 1) << shift)) // reach))
        multiplier = self.random.choice((multiplier, 1))
        table = self.table(
            TableShape("linear", outputs, inputs),
            weight=weight,
            multiplier=torch.full((outputs,), multiplier, dtype=torch.int32),
            bias=(self.integers((outputs,), 0, 1) * 2 * offset - offset).to(torch.int32),
        )
        return self.add("linear", self.add("quantise", x, group=inputs), table=table, shift=shift)

    def residual(self) -> None:
        """A sum of a linear layer's output and its input, in either order, perhaps with a second reader."""
        x = self.pick()
        y = self.linear(x, self.shapes[x].width)
        if self.random.random() < 0.3:
            x = self.linear(x, self.shapes[x].width)
        self.add("add", *self.random.sample((x, y), 2))
        if self.random.random() < 0.3:
            self.add("add", y, self.random.choice((x, y)))

    def addition(self) -> None:
        x = self.pick()
        self.add("add", x, self.pick(like=self.shapes[x]))

    def norm(self) -> None:
        x = self.pick()
        width = self.shapes[x].width
        square = width << 40
        root = isqrt(square)
        table = self.table(
            TableShape("pairs", width, 1),
            gamma=self.within((width,), (1 << 24) - 1).to(torch.int32),
            beta=self.within((width,), ACTIVATION).to(torch.int32),
        )
        self.add(
            self.random.choice(("layer_norm", "rms_norm")),
            x,
            table=table,
            epsilon=self.random.choice((0, 1, 1 << 40, (1 << 52) - 1)),
            root=root + (square - root * root > root),
        )

    def activation(self) -> None:
        self.add(self.random.choice(("gelu", "relu")), self.pick())

    def gated(self) -> None:
        if x := self.pick(even=True):
            self.add("gated_silu", x, shift=self.random.randint(1, 40))

    def operands(self) -> None:
        x = self.pick()
        for _ in range(2):
            self.add("quantise", x, group=self.divisor(self.shapes[x].width))

    def rotation(self) -> None:
        x = self.pick(sequence=True)
        if x and (width := self.shapes[x].width) >= 2:
            size = 2 * self.random.randint(1, width // 2)
            shape = (POSITIONS, size // 2)
            table = self.table(
                TableShape("rotation", *shape),
                cosine=self.within(shape, 1 << 20).to(torch.int32),
                sine=self.within(shape, 1 << 20).to(torch.int32),
            )
            columns = size * self.random.randint(1, width // size)
            self.add("rotate", x, table=table, columns=columns, head_size=size)

    def attention(self) -> None:
        x = self.pick(sequence=True)
        if not x:
            return
        key_heads, size = self.random.randint(1, 2), self.random.randint(1, 9)
        heads = key_heads * self.random.randint(1, 3)
        split: dict[str, Any] = {
            "heads": heads,
            "key_heads": key_heads,
            "head_size": size,
            "causal": self.random.randint(0, 1),
        }
        x = self.linear(x, (heads + 2 * key_heads) * size)
        operand = self.add("quantise", x, group=size)
        greatest = min(1512775, isqrt((20815 << 40) // (10000 * size)))
        scores = self.add("scores", operand, **split, multiplier=self.random.choice((1, greatest)))
        self.activation()
        weights = self.add("softmax", scores, operand, **split)
        self.activation()
        mixed = self.add("mix", weights, operand, **split)
        for _ in range(self.random.randint(0, 2)):
            self.add("quantise", mixed, group=self.random.choice((size, heads * size)))

    def mean(self) -> None:
        x = self.pick()
        if self.shapes[x].rows == self.input.rows and self.random.random() < 0.5:
            self.add("unit_mean", x)

    def image(self) -> tuple[int, int, int, int]:
        """A value of fixed size as height, width and channels."""
        x = self.pick(sequence=False)
        rows, width = (self.shapes[x].rows or 1, self.shapes[x].width) if x else (1, 1 << 20)
        height = self.divisor(rows)
        return (x if width < 64 else 0), height, rows // height, width

    def patches(self) -> None:
        x, height, width, channels = self.image()
        kernel, stride = self.random.randint(1, 3), self.random.randint(1, 3)
        padding = self.random.randint(0, kernel - 1)
        if x and kernel <= min(height, width) + 2 * padding:
            size: dict[str, Any] = {"height": height, "width": width, "channels": channels}
            self.add("patches", x, **size, kernel=kernel, stride=stride, padding=padding)

    def pool(self) -> None:
        x, height, width, channels = self.image()
        if x:
            size, stride = self.random.randint(1, min(height, width)), self.random.randint(1, 3)
            kind = self.random.choice(("max_pool", "average_pool"))
            self.add(kind, x, height=height, width=width, channels=channels, size=size, stride=stride)

    def flattened(self) -> None:
        x = self.pick(sequence=False)
        if x and self.shapes[x].width * (self.shapes[x].rows or 1) < 400:
            self.add("flatten", x, rows=self.divisor(self.shapes[x].rows or 1))


def answer(model: Model, sample: Tensor) -> Tensor:
    """By definition: the last value, or what a final choice reads."""
    values, last = run(model, sample), model.program.operators[-1]
    found = values[last.inputs[0] if last.kind == "choose" else -1]
    assert isinstance(found, Tensor)
    return found
