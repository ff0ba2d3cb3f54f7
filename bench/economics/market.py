"""One operator's jobs before the policy: what each pays it, more or less than honest work would have.

Money is in MILL; the median price of a job is 1. Everything is measured against the same operator working honestly on
the same jobs, so income that honest work would have earned as well does not make a lie look good.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from bench.economics.protocol import Protocol
from proofmill.sampling import Draw, OperatorHistory, SamplingPolicy, SubmittedJob

UNITS: Final = 10**18  # of the stake token in one MILL
NO_HISTORY: Final = OperatorHistory(0, 0)


@dataclass(frozen=True)
class Economy:
    """A market with its rules. Each choice that the rules leave open is the worst one for the protocol.

    Attributes:
        protocol: what the contracts fix.
        policy: what decides who is judged.
        bond_share: bond of a job over its price; the protocol's default unless requesters ask for another.
        saved_share: what a lie spares or wins, over the price. 1: an honest operator just covers its costs and a lie is free.
        stake: of the operator.
        members: of the committee.
        corrupt: how many of them help the liar when they are drawn.
        watchers: probability that somebody outside the committee re-executes a job in time and challenges it.
        takes_fault_cap: whether a fault costs what Staking allows for one, where that is more than the bond. Not what the
            escrow asks for today; see the page.
        price_spread: standard deviation of the logarithm of the price.
    """

    protocol: Protocol
    policy: SamplingPolicy
    bond_share: float
    saved_share: float = 1.0
    stake: float = 1_000_000.0
    members: int = 31
    corrupt: int = 0
    watchers: float = 0.0
    takes_fault_cap: bool = False
    price_spread: float = 1.0


@dataclass
class Trial:
    """What one life of a cheater came to.

    Attributes:
        gain: MILL more than honest work on the same jobs.
        jobs: jobs done.
        lies: wrong answers among them.
        caught: of which refuted.
        turnover: the prices of the lies.
    """

    gain: float = 0.0
    jobs: int = 0
    lies: int = 0
    caught: int = 0
    turnover: float = 0.0


@dataclass
class Operator:
    """An identity: its stake and what the chain remembers of it."""

    stake: float
    history: OperatorHistory = NO_HISTORY
    slashed: float = 0.0  # in the slash window that runs


class Market:
    """Hands out jobs, draws the judges with the real policy, and settles."""

    def __init__(self, economy: Economy, rng: np.random.Generator) -> None:
        self.economy = economy
        self.rng = rng
        self._job_id = 0

    def newcomer(self) -> Operator:
        """A fresh identity with the full stake."""
        return Operator(self.economy.stake)

    def price(self) -> float:
        """Of the next job, log-normal around a median of 1 MILL."""
        return float(np.exp(self.rng.normal(0.0, self.economy.price_spread)))

    def bond(self, price: float) -> float:
        """What the operator pledges for a job."""
        return self.economy.bond_share * price

    def can_claim(self, operator: Operator, price: float, open_bonds: float = 0.0) -> bool:
        """Whether Staking lets the operator commit another bond (`commit` in contracts/modules/commitments.vy)."""
        protocol, bond = self.economy.protocol, self.bond(price)
        room = protocol.window_cap * (operator.stake + operator.slashed) - operator.slashed
        return (
            bond <= protocol.fault_cap * operator.stake
            and open_bonds + bond <= protocol.open_cap * operator.stake
            and open_bonds + bond <= room
        )

    def draw(self, operator: Operator, price: float) -> Draw:
        """What the beacon decides about the operator's next job."""
        self._job_id += 1
        job = SubmittedJob(
            job_id=self._job_id,
            commitment=self._job_id.to_bytes(32, "big"),
            value=round(self.bond(price) * UNITS),
            slashable_stake=round(operator.stake * UNITS),
        )
        return self.economy.policy.draw(self.rng.bytes(32), job, operator.history, self.economy.members)

    def is_refuted(self, draw: Draw) -> bool:
        """Whether a lie comes out: a judge that is not corrupt, or a watcher. Seats below ``corrupt`` are."""
        by_judge = any(seat >= self.economy.corrupt for seat in draw.judges)
        return by_judge or bool(self.rng.random() < self.economy.watchers)

    def rate(self, operator: Operator, price: float) -> int:
        """What the operator can work out before it answers: how likely a job of that price is judged, per million."""
        return self.economy.policy.rate(
            operator.history, round(self.bond(price) * UNITS), round(operator.stake * UNITS)
        )

    # ------------------------------------------------------------------ a job, done one way or the other
    def work(self, operator: Operator, trial: Trial) -> None:
        """A right answer: nothing more than honest work, and a clean job."""
        trial.jobs += 1
        operator.history = operator.history.after(is_clean=True)

    def lie(self, operator: Operator, price: float, trial: Trial) -> bool:
        """A wrong answer for a stranger; whether it came out."""
        is_refuted = self.is_refuted(self.draw(operator, price))
        self.settle_lie(operator, price, trial, is_refuted)
        return is_refuted

    def slash(self, operator: Operator, price: float) -> float:
        """What a refuted answer costs: the bond without a cap, what goes beyond within both (contracts/modules/slashing.vy)."""
        protocol, bond = self.economy.protocol, self.bond(price)
        if not self.economy.takes_fault_cap:
            return bond
        room = protocol.window_cap * (operator.stake + operator.slashed) - operator.slashed
        return max(bond, min(protocol.fault_cap * operator.stake, room))

    def settle_lie(self, operator: Operator, price: float, trial: Trial, is_refuted: bool) -> None:
        """Undetected, the lie spared its cost. Refuted, the price goes back and the whole bond is slashed."""
        saved = self.economy.saved_share * price
        trial.jobs += 1
        trial.lies += 1
        trial.turnover += price
        trial.gain += saved
        if is_refuted:
            slashed = self.slash(operator, price)
            trial.caught += 1
            trial.gain -= price + slashed
            operator.stake -= slashed
            operator.slashed += slashed
        operator.history = operator.history.after(is_clean=not is_refuted)


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    trials: int = field(compare=False, default=0)

    @classmethod
    def of(cls, values: npt.NDArray[np.float64]) -> Estimate:
        """From independent trials, by the normal approximation."""
        mean = float(np.mean(values))
        half = 1.96 * float(np.std(values, ddof=1)) / float(np.sqrt(len(values)))
        return cls(mean, mean - half, mean + half, len(values))

    @classmethod
    def of_ratio(cls, numerators: npt.NDArray[np.float64], denominators: npt.NDArray[np.float64]) -> Estimate:
        """Of the ratio of two means (lies per trial vary), by the delta method."""
        ratio = float(np.sum(numerators) / np.sum(denominators))
        residuals = (numerators - ratio * denominators) / np.mean(denominators)
        half = 1.96 * float(np.std(residuals, ddof=1)) / float(np.sqrt(len(residuals)))
        return cls(ratio, ratio - half, ratio + half, len(residuals))
