"""The fuzzer of disputes on a tiny model: it convicts liars, pays the honest, reports what goes wrong, and counts right."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from proofmill.disputes.rerun import CommittedModel
from tests.suite.disputes import Dispute
from tests.suite.traces import MODELS
from tools.fuzz_disputes import __main__ as fuzzer
from tools.fuzz_disputes.games import Outcome
from tools.fuzz_disputes.report import by_check, by_lie, missing, summary, table
from tools.fuzz_disputes.subjects import Subject

OUTCOME = Outcome("m", "map", "by one", "add", "add", "element", True, True, 3, 150_000, 400_000, 0.5)


@functools.cache
def tiny(name: str) -> Subject:
    return Subject(name, CommittedModel.of(MODELS[name]("E16", 3)), (2, 6), vocabulary=9)


def test_fuzz__convicts_every_liar_and_pays_the_honest(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzzer.fuzz(12, ["decoder"], 4, hostile=False, load=tiny) == 0
    printed = capsys.readouterr()
    assert printed.out.strip().splitlines()[-1].startswith("fuzz-disputes: 12 games, ")
    assert "0 failures, seed 4" in printed.out
    assert printed.err.count("convicted,") + printed.err.count("paid,") == 12


def test_fuzz__the_same_seed__plays_the_same_games(capsys: pytest.CaptureFixture[str]) -> None:
    words = []
    for _ in range(2):
        tiny.cache_clear()
        assert fuzzer.fuzz(3, ["encoder"], 9, hostile=False, load=tiny) == 0
        lines = capsys.readouterr().err.splitlines()[1:]
        words.append([line.rpartition(",")[0] for line in lines])
    assert words[0] == words[1]


def test_fuzz__hostile__no_honest_operator_loses(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzzer.fuzz(5, ["encoder"], 1, hostile=True, load=tiny) == 0
    assert "0 of 5 honest operators convicted, 0 failures" in capsys.readouterr().out


def test_fuzz__a_challenger_that_finds_nothing__is_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def finds_nothing(dispute: Dispute, challenge_id: int) -> bool:
        dispute.post_trace()
        return False

    monkeypatch.setattr(Dispute, "play", finds_nothing)
    assert fuzzer.fuzz(3, ["encoder"], 1, hostile=False, load=tiny) == 1
    printed = capsys.readouterr()
    assert "GameFailed: nothing was found" in printed.out
    assert "FAILED" in printed.err


def test_table__numbers_to_the_right() -> None:
    assert table(("a", "bb", "count"), [("x", "y", 1_000)]).splitlines() == [
        "a  bb  count",
        "-  --  -----",
        "x  y   1,000",
    ]


def test_by_check__counts_and_medians() -> None:
    other = replace(OUTCOME, replies=5, proof_gas=250_000)
    lost = replace(OUTCOME, accused="", check="", is_convicted=False, proof_gas=0)
    misordered = replace(OUTCOME, accused="relu", lie="program order")
    silent = replace(OUTCOME, accused="claim", check="silence", proof_gas=0)
    rows = by_check([OUTCOME, other, lost, misordered, silent]).splitlines()[2:]
    assert [row.split() for row in rows] == [
        ["add", "-", "1", "0", "3", "3", "-"],
        ["add", "element", "2", "2", "4", "5", "200,000"],
        ["add", "relu.element", "1", "1", "3", "3", "150,000"],
        ["add", "silence", "1", "1", "3", "3", "-"],
    ]


def test_by_lie__counts_games_lies_and_failures() -> None:
    failed = replace(OUTCOME, is_convicted=False, failure="x")
    honest = replace(OUTCOME, is_lie=False, is_convicted=False)
    [row] = by_lie([OUTCOME, failed, honest]).splitlines()[2:]
    assert row.split() == ["by", "one", "m", "map", "3", "2", "1", "1", "0.5"]


def test_summary__and_what_was_not_hit() -> None:
    innocent = replace(OUTCOME, operator="relu", is_lie=False, is_convicted=True, failure="x")
    assert missing([OUTCOME], ["add", "relu"]) == ["relu"]
    assert missing([replace(OUTCOME, is_convicted=False)], ["add"]) == ["add"]
    assert summary([OUTCOME, innocent], ["add", "mix"], 7) == (
        "fuzz-disputes: 2 games, 1 of 1 lies convicted, 1 of 1 honest operators convicted, 1 of 2 operator types hit,"
        " 1 failures, seed 7"
    )
