"""Carriers and kernels on a CUDA device: the bits of the definition, for every function."""

from collections.abc import Callable

import pytest
import torch

from proofmill.exact.kernels.carriers import CARRIER_NAMES, Carrier
from proofmill.exact.kernels.interface import Kernels
from proofmill.exact.kernels.portable import PortableKernels
from proofmill.exact.kernels.selection import carrier_fault, choose_kernels
from tests.unit.exact import kernel_cases

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
CASES = (*kernel_cases.ROW_CASES, *kernel_cases.PRODUCT_CASES)


@pytest.mark.parametrize("name", CARRIER_NAMES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_portable_kernels_on_every_carrier(name: str, case: Callable[[Kernels], None]) -> None:
    fault = carrier_fault(name, "cuda")
    if fault is not None:
        pytest.skip(f"{name} is not exact on this device: {fault}")
    case(PortableKernels(Carrier(name), "cuda"))


def test_some_carrier_and_the_triton_kernels_are_exact_here() -> None:
    assert any(carrier_fault(name, "cuda") is None for name in CARRIER_NAMES)
    assert carrier_fault("triton", "cuda") is None
    assert choose_kernels(device="cuda").name == "triton"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_triton_kernels(case: Callable[[Kernels], None]) -> None:
    case(choose_kernels("triton", "cuda"))


@pytest.mark.parametrize(("length", "head_size"), [(300, 64), (130, 128), (70, 256), (2100, 32)])
@pytest.mark.parametrize("causal", [False, True])
def test_triton_attention_at_sizes_of_real_work(length: int, head_size: int, causal: bool) -> None:
    multiplier = kernel_cases.score_multiplier(head_size)
    shape = kernel_cases.AttentionShape(4, 2, head_size, multiplier, causal)
    x = kernel_cases.rows(length + 3, 8 * head_size, seed=length)
    kernel_cases.check_attention(choose_kernels("triton", "cuda"), x, shape, [length, 3])


@pytest.mark.parametrize(("rows", "outputs", "inputs"), [(1, 1024, 4096), (600, 1536, 384), (17, 50, 2050)])
def test_triton_linear_equals_the_portable_one(rows: int, outputs: int, inputs: int) -> None:
    fused, portable = choose_kernels("triton", "cuda"), choose_kernels("fp64", "cuda")
    x = kernel_cases.rows(rows, inputs).to("cuda", torch.int32)
    for limit, kind in ((127, torch.int8), (16256, torch.int16)):
        weight = torch.randint(-limit, limit + 1, (outputs, inputs)).to(kind)
        multiplier = torch.randint(1, 1 << 9, (outputs,), dtype=torch.int32)
        bias = torch.randint(-(1 << 20), 1 << 20, (outputs,), dtype=torch.int32)
        found, expected = (
            one.linear(one.quantise(x, inputs), one.prepare_linear(weight, multiplier, bias, 30))
            for one in (fused, portable)
        )
        assert torch.equal(found, expected)
