"""The economics of cheating: the rules of money as the contracts have them, and a page that is what was simulated."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.economics.market import Economy, Estimate, Market, Operator, Trial
from bench.economics.page import page_of
from bench.economics.protocol import MODULES, ROOT, DefaultMissing, Protocol
from bench.economics.strategies import STRATEGIES, Strategy, evaluate
from bench.economics.thresholds import (
    gain_per_price,
    honest_draw,
    least_bond_share,
    least_divisor,
    least_rate,
    least_stake,
    spree_gain,
)
from proofmill.sampling import OperatorHistory, SamplingPolicy

Results = dict[str, Any]
RESULTS = ROOT / "bench" / "economics" / "results.json"
PAGE = ROOT / "docs" / "ECONOMICS.md"
PROTOCOL = Protocol.read()
POLICY = SamplingPolicy()
ECONOMY = Economy(PROTOCOL, POLICY, bond_share=1.0)  # sums that are easily done in one's head


def market(economy: Economy = ECONOMY) -> Market:
    return Market(economy, np.random.default_rng(1))


def strategy(name: str) -> Strategy:
    return next(each for each in STRATEGIES if each.name == name)


# ------------------------------------------------------------------ parameters
def test_protocol__defaults_of_the_contracts() -> None:
    assert (PROTOCOL.bond_rate, PROTOCOL.member_bond, PROTOCOL.challenge_bond) == (1.0, 200.0, 100.0)
    assert (PROTOCOL.bond_share, PROTOCOL.late_penalty) == (40.0, 0.0125)  # a late worker loses half a price
    assert (PROTOCOL.fault_cap, PROTOCOL.window_cap, PROTOCOL.open_cap) == (0.1, 0.3, 0.5)
    assert (PROTOCOL.challenge_window, PROTOCOL.dispute_window) == (3_600, 86_400)
    assert PROTOCOL.slash_window == 30 * 86_400


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / MODULES, tmp_path / MODULES)
    return tmp_path


def test_protocol__contract_with_another_default__is_followed(checkout: Path) -> None:
    module = checkout / MODULES / "staking_limits.vy"
    module.write_text(
        module.read_text().replace("_set_slash_caps(1_000, 3_000)", "_set_slash_caps(500, 2_000)")
    )
    changed = Protocol.read(checkout)
    assert (changed.fault_cap, changed.window_cap) == (0.05, 0.2)


def test_protocol__contract_that_says_it_otherwise__is_not_guessed(checkout: Path) -> None:
    module = checkout / MODULES / "commitments.vy"
    module.write_text(
        module.read_text().replace("assert 2 * committed <= stake", "assert committed <= stake // 2")
    )
    with pytest.raises(DefaultMissing, match=r"commitments\.vy has 0 places"):
        Protocol.read(checkout)


# ------------------------------------------------------------------ money
def test_lie__undetected_spares_its_cost_refuted_loses_price_and_bond() -> None:
    economy = replace(ECONOMY, bond_share=4.0, saved_share=0.5)
    operator, trial = Operator(1_000.0), Trial()
    market(economy).settle_lie(operator, 10.0, trial, is_refuted=False)
    assert (trial.gain, operator.stake, operator.history) == (5.0, 1_000.0, OperatorHistory(1, 1))
    market(economy).settle_lie(operator, 10.0, trial, is_refuted=True)
    assert trial.gain == 5.0 + 5.0 - 10.0 - 40.0
    assert (operator.stake, operator.slashed, operator.history) == (960.0, 40.0, OperatorHistory(2, 0))
    assert (trial.lies, trial.caught, trial.turnover) == (2, 1, 20.0)


def test_slash__fault_cap__until_the_window_is_used_up() -> None:
    played = market(replace(ECONOMY, takes_fault_cap=True))
    operator, trial = Operator(1_000.0), Trial()
    taken = []
    for _ in range(5):
        before = operator.stake
        played.settle_lie(operator, 2.0, trial, is_refuted=True)
        taken.append(before - operator.stake)
    assert taken == pytest.approx([100.0, 90.0, 81.0, 29.0, 2.0])  # then only the bond


@pytest.mark.parametrize(
    ("price", "open_bonds", "allowed"),
    [(100.0, 0.0, True), (100.1, 0.0, False), (50.0, 250.0, True), (50.0, 250.1, False)],
)
def test_can_claim__a_tenth_for_one_and_three_tenths_for_all(
    price: float, open_bonds: float, allowed: bool
) -> None:
    assert market().can_claim(Operator(1_000.0), price, open_bonds) == allowed


def test_is_refuted__only_if_a_judge_who_was_drawn_is_honest() -> None:
    played = market(replace(ECONOMY, members=31, corrupt=10))
    operator = Operator(1e6)
    draws = [played.draw(operator, 1.0) for _ in range(400)]  # a newcomer: all are judged
    refuted = [played.is_refuted(draw) for draw in draws]
    assert refuted == [max(draw.judges) >= 10 for draw in draws]
    assert not all(refuted)


# ------------------------------------------------------------------ strategies
@pytest.mark.parametrize("bond_share", [1.0, 50.0])
def test_spree__simulation_agrees_with_the_closed_form(bond_share: float) -> None:
    policy = replace(POLICY, floor_rate=200_000)
    economy = replace(ECONOMY, policy=policy, bond_share=bond_share, price_spread=0.0)
    result = evaluate(strategy("reputation, then a spree"), economy, seed=5, trials=12)
    expected = gain_per_price(1.0, 0.2, bond_share)
    half = (result.per_price.high - result.per_price.low) / 2
    assert abs(result.per_price.mean - expected) < 3 * half
    assert half < 0.1 * (1 + bond_share)


def test_collusion__simulation_agrees_with_the_closed_form() -> None:
    policy = replace(POLICY, floor_rate=200_000, new_operator_jobs=0)
    economy = replace(ECONOMY, policy=policy, bond_share=20.0, corrupt=10, price_spread=0.0)
    result = evaluate(strategy("reputation, then a spree"), economy, seed=6, trials=12)
    expected = gain_per_price(1.0, 0.2 * honest_draw(31, 10, 2), 20.0)
    assert abs(result.per_price.mean - expected) < 1.5 * (result.per_price.high - result.per_price.low)


def test_self_dealing__loses_what_nobody_gets() -> None:
    result = evaluate(strategy("self-dealing requester"), ECONOMY, seed=1, trials=3)
    # Half of the bond is compensation, a tenth the challenger's reward: the rest burns.
    assert result.per_price.mean == pytest.approx(-0.4)


def test_sign_blindly__without_canaries_nothing_stops_it() -> None:
    free = replace(ECONOMY, policy=replace(POLICY, canary_rate=0))
    watched = replace(ECONOMY, policy=replace(POLICY, canary_rate=100_000))
    assert evaluate(strategy("sign blindly"), free, seed=1, trials=2).caught == 0
    result = evaluate(strategy("sign blindly"), watched, seed=1, trials=10)
    assert result.caught == 1
    assert result.verdict == "loses"


def test_evaluate__same_seed_same_lives() -> None:
    lives = [
        evaluate(strategy("cheat at the floor"), ECONOMY, seed, trials=3).life.mean for seed in (1, 1, 2)
    ]
    assert lives[0] == lives[1] != lives[2]


def test_estimate__interval_of_a_known_spread() -> None:
    values = np.array([0.0, 2.0] * 50)
    estimate = Estimate.of(values)
    assert estimate.mean == 1.0
    assert estimate.high - estimate.mean == pytest.approx(1.96 * np.std(values, ddof=1) / 10)
    ratio = Estimate.of_ratio(values, 2 * np.ones(100))
    assert (ratio.mean, ratio.high) == pytest.approx((0.5, estimate.high / 2))


# ------------------------------------------------------------------ thresholds
def test_thresholds__are_where_the_sign_changes() -> None:
    for saved in (0.1, 0.5, 1.0):
        bond = least_bond_share(saved, 0.03)
        assert gain_per_price(saved, 0.03, bond) == pytest.approx(0.0)
        assert gain_per_price(saved, 0.03, bond * 1.01) < 0 < gain_per_price(saved, 0.03, bond * 0.99)
        assert gain_per_price(saved, least_rate(saved, 1.0), 1.0) == pytest.approx(0.0)
        assert least_stake(saved, 0.03, 0.1) == pytest.approx(10 * bond)


@pytest.mark.parametrize(
    ("members", "corrupt", "judges", "honest"), [(4, 1, 2, 1.0), (31, 10, 2, 1 - 90 / 930), (4, 4, 2, 0.0)]
)
def test_honest_draw__different_members(members: int, corrupt: int, judges: int, honest: float) -> None:
    assert honest_draw(members, corrupt, judges) == pytest.approx(honest)


def test_least_divisor__no_spree_pays_from_there_on() -> None:
    divisor = least_divisor(0.03, 0.1, 0.3)
    shares = np.linspace(0.01, 0.3, 30)
    assert all(spree_gain(share, divisor, 0.03, 0.1, 0.3) <= 0 for share in shares)
    assert any(spree_gain(share, divisor - 20, 0.03, 0.1, 0.3) > 0 for share in shares)


# ------------------------------------------------------------------ what is committed
@pytest.fixture(scope="module")
def results() -> Results:
    found: Results = json.loads(RESULTS.read_text("utf-8"))
    return found


def test_results__are_for_the_defaults_of_today(results: Results) -> None:
    assert results["policy"] == asdict(POLICY)
    assert results["protocol"] == asdict(PROTOCOL)


def test_page__is_written_from_the_results(results: Results) -> None:
    assert PAGE.read_text("utf-8") == page_of(results)
    for figure in ("strategies", "bond_and_rate", "rate_sweep", "policy", "canaries"):
        assert f"economics/{figure}.png" in page_of(results)
        assert (PAGE.parent / "economics" / f"{figure}.png").stat().st_size > 10_000


def test_results__at_the_defaults_every_strategy_loses_at_the_least_bond_not(results: Results) -> None:
    defaults, least = (
        {
            name: values["verdict"]
            for name, values in results["scenarios"][market]["strategies"].items()
            if values["prevented_because"] is None
        }
        for market in ("defaults", "bond of 1 × price")
    )
    assert set(defaults.values()) == {"loses"}
    assert "wins" in least.values()
    top = page_of(results).split("## Who wins what")[0]
    assert top.count("every strategy loses") == 2  # the third market is the one at the least bond


def test_page__a_strategy_that_wins__is_named_at_the_top(results: Results) -> None:
    changed = copy.deepcopy(results)
    changed["scenarios"]["defaults"]["strategies"]["whitewash"]["verdict"] = "wins"
    top = page_of(changed).split("## Who wins what")[0]
    [line] = [line for line in top.splitlines() if line.startswith("- *defaults*")]
    assert "do not lose" in line
    assert "whitewash" in line
