"""Which kernels and which carrier a machine gets: each is tested there before its first use, and one that is wrong is refused."""

from __future__ import annotations

import functools
import importlib.util
import logging
import threading
from typing import Final

import torch
from torch import Tensor

from proofmill.exact.errors import CarrierUnavailable, ExactError
from proofmill.exact.kernels.carriers import CARRIER_NAMES, FLOAT_SLICE, Carrier, multiply_by_elements
from proofmill.exact.kernels.interface import Kernels
from proofmill.exact.kernels.portable import PortableKernels
from proofmill.exact.ops.linear import WEIGHT_LIMIT_E16, WEIGHT_LIMIT_E16X
from proofmill.exact.ops.operands import OPERAND_LIMIT

#: What can be asked for by name, fastest first: fused kernels of their own, then the portable ones on each carrier.
CARRIER_CHOICES: Final = ("native", "triton", *CARRIER_NAMES)

_PROCESSORS_ONLY: Final = "offered on processors only"
_CUDA_ONLY: Final = frozenset({"triton", "bf16"})
_PROCESSOR_ONLY: Final = frozenset({"native"})
_log = logging.getLogger(__name__)


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
    try:
        kind = torch.device(device).type
        torch.empty(1, device=device)
    except (AssertionError, RuntimeError, NotImplementedError) as error:
        return f"PyTorch has no device {device} here: {error}"
    if name in _CUDA_ONLY and kind != "cuda":
        return "offered on CUDA devices only"
    if name in _PROCESSOR_ONLY and kind != "cpu":
        return _PROCESSORS_ONLY
    if name == "bf16":
        # With this left on, cuBLAS may add partial sums of a long product in bfloat16, which would round them.
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    try:
        if name == "native":
            _make(name, device)  # which tests itself
            return None
        if name == "triton":
            return _test_triton(device)
        return self_test(Carrier(name), torch.device(device))
    except ExactError as error:
        return str(error)
    except (
        RuntimeError,
        NotImplementedError,
        TypeError,
    ) as error:  # PyTorch has no such kernel or type for this device
        return f"not available: {error}"


def _test_triton(device: str) -> str | None:
    if importlib.util.find_spec("triton") is None:
        return "the package triton is not installed"
    from proofmill.exact.kernels.triton.self_test import self_test as test_kernels

    fault = _tested("int8", device)
    return f"needs the carrier int8: {fault}" if fault else test_kernels(_make("triton", device))


def _make(name: str, device: str) -> Kernels:
    """Kernels by name; those of their own are imported here because they need a compiler, or a package that not all have."""
    if name == "native":
        from proofmill.exact.kernels.native.kernels import NativeKernels

        return NativeKernels()
    if name == "triton":
        from proofmill.exact.kernels.triton.kernels import TritonKernels

        return TritonKernels(Carrier("int8"), device)
    return PortableKernels(Carrier(name), device)


_lock = threading.Lock()


def carrier_fault(name: str, device: str = "cpu") -> str | None:
    """Why a carrier, or kernels of their own, cannot be used on this machine, or None; tested once per process and device.

    Raises:
        CarrierUnavailable: the name is none of :data:`CARRIER_CHOICES`.
    """
    if name not in CARRIER_CHOICES:
        raise CarrierUnavailable(
            f"there is no carrier {name!r}", remedy=f"Choose one of: {', '.join(CARRIER_CHOICES)}."
        )
    with _lock, torch.inference_mode():
        return _tested(name, device)


def choose_carrier(name: str | None = None, device: str = "cpu") -> Carrier:
    """The carrier asked for, or the first of :data:`CARRIER_NAMES` that is exact on this machine.

    Raises:
        CarrierUnavailable: there is no such carrier, it fails its test here, or none passes.
    """
    if name is not None and name not in CARRIER_NAMES:
        raise CarrierUnavailable(
            f"there is no carrier {name!r}", remedy=f"Choose one of: {', '.join(CARRIER_NAMES)}."
        )
    return Carrier(_first_exact(CARRIER_NAMES, name, device))


def choose_kernels(name: str | None = None, device: str = "cpu") -> Kernels:
    """The kernels asked for, or the first of :data:`CARRIER_CHOICES` that are exact on this machine.

    Raises:
        CarrierUnavailable: there are none of that name, they fail their test here, or none pass.
    """
    chosen = _first_exact(CARRIER_CHOICES, name, device)
    if name is None:
        _report_slower(chosen, device)
    return _make(chosen, device)


@functools.cache
def _report_slower(chosen: str, device: str) -> None:
    """Say once why the fused kernels of this kind of device are not used."""
    fused = "native" if torch.device(device).type == "cpu" else "triton"
    if chosen != fused:
        fault = carrier_fault(fused, device)
        _log.warning("%s kernels are unavailable on %s, using %s: %s", fused, device, chosen, fault)


def _first_exact(choices: tuple[str, ...], name: str | None, device: str) -> str:
    if name is not None:
        fault = carrier_fault(name, device)
        if fault is not None:
            raise CarrierUnavailable(
                f"carrier {name} is not exact on this machine: {fault}",
                remedy="Leave the carrier unset: the fastest exact one gives the same bits.",
            )
        return name
    faults = {}
    for candidate in choices:
        fault = carrier_fault(candidate, device)
        if fault is None:
            return candidate
        faults[candidate] = fault
    if len(set(faults.values()) - {_PROCESSORS_ONLY}) == 1:  # the device itself is the reason
        raise CarrierUnavailable(
            f"no carrier is available on {device}: {(set(faults.values()) - {_PROCESSORS_ONLY}).pop()}",
            remedy="Use the device cpu, or install PyTorch for this device (`make setup TORCH=cuda`).",
        )
    reasons = "; ".join(f"{candidate}: {fault}" for candidate, fault in faults.items())
    raise CarrierUnavailable(
        f"no carrier is exact on this machine: {reasons}",
        remedy="Reinstall PyTorch; if that does not help, report the processor type as a bug.",
    )
