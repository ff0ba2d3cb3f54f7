"""An operator's output as tiles of rows, in the integers that are hashed.

Rows of most operators need only the same rows of their inputs. Attention rows need the whole operand, and are made from
the scores up for a few rows at a time, so that no T by T matrix exists for all heads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import torch
from torch import Tensor

from proofmill.exact import ops
from proofmill.exact.commitment.descriptor import OperatorDescriptor
from proofmill.exact.errors import InvalidOperand
from proofmill.exact.kernels.interface import AttentionShape, Kernels, Operand
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace import attention, witnesses

Parts = Mapping[str, Tensor]
Stored = Tensor | Operand

TILE_ELEMENTS: Final = 1 << 21  # integers of one tile, about
LINEAR_TILE_ELEMENTS: Final = 1 << 24
_WEIGHT_TILE_ELEMENTS: Final = 1 << 22
_DRAW_TILE_ELEMENTS: Final = 1 << 18  # a draw works on 64 bits of each number apart


@dataclass(frozen=True)
class Tile:
    """Rows of an output: what is hashed, and the same values as later operators read them."""

    values: Tensor  # [R, sections, n]
    witness: Tensor | None
    stored: Stored | None  # None for what later operators make again: scores and weights


class Producer:
    """Makes any rows of one operator's output from its inputs, which are kept while it lives."""

    def __init__(
        self,
        operator: OperatorDescriptor,
        rows: int,
        inputs: Sequence[Stored | Producer],
        parts: Parts,
        kernels: Kernels | None,
        sampling: Sampling | None,
    ) -> None:
        self.operator, self.row_count = operator, rows
        self._inputs, self._parts, self._kernels, self._sampling = inputs, parts, kernels, sampling
        self._prepared: Any = None
        self._last: tuple[int, int, object] | None = None

    @property
    def tile_rows(self) -> int:
        """How many rows to make at once."""
        kind, output = self.operator.kind, self.operator.output
        if kind in _WHOLE:
            return self.row_count
        if kind in ("scores", "softmax", "mix"):
            heads = self.operator.constants["heads"]
            return max(1, TILE_ELEMENTS // (2 * heads * self.row_count))
        if kind == "linear":
            return max(1, LINEAR_TILE_ELEMENTS // output.width)
        if kind == "choose":
            budget = _DRAW_TILE_ELEMENTS if self._sampling else TILE_ELEMENTS
            return max(1, budget // self.operator.inputs[0].shape.width)
        widest = max(output.width, *(value.shape.width for value in self.operator.inputs))
        return max(1, TILE_ELEMENTS // widest)

    def tile(self, start: int, stop: int) -> Tile:
        """Rows ``start`` to ``stop``."""
        kind = self.operator.kind
        if kind == "scores":
            return Tile(self._scores(start, stop), None, None)
        if kind == "softmax":
            softmax = self._softmax(start, stop)
            return Tile(softmax.weights, softmax.witness(), None)
        if kind == "mix":
            shape, rows = self._attention_rows(start, stop)
            output, running = attention.mix(
                self._source("softmax")._softmax(start, stop), self._operand(1), shape, rows
            )
            return Tile(output[:, None], running, output.to(torch.int32))
        if kind == "quantise":
            return self._quantise(start, stop)
        output = self._whole(kind, start, stop) if kind in _WHOLE else self._rows(kind, start, stop)
        return Tile(output[:, None], self._witness(start, stop), output.to(torch.int32))

    def supplement(self) -> Tensor | None:
        """What is committed beside the rows: [rows, 1, n], or None."""
        if self.operator.columns:
            x = self._activation(0)
            values = ops.quantise(x.to(torch.int64), self.operator.constants["group"])[0]
            return witnesses.value_columns(values, self.operator.first_column, self.operator.columns)
        if self.operator.kind == "unit_mean":
            return witnesses.running_rows(self._activation(0))
        return None

    def _activation(self, which: int) -> Tensor:
        value = self._inputs[which]
        if not isinstance(value, Tensor):
            raise InvalidOperand(
                f"{self.operator.kind}: input {which} is no activation", remedy="Check the program."
            )
        return value

    def _operand(self, which: int) -> Operand:
        value = self._inputs[which]
        if not isinstance(value, Operand):
            raise InvalidOperand(
                f"{self.operator.kind}: input {which} is no operand", remedy="Check the program."
            )
        return value

    def _source(self, kind: str) -> Producer:
        value = self._inputs[0]
        if not isinstance(value, Producer) or value.operator.kind != kind:
            raise InvalidOperand(f"{self.operator.kind}: input 0 is no {kind}", remedy="Check the program.")
        return value

    # ------------------------------------------------------------------------------------------- attention

    def _attention_rows(self, start: int, stop: int) -> tuple[AttentionShape, attention.Rows]:
        c = self.operator.constants
        shape = AttentionShape(
            c["heads"], c["key_heads"], c["head_size"], c.get("multiplier", 0), bool(c["causal"])
        )
        return shape, attention.select_rows(self.row_count, shape.causal, start, stop)

    def _scores(self, start: int, stop: int) -> Tensor:
        def make() -> Tensor:
            shape, rows = self._attention_rows(start, stop)
            return attention.scores(self._operand(0), shape, rows)

        return cast(Tensor, self._remember(start, stop, make))

    def _softmax(self, start: int, stop: int) -> attention.SoftmaxTile:
        def make() -> attention.SoftmaxTile:
            shape, rows = self._attention_rows(start, stop)
            z = self._source("scores")._scores(start, stop)
            return attention.softmax(z, self._operand(1), shape, rows)

        return cast(attention.SoftmaxTile, self._remember(start, stop, make))

    def _remember(self, start: int, stop: int, make: Callable[[], object]) -> object:
        """The last tile is asked for again by the operators that follow."""
        if self._last is None or self._last[:2] != (start, stop):
            self._last = (start, stop, make())
        return self._last[2]

    # ------------------------------------------------------------------------------------------- row by row

    def _quantise(self, start: int, stop: int) -> Tile:
        x, group = self._activation(0)[start:stop], self.operator.constants["group"]
        if self._kernels is not None:
            operand = self._kernels.quantise(x.contiguous().to(self._kernels.device), group)
            stored = Operand(operand.values.cpu(), operand.exponents.cpu())
        else:
            q, k = ops.quantise(x.to(torch.int64), group)
            stored = Operand(q.to(torch.int16), k.to(torch.uint8))
        return Tile(witnesses.operand_rows(x, stored.values, stored.exponents), None, stored)

    def _rows(self, kind: str, start: int, stop: int) -> Tensor:
        if kind == "linear":
            return self._linear(start, stop)
        if kind == "choose":
            return self._choose(start, stop)
        if self._kernels is not None and kind in _KERNELS:
            return self._by_kernel(self._kernels, kind, start, stop).cpu()
        inputs = [self._activation(i)[start:stop] for i in range(len(self.operator.inputs))]
        positions = torch.arange(start, stop)
        return _ROWS[kind]([_wide(x) for x in inputs], positions, self._parts, self.operator.constants)

    def _linear(self, start: int, stop: int) -> Tensor:
        x, shift = self._operand(0), self.operator.constants["shift"]
        weight, multiplier, bias = (self._parts[part] for part in ("weight", "multiplier", "bias"))
        if self._kernels is not None:
            device = self._kernels.device
            if self._prepared is None:
                w, c, b = (part.to(device) for part in (weight, multiplier, bias))
                self._prepared = self._kernels.prepare_linear(w, c, b, shift)
            values, exponents = (part[start:stop].contiguous().to(device) for part in (x.values, x.exponents))
            return self._kernels.linear(Operand(values, exponents), self._prepared).cpu()
        q, k = _wide(x.values[start:stop]), _wide(x.exponents[start:stop])
        output = torch.empty(stop - start, len(weight), dtype=torch.int32)
        step = max(1, _WEIGHT_TILE_ELEMENTS // weight.shape[1])
        for first in range(0, len(weight), step):
            channels = slice(first, first + step)
            w, c, b = (_wide(part[channels]) for part in (weight, multiplier, bias))
            output[:, channels] = ops.linear(q, k, w, c, b, shift)
        return output

    def _choose(self, start: int, stop: int) -> Tensor:
        logits = self._activation(0)[start:stop]
        if self._sampling is None:
            return ops.choose_greedy(logits)[:, None]
        bits = self.operator.constants["fraction_bits"]
        sampling = self._sampling
        positions = torch.arange(start, stop)
        return ops.choose(logits, positions, sampling.inverse_temperature, sampling.seed, bits)[:, None]

    def _by_kernel(self, kernels: Kernels, kind: str, start: int, stop: int) -> Tensor:
        inputs = [self._activation(i)[start:stop] for i in range(len(self.operator.inputs))]
        x, *others = (value.contiguous().to(kernels.device) for value in inputs)
        constants = self.operator.constants
        parts = {name: part.to(kernels.device) for name, part in self._parts.items()}
        if kind in ("layer_norm", "rms_norm"):
            if self._prepared is None:
                self._prepared = kernels.prepare_norm(
                    parts["gamma"],
                    parts["beta"],
                    constants["epsilon"],
                    constants["root"],
                    centred=kind == "layer_norm",
                )
            return _values(kernels.norm(x, self._prepared).values)
        if kind == "gelu":
            return _values(kernels.gelu(x).values)
        if kind == "relu":
            return _values(kernels.relu(x).values)
        if kind == "gated_silu":
            return _values(kernels.gated_silu(x, constants["shift"]).values)
        if kind == "rotate":
            turned = kernels.rotate(
                x,
                torch.arange(start, stop, device=kernels.device),
                parts["cosine"],
                parts["sine"],
                constants["columns"],
                constants["head_size"],
            )
            return _values(turned.values)
        return kernels.add(x, *others)

    # ----------------------------------------------------------------------------------- all rows at once

    def _whole(self, kind: str, start: int, stop: int) -> Tensor:
        x = _wide(self._activation(0))
        output: Tensor = _WHOLE[kind](x, self.operator.constants)
        return output[start:stop]

    def _witness(self, start: int, stop: int) -> Tensor | None:
        kind, constants = self.operator.kind, self.operator.constants
        if kind in ("layer_norm", "rms_norm"):
            return witnesses.norm_witness(
                self._activation(0)[start:stop], **constants, centred=kind == "layer_norm"
            )
        if kind == "unit_mean":
            return witnesses.unit_mean_witness(_wide(self._activation(0)).sum(0, keepdim=True))
        if kind == "max_pool":
            return witnesses.max_pool_witness(self._activation(0), **constants)[start:stop]
        if kind == "average_pool":
            return witnesses.average_pool_witness(self._activation(0), **constants)[start:stop]
        return None


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.int64)


def _values(x: Tensor | None) -> Tensor:
    assert x is not None  # the default form of every kernel holds values
    return x


Constants = Mapping[str, int]
RowFunction = Callable[[list[Tensor], Tensor, Parts, Constants], Tensor]


def _embedding(inputs: list[Tensor], positions: Tensor, parts: Parts, constants: Constants) -> Tensor:
    """Only the rows asked for are widened: the table may be most of the model."""
    ids = inputs[0][:, 0]
    table = parts["rows"]
    if int(ids.min()) < 0 or int(ids.max()) >= len(table):
        raise InvalidOperand(
            f"token ids in [{int(ids.min())}, {int(ids.max())}] for {len(table)} rows",
            remedy="Check the tokens.",
        )
    return _wide(table[ids])


def _position_embedding(
    inputs: list[Tensor], positions: Tensor, parts: Parts, constants: Constants
) -> Tensor:
    return ops.position_embedding(inputs[1], positions, _wide(parts["rows"]))


def _rotate(inputs: list[Tensor], positions: Tensor, parts: Parts, constants: Constants) -> Tensor:
    cosine, sine = _wide(parts["cosine"]), _wide(parts["sine"])
    return ops.rotate(inputs[0], positions, cosine, sine, constants["columns"], constants["head_size"])


def _norm(function: Callable[[Tensor, Tensor, Tensor, int, int], Tensor]) -> RowFunction:
    def norm(inputs: list[Tensor], positions: Tensor, parts: Parts, constants: Constants) -> Tensor:
        gamma, beta = _wide(parts["gamma"]), _wide(parts["beta"])
        return function(inputs[0], gamma, beta, constants["epsilon"], constants["root"])

    return norm


_ROWS: Final[Mapping[str, RowFunction]] = {
    "embedding": _embedding,
    "position_embedding": _position_embedding,
    "layer_norm": _norm(ops.layer_norm),
    "rms_norm": _norm(ops.rms_norm),
    "add": lambda x, t, parts, c: ops.add(x[0], x[1]),
    "gelu": lambda x, t, parts, c: ops.gelu(x[0]),
    "relu": lambda x, t, parts, c: ops.relu(x[0]),
    "gated_silu": lambda x, t, parts, c: ops.gated_silu(x[0], c["shift"]),
    "rotate": _rotate,
    "pixels": lambda x, t, parts, c: ops.pixels(x[0], _wide(parts["rows"])),
}

_KERNELS: Final = frozenset(("layer_norm", "rms_norm", "add", "gelu", "relu", "gated_silu", "rotate"))

_WHOLE: Final[Mapping[str, Callable[[Tensor, Constants], Tensor]]] = {
    "unit_mean": lambda x, c: ops.unit_mean(x),
    "patches": lambda x, c: ops.patches(x, **c),
    "max_pool": lambda x, c: ops.max_pool(x, **c),
    "average_pool": lambda x, c: ops.average_pool(x, **c),
    "flatten": lambda x, c: ops.flatten(x, c["rows"]),
}
