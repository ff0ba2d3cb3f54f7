"""What fast kernels offer, whatever they are made of: one interface, several implementations, the same bits.

Activations are contiguous int32 tensors [M, W] with entries within ±(2^31 - 1); M rows of any number of sequences
lie below each other without padding. Every function is defined, integer for integer, by the operators of
``proofmill.exact.ops``. Kernels never change their inputs and may be called from several threads at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Operand:
    """Quantised rows: ``values[m, i] * 2^exponents[m, i // group]`` stands for an activation."""

    values: Tensor  # int16 [M, W], |q| <= 2^14, contiguous
    exponents: Tensor  # uint8 [M, W // group], 0 to 17, contiguous

    @property
    def group(self) -> int:
        """Columns that share an exponent."""
        return self.values.shape[1] // self.exponents.shape[1]


@dataclass(frozen=True)
class Form:
    """In which forms a caller wants an operator's output: as values, quantised per ``group`` columns, or both."""

    values: bool = True
    group: int | None = None


VALUES = Form()


@dataclass(frozen=True)
class Rows:
    """An operator's output in the forms asked for."""

    values: Tensor | None = None
    operand: Operand | None = None


@dataclass(frozen=True)
class AttentionShape:
    """Columns of the operand are ``heads`` queries, then ``key_heads`` keys, then ``key_heads`` values, each ``head_size`` wide.

    Query head h reads key head ``h // (heads // key_heads)``. ``multiplier`` is round(log2(e) / sqrt(head_size) * 2^20).
    """

    heads: int
    key_heads: int
    head_size: int
    multiplier: int
    causal: bool


@dataclass(frozen=True)
class LayerCache:
    """Keys and values of one sequence at one attention operator, as the operand's columns from the first key on.

    The executor writes a segment's own rows before it calls ``attention``, which then reads rows 0 up to the position of
    the query row.
    """

    values: Tensor  # int16 [capacity, 2 * key_heads * head_size]
    exponents: Tensor  # uint8 [capacity, 2 * key_heads]


@dataclass(frozen=True)
class Segment:
    """One sequence in a stack of rows."""

    start: int  # its first row in the stack
    rows: int
    position: int = 0  # of its first row in the sequence; above 0 only with a cache
    cache: LayerCache | None = None  # without one, keys and values are the segment's own rows


class Kernels(Protocol):
    """Fast forms of the operators on one device."""

    @property
    def name(self) -> str:
        """The carrier: which machine arithmetic multiplies matrices."""
        ...

    @property
    def device(self) -> torch.device: ...

    @property
    def divides_work(self) -> bool:
        """Whether one call spreads over all cores or a whole GPU; with other kernels, callers run one batch per core."""
        ...

    def embedding(self, ids: Tensor, matrix: Tensor) -> Tensor:
        """ids int64 [M] into int16 or int32 [V, D]: int32 [M, D]."""
        ...

    def position_embedding(self, x: Tensor, positions: Tensor, matrix: Tensor) -> Tensor:
        """``sat(x_m + matrix[positions_m])``; positions int64 [M]."""
        ...

    def quantise(self, x: Tensor, group: int) -> Operand: ...

    def prepare_linear(self, weight: Tensor, multiplier: Tensor, bias: Tensor, shift: int) -> Any:
        """Arrange weight int8 (E16) or int16 (E16x) [N, K], multiplier and bias int32 [N] for :meth:`linear`, once."""
        ...

    def linear(self, x: Operand, weight: Any, residual: Tensor | None = None) -> Tensor:
        """``y = sat(rsh(c Σ q w, shift - k) + b)``, then ``sat(residual + y)`` if there is one: int32 [M, N].

        ``x`` has one exponent per row.
        """
        ...

    def prepare_norm(self, gamma: Tensor, beta: Tensor, epsilon: int, root: int, *, centred: bool) -> Any:
        """Constants of a layer norm (``centred``) or an RMS norm; gamma and beta int32 [D]."""
        ...

    def norm(self, x: Tensor, norm: Any, form: Form = VALUES) -> Rows: ...

    def add(self, x: Tensor, y: Tensor) -> Tensor: ...

    def gelu(self, x: Tensor, form: Form = VALUES) -> Rows: ...

    def relu(self, x: Tensor, form: Form = VALUES) -> Rows: ...

    def gated_silu(self, x: Tensor, shift: int, form: Form = VALUES) -> Rows:
        """x [M, 2F] holds gate and up side by side; the output has F columns."""
        ...

    def rotate(
        self,
        x: Tensor,
        positions: Tensor,
        cosine: Tensor,
        sine: Tensor,
        columns: int,
        head_size: int,
        form: Form = VALUES,
    ) -> Rows:
        """Rotary positions; cosine and sine int32 [P, head_size / 2] in Q.20, positions int64 [M]."""
        ...

    def attention(
        self, x: Operand, shape: AttentionShape, segments: Sequence[Segment], form: Form = VALUES
    ) -> Rows:
        """``scores``, ``softmax`` and ``mix`` of each segment, never holding a T by T matrix; x has one exponent per head."""
        ...

    def unit_mean(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        """The unit vector along each sequence's sum of rows, Q.24: int32 [len(lengths), D]."""
        ...
