"""When what is taken in a window."""

from __future__ import annotations

import pytest

from proofmill.measuring.rules import BOUNDS, InvalidRules, MeasuringRules
from proofmill.measuring.windows import Phase, Window

RULES = MeasuringRules(window_blocks=100, begin_blocks=3, work_blocks=4, opening_blocks=5)


@pytest.mark.parametrize(
    ("block", "phase"),
    [
        (700, Phase.CONFIRMING),
        (701, Phase.BEGINNING),
        (703, Phase.BEGINNING),
        (704, Phase.WORKING),
        (707, Phase.WORKING),
        (708, Phase.OPENING),
        (713, Phase.OPENING),
        (714, Phase.REPORTING),
        (799, Phase.REPORTING),
    ],
)
def test_phase__each_first_and_last_block(block: int, phase: Phase) -> None:
    window = Window.at(block, RULES)
    assert window.number == 7
    assert window.phase(block, confirmations=2) is phase


def test_phase__samples_are_drawn_after_the_last_block_that_takes_roots() -> None:
    window = Window(7, RULES)
    assert window.phase(window.sample_block - 1, confirmations=1) is Phase.WORKING
    assert window.phase(window.sample_block, confirmations=1) is Phase.OPENING


@pytest.mark.parametrize("name", BOUNDS)
def test_rules__out_of_bounds__are_refused(name: str) -> None:
    least, most = BOUNDS[name]
    for value in (least - 1, most + 1, True, float(least)):
        with pytest.raises(InvalidRules, match=name):
            MeasuringRules(**{name: value})  # type: ignore[arg-type]


def test_rules__parts_longer_than_the_window__are_refused() -> None:
    with pytest.raises(InvalidRules, match="cannot hold"):
        MeasuringRules(window_blocks=36)


def test_digest__differs_with_each_rule() -> None:
    usual = MeasuringRules()
    changed = [
        MeasuringRules(window_blocks=7_201),
        MeasuringRules(begin_blocks=6),
        MeasuringRules(work_blocks=11),
        MeasuringRules(opening_blocks=21),
        MeasuringRules(cells=33),
        MeasuringRules(lifetime_seconds=86_400),
        MeasuringRules(failures_to_withdraw=4),
    ]
    assert len({rules.digest() for rules in [usual, *changed]}) == len(changed) + 1
    assert usual.digest() == MeasuringRules().digest()
