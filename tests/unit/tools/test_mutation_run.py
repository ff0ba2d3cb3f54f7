"""Choosing tests, remembering verdicts, the score and its page; and one whole run on a small checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.mutation.mutants import mutants_of
from tools.mutation.report import page_of, reasons_in, score_of
from tools.mutation.running import BrokenTests, Fate, Runner, State, Verdict
from tools.mutation.targets import tests_of as targets_of

COUNTER = """# pragma version 0.4.3
from contracts.modules import steps
initializes: steps
exports: steps.total


@external
def add(_amount: uint256):
    assert _amount > 0, "counter: nothing"
    steps._add(_amount)
"""
STEPS = """# pragma version 0.4.3
total: public(uint256)
unwatched: uint256


@internal
def _add(_amount: uint256):
    self.total += _amount
    self.unwatched = _amount
"""
TEST = """import boa
import pytest
from pathlib import Path

def test_counter() -> None:
    counter = boa.load(str(Path(__file__).parents[4] / "contracts" / "Counter.vy"))
    counter.add(3)
    assert counter.total() == 3
    with boa.reverts("counter: nothing"):
        counter.add(0)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    tests = root / "tests/unit/contracts/counter"
    modules = root / "contracts/modules"
    tests.mkdir(parents=True)
    modules.mkdir(parents=True)
    (root / "contracts/Counter.vy").write_text(COUNTER)
    (modules / "steps.vy").write_text(STEPS)
    (tests / "test_counter.py").write_text(TEST)
    for name in ("pyproject.toml", "ape-config.yaml"):
        (root / name).write_text("")
    here = Path(__file__).resolve().parents[3]
    (root / "tools").symlink_to(here / "tools")
    return root


def verdict(fate: Fate, name: str = "0123456789", **changes: str) -> Verdict:
    fields = {"source_digest": "s", "tests_digest": "t", "test": "a::b", "path": "contracts/A.vy"} | changes
    return Verdict(id=name, line=1, operator="drop log", fate=fate, seconds=1.0, **fields)


def test_targets__a_module_is_tested_where_its_contracts_are(checkout: Path) -> None:
    own = checkout / "tests/property/contracts"
    own.mkdir(parents=True)
    (own / "test_steps.py").write_text("")
    (checkout / "tests/stateful/whole").mkdir(parents=True)
    (checkout / "tests/stateful/test_counter.py").write_text("")
    (checkout / "tests/stateful/test_other.py").write_text("")
    unit = "tests/unit/contracts/counter"
    own_test = "tests/property/contracts/test_steps.py"
    found = targets_of(checkout, "contracts/modules/steps.vy", with_stateful=True)
    assert found == [own_test, unit, "tests/stateful/test_counter.py", "tests/stateful/whole"]
    assert targets_of(checkout, "contracts/Counter.vy", with_stateful=False) == [unit]


def test_run__kills_what_tests_notice_and_lists_what_they_do_not(checkout: Path, tmp_path: Path) -> None:
    paths = ("contracts/Counter.vy", "contracts/modules/steps.vy")
    chosen = {"self.total += _amount", "self.unwatched = _amount", ">"}
    mutants = [
        m for path in paths for m in mutants_of(path, (checkout / path).read_text()) if m.before in chosen
    ]
    assert len(mutants) == len(chosen)
    runner = Runner(checkout, tmp_path / "cache", 2, with_stateful=False)
    fates = {v.id: v.fate for v in runner.run(mutants)}
    survivors = [m for m in mutants if fates[m.id] is Fate.SURVIVED]
    assert [(m.path, m.before) for m in survivors] == [(paths[1], "self.unwatched = _amount")]
    killed = [m.before for m in mutants if fates[m.id] is Fate.KILLED]
    assert "self.total += _amount" in killed
    assert ">" in killed
    assert (checkout / paths[1]).read_text() == STEPS
    # A second run asks nobody.
    again = Runner(checkout, tmp_path / "cache", 1, with_stateful=False)
    again._baseline = lambda *_: pytest.fail("the tests ran again")  # type: ignore[assignment,method-assign]
    assert {v.id: v.fate for v in again.run(mutants)} == fates


def test_run__learns_nothing_from_tests_that_fail_anyway(checkout: Path, tmp_path: Path) -> None:
    (checkout / "tests/unit/contracts/counter/test_counter.py").write_text(
        "def test_it():\n    assert False\n"
    )
    mutants = mutants_of("contracts/Counter.vy", COUNTER)
    with pytest.raises(BrokenTests, match="fail without a mutant"):
        Runner(checkout, tmp_path / "cache", 1, with_stateful=False).run(mutants)


def test_state__survivors_are_tried_again_when_the_tests_change(tmp_path: Path) -> None:
    [mutant, *_] = mutants_of("contracts/A.vy", "def act():\n    log A.B()\n")
    state = State(tmp_path / "state.jsonl")
    state.add(verdict(Fate.SURVIVED, mutant.id))
    reread = State(tmp_path / "state.jsonl")
    assert reread.known(mutant, "s", "t") == verdict(Fate.SURVIVED, mutant.id)
    assert reread.known(mutant, "s", "other tests") is None
    assert reread.known(mutant, "other source", "t") is None
    reread.add(verdict(Fate.KILLED, mutant.id))
    assert reread.known(mutant, "s", "other tests") == verdict(Fate.KILLED, mutant.id)
    assert reread.killers("contracts/A.vy") == ["a::b"]


def test_score__counts_time_outs_as_noticed_and_leaves_out_what_does_not_compile() -> None:
    fates = [Fate.KILLED, Fate.TIMED_OUT, Fate.SURVIVED, Fate.INVALID]
    score = score_of([verdict(fate) for fate in fates])
    assert (score.killed, score.survived, score.invalid, score.valid) == (2, 1, 1, 3)
    assert score.percent == pytest.approx(66.67, abs=0.01)


def test_page__keeps_the_reasons_that_are_in_it(tmp_path: Path) -> None:
    [mutant, *_] = mutants_of("contracts/A.vy", "def act():\n    self.x = a | b\n")
    page = tmp_path / "MUTATION.md"
    survivor = verdict(Fate.SURVIVED, mutant.id)
    page.write_text(page_of([survivor], {mutant.id: mutant}, {}))
    assert reasons_in(page) == {}
    page.write_text(page.read_text().replace("**not explained**", "equal by the bound above"))
    assert reasons_in(page) == {mutant.id: "equal by the bound above"}
    page.write_text(page_of([survivor], {mutant.id: mutant}, reasons_in(page)))
    assert reasons_in(page) == {mutant.id: "equal by the bound above"}


def test_judged__survivors_in_doubt__stay_in_the_sample(checkout: Path) -> None:
    """Left out, a sample of what was judged would have lost its survivors with the first new test."""
    mutants = mutants_of("contracts/modules/steps.vy", STEPS)
    runner = Runner(checkout, checkout / ".cache", 1, with_stateful=False)
    gone = verdict(Fate.SURVIVED, mutants[0].id, source_digest="of before", tests_digest="of before")
    runner.state.add(gone)
    assert runner.judged(mutants) == [mutants[0]]
