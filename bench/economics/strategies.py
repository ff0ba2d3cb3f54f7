"""Ways to cheat, each as a whole life of a cheater. What they earn is compared with honesty by the market."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bench.economics.market import Economy, Estimate, Market, Operator, Trial
from proofmill.sampling import PARTS, SamplingPolicy

JOBS: Final = 500  # of a life
SPREE: Final = 400  # jobs open at once
REPUTATION: Final = 150  # clean jobs after which the rate is at its floor, at the defaults
CHEATING_RATE: Final = 0.1
DUST: Final = 1e-6  # MILL; a price at which a reputation is made with oneself
COLLUDING_SHARE: Final = 1 / 3
SMALL_STAKE_IN_BONDS: Final = 100  # of the operator for whom large jobs exist


@dataclass(frozen=True)
class Strategy:
    """How somebody cheats.

    Attributes:
        name: for tables.
        play: one life.
        adapt: how the market is for this cheater.
        note: what it assumes.
        unless: what the product does so that this is not how things are; the result says why it does.
        trials: lives that are simulated; fewer where a life has many draws or the sign is plain, more where
            the mean is close to nothing.
    """

    name: str
    play: Callable[[Market], Trial]
    note: str
    adapt: Callable[[Economy], Economy] = lambda economy: economy
    unless: str = ""
    trials: int = 400


@dataclass(frozen=True)
class Result:
    """What a strategy came to: gain of a life, and for each MILL of price lied about."""

    strategy: Strategy
    life: Estimate
    per_price: Estimate
    lies: float
    caught: float

    @property
    def verdict(self) -> str:
        """Whether it loses, wins, or does nothing, beyond the interval."""
        if self.life.high < 0:
            return "loses"
        if self.life.low > 0:
            return "**wins**"
        return "wins nothing" if self.life.low == self.life.high == 0 else "undecided"


def evaluate(strategy: Strategy, economy: Economy, seed: int, trials: int | None = None) -> Result:
    """Many lives of one strategy (its own number unless told), whose draws do not depend on what else runs."""
    adapted = strategy.adapt(economy)
    seeds = np.random.SeedSequence([seed, *strategy.name.encode()]).spawn(trials or strategy.trials)
    lives = [strategy.play(Market(adapted, np.random.default_rng(each))) for each in seeds]
    gains = np.array([life.gain for life in lives])
    return Result(
        strategy=strategy,
        life=Estimate.of(gains),
        per_price=Estimate.of_ratio(gains, np.array([life.turnover for life in lives])),
        lies=float(np.mean([life.lies for life in lives])),
        caught=float(np.mean([life.caught for life in lives])),
    )


# ------------------------------------------------------------------ operators
def cheat_always(market: Market) -> Trial:
    return _sequential(market, lambda _operator, _price: True)


def cheat_at_a_rate(market: Market) -> Trial:
    grace = market.economy.policy.new_operator_jobs
    return _sequential(
        market,
        lambda operator, _price: (
            operator.history.finished_jobs >= grace and bool(market.rng.random() < CHEATING_RATE)
        ),
    )


def cheat_at_the_floor(market: Market) -> Trial:
    """Waits until its reputation is as good as it gets, lies until it is caught, and waits again."""
    floor = market.economy.policy.floor_rate
    return _sequential(market, lambda operator, price: market.rate(operator, price) <= floor)


def cheat_on_small_jobs(market: Market) -> Trial:
    """Lies whenever the job is not certain to be judged."""
    return _sequential(market, lambda operator, price: market.rate(operator, price) < PARTS)


def spree(market: Market) -> Trial:
    """Builds a reputation, then lies on as many jobs at once as its stake can bond, and disappears."""
    trial, operator = Trial(), market.newcomer()
    for _ in range(REPUTATION):
        market.work(operator, trial)
    open_bonds, prices = 0.0, []
    for _ in range(SPREE):
        price = market.price()
        if market.can_claim(operator, price, open_bonds):
            open_bonds += market.bond(price)
            prices.append(price)
    # All are submitted before any is judged: one history and one stake for all draws.
    refuted = [market.is_refuted(market.draw(operator, price)) for price in prices]
    for price, is_refuted in zip(prices, refuted, strict=True):
        market.settle_lie(operator, price, trial, is_refuted)
    return trial


def whitewash(market: Market) -> Trial:
    """Lies from the first job that may not be judged, and begins anew with another name once it is caught.

    The new name's first jobs are its own, at a price of next to nothing; a new stake is at hand at once and for free.
    """
    trial, operator = Trial(), market.newcomer()
    for _ in range(JOBS):
        if operator.history.finished_jobs < market.economy.policy.new_operator_jobs:
            operator.history = operator.history.after(is_clean=True)
            trial.gain -= DUST
            trial.jobs += 1
            continue
        price = market.price()
        if not market.can_claim(operator, price):
            continue
        if market.lie(operator, price, trial):
            operator = market.newcomer()
    return trial


def _sequential(market: Market, lies: Callable[[Operator, float], bool]) -> Trial:
    trial, operator = Trial(), market.newcomer()
    for _ in range(JOBS):
        price = market.price()
        if not market.can_claim(operator, price):
            continue
        if lies(operator, price):
            market.lie(operator, price, trial)
        else:
            market.work(operator, trial)
    return trial


# ------------------------------------------------------------------ requesters
def self_dealing(market: Market) -> Trial:
    """Lies on its own job, challenges it, and takes compensation and reward home. The price comes back to it too."""
    trial, operator = Trial(), market.newcomer()
    protocol = market.economy.protocol
    for _ in range(JOBS):
        price = market.price()
        if not market.can_claim(operator, price):
            continue
        bond = market.bond(price)
        compensation = min(price * protocol.bond_rate, bond * protocol.compensation_cap)
        trial.gain += compensation + bond * protocol.reporter_share - bond
        trial.jobs, trial.lies, trial.caught = trial.jobs + 1, trial.lies + 1, trial.caught + 1
        trial.turnover += price
        operator.stake -= bond
        operator.slashed += bond
    return trial


def withhold_from_judges(market: Market) -> Trial:
    """Makes a reputation with own jobs whose input no judge gets, then lies to strangers.

    A job that is judged but cannot be is not finished, so a newcomer, all of whose jobs are judged, remains one.
    """
    trial, operator = Trial(), market.newcomer()
    for _ in range(JOBS // 2):
        trial.gain -= DUST
        trial.jobs += 1
        if not market.draw(operator, DUST).is_sampled:
            operator.history = operator.history.after(is_clean=True)
    for _ in range(JOBS // 2):
        price = market.price()
        if market.can_claim(operator, price):
            market.lie(operator, price, trial)
    return trial


def trap_workers(market: Market) -> Trial:
    """A requester whose input is gone once a worker has claimed; of the late penalty it has compensation and reward."""
    trial = Trial()
    protocol = market.economy.protocol
    for _ in range(JOBS):
        price = market.price()
        penalty = protocol.late_penalty * market.bond(price)
        compensation = min(price * protocol.bond_rate, penalty * protocol.compensation_cap)
        trial.gain += compensation + penalty * protocol.reporter_share
        trial.jobs, trial.lies, trial.turnover = trial.jobs + 1, trial.lies + 1, trial.turnover + price
    return trial


# ------------------------------------------------------------------ members of the committee
def sign_blindly(market: Market) -> Trial:
    """Signs without running the model until a canary expels it.

    It checks in earnest where the operator's history is not like any other's, so canaries must have histories like those
    whose jobs it signs blindly; the rate at which they are drawn is then the others', and cancels out.
    """
    return _sign_blindly(market, market.economy.policy)


def sign_blindly_without_canaries(market: Market) -> Trial:
    return _sign_blindly(market, replace(market.economy.policy, canary_rate=0))


def _sign_blindly(market: Market, policy: SamplingPolicy) -> Trial:
    trial, newcomer, secret = Trial(), market.newcomer(), market.rng.bytes(32)
    for slot in itertools.count():
        if trial.jobs == JOBS:
            break
        price = market.price()
        if 0 not in market.draw(newcomer, price).judges:
            continue
        trial.jobs, trial.lies, trial.turnover = trial.jobs + 1, trial.lies + 1, trial.turnover + price
        trial.gain += market.economy.saved_share * price
        if policy.is_canary_due(secret, slot):
            trial.caught += 1
            trial.gain -= market.economy.protocol.member_bond
            break
    return trial


def _modest(economy: Economy) -> Economy:
    return replace(economy, stake=SMALL_STAKE_IN_BONDS * economy.bond_share, price_spread=1.5)


def _collusive(economy: Economy) -> Economy:
    return replace(economy, corrupt=int(economy.members * COLLUDING_SHARE))


def _small(economy: Economy) -> Economy:
    """Who judges decides nothing about what blind signing pays; drawing a member of four takes fewer draws."""
    return replace(economy, members=4)


STRATEGIES: Final = (
    Strategy("cheat always", cheat_always, "from the first job on", trials=60),
    Strategy("cheat on a tenth", cheat_at_a_rate, "at random, once the first jobs are over"),
    Strategy(
        "cheat at the floor",
        cheat_at_the_floor,
        "only while the rate is at its floor; honest until then",
        trials=1_600,
    ),
    Strategy("reputation, then a spree", spree, f"{REPUTATION} clean jobs, then {SPREE} lies open at once"),
    Strategy(
        "small jobs only",
        cheat_on_small_jobs,
        f"a stake of {SMALL_STAKE_IN_BONDS} median bonds, so that large jobs exist; lies on all others",
        _modest,
    ),
    Strategy("whitewash", whitewash, "a new identity after each slash; stake and first jobs cost nothing"),
    Strategy(
        "collude with a third",
        cheat_at_the_floor,
        "a third of the committee endorses lies; floor as above",
        _collusive,
        trials=1_600,
    ),
    Strategy("self-dealing requester", self_dealing, "own job, own lie, own challenge", trials=100),
    Strategy(
        "withhold from judges",
        withhold_from_judges,
        "own jobs whose input no judge gets, then lies",
        trials=60,
    ),
    Strategy(
        "sign blindly",
        sign_blindly,
        "a member of the committee, for whom re-execution costs the price",
        _small,
    ),
    Strategy(
        "sign blindly, no canaries",
        sign_blindly_without_canaries,
        "the same where no answer is ever wrong",
        _small,
        unless="the protocol's own account submits wrong answers",
        trials=30,
    ),
    Strategy(
        "trap careless workers",
        trap_workers,
        "requests that disappear once they are claimed; part of the late penalty goes home",
        unless="the worker fetches a request and validates it before it claims",
        trials=100,
    ),
)
