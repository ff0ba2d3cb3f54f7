"""The gas table: what holds, what does not, and what has changed."""

from __future__ import annotations

import copy
import json

import pytest

from bench.gas.__main__ import PAGE, RESULTS, page_of
from bench.gas.ceilings import CEILINGS, Results, differences, judge


@pytest.fixture
def results() -> Results:
    """Every ceiling reached and none passed."""
    figures: Results = {"slash": {"slash with 1 delegator": 100_000, "slash with 1,000 delegators": 105_000}}
    for ceiling in CEILINGS:
        figures.setdefault(ceiling.group, {})[ceiling.figure] = ceiling.most
    return figures


def test_judge__holds_what_is_not_passed(results: Results) -> None:
    assert all(judgement.is_held for judgement in judge(results))


@pytest.mark.parametrize("ceiling", CEILINGS, ids=lambda ceiling: f"{ceiling.group} {ceiling.figure}")
def test_judge__misses_by_one(results: Results, ceiling: object) -> None:
    results[ceiling.group][ceiling.figure] += 1  # type: ignore[attr-defined]
    missed = [judgement.text for judgement in judge(results) if not judgement.is_held]
    assert missed == [f"{ceiling.group}: {ceiling.figure}"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("many", [94_999, 105_001])
def test_judge__a_thousand_delegators_cost_what_one_does(results: Results, many: int) -> None:
    results["slash"]["slash with 1,000 delegators"] = many
    missed = [judgement for judgement in judge(results) if not judgement.is_held]
    assert [judgement.text for judgement in missed] == ["slash: 1,000 delegators against 1"]


def test_differences__half_a_percent_is_tolerated(results: Results) -> None:
    measured = copy.deepcopy(results)
    measured["slash"]["slash with 1 delegator"] = 100_500
    assert differences(results, measured) == []
    measured["slash"]["slash with 1 delegator"] = 99_499
    [told] = differences(results, measured)
    assert told == "slash: slash with 1 delegator: committed 100,000, measured 99,499 (-0.50%)"


def test_differences__tell_figures_that_came_or_went(results: Results) -> None:
    measured = copy.deepcopy(results)
    measured["new"] = {"figure": 1}
    del measured["slash"]["slash with 1 delegator"]
    assert differences(results, measured) == [
        "new: figure: committed None, measured 1",
        "slash: slash with 1 delegator: committed 100000, measured None",
    ]


def test_page__is_the_table_of_the_committed_figures() -> None:
    committed: Results = json.loads(RESULTS.read_text("utf-8"))
    assert PAGE.read_text("utf-8") == page_of(committed, judge(committed))
