"""What a worker's settings say of measuring."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofmill.measuring.rules import MeasuringRules
from proofmill.settings import InvalidSettings
from worker.config import WorkerSettings

CHAIN = """
rpc_url = "http://127.0.0.1:8545"
deployment = "deployment.json"
keystore = "worker.json"
password_file = "password"
data_directory = "data"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "worker.toml"
    path.write_text(CHAIN, encoding="utf-8")
    return path


def test_load__without_rules__takes_no_part(file: Path) -> None:
    assert WorkerSettings.load(file).measuring is None


def test_load__table_of_rules__with_defaults_for_the_others(file: Path) -> None:
    file.write_text(CHAIN + "[measuring]\nwindow_blocks = 600\n", encoding="utf-8")
    assert WorkerSettings.load(file).measuring == MeasuringRules(window_blocks=600)
    file.write_text(CHAIN + "[measuring]\n", encoding="utf-8")
    assert WorkerSettings.load(file).measuring == MeasuringRules()


def test_load__rules_in_the_environment__are_json(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROOFMILL_WORKER_MEASURING", '{"cells": 16}')
    assert WorkerSettings.load(file).measuring == MeasuringRules(cells=16)
    monkeypatch.setenv("PROOFMILL_WORKER_MEASURING", "cells = 16")
    with pytest.raises(InvalidSettings, match="JSON object is expected"):
        WorkerSettings.load(file)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("measuring = 3", "measuring: .*a table of rules is expected"),
        ("[measuring]\nwindow_block = 60", "no rule window_block; the rules are window_blocks, "),
        ("[measuring]\ncells = 1", "cells is 1; Give a whole number from 8 to 256"),
        ("[measuring]\nwindow_blocks = 20", "cannot hold the 37 blocks of its parts; Make"),
        ('[devices]\ngpu = "h100"', "'gpu' is no device; write cpu, or cuda:0"),
        ('[devices]\ncpu = "h100"', "'h100' is no size for cpu; choose processor"),
        ('[devices]\n"cuda:0" = "processor"', "no size for cuda:0; choose t4 or "),
        ('[devices]\n"cuda:0" = "gtx-1"', "no size for cuda:0; choose t4 or "),
    ],
)
def test_load__bad_measuring__names_what_is_expected(file: Path, lines: str, words: str) -> None:
    file.write_text(CHAIN + lines, encoding="utf-8")
    with pytest.raises(InvalidSettings, match=words):
        WorkerSettings.load(file)


def test_load__devices__with_their_sizes(file: Path) -> None:
    file.write_text(CHAIN + '[devices]\ncpu = "processor"\n"cuda:1" = "h100"\n', encoding="utf-8")
    assert WorkerSettings.load(file).devices == {"cpu": "processor", "cuda:1": "h100"}
