"""Carriers: machine arithmetic that multiplies integer matrices exactly.

A carrier is a machine type used strictly inside the range where it is exact, so every carrier returns the
same integers and differs only in speed. Four exist:

========  ====================================================  ==========================================
name      8-bit matrix product                                  exact because
========  ====================================================  ==========================================
int8      ``torch._int_mm``, 32-bit accumulators                127·128·K < 2^31 for K <= 2^17
fp32      single precision over slices of at most 1008 inputs   128·128·1008 < 2^24
fp64      double precision                                      every product and sum is below 2^53
int64     integer matrix product of PyTorch                     every product and sum is below 2^63
========  ====================================================  ==========================================

Being exact on paper is not enough: on x86 processors without VNNI instructions ``torch._int_mm`` saturates
intermediate sums at 16 bits and returns wrong numbers without an error. So each carrier is tested on this
machine before its first use, and one that fails is refused.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from proofmill.exact.errors import CarrierUnavailable, InvalidOperand
from proofmill.exact.operators import OPERAND_BITS

FLOAT32_SLICE: Final = 1008
INT8_MAXIMUM_INPUTS: Final = 1 << 17
NARROW_REACH: Final = (1 << 31) - 1

#: Order of preference: the first that passes the self-test is used.
CARRIER_NAMES: Final = ("int8", "fp32", "fp64", "int64")

# CUDA's 8-bit product wants more than 16 rows and inner and outer sizes that are multiples of 8.
_CUDA_MINIMUM_ROWS: Final = 32
_CUDA_MULTIPLE: Final = 8


def _check_bytes(a: Tensor, b: Tensor) -> None:
    shapes_fit = a.ndim == 2 and b.ndim == 2 and a.shape[1] == b.shape[1] and a.shape[1] > 0
    if not shapes_fit or a.dtype != torch.int8 or b.dtype != torch.int8:
        raise InvalidOperand(
            f"matrix product of {a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)}",
            remedy="Pass two int8 matrices [M, K] and [N, K] with the same K.",
        )


def _multiply_int8(a: Tensor, b: Tensor) -> Tensor:
    """int32 [M, N]; zero rows and columns added for CUDA's size rules change no product."""
    if a.shape[1] > INT8_MAXIMUM_INPUTS:
        raise InvalidOperand(
            f"{a.shape[1]} inputs overflow 32-bit accumulators", remedy="Choose another carrier."
        )
    rows, columns = a.shape[0], b.shape[0]
    if a.is_cuda:
        inner = -a.shape[1] % _CUDA_MULTIPLE
        a = pad(a, (0, inner, 0, max(0, _CUDA_MINIMUM_ROWS - rows)))
        b = pad(b, (0, inner, 0, -columns % _CUDA_MULTIPLE))
    # The transposed view makes the second operand column-major, several times faster than a row-major one.
    return torch._int_mm(a, b.t())[:rows, :columns]


def _multiply_fp32(a: Tensor, b: Tensor) -> Tensor:
    """float64 [M, N]: partial sums over at most 1008 inputs are integers below 2^24, added in double
    precision.
    """
    total = torch.zeros(a.shape[0], b.shape[0], dtype=torch.float64, device=a.device)
    for start in range(0, a.shape[1], FLOAT32_SLICE):
        stop = start + FLOAT32_SLICE
        total += a[:, start:stop].to(torch.float32) @ b[:, start:stop].to(torch.float32).t()
    return total


def _multiply_fp64(a: Tensor, b: Tensor) -> Tensor:
    return a.to(torch.float64) @ b.to(torch.float64).t()


def _multiply_int64(a: Tensor, b: Tensor) -> Tensor:
    return a.to(torch.int64) @ b.to(torch.int64).t()


