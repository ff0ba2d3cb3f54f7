"""Carriers agree, are tested before use, and are refused when they are wrong."""

import os
import subprocess
import sys

import pytest
import torch

from proofmill.exact.errors import CarrierUnavailable, InvalidOperand
from proofmill.exact.kernels import carriers, selection
from proofmill.exact.kernels.carriers import CARRIER_NAMES, Carrier, multiply_by_elements
from proofmill.exact.kernels.selection import carrier_fault, choose_carrier, choose_kernels, self_test

CPU = torch.device("cpu")
EXACT = [name for name in CARRIER_NAMES if carrier_fault(name) is None]
LIMIT = 1 << 14


def test_float_and_integer_carriers_are_exact_everywhere() -> None:
    assert {"fp32", "fp64", "int64"} <= set(EXACT)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize(("limit", "kind"), [(127, torch.int8), (16256, torch.int16)])
@pytest.mark.parametrize(
    ("rows", "columns", "inputs"), [(1, 1, 1), (1, 8, 16), (17, 40, 384), (3, 5, 1009), (2, 9, 4096)]
)
def test_accumulators_are_exact(
    name: str, limit: int, kind: torch.dtype, rows: int, columns: int, inputs: int
) -> None:
    generator = torch.Generator().manual_seed(rows * inputs)
    q = torch.randint(-LIMIT, LIMIT + 1, (rows, inputs), generator=generator)
    weight = torch.randint(-limit, limit + 1, (columns, inputs), generator=generator)
    q[0], weight[0] = LIMIT, -limit
    carrier = Carrier(name)
    result = carrier.accumulate(q.to(torch.int16), carrier.prepare(weight.to(kind)))
    assert result.dtype == torch.float64
    assert torch.equal(result.to(torch.int64), q @ weight.T)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("inputs", [384, 1536, 4096, 1 << 16, (1 << 16) + 3])
def test_accumulators_are_exact_on_both_sides_of_32_bits(name: str, inputs: int) -> None:
    """127 · 2^14 · 4096 exceeds 32 bits, so the int8 carrier must not use its short cut there; 2^16 inputs are one slice."""
    q = torch.full((2, inputs), LIMIT, dtype=torch.int16)
    q[1] = -LIMIT + 1
    weight = torch.full((3, inputs), 127, dtype=torch.int8)
    weight[1] = -127
    weight[2, ::2] = 5
    carrier = Carrier(name)
    accumulated = carrier.accumulate(q, carrier.prepare(weight))
    assert torch.equal(accumulated.to(torch.int64), q.to(torch.int64) @ weight.to(torch.int64).T)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("inputs", [1, 1008, 1009, 5000])
def test_attention_products_are_exact(name: str, inputs: int) -> None:
    a = torch.randint(-LIMIT, LIMIT + 1, (2, 3, 7, inputs))
    b = torch.full((2, 3, inputs, 5), -LIMIT)
    b[..., 1:3] = 127 * 129
    expected = a @ b
    for kind in (torch.int16, torch.float64):
        product = Carrier(name).multiply_operands(a.to(kind), b.to(kind))
        assert torch.equal(product.to(torch.int64), expected)


def test_products_by_elements_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "_PRODUCTS_PER_BLOCK", 100)
    a, b = torch.randint(-(2**20), 2**20, (2, 9, 6)), torch.randint(-(2**20), 2**20, (2, 6, 5))
    assert torch.equal(multiply_by_elements(a, b), a @ b)
    assert torch.equal(multiply_by_elements(a[0], b[0]), a[0] @ b[0])


@pytest.mark.parametrize(
    "weight",
    [
        torch.zeros(2, 3, dtype=torch.int32),
        torch.zeros(3, dtype=torch.int8),
        torch.zeros(2, 0, dtype=torch.int8),
    ],
)
def test_weights_of_other_types_and_shapes_are_refused(weight: torch.Tensor) -> None:
    with pytest.raises(InvalidOperand, match="weight of"):
        Carrier("int64").prepare(weight)


def saturating_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """What x86 without VNNI gives: unsigned by signed bytes, pairs of products clamped to 16 bits, the offset taken away."""
    wide_a, wide_b = a.to(torch.int64), b.to(torch.int64)
    pairs = (wide_a + 128)[:, None, :] * wide_b[None, :, :]
    pairs = torch.nn.functional.pad(pairs, (0, pairs.shape[-1] % 2)).unflatten(-1, (-1, 2))
    clamped = pairs.sum(-1).clamp(-(2**15), 2**15 - 1).sum(-1)
    return (clamped - 128 * wide_b.sum(1)).to(torch.int32)


