"""``interface.Kernels`` in C++ (``src/``): each function checks its tensors and hands their memory to compiled code."""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from proofmill.exact.errors import NativeUnavailable
from proofmill.exact.kernels.interface import VALUES, AttentionShape, Form, Operand, Rows, Segment
from proofmill.exact.kernels.native.build import NATIVE_FLAGS, set_threads
from proofmill.exact.kernels.native.library import (
    AttentionSegment,
    Functions,
    LinearWeights,
    NormConstants,
    functions,
    new_rows,
)
from proofmill.exact.kernels.native.validation import (
    require,
    require_activation,
    require_attention,
    require_group,
    require_operand,
    require_tensor,
)
from proofmill.exact.kernels.self_test import self_test
from proofmill.exact.ops.linear import SHIFT_GREATEST, SHIFT_LEAST, WEIGHT_LIMIT_E16X
from proofmill.exact.ops.normalisation import GAMMA_BITS, NORM_SIZE_LIMIT


@dataclass(frozen=True)
class PreparedLinear:
    """A linear operator's constants, arranged in panels; the tensors own the memory that ``native`` points to."""

    native: LinearWeights
    outputs: int
    inputs: int
    panels: Tensor  # int8 or int16, see src/weights.h
    scale: Tensor  # float64, c_j · 2^-shift
    offset: Tensor  # float64, b_j + 1/2


@dataclass(frozen=True)
class PreparedNorm:
    """A norm's constants; the tensors own the memory that ``native`` points to."""

    native: NormConstants
    width: int
    gain: Tensor  # float64 [D], gamma · 2^-14
    offset: Tensor  # float64 [D], beta + 1/2