_MULTIPLY: Final[dict[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "int8": _multiply_int8,
    "fp32": _multiply_fp32,
    "fp64": _multiply_fp64,
    "int64": _multiply_int64,
}


@dataclass(frozen=True)
class PreparedWeight:
    """A weight matrix in the type its carrier multiplies, with the greatest accumulator it can produce."""

    values: Tensor  # [N, K]
    reach: int  # 2^14 · max_j Σ_i |w_ji|


@dataclass(frozen=True)
class Carrier:
    """One way of multiplying integer matrices; get one from :func:`choose_carrier`."""

    name: str

    def multiply(self, a: Tensor, b: Tensor) -> Tensor:
        """int8 [M, K] by int8 [N, K]: the exact integers ``Σ_k a_mk b_nk`` as int64 [M, N]."""
        _check_bytes(a, b)
        return _MULTIPLY[self.name](a, b).to(torch.int64)

    def prepare(self, weight: Tensor) -> PreparedWeight:
        """Convert an int8 weight [N, K] once, so that :meth:`accumulate` need not do it per call."""
        reach = int(weight.to(torch.int64).abs().sum(1).max()) << OPERAND_BITS
        types = {
            "int8": torch.int8,
            "fp32": torch.float32,
            "fp64": torch.float64,
            "int64": torch.int64,
        }
        return PreparedWeight(weight.to(types[self.name]).contiguous(), reach)

    def accumulate(self, q: Tensor, weight: PreparedWeight) -> Tensor:
        """``Σ_i q_mi w_ni`` for 15-bit operands held as integral float64 [M, K]; float64 [M, N], exact below
        2^53.
        """
        if self.name == "fp64":
            return q @ weight.values.t()
        if self.name == "int64":
            return (q.to(torch.int64) @ weight.values.t()).to(torch.float64)
        rows = q.shape[0]
        q32 = q.to(torch.int32)
        kind = torch.float32 if self.name == "fp32" else torch.int8
        digits = torch.empty((2 * rows, q.shape[1]), dtype=kind, device=q.device)
        # The low digit is the low byte read as a signed number, which is what the conversion to int8 keeps.
        digits[rows:] = q32.to(torch.int8)
        digits[:rows] = q32.add_(128).bitwise_right_shift_(8)
        if self.name == "fp32":
            return _sum_slices(digits, weight.values)
        products = _multiply_int8(digits, weight.values)
        if weight.reach <= NARROW_REACH:  # proved: 256·high + low fits 32 bits, so one conversion suffices
            return products[rows:].add_(products[:rows], alpha=256).to(torch.float64)
        return products[:rows].to(torch.float64).mul_(256).add_(products[rows:])

    def multiply_operands(self, a: Tensor, b: Tensor) -> Tensor:
        """Batched [..., M, K] by [..., K, N] with entries up to 2^14, as integral float64; K up to 1008.

        Double precision is exact: 2^28 K < 2^53. The fp32 carrier uses four products of 8-bit digits, below
        2^24 each.
        """
        if a.shape[-1] > FLOAT32_SLICE:
            raise InvalidOperand(
                f"attention product over {a.shape[-1]} elements, at most {FLOAT32_SLICE}",
                remedy="Use sequences of at most 1008 tokens.",
            )
        if self.name == "int64":
            return torch.matmul(a.to(torch.int64), b.to(torch.int64)).to(torch.float64)
        if self.name != "fp32":
            return torch.matmul(a, b)
        (a_high, a_low), (b_high, b_low) = _float_digits(a), _float_digits(b)
        total = torch.matmul(a_high, b_high).to(torch.float64).mul_(256)
        # Each of the two middle products is below 2^24, but their sum need not be: add in double precision.
        total.add_(torch.matmul(a_high, b_low)).add_(torch.matmul(a_low, b_high))
        return total.mul_(256).add_(torch.matmul(a_low, b_low))


def _sum_slices(digits: Tensor, weight: Tensor) -> Tensor:
    """256 times the product of the upper half of the rows plus that of the lower half, over slices of the
    inputs.
    """
    rows = digits.shape[0] // 2
    total = torch.zeros(rows, weight.shape[0], dtype=torch.float64, device=digits.device)
    for start in range(0, digits.shape[1], FLOAT32_SLICE):
        part = slice(start, start + FLOAT32_SLICE)
        products = digits[:, part] @ weight[:, part].t()
        total.add_(products[:rows], alpha=256).add_(products[rows:])
    return total


def _float_digits(q: Tensor) -> tuple[Tensor, Tensor]:
    """Balanced radix-256 digits of integral float64 values, in single precision."""
    high = torch.floor((q + 128) / 256)
    return high.to(torch.float32), (q - 256 * high).to(torch.float32)


# ------------------------------------------------------------------------------------------------ self-test


def _reference(a: Tensor, b: Tensor) -> Tensor:
    """The product summed in int64 without any matrix kernel: elementwise products, then a sum."""
    return (a.to(torch.int64)[:, None, :] * b.to(torch.int64)[None, :, :]).sum(-1)


def self_test(carrier: Carrier, device: torch.device) -> str | None:
    """What the carrier gets wrong on this device, or None.

    Full-range values come first, because saturating kernels fail there and pass on small random numbers.
    """
    rows, columns = 5, 16
    generator = torch.Generator().manual_seed(20)
    for inputs in (384, 1008, 1009, 1536):
        cases = [(x, y) for x in (127, -128, 64) for y in (127, -128)]
        operands = [
            (
                torch.full((rows, inputs), x, dtype=torch.int8),
                torch.full((columns, inputs), y, dtype=torch.int8),
            )
            for x, y in cases
        ]
        sizes = ((rows, inputs), (columns, inputs))
        random = [torch.randint(-128, 128, size, generator=generator, dtype=torch.int8) for size in sizes]
        operands.append((random[0], random[1]))
        for index, (a, b) in enumerate(operands):
            name = f"{cases[index][0]}·{cases[index][1]}" if index < len(cases) else "random values"
            expected = _reference(a, b)
            if not torch.equal(carrier.multiply(a.to(device), b.to(device)).cpu(), expected):
                return f"8-bit product of {name} over {inputs} inputs is wrong"
            q = a.to(torch.float64) * 128
            accumulated = carrier.accumulate(q.to(device), carrier.prepare(b.to(device))).cpu()
            if not torch.equal(accumulated.to(torch.int64), expected * 128):
                return f"15-bit product of {name} over {inputs} inputs is wrong"
    # Libraries choose another kernel for large matrices, so the sizes of real work are tested as well.
    for outputs, inputs in ((384, 1536), (1536, 384)):
        a, b = (torch.randint(-128, 128, (n, inputs), generator=generator) for n in (256, outputs))
        a[:32], b[:32] = 127, 127
        product = carrier.multiply(a.to(device, torch.int8), b.to(device, torch.int8))
        if not torch.equal(product.cpu(), a @ b.T):
            return f"8-bit product of 256 rows by {outputs} columns over {inputs} inputs is wrong"
    limit = 1 << OPERAND_BITS
    for inputs in (32, FLOAT32_SLICE):
        full = torch.full((2, rows, inputs), limit, dtype=torch.int64)
        mixed = torch.randint(-limit, limit + 1, (2, columns, inputs), generator=generator)
        for name, a, b in (
            ("full range", full, -full),
            ("random", full - 3, mixed),
            ("random", mixed, mixed),
        ):
            expected = torch.stack([_reference(x, y) for x, y in zip(a, b, strict=True)])
            left, right = a.to(device, torch.float64), b.to(device, torch.float64).transpose(-1, -2)
            if not torch.equal(carrier.multiply_operands(left, right).cpu().to(torch.int64), expected):
                return f"attention product of {name} values over {inputs} inputs is wrong"
    return None


@functools.cache
def _tested(name: str, device: str) -> str | None:
    try:
        return self_test(Carrier(name), torch.device(device))
    except (RuntimeError, NotImplementedError) as error:  # PyTorch has no such kernel for this device
        return f"not available: {error}"


_lock = threading.Lock()


def carrier_fault(name: str, device: str = "cpu") -> str | None:
    """Why the carrier cannot be used on this machine, or None; the self-test runs once per process and
    device.
    """
    if name not in CARRIER_NAMES:
        raise CarrierUnavailable(
            f"there is no carrier {name!r}", remedy=f"Choose one of: {', '.join(CARRIER_NAMES)}."
        )
    with _lock, torch.inference_mode():
        return _tested(name, device)


def choose_carrier(name: str | None = None, device: str = "cpu") -> Carrier:
    """The carrier asked for, or the fastest one that is exact on this machine."""
    if name is not None:
        fault = carrier_fault(name, device)
        if fault is not None:
            raise CarrierUnavailable(
                f"carrier {name} is not exact on this machine: {fault}",
                remedy="Leave the carrier unset: the fastest exact one gives the same bits.",
            )
        return Carrier(name)
    faults = {}
    for candidate in CARRIER_NAMES:
        fault = carrier_fault(candidate, device)
        if fault is None:
            return Carrier(candidate)
        faults[candidate] = fault
    raise CarrierUnavailable(
        f"no carrier is exact on this machine: {faults}",
        remedy="Reinstall PyTorch; if that does not help, report the processor type as a bug.",
    )
