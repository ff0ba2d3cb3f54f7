"""A BERT sentence encoder as an integer program.

:func:`specification` is the program written with ``operators.py``, one sequence at a time. :class:`Encoder`
computes the same integers fast: rows of many sequences are stacked without padding, because every operator
but attention works on single rows, and attention runs over sequences of equal length together. So no
sequence's answer can depend on the batch it was computed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from proofmill.exact import kernels, operators
from proofmill.exact.carriers import Carrier
from proofmill.exact.errors import InvalidManifest
from proofmill.exact.kernels import LinearKernel, NormKernel
from proofmill.exact.manifest import Constants, Dimensions, Manifest

LINEAR_NAMES = ("query_key_value", "attention_output", "up", "down")
NORM_NAMES = ("attention_norm", "output_norm")

#: Rows per block of a row-wise operator and numbers per block of attention scores: what stays in cache.
ROWS_PER_BLOCK = 512
SCORES_PER_BLOCK = 1 << 18


def tensor_layout(dimensions: Dimensions) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name, type and shape of every packed tensor of an encoder."""
    size, inner = dimensions.embedding_size, dimensions.intermediate_size
    layout: dict[str, tuple[str, tuple[int, ...]]] = {
        "embedding.word": ("int32", (dimensions.vocabulary_size, size)),
        "embedding.position": ("int32", (dimensions.position_count, size)),
    }
    norms = ["embedding.norm"]
    sizes = {"query_key_value": (3 * size, size), "up": (inner, size), "down": (size, inner)}
    for index in range(dimensions.layer_count):
        for name in LINEAR_NAMES:
            outputs, inputs = sizes.get(name, (size, size))
            prefix = f"layer.{index}.{name}"
            layout[f"{prefix}.weight"] = ("int8", (outputs, inputs))
            layout[f"{prefix}.multiplier"] = ("int32", (outputs,))
            layout[f"{prefix}.bias"] = ("int32", (outputs,))
        norms.extend(f"layer.{index}.{name}" for name in NORM_NAMES)
    for name in norms:
        layout[f"{name}.gamma"] = layout[f"{name}.beta"] = ("int32", (size,))
    return layout


def check_layout(manifest: Manifest) -> None:
    """Refuse a manifest whose tensors or shifts are not exactly those its dimensions call for."""
    layout = tensor_layout(manifest.dimensions)
    listed = {name: (entry.dtype, entry.shape) for name, entry in manifest.tensors.items()}
    shifts = {name.removesuffix(".weight") for name in layout if name.endswith(".weight")}
    differing = sorted(
        {name for name, _ in layout.items() ^ listed.items()} | (shifts ^ set(manifest.shifts))
    )
    if differing:
        raise InvalidManifest(
            f"model manifest: tensors or shifts do not fit the dimensions: {', '.join(differing[:5])}",
            remedy="Use a manifest written by this version of Proofmill.",
        )


