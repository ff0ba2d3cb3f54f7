"""The kernels' interface on Triton: what is faster fused replaces the portable form, everything else is inherited."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final

import torch
import triton
from torch import Tensor

from proofmill.exact.errors import InvalidOperand
from proofmill.exact.kernels.attention import check_attention
from proofmill.exact.kernels.carriers import INT8_SLICE, Carrier, multiply_int8
from proofmill.exact.kernels.interface import VALUES, AttentionShape, Form, Operand, Rows, Segment
from proofmill.exact.kernels.portable import (
    ACCUMULATORS_PER_PRODUCT_GPU,
    PortableKernels,
    PreparedLinear,
    PreparedNorm,
)
from proofmill.exact.kernels.triton import attention, linear, rows
from proofmill.exact.ops.normalisation import NORM_RECIPROCAL_BITS, NORM_SIZE_LIMIT
from proofmill.exact.tables import EXP2_TABLE, PHI_TABLE, SIGMA_TABLE

#: Columns of a row that one program holds at once, and the numbers in its block of rows.
COLUMNS_PER_BLOCK: Final = 8192
NUMBERS_PER_BLOCK: Final = 2048
DIGITS_PER_BLOCK: Final = 2048
#: A tile of accumulators being requantised.
REQUANTISED_ROWS: Final = 8
REQUANTISED_COLUMNS: Final = 256
#: Tiles of attention; 8-bit products want at least 16 rows and 32 terms.
QUERIES_PER_BLOCK: Final = (16, 32)
KEYS_PER_BLOCK: Final = 32
LEAST_COMPONENTS: Final = 32


@dataclass(frozen=True)
class FusedLinear(PreparedLinear):
    """A linear operator's constants, as integers besides."""

    multiplier: Tensor  # int32 [N]
    bias: Tensor  # int32 [N]
    shift: int


@dataclass(frozen=True)
class FusedNorm(PreparedNorm):
    """A norm's constants, as integers besides."""

    gamma: Tensor  # int32 [D]
    beta: Tensor  # int32 [D]
    constants: Tensor  # int64 [2]: epsilon, root · 2^35


