"""The kernels in plain PyTorch: for every processor and GPU it runs on, without a compiler.

Rows are worked on in blocks, so that the many small steps of an operator stay in cache. Values are int32 between
operators; inside, float64 where the operator's proved bound is at most 2^53, int64 beyond, int32 where it suffices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from proofmill.exact.errors import InvalidOperand
from proofmill.exact.kernels.arithmetic import (
    bit_length,
    gated_silu_by_table,
    gelu_by_table,
    inverse_square_root,
    power_of_two,
    quantise_groups,
    rounding_shift,
    wide_bit_length,
)
from proofmill.exact.kernels.attention import attend
from proofmill.exact.kernels.carriers import Carrier, PreparedWeight
from proofmill.exact.kernels.interface import VALUES, AttentionShape, Form, Operand, Rows, Segment
from proofmill.exact.ops.linear import SHIFT_GREATEST, SHIFT_LEAST
from proofmill.exact.ops.normalisation import GAMMA_BITS, NORM_BITS, NORM_RECIPROCAL_BITS
from proofmill.exact.ops.operands import FRACTION_BITS, SATURATION
from proofmill.exact.ops.pooling import UNIT_BITS
from proofmill.exact.ops.position import ROTATION_BITS

#: Numbers per block of an elementwise step: 1 MiB of float64 on a processor, enough to fill a GPU.
ELEMENTS_PER_BLOCK_CPU: Final = 1 << 17
ELEMENTS_PER_BLOCK_GPU: Final = 1 << 24
#: Rows multiplied at once by a weight.
ROWS_PER_PRODUCT_CPU: Final = 512
ACCUMULATORS_PER_PRODUCT_GPU: Final = 1 << 26


@dataclass(frozen=True)
class PreparedLinear:
    """A linear operator's constants as the kernel uses them."""

    weight: PreparedWeight
    scale: Tensor  # float64 [N], c_j · 2^-shift
    offset: Tensor  # float64 [N], b_j + 1/2


@dataclass(frozen=True)
class PreparedNorm:
    """A norm's constants as the kernel uses them."""

    gain: Tensor  # float64 [D], gamma · 2^-14
    offset: Tensor  # float64 [D], beta + 1/2
    epsilon: int
    root: int
    centred: bool


