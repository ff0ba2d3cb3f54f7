"""Which carrier a machine gets: each one is tested there before its first use, and one that is wrong is refused."""

from __future__ import annotations

import functools
import threading
from typing import Final

import torch
from torch import Tensor

from proofmill.exact.errors import CarrierUnavailable
from proofmill.exact.kernels.carriers import CARRIER_NAMES, FLOAT_SLICE, Carrier, multiply_by_elements
from proofmill.exact.kernels.interface import Kernels
from proofmill.exact.kernels.portable import PortableKernels
from proofmill.exact.ops.linear import WEIGHT_LIMIT_E16, WEIGHT_LIMIT_E16X
from proofmill.exact.ops.operands import OPERAND_LIMIT

_CUDA_ONLY: Final = frozenset({"bf16"})


def self_test(carrier: Carrier, device: torch.device) -> str | None:
    """What the carrier gets wrong on this device, or None.

    Full-range values come first, because kernels that saturate sums fail there and pass on small random numbers.
    Sums longer than a slice (1008 inputs) and shapes of real work follow, since libraries choose their kernel by shape.
    """
    generator = torch.Generator().manual_seed(20)
    return _test_linear(carrier, device, generator) or _test_attention(carrier, device, generator)


def _test_linear(carrier: Carrier, device: torch.device, generator: torch.Generator) -> str | None:
    shapes = [(5, 16, inputs) for inputs in (1, 7, 384, FLOAT_SLICE, FLOAT_SLICE + 1, 1536)]
    shapes += [(1, 48, 384), (256, 384, 1536), (256, 1536, 384)]
    for limit, kind in ((WEIGHT_LIMIT_E16, torch.int8), (WEIGHT_LIMIT_E16X, torch.int16)):
        for rows, outputs, inputs in shapes:
            q = torch.randint(-OPERAND_LIMIT, OPERAND_LIMIT + 1, (rows, inputs), generator=generator)
            weight = torch.randint(-limit, limit + 1, (outputs, inputs), generator=generator)
            # Both digits of 127·128 + 127 are 127 at their places' greatest values: sums saturate there if anywhere.
            for index, value in enumerate((OPERAND_LIMIT, 63 * 256 + 127, -OPERAND_LIMIT, -128)):
                q[index : index + 1] = value
                weight[index : index + 1] = limit if index % 2 == 0 else -limit
            prepared = carrier.prepare(weight.to(device, kind))
            result = carrier.accumulate(q.to(device, torch.int16), prepared).cpu()
            if not torch.equal(result, _reference(q, weight.t()).to(torch.float64)):
                return f"product of {rows} rows by {outputs} channels of {kind} over {inputs} inputs is wrong"
    return None


def _test_attention(carrier: Carrier, device: torch.device, generator: torch.Generator) -> str | None:
    for inputs in (32, 128, FLOAT_SLICE + 1, 2 * FLOAT_SLICE + 5):
        a, b = (
            torch.randint(-OPERAND_LIMIT, OPERAND_LIMIT + 1, (2, size, inputs), generator=generator)
            for size in (7, 24)
        )
        a[0, :3], b[0, :2], b[0, 2:4] = OPERAND_LIMIT, OPERAND_LIMIT, 63 * 256 + 127
        a[1, :3], b[1, :3] = -(63 * 256 + 127), -128
        left, right = a.to(device, torch.int16), b.to(device, torch.int16).transpose(-1, -2)
        result = carrier.multiply_operands(left, right).cpu()
        if not torch.equal(result, _reference(a, b.transpose(-1, -2)).to(torch.float64)):
            return f"attention product over {inputs} elements is wrong"
    return None


def _reference(a: Tensor, b: Tensor) -> Tensor:
    """The product in int64 on the processor; small ones by elements, without any matrix kernel."""
    small = a.numel() * b.shape[-1] <= 1 << 20
    return multiply_by_elements(a, b) if small else torch.matmul(a, b)


@functools.cache
def _tested(name: str, device: str) -> str | None:
    if name in _CUDA_ONLY and torch.device(device).type != "cuda":
        return "offered on CUDA devices only"
    if name == "bf16":
        # With this left on, cuBLAS may add partial sums of a long product in bfloat16, which would round them.
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    try:
        return self_test(Carrier(name), torch.device(device))
    except (RuntimeError, NotImplementedError) as error:  # PyTorch has no such kernel for this device
        return f"not available: {error}"


_lock = threading.Lock()


def carrier_fault(name: str, device: str = "cpu") -> str | None:
    """Why the carrier cannot be used on this machine, or None; tested once per process and device.

    Raises:
        CarrierUnavailable: there is no carrier of that name.
    """
    if name not in CARRIER_NAMES:
        raise CarrierUnavailable(
            f"there is no carrier {name!r}", remedy=f"Choose one of: {', '.join(CARRIER_NAMES)}."
        )
    with _lock, torch.inference_mode():
        return _tested(name, device)


def choose_carrier(name: str | None = None, device: str = "cpu") -> Carrier:
    """The carrier asked for, or the first of :data:`CARRIER_NAMES` that is exact on this machine.

    Raises:
        CarrierUnavailable: there is no such carrier, it fails its test here, or none passes.
    """
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


def choose_kernels(name: str | None = None, device: str = "cpu") -> Kernels:
    """The fastest kernels that are exact on this machine, or those of the carrier asked for.

    Raises:
        CarrierUnavailable: there is no such carrier, or it fails its test here.
    """
    return PortableKernels(choose_carrier(name, device), device)
