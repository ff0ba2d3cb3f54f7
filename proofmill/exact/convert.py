"""Conversion of a float BERT encoder to profile E16, with the proof that no integer can overflow.

Conversion runs once, offline, and may use floats; its result, named by the manifest, is the model. It must
still give the same result everywhere, so it uses only operations that IEEE 754 rounds correctly one element
at a time (float32 to float64, ``*``, ``/``, round half to even) and the maximum, which is exact in any order.
Constants that need roots or logarithms come from integer arithmetic or from mpmath at high precision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import mpmath
import torch
from torch import Tensor

from proofmill.exact.errors import ModelRefused
from proofmill.exact.manifest import Constants, Dimensions
from proofmill.exact.operators import (
    FRACTION_BITS,
    GAMMA_BITS,
    NORM_BITS,
    OPERAND_BITS,
    SATURATION,
    SCORE_BITS,
)

WEIGHT_LIMIT: Final = 127
MULTIPLIER_LIMIT: Final = (1 << 24) - 1
MINIMUM_EXPONENT: Final = 18  # a row exponent is at most 17, so every shift is at least 1
MAXIMUM_EXPONENT: Final = 53
REACH_LIMIT: Final = 1 << 53

#: The linear operators of a layer: the product's name and the float tensors stacked into it.
LINEAR_SOURCES: Final = {
    "query_key_value": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention_output": ("attention.output.dense",),
    "up": ("intermediate.dense",),
    "down": ("output.dense",),
}
NORM_SOURCES: Final = {"attention_norm": "attention.output.LayerNorm", "output_norm": "output.LayerNorm"}


@dataclass(frozen=True)
class ConvertedModel:
    """Packed integer tensors and the numbers that go with them."""

    dimensions: Dimensions
    constants: Constants
    tensors: dict[str, Tensor]
    shifts: dict[str, int]


def refuse(tensor: str, reason: str) -> ModelRefused:
    return ModelRefused(
        f"{tensor}: {reason}",
        remedy="Profile E16 cannot run this model as it is; check that its files are complete and unchanged.",
    )


def convert_bert(source: Mapping[str, Tensor], config: Mapping[str, Any]) -> ConvertedModel:
    """Convert the float tensors of a BERT encoder; ``config`` is its config.json with decimals kept as
    Decimal.
    """
    dimensions = _dimensions(config)
    size = dimensions.embedding_size
    constants = Constants(
        layer_norm_epsilon=int(Fraction(config["layer_norm_eps"]) * size * (1 << (2 * FRACTION_BITS))),
        layer_norm_root=rounded_root(size),
        score_multiplier=score_multiplier(size // dimensions.head_count),
    )
    if not 0 <= constants.layer_norm_epsilon < 1 << 52:
        raise refuse("layer_norm_eps", f"{config['layer_norm_eps']} is out of range")
    tensors: dict[str, Tensor] = {}
    shifts: dict[str, int] = {}

    def take(name: str, *shape: int) -> Tensor:
        return _take(source, name, shape)

    def add_linear(name: str, parts: list[str], outputs: int, inputs: int) -> None:
        weight = torch.cat([take(f"{part}.weight", outputs // len(parts), inputs) for part in parts])
        bias = torch.cat([take(f"{part}.bias", outputs // len(parts)) for part in parts])
        packed, shifts[name] = pack_linear(name, weight, bias)
        tensors.update({f"{name}.{key}": value for key, value in packed.items()})

    def add_norm(name: str, part: str) -> None:
        gamma = fixed_point(f"{part}.weight", take(f"{part}.weight", size), GAMMA_BITS, (1 << 24) - 1)
        beta = fixed_point(f"{part}.bias", take(f"{part}.bias", size), FRACTION_BITS, SATURATION - 1)
        tensors[f"{name}.gamma"], tensors[f"{name}.beta"] = gamma, beta

    word = take("embeddings.word_embeddings.weight", dimensions.vocabulary_size, size)
    position = take("embeddings.position_embeddings.weight", dimensions.position_count, size)
    kinds = _take(source, "embeddings.token_type_embeddings.weight", (config["type_vocab_size"], size))
    # A third of the range each, so that the sum of word, position and type stays an activation.
    third = SATURATION // 3
    tensors["embedding.word"] = fixed_point("word_embeddings", word, FRACTION_BITS, third)
    tensors["embedding.position"] = fixed_point(
        "position_embeddings", position, FRACTION_BITS, third
    ) + fixed_point("token_type_embeddings", kinds[0], FRACTION_BITS, third)
    add_norm("embedding.norm", "embeddings.LayerNorm")
    for index in range(dimensions.layer_count):
        prefix, layer = f"encoder.layer.{index}", f"layer.{index}"
        inner = dimensions.intermediate_size
        sizes = {"query_key_value": (3 * size, size), "up": (inner, size), "down": (size, inner)}
        for name, sources in LINEAR_SOURCES.items():
            outputs, inputs = sizes.get(name, (size, size))
            add_linear(f"{layer}.{name}", [f"{prefix}.{part}" for part in sources], outputs, inputs)
        for name, part in NORM_SOURCES.items():
            add_norm(f"{layer}.{name}", f"{prefix}.{part}")
    return ConvertedModel(dimensions, constants, tensors, shifts)


def _dimensions(config: Mapping[str, Any]) -> Dimensions:
    expected = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
    for key, value in expected.items():
        if config.get(key, value) != value:
            raise refuse("config.json", f"{key} is {config[key]!r}, only {value!r} is supported")
    names = {
        "vocabulary_size": "vocab_size",
        "position_count": "max_position_embeddings",
        "embedding_size": "hidden_size",
        "head_count": "num_attention_heads",
        "layer_count": "num_hidden_layers",
        "intermediate_size": "intermediate_size",
    }
    for key in (*names.values(), "type_vocab_size"):
        if not isinstance(config.get(key), int) or config[key] < 1:
            raise refuse("config.json", f"{key} is {config.get(key)!r}, expected a positive integer")
    if not isinstance(config.get("layer_norm_eps"), (Decimal, int)):
        raise refuse("config.json", "layer_norm_eps is missing or was not read as a decimal")
    dimensions = Dimensions(**{name: config[key] for name, key in names.items()})
    size, heads = dimensions.embedding_size, dimensions.head_count
    if size % heads or size >= 1 << 13 or size // heads > 256:
        raise refuse("config.json", f"hidden_size {size} with {heads} heads is outside the proved range")
    return dimensions


def _take(source: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    """A float32 tensor of the source as float64, which loses nothing."""
    if name not in source:
        raise refuse(name, "the tensor is missing")
    tensor = source[name]
    if tensor.dtype != torch.float32 or tuple(tensor.shape) != shape:
        raise refuse(name, f"is {tensor.dtype} {tuple(tensor.shape)}, expected torch.float32 {shape}")
    if not bool(torch.isfinite(tensor).all()):
        raise refuse(name, "holds a value that is not finite")
    return tensor.to(torch.float64)


def fixed_point(name: str, values: Tensor, fraction_bits: int, limit: int) -> Tensor:
    """``round(value * 2^fraction_bits)``, halves to even, as int32 within ±limit."""
    # Scaling by a power of two is exact, and so is the maximum.
    scaled = torch.round(values * 2.0**fraction_bits)
    greatest = float(scaled.abs().max())
    if greatest > limit:
        raise refuse(name, f"reaches {greatest:.0f} in Q.{fraction_bits}, beyond {limit}")
    return scaled.to(torch.int32)


def pack_linear(name: str, weight: Tensor, bias: Tensor) -> tuple[dict[str, Tensor], int]:
    """8-bit weights per output channel, multipliers, biases and the exponent e of a linear operator.

    With ``m_j`` the greatest magnitude of channel j: ``w = round(127 W / m_j)`` and ``c_j = round(m_j 2^e /
    127)``. e is the greatest exponent that keeps c_j below 2^24 and the channel's reach within 2^53.
    """
    greatest = weight.abs().amax(1)
    # 127·W has 31 significant bits, so only the division rounds. A channel of zeros stays zeros.
    divisor = torch.where(greatest > 0, greatest, torch.ones_like(greatest))
    packed = torch.round(weight * float(WEIGHT_LIMIT) / divisor[:, None])
    accumulator = packed.abs().to(torch.int64).sum(1) << OPERAND_BITS
    offset = fixed_point(f"{name}.bias", bias, FRACTION_BITS, SATURATION - 1)
    for exponent in range(MAXIMUM_EXPONENT, MINIMUM_EXPONENT - 1, -1):
        multiplier = torch.round(greatest * 2.0**exponent / float(WEIGHT_LIMIT))
        if float(multiplier.max()) <= MULTIPLIER_LIMIT and _reach(accumulator, multiplier, offset, exponent):
            break
    else:
        raise refuse(
            name, f"no shift of at least {MINIMUM_EXPONENT} keeps multiplier times accumulator exact"
        )
    if bool(((multiplier < 1) & (greatest > 0)).any()):
        raise refuse(name, "a channel's scale vanishes beside the greatest of its tensor")
    tensors = {
        "weight": packed.to(torch.int8),
        "multiplier": multiplier.to(torch.int32),
        "bias": offset,
    }
    return tensors, exponent


def _reach(accumulator: Tensor, multiplier: Tensor, bias: Tensor, exponent: int) -> bool:
    """Whether ``A_j c_j + (|b_j| + 1) 2^e <= 2^53`` for every channel, in Python integers."""
    channels = zip(accumulator.tolist(), multiplier.to(torch.int64).tolist(), bias.tolist(), strict=True)
    return all(a * c + ((abs(b) + 1) << exponent) <= REACH_LIMIT for a, c, b in channels)


def rounded_root(size: int) -> int:
    """``round(sqrt(size) * 2^20)`` by an integer root."""
    return (math.isqrt(size << (2 * NORM_BITS + 2)) + 1) >> 1


def score_multiplier(head_size: int) -> int:
    """``round(log2(e) / sqrt(head_size) * 2^20)``."""
    with mpmath.workprec(160):
        return int(mpmath.nint(mpmath.mpf(2) ** SCORE_BITS / (mpmath.log(2) * mpmath.sqrt(head_size))))