def test_self_test_finds_a_saturating_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "multiply_int8", saturating_product)
    fault = self_test(Carrier("int8"), CPU)
    assert fault is not None
    assert "is wrong" in fault


def test_self_test_finds_sums_rounded_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bf16 carrier would give if a library returned or added its partial sums in bfloat16."""

    def rounded(self: Carrier, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a.float() @ b.float().t()).to(torch.bfloat16).float()

    monkeypatch.setattr(Carrier, "_multiply_digits", rounded)
    assert "is wrong" in str(self_test(Carrier("bf16"), CPU))


def test_bf16_digits_are_exact_where_sums_are_kept_in_single_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The digits' arithmetic of the CUDA carrier, with the processor in the place of the tensor cores."""
    monkeypatch.setattr(Carrier, "_multiply_digits", lambda self, a, b: a.float() @ b.float().t())
    monkeypatch.setattr(Carrier, "_multiply_batch", lambda self, a, b: a.float() @ b.float())
    assert self_test(Carrier("bf16"), CPU) is None


def test_bf16_is_offered_on_cuda_only() -> None:
    assert "CUDA" in str(carrier_fault("bf16"))


def test_self_test_finds_wrong_attention_products(monkeypatch: pytest.MonkeyPatch) -> None:
    def single(self: Carrier, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a.float() @ b.float()).double()

    monkeypatch.setattr(Carrier, "multiply_operands", single)
    assert "attention product" in str(self_test(Carrier("fp64"), CPU))


def test_a_wrong_carrier_is_passed_over_and_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        selection, "_tested", lambda name, device: "wrong" if name in ("int8", "bf16") else None
    )
    assert choose_carrier().name == "fp32"
    with pytest.raises(CarrierUnavailable, match="int8 is not exact"):
        choose_carrier("int8")


def test_no_exact_carrier_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_tested", lambda name, device: "wrong")
    with pytest.raises(CarrierUnavailable, match="no carrier"):
        choose_carrier()


def test_unknown_carrier_names_the_known_ones() -> None:
    with pytest.raises(CarrierUnavailable, match="fp16") as caught:
        choose_carrier("fp16")
    assert "int64" in caught.value.remedy


@pytest.mark.parametrize("name", EXACT)
def test_kernels_carry_the_name_of_the_carrier_asked_for(name: str) -> None:
    kernels = choose_kernels(name)
    assert (kernels.name, kernels.device) == (name, CPU)


@pytest.mark.skipif(
    sys.platform != "linux", reason="the instruction set is limited through an oneDNN variable"
)
def test_with_fewer_instructions_the_choice_is_still_exact() -> None:
    """oneDNN held to AVX2 multiplies bytes wrongly; the self-test must notice and choose another carrier."""
    program = (
        "from proofmill.exact.kernels.selection import *; print(choose_carrier().name, carrier_fault('int8'))"
    )
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    name, fault = result.stdout.strip().split(" ", 1)
    assert (name == "int8") == (fault == "None")


def test_the_portable_kernels_step_in_for_the_fused_ones_and_say_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = {"native": "no compiler", "triton": "no GPU", "int8": "wrong", "bf16": "no GPU"}
    monkeypatch.setattr(selection, "_tested", lambda name, device: faults.get(name))
    selection._report_slower.cache_clear()
    assert [choose_kernels().name for _ in range(2)] == ["fp32", "fp32"]
    assert [record.getMessage() for record in caplog.records] == [
        "native kernels are unavailable on cpu, using fp32: no compiler"
    ]
    with pytest.raises(CarrierUnavailable, match="no compiler"):
        choose_kernels("native")
    selection._report_slower.cache_clear()


def test_kernels_of_another_kind_of_device_are_unavailable() -> None:
    assert carrier_fault("triton", "cpu") == "offered on CUDA devices only"
    assert carrier_fault("native", "meta") == "offered on processors only"
    with pytest.raises(CarrierUnavailable, match="there is no carrier 'native'"):
        choose_carrier("native")  # not a carrier: it multiplies nothing for others


@pytest.mark.parametrize(
    "device",
    [
        "abacus",
        pytest.param(
            "cuda", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
        ),
    ],
)
def test_devices_that_are_not_there_are_refused(device: str) -> None:
    with pytest.raises(CarrierUnavailable, match=f"no device {device}"):
        choose_kernels(device=device)
    with pytest.raises(CarrierUnavailable, match=f"no device {device}"):
        choose_kernels("int8", device)


def test_triton_needs_its_package_and_an_exact_8_bit_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_tested", lambda name, device: "wrong there")
    assert "needs the carrier int8: wrong there" in str(selection._test_triton("cuda"))
    monkeypatch.setattr(selection.importlib.util, "find_spec", lambda name: None)
    assert "not installed" in str(selection._test_triton("cuda"))
