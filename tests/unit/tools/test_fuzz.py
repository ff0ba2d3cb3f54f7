"""The fuzz runner counts what machines do, goes on where it was stopped and tells the seed of a failure."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tools import fuzz
from tools.fuzz_plugin import Batch

MACHINE = '''
import boa
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

SOURCE = """
# pragma version 0.4.3
total: public(uint256)

@external
def add(_amount: uint256):
    assert _amount < LIMIT, "too much"
    self.total += _amount
"""


class Adding(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.counter = boa.loads(SOURCE.replace("LIMIT", "50"))
        self.counter.add(1)  # preparation: not counted
        self.sum = 1

    @rule(amount=st.integers(0, 99))
    def add(self, amount):
        if amount < 50:
            self.counter.add(amount)
            self.sum += amount WRONG
        else:
            with boa.reverts("too much"):
                self.counter.add(amount)

    @invariant()
    def agrees(self):
        assert self.counter.total() == self.sum


def test_adding():
    run_state_machine_as_test(Adding, settings=settings(max_examples=999, stateful_step_count=10, deadline=None))
'''


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tests/stateful").mkdir(parents=True)
    (tmp_path / "tools").symlink_to(fuzz.ROOT / "tools")
    monkeypatch.setattr(fuzz, "ROOT", tmp_path)
    monkeypatch.setattr(fuzz, "FOLDER", tmp_path / "state")
    return tmp_path


def write_machine(checkout: Path, wrong: str = "") -> None:
    text = MACHINE.replace(" WRONG", wrong)
    (checkout / "tests/stateful/test_adding.py").write_text(text)


def batches(checkout: Path) -> list[Batch]:
    return fuzz.read_batches(checkout / "state" / fuzz.sources_digest(checkout))


def test_fuzz__counts_calls_and_goes_on_where_it_stopped(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_machine(checkout)
    assert fuzz.fuzz(50, processes=1, base=1) == 0
    first = batches(checkout)
    assert sum(batch.calls for batch in first) >= 50
    # At most 10 examples of 10 steps, one call each; what prepares an example is not among them.
    assert all(0 < batch.calls <= 100 and 0 < batch.refused < batch.calls for batch in first)
    assert {batch.machine for batch in first} == {"Adding"}
    assert fuzz.fuzz(50, processes=1, base=1) == 0
    assert batches(checkout) == first
    target = sum(batch.calls for batch in first) + 50
    assert fuzz.fuzz(target, processes=1, base=1) == 0
    after = batches(checkout)
    assert len({batch.seed for batch in after}) == len(after) > len(first)
    assert f"fuzz: {sum(batch.calls for batch in after):,} contract calls" in capsys.readouterr().out


def test_fuzz__tells_the_seed_that_finds_the_fault_again(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_machine(checkout, wrong=" + (amount == 17)")
    assert fuzz.fuzz(100_000, processes=1, base=5) == 1
    [failed] = [batch for batch in batches(checkout) if batch.failure]
    output = capsys.readouterr().out
    assert f"reproduce: python -m tools.fuzz --machine Adding --seed {failed.seed}" in output
    assert "state.add(amount=17)" in output
    # It stays a failure, without another run, until the sources change.
    assert fuzz.fuzz(1, processes=1, base=5) == 1
    capsys.readouterr()
    assert fuzz.reproduce("Adding", failed.seed) == 1
    assert "state.add(amount=17)" in capsys.readouterr().out


def test_next_seed__no_two_workers_ever_share_one() -> None:
    used = [Batch("M", seed, 1, 0, 1.0) for seed in (1, 2, 7)]
    seeds = [fuzz.next_seed(used, worker, 2, base=1) for worker in range(2)]
    assert sorted(seeds) == [8, 9]
    assert [fuzz.next_seed([], worker, 3, base=4) for worker in range(3)] == [6, 4, 5]


def test_read_batches__skips_a_line_that_was_cut_off(tmp_path: Path) -> None:
    batch = Batch("M", 3, 10, 2, 1.5)
    (tmp_path / "worker-0.jsonl").write_text(json.dumps(asdict(batch)) + '\n{"machine": "M", "se')
    assert fuzz.read_batches(tmp_path) == [batch]
