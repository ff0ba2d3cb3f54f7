"""What a transaction offers per gas: the market's price, replacements that nodes accept, and a ceiling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from web3 import Web3

from proofmill.chain.errors import FeeCeilingReached, InvalidValue
from proofmill.chain.journal import Fees

GWEI: Final = 10**9


@dataclass(frozen=True, slots=True)
class SenderPolicy:
    """How patient and how generous a sender is. Times are seconds, fees wei per gas."""

    confirmations: int = 1  # blocks, the one that holds the transaction included
    poll_interval: float = 0.5
    patience: float = 30.0  # how long a fee may go unmined before it is raised
    give_up: float = 600.0  # how long `send` waits in all before it leaves the rest to the journal
    outage_patience: float = 60.0  # how long a node may be unreachable while we wait
    fee_ceiling: int = 500 * GWEI
    minimum_priority_fee: int = GWEI // 100
    gas_margin_percent: int = 25  # state may change between the estimate and the block

    def __post_init__(self) -> None:
        if self.confirmations < 1:
            raise InvalidValue(
                "confirmations of a sender are too few", remedy="Ask for 1, the block itself, or more."
            )
        if self.fee_ceiling <= self.minimum_priority_fee:
            raise InvalidValue(
                "the fee ceiling is below the minimum priority fee", remedy="Raise the ceiling."
            )


def market_fees(web3: Web3, policy: SenderPolicy) -> Fees:
    """Fees that survive six full blocks in a row: twice the base fee, as wallets do, below the ceiling."""
    base = int(web3.eth.get_block("latest").get("baseFeePerGas", 0))
    priority = max(int(web3.eth.max_priority_fee), policy.minimum_priority_fee)
    if base + priority > policy.fee_ceiling:
        raise _ceiling_reached(base + priority, policy)
    return Fees(maximum=min(2 * base + priority, policy.fee_ceiling), priority=priority)


def raised_fees(previous: Fees, market: Fees, policy: SenderPolicy) -> Fees:
    """Fees that replace ``previous``: nodes want both 10 % higher, so we give 12.5 %, or the market's."""
    least = Fees(_raised(previous.maximum), _raised(previous.priority))
    if least.maximum > policy.fee_ceiling:
        raise _ceiling_reached(least.maximum, policy)
    maximum = max(least.maximum, market.maximum)
    return Fees(maximum=maximum, priority=min(maximum, max(least.priority, market.priority)))


def _raised(fee: int) -> int:
    return max(fee + 1, -(-fee * 9 // 8))


def _ceiling_reached(fee: int, policy: SenderPolicy) -> FeeCeilingReached:
    return FeeCeilingReached(
        f"being mined now needs {fee / GWEI:g} gwei per gas, the ceiling is {policy.fee_ceiling / GWEI:g}",
        remedy="Wait for lower fees and run again (the journal continues), or raise the fee ceiling.",
    )
