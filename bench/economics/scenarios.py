"""The markets in which every strategy is played: as deployed today, and with what would make all of them lose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from bench.economics.market import Economy
from bench.economics.protocol import Protocol
from proofmill.sampling import SamplingPolicy

RAISED_BOND_RATE: Final = 50.0  # MILL for each MILL of a price
RAISED_MEMBER_BOND: Final = 200.0  # MILL
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
    raised = replace(protocol, bond_rate=RAISED_BOND_RATE, member_bond=RAISED_MEMBER_BOND)
    better_members = replace(protocol, member_bond=RAISED_MEMBER_BOND)
    return (
        Scenario(
            "defaults",
            f"a bond of {protocol.bond_rate:g} MILL for each MILL of price, members' bonds of "
            f"{protocol.member_bond:g} MILL",
            Economy(protocol, policy, bond_share=protocol.bond_rate),
        ),
        Scenario(
            "raised bonds",
            f"bond_rate {RAISED_BOND_RATE:g}, member_bond {RAISED_MEMBER_BOND:g} MILL; both are parameters of a deployment",
            Economy(raised, policy, bond_share=RAISED_BOND_RATE),
        ),
        Scenario(
            "stake at risk",
            f"bonds as today, but a refuted answer costs {protocol.fault_cap:.0%} of the operator's stake, of which it has "
            f"{STAKE_AT_RISK:,.0f} MILL (Staking allows it, the escrow does not ask for it); jobs above 1/{LARGE_JOB_DIVISOR} "
            f"of the stake are always judged; member_bond {RAISED_MEMBER_BOND:g} MILL",
            Economy(
                better_members,
                replace(policy, large_job_divisor=LARGE_JOB_DIVISOR),
                bond_share=protocol.bond_rate,
                stake=STAKE_AT_RISK,
                takes_fault_cap=True,
            ),
        ),
    )
