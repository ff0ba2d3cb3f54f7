"""What `MillToken` must do, in plain Python. Written from the standards, not from the contract.

Votes are never moved here: after each change they are added up anew from balances and delegates, so that the contract's
bookkeeping is compared with what it stands for.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

UNLIMITED = 2**256 - 1
NOBODY = ""


class Refused(Exception):
    """The standards, or the rules of the token, forbid this call."""


def require(condition: bool, why: str) -> None:
    if not condition:
        raise Refused(why)


@dataclass
class MillTokenModel:
    """Accounts go by name; `NOBODY` is the zero address and `token` the token itself."""

    clock: int
    supply: int = 0
    balances: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    allowances: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    delegates: defaultdict[str, str] = field(default_factory=lambda: defaultdict(str))
    nonces: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    used: set[tuple[str, bytes]] = field(default_factory=set)
    past_votes: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    past_supply: dict[int, int] = field(default_factory=dict)

    # ------------------------------------------------------------ ERC-20
    def mint(self, holder: str, amount: int) -> None:
        self.supply = self.balances[holder] = amount
        self.past_supply[self.clock] = amount

    def transfer(self, source: str, target: str, amount: int) -> None:
        require(target not in (NOBODY, "token"), "receiver")
        require(self.balances[source] >= amount, "balance")
        before = self._votes_of((self.delegates[source], self.delegates[target]))
        self.balances[source] -= amount
        self.balances[target] += amount
        self._record(before)

    def transfer_from(self, spender: str, source: str, target: str, amount: int) -> None:
        self._spend(source, spender, amount)
        self.transfer(source, target, amount)

    def approve(self, owner: str, spender: str, amount: int) -> None:
        require(spender != NOBODY, "spender")
        self.allowances[owner, spender] = amount

    def burn(self, source: str, amount: int) -> None:
        require(self.balances[source] >= amount, "balance")
        before = self._votes_of((self.delegates[source],))
        self.balances[source] -= amount
        self.supply -= amount
        if amount:
            self.past_supply[self.clock] = self.supply
        self._record(before)

    def burn_from(self, spender: str, source: str, amount: int) -> None:
        self._spend(source, spender, amount)
        self.burn(source, amount)

    # ------------------------------------------------------------ signatures
    def use_nonce(self, signer: str, nonce: int) -> None:
        require(self.nonces[signer] == nonce, "nonce")
        self.nonces[signer] += 1

    def use_authorization(self, signer: str, nonce: bytes) -> None:
        require((signer, nonce) not in self.used, "used")
        self.used.add((signer, nonce))

    # ------------------------------------------------------------ votes
    def delegate(self, account: str, delegatee: str) -> None:
        before = self._votes_of((self.delegates[account], delegatee))
        self.delegates[account] = delegatee
        self._record(before)

    def votes(self, delegate: str) -> int:
        return sum(self.balances[account] for account in self.balances if self.delegates[account] == delegate)

    def votes_at(self, delegate: str, timepoint: int) -> int:
        require(timepoint < self.clock, "not over")
        return _last_until(self.past_votes[delegate], timepoint)

    def supply_at(self, timepoint: int) -> int:
        require(timepoint < self.clock, "not over")
        return _last_until(self.past_supply, timepoint)

    # ------------------------------------------------------------ inner workings
    def _spend(self, owner: str, spender: str, amount: int) -> None:
        allowed = self.allowances[owner, spender]
        require(allowed >= amount, "allowance")
        if allowed != UNLIMITED:
            self.allowances[owner, spender] = allowed - amount

    def _votes_of(self, delegates: tuple[str, ...]) -> dict[str, int]:
        return {delegate: self.votes(delegate) for delegate in delegates if delegate != NOBODY}

    def _record(self, before: dict[str, int]) -> None:
        for delegate, votes in before.items():
            if self.votes(delegate) != votes:
                self.past_votes[delegate][self.clock] = self.votes(delegate)


def _last_until(trace: dict[int, int], timepoint: int) -> int:
    return max(((when, value) for when, value in trace.items() if when <= timepoint), default=(0, 0))[1]
