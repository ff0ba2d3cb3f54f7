"""docs/ECONOMICS.md, written from the results."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bench.economics.market import Economy, Estimate
from bench.economics.prose import BONDS, CANARIES, CONDITION, COST, HEADER, LIMITS, STAKE
from bench.economics.scenarios import Scenario
from bench.economics.strategies import COLLUDING_SHARE, JOBS, Result
from bench.economics.sweeps import CanarySweep, RateSweep
from bench.economics.thresholds import (
    honest_draw,
    least_bond_share,
    least_divisor,
    least_rate,
    least_stake,
    verification_cost,
)
from proofmill.chain.terms import BASIS_POINTS
from proofmill.deploy import INITIAL_RATES
from proofmill.sampling import PARTS

SAVED_SHARES = (1.0, 0.5, 0.25, 0.1)


def results_of(
    seed: int,
    played: dict[str, list[Result]],
    markets: tuple[Scenario, ...],
    rates: list[RateSweep],
    canaries: list[CanarySweep],
) -> dict[str, Any]:
    """Everything as plain values for JSON. Shares are fractions of one, amounts MILL."""
    economy = markets[0].economy
    return {
        "seed": seed,
        "protocol": asdict(economy.protocol),
        "policy": asdict(economy.policy),
        "scenarios": {
            market.name: {
                "description": market.description,
                "strategies": {
                    result.strategy.name: {
                        "gain_per_life": _numbers(result.life),
                        "gain_per_price": _numbers(result.per_price),
                        "lies": round(result.lies, 2),
                        "caught": round(result.caught, 2),
                        "verdict": result.verdict.strip("*"),
                        "prevented_because": result.strategy.unless or None,
                    }
                    for result in played[market.name]
                },
            }
            for market in markets
        },
        "thresholds": _thresholds(economy),
        "sweeps": {
            "gain_per_price_by_floor_rate": {
                f"{sweep.bond_share:g}": {f"{point.rate:g}": _numbers(point.gain) for point in sweep.points}
                for sweep in rates
            },
            "gain_of_blind_signing_by_canary_rate": {
                f"{sweep.member_bond:g}": {f"{point.rate:g}": _numbers(point.gain) for point in sweep.points}
                for sweep in canaries
            },
        },
    }


def page_of(results: dict[str, Any]) -> str:
    """The whole page, from the results alone."""
    protocol, policy = results["protocol"], results["policy"]
    thresholds = results["thresholds"]
    parts = [
        HEADER.format(seed=results["seed"], jobs=JOBS),
        _verdict(results),
        "## Who wins what",
        "![Expected gain of each strategy in three markets](economics/strategies.png)",
        *(_scenario(name, scenario) for name, scenario in results["scenarios"].items()),
        "## From where on a lie does not pay",
        CONDITION,
        "![Least bond by the probability of being refuted](economics/bond_and_rate.png)",
        _threshold_table(thresholds, policy),
        "![Simulated and computed gain by the floor of the rate](economics/rate_sweep.png)",
        STAKE.format(
            **thresholds, fault_cap=f"{protocol['fault_cap']:.0%}", window_cap=f"{protocol['window_cap']:.0%}"
        ),
        _bonds(protocol),
        "## What checking costs",
        "![Sampling rate and cost of verification](economics/policy.png)",
        COST.format(
            floor=f"{policy['floor_rate'] / PARTS:.0%}",
            judges=policy["judges"],
            cost=f"{verification_cost(policy['floor_rate'], policy['judges']):.0%}",
            single=f"{verification_cost(policy['floor_rate'], 1):.0%}",
        ),
        "## Members that sign blindly",
        "![Gain of blind signing by canary rate](economics/canaries.png)",
        CANARIES.format(
            canaries=f"{policy['canary_rate'] / PARTS:.0%}",
            bond=f"{protocol['member_bond']:g}",
            worth=f"{protocol['member_bond'] * policy['canary_rate'] / PARTS:g}",
        ),
        "## Assumptions and limits",
        LIMITS,
        "## Parameters",
        _parameters(protocol, policy),
    ]
    return "\n\n".join(parts) + "\n"


def _verdict(results: dict[str, Any]) -> str:
    """What the page says in one paragraph: taken from the results, not written beforehand."""
    lines = []
    for name, scenario in results["scenarios"].items():
        actual = {
            strategy: values
            for strategy, values in scenario["strategies"].items()
            if values["prevented_because"] is None
        }
        bad = [strategy for strategy, values in actual.items() if values["verdict"] != "loses"]
        said = (
            "every strategy loses"
            if not bad
            else f"**{len(bad)} of {len(actual)} strategies do not lose**: {'; '.join(bad)}"
        )
        lines.append(f"- *{name}* ({scenario['description']}): {said}.")
    return "\n".join(lines)


def _scenario(name: str, scenario: dict[str, Any]) -> str:
    rows = [
        f"### {name[0].upper()}{name[1:]}",
        "",
        f"{scenario['description'][0].upper()}{scenario['description'][1:]}.",
        "",
        "| strategy | lies | refuted | gain per life (95 %) | gain per MILL of price (95 %) | |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    notes = []
    for strategy, values in scenario["strategies"].items():
        verdict = "**wins**" if values["verdict"] == "wins" else values["verdict"]
        if values["prevented_because"]:
            verdict = f"would be: {values['verdict']}"
            notes.append(f"*{strategy}* is not how things are: {values['prevented_because']}.")
        rows.append(
            f"| {strategy} | {values['lies']:,.1f} | {values['caught']:,.1f} | {_interval(values['gain_per_life'], 1)} "
            f"| {_interval(values['gain_per_price'], 2)} | {verdict} |"
        )
    return "\n".join([*rows, "", " ".join(notes)])


def _thresholds(economy: Economy) -> dict[str, Any]:
    protocol, policy = economy.protocol, economy.policy
    floor = policy.floor_rate / PARTS
    corrupt = int(economy.members * COLLUDING_SHARE)
    detected = honest_draw(economy.members, corrupt, policy.judges)
    worst = least_bond_share(1.0, floor * detected)
    return {
        "honest_draw": {"nobody colludes": 1.0, "a third colludes": detected},
        "by_saved_share": {
            f"{saved:g}": {
                "least_bond_share": least_bond_share(saved, floor),
                "least_bond_share_with_collusion": least_bond_share(saved, floor * detected),
                "least_floor_at_default_bond": least_rate(saved, protocol.bond_share),
                "least_floor_with_collusion": least_rate(saved, protocol.bond_share) / detected,
                "least_stake_at_fault_cap": least_stake(saved, floor * detected, protocol.fault_cap),
            }
            for saved in SAVED_SHARES
        },
        "open_factor": 1 / min(protocol.open_cap, protocol.window_cap),
        "default_stake": protocol.bond_share / protocol.fault_cap,
        "stake_per_price": worst / protocol.fault_cap,
        "stake_at_risk": least_stake(1.0, floor * detected, protocol.fault_cap),
        "divisor": least_divisor(floor * detected, protocol.fault_cap, protocol.window_cap),
    }


def _threshold_table(thresholds: dict[str, Any], policy: dict[str, Any]) -> str:
    floor = f"{policy['floor_rate'] / PARTS:.0%}"
    rows = [
        f"| a lie wins of the price | bond / price at the floor of {floor} | the same, a third colludes "
        "| floor at the default bond | the same, a third colludes | stake / price if a fault took its cap |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for saved, values in thresholds["by_saved_share"].items():
        rows.append(
            f"| {float(saved):.0%} | {values['least_bond_share']:.1f} | {values['least_bond_share_with_collusion']:.1f} "
            f"| {values['least_floor_at_default_bond']:.1%} | {values['least_floor_with_collusion']:.1%} "
            f"| {values['least_stake_at_fault_cap']:.0f} |"
        )
    return "\n".join(rows)


def _bonds(protocol: dict[str, Any]) -> str:
    share = protocol["bond_rate"] * protocol["bond_multiple"]
    initial = INITIAL_RATES.late_penalty_bps / BASIS_POINTS
    return BONDS.format(
        share=f"{share:g}",
        multiple=f"{protocol['bond_multiple']:g}",
        windfall=f"{share * protocol['compensation_cap']:g}",
        late=f"{protocol['late_penalty']:.2%}",
        late_price=f"{share * protocol['late_penalty']:.0%}",
        late_least=f"{protocol['bond_rate'] * protocol['late_penalty']:.2%}",
        initial=f"{initial:.0%}",
        initial_price=f"{share * initial:g}",
    )


def _parameters(protocol: dict[str, Any], policy: dict[str, Any]) -> str:
    rows = ["| parameter | default | where |", "| --- | ---: | --- |"]
    rows += [f"| {name} | {protocol[name]:,.10g} | {where} |" for name, where in protocol["sources"].items()]
    rows += [
        f"| {name} | {value:,} | proofmill/sampling.py, SamplingPolicy |" for name, value in policy.items()
    ]
    return "\n".join(rows)


def _interval(values: dict[str, float], digits: int) -> str:
    return f"{values['mean']:+,.{digits}f} ({values['low']:+,.{digits}f} to {values['high']:+,.{digits}f})"


def _numbers(estimate: Estimate) -> dict[str, float]:
    return {"mean": round(estimate.mean, 6), "low": round(estimate.low, 6), "high": round(estimate.high, 6)}
