"""What the token and `Staking` must do, in plain Python. Written from the specification, not from the contracts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field


class Refused(Exception):
    """The specification forbids this call."""


def require(condition: bool, why: str) -> None:
    if not condition:
        raise Refused(why)


@dataclass
class TokenModel:
    """Balances by name of the holder."""

    balances: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    burned: int = 0

    def move(self, source: str, target: str, amount: int) -> None:
        require(self.balances[source] >= amount, "balance")
        self.balances[source] -= amount
        self.balances[target] += amount

    def burn(self, source: str, amount: int) -> None:
        require(self.balances[source] >= amount, "balance")
        self.balances[source] -= amount
        self.burned += amount


@dataclass
class Request:
    shares: int
    ready_at: int
    alive: bool = True  # false once a slash took the whole pool
    withdrawn: bool = False


@dataclass
class OperatorModel:
    active: int = 0
    thawing: int = 0
    requests: list[Request] = field(default_factory=list)
    committed: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def open_requests(self) -> list[Request]:
        return [request for request in self.requests if request.alive and not request.withdrawn]

    def shares(self) -> int:
        return sum(request.shares for request in self.open_requests())

    def available(self) -> int:
        return max(0, self.active - sum(self.committed.values()))

    def worth(self, request: Request) -> int:
        if not request.alive or request.withdrawn:
            return 0
        return self.thawing * request.shares // self.shares()


@dataclass
class StakingModel:
    """Holds its tokens under the name `staking`."""

    token: TokenModel
    thaw_period: int
    verifiers: set[str] = field(default_factory=set)
    operators: defaultdict[str, OperatorModel] = field(default_factory=lambda: defaultdict(OperatorModel))

    NAME = "staking"

    def total_staked(self) -> int:
        return sum(operator.active + operator.thawing for operator in self.operators.values())

    def stake(self, payer: str, operator: str, amount: int) -> None:
        require(amount > 0, "zero")
        self.token.move(payer, self.NAME, amount)
        self.operators[operator].active += amount

    def request_unstake(self, operator: str, amount: int, now: int) -> int:
        state = self.operators[operator]
        require(0 < amount <= state.available(), "not available")
        outstanding = state.shares()
        shares = amount if outstanding == 0 else amount * outstanding // state.thawing
        state.active -= amount
        state.thawing += amount
        state.requests.append(Request(shares, now + self.thaw_period))
        return len(state.requests) - 1

    def withdraw(self, operator: str, request_id: int, now: int) -> int:
        state = self.operators[operator]
        require(request_id < len(state.requests), "no such request")
        request = state.requests[request_id]
        require(not request.withdrawn and now >= request.ready_at, "not ready")
        amount = state.worth(request)
        request.withdrawn = True
        state.thawing -= amount
        self.token.move(self.NAME, operator, amount)
        return amount

    def commit(self, verifier: str, operator: str, amount: int) -> None:
        state = self.operators[operator]
        require(verifier in self.verifiers, "not a verifier")
        require(0 < amount <= state.available(), "not available")
        state.committed[verifier] += amount

    def release(self, verifier: str, operator: str, amount: int) -> None:
        state = self.operators[operator]
        require(0 < amount <= state.committed[verifier], "above the commitment")
        state.committed[verifier] -= amount

    def slash(
        self, verifier: str, operator: str, released: int, amount: int, beneficiary: str, compensation: int
    ) -> tuple[int, int]:
        state = self.operators[operator]
        require(verifier in self.verifiers or amount <= released, "not a verifier")
        require(amount > 0, "zero")
        require(released <= state.committed[verifier], "above the commitment")
        state.committed[verifier] -= released
        taken = min(amount, state.active + state.thawing)
        from_active = min(taken, state.active)
        state.active -= from_active
        state.thawing -= taken - from_active
        if state.thawing == 0 and taken > from_active:
            for request in state.open_requests():
                request.alive = False
        paid = min(compensation, taken)
        self.token.move(self.NAME, beneficiary, paid)
        self.token.burn(self.NAME, taken - paid)
        return taken, paid
