"""A body of the shape of Llama-3.2-1B with random weights: how fast a processor re-executes a model of that class."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from bench.exact.timing import alternating_medians
from proofmill.exact.execution.executor import Executor
from proofmill.exact.importers.packing import norm_constants, score_multiplier
from proofmill.exact.importers.rotation import rotation_table
from proofmill.exact.kernels.selection import choose_kernels
from proofmill.exact.program.graph import ProgramBuilder
from proofmill.exact.program.kinds import Shape, TableShape
from proofmill.exact.program.model import Description, Model

VOCABULARY = 1024  # a body without its head: the output norm is the last operator


@dataclass(frozen=True)
class LlamaShape:
    """Sizes of Llama-3.2-1B."""

    layers: int = 16
    size: int = 2048
    heads: int = 32
    key_heads: int = 8
    head_size: int = 64
    inner_size: int = 8192
    positions: int = 512


class _Body:
    """Operators and random tables so far."""

    def __init__(self, shape: LlamaShape) -> None:
        self.shape = shape
        self.builder = ProgramBuilder(Shape("tokens", None, 1))
        self.tensors: dict[str, Tensor] = {}
        self._generator = torch.Generator().manual_seed(20)

    def embed(self) -> int:
        rows = torch.randint(-(1 << 15), 1 << 15, (VOCABULARY, self.shape.size), generator=self._generator)
        self.tensors["word.rows"] = rows.to(torch.int16)
        angles = rotation_table("rotation", self.shape.head_size, self.shape.positions, Fraction(500000))
        self.tensors.update(angles)
        half = self.shape.head_size // 2
        self.builder.table("rotation", TableShape("rotation", self.shape.positions, half))
        word = self.builder.table("word", TableShape("matrix", VOCABULARY, self.shape.size))
        return self.builder.add("embedding", 0, table=word)

    def linear(self, value: int, name: str, outputs: int, inputs: int) -> int:
        """Random weights whose outputs are about as large as their inputs."""
        weight = torch.randint(-127, 128, (outputs, inputs), dtype=torch.int8, generator=self._generator)
        self.tensors[f"{name}.weight"] = weight
        self.tensors[f"{name}.multiplier"] = torch.full((outputs,), 256, dtype=torch.int32)
        self.tensors[f"{name}.bias"] = torch.zeros(outputs, dtype=torch.int32)
        # 2^8 times a sum of `inputs` products with weights of about 2^6 is undone by this shift.
        shift = 8 + 6 + (inputs - 1).bit_length() // 2
        operand = self.builder.add("quantise", value, group=inputs)
        table = self.builder.table(name, TableShape("linear", outputs, inputs))
        return self.builder.add("linear", operand, table=table, shift=max(18, shift))

    def norm(self, value: int, name: str) -> int:
        size = self.shape.size
        self.tensors[f"{name}.gamma"] = torch.full((size,), 1 << 14, dtype=torch.int32)
        self.tensors[f"{name}.beta"] = torch.zeros(size, dtype=torch.int32)
        table = self.builder.table(name, TableShape("pairs", size, 1))
        constants = norm_constants(name, size, Fraction(1, 100000), 16)
        return self.builder.add("rms_norm", value, table=table, **constants)

    def layer(self, value: int, index: int) -> int:
        shape, add = self.shape, self.builder.add
        queries, keys = shape.heads * shape.head_size, shape.key_heads * shape.head_size
        heads = {
            "heads": shape.heads,
            "key_heads": shape.key_heads,
            "head_size": shape.head_size,
            "causal": 1,
        }
        name = f"layer.{index}"
        stacked = self.linear(
            self.norm(value, f"{name}.attention_norm"),
            f"{name}.query_key_value",
            queries + 2 * keys,
            shape.size,
        )
        turned = add("rotate", stacked, table="rotation", columns=queries + keys, head_size=shape.head_size)
        operand = add("quantise", turned, group=shape.head_size)
        scores = add("scores", operand, multiplier=score_multiplier(shape.head_size), **heads)
        mixed = add("mix", add("softmax", scores, operand, **heads), operand, **heads)
        value = add("add", value, self.linear(mixed, f"{name}.attention_output", shape.size, queries))
        normed = self.norm(value, f"{name}.feed_forward_norm")
        gates = self.linear(normed, f"{name}.gate_up", 2 * shape.inner_size, shape.size)
        hidden = add("gated_silu", gates, shift=16)
        return add("add", value, self.linear(hidden, f"{name}.down", shape.size, shape.inner_size))


def synthetic_llama(shape: LlamaShape) -> Model:
    """The body in integers, profile E16: 973 million weights at the default shape."""
    body = _Body(shape)
    value = body.embed()
    for index in range(shape.layers):
        value = body.layer(value, index)
    body.norm(value, "output_norm")
    description = Description("llama-1b-body", "E16", "generation", 16, VOCABULARY, shape.positions)
    return Model(body.builder.build(), body.tensors, description)


def report(runs: int, carrier: str | None, lengths: tuple[int, ...] = (64, 256, 512)) -> dict[str, Any]:
    """Tokens per second of prefill, beside float32 products of the same sizes alone."""
    shape = LlamaShape()
    model = synthetic_llama(shape)
    with torch.inference_mode():
        executor = Executor(model, choose_kernels(carrier))
        figures: dict[str, Any] = {}
        for length in lengths:
            tokens = [list(range(length))]
            exact, products = alternating_medians(
                [lambda tokens=tokens: executor.run_tokens(tokens), _float_products(shape, length)], runs
            )
            # The float products are those of one layer.
            figures[f"prefill_{length}"] = {
                "exact_tokens_per_second": round(length / exact),
                "float32_products_alone_tokens_per_second": round(length / (shape.layers * products)),
            }
    return figures


def _float_products(shape: LlamaShape, length: int) -> Any:
    """The matrix products of one layer in float32, nothing else."""
    keys = 2 * shape.key_heads * shape.head_size
    sizes = (
        (shape.size + keys, shape.size),
        (shape.size, shape.size),
        (2 * shape.inner_size, shape.size),
        (shape.size, shape.inner_size),
    )
    weights = [torch.randn(size) for size in sizes]
    inputs = [torch.randn(length, size[1]) for size in sizes]
    return lambda: [x @ weight.T for x, weight in zip(inputs, weights, strict=True)]
