"""One layer as wide as those of a Llama of a billion parameters, with drawn weights, in a program as long as all sixteen.

The widths decide what a step costs, the length of the program how deep its trees are. The operators that stand for the other
fifteen layers are one integer wide. 128 tokens; drawn weights have no zeros to speak of, which real ones have.
"""

from __future__ import annotations

import functools
import math
from typing import Final

import torch

from bench.gas.disputes.works import Work, map_of
from proofmill.disputes.rerun import CommittedModel
from proofmill.exact.importers.packing import score_multiplier
from proofmill.exact.program.graph import ProgramBuilder
from proofmill.exact.program.kinds import Shape, TableShape
from proofmill.exact.program.model import Description, Model

WIDTH: Final = 2_048
HIDDEN: Final = 8_192
HEADS, KEY_HEADS, HEAD = 32, 8, 64
VOCABULARY: Final = 64  # of 128,256: the table is not what is measured
TOKENS: Final = 128
OPERATORS: Final = 293  # of sixteen layers, as `proofmill` imports Llamas
WEIGHT: Final = 127
SEED: Final = 20


class _Layer:
    """A program that grows operator by operator, and the tables drawn for it."""

    def __init__(self) -> None:
        self.program = ProgramBuilder(Shape("tokens", None, 1))
        self.tensors: dict[str, torch.Tensor] = {}
        self._generator = torch.Generator().manual_seed(SEED)

    def drawn(self, limit: int, *shape: int) -> torch.Tensor:
        return torch.randint(-limit, limit + 1, shape, generator=self._generator, dtype=torch.int32)

    def linear(self, value: int, name: str, outputs: int, inputs: int, shift: int) -> int:
        scale = 2**shift // (2 * WEIGHT)
        self.tensors[f"{name}.weight"] = self.drawn(WEIGHT, outputs, inputs).to(torch.int8)
        self.tensors[f"{name}.multiplier"] = scale - self.drawn(scale // 4, outputs)
        self.tensors[f"{name}.bias"] = self.drawn(2**14, outputs)
        table = self.program.table(name, TableShape("linear", outputs, inputs))
        operand = self.program.add("quantise", value, group=inputs)
        return self.program.add("linear", operand, table=table, shift=shift)

    def norm(self, value: int, name: str) -> int:
        self.tensors[f"{name}.gamma"] = 2**14 + self.drawn(2**12, WIDTH)
        self.tensors[f"{name}.beta"] = torch.zeros(WIDTH, dtype=torch.int32)
        table = self.program.table(name, TableShape("pairs", WIDTH, 1))
        root = round(math.sqrt(WIDTH) * 2**20)
        return self.program.add("rms_norm", value, table=table, epsilon=3, root=root)

    def attention(self, value: int) -> int:
        shape = {"heads": HEADS, "key_heads": KEY_HEADS, "head_size": HEAD, "causal": 1}
        operand = self.program.add("quantise", value, group=HEAD)
        multiplier = score_multiplier(HEAD)
        scores = self.program.add("scores", operand, table="", multiplier=multiplier, **shape)
        weights = self.program.add("softmax", scores, operand, table="", **shape)
        return self.program.add("mix", weights, operand, table="", **shape)


def _model() -> Model:
    layer = _Layer()
    add, tensors = layer.program.add, layer.tensors
    tensors["word.rows"] = layer.drawn(2**18, VOCABULARY, WIDTH)
    x = add("embedding", 0, table=layer.program.table("word", TableShape("matrix", VOCABULARY, WIDTH)))
    heads = (HEADS + 2 * KEY_HEADS) * HEAD
    y = layer.linear(layer.norm(x, "attention_norm"), "query_key_value", heads, WIDTH, 34)
    for part in ("cosine", "sine"):
        tensors[f"rotation.{part}"] = layer.drawn(2**20, TOKENS, HEAD // 2)
    rotation = layer.program.table("rotation", TableShape("rotation", TOKENS, HEAD // 2))
    y = add("rotate", y, table=rotation, columns=(HEADS + KEY_HEADS) * HEAD, head_size=HEAD)
    x = add("add", x, layer.linear(layer.attention(y), "attention_output", WIDTH, WIDTH, 34))
    gates = layer.linear(layer.norm(x, "feed_forward_norm"), "gate_up", 2 * HIDDEN, WIDTH, 34)
    hidden = add("gated_silu", gates, shift=16)
    x = add("add", x, layer.linear(hidden, "down", WIDTH, HIDDEN, 36))
    x = layer.linear(x, "narrow", 1, WIDTH, 34)
    while x < OPERATORS:
        x = add("relu", x)
    description = Description(
        "llama-layer", "E16", "embedding", 24, vocabulary_size=VOCABULARY, maximum_tokens=TOKENS
    )
    return Model(layer.program.build(), tensors, description)


@functools.cache
def llama() -> Work:
    """A map over 128 tokens."""
    prompt = torch.tensor([(place * place + 5 * place) % VOCABULARY for place in range(TOKENS)])
    return map_of("Llama 1B", CommittedModel.of(_model()), prompt)
