"""What a lie costs a worker, worked out before the job is posted. docs/ECONOMICS.md has the reasons and the simulations.

A wrong answer about a job of price P wins its worker at most P. If it is found out, P goes back to the requester and the
bond B is taken. So lying loses on average if and only if P < p · (P + B), where p is the probability of being found out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from proofmill.chain.history import format_amount
from proofmill.sampling import PARTS, SamplingPolicy

# At the lowest sampling rate of 3 %, with a third of the members on the liar's side, a lie loses from a bond of 36.5 prices
# on (35.9 in the largest committee). The rest is a margin.
BOND_MULTIPLE: Final = 40  # default bond of a job, over the least that the escrow accepts
# One member of so many may be on the liar's side; with more, a committee promises nothing.
COLLUDING: Final = 3


@dataclass(frozen=True)
class Deterrence:
    """What a worker risks and what it can win by a wrong answer, both in the stake token's smallest unit.

    Attributes:
        price: the job's highest price, at the escrow's bond rate: the most that a lie wins.
        bond: what is taken when the lie is found out.
        policy: how seldom the committee may look.
    """

    price: int
    bond: int
    policy: SamplingPolicy = field(default_factory=SamplingPolicy)

    @property
    def least_bond(self) -> int:
        """The least bond with which lying loses whatever the worker's reputation is.

        All of the judges who are drawn are the liar's in at most one of ``COLLUDING ** judges`` draws.
        """
        draws: int = COLLUDING**self.policy.judges
        # price * PARTS * draws < floor_rate * (draws - 1) * (price + bond), solved for the bond
        chance = self.policy.floor_rate * (draws - 1)
        return max(0, self.price * PARTS * draws // chance - self.price + 1)

    @property
    def holds(self) -> bool:
        """Whether lying loses on average, even at the committee's lowest sampling rate."""
        return self.bond >= self.least_bond

    def __str__(self) -> str:
        """One sentence for whoever is about to pay, or looks at a job."""
        rate = f"the committee's lowest sampling rate of {100 * self.policy.floor_rate / PARTS:g}%"
        loses = f"a worker that lies loses {format_amount(self.bond)}"
        if self.holds:
            return f"{loses}; that is more than it can win by lying at {rate}"
        # Rounded up to whole hundredths of MILL: nobody types more digits.
        hundredth = 10**16
        needed = format_amount(-(-self.least_bond // hundredth) * hundredth)
        return f"{loses}; that is too low: at {rate} lying pays with a bond below {needed}"
