"""The markets in which every strategy is played: as deployed today, and what would be with other rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from bench.economics.market import Economy
from bench.economics.protocol import Protocol
from proofmill.sampling import SamplingPolicy

# What requesters, committee and escrow would ask for if nobody thought about it: the least bond, and round figures.
LEAST_MULTIPLE: Final = 1.0
SMALL_MEMBER_BOND: Final = 100.0  # MILL
LARGE_LATE_PENALTY: Final = 0.1  # of the bond; the escrow's own initial value
STAKE_AT_RISK: Final = 10_000.0  # MILL, where a fault costs a share of the stake
LARGE_JOB_DIVISOR: Final = 800  # then: what is above this fraction of the stake is always judged


@dataclass(frozen=True)
class Scenario:
    """A market and what is different in it."""

    name: str
    description: str
    economy: Economy


def scenarios(protocol: Protocol, policy: SamplingPolicy) -> tuple[Scenario, ...]:
    """Today's defaults first."""
    least = replace(protocol, bond_multiple=LEAST_MULTIPLE, late_penalty=LARGE_LATE_PENALTY)
    careless = replace(least, member_bond=SMALL_MEMBER_BOND)
    return (
        Scenario(
            "defaults",
            f"a bond of {protocol.bond_share:g} MILL for each MILL of price, members' bonds of "
            f"{protocol.member_bond:g} MILL",
            Economy(protocol, policy, bond_share=protocol.bond_share),
        ),
        Scenario(
            f"bond of {careless.bond_share:g} × price",
            f"the least bond that the escrow accepts, a late penalty of {LARGE_LATE_PENALTY:.0%} of it, members' bonds of "
            f"{SMALL_MEMBER_BOND:g} MILL: why the defaults are not that",
            Economy(careless, policy, bond_share=careless.bond_share),
        ),
        Scenario(
            "stake at risk",
            f"bonds of {least.bond_share:g} × price, but a refuted answer costs {protocol.fault_cap:.0%} of the operator's "
            f"stake, of which it has {STAKE_AT_RISK:,.0f} MILL (Staking allows it, the escrow does not ask for it); jobs "
            f"above 1/{LARGE_JOB_DIVISOR} of the stake are always judged; members' bonds as by default",
            Economy(
                least,
                replace(policy, large_job_divisor=LARGE_JOB_DIVISOR),
                bond_share=least.bond_share,
                stake=STAKE_AT_RISK,
                takes_fault_cap=True,
            ),
        ),
    )
