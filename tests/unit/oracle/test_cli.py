"""``python -m oracle``: which command does what, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from oracle.cli import main
from oracle.config import OracleSettings
from proofmill.capability.verdict import ACCEPTED, Reason, Verdict

SMALL = ("challenge", "--matrix", "64", "--segments", "2", "--cells", "4", "--json")


def invoke(*words: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(main, list(words), catch_exceptions=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "oracle.toml"
    names = ("deployment", "keystore", "password_file", "data_directory")
    lines = ['rpc_url = "http://127.0.0.1:1"', *(f'{name} = "{name}"' for name in names)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("words", [("--config", "{}"), ("run", "--config", "{}"), ("--config", "{}", "run")])
def test_run__however_it_is_asked__is_the_service_of_these_settings(
    config: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[OracleSettings] = []
    monkeypatch.setattr("oracle.run.run_oracle", started.append)
    result = invoke(*(word.format(config) for word in words))
    assert result.exit_code == 0, result.stderr
    assert [settings.data_directory for settings in started] == [config.parent / "data_directory"]


def test_run__settings_that_do_not_fit__ends_with_a_remedy(config: Path) -> None:
    config.write_text(config.read_text("utf-8") + "\npatience = 0\n", encoding="utf-8")
    result = invoke("--config", str(config))
    assert result.exit_code == 1
    assert "patience" in result.stderr


def test_challenge__small_one_on_the_processor__passes_and_says_how_fast() -> None:
    result = invoke(*SMALL)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["is_passed"] is True
    assert found["operations"] == 2 * 64**3 * 64
    assert found["operations_per_second"] == pytest.approx(
        found["operations"] / found["work_seconds"], rel=0.01
    )
    assert found["forgery_refusal"] == "wrong_work"


@pytest.mark.parametrize("verdict", [ACCEPTED, Verdict(Reason.WRONG_WORK, "here")])
def test_challenge__checker_that_says_the_same_to_everything__fails(
    verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oracle.measuring.self_test.check_cells", lambda *_: verdict)
    assert invoke(*SMALL).exit_code == 1


def test_challenge__half_a_size__is_refused() -> None:
    assert invoke("challenge", "--matrix", "64").exit_code == 2


def test_status__no_keystore__ends_with_a_remedy(config: Path) -> None:
    result = invoke("status", "--config", str(config))
    assert result.exit_code == 1
    assert "keystore" in result.stderr
