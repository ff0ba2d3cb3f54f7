"""Programs, manifests and requests that fit together but have no sound meaning are refused; odd ones that have one run right."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
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
from proofmill.exact.program.kinds import Shape, TableShape
from proofmill.exact.program.model import Description, Model, Task
from proofmill.exact.program.sampling import Sampling
from tests.unit.exact.random_programs import POSITIONS, TOKENS, answer
from tests.unit.exact.small_models import small_llama

CARRIERS = [name for name in ("native", "int64") if carrier_fault(name) is None]


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


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
