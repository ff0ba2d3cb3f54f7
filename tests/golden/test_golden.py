"""The recorded answers of the packaged models: carriers, batch sizes and thread counts of this machine give them.

``make golden`` runs every combination, also as older processors would; here are those that take seconds.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from proofmill.exact import GoldenMismatch
from proofmill.exact.kernels.portable import PortableKernels, PreparedLinear
from proofmill.exact.kernels.selection import carrier_fault, choose_kernels
from proofmill.exact.models.catalogue import KNOWN_MODELS, load_packed
from proofmill.exact.models.golden import GOLDEN_ANSWERS, check_golden
from proofmill.exact.models.loading import make

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("minilm-e16", "minilm-e16x", "digits-e16", "digits-e16x")
LARGE = ("smollm2-e16", "smollm2-e16x")


def load_script() -> ModuleType:
    """The script behind ``make golden``."""
    specification = importlib.util.spec_from_file_location("golden_script", ROOT / "tools" / "golden.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


script = load_script()


@pytest.fixture(autouse=True)
def thread_settings() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def answer(name: str, carrier: str, batch_size: int, threads: int) -> str:
    fault = carrier_fault(carrier)
    if fault is not None:
        pytest.skip(f"{carrier} unavailable here: {fault}")
    torch.set_num_threads(threads)
    found: str = script.compute(name, choose_kernels(carrier), batch_size)
    return found


def recorded(name: str) -> str:
    return GOLDEN_ANSWERS[KNOWN_MODELS[name].model_id.hex()]


@pytest.mark.parametrize("threads", script.THREADS)
@pytest.mark.parametrize("batch_size", script.BATCH_SIZES)
@pytest.mark.parametrize("carrier", ["native", "int8"])
@pytest.mark.parametrize("name", SMALL)
def test_golden__batch_and_threads(name: str, carrier: str, batch_size: int, threads: int) -> None:
    assert answer(name, carrier, batch_size, threads) == recorded(name)


@pytest.mark.parametrize("carrier", ["fp32", "fp64", "int64"])
@pytest.mark.parametrize("name", SMALL)
def test_golden__other_carriers(name: str, carrier: str) -> None:
    assert answer(name, carrier, 32, 2) == recorded(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("carrier", "batch_size", "threads"), [("native", 1, 2), ("native", 32, 1), ("int8", 32, 2)]
)
@pytest.mark.parametrize("name", LARGE)
def test_golden__language_model(name: str, carrier: str, batch_size: int, threads: int) -> None:
    assert answer(name, carrier, batch_size, threads) == recorded(name)


@pytest.mark.gpu
@pytest.mark.parametrize("carrier", ["triton", "int8", "bf16", "fp32", "fp64"])
@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_golden__gpu(name: str, carrier: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    fault = carrier_fault(carrier, "cuda")
    if fault is not None:
        pytest.skip(f"{carrier} unavailable here: {fault}")
    assert script.compute(name, choose_kernels(carrier, "cuda"), 32) == recorded(name)


def test_every_known_model_has_a_recorded_answer() -> None:
    assert {known.model_id.hex() for known in KNOWN_MODELS.values()} == set(GOLDEN_ANSWERS)


def test_script__answers_differ__fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = recorded("digits-e16")
    arguments = ["--models", "digits-e16", "--carriers", "fp64", "bf16"]
    monkeypatch.setattr(script, "compute", lambda name, kernels, batch_size: right)
    assert script.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "unavailable here: offered on CUDA devices only" in printed, "which is no failure"
    assert "DIFFERENT" not in printed
    monkeypatch.setattr(script, "compute", lambda name, kernels, batch_size: "0" * 64)
    assert script.main(arguments) == 1
    assert "DIFFERENT" in capsys.readouterr().out


def test_check_golden__one_constant_changed_in_memory__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that went bad after the weights were verified: the machine must not serve."""
    manifest, model = load_packed(KNOWN_MODELS["digits-e16"])
    kernels = choose_kernels("fp64")
    assert isinstance(kernels, PortableKernels)
    check_golden(make(manifest, model, None, kernels))
    prepare = kernels.prepare_linear

    def damaged(
        weight: torch.Tensor, multiplier: torch.Tensor, bias: torch.Tensor, shift: int
    ) -> PreparedLinear:
        return prepare(weight, multiplier, bias ^ (bias == bias.max()).int(), shift)

    monkeypatch.setattr(kernels, "prepare_linear", damaged)
    with pytest.raises(GoldenMismatch, match="golden inputs"):
        check_golden(make(manifest, model, None, kernels))
