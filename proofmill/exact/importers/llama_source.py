"""A Llama model in floats, whatever file it came from: sizes, tensors by neutral names, and how its text becomes tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import torch
from tokenizers import Tokenizer
from torch import Tensor

from proofmill.exact.importers.packing import refuse, require_values

#: The linear operators of a layer by the neutral names of their tensors.
LAYER_LINEAR: Final = ("query", "key", "value", "attention_output", "gate", "up", "down")
LAYER_NORMS: Final = ("attention_norm", "feed_forward_norm")


@dataclass(frozen=True)
class LlamaConfig:
    """Sizes and constants of a Llama decoder; checked against the proved range when made (ModelRefused)."""

    vocabulary_size: int
    positions: int  # the model was made for
    size: int  # of the residual stream
    inner_size: int
    layers: int
    heads: int
    key_heads: int
    head_size: int
    epsilon: Fraction
    theta: Fraction  # base of the rotary frequencies
    divisors: tuple[Fraction, ...] | None = None  # of the rotary frequencies, head_size / 2 of them
    tied: bool = False  # the head's weights are the embedding's

    def __post_init__(self) -> None:
        sizes = {
            "vocabulary": self.vocabulary_size,
            "positions": self.positions,
            "size": self.size,
            "inner size": self.inner_size,
            "layers": self.layers,
            "heads": self.heads,
            "key heads": self.key_heads,
            "head size": self.head_size,
        }
        for name, value in sizes.items():
            if not 1 <= value <= 1 << 20:
                raise refuse("configuration", f"{name} is {value}, expected 1 to {1 << 20}")
        if self.heads % self.key_heads:
            raise refuse(
                "configuration", f"{self.heads} query heads do not share {self.key_heads} key heads evenly"
            )
        if self.head_size % 2 or self.head_size > 256:
            raise refuse("configuration", f"heads of {self.head_size}, expected an even size up to 256")

    def linear_shape(self, name: str) -> tuple[int, int]:
        """Outputs and inputs of a layer's linear operator."""
        queries, keys = self.heads * self.head_size, self.key_heads * self.head_size
        return {
            "query": (queries, self.size),
            "key": (keys, self.size),
            "value": (keys, self.size),
            "attention_output": (self.size, queries),
            "gate": (self.inner_size, self.size),
            "up": (self.inner_size, self.size),
            "down": (self.size, self.inner_size),
        }[name]


@dataclass(frozen=True)
class LlamaText:
    """From text to tokens and back, as the model's files say.

    ``digest`` is a sha256 that identifies the tokenizer; ``begin_token`` is put before a text where ``adds_begin_token``; a
    generation stops at any of ``end_tokens``; ``chat_template`` is a Jinja template or empty.
    """

    tokenizer: Tokenizer
    digest: str
    begin_token: int | None
    adds_begin_token: bool
    end_tokens: tuple[int, ...]
    chat_template: str = ""


@dataclass(frozen=True)
class LlamaSource:
    """Configuration and float tensors under neutral names.

    ``embedding.weight`` [V, D], ``layer.<n>.<linear>.weight`` [out, in] with an optional ``.bias``, ``layer.<n>.<norm>.weight``
    [D], ``output_norm.weight`` [D] and, unless tied, ``head.weight`` [V, D]. Rows of query and key are in interleaved order:
    components 2i and 2i + 1 of a head turn together. Each look-up may read a file, so tensors are not kept. ``text`` is None
    where the files hold no tokenizer that is understood.
    """

    config: LlamaConfig
    tensors: Mapping[str, Tensor]
    text: LlamaText | None = None

    def take(self, name: str, *shape: int) -> Tensor:
        """A tensor after checking it; ModelRefused if it is missing, not finite or of another shape."""
        if name not in self.tensors:
            raise refuse(name, "the tensor is missing")
        return require_values(name, self.tensors[name], *shape)

    def linear(self, layer: int, *names: str) -> tuple[Tensor, Tensor | None]:
        """Weights and, if any part has one, biases of a layer's linear operators stacked by rows."""
        weights, biases, biased = [], [], False
        for name in names:
            outputs, inputs = self.config.linear_shape(name)
            place = f"layer.{layer}.{name}"
            weights.append(self.take(f"{place}.weight", outputs, inputs))
            if f"{place}.bias" in self.tensors:
                biases.append(self.take(f"{place}.bias", outputs).to(torch.float64))
                biased = True
            else:
                biases.append(torch.zeros(outputs, dtype=torch.float64))
        return torch.cat(weights), torch.cat(biases) if biased else None

    def head(self) -> Tensor:
        """Weights of the language-model head [V, D]."""
        name = "embedding.weight" if self.config.tied else "head.weight"
        return self.take(name, self.config.vocabulary_size, self.config.size)


class RenamedTensors(Mapping[str, Tensor]):
    """Tensors of a file under neutral names, read on look-up.

    ``names`` maps neutral names to the file's. Names in ``half_split`` are query or key rows whose rotary pairs lie half a head
    of ``head_size`` apart; they come out interleaved.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        names: Mapping[str, str],
        half_split: frozenset[str] = frozenset(),
        head_size: int = 2,
    ) -> None:
        self._tensors = tensors
        self._names = {neutral: name for neutral, name in names.items() if name in tensors}
        self._half_split = half_split
        self._head_size = head_size

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._tensors[self._names[name]]
        if name in self._half_split:
            if len(tensor) % self._head_size:
                raise refuse(self._names[name], f"{len(tensor)} rows are no heads of {self._head_size}")
            return interleaved(tensor, self._head_size)
        return tensor

    def __contains__(self, name: object) -> bool:
        return name in self._names  # the inherited form would read it

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def interleaved(rows: Tensor, head_size: int) -> Tensor:
    """Rows of heads reordered from pairs (i, i + head_size / 2) to pairs (2i, 2i + 1); weights or biases.

    Both orders give the same scores, since query and key are reordered alike. Source: the two layouts of rotary embeddings in
    Llama's reference code (interleaved) and in Hugging Face Transformers (half-split).
    """
    heads = rows.reshape(-1, 2, head_size // 2, *rows.shape[1:])
    return heads.transpose(1, 2).reshape(rows.shape)


def file_names(
    layers: int, layer_prefix: str, layer_names: Mapping[str, str], others: Mapping[str, str]
) -> dict[str, str]:
    """Neutral name to file name of every tensor a Llama model of that many layers may hold, biases included."""
    names = {f"{neutral}.weight": f"{name}.weight" for neutral, name in others.items()}
    for layer in range(layers):
        for neutral, name in layer_names.items():
            place = f"{layer_prefix}{layer}.{name}"
            names[f"layer.{layer}.{neutral}.weight"] = f"{place}.weight"
            if neutral in LAYER_LINEAR:
                names[f"layer.{layer}.{neutral}.bias"] = f"{place}.bias"
    return names


def refuse_unknown_tensors(found: Mapping[str, Tensor], known: frozenset[str]) -> None:
    """ModelRefused if a file holds a tensor the architecture has no place for: ignoring it would compute another model."""
    unknown = sorted(set(found) - known)
    if unknown:
        raise refuse(
            unknown[0], f"is no tensor of a Llama model ({len(unknown)} such tensors in the model's files)"
        )
