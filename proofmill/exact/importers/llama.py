"""Llama decoders (RMS norm, rotary positions, grouped queries, gated units) to a program that ends in the greedy choice."""

from __future__ import annotations

from typing import Final

from torch import Tensor

from proofmill.exact.importers.calibration import LlamaFractions, calibrate
from proofmill.exact.importers.llama_source import LlamaSource
from proofmill.exact.importers.packing import (
    fixed_point,
    narrowed,
    norm_constants,
    pack_linear,
    pack_norm,
    refuse,
    score_multiplier,
)
from proofmill.exact.importers.rotation import rotation_table
from proofmill.exact.ops.operands import FRACTION_BITS, SATURATION
from proofmill.exact.program.graph import ProgramBuilder
from proofmill.exact.program.kinds import Shape, TableShape
from proofmill.exact.program.model import Description, Model, Profile

DEFAULT_MAXIMUM_TOKENS: Final = 2048


def import_llama(
    source: LlamaSource,
    profile: Profile,
    *,
    name: str,
    maximum_tokens: int = DEFAULT_MAXIMUM_TOKENS,
    fractions: LlamaFractions | None = None,
) -> Model:
    """A generator whose last value is the greedily chosen next token of every row; its input is value 0, one sequence of ids.

    Tensors are read and converted one at a time, so little more than the packed model is held. ``maximum_tokens`` is cut to what
    the model was made for; it decides the size of the rotation table. ``fractions`` are measured on sample text if not given,
    which uses floats: a model whose id is pinned must give them.

    Raises:
        ModelRefused: a tensor is missing, not finite, of another shape, or cannot be proved to stay within range.
        ModelUnavailable: a file turns out damaged while it is read.
    """
    if maximum_tokens < 1:
        raise refuse("maximum_tokens", f"is {maximum_tokens}, expected at least 1")
    positions = min(maximum_tokens, source.config.positions)
    chosen = calibrate(source) if fractions is None else fractions
    importer = _Importer(source, profile, chosen, positions)
    importer.embed()
    for index in range(source.config.layers):
        importer.layer(index)
    importer.head()
    description = Description(
        name=name,
        profile=profile,
        task="generation",
        output_fraction_bits=chosen.logits,
        vocabulary_size=source.config.vocabulary_size,
        maximum_tokens=positions,
        tokenizer=source.text.digest if source.text is not None else "",
    )
    return Model(importer.builder.build(), importer.tensors, description)


class _Importer:
    """Operators and tensors so far; ``value`` is the number of the residual stream's newest value."""

    def __init__(
        self, source: LlamaSource, profile: Profile, fractions: LlamaFractions, positions: int
    ) -> None:
        self._source = source
        self._config = config = source.config
        self._profile: Profile = profile
        self._fractions = fractions
        self._positions = positions
        self._norm_constants = norm_constants("rms norm", config.size, config.epsilon, fractions.residual)
        self.builder = ProgramBuilder(Shape("tokens", None, 1))
        self.tensors: dict[str, Tensor] = {}
        self.value = 0

    def embed(self) -> None:
        config, builder = self._config, self.builder
        rows = self._source.take("embedding.weight", config.vocabulary_size, config.size)
        self.tensors["embedding.rows"] = narrowed(
            fixed_point("embedding.weight", rows, self._fractions.residual, SATURATION)
        )
        builder.table("embedding", TableShape("matrix", config.vocabulary_size, config.size))
        self.tensors.update(
            rotation_table("rotation", config.head_size, self._positions, config.theta, config.divisors)
        )
        builder.table("rotation", TableShape("rotation", self._positions, config.head_size // 2))
        self.value = builder.add("embedding", 0, table="embedding")

    def layer(self, index: int) -> None:
        config, fractions, builder = self._config, self._fractions, self.builder
        table, size = f"layer.{index}", config.head_size
        queries, keys = config.heads * size, config.key_heads * size
        shape = {"heads": config.heads, "key_heads": config.key_heads, "head_size": size, "causal": 1}

        normal = self._norm(f"{table}.attention_norm")
        packed = self._source.linear(index, "query", "key", "value")
        columns = self._linear(f"{table}.query_key_value", packed, normal)
        turned = builder.add("rotate", columns, table="rotation", columns=queries + keys, head_size=size)
        operand = builder.add("quantise", turned, group=size)
        scores = builder.add("scores", operand, table="", multiplier=score_multiplier(size), **shape)
        weights = builder.add("softmax", scores, operand, table="", **shape)
        mixed = builder.add("mix", weights, operand, table="", **shape)
        packed = self._source.linear(index, "attention_output")
        self._add(self._linear(f"{table}.attention_output", packed, mixed, to=fractions.residual))

        normal = self._norm(f"{table}.feed_forward_norm")
        both = self._linear(f"{table}.gate_up", self._source.linear(index, "gate", "up"), normal)
        hidden = builder.add("gated_silu", both, shift=2 * FRACTION_BITS - fractions.hidden)
        packed = self._source.linear(index, "down")
        branch = self._linear(f"{table}.down", packed, hidden, of=fractions.hidden, to=fractions.residual)
        self._add(branch)

    def head(self) -> None:
        normal = self._norm("output_norm")
        logits = self._linear("head", (self._source.head(), None), normal, to=self._fractions.logits)
        self.builder.add("choose", logits, fraction_bits=self._fractions.logits)

    def _linear(
        self,
        table: str,
        floats: tuple[Tensor, Tensor | None],
        x: int,
        of: int = FRACTION_BITS,
        to: int = FRACTION_BITS,
    ) -> int:
        """A linear operator from an activation in Q.of to one in Q.to."""
        weight, bias = floats
        packed = pack_linear(table, weight, bias, self._profile, of, to)
        self.tensors.update(packed.parts(table))
        self.builder.table(table, TableShape("linear", *weight.shape))
        operand = self.builder.add("quantise", x, group=weight.shape[1])
        return self.builder.add("linear", operand, table=table, shift=packed.shift)

    def _add(self, branch: int) -> None:
        self.value = self.builder.add("add", self.value, branch)

    def _norm(self, table: str) -> int:
        size, name = self._config.size, f"{table}.weight"
        self.tensors.update(pack_norm(table, name, self._source.take(name, size), None))
        self.builder.table(table, TableShape("pairs", size, 1))
        return self.builder.add("rms_norm", self.value, table=table, **self._norm_constants)
