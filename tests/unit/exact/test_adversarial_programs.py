"""Programs nobody would import: each is refused with a typed error, or runs to the bits of its definition on every kernel."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import isqrt
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from proofmill.exact import InvalidManifest, InvalidOperand, InvalidProgram, ModelRefused
from proofmill.exact.errors import ExactError
from proofmill.exact.execution.executor import Executor
from proofmill.exact.generation import GenerationRequest
from proofmill.exact.generator import Generator
from proofmill.exact.kernels.interface import Kernels
from proofmill.exact.kernels.selection import carrier_fault, choose_kernels
from proofmill.exact.manifest.document import Manifest, describe
from proofmill.exact.models.loading import make
from proofmill.exact.program.bounds import check_bounds
from proofmill.exact.program.graph import ProgramBuilder
from proofmill.exact.program.interpreter import run
from proofmill.exact.program.kinds import KINDS, Shape, TableShape, infer_shape
from proofmill.exact.program.model import Description, Model, Profile, Task
from proofmill.exact.program.sampling import Sampling
from tests.unit.exact.small_models import small_llama

ACTIVATION = (1 << 31) - 1
POSITIONS, TOKENS = 9, 11
SEEDS_PER_BLOCK, BLOCKS = 45, 8
CARRIERS = [name for name in ("native", "int64") if carrier_fault(name) is None]


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


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


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_programs_are_refused_or_run_to_the_bits_of_their_definition(block: int) -> None:
    kernels = [choose_kernels(name) for name in CARRIERS]
    ran = 0
    for seed in range(block * SEEDS_PER_BLOCK, (block + 1) * SEEDS_PER_BLOCK):
        source = RandomProgram(seed)
        try:
            model = source.model()
        except InvalidProgram:
            continue
        samples = source.samples()
        expected = torch.cat([answer(model, sample) for sample in samples])
        for one in kernels:
            runner = Executor(model, one)
            if source.images:
                found = runner.run_images(torch.stack(samples))
            else:
                found = runner.run_tokens([sample.tolist() for sample in samples])
            assert torch.equal(found.long(), expected), (seed, one.name)
            if not source.images:
                check_tails(model, runner, samples, seed)
        ran += 1
    assert ran > SEEDS_PER_BLOCK // 3


def check_tails(model: Model, runner: Executor, samples: list[Tensor], seed: int) -> None:
    """Asking for the last rows only, and feeding a causal program piece by piece, changes no bit."""
    kinds = {operator.kind for operator in model.program.operators}
    if "unit_mean" in kinds:
        return
    sequences = [sample.tolist() for sample in samples]
    expected = torch.cat([answer(model, sample)[-1:] for sample in samples])
    tails = [1] * len(samples)
    assert torch.equal(runner.run_tokens(sequences, tails=tails).long(), expected), (seed, "tails")
    causal = [o.constants["causal"] for o in model.program.operators if o.kind == "scores"]
    if causal and all(causal):
        caches = [runner.new_cache(1) for _ in samples]
        runner.run_tokens([one[:1] for one in sequences], caches=caches, tails=[0] * len(samples))
        longer = [place for place, one in enumerate(sequences) if len(one) > 1]
        if longer:
            rest = [sequences[place][1:] for place in longer]
            held = [caches[place] for place in longer]
            found = runner.run_tokens(rest, caches=held, tails=[1] * len(longer))
            assert torch.equal(found.long(), expected[longer]), (seed, "caches")


# ------------------------------------------------------------------------------------------- refused by name


def token_model(
    task: Task = "generation", **facts: int
) -> tuple[ProgramBuilder, int, int, dict[str, Tensor], Description]:
    """An embedding and one causal attention over it: the builder, the number of each, tensors, a description."""
    builder = ProgramBuilder(Shape("tokens", None, 1))
    tensors = {"w.rows": torch.arange(TOKENS * 12, dtype=torch.int32).reshape(TOKENS, 12) * 97 % 1009}
    x = builder.add("embedding", 0, table=builder.table("w", TableShape("matrix", TOKENS, 12)))
    split: dict[str, Any] = {"heads": 1, "key_heads": 1, "head_size": 4, "causal": 1}
    operand = builder.add("quantise", x, group=4)
    scores = builder.add("scores", operand, **split, multiplier=700000)
    mixed = builder.add("mix", builder.add("softmax", scores, operand, **split), operand, **split)
    known: dict[str, Any] = {
        "output_fraction_bits": 0,
        "vocabulary_size": 12,
        "maximum_tokens": POSITIONS,
    } | facts
    return builder, x, mixed, tensors, Description("odd", "E16", task, **known)


def test_a_choice_must_read_the_last_activation() -> None:
    """The executor leaves a final choice out and answers with the value before it, so it must be what the choice reads."""
    builder, x, _, _, _ = token_model()
    builder.add("choose", x, fraction_bits=0)
    with pytest.raises(InvalidProgram, match="choose"):
        builder.build()


@pytest.mark.parametrize("fused", [False, True])
def test_a_program_cannot_end_in_an_operand(fused: bool) -> None:
    builder, x, _, _, _ = token_model()
    builder.add("quantise", builder.add("gelu", x) if fused else x, group=12)
    with pytest.raises(InvalidProgram, match="ends in"):
        builder.build()


@pytest.mark.parametrize("carrier", CARRIERS)
def test_rows_embedded_after_the_last_attention_are_those_asked_for(carrier: str) -> None:
    builder, _, _, tensors, description = token_model()
    second = builder.add("embedding", 0, table="w")
    position = builder.table("p", TableShape("matrix", POSITIONS, 12))
    builder.add("position_embedding", 0, second, table=position)
    tensors["p.rows"] = torch.arange(POSITIONS * 12, dtype=torch.int32).reshape(POSITIONS, 12)
    model = Model(builder.build(), tensors, description)
    runner = Executor(model, choose_kernels(carrier))
    expected = answer(model, torch.tensor([1, 2, 3]))[-2:]
    assert torch.equal(runner.run_tokens([[1, 2, 3]], tails=[2]).long(), expected)


def test_a_program_without_attention_answers_only_the_rows_asked_for() -> None:
    builder = ProgramBuilder(Shape("tokens", None, 1))
    builder.add("embedding", 0, table=builder.table("w", TableShape("matrix", TOKENS, 3)))
    tensors = {"w.rows": torch.arange(TOKENS * 3, dtype=torch.int32).reshape(TOKENS, 3)}
    model = Model(builder.build(), tensors, Description("odd", "E16", "generation", 0, TOKENS, POSITIONS))
    found = Executor(model, choose_kernels("int64")).run_tokens([[1, 2, 3], [4, 5]], tails=[1, 0])
    assert found.tolist() == [[9, 10, 11]]


def test_pooled_sequences_are_not_continued() -> None:
    """A mean over the rows of one chunk is not that of the sequence, so other tokens would be generated."""
    builder, x, _, tensors, description = token_model()
    pooled = builder.add("unit_mean", x)
    builder.add("choose", pooled, fraction_bits=0)
    model = Model(builder.build(), tensors, description)
    with pytest.raises(ModelRefused):
        check_bounds(model)
    generator = Generator(bytes(32), description, Executor(model, choose_kernels("int64")), None)
    with pytest.raises(InvalidProgram):
        generator.generate([GenerationRequest((4,), 3)])
    with pytest.raises(InvalidProgram):
        generator.logits([1, 2, 3])


@pytest.mark.parametrize(
    "facts",
    [
        {"vocabulary_size": TOKENS + 2},  # more tokens than rows of the embedding
        {"vocabulary_size": TOKENS - 1},  # logits of tokens that do not exist
        {"maximum_tokens": POSITIONS + 1, "vocabulary_size": TOKENS},
        {"output_fraction_bits": 1, "vocabulary_size": TOKENS},
    ],
)
def test_descriptions_that_contradict_their_program_are_refused(facts: dict[str, Any]) -> None:
    builder, x, _, tensors, description = token_model(**facts)
    position = builder.table("p", TableShape("matrix", POSITIONS, 12))
    placed = builder.add("position_embedding", 0, x, table=position)
    operand = builder.add("quantise", placed, group=12)
    head = builder.table("head", TableShape("linear", TOKENS, 12))
    builder.add("choose", builder.add("linear", operand, table=head, shift=30), fraction_bits=0)
    tensors["p.rows"] = torch.zeros(POSITIONS, 12, dtype=torch.int32)
    tensors |= {"head.weight": torch.ones(TOKENS, 12, dtype=torch.int8)}
    tensors |= {f"head.{part}": torch.ones(TOKENS, dtype=torch.int32) for part in ("multiplier", "bias")}
    model = Model(builder.build(), tensors, description)
    valid = replace(description, vocabulary_size=TOKENS, maximum_tokens=POSITIONS, output_fraction_bits=0)
    check_bounds(replace(model, description=valid))
    with pytest.raises(ModelRefused):
        check_bounds(model)


@pytest.mark.parametrize("task", ["embedding", "classification"])
def test_an_answer_of_several_rows_is_neither_an_embedding_nor_a_class(task: Task) -> None:
    builder, x, _, tensors, description = token_model(task, vocabulary_size=TOKENS)
    builder.add("relu", x)
    with pytest.raises(ModelRefused):
        check_bounds(Model(builder.build(), tensors, description))


@pytest.mark.parametrize("carrier", CARRIERS)
def test_single_positions_at_a_stride_are_contiguous_rows(carrier: str) -> None:
    builder = ProgramBuilder(Shape("bytes", 4, 2))
    x = builder.add("pixels", 0, table=builder.table("p", TableShape("matrix", 2, 256)))
    size: dict[str, Any] = {"height": 1, "width": 4, "channels": 2, "kernel": 1, "stride": 2, "padding": 0}
    builder.add("relu", builder.add("patches", x, **size))
    tensors = {"p.rows": torch.arange(-256, 256, dtype=torch.int32).reshape(2, 256)}
    model = Model(builder.build(), tensors, Description("odd", "E16", "classification", 0))
    image = torch.arange(8, dtype=torch.uint8).reshape(4, 2)
    found = Executor(model, choose_kernels(carrier)).run_images(image[None])
    assert torch.equal(found.long(), answer(model, image))


def test_windows_that_lie_outside_the_image_are_refused_when_the_program_is_made() -> None:
    builder = ProgramBuilder(Shape("bytes", 4, 1))
    x = builder.add("pixels", 0, table=builder.table("p", TableShape("matrix", 1, 256)))
    builder.add("patches", x, height=2, width=2, channels=1, kernel=1, stride=1, padding=2)
    with pytest.raises(InvalidProgram, match="padding"):
        builder.build()


def test_a_small_manifest_cannot_ask_for_hundreds_of_gigabytes() -> None:
    builder = ProgramBuilder(Shape("bytes", 64 * 64, 1))
    x = builder.add("pixels", 0, table=builder.table("p", TableShape("matrix", 1, 256)))
    window: dict[str, Any] = {"kernel": 64, "stride": 1, "padding": 32}
    x = builder.add("patches", x, height=64, width=64, channels=1, **window)
    builder.add("patches", x, height=65, width=65, channels=4096, **window)
    with pytest.raises(InvalidProgram, match="numbers"):
        builder.build()


def test_a_table_read_many_times_is_arranged_once() -> None:
    """Otherwise a file of some megabytes fills any memory: 16384 operators may read one table."""
    builder = ProgramBuilder(Shape("tokens", None, 1))
    x = builder.add("embedding", 0, table=builder.table("w", TableShape("matrix", TOKENS, 8)))
    table = builder.table("t", TableShape("linear", 8, 8))
    for _ in range(5):
        x = builder.add("linear", builder.add("quantise", x, group=8), table=table, shift=30)
    tensors = {
        "w.rows": torch.zeros(TOKENS, 8, dtype=torch.int32),
        "t.weight": torch.ones(8, 8, dtype=torch.int8),
    }
    tensors |= {f"t.{part}": torch.ones(8, dtype=torch.int32) for part in ("multiplier", "bias")}
    model = Model(builder.build(), tensors, Description("odd", "E16", "generation", 0, TOKENS, POSITIONS))
    kernels = _Counting(choose_kernels("int64"))
    Executor(model, kernels)  # type: ignore[arg-type]
    assert kernels.prepared == 1


class _Counting:
    """Kernels that count how often a weight is arranged."""

    def __init__(self, kernels: Kernels) -> None:
        self._kernels = kernels
        self.prepared = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._kernels, name)

    def prepare_linear(self, *arguments: object) -> object:
        self.prepared += 1
        return self._kernels.prepare_linear(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", [b"[]", b"{}", b"null", b"1"])
def test_a_layout_that_is_no_string_is_refused(layout: bytes) -> None:
    data = describe(small_llama("E16")).to_bytes().replace(b'"layout":"matrix"', b'"layout":' + layout)
    with pytest.raises(InvalidManifest, match="layout"):
        Manifest.from_bytes(data)


@pytest.mark.parametrize(("inverse", "seed"), [(65536.5, 1), (65536, 1.5), (True, 1), (1, np.float32(2))])
def test_sampling_takes_integers_only(inverse: int, seed: int) -> None:
    """A fraction would turn the draw into one of floating point, whose bits no definition gives."""
    with pytest.raises(InvalidOperand):
        Sampling(inverse, seed)


@pytest.mark.parametrize("count", [2.5, float("nan"), "3", True])
def test_the_number_of_new_tokens_is_an_integer(count: int) -> None:
    model = small_llama("E16")
    generator = make(describe(model), model, None, choose_kernels("int64"))
    assert isinstance(generator, Generator)
    with pytest.raises(ExactError, match="new tokens"):
        generator.stream([GenerationRequest((1, 2), count)])


@pytest.mark.parametrize("temperature", ["1e999999", "1e-999999", "9" * 400, "inf", "1/3", ""])
def test_a_temperature_costs_no_more_than_its_digits(temperature: str) -> None:
    with pytest.raises(InvalidOperand, match="decimal of at most"):
        Sampling.from_temperature(temperature, 0)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_threads_that_share_a_generator_get_their_own_answers(carrier: str) -> None:
    model = small_llama("E16x")
    generator = make(describe(model), model, None, choose_kernels(carrier))
    assert isinstance(generator, Generator)
    numbers = random.Random(4)
    requests = [
        GenerationRequest(
            tuple(numbers.randrange(20) for _ in range(length)),
            4,
            Sampling(1 << 16, length) if length % 2 else None,
        )
        for length in (1, 1, 2, 5, 12, 20)
    ]
    expected = [generator.generate([request]) for request in requests]
    wrong: list[int] = []

    def answer_all(place: int) -> None:
        found = generator.generate(requests, batch_size=1 + 2 * place, prefill_chunk=2 + place)
        if [[one] for one in found] != expected:
            wrong.append(place)

    threads = [threading.Thread(target=answer_all, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
