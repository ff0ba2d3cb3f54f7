"""One parameter varied at a time: where the sign changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.economics.market import Economy, Estimate
from bench.economics.strategies import STRATEGIES, Strategy, evaluate
from proofmill.sampling import PARTS

RATES: Final = (30_000, 60_000, 100_000, 200_000, 300_000, 500_000)
BOND_SHARES: Final = (1.0, 5.0, 20.0, 40.0)
CANARY_RATES: Final = (0, 2_500, 5_000, 10_000, 20_000, 30_000)
MEMBER_BONDS: Final = (100.0, 200.0, 500.0)
RATE_TRIALS: Final = 120
CANARY_TRIALS: Final = 80


@dataclass(frozen=True)
class Point:
    """The gain at one rate (a fraction of one)."""

    rate: float
    gain: Estimate


@dataclass(frozen=True)
class RateSweep:
    """Gain of a spree at the floor, for each MILL of price, by the floor's rate."""

    bond_share: float
    points: tuple[Point, ...]


@dataclass(frozen=True)
class CanarySweep:
    """Gain of signing blindly for a life, by the canary rate."""

    member_bond: float
    points: tuple[Point, ...]


def sweep_rates(
    economy: Economy,
    seed: int,
    rates: Sequence[int] = RATES,
    bond_shares: Sequence[float] = BOND_SHARES,
    trials: int = RATE_TRIALS,
) -> list[RateSweep]:
    """A spree of an operator with a reputation: all of its lies are drawn at the floor."""
    spree = _named("reputation, then a spree")
    sweeps = []
    for bond_share in bond_shares:
        points = []
        for rate in rates:
            policy = replace(economy.policy, floor_rate=rate, first_rate=max(rate, economy.policy.first_rate))
            market = replace(economy, policy=policy, bond_share=bond_share)
            points.append(Point(rate / PARTS, evaluate(spree, market, seed, trials).per_price))
        sweeps.append(RateSweep(bond_share, tuple(points)))
    return sweeps


def sweep_canaries(
    economy: Economy,
    seed: int,
    rates: Sequence[int] = CANARY_RATES,
    bonds: Sequence[float] = MEMBER_BONDS,
    trials: int = CANARY_TRIALS,
) -> list[CanarySweep]:
    """A member that signs blindly until a canary expels it."""
    blind = _named("sign blindly")
    return [
        CanarySweep(
            bond,
            tuple(
                Point(rate / PARTS, evaluate(blind, _with(economy, bond, rate), seed, trials).life)
                for rate in rates
            ),
        )
        for bond in bonds
    ]


def _with(economy: Economy, member_bond: float, canary_rate: int) -> Economy:
    return replace(
        economy,
        protocol=replace(economy.protocol, member_bond=member_bond),
        policy=replace(economy.policy, canary_rate=canary_rate),
    )


def _named(name: str) -> Strategy:
    return next(strategy for strategy in STRATEGIES if strategy.name == name)