def specification(
    token_ids: Sequence[int],
    constants: Constants,
    heads: int,
    shifts: Mapping[str, int],
    tensors: Mapping[str, Tensor],
) -> Tensor:
    """The program in the defining operators: token ids of one sequence give its embedding [D], Q.24 in int64."""

    def get(name: str) -> Tensor:
        return tensors[name].to(torch.int64)

    def linear(x: Tensor, name: str) -> Tensor:
        parts = (get(f"{name}.weight"), get(f"{name}.multiplier"), get(f"{name}.bias"))
        return operators.linear(x, *parts, shifts[name])

    def norm(x: Tensor, name: str) -> Tensor:
        parameters = get(f"{name}.gamma"), get(f"{name}.beta")
        return operators.layer_norm(x, *parameters, constants.layer_norm_epsilon, constants.layer_norm_root)

    ids = torch.tensor(token_ids, dtype=torch.int64)
    x = norm(operators.embedding_sum(ids, get("embedding.word"), get("embedding.position")), "embedding.norm")
    for index in range(len(shifts) // len(LINEAR_NAMES)):
        layer = f"layer.{index}"
        qkv = linear(x, f"{layer}.query_key_value")
        mixed = operators.attention(qkv, heads, constants.score_multiplier)
        branch = linear(mixed, f"{layer}.attention_output")
        x = norm(operators.residual_add(x, branch), f"{layer}.attention_norm")
        branch = linear(operators.gelu(linear(x, f"{layer}.up")), f"{layer}.down")
        x = norm(operators.residual_add(x, branch), f"{layer}.output_norm")
    return operators.mean_pool_normalise(x)


@dataclass(frozen=True)
class _Layer:
    query_key_value: LinearKernel
    attention_output: LinearKernel
    attention_norm: NormKernel
    up: LinearKernel
    down: LinearKernel
    output_norm: NormKernel


class Encoder:
    """The program in fast kernels; immutable after construction."""

    def __init__(self, manifest: Manifest, tensors: Mapping[str, Tensor], carrier: Carrier) -> None:
        check_layout(manifest)
        self._carrier = carrier
        self._heads = manifest.dimensions.head_count
        self._score_multiplier = manifest.constants.score_multiplier
        self._word = tensors["embedding.word"]
        self._position = tensors["embedding.position"]

        def linear(name: str) -> LinearKernel:
            weight, multiplier, bias = (
                tensors[f"{name}.{part}"] for part in ("weight", "multiplier", "bias")
            )
            return LinearKernel.build(carrier, weight, multiplier, bias, manifest.shifts[name])

        def norm(name: str) -> NormKernel:
            constants = manifest.constants
            parts = tensors[f"{name}.gamma"], tensors[f"{name}.beta"]
            return NormKernel.build(*parts, constants.layer_norm_epsilon, constants.layer_norm_root)

        self._embedding_norm = norm("embedding.norm")
        self._layers = tuple(
            _Layer(
                query_key_value=linear(f"layer.{index}.query_key_value"),
                attention_output=linear(f"layer.{index}.attention_output"),
                attention_norm=norm(f"layer.{index}.attention_norm"),
                up=linear(f"layer.{index}.up"),
                down=linear(f"layer.{index}.down"),
                output_norm=norm(f"layer.{index}.output_norm"),
            )
            for index in range(manifest.dimensions.layer_count)
        )

    def run(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        """Embeddings int64 [n, D] in Q.24 of sequences sorted by length, longest or shortest first."""
        lengths = [len(sequence) for sequence in sequences]
        groups = [(length, len(list(group))) for length, group in groupby(lengths)]
        ids = torch.tensor([token for sequence in sequences for token in sequence], dtype=torch.int64)
        places = torch.cat([torch.arange(length) for length in lengths])
        x = self._by_rows(
            lambda i, p: self._embedding_norm((self._word[i] + self._position[p]).to(torch.float64)),
            ids,
            places,
        )
        for layer in self._layers:
            x = self._layer(layer, x, groups)
        return torch.cat([kernels.mean_pool_normalise(rows) for rows in _by_length(x, groups)])

    def _layer(self, layer: _Layer, x: Tensor, groups: Sequence[tuple[int, int]]) -> Tensor:
        carrier = self._carrier

        def operands(rows: Tensor) -> tuple[Tensor, Tensor]:
            y = layer.query_key_value(carrier, rows)
            return kernels.quantise(y.view(len(rows), 3 * self._heads, -1))

        def rest(mixed: Tensor, rows: Tensor) -> Tensor:
            branch = layer.attention_output(carrier, mixed)
            y = layer.attention_norm(kernels.residual_add(branch, rows))
            hidden = kernels.gelu(layer.up(carrier, y))
            return layer.output_norm(kernels.residual_add(layer.down(carrier, hidden), y))

        blocks = [operands(rows) for rows in torch.split(x, ROWS_PER_BLOCK)]
        values, exponents = torch.cat([q for q, _ in blocks]), torch.cat([k for _, k in blocks])
        mixed = torch.empty_like(x)
        start = 0
        for q, k in zip(_by_length(values, groups), _by_length(exponents, groups), strict=True):
            step = max(1, SCORES_PER_BLOCK // (self._heads * q.shape[1] ** 2))
            for part in range(0, len(q), step):
                rows = self._attention(q[part : part + step], k[part : part + step])
                mixed[start : start + len(rows)] = rows
                start += len(rows)
        return self._by_rows(rest, mixed, x)

    def _attention(self, operands: Tensor, exponents: Tensor) -> Tensor:
        """Sequences of one length: quantised [B, L, 3H, d] and exponents [B, L, 3H, 1] give rows [B L, D]."""
        count, length, _, width = operands.shape
        query, key, value = operands.view(count, length, 3, self._heads, width).permute(2, 0, 3, 1, 4)
        kq, kk, kv = exponents.view(count, length, 3, self._heads, 1).permute(2, 0, 3, 1, 4)
        scores = kernels.attention_scores(self._carrier, query, kq, key, kk, self._score_multiplier)
        mixed = kernels.attention_values(self._carrier, kernels.softmax_weights(scores), value, kv)
        mixed = mixed.clamp_(-operators.SATURATION, operators.SATURATION)
        return mixed.permute(0, 2, 1, 3).reshape(count * length, self._heads * width)

    @staticmethod
    def _by_rows(function: Callable[[Tensor, Tensor], Tensor], *tensors: Tensor) -> Tensor:
        """Apply a row-wise function block by block, so that its intermediates stay in cache."""
        blocks = zip(*(torch.split(tensor, ROWS_PER_BLOCK) for tensor in tensors), strict=True)
        return torch.cat([function(*block) for block in blocks])


def _by_length(rows: Tensor, groups: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    """Cut stacked rows into [count, length, ...] views, one per run of equally long sequences."""
    start = 0
    for length, count in groups:
        stop = start + length * count
        yield rows[start:stop].view(count, length, *rows.shape[1:])
        start = stop
