"""Products of int8 matrices with every bit right, in whatever machine arithmetic does that on this device.

======  =====================================================  ==========================
name    how                                                    exact because
======  =====================================================  ==========================
int8    ``torch._int_mm``, 32-bit sums over at most 2^15       128·128·2^15 = 2^29
fp32    single precision over slices of 1024, summed in int32  128·128·1024 = 2^24
fp64    double precision                                       128·128·2^15 = 2^29 < 2^53
======  =====================================================  ==========================

``torch._int_mm`` is silently wrong on x86 processors without VNNI, and TF32 may be switched on by others: each carrier is
tested on its device before its first use, and one that fails is not used.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from proofmill.capability.errors import DeviceUnfit
from proofmill.capability.generator import generate_matrix

CARRIER_NAMES: Final = ("int8", "fp32", "fp64")
_FLOAT_SLICE: Final = 1024
#: CUDA's 8-bit product wants more than 16 rows.
_CUDA_LEAST_ROWS: Final = 32
#: Up to so many rows, a processor is faster when the long matrix comes first and the short one is what oneDNN repacks.
_FEW_ROWS: Final = 64


@dataclass(frozen=True)
class Carrier:
    """One way of multiplying; get one from :func:`choose_carrier`."""

    name: str

    def multiply(self, x: Tensor, w: Tensor) -> Tensor:
        """``x · wᵀ`` for int8 [m, k] and int8 [n, k]: int32 [m, n], contiguous. k, n are multiples of 8."""
        if self.name == "int8":
            return _multiply_int8(x, w)
        if self.name == "fp64":
            return (x.to(torch.float64) @ w.to(torch.float64).t()).to(torch.int32)
        total = torch.zeros((x.shape[0], w.shape[0]), dtype=torch.int32, device=x.device)
        for start in range(0, x.shape[1], _FLOAT_SLICE):
            part = slice(start, start + _FLOAT_SLICE)
            total += (x[:, part].to(torch.float32) @ w[:, part].to(torch.float32).t()).to(torch.int32)
        return total


def _multiply_int8(x: Tensor, w: Tensor) -> Tensor:
    rows = x.shape[0]
    if x.device.type != "cpu":
        padded = x if rows >= _CUDA_LEAST_ROWS else pad(x, (0, 0, 0, _CUDA_LEAST_ROWS - rows))
        return torch._int_mm(padded, w.t())[:rows]
    if rows <= _FEW_ROWS:
        return torch._int_mm(w, x.t()).t().contiguous()
    return torch._int_mm(x, w.t())


def self_test(carrier: Carrier, device: torch.device) -> str | None:
    """What a carrier gets wrong on a device, or None. Reference: sums of int64 products on the processor."""
    for rows, inputs, outputs in ((3, 64, 64), (32, 2048, 72), (96, 4096, 64)):
        x = generate_matrix((inputs, rows), rows, inputs)
        w = generate_matrix((outputs, inputs), outputs, inputs)
        x[0], w[:2] = -128, -128  # the greatest sum there is
        x[1], w[2:4] = 127, 127  # saturates pairs of products in 16 bits
        w[4, ::2], w[4, 1::2] = 127, -128
        expected = x.to(torch.int64) @ w.to(torch.int64).t()
        found = carrier.multiply(x.to(device), w.to(device)).cpu()
        if found.dtype != torch.int32 or not torch.equal(found.to(torch.int64), expected):
            return f"the product of {rows} rows over {inputs} inputs is wrong"
    return None


@functools.cache
def carrier_fault(name: str, device: str) -> str | None:
    """Why a carrier cannot be used on a device, or None; tested once per process."""
    try:
        return self_test(Carrier(name), torch.device(device))
    except (
        AssertionError,
        RuntimeError,
        NotImplementedError,
    ) as error:  # no such device, or no such kernel for it
        return f"not available: {error}"


def choose_carrier(device: str = "cpu", name: str | None = None) -> Carrier:
    """The carrier asked for, or the first of :data:`CARRIER_NAMES` that is exact on the device.

    Raises:
        DeviceUnfit: there is no such carrier, it is wrong here, or all are.
    """
    if name is not None and name not in CARRIER_NAMES:
        raise DeviceUnfit(
            f"there is no carrier {name!r}", remedy=f"Choose one of: {', '.join(CARRIER_NAMES)}."
        )
    faults = {}
    for candidate in CARRIER_NAMES if name is None else (name,):
        fault = carrier_fault(candidate, device)
        if fault is None:
            return Carrier(candidate)
        faults[candidate] = fault
    reasons = "; ".join(f"{candidate}: {fault}" for candidate, fault in faults.items())
    raise DeviceUnfit(
        f"no exact arithmetic on {device}: {reasons}",
        remedy="Use the device cpu, or install PyTorch for this device (`make setup TORCH=cuda`).",
    )
