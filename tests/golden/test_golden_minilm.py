"""The recorded answer of MiniLM E16: every carrier, batch size and thread count on this machine gives it."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

from proofmill.exact import GoldenMismatch, check_golden, load_minilm
from proofmill.exact.carriers import carrier_fault
from proofmill.exact.golden import GOLDEN_ANSWERS

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = json.loads((ROOT / "tests" / "golden" / "minilm_e16.json").read_text("utf-8"))


def load_script() -> ModuleType:
    """The script behind ``make golden``."""
    specification = importlib.util.spec_from_file_location("golden_script", ROOT / "tools" / "golden.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


script = load_script()


@pytest.mark.parametrize("threads", script.THREADS)
@pytest.mark.parametrize("batch_size", script.BATCH_SIZES)
@pytest.mark.parametrize("carrier", script.CARRIERS)
def test_golden(carrier: str, batch_size: int, threads: int) -> None:
    fault = carrier_fault(carrier)
    if fault is not None:
        pytest.skip(f"{carrier} unavailable here: {fault}")
    assert script.compute(carrier, batch_size, threads) == EXPECTED


def test_script_fails_when_an_answer_differs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "compute", lambda carrier, batch_size, threads: EXPECTED)
    assert script.main([]) == 0
    wrong = tmp_path / "golden.json"
    wrong.write_text(json.dumps({**EXPECTED, "answer_sha256": "0" * 64}))
    monkeypatch.setattr(script, "GOLDEN", wrong)
    assert script.main([]) == 1
    assert "DIFFERENT" in capsys.readouterr().out
    assert script.main(["--write"]) == 0
    assert json.loads(wrong.read_text()) == EXPECTED


def test_an_unavailable_carrier_is_not_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "compute", lambda carrier, batch_size, threads: EXPECTED)
    monkeypatch.setattr(script, "carrier_fault", lambda carrier: "wrong" if carrier == "int8" else None)
    assert script.main([]) == 0
    assert "unavailable here: wrong" in capsys.readouterr().out


def test_check_golden__recorded_answer__passes_and_is_the_one_that_nodes_check() -> None:
    assert GOLDEN_ANSWERS[EXPECTED["model_id"]] == EXPECTED["answer_sha256"]
    check_golden(load_minilm())


def test_check_golden__one_constant_changed_in_memory__is_refused() -> None:
    """Memory that went bad after the weights were verified: the machine must not serve."""
    embedder = load_minilm()
    with torch.inference_mode():
        embedder._encoder._layers[0].up.offset[0] += 1 << 16
    with pytest.raises(GoldenMismatch, match="golden sequences"):
        check_golden(embedder)
