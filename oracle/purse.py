"""What a member is ready to pay for doing right: gas by what a claim is worth, and a bond only if it has it."""

from __future__ import annotations

from dataclasses import dataclass

from eth_typing import ChecksumAddress

from proofmill.chain import Suite
from proofmill.chain.history import TOKEN_UNIT, format_amount
from proofmill.disputes.prosecution import format_ether
from proofmill.errors import ProofmillError


class CannotPay(ProofmillError):
    """Something would cost more than it is worth, or than there is; nothing was sent."""


@dataclass(frozen=True)
class Purse:
    """The account of one member.

    Attributes:
        mill_value: wei that one MILL is taken to be worth.
        challenge_budget: most wei of gas for one matter, whatever it is worth; 0: no more than it is worth.
    """

    suite: Suite
    account: ChecksumAddress
    mill_value: int
    challenge_budget: int

    def check(self, what: str, *, gas: int, worth: int, bond: int = 0) -> None:
        """CannotPay unless `gas` may be spent on what is `worth` so many base units of MILL, and `bond` of them is there."""
        self._check(what, gas, self.challenge_budget or self._in_wei(worth), bond)

    def check_worth(self, what: str, *, gas: int, worth: int) -> None:
        """The same for what nobody is wronged by if it waits: no budget makes up for what it is not worth."""
        self._check(what, gas, self._in_wei(worth), 0)

    def _in_wei(self, amount: int) -> int:
        return amount * self.mill_value // TOKEN_UNIT

    def _check(self, what: str, gas: int, limit: int, bond: int) -> None:
        web3 = self.suite.dispute_game.web3
        cost = gas * int(web3.eth.gas_price)
        if cost > limit:
            raise CannotPay(
                f"{what} may cost {format_ether(cost)} of gas, which is more than the {format_ether(limit)} that it may cost",
                remedy="Set challenge_budget, or mill_value if a MILL is worth more; it is tried again when gas is cheaper.",
            )
        if bond:
            held = self.suite.mill_token.balance_of(self.account)
            if held < bond:
                raise CannotPay(
                    f"{what} posts a bond of {format_amount(bond)}, {self.account} holds {format_amount(held)}",
                    remedy=f"Send it MILL: the bond comes back when the answer is refuted. {_AS_LONG}",
                )
        ether = int(web3.eth.get_balance(self.account))
        if ether < cost:
            raise CannotPay(
                f"{what} may cost {format_ether(cost)} of gas, {self.account} holds {format_ether(ether)}",
                remedy=f"Send it ether. {_AS_LONG}",
            )


_AS_LONG = "Until then this member cannot keep a wrong answer from being paid."
