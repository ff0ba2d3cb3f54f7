"""Llama models as GGUF files, quantised or not, with the tokenizer in the file's metadata."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from gguf import GGUFReader, ReaderTensor
from gguf.quants import dequantize
from torch import Tensor

from proofmill.exact.errors import ModelRefused, ModelUnavailable
from proofmill.exact.importers.gguf_tokenizer import read_text
from proofmill.exact.importers.llama_source import (
    LlamaConfig,
    LlamaSource,
    LlamaText,
    RenamedTensors,
    file_names,
    refuse_unknown_tensors,
)
from proofmill.exact.importers.packing import refuse, require_values

ARCHITECTURE: Final = "llama"
FREQUENCY_DIVISORS: Final = "rope_freqs.weight"

_LAYER_NAMES: Final = {
    "attention_norm": "attn_norm",
    "query": "attn_q",
    "key": "attn_k",
    "value": "attn_v",
    "attention_output": "attn_output",
    "feed_forward_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
_OTHER_NAMES: Final = {"embedding": "token_embd", "output_norm": "output_norm", "head": "output"}
_DEFAULT_THETA: Final = Fraction(10000)

#: What the reader raises on damaged files, depending on where the damage lies.
_DAMAGE: Final = (OSError, ValueError, KeyError, IndexError, TypeError, OverflowError, MemoryError)
_log = logging.getLogger(__name__)


class _Reader(GGUFReader):
    """The package's reader, which would otherwise loop over or hand out fields that lie beyond the end of a file."""

    def _get(
        self,
        offset: int,
        dtype: npt.DTypeLike,
        count: int = 1,
        override_order: Literal["I", "S", "<"] | None = None,
    ) -> npt.NDArray[Any]:
        if isinstance(self.data, np.memmap):
            # A plain view of the same mapping; slicing a memmap is many times slower, and metadata needs 10^5 slices.
            self.data = self.data.view(np.ndarray)  # type: ignore[assignment]
        end = int(offset) + np.dtype(dtype).itemsize * int(count)
        if end > len(self.data):
            raise ValueError(f"the file ends at {len(self.data)} bytes, before a field that ends at {end}")
        values: npt.NDArray[Any] = super()._get(offset, dtype, count, override_order)
        return values


class _GgufTensors(Mapping[str, Tensor]):
    """Tensors of a file by name; each look-up dequantises one to float32, which rounds each element on its own."""

    def __init__(self, tensors: list[ReaderTensor]) -> None:
        self._tensors = {tensor.name: tensor for tensor in tensors}

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(int(size) for size in reversed(self._tensors[name].shape.tolist()))

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._tensors[name]
        try:
            values = dequantize(tensor.data, tensor.tensor_type)
        except (NotImplementedError, ValueError, KeyError) as error:
            raise refuse(
                name, f"type {tensor.tensor_type.name} cannot be turned into floats: {error}"
            ) from error
        # Copied only where it is the file's mapping itself, which is not writable.
        return torch.from_numpy(np.require(values, np.float32, ["C", "W"])).reshape(self.shape(name))

    def __contains__(self, name: object) -> bool:
        return name in self._tensors  # the inherited form would dequantise it

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def read_gguf(path: Path) -> LlamaSource:
    """A GGUF file of architecture "llama"; its query and key rows are already in interleaved order.

    A tokenizer that is not understood leaves ``text`` None and is said in the log.

    Raises:
        ModelUnavailable: the file is missing, truncated or damaged.
        ModelRefused: another architecture, or a setting or tensor that is not supported; the message names it.
    """
    try:
        reader = _Reader(path)
        metadata = {name: field.contents() for name, field in reader.fields.items()}
    except _DAMAGE as error:
        raise ModelUnavailable(
            f"{path} cannot be read: {error}", remedy="Fetch the file again; it is incomplete or damaged."
        ) from error
    tensors = _GgufTensors(reader.tensors)
    config = _config(metadata, tensors)
    names = file_names(config.layers, "blk.", _LAYER_NAMES, _OTHER_NAMES)
    refuse_unknown_tensors(tensors, frozenset(names.values()) | {FREQUENCY_DIVISORS})
    return LlamaSource(config, RenamedTensors(tensors, names), _text(metadata))