class NativeKernels:
    """The fastest kernels on a processor: one call spreads over all cores; immutable, so threads may share it.

    The process has one pool of threads, as many as PyTorch was set to use when kernels were last made.

    Raises:
        NativeUnavailable: no compiler, it failed, or the compiled code is wrong on this machine.
    """

    def __init__(self, flags: tuple[str, ...] = NATIVE_FLAGS) -> None:
        self._functions: Functions = functions(flags)
        fault = _fault(flags)
        if fault is not None:
            raise NativeUnavailable(
                f"compiled kernels compute wrong numbers on this machine: {fault}",
                remedy="Use the portable kernels, and report the processor and compiler as a bug.",
            )
        set_threads(torch.get_num_threads(), flags)

    @property
    def name(self) -> str:
        return "native"

    @property
    def divides_work(self) -> bool:
        return True

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    # ----------------------------------------------------------------------------------------- embeddings

    def _require_indices(self, name: str, indices: Tensor, count: int, limit: int) -> None:
        require_tensor(name, indices, torch.int64, 1)
        require(len(indices) == count, f"{name} of shape {tuple(indices.shape)} for {count} rows")
        require(
            bool(self._functions.indices_below(indices.data_ptr(), count, limit)),
            f"{name} outside 0 to {limit - 1}",
        )

    def embedding(self, ids: Tensor, matrix: Tensor) -> Tensor:
        require(matrix.dtype in (torch.int16, torch.int32), f"embedding: matrix of {matrix.dtype}")
        require_tensor("embedding: matrix", matrix, matrix.dtype, 2)
        self._require_indices("embedding: ids", ids, len(ids), matrix.shape[0])
        count, width = ids.shape[0], matrix.shape[1]
        y = torch.empty((count, width), dtype=torch.int32)
        narrow = matrix.dtype == torch.int16
        embed = self._functions.embedding_16 if narrow else self._functions.embedding_32
        embed(ids.data_ptr(), count, matrix.data_ptr(), width, y.data_ptr())
        return y

    def position_embedding(self, x: Tensor, positions: Tensor, matrix: Tensor) -> Tensor:
        require_activation("position embedding: input", x)
        if matrix.dtype == torch.int16:
            matrix = matrix.to(torch.int32)
        require_activation("position embedding: matrix", matrix)
        require(
            x.shape[1] == matrix.shape[1],
            f"position embedding: rows of {x.shape[1]}, matrix of {matrix.shape[1]}",
        )
        self._require_indices("position embedding: positions", positions, x.shape[0], matrix.shape[0])
        y = torch.empty_like(x)
        self._functions.position_embedding(
            x.data_ptr(),
            positions.data_ptr(),
            x.shape[0],
            matrix.data_ptr(),
            x.shape[1],
            y.data_ptr(),
        )
        return y

    # ------------------------------------------------------------------------------------ matrix products

    def quantise(self, x: Tensor, group: int) -> Operand:
        require_activation("quantise: input", x)
        form = Form(values=False, group=group)
        require_group("quantise", x.shape[1], form)
        rows, memory = new_rows(x.shape[0], x.shape[1], form)
        self._functions.quantise(x.data_ptr(), x.shape[0], x.shape[1], ctypes.byref(memory))
        assert rows.operand is not None
        return rows.operand

    def prepare_linear(self, weight: Tensor, multiplier: Tensor, bias: Tensor, shift: int) -> PreparedLinear:
        require(weight.dtype in (torch.int8, torch.int16), f"linear: weight of {weight.dtype}")
        require(weight.ndim == 2 and weight.numel() > 0, f"linear: weight of shape {tuple(weight.shape)}")
        outputs, inputs = weight.shape
        require(
            tuple(multiplier.shape) == tuple(bias.shape) == (outputs,),
            f"linear: multiplier {tuple(multiplier.shape)} and bias {tuple(bias.shape)} for weight {tuple(weight.shape)}",
        )
        require(
            SHIFT_LEAST <= shift <= SHIFT_GREATEST,
            f"linear: shift {shift}, expected {SHIFT_LEAST} to {SHIFT_GREATEST}",
        )
        weight = weight.to("cpu").contiguous()
        wide = weight.dtype == torch.int16
        if wide:
            least, greatest = torch.aminmax(weight)
            require(
                max(-int(least), int(greatest)) <= WEIGHT_LIMIT_E16X,
                f"linear: weights from {int(least)} to {int(greatest)}",
            )
        call = self._functions
        columns = call.panel_columns()
        padded_outputs = -(-outputs // columns) * columns
        panels = torch.empty(padded_outputs * call.padded_inputs(inputs), dtype=weight.dtype)
        pack = call.pack_wide if wide else call.pack_narrow
        pack(weight.data_ptr(), outputs, inputs, panels.data_ptr())
        scale = torch.zeros(padded_outputs, dtype=torch.float64)
        scale[:outputs] = multiplier.to("cpu", torch.float64) * 2.0**-shift
        offset = torch.zeros(padded_outputs, dtype=torch.float64)
        offset[:outputs] = bias.to("cpu", torch.float64) + 0.5
        length = call.wide_slice() if wide else call.narrow_slice(weight.data_ptr(), outputs, inputs)
        native = LinearWeights(
            panels.data_ptr(), scale.data_ptr(), offset.data_ptr(), outputs, inputs, length, wide
        )
        return PreparedLinear(native, outputs, inputs, panels, scale, offset)

    def linear(self, x: Operand, weight: PreparedLinear, residual: Tensor | None = None) -> Tensor:
        require_operand("linear", x, weight.inputs, 1)
        count = x.values.shape[0]
        if residual is not None:
            require_activation("linear: residual", residual)
            require(
                tuple(residual.shape) == (count, weight.outputs),
                f"linear: residual {tuple(residual.shape)} for output {(count, weight.outputs)}",
            )
        y = torch.empty((count, weight.outputs), dtype=torch.int32)
        native = ctypes.byref(weight.native)
        bytes_needed = self._functions.linear_workspace(native, count)
        workspace = torch.empty(bytes_needed, dtype=torch.uint8) if bytes_needed else None
        self._functions.linear(
            x.values.data_ptr(),
            x.exponents.data_ptr(),
            count,
            native,
            residual.data_ptr() if residual is not None else None,
            y.data_ptr(),
            workspace.data_ptr() if workspace is not None else None,
        )
        return y

    # ----------------------------------------------------------------------------------- row by row functions

    def prepare_norm(
        self, gamma: Tensor, beta: Tensor, epsilon: int, root: int, *, centred: bool
    ) -> PreparedNorm:
        width = len(gamma)
        require(
            1 <= width <= NORM_SIZE_LIMIT and tuple(gamma.shape) == tuple(beta.shape) == (width,),
            f"norm: gamma {tuple(gamma.shape)} and beta {tuple(beta.shape)}",
        )
        require(0 <= epsilon < 1 << 52, f"norm: epsilon {epsilon}")
        require(0 < root < 1 << 27, f"norm: root {root}")
        gain = (gamma.to("cpu", torch.float64) * 2.0**-GAMMA_BITS).contiguous()
        offset = (beta.to("cpu", torch.float64) + 0.5).contiguous()
        native = NormConstants(gain.data_ptr(), offset.data_ptr(), width, epsilon, root, centred)
        return PreparedNorm(native, width, gain, offset)

    def norm(self, x: Tensor, norm: PreparedNorm, form: Form = VALUES) -> Rows:
        require_activation("norm: input", x)
        require(x.shape[1] == norm.width, f"norm: rows of {x.shape[1]}, expected {norm.width}")
        require_group("norm", norm.width, form)
        rows, memory = new_rows(x.shape[0], norm.width, form)
        self._functions.norm(x.data_ptr(), x.shape[0], ctypes.byref(norm.native), ctypes.byref(memory))
        return rows

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        require_activation("add: first term", x)
        require_activation("add: second term", y)
        require(x.shape == y.shape, f"add: shapes {tuple(x.shape)} and {tuple(y.shape)} differ")
        total = torch.empty_like(x)
        self._functions.add(x.data_ptr(), y.data_ptr(), x.numel(), total.data_ptr())
        return total

    def gelu(self, x: Tensor, form: Form = VALUES) -> Rows:
        require_activation("gelu: input", x)
        require_group("gelu", x.shape[1], form)
        rows, memory = new_rows(x.shape[0], x.shape[1], form)
        table = self._functions.normal_distribution
        self._functions.gelu(
            x.data_ptr(),
            x.shape[0],
            x.shape[1],
            table.data_ptr(),
            ctypes.byref(memory),
        )
        return rows

    def relu(self, x: Tensor, form: Form = VALUES) -> Rows:
        require_activation("relu: input", x)
        require_group("relu", x.shape[1], form)
        rows, memory = new_rows(x.shape[0], x.shape[1], form)
        self._functions.relu(x.data_ptr(), x.shape[0], x.shape[1], ctypes.byref(memory))
        return rows

    def gated_silu(self, x: Tensor, shift: int, form: Form = VALUES) -> Rows:
        require_activation("gated silu: input", x)
        require(x.shape[1] % 2 == 0, f"gated silu: {x.shape[1]} columns are not a gate beside an up part")
        require(0 <= shift <= 62, f"gated silu: shift {shift}, expected 0 to 62")
        width = x.shape[1] // 2
        require_group("gated silu", width, form)
        rows, memory = new_rows(x.shape[0], width, form)
        table = self._functions.logistic
        self._functions.gated_silu(
            x.data_ptr(),
            x.shape[0],
            width,
            shift,
            table.data_ptr(),
            ctypes.byref(memory),
        )
        return rows

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
        require_activation("rotate: input", x)
        require_activation("rotate: cosine", cosine)
        require_activation("rotate: sine", sine)
        require(
            head_size >= 2 and head_size % 2 == 0 and 0 < columns <= x.shape[1] and columns % head_size == 0,
            f"rotate: {columns} of {x.shape[1]} columns in heads of {head_size}",
        )
        require(
            cosine.shape == sine.shape and cosine.shape[1] == head_size // 2,
            f"rotate: cosine {tuple(cosine.shape)} and sine {tuple(sine.shape)} for heads of {head_size}",
        )
        self._require_indices("rotate: positions", positions, x.shape[0], cosine.shape[0])
        require_group("rotate", x.shape[1], form)
        rows, memory = new_rows(x.shape[0], x.shape[1], form)
        self._functions.rotate(
            x.data_ptr(),
            positions.data_ptr(),
            x.shape[0],
            x.shape[1],
            cosine.data_ptr(),
            sine.data_ptr(),
            columns,
            head_size,
            ctypes.byref(memory),
        )
        return rows

    # ------------------------------------------------------------------------------ functions of several rows

    def attention(
        self, x: Operand, shape: AttentionShape, segments: Sequence[Segment], form: Form = VALUES
    ) -> Rows:
        require_attention(x, shape, segments)
        width = shape.heads * shape.head_size
        require_group("attention", width, form)
        values = torch.empty((x.values.shape[0], width), dtype=torch.int32)
        places = (AttentionSegment * len(segments))(*map(_place, segments))
        self._functions.attention(
            x.values.data_ptr(),
            x.exponents.data_ptr(),
            ctypes.byref(self._functions.shape(shape)),
            places,
            len(segments),
            values.data_ptr(),
        )
        if form.group is None:
            return Rows(values)
        return Rows(values if form.values else None, self.quantise(values, form.group))

    def unit_mean(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        require_activation("unit mean: input", x)
        require(x.shape[1] < 1 << 13, f"unit mean: rows of {x.shape[1]}")
        require(
            sum(lengths) == x.shape[0]
            and min(lengths, default=1) >= 1
            and max(lengths, default=1) <= 1 << 20,
            f"unit mean: sequences of {sum(lengths)} rows in a stack of {x.shape[0]}",
        )
        starts = (ctypes.c_int64 * (len(lengths) + 1))(0, *itertools.accumulate(lengths))
        y = torch.empty((len(lengths), x.shape[1]), dtype=torch.int32)
        self._functions.unit_mean(x.data_ptr(), x.shape[1], starts, len(lengths), y.data_ptr())
        return y


@functools.cache
def _fault(flags: tuple[str, ...]) -> str | None:
    """What the library compiled with ``flags`` gets wrong, or None; tested once per process."""
    untested = NativeKernels.__new__(NativeKernels)
    untested._functions = functions(flags)
    return self_test(untested)


def _place(segment: Segment) -> AttentionSegment:
    cache = segment.cache
    return AttentionSegment(
        segment.start,
        segment.rows,
        segment.position,
        cache.values.data_ptr() if cache is not None else None,
        cache.exponents.data_ptr() if cache is not None else None,
    )
