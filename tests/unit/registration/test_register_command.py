"""``proofmill model register`` on a small model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from proofmill.chain.model_registry import ModelRegistry
from proofmill.cli import main
from proofmill.exact.manifest.document import describe
from proofmill.exact.manifest.packed import write_packed
from proofmill.exact.trace import limits
from tests.suite.deployment import NO_WORD
from tests.unit.exact.small_models import small_llama
from tests.unit.registration.conftest import LocalSender


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    model = small_llama("E16")
    path = tmp_path / "small.safetensors"
    write_packed(path, describe(model), model)
    return path


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    """Names files that nobody reads here."""
    path = tmp_path / "client.toml"
    names = ("deployment", "keystore", "password_file", "data_directory")
    lines = [f'{name} = "{tmp_path / name}"' for name in names]
    path.write_text("\n".join(['rpc_url = "http://127.0.0.1:1"', *lines]) + "\n")
    return path


@pytest.fixture
def unlocked(
    registry: ModelRegistry, registrant: LocalSender, monkeypatch: pytest.MonkeyPatch
) -> LocalSender:
    """The account of the settings, on the chain of the test."""

    @contextmanager
    def unlock(settings: Any) -> Iterator[Any]:
        yield SimpleNamespace(suite=SimpleNamespace(model_registry=registry), sender=registrant)

    monkeypatch.setattr("proofmill.cli.model.registering.OperatorAccount.unlock", unlock)
    return registrant


def run(packed: Path, settings_file: Path, *arguments: str) -> Result:
    command = ["model", "register", str(packed), "--config", str(settings_file), *arguments]
    return CliRunner(mix_stderr=False).invoke(main, command)


def test_register__small_model__is_registered_and_told(
    packed: Path, settings_file: Path, unlocked: LocalSender, registry: ModelRegistry
) -> None:
    result = run(packed, settings_file, "--uri", "https://models.example", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    known = registry.model(bytes.fromhex(report["model_id"]))
    assert report == {
        "model_id": describe(small_llama("E16")).model_id.hex(),
        "program_root": known.program_root.hex(),
        "operators": known.operators,
        "bounds_version": 1,
        "flagged": False,
        "transactions": 4,
        "gas_used": 4000,
    }
    assert known.operators > 32
    assert "hashing every weight" in result.stderr
    assert "3 of 3 groups checked" in result.stderr
    again = run(packed, settings_file)
    assert again.exit_code == 0
    assert "nothing was left to do" in again.stdout
    assert len(unlocked.sent) == 4


def test_register__flagged_model__says_so(
    packed: Path, settings_file: Path, unlocked: LocalSender, owner: LocalSender, registry: ModelRegistry
) -> None:
    model_id = describe(small_llama("E16")).model_id
    owner.send_many([("flag", registry.flag(model_id, True, NO_WORD))])
    result = run(packed, settings_file)
    assert result.exit_code == 0
    assert "warns of this model" in result.stdout


def test_register__sequences_too_long_to_dispute__are_warned_of(
    packed: Path, settings_file: Path, unlocked: LocalSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cannot be disputed" not in run(packed, settings_file).stderr
    monkeypatch.setattr("proofmill.cli.model.registering.MAXIMUM_LENGTH", 23)
    assert "more than 23 tokens cannot be disputed; this model takes 24" in run(packed, settings_file).stderr


def test_register__model_that_no_dispute_carries__is_refused_before_the_key_is_asked_for(
    packed: Path, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAXIMUM_OPERATORS", 5)
    result = run(packed, settings_file)
    assert result.exit_code == 1
    assert "a dispute cannot carry this model" in result.stderr
    assert "Traceback" not in result.stderr


def test_register__address_too_long__is_refused(
    packed: Path, settings_file: Path, unlocked: LocalSender
) -> None:
    result = run(packed, settings_file, "--uri", "x" * 257)
    assert result.exit_code == 1
    assert "257 bytes" in result.stderr
    assert unlocked.sent == []


def test_register__no_such_model__is_refused_by_name(settings_file: Path) -> None:
    result = run(Path("nothing-e16"), settings_file)
    assert result.exit_code == 1
    assert "there is no model 'nothing-e16'" in result.stderr
