"""Carriers: machine arithmetic that multiplies integer matrices exactly.

A carrier is a machine type used strictly inside the range where it is exact, so every carrier returns the
same integers and differs only in speed:

========  ==========================================================  ==================================
name      how 8-bit digits are multiplied                             exact because
========  ==========================================================  ==================================
int8      ``torch._int_mm``, 32-bit sums over at most 2^16 inputs     128·128·2^16 = 2^30
bf16      CUDA tensor cores, single precision sums over 1008 inputs   128·128·1008 < 2^24
fp32      single precision over slices of 1008 inputs                 128·128·1008 < 2^24
fp64      double precision, on whole numbers instead of digits        every product and sum is below 2^53
int64     64-bit integers, on whole numbers                           every product and sum is below 2^63
========  ==========================================================  ==================================

A 15-bit number q is two balanced digits, ``q = 256·high + low``. A product with 8-bit weights (profile E16) is two
products of digits, with 15-bit weights (E16x) four. Being exact on paper is not enough: ``torch._int_mm`` is silently
wrong on x86 processors without VNNI instructions. ``selection`` therefore tests each carrier before its first use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from proofmill.exact.errors import InvalidOperand
from proofmill.exact.ops.operands import OPERAND_BITS

FLOAT_SLICE: Final = 1008
INT8_SLICE: Final = 1 << 16
NARROW_REACH: Final = (1 << 31) - 1

#: Order of preference: the first that passes the self-test is used.
CARRIER_NAMES: Final = ("int8", "bf16", "fp32", "fp64", "int64")

_DIGIT_TYPES: Final = {"int8": torch.int8, "bf16": torch.bfloat16, "fp32": torch.float32}
_WHOLE_TYPES: Final = {"fp64": torch.float64, "int64": torch.int64}

# CUDA's 8-bit product wants more than 16 rows and inner and outer sizes that are multiples of 8.
_CUDA_MINIMUM_ROWS: Final = 32
_CUDA_MULTIPLE: Final = 8
#: Products held at once where PyTorch has no integer matrix product: 128 MiB of int64.
_PRODUCTS_PER_BLOCK: Final = 1 << 24


@dataclass(frozen=True)
class PreparedWeight:
    """A weight matrix as its carrier multiplies it, with the greatest accumulator it can produce."""

    values: Tensor  # [N, K]; digit carriers hold 15-bit weights as [2N, K], high digits above low ones
    outputs: int  # N
    reach: int  # 2^14 · max_j Σ_i |w_ji|


@dataclass(frozen=True)
class Carrier:
    """One way of multiplying integer matrices; get one from ``selection.choose_carrier``."""

    name: str

    @property
    def whole(self) -> bool:
        """Whether 15-bit numbers are multiplied as they are, not as digits."""
        return self.name in _WHOLE_TYPES

    def prepare(self, weight: Tensor) -> PreparedWeight:
        """Arrange a weight [N, K], int8 (E16) or int16 with ``|w| <= 16256`` (E16x), once for :meth:`accumulate`.

        Raises:
            InvalidOperand: the weight has another type, or not two axes.
        """
        if weight.ndim != 2 or 0 in weight.shape or weight.dtype not in (torch.int8, torch.int16):
            raise InvalidOperand(
                f"weight of {weight.dtype} {tuple(weight.shape)}",
                remedy="Pass an int8 (E16) or int16 (E16x) matrix [N, K].",
            )
        reach = int(weight.to(torch.int64).abs().sum(1).max()) << OPERAND_BITS
        if self.whole:
            values = weight.to(_WHOLE_TYPES[self.name])
        elif weight.dtype == torch.int8:
            values = weight.to(_DIGIT_TYPES[self.name])
        else:
            values = self._digits(weight)
        return PreparedWeight(values.contiguous(), weight.shape[0], reach)

    def accumulate(self, q: Tensor, weight: PreparedWeight) -> Tensor:
        """``Σ_i q_mi w_ni`` of operands int16 [M, K], ``|q| <= 2^14``: float64 [M, N], exact below 2^53."""
        if self.whole:
            return _multiply_whole(q.to(_WHOLE_TYPES[self.name]), weight.values.t()).to(torch.float64)
        inputs, rows = q.shape[1], q.shape[0]
        digits = self._digits(q)
        step = INT8_SLICE if self.name == "int8" else FLOAT_SLICE
        if inputs <= step and weight.reach <= NARROW_REACH and weight.outputs == weight.values.shape[0]:
            # Proved: 256·high + low fits 32 bits, so it can be formed before the one conversion to float64.
            products = self._multiply_digits(digits, weight.values)
            if self.name == "int8":
                return products[rows:].add_(products[:rows], alpha=256).to(torch.float64)
        total: Tensor | None = None
        for start in range(0, inputs, step):
            part = slice(start, start + step)
            products = self._multiply_digits(digits[:, part], weight.values[:, part])
            if weight.outputs != weight.values.shape[0]:
                high, low = products[:, : weight.outputs], products[:, weight.outputs :]
                middle = high[rows:].to(torch.float64).add_(low[:rows])
                sums = high[:rows].to(torch.float64).mul_(256).add_(middle).mul_(256).add_(low[rows:])
            else:
                sums = products[:rows].to(torch.float64).mul_(256).add_(products[rows:])
            total = sums if total is None else total.add_(sums)
        assert total is not None  # K >= 1
        return total

    def multiply_operands(self, a: Tensor, b: Tensor) -> Tensor:
        """Batched [..., M, K] by [..., K, N] of integers up to 2^14, in any type: float64, exact for K <= 2^25.

        The 8-bit carrier has no batched product in PyTorch and uses double precision here.
        """
        if self.name == "int64":
            return _multiply_whole(a.to(torch.int64), b.to(torch.int64)).to(torch.float64)
        if self.name in ("int8", "fp64"):
            return torch.matmul(a.to(torch.float64), b.to(torch.float64))
        (a_high, a_low), (b_high, b_low) = self._digit_pair(a), self._digit_pair(b)
        total: Tensor | None = None
        for start in range(0, a.shape[-1], FLOAT_SLICE):
            part = slice(start, start + FLOAT_SLICE)
            left_high, left_low = a_high[..., part], a_low[..., part]
            right_high, right_low = b_high[..., part, :], b_low[..., part, :]
            sums = self._multiply_batch(left_high, right_high).to(torch.float64).mul_(256)
            # Each of the two middle products is below 2^24, but their sum need not be: add in double precision.
            sums.add_(self._multiply_batch(left_high, right_low))
            sums.add_(self._multiply_batch(left_low, right_high))
            sums.mul_(256).add_(self._multiply_batch(left_low, right_low))
            total = sums if total is None else total.add_(sums)
        assert total is not None  # K >= 1
        return total

    def _digits(self, q: Tensor) -> Tensor:
        """The balanced digits of int16 rows in the carrier's type, high ones above low ones: [2M, K]."""
        rows = q.shape[0]
        digits = torch.empty((2 * rows, q.shape[1]), dtype=_DIGIT_TYPES[self.name], device=q.device)
        # The low digit is the low byte read as a signed number, which is what the conversion to int8 keeps.
        digits[rows:] = q.to(torch.int8)
        digits[:rows] = (q + 128) >> 8
        return digits

    def _digit_pair(self, q: Tensor) -> tuple[Tensor, Tensor]:
        narrow = q.to(torch.int16)
        kind = _DIGIT_TYPES[self.name]
        return ((narrow + 128) >> 8).to(kind), narrow.to(torch.int8).to(kind)

    def _multiply_digits(self, a: Tensor, b: Tensor) -> Tensor:
        """Digits [M, K] by [N, K] in the carrier's type: int32 or float32 [M, N]."""
        if self.name == "int8":
            return multiply_int8(a, b)
        if self.name == "bf16":
            return torch.mm(a, b.t(), out_dtype=torch.float32)
        return a @ b.t()

    def _multiply_batch(self, a: Tensor, b: Tensor) -> Tensor:
        if self.name == "fp32":
            return torch.matmul(a, b)
        # A product in bfloat16 would be rounded to bfloat16 unless told to keep its single-precision sums.
        batch, rows, columns = a.shape[:-2], a.shape[-2], b.shape[-1]
        flat = torch.bmm(
            a.reshape(-1, rows, a.shape[-1]), b.reshape(-1, b.shape[-2], columns), out_dtype=torch.float32
        )
        return flat.view(*batch, rows, columns)


