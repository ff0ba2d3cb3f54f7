"""How large a Llama's numbers become on sample text, and the fraction bits that leave room for eight times as much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention, silu

from proofmill.exact.importers.llama_source import LlamaConfig, LlamaSource
from proofmill.exact.importers.packing import refuse
from proofmill.exact.ops.activation import ARGUMENT_LIMIT
from proofmill.exact.ops.operands import FRACTION_BITS

HEADROOM: Final = 8
_LEAST_FRACTION_BITS: Final = 4
_SAMPLE_IDS: Final = 96

#: Prose, numbers, code, dialogue and other scripts: what makes activations large differs between them.
CALIBRATION_TEXT: Final = """The lighthouse keeper wrote down the weather every evening. In 1887 the storm lasted nine days, and
the supply boat could not land; she noted 41 knots, then 56, then nothing but "wind". Her successor found the book in a tin box
and read it aloud to the children of the village, who asked why anyone would count the gulls. Because, he said, a number that is
written down can be checked by somebody else.

def moving_average(values: list[float], width: int) -> list[float]:
    total = sum(values[:width])
    averages = [total / width]
    for index in range(width, len(values)):
        total += values[index] - values[index - width]
        averages.append(total / width)
    return averages

Question: What is the capital of France, and how far is it from Berlin?
Answer: Paris. The two cities are about 878 km apart in a straight line (545 miles).

| metal | melts at | density |
| --- | --- | --- |
| iron | 1538 °C | 7.874 g/cm³ |
| gold | 1064 °C | 19.3 g/cm³ |

Zwei Züge fahren um 7:45 Uhr ab. El tren llega tarde. これは短い文です。 {"id": 12, "tags": ["a", "b"], "ok": true}\n\n\n
THE END!!! https://example.org/a?b=c&d=%20 3.14159265358979 -> 0x1F600 \t\t ... therefore, x^2 + y^2 = z^2."""


@dataclass(frozen=True)
class LlamaFractions:
    """Fraction bits of the three values whose scale an importer may choose; every other activation is Q.16."""

    residual: int  # of the stream that runs through all layers
    hidden: int  # of the gated hidden layer
    logits: int

    def __post_init__(self) -> None:
        for name, bits in (("residual", self.residual), ("hidden", self.hidden), ("logits", self.logits)):
            if not _LEAST_FRACTION_BITS <= bits <= FRACTION_BITS:
                raise refuse(
                    f"{name} fraction bits",
                    f"{bits}, the range is {_LEAST_FRACTION_BITS} to {FRACTION_BITS}",
                )


@dataclass
class Ranges:
    """Greatest magnitudes a float run has seen."""

    residual: float = 0.0
    hidden: float = 0.0
    gate_and_up: float = 0.0
    logits: float = 0.0


def calibrate(source: LlamaSource, sequences: Sequence[Sequence[int]] | None = None) -> LlamaFractions:
    """Fraction bits ``min(16, floor(log2(2^31 / (8 max))))``, max the greatest magnitude seen in a float32 run.

    Without ``sequences`` the run is over :data:`CALIBRATION_TEXT`, with and without the token that begins texts, and over fixed
    pseudo-random ids. Float sums differ between machines, so a pinned model states its fractions instead of measuring them.

    Raises:
        ModelRefused: values are not finite, or so large that too little precision would remain.
    """
    ranges = measure_ranges(source, calibration_sequences(source) if sequences is None else sequences)
    if ranges.gate_and_up > ARGUMENT_LIMIT / (1 << FRACTION_BITS):
        raise refuse(
            "gate and up", f"reach {ranges.gate_and_up:.0f}, beyond the 2048 that a gated unit distinguishes"
        )
    return LlamaFractions(
        residual=fitting_fraction_bits("residual stream", ranges.residual),
        hidden=fitting_fraction_bits("hidden layer", ranges.hidden),
        logits=fitting_fraction_bits("logits", ranges.logits),
    )


def fitting_fraction_bits(name: str, greatest: float) -> int:
    """The most fraction bits, up to 16, with which 8 times ``greatest`` is still an activation; ModelRefused below 4."""
    if not math.isfinite(greatest):
        raise refuse(name, "the float model's values are not finite")
    bits = FRACTION_BITS if greatest == 0 else math.floor(math.log2(2.0**31 / (HEADROOM * greatest)))
    if bits < _LEAST_FRACTION_BITS:
        raise refuse(name, f"reaches {greatest:.3g}, too large for 31 bits with any precision")
    return min(FRACTION_BITS, bits)


