"""Carriers agree, are tested before use, and are refused when they are wrong."""

import os
import subprocess
import sys

import pytest
import torch

from proofmill.exact import CarrierUnavailable, InvalidOperand, carriers
from proofmill.exact.carriers import CARRIER_NAMES, Carrier, carrier_fault, choose_carrier, self_test

CPU = torch.device("cpu")
EXACT = [name for name in CARRIER_NAMES if carrier_fault(name) is None]


def test_float_and_integer_carriers_are_exact_everywhere() -> None:
    assert {"fp32", "fp64", "int64"} <= set(EXACT)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize(
    ("rows", "columns", "inputs"), [(1, 1, 1), (1, 8, 16), (17, 40, 384), (3, 5, 1009), (2, 9, 4096)]
)
def test_products_are_exact(name: str, rows: int, columns: int, inputs: int) -> None:
    generator = torch.Generator().manual_seed(rows * inputs)
    a = torch.randint(-128, 128, (rows, inputs), generator=generator, dtype=torch.int8)
    b = torch.randint(-128, 128, (columns, inputs), generator=generator, dtype=torch.int8)
    a[0] = -128
    b[0] = -128
    assert torch.equal(Carrier(name).multiply(a, b), a.to(torch.int64) @ b.to(torch.int64).T)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("inputs", [384, 1536, 4096])
def test_accumulators_are_exact_on_both_sides_of_32_bits(name: str, inputs: int) -> None:
    """127 · 2^14 · 4096 exceeds 32 bits, so the int8 carrier must not use its short cut there."""
    q = torch.full((2, inputs), 2**14, dtype=torch.int64)
    q[1] = -(2**14) + 1
    weight = torch.full((3, inputs), 127, dtype=torch.int8)
    weight[1] = -127
    weight[2, ::2] = 5
    carrier = Carrier(name)
    accumulated = carrier.accumulate(q.to(torch.float64), carrier.prepare(weight))
    assert torch.equal(accumulated.to(torch.int64), q @ weight.to(torch.int64).T)


@pytest.mark.parametrize("name", EXACT)
def test_attention_products_are_exact(name: str) -> None:
    a = torch.randint(-(2**14), 2**14 + 1, (2, 3, 7, 1008), dtype=torch.int64)
    b = torch.full((2, 3, 1008, 5), -(2**14), dtype=torch.int64)
    product = Carrier(name).multiply_operands(a.to(torch.float64), b.to(torch.float64))
    assert torch.equal(product.to(torch.int64), a @ b)
    with pytest.raises(InvalidOperand, match="1009"):
        Carrier(name).multiply_operands(torch.zeros(1, 1009).double(), torch.zeros(1009, 1).double())


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (torch.zeros(2, 3, dtype=torch.int8), torch.zeros(2, 4, dtype=torch.int8)),
        (torch.zeros(2, 3, dtype=torch.int16), torch.zeros(2, 3, dtype=torch.int8)),
        (torch.zeros(3, dtype=torch.int8), torch.zeros(3, dtype=torch.int8)),
        (torch.zeros(2, 0, dtype=torch.int8), torch.zeros(2, 0, dtype=torch.int8)),
    ],
)
def test_products_of_other_things_are_refused(a: torch.Tensor, b: torch.Tensor) -> None:
    with pytest.raises(InvalidOperand):
        Carrier("int64").multiply(a, b)


def test_too_many_inputs_for_32_bits_are_refused() -> None:
    wide = torch.zeros(1, 2**17 + 1, dtype=torch.int8)
    with pytest.raises(InvalidOperand, match="overflow"):
        Carrier("int8").multiply(wide, wide)


def saturating_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """What a 16-bit saturating multiply-add gives: pairs of products clamped, as on x86 without VNNI."""
    pairs = a.to(torch.int64)[:, None, :] * b.to(torch.int64)[None, :, :]
    return pairs.unflatten(-1, (-1, 2)).sum(-1).clamp(-(2**15), 2**15 - 1).sum(-1).to(torch.int32)


def test_self_test_finds_a_saturating_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(carriers._MULTIPLY, "int8", saturating_product)
    fault = self_test(Carrier("int8"), CPU)
    assert fault is not None
    assert "is wrong" in fault


def test_a_wrong_carrier_is_passed_over_and_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "_tested", lambda name, device: "wrong" if name == "int8" else None)
    assert choose_carrier().name == "fp32"
    with pytest.raises(CarrierUnavailable, match="int8 is not exact"):
        choose_carrier("int8")


def test_no_exact_carrier_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "_tested", lambda name, device: "wrong")
    with pytest.raises(CarrierUnavailable, match="no carrier"):
        choose_carrier()


def test_unknown_carrier_names_the_known_ones() -> None:
    with pytest.raises(CarrierUnavailable, match="fp16") as caught:
        choose_carrier("fp16")
    assert "int64" in caught.value.remedy


@pytest.mark.skipif(
    sys.platform != "linux", reason="the instruction set is limited through an oneDNN variable"
)
def test_with_fewer_instructions_the_choice_is_still_exact() -> None:
    """oneDNN held to AVX2 multiplies bytes wrongly; the self-test must notice and choose another carrier."""
    program = "from proofmill.exact.carriers import *; import torch; print(choose_carrier().name, carrier_fault('int8'))"
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    name, fault = result.stdout.strip().split(" ", 1)
    assert (name == "int8") == (fault == "None")