def _text(metadata: Mapping[str, Any]) -> LlamaText | None:
    if "tokenizer.ggml.model" not in metadata:
        return None
    try:
        return read_text(metadata)
    except ModelRefused as error:
        _log.warning("the model can be imported, but not its tokenizer: %s", error)
        return None


def _config(metadata: Mapping[str, Any], tensors: _GgufTensors) -> LlamaConfig:
    architecture = metadata.get("general.architecture")
    if architecture != ARCHITECTURE:
        raise refuse("general.architecture", f"is {architecture!r}, only {ARCHITECTURE!r} is supported")

    def integer(key: str, default: int | None = None) -> int:
        value = metadata.get(f"{ARCHITECTURE}.{key}", default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise refuse(f"{ARCHITECTURE}.{key}", f"is {value!r}, expected a positive integer")
        return value

    size, heads = integer("embedding_length"), integer("attention.head_count")
    head_size = integer("attention.key_length", size // heads)
    for key in ("attention.value_length", "rope.dimension_count"):
        if integer(key, head_size) != head_size:
            raise refuse(f"{ARCHITECTURE}.{key}", f"differs from the head size {head_size}")
    if metadata.get(f"{ARCHITECTURE}.expert_count"):
        raise refuse(f"{ARCHITECTURE}.expert_count", "mixtures of experts are not supported")
    theta = metadata.get(f"{ARCHITECTURE}.rope.freq_base")
    epsilon_key = f"{ARCHITECTURE}.attention.layer_norm_rms_epsilon"
    if "token_embd.weight" not in tensors:
        raise refuse("token_embd.weight", "the tensor is missing")
    return LlamaConfig(
        vocabulary_size=tensors.shape("token_embd.weight")[0],
        positions=integer("context_length"),
        size=size,
        inner_size=integer("feed_forward_length"),
        layers=integer("block_count"),
        heads=heads,
        key_heads=integer("attention.head_count_kv", heads),
        head_size=head_size,
        epsilon=_decimal(epsilon_key, metadata.get(epsilon_key)),
        theta=_DEFAULT_THETA if theta is None else _decimal(f"{ARCHITECTURE}.rope.freq_base", theta),
        divisors=_divisors(metadata, tensors, head_size),
        tied="output.weight" not in tensors,
    )


def _decimal(key: str, value: object) -> Fraction:
    """The shortest decimal that a float32 setting stands for: 1e-05, not the float32 nearest to it."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not np.isfinite(value):
        raise refuse(key, f"is {value!r}, expected a number")
    return Fraction(str(np.float32(value)))


def _divisors(
    metadata: Mapping[str, Any], tensors: Mapping[str, Tensor], head_size: int
) -> tuple[Fraction, ...] | None:
    """Divisors of the rotary frequencies: a tensor of the file (Llama 3), a linear factor, or none."""
    prefix = f"{ARCHITECTURE}.rope."
    kind = metadata.get(f"{prefix}scaling.type", "none")
    factor = metadata.get(f"{prefix}scaling.factor", metadata.get(f"{prefix}scale_linear"))
    if kind not in ("none", "linear"):
        raise refuse(f"{prefix}scaling.type", f"is {kind!r}, which is not supported")
    if FREQUENCY_DIVISORS in tensors:
        if factor is not None:
            raise refuse(FREQUENCY_DIVISORS, "the file scales rotary frequencies in two ways")
        values = require_values(FREQUENCY_DIVISORS, tensors[FREQUENCY_DIVISORS], head_size // 2)
        return tuple(Fraction(value) for value in values.to(torch.float64).tolist())
    if factor is None or (kind == "none" and factor in (0, 1)):
        return None
    return (_decimal(f"{prefix}scaling.factor", factor),) * (head_size // 2)