def multiply_int8(a: Tensor, b: Tensor) -> Tensor:
    """int32 [M, N]; zero rows and columns added for a library's size rules change no product."""
    rows, columns, inputs = a.shape[0], b.shape[0], a.shape[1]
    if a.is_cuda:
        inner = -inputs % _CUDA_MULTIPLE
        a = pad(a, (0, inner, 0, max(0, _CUDA_MINIMUM_ROWS - rows))).contiguous()
        b = pad(b, (0, inner, 0, -columns % _CUDA_MULTIPLE)).contiguous()
    elif inputs == 1:  # PyTorch 2.13 returns uninitialised memory for products over a single input
        a, b = pad(a, (0, 1)), pad(b, (0, 1))
    # The transposed view makes the second operand column-major, several times faster than a row-major one.
    return torch._int_mm(a, b.t())[:rows, :columns]


def _multiply_whole(a: Tensor, b: Tensor) -> Tensor:
    """Batched matrix product in the tensors' own type; where PyTorch has none for it, sums of elementwise products."""
    if a.dtype == torch.int64 and a.device.type != "cpu":
        return multiply_by_elements(a, b)
    return torch.matmul(a, b)


def multiply_by_elements(a: Tensor, b: Tensor) -> Tensor:
    """[..., M, K] by [..., K, N] without a matrix kernel, in blocks of rows that bound the products held at once."""
    batch = a.shape[:-2].numel()
    step = max(1, _PRODUCTS_PER_BLOCK // max(1, batch * b.shape[-2] * b.shape[-1]))
    blocks = [(rows[..., :, :, None] * b[..., None, :, :]).sum(-2) for rows in torch.split(a, step, dim=-2)]
    return torch.cat(blocks, dim=-2)
