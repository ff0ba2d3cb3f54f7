"""BERT sentence encoders: safetensors and config.json to a program with mean pooling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import torch
from torch import Tensor

from proofmill.exact.importers.packing import (
    fixed_point,
    narrowed,
    norm_constants,
    pack_linear,
    pack_norm,
    refuse,
    require_values,
    score_multiplier,
)
from proofmill.exact.importers.safetensors_reader import exact_number, positive_integer
from proofmill.exact.ops.operands import FRACTION_BITS, SATURATION
from proofmill.exact.program.graph import ProgramBuilder
from proofmill.exact.program.kinds import Shape, TableShape
from proofmill.exact.program.model import Description, Model, Profile

EMBEDDING_FRACTION_BITS: Final = 24  # of the unit vector that `unit_mean` answers

_EXPECTED: Final = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
_ATTENTION: Final = ("attention.self.query", "attention.self.key", "attention.self.value")


@dataclass(frozen=True)
class BertConfig:
    """What a BERT encoder's config.json says about its program."""

    vocabulary_size: int
    positions: int
    token_types: int
    size: int
    heads: int
    layers: int
    inner_size: int
    epsilon: Fraction

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> BertConfig:
        """From the parsed file, decimals kept as Decimal; ModelRefused naming the key that does not fit."""
        for key, value in _EXPECTED.items():
            if config.get(key, value) != value:
                raise refuse("config.json", f"{key} is {config[key]!r}, only {value!r} is supported")
        if config.get("is_decoder") or config.get("add_cross_attention"):
            raise refuse("config.json", "decoders and cross-attention are not supported")
        parsed = cls(
            vocabulary_size=positive_integer(config, "vocab_size"),
            positions=positive_integer(config, "max_position_embeddings"),
            token_types=positive_integer(config, "type_vocab_size"),
            size=positive_integer(config, "hidden_size"),
            heads=positive_integer(config, "num_attention_heads"),
            layers=positive_integer(config, "num_hidden_layers"),
            inner_size=positive_integer(config, "intermediate_size"),
            epsilon=exact_number(config, "layer_norm_eps"),
        )
        size, heads = parsed.size, parsed.heads
        if size % heads or size >= 1 << 13 or size // heads > 256:
            raise refuse(
                "config.json",
                f"hidden_size {size} with {heads} num_attention_heads is outside the proved range",
            )
        return parsed


def import_bert(
    source: Mapping[str, Tensor],
    config: Mapping[str, Any],
    profile: Profile,
    *,
    name: str,
    maximum_tokens: int | None = None,
    tokenizer: str = "",
) -> Model:
    """A sentence encoder whose answer is the unit vector along the mean of the last layer's rows, Q.24.

    ``source`` holds the float tensors by their Hugging Face names, with or without the prefix ``bert.``; ``config`` is
    config.json with decimals kept as Decimal; ``tokenizer`` is the sha256 of its tokenizer's file. ``maximum_tokens`` cuts the
    position table. Tensors of heads (pooler, masked language model) are not read. Every activation is Q.16.

    Raises:
        ModelRefused: a tensor is missing, not finite, of another shape, or cannot be proved to stay within range.
    """
    parsed = BertConfig.from_json(config)
    positions = parsed.positions if maximum_tokens is None else min(parsed.positions, maximum_tokens)
    if positions < 1:
        raise refuse("maximum_tokens", f"is {maximum_tokens}, expected at least 1")
    importer = _Importer(source, parsed, profile, positions)
    importer.embed()
    for index in range(parsed.layers):
        importer.layer(index)
    importer.builder.add("unit_mean", importer.value)
    description = Description(
        name=name,
        profile=profile,
        task="embedding",
        output_fraction_bits=EMBEDDING_FRACTION_BITS,
        vocabulary_size=parsed.vocabulary_size,
        maximum_tokens=positions,
        tokenizer=tokenizer,
    )
    return Model(importer.builder.build(), importer.tensors, description)


