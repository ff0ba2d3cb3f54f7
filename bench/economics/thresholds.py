"""From which parameters on a lie does not pay, in closed form; the simulation has to agree with it.

A lie about a job of price P spares s*P. With probability p*d it is refuted: the price goes back and L is slashed. So it
does not pay exactly if  s*P < p*d*(P + L).  p is the rate at which the job is judged, d the probability that a judge who
is drawn is not the liar's, L the bond b*P (what the escrow takes) or a share of the stake (what Staking would allow).
"""

from __future__ import annotations

import math

from proofmill.sampling import PARTS


def honest_draw(members: int, corrupt: int, judges: int) -> float:
    """Probability that at least one of the different members drawn is not corrupt."""
    drawn = min(judges, members)
    return 1 - math.comb(corrupt, drawn) / math.comb(members, drawn)


def gain_per_price(saved_share: float, rate: float, bond_share: float) -> float:
    """Expected gain of a lie over honesty, per MILL of price, when a part `rate` of lies is refuted and the bond is lost."""
    return saved_share - rate * (1 + bond_share)


def least_bond_share(saved_share: float, rate: float) -> float:
    """The bond over the price from which on a lie does not pay."""
    return max(0.0, saved_share / rate - 1)


def least_rate(saved_share: float, bond_share: float) -> float:
    """The rate from which on a lie does not pay; above 1, none is enough."""
    return saved_share / (1 + bond_share)


def least_stake(saved_share: float, rate: float, share: float) -> float:
    """The stake over the price of a job from which on losing `share` of it, with the price, outweighs the lie."""
    return least_bond_share(saved_share, rate) / share


def verification_cost(rate_per_million: int, judges: int) -> float:
    """Re-executions per job at that rate, which is the cost of verification over that of inference if both cost the same."""
    return judges * rate_per_million / PARTS


def spree_gain(open_share: float, divisor: float, rate: float, fault_cap: float, window_cap: float) -> float:
    """Gain over the stake of lying at once on jobs that are each 1/divisor of the stake and together `open_share` of it.

    Where each fault costs `fault_cap` of the stake, but all of a window no more than `window_cap`: the first faults use it
    up, so further ones cost only their bond (here the price) and the price.
    """
    count = round(open_share * divisor)
    full = round(window_cap / fault_cap)
    chance = [
        math.comb(count, caught) * rate**caught * (1 - rate) ** (count - caught) for caught in range(full)
    ]
    faults = sum(caught * each for caught, each in enumerate(chance)) + full * (1 - sum(chance))
    beyond = max(0.0, count * rate - faults)
    return open_share * (1 - rate) - fault_cap * faults - beyond / divisor


def least_divisor(rate: float, fault_cap: float, window_cap: float, most: int = 100_000) -> int:
    """The fraction of the stake above which all jobs must be judged for no spree to pay, where a fault takes `fault_cap`."""
    shares = [window_cap * step / 30 for step in range(1, 31)]
    for divisor in range(10, most, 10):
        if all(spree_gain(share, divisor, rate, fault_cap, window_cap) <= 0 for share in shares):
            return divisor
    return most