class TritonKernels(PortableKernels):
    """``interface.Kernels`` on a GPU; on a processor only under Triton's interpreter (``TRITON_INTERPRET=1``)."""

    def __init__(self, carrier: Carrier, device: torch.device | str = "cuda") -> None:
        super().__init__(carrier, device)

    @property
    def name(self) -> str:
        return "triton"

    # ------------------------------------------------------------------------------------ matrix products

    def quantise(self, x: Tensor, group: int) -> Operand:
        if group < 1 or x.shape[1] % group != 0:
            raise InvalidOperand(
                f"groups of {group} columns do not divide rows of {x.shape[1]}",
                remedy="Ask for a group that divides the width.",
            )
        operand = self._new_operand(x.shape[0], x.shape[1], group)
        self._apply(rows.IDENTITY.value, x, x, group, None, operand)
        return operand

    def prepare_linear(self, weight: Tensor, multiplier: Tensor, bias: Tensor, shift: int) -> FusedLinear:
        portable = super().prepare_linear(weight, multiplier, bias, shift)
        constants = multiplier.to(self.device, torch.int32), bias.to(self.device, torch.int32)
        return FusedLinear(portable.weight, portable.scale, portable.offset, *constants, shift)

    def linear(self, x: Operand, weight: PreparedLinear, residual: Tensor | None = None) -> Tensor:
        inputs = x.values.shape[1]
        if (
            self._carrier.name != "int8" or inputs > INT8_SLICE or x.exponents.shape[1] != 1
        ):  # other carriers' products are floating-point sums of many slices
            return super().linear(x, weight, residual)
        assert isinstance(weight, FusedLinear)  # prepared by these kernels
        outputs, digits_of_weight = weight.weight.outputs, weight.weight.values
        y = torch.empty((x.values.shape[0], outputs), dtype=torch.int32, device=self.device)
        step = max(1, ACCUMULATORS_PER_PRODUCT_GPU // digits_of_weight.shape[0])
        for start in range(0, x.values.shape[0], step):
            part = slice(start, start + step)
            q = x.values[part]
            digits = torch.empty((2 * q.shape[0], inputs), dtype=torch.int8, device=self.device)
            blocks = triton.cdiv(q.numel(), DIGITS_PER_BLOCK)
            self._launch(linear.split_digits_kernel, (blocks,), q, digits, q.numel(), block=DIGITS_PER_BLOCK)
            products = multiply_int8(digits, digits_of_weight)
            grid = (triton.cdiv(q.shape[0], REQUANTISED_ROWS), triton.cdiv(outputs, REQUANTISED_COLUMNS))
            self._launch(
                linear.requantise_kernel,
                grid,
                products,
                x.exponents[part],
                weight.multiplier,
                weight.bias,
                y if residual is None else residual[part],
                y[part],
                q.shape[0],
                outputs,
                products.stride(0),
                shift=weight.shift,
                wide=digits_of_weight.shape[0] != outputs,
                add_residual=residual is not None,
                rows_per_block=REQUANTISED_ROWS,
                columns_per_block=REQUANTISED_COLUMNS,
            )
        return y

    # ----------------------------------------------------------------------------------- row by row functions

    def prepare_norm(
        self, gamma: Tensor, beta: Tensor, epsilon: int, root: int, *, centred: bool
    ) -> FusedNorm:
        portable = super().prepare_norm(gamma, beta, epsilon, root, centred=centred)
        constants = torch.tensor([epsilon, root << NORM_RECIPROCAL_BITS], dtype=torch.int64)
        return FusedNorm(
            portable.gain,
            portable.offset,
            epsilon,
            root,
            centred,
            gamma.to(self.device, torch.int32).contiguous(),
            beta.to(self.device, torch.int32).contiguous(),
            constants.to(self.device),
        )

    def norm(self, x: Tensor, norm: PreparedNorm, form: Form = VALUES) -> Rows:
        assert isinstance(norm, FusedNorm)  # prepared by these kernels
        count, size = x.shape
        if size > NORM_SIZE_LIMIT:
            raise InvalidOperand(
                f"norm: rows of {size}, at most {NORM_SIZE_LIMIT}",
                remedy="Use a model whose rows are narrower.",
            )
        values, operand, rest = self._outputs(count, size, form)
        if count:
            self._launch(
                rows.norm_kernel,
                (count,),
                x,
                norm.gamma,
                norm.beta,
                norm.constants,
                x if values is None else values,
                x if operand is None else operand.values,
                x if operand is None else operand.exponents,
                size,
                centred=norm.centred,
                write_values=values is not None,
                write_operand=operand is not None,
                columns_per_block=triton.next_power_of_2(size),
                num_warps=4 if size <= 2048 else 8,
            )
        return self._finished(values, operand, rest, form)

    def gelu(self, x: Tensor, form: Form = VALUES) -> Rows:
        return self._function(rows.GELU.value, x, _table("phi", self.device), x.shape[1], form)

    def relu(self, x: Tensor, form: Form = VALUES) -> Rows:
        return self._function(rows.RELU.value, x, x, x.shape[1], form)

    def gated_silu(self, x: Tensor, shift: int, form: Form = VALUES) -> Rows:
        table = _table("sigma", self.device)
        return self._function(rows.GATED_SILU.value, x, table, x.shape[1] // 2, form, shift)

    # ------------------------------------------------------------------------------ functions of several rows

    def attention(
        self, x: Operand, shape: AttentionShape, segments: Sequence[Segment], form: Form = VALUES
    ) -> Rows:
        check_attention(x, shape, segments)
        count, width = x.values.shape[0], shape.heads * shape.head_size
        values = torch.empty((count, width), dtype=torch.int32, device=self.device)
        if count:
            shared = shape.heads // shape.key_heads
            narrow, wide = QUERIES_PER_BLOCK
            block = narrow if max(s.rows for s in segments) * shared <= narrow else wide
            described = list(_attention_blocks(x, shape, segments, block))
            self._launch(
                attention.attention_kernel,
                (len(described), shape.key_heads),
                x.values,
                x.exponents,
                torch.tensor(described, dtype=torch.int64, device=self.device),
                _table("exp2", self.device),
                values,
                x.values.stride(0),
                x.exponents.stride(0),
                width,
                torch.tensor([shape.multiplier], dtype=torch.int64, device=self.device),
                shape.key_heads,
                shape.head_size,
                shared=shared,
                causal=shape.causal,
                rows_per_block=block,
                keys_per_block=KEYS_PER_BLOCK,
                components_per_block=max(LEAST_COMPONENTS, triton.next_power_of_2(shape.head_size)),
                num_warps=4 if shape.head_size <= 64 else 8,
            )
        if form.group is None:
            return Rows(values)
        return Rows(values if form.values else None, self.quantise(values, form.group))

    # --------------------------------------------------------------------------------------------- launching

    def _launch(self, kernel: Any, grid: tuple[int, ...], *arguments: Any, **constants: Any) -> None:
        with nullcontext() if self._on_processor else torch.cuda.device(self.device):
            kernel[grid](*arguments, **constants)

    def _new_operand(self, count: int, width: int, group: int) -> Operand:
        return Operand(
            torch.empty((count, width), dtype=torch.int16, device=self.device),
            torch.empty((count, width // group), dtype=torch.uint8, device=self.device),
        )

    def _outputs(self, count: int, width: int, form: Form) -> tuple[Tensor | None, Operand | None, bool]:
        """Empty outputs, and whether the operand is still to be made from the values: a kernel quantises whole rows only."""
        fused = form.group == width
        rest = form.group is not None and not fused
        operand = self._new_operand(count, width, width) if fused else None
        values = None
        if form.values or rest:
            values = torch.empty((count, width), dtype=torch.int32, device=self.device)
        return values, operand, rest

    def _finished(self, values: Tensor | None, operand: Operand | None, rest: bool, form: Form) -> Rows:
        if rest:
            assert values is not None  # made for this
            assert form.group is not None
            operand = self.quantise(values, form.group)
        return Rows(values if form.values else None, operand)

    def _function(
        self, function: int, x: Tensor, table: Tensor, width: int, form: Form, shift: int = 0
    ) -> Rows:
        values, operand, rest = self._outputs(x.shape[0], width, form)
        self._apply(function, x, table, width, values, operand, shift)
        return self._finished(values, operand, rest, form)

    def _apply(
        self,
        function: int,
        x: Tensor,
        table: Tensor,
        group: int,
        values: Tensor | None,
        operand: Operand | None,
        shift: int = 0,
    ) -> None:
        inputs = 2 * group if function == rows.GATED_SILU.value else group
        count = x.numel() // inputs
        if not count:
            return
        columns = min(COLUMNS_PER_BLOCK, triton.next_power_of_2(group))
        rows_per_block = max(1, NUMBERS_PER_BLOCK // columns)
        self._launch(
            rows.apply_kernel,
            (triton.cdiv(count, rows_per_block),),
            x,
            table,
            x if values is None else values,
            x if operand is None else operand.values,
            x if operand is None else operand.exponents,
            count,
            group,
            shift=shift,
            function=function,
            write_values=values is not None,
            write_operand=operand is not None,
            rows_per_block=rows_per_block,
            columns_per_block=columns,
            whole=columns >= group,
        )


def _attention_blocks(
    x: Operand, shape: AttentionShape, segments: Sequence[Segment], block: int
) -> Iterator[tuple[int, ...]]:
    """What each program of ``attention_kernel`` reads of ``segments``, longest sequences first so that they end together."""
    heads, size = shape.heads, shape.head_size
    for segment in sorted(segments, key=lambda segment: -segment.rows - segment.position):
        if segment.cache is None:
            values, exponents = (
                x.values[segment.start :, heads * size :],
                x.exponents[segment.start :, heads:],
            )
        else:
            values, exponents = segment.cache.values, segment.cache.exponents
        held = values.data_ptr(), exponents.data_ptr(), values.stride(0), exponents.stride(0)
        for first_pair in range(0, segment.rows * (heads // shape.key_heads), block):
            yield segment.start, segment.rows, segment.position, first_pair, *held


@functools.cache
def _table(name: str, device: torch.device) -> Tensor:
    entries = {"exp2": EXP2_TABLE, "phi": PHI_TABLE, "sigma": SIGMA_TABLE}[name]
    return entries.to(device, torch.int32)
