"""The gas table: what holds, what does not, and what has changed."""

from __future__ import annotations

import copy
import json

import pytest

from bench.gas.__main__ import PAGE, RESULTS
from bench.gas.ceilings import CEILINGS, STEP_CEILINGS, UNCHECKED, Results, differences, judge, judge_disputes
from bench.gas.page import page_of


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


# ------------------------------------------------------------------ disputes
LINEAR = STEP_CEILINGS[0]


def proof(gas: int, floor: int, *, replies: int = 3) -> dict[str, int]:
    """What is measured of a step that ends a game."""
    figures = {"gas": gas, "at 4 and 16 a byte": gas - 1, "floor": floor, "execution": 1, "zero bytes": 2}
    return figures | {"other bytes": 3, "replies": replies, "operator": 4, "challenger": 5}


@pytest.mark.parametrize(
    ("gas", "floor", "is_held", "is_fault"),
    [
        (LINEAR.most, 21_000, True, False),
        (LINEAR.most + 1, LINEAR.most + 1, False, False),  # the calldata alone
        (LINEAR.most + 1, LINEAR.most, False, True),  # the contracts
    ],
)
def test_judge__a_step_is_excused_by_its_calldata_alone(
    gas: int, floor: int, is_held: bool, is_fault: bool
) -> None:
    judgement = judge_disputes({LINEAR.group: proof(gas, floor)})[0]
    assert (judgement.is_held, judgement.is_fault) == (is_held, is_fault)
    assert (judgement.reason is None) == (is_held or is_fault)


def test_judge__tells_what_the_contracts_could_save() -> None:
    over, under = LINEAR.most + 1_234, LINEAR.most + 1
    [dear, *_] = judge_disputes({LINEAR.group: proof(over, under)})
    [cheap, *_] = judge_disputes({LINEAR.group: proof(under, under)})
    assert dear.reason is not None
    assert "1,233 beyond that" in dear.reason
    assert cheap.reason is not None
    assert "beyond" not in cheap.reason


@pytest.mark.parametrize(("gas", "held"), [(400_000, 2), (400_001, 1)])
def test_judge__steps_that_are_not_linear(gas: int, held: int) -> None:
    """They are counted, and one that is too dear is named."""
    judgements = judge_disputes(
        {
            "proof, digits: relu.element": proof(gas, 21_000),
            "proof, digits: patches.element": proof(5, 4),
            "proof, digits: linear.element, K = 9": proof(10**7, 4),
        }
    )
    counted = next(each for each in judgements if each.text == "proof: every other kind and check")
    assert (counted.measured, counted.is_held) == (f"{held} of 2", held == 2)
    named = [each.text for each in judgements if each.is_fault]
    assert named == ([] if held == 2 else ["proof, digits: relu.element: gas"])


@pytest.mark.parametrize(("replies", "is_held"), [(3, True), (4, False)])
def test_judge__replies_of_the_longest_game(replies: int, is_held: bool) -> None:
    results = {"proof, MiniLM: gelu.element": proof(5, 4, replies=replies)}
    results["proof, MiniLM: add.element"] = proof(5, 4, replies=2)
    judgement = judge_disputes(results)[-1]
    assert (judgement.measured, judgement.is_held) == (str(replies), is_held)


def test_page__tells_of_a_dispute_what_was_measured(results: Results) -> None:
    results["proof, MiniLM: gelu.element"] = proof(98_765, 4)
    results["proof, MiniLM: mix.sum"] = proof(87_654, 4) | UNCHECKED
    results["whole game, MiniLM"] = {"challenger 1: commit": 76_543}
    page = page_of(results, judge(results))
    assert "| gelu.element | 98,765 | 98,764 | 4 | 1 | 2 | 3 | 3 | 4 | 5 |" in page
    assert "| mix.sum * | 87,654 |" in page
    assert "### Whole game, MiniLM\n\n| | gas |\n| --- | ---: |\n| challenger 1: commit | 76,543 |" in page
    assert "in check" not in page


def test_page__gives_the_reason_for_what_is_missed(results: Results) -> None:
    results[LINEAR.group] = proof(LINEAR.most + 1, LINEAR.most + 1)
    reason = judge_disputes(results)[0].reason
    assert reason is not None
    assert f"- *{LINEAR.group}: gas*: {reason}." in page_of(results, judge(results))
