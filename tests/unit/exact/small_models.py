"""Models of every family with random weights, small enough for the big-integer interpreter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from proofmill.exact.importers.bert import import_bert
from proofmill.exact.importers.calibration import LlamaFractions
from proofmill.exact.importers.cnn import ImageInput, import_cnn
from proofmill.exact.importers.cnn_layers import AveragePool, Convolution, Flatten, Linear, MaxPool, Rectifier
from proofmill.exact.importers.llama import import_llama
from proofmill.exact.importers.llama_source import LlamaConfig, LlamaSource
from proofmill.exact.program.model import Model, Profile
from tests.unit.exact.published_models import BERT_CONFIG, bert_tensors

VOCABULARY = 29
POSITIONS = 24


def _random(generator: torch.Generator) -> Callable[..., Tensor]:
    return lambda *shape: torch.randn(*shape, generator=generator)


def small_bert(
    profile: Profile, *, size: int = 12, heads: int = 3, layers: int = 2, inner: int = 20
) -> Model:
    """An encoder of sentences."""
    source, config = _bert_source(size, heads, layers, inner)
    return import_bert(source, config, profile, name="small-bert")


def small_bert_folder(path: Path) -> None:
    """The same encoder as its publishers would ship it."""
    source, config = _bert_source(12, 3, 2, 20)
    path.mkdir()
    save_file(source, path / "model.safetensors")
    text = json.dumps({**config, "layer_norm_eps": float(config["layer_norm_eps"])})
    (path / "config.json").write_text(text)


def _bert_source(
    size: int, heads: int, layers: int, inner: int
) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    config = {
        **BERT_CONFIG,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": POSITIONS,
        "hidden_size": size,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "intermediate_size": inner,
    }
    return bert_tensors(config), config


def small_llama(profile: Profile, *, tied: bool = True, layers: int = 2) -> Model:
    """A language model with grouped queries: 4 heads share 2 key heads."""
    random = _random(torch.Generator().manual_seed(2))
    size, heads, key_heads, head_size, inner = 16, 4, 2, 6, 20
    config = LlamaConfig(
        vocabulary_size=VOCABULARY,
        positions=POSITIONS,
        size=size,
        inner_size=inner,
        layers=layers,
        heads=heads,
        key_heads=key_heads,
        head_size=head_size,
        epsilon=Fraction(1, 100000),
        theta=Fraction(10000),
        tied=tied,
    )
    tensors = {"embedding.weight": random(VOCABULARY, size), "output_norm.weight": 1 + random(size) / 4}
    if not tied:
        tensors["head.weight"] = random(VOCABULARY, size)
    for layer in range(layers):
        for name in ("query", "key", "value", "attention_output", "gate", "up", "down"):
            shape = config.linear_shape(name)
            tensors[f"layer.{layer}.{name}.weight"] = random(*shape) / shape[1] ** 0.5
        for name in ("attention_norm", "feed_forward_norm"):
            tensors[f"layer.{layer}.{name}.weight"] = 1 + random(size) / 4
    fractions = LlamaFractions(residual=13, hidden=15, logits=14)
    source = LlamaSource(config, tensors)
    return import_llama(source, profile, name="small-llama", maximum_tokens=POSITIONS, fractions=fractions)


def small_cnn(profile: Profile) -> Model:
    """Two convolutions, both kinds of pool, two linear layers; images of 7 by 6 with 2 channels."""
    random = _random(torch.Generator().manual_seed(3))
    half = Fraction(1, 2)
    layers = [
        Convolution("first", random(3, 2, 3, 3) / 4, random(3), stride=1, padding=1),
        Rectifier(),
        MaxPool("greatest", 2, 2),
        Convolution("second", random(5, 3, 2, 2) / 3, None, stride=1, padding=1),
        Rectifier(),
        AveragePool("mean", 2, 1),
        Flatten(),
        Linear("hidden", random(7, 5 * 3 * 3) / 6, random(7)),
        Rectifier(),
        Linear("classes", random(4, 7) / 2, random(4)),
    ]
    image = ImageInput(7, 6, (half, Fraction(1, 4)), (half, Fraction(1, 3)))
    return import_cnn(layers, image, profile, name="small-cnn", labels=("a", "b", "c", "d"))