class PortableKernels:
    """``interface.Kernels`` on any device, with any carrier; immutable, so threads may share it."""

    def __init__(self, carrier: Carrier, device: torch.device | str = "cpu") -> None:
        self._carrier = carrier
        self._device = torch.device(device)
        self._on_processor = self._device.type == "cpu"

    @property
    def name(self) -> str:
        return self._carrier.name

    @property
    def divides_work(self) -> bool:
        return not self._on_processor

    @property
    def device(self) -> torch.device:
        return self._device

    # ----------------------------------------------------------------------------------------- embeddings

    def embedding(self, ids: Tensor, matrix: Tensor) -> Tensor:
        return matrix.index_select(0, ids).to(torch.int32)

    def position_embedding(self, x: Tensor, positions: Tensor, matrix: Tensor) -> Tensor:
        def block(rows: slice) -> Tensor:
            return _saturated_sum(x[rows], matrix.index_select(0, positions[rows]))

        return self._values(x.shape[0], x.shape[1], block)

    # ------------------------------------------------------------------------------------ matrix products

    def quantise(self, x: Tensor, group: int) -> Operand:
        return self._operand(x.shape[0], x.shape[1], lambda rows: x[rows], Form(values=False, group=group))

    def prepare_linear(self, weight: Tensor, multiplier: Tensor, bias: Tensor, shift: int) -> PreparedLinear:
        if multiplier.shape != bias.shape or multiplier.shape != weight.shape[:1]:
            raise InvalidOperand(
                f"linear: multiplier {tuple(multiplier.shape)} and bias {tuple(bias.shape)} for weight {tuple(weight.shape)}",
                remedy="Pass one multiplier and one bias per row of the weight.",
            )
        if not SHIFT_LEAST <= shift <= SHIFT_GREATEST:
            raise InvalidOperand(
                f"linear: shift {shift}, expected {SHIFT_LEAST} to {SHIFT_GREATEST}",
                remedy="Import the model again with this version.",
            )
        return PreparedLinear(
            self._carrier.prepare(weight.to(self._device)),
            multiplier.to(self._device, torch.float64) * 2.0**-shift,
            bias.to(self._device, torch.float64) + 0.5,
        )

    def linear(self, x: Operand, weight: PreparedLinear, residual: Tensor | None = None) -> Tensor:
        if x.exponents.shape[1] != 1:
            raise InvalidOperand(
                f"linear: {x.exponents.shape[1]} exponents a row",
                remedy="Quantise with one group as wide as the row.",
            )
        count, outputs = x.values.shape[0], weight.weight.outputs
        scale = power_of_two(x.exponents)
        y = torch.empty((count, outputs), dtype=torch.int32, device=self._device)
        step = ROWS_PER_PRODUCT_CPU
        if not self._on_processor:
            step = max(step, ACCUMULATORS_PER_PRODUCT_GPU // outputs)
        for start in range(0, count, step):
            accumulators = self._carrier.accumulate(x.values[start : start + step], weight.weight)
            for part in self._blocks(accumulators.shape[0], outputs):
                rows = slice(start + part.start, start + part.stop)
                # The reach of a channel, at most 2^53, keeps product plus offset exact.
                scaled = accumulators[part].mul_(weight.scale)
                block = torch.addcmul(weight.offset, scaled, scale[rows]).floor_()
                block.clamp_(-SATURATION, SATURATION)
                if residual is not None:
                    block.add_(residual[rows]).clamp_(-SATURATION, SATURATION)
                y[rows] = block
        return y

    # ----------------------------------------------------------------------------------- row by row functions

    def prepare_norm(
        self, gamma: Tensor, beta: Tensor, epsilon: int, root: int, *, centred: bool
    ) -> PreparedNorm:
        gain = gamma.to(self._device, torch.float64) * 2.0**-GAMMA_BITS
        return PreparedNorm(gain, beta.to(self._device, torch.float64) + 0.5, epsilon, root, centred)

    def norm(self, x: Tensor, norm: PreparedNorm, form: Form = VALUES) -> Rows:
        return self._rows(x.shape[0], x.shape[1], lambda rows: _normalise(x[rows], norm), form)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return self._values(x.shape[0], x.shape[1], lambda rows: _saturated_sum(x[rows], y[rows]))

    def gelu(self, x: Tensor, form: Form = VALUES) -> Rows:
        return self._rows(x.shape[0], x.shape[1], lambda rows: gelu_by_table(x[rows]), form)

    def relu(self, x: Tensor, form: Form = VALUES) -> Rows:
        return self._rows(x.shape[0], x.shape[1], lambda rows: x[rows].clamp(min=0), form)

    def gated_silu(self, x: Tensor, shift: int, form: Form = VALUES) -> Rows:
        def block(rows: slice) -> Tensor:
            return gated_silu_by_table(x[rows], shift).clamp_(-SATURATION, SATURATION)

        return self._rows(x.shape[0], x.shape[1] // 2, block, form)

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
        def block(rows: slice) -> Tensor:
            # |a cos - b sin| <= 2^52, and scaling by 2^-20 beforehand moves no bit.
            angles = (
                table.index_select(0, positions[rows]).to(torch.float64).mul_(2.0**-ROTATION_BITS)
                for table in (cosine, sine)
            )
            cosines, sines = (angle[:, None, :] for angle in angles)
            y = x[rows].clone()
            pairs = y.as_strided(
                (y.shape[0], columns // head_size, head_size // 2, 2), (y.shape[1], head_size, 2, 1)
            )
            first, second = pairs.to(torch.float64).unbind(-1)
            turned_first = (first * cosines).sub_(second * sines)
            turned_second = (first * sines).add_(second * cosines)
            for place, turned in enumerate((turned_first, turned_second)):
                pairs[..., place] = turned.add_(0.5).floor_().clamp_(-SATURATION, SATURATION)
            return y

        return self._rows(x.shape[0], x.shape[1], block, form)

    # ------------------------------------------------------------------------------ functions of several rows

    def attention(
        self, x: Operand, shape: AttentionShape, segments: Sequence[Segment], form: Form = VALUES
    ) -> Rows:
        values = attend(self._carrier, x, shape, segments)
        if form == VALUES:
            return Rows(values)
        return self._rows(values.shape[0], values.shape[1], lambda rows: values[rows], form)

    def unit_mean(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        if sum(lengths) != x.shape[0] or min(lengths, default=1) < 1:
            raise InvalidOperand(
                f"unit mean: sequences of {sum(lengths)} rows in a stack of {x.shape[0]}",
                remedy="Pass the length of each sequence; none is empty.",
            )
        sums = [rows.sum(0, dtype=torch.int64) for rows in torch.split(x, list(lengths))]
        total = torch.stack(sums) if sums else x.new_empty((0, x.shape[1]), dtype=torch.int64)
        drop = (wide_bit_length(total.abs().amax(-1, keepdim=True)) - UNIT_BITS).clamp_(min=0)
        total = rounding_shift(total, drop)
        energy = (total * total).sum(-1, keepdim=True).clamp_(min=1)
        reciprocal, lift = inverse_square_root(energy, 1 << 62)
        return rounding_shift(total * reciprocal, 62 - UNIT_BITS - lift).to(torch.int32)

    # --------------------------------------------------------------------------------------- blocks of rows

    def _blocks(self, count: int, width: int) -> Iterator[slice]:
        elements = ELEMENTS_PER_BLOCK_CPU if self._on_processor else ELEMENTS_PER_BLOCK_GPU
        step = max(1, elements // max(1, width))
        return (slice(start, min(count, start + step)) for start in range(0, count, step))

    def _values(self, count: int, width: int, block: Callable[[slice], Tensor]) -> Tensor:
        """int32 [count, width] filled block by block; a block is integral and within ±(2^31 - 1), in any type."""
        values = torch.empty((count, width), dtype=torch.int32, device=self._device)
        for rows in self._blocks(count, width):
            values[rows] = block(rows)
        return values

    def _operand(
        self,
        count: int,
        width: int,
        block: Callable[[slice], Tensor],
        form: Form,
        values: Tensor | None = None,
    ) -> Operand:
        group = form.group
        if group is None or group < 1 or width % group != 0:
            raise InvalidOperand(
                f"groups of {group} columns do not divide rows of {width}",
                remedy="Ask for a group that divides the width.",
            )
        q = torch.empty((count, width), dtype=torch.int16, device=self._device)
        k = torch.empty((count, width // group), dtype=torch.uint8, device=self._device)
        for rows in self._blocks(count, width):
            y = block(rows).to(torch.int32)
            if values is not None:
                values[rows] = y
            q[rows], k[rows] = quantise_groups(y.contiguous(), group)
        return Operand(q, k)

    def _rows(self, count: int, width: int, block: Callable[[slice], Tensor], form: Form) -> Rows:
        if form.group is None:
            return Rows(self._values(count, width, block))
        values = None
        if form.values:
            values = torch.empty((count, width), dtype=torch.int32, device=self._device)
        return Rows(values, self._operand(count, width, block, form, values))


def _saturated_sum(x: Tensor, y: Tensor) -> Tensor:
    return x.to(torch.int64).add_(y).clamp_(-SATURATION, SATURATION)


def _normalise(x: Tensor, norm: PreparedNorm) -> Tensor:
    """``ops.layer_norm`` or ``ops.rms_norm`` of int32 rows, as float64; the few numbers per row are int64."""
    size = x.shape[-1]
    centred = x.to(torch.float64)
    if norm.centred:
        total = centred.sum(-1, keepdim=True).to(torch.int64)
        mean = torch.div(2 * total + size, 2 * size, rounding_mode="floor")
        centred.sub_(mean)
    greatest = torch.maximum(centred.amax(-1, keepdim=True), -centred.amin(-1, keepdim=True))
    drop = (bit_length(greatest).to(torch.int64) - NORM_BITS).clamp_(min=0)
    centred = centred.mul_(power_of_two(-drop)).add_(0.5).floor_()
    energy = (centred * centred).sum(-1, keepdim=True).to(torch.int64)  # at most 2^53
    variance = (energy + (torch.full_like(drop, norm.epsilon) >> (2 * drop))).clamp_(min=1)
    reciprocal, lift = inverse_square_root(variance, norm.root << NORM_RECIPROCAL_BITS)
    scale = reciprocal.to(torch.float64) * power_of_two(
        lift - (NORM_BITS + NORM_RECIPROCAL_BITS - FRACTION_BITS)
    )
    normalised = centred.mul_(scale).add_(0.5).floor_()
    return torch.addcmul(norm.offset, normalised, norm.gain).floor_().clamp_(-SATURATION, SATURATION)
