"""The float model an exact Llama is converted from, in plain PyTorch: fused attention, a key-value cache, greedy decoding."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import embedding, linear, rms_norm, scaled_dot_product_attention, silu

from proofmill.exact.importers.llama_source import LlamaSource


@dataclass
class FloatCache:
    """Keys and values [B, heads, T, d] of every layer so far."""

    layers: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    @property
    def length(self) -> int:
        return self.layers[0][0].shape[2] if self.layers else 0


@dataclass(frozen=True)
class _Layer:
    attention_norm: Tensor
    query_key_value: tuple[Tensor, Tensor | None]
    attention_output: tuple[Tensor, Tensor | None]
    feed_forward_norm: Tensor
    gate_up: tuple[Tensor, Tensor | None]
    down: tuple[Tensor, Tensor | None]


class FloatLlama:
    """Logits in the floating-point type asked for. All weights are held; sequences of a batch have equal length."""

    def __init__(self, source: LlamaSource, dtype: torch.dtype) -> None:
        self._config = config = source.config

        def vector(name: str) -> Tensor:
            return source.take(f"{name}.weight", config.size).to(dtype)

        def pair(layer: int, *names: str) -> tuple[Tensor, Tensor | None]:
            weight, bias = source.linear(layer, *names)
            return weight.to(dtype), None if bias is None else bias.to(dtype)

        self._embedding = source.take("embedding.weight", config.vocabulary_size, config.size).to(dtype)
        self._head = self._embedding if config.tied else source.head().to(dtype)
        self._norm = vector("output_norm")
        self._layers = [
            _Layer(
                attention_norm=vector(f"layer.{layer}.attention_norm"),
                query_key_value=pair(layer, "query", "key", "value"),
                attention_output=pair(layer, "attention_output"),
                feed_forward_norm=vector(f"layer.{layer}.feed_forward_norm"),
                gate_up=pair(layer, "gate", "up"),
                down=pair(layer, "down"),
            )
            for layer in range(config.layers)
        ]
        self._dtype = dtype
        self._cosine, self._sine = self._rotations(config.positions)

    @torch.no_grad()
    def logits(self, ids: Tensor, cache: FloatCache | None = None, *, tail: int | None = None) -> Tensor:
        """ids [B, T] continue what the cache holds; logits [B, T, V], or of the last ``tail`` places only."""
        config = self._config
        x = embedding(ids, self._embedding)
        start = cache.length if cache is not None else 0
        rotation = self._cosine[start : start + ids.shape[1]], self._sine[start : start + ids.shape[1]]
        for number, layer in enumerate(self._layers):
            columns = linear(self._normalise(x, layer.attention_norm), *layer.query_key_value)
            heads = columns.view(*ids.shape, -1, config.head_size).transpose(1, 2)
            query, key, value = torch.split(heads, [config.heads, config.key_heads, config.key_heads], dim=1)
            query, key = _rotate(query, rotation), _rotate(key, rotation)
            if cache is not None:
                if number < len(cache.layers):
                    key, value = (
                        torch.cat((old, new), dim=2)
                        for old, new in zip(cache.layers[number], (key, value), strict=True)
                    )
                    cache.layers[number] = (key, value)
                else:
                    cache.layers.append((key, value))
            mixed = scaled_dot_product_attention(
                query, key, value, attn_mask=_mask(ids.shape[1], start), enable_gqa=True,
                is_causal=ids.shape[1] > 1 and start == 0,
            )  # fmt: skip
            x = x + linear(mixed.transpose(1, 2).flatten(2), *layer.attention_output)
            gate, up = linear(self._normalise(x, layer.feed_forward_norm), *layer.gate_up).chunk(2, -1)
            x = x + linear(silu(gate) * up, *layer.down)
        if tail is not None:
            x = x[:, -tail:]
        return linear(self._normalise(x, self._norm), self._head)

    def generate(self, prompt: list[int], count: int) -> list[int]:
        """``count`` greedy tokens after the prompt."""
        cache = FloatCache()
        ids, tokens = torch.tensor([prompt]), []
        for _ in range(count):
            token = int(self.logits(ids, cache, tail=1)[0, -1].argmax())
            tokens.append(token)
            ids = torch.tensor([[token]])
        return tokens

    def _normalise(self, x: Tensor, gain: Tensor) -> Tensor:
        return rms_norm(x, x.shape[-1:], gain, float(self._config.epsilon))

    def _rotations(self, positions: int) -> tuple[Tensor, Tensor]:
        config = self._config
        frequencies = float(config.theta) ** (
            -torch.arange(0, config.head_size, 2, dtype=torch.float64) / config.head_size
        )
        if config.divisors is not None:
            frequencies /= torch.tensor([float(one) for one in config.divisors], dtype=torch.float64)
        angles = torch.outer(torch.arange(positions, dtype=torch.float64), frequencies)
        return angles.cos().to(self._dtype), angles.sin().to(self._dtype)


def _mask(rows: int, start: int) -> Tensor | None:
    """What rows may see when they continue a cache; one row alone, or a whole sequence, needs no mask."""
    if start == 0 or rows == 1:
        return None
    return torch.arange(start + rows) <= start + torch.arange(rows)[:, None]


def _rotate(heads: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = rotation
    first, second = heads[..., 0::2], heads[..., 1::2]
    return torch.stack((first * cosine - second * sine, first * sine + second * cosine), -1).flatten(-2)