def calibration_sequences(source: LlamaSource) -> list[list[int]]:
    """Token ids of the sample text, if the source has a tokenizer, and pseudo-random ids from a linear congruential generator."""
    positions, size = source.config.positions, source.config.vocabulary_size
    state, random_ids = 20, []
    for _ in range(_SAMPLE_IDS):
        state = (state * 1103515245 + 12345) % 2**31
        random_ids.append((state >> 8) % size)
    sequences = [random_ids]
    if source.text is not None:
        ids = source.text.tokenizer.encode(CALIBRATION_TEXT, add_special_tokens=False).ids
        sequences.append(ids)
        if source.text.begin_token is not None:
            sequences.append([source.text.begin_token, *ids])
    return [[token for token in sequence if token < size][:positions] for sequence in sequences if sequence]


def measure_ranges(source: LlamaSource, sequences: Sequence[Sequence[int]]) -> Ranges:
    """Run the float model in single precision, layer by layer, holding one layer's weights at a time."""
    config, ranges = source.config, Ranges()

    def seen(previous: float, x: Tensor) -> float:
        # A maximum would hide a NaN behind an earlier number.
        greatest = float(x.abs().max())
        return greatest if math.isnan(greatest) else max(previous, greatest)

    with torch.inference_mode():
        embedding = source.take("embedding.weight", config.vocabulary_size, config.size)
        streams = [embedding[torch.tensor(list(sequence))].float() for sequence in sequences]
        del embedding
        tables = _rotations(config, max(map(len, streams)))
        for layer in range(config.layers):
            weights = _LayerWeights(source, layer)
            for place, x in enumerate(streams):
                x = x + weights.attention(weights.normalise(x, weights.attention_norm), tables)
                ranges.residual = seen(ranges.residual, x)
                gate, up = weights.gate_and_up(weights.normalise(x, weights.feed_forward_norm))
                ranges.gate_and_up = seen(seen(ranges.gate_and_up, gate), up)
                hidden = silu(gate) * up
                ranges.hidden = seen(ranges.hidden, hidden)
                streams[place] = x + linear(hidden, *weights.down)
                ranges.residual = seen(ranges.residual, streams[place])
        gain, head = source.take("output_norm.weight", config.size).float(), source.head().float()
        for x in streams:
            ranges.logits = seen(ranges.logits, linear(_normalise(x, gain, float(config.epsilon)), head))
    return ranges


class _LayerWeights:
    """One layer in single precision."""

    def __init__(self, source: LlamaSource, layer: int) -> None:
        self._config = source.config

        def pair(*names: str) -> tuple[Tensor, Tensor | None]:
            weight, bias = source.linear(layer, *names)
            return weight.float(), None if bias is None else bias.float()

        size = source.config.size
        self.attention_norm = source.take(f"layer.{layer}.attention_norm.weight", size).float()
        self.feed_forward_norm = source.take(f"layer.{layer}.feed_forward_norm.weight", size).float()
        self._query_key_value = pair("query", "key", "value")
        self._output = pair("attention_output")
        self._gate_up = pair("gate", "up")
        self.down = pair("down")

    def normalise(self, x: Tensor, gain: Tensor) -> Tensor:
        return _normalise(x, gain, float(self._config.epsilon))

    def gate_and_up(self, x: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = linear(x, *self._gate_up).chunk(2, -1)
        return gate, up

    def attention(self, x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
        config = self._config
        heads = linear(x, *self._query_key_value).view(len(x), -1, config.head_size).transpose(0, 1)
        query, key, value = torch.split(heads, [config.heads, config.key_heads, config.key_heads])
        mixed = scaled_dot_product_attention(
            _rotate(query, tables), _rotate(key, tables), value, is_causal=True, enable_gqa=True
        )
        return linear(mixed.transpose(0, 1).flatten(1), *self._output)


def _normalise(x: Tensor, gain: Tensor, epsilon: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * gain


def _rotations(config: LlamaConfig, positions: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine [positions, head_size / 2] in single precision."""
    index = torch.arange(0, config.head_size, 2, dtype=torch.float64) / config.head_size
    frequencies = float(config.theta) ** -index
    if config.divisors is not None:
        frequencies = frequencies / torch.tensor(
            [float(divisor) for divisor in config.divisors], dtype=torch.float64
        )
    angles = torch.outer(torch.arange(positions, dtype=torch.float64), frequencies)
    return angles.cos().float(), angles.sin().float()


def _rotate(heads: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """Turn neighbouring pairs of heads [H, T, d]."""
    cosine, sine = (table[: heads.shape[1]] for table in tables)
    first, second = heads[..., 0::2], heads[..., 1::2]
    turned = (first * cosine - second * sine, first * sine + second * cosine)
    return torch.stack(turned, -1).flatten(-2)
