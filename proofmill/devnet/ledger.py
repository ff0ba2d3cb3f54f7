"""Who holds what: balances before and after, and whether they add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from proofmill.chain import Suite


@dataclass(frozen=True)
class Balances:
    """All MILL of interest at one moment.

    Stake is what an operator has in `Staking`, thawing included; `escrowed` all that the escrow owes, earnings that nobody has
    collected among it; `distributed` earnings that Staking has and nobody has been paid; `bonds` what challengers have posted.
    """

    wallets: Mapping[str, int]
    stakes: Mapping[str, int]
    escrowed: int
    distributed: int
    bonds: int
    total_supply: int

    @classmethod
    def take(cls, suite: Suite, wallets: Mapping[str, str], operators: Mapping[str, str]) -> Balances:
        """The balances of `wallets` and `operators` (role → address), all at the newest block."""
        block = int(suite.mill_token.web3.eth.block_number)
        return cls(
            wallets={
                role: suite.mill_token.balance_of(address, block=block) for role, address in wallets.items()
            },
            stakes={
                role: suite.staking.slashable(address, block=block) for role, address in operators.items()
            },
            escrowed=suite.job_escrow.owed(suite.mill_token.address, block=block),
            distributed=suite.staking.earnings_owed(suite.mill_token.address, block=block),
            bonds=suite.mill_token.balance_of(suite.dispute_game.address, block=block),
            total_supply=suite.mill_token.total_supply(block=block),
        )

    def rows(self) -> dict[str, int]:
        """Every figure under a readable name, in a fixed order."""
        return {
            **{f"{role}: wallet": amount for role, amount in self.wallets.items()},
            **{f"{role}: stake": amount for role, amount in self.stakes.items()},
            "escrow": self.escrowed,
            "earnings in staking": self.distributed,
            "bonds of challenges": self.bonds,
            "total supply": self.total_supply,
        }


def changes(before: Balances, after: Balances) -> dict[str, int]:
    """after − before, only what changed."""
    earlier = before.rows()
    return {name: value - earlier[name] for name, value in after.rows().items() if value != earlier[name]}


def mismatches(before: Balances, after: Balances, expected: Mapping[str, int]) -> list[str]:
    """What does not add up: each change that differs from `expected` (unlisted: no change), in words.

    Conservation is checked on its own: what wallets, stakes and the escrow gained together is what the supply gained.
    """
    found = changes(before, after)
    problems = [
        f"{name}: changed by {found.get(name, 0)}, expected {expected.get(name, 0)}"
        for name in sorted({*found, *expected})
        if found.get(name, 0) != expected.get(name, 0)
    ]
    supply = found.get("total supply", 0)
    held = sum(change for name, change in found.items() if name != "total supply")
    if held != supply:
        problems.append(f"all holders together changed by {held}, the supply by {supply}")
    return problems