class _Importer:
    """Operators and tensors so far; ``value`` is the number of the residual stream's newest value."""

    def __init__(
        self, source: Mapping[str, Tensor], config: BertConfig, profile: Profile, positions: int
    ) -> None:
        self._source = source
        self._prefix = "bert." if "bert.embeddings.word_embeddings.weight" in source else ""
        self._config = config
        self._profile: Profile = profile
        self._positions = positions
        self._norm_constants = norm_constants("layer_norm_eps", config.size, config.epsilon, FRACTION_BITS)
        self.builder = ProgramBuilder(Shape("tokens", None, 1))
        self.tensors: dict[str, Tensor] = {}
        self.value = 0

    def _take(self, name: str, *shape: int) -> Tensor:
        name = self._prefix + name
        if name not in self._source:
            raise refuse(name, "the tensor is missing")
        return require_values(name, self._source[name], *shape)

    def embed(self) -> None:
        config, size = self._config, self._config.size
        word = self._take("embeddings.word_embeddings.weight", config.vocabulary_size, size)
        position = self._take("embeddings.position_embeddings.weight", config.positions, size)
        types = self._take("embeddings.token_type_embeddings.weight", config.token_types, size)
        rows = fixed_point("position_embeddings", position, FRACTION_BITS, SATURATION // 2)
        rows += fixed_point("token_type_embeddings", types, FRACTION_BITS, SATURATION // 2)[0]
        self.tensors["word_embedding.rows"] = narrowed(
            fixed_point("word_embeddings", word, FRACTION_BITS, SATURATION)
        )
        self.tensors["position_embedding.rows"] = narrowed(rows[: self._positions].clone())
        builder = self.builder
        builder.table("word_embedding", TableShape("matrix", config.vocabulary_size, size))
        builder.table("position_embedding", TableShape("matrix", self._positions, size))
        word_rows = builder.add("embedding", 0, table="word_embedding")
        self.value = builder.add("position_embedding", 0, word_rows, table="position_embedding")
        self._norm("embedding_norm", "embeddings.LayerNorm")

    def layer(self, index: int) -> None:
        config, builder = self._config, self.builder
        size, heads, inner = config.size, config.heads, config.inner_size
        source, table = f"encoder.layer.{index}", f"layer.{index}"
        shape = {"heads": heads, "key_heads": heads, "head_size": size // heads, "causal": 0}
        attention = tuple(f"{source}.{part}" for part in _ATTENTION)
        columns = self._linear(f"{table}.query_key_value", attention, self.value, 3 * size, size)
        operand = builder.add("quantise", columns, group=size // heads)
        scores = builder.add("scores", operand, table="", multiplier=score_multiplier(size // heads), **shape)
        weights = builder.add("softmax", scores, operand, table="", **shape)
        mixed = builder.add("mix", weights, operand, table="", **shape)
        output = (f"{source}.attention.output.dense",)
        self._add(self._linear(f"{table}.attention_output", output, mixed, size, size))
        self._norm(f"{table}.attention_norm", f"{source}.attention.output.LayerNorm")
        up = self._linear(f"{table}.up", (f"{source}.intermediate.dense",), self.value, inner, size)
        hidden = builder.add("gelu", up)
        self._add(self._linear(f"{table}.down", (f"{source}.output.dense",), hidden, size, inner))
        self._norm(f"{table}.output_norm", f"{source}.output.LayerNorm")

    def _linear(self, table: str, parts: tuple[str, ...], x: int, outputs: int, inputs: int) -> int:
        rows = outputs // len(parts)
        weight = torch.cat([self._take(f"{part}.weight", rows, inputs) for part in parts])
        bias = torch.cat([self._take(f"{part}.bias", rows) for part in parts])
        packed = pack_linear(table, weight, bias, self._profile)
        self.tensors.update(packed.parts(table))
        self.builder.table(table, TableShape("linear", outputs, inputs))
        operand = self.builder.add("quantise", x, group=inputs)
        return self.builder.add("linear", operand, table=table, shift=packed.shift)

    def _add(self, branch: int) -> None:
        self.value = self.builder.add("add", self.value, branch)

    def _norm(self, table: str, source: str) -> None:
        size = self._config.size
        gain, offset = self._take(f"{source}.weight", size), self._take(f"{source}.bias", size)
        self.tensors.update(pack_norm(table, f"{source}.weight", gain, offset))
        self.builder.table(table, TableShape("pairs", size, 1))
        self.value = self.builder.add("layer_norm", self.value, table=table, **self._norm_constants)
