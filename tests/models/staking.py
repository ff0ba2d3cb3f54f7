"""What the stake token and `Staking` must do, in plain Python. Written from the specification, not from the contracts.

Where the contract reverts, the model raises `Refused` with the same reason and has changed nothing. Accounts are any
strings. A pool is the pair (operator, side): side 0 for the operator's own stake, side 1 for its delegators'.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Pool: TypeAlias = tuple[str, int]

OWN, DELEGATED = 0, 1
STAKE, DELEGATE = 1, 2  # entries that can be closed

DAY = 86_400
FULL_BPS = 10_000
TOKEN = 10**18
SCALE = 10**36
MAX_AMOUNT = 2**96 - 1
DILUTION = 2**32
MAX_OPEN_REQUESTS = 100
MAX_EARNINGS_TOKENS = 8
WINDOW = 30 * DAY
NOBODY = ""


class Refused(Exception):
    """The specification forbids this call."""


def require(condition: bool, why: str) -> None:
    if not condition:
        raise Refused(why)


def divided_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


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
    alive: bool = True  # false once a slash took the whole thawing part


@dataclass
class PoolModel:
    """One pool: active tokens and who has shares of them, thawing tokens and the requests that share them."""

    active: int = 0
    thawing: int = 0
    shares: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    requests: defaultdict[str, list[Request | None]] = field(default_factory=lambda: defaultdict(list))

    def active_shares(self) -> int:
        return sum(self.shares.values())

    def thawing_shares(self) -> int:
        return sum(
            request.shares
            for requests in self.requests.values()
            for request in requests
            if request is not None and request.alive
        )

    def to_shares(self, amount: int) -> int:
        return amount * (self.active_shares() + 1) // (self.active + 1)

    def to_tokens(self, shares: int) -> int:
        return shares * (self.active + 1) // (self.active_shares() + 1)

    def first_open(self, owner: str) -> int:
        requests = self.requests[owner]
        return next((number for number, request in enumerate(requests) if request is not None), len(requests))

    def find(self, owner: str, number: int) -> Request | None:
        """A request that is still worth something."""
        requests = self.requests[owner]
        request = requests[number] if 0 <= number < len(requests) else None
        return request if request is not None and request.alive else None

    def worth(self, request: Request | None) -> int:
        if request is None or not request.alive:
            return 0
        return request.shares * self.thawing // self.thawing_shares()

    def enter(self, owner: str, amount: int) -> int:
        shares = self.to_shares(amount)
        self.active += amount
        self.shares[owner] += shares
        return shares

    def slash(self, amount: int) -> tuple[int, bool]:
        """What was taken, and whether the active part began a new epoch."""
        before = self.active + self.thawing
        amount = min(amount, before)
        if amount == 0:
            return 0, False
        from_thawing = divided_up(amount * self.thawing, before)
        from_active = amount - from_thawing
        self.thawing -= from_thawing
        self.active -= from_active
        if from_thawing > 0 and self.thawing * DILUTION < self.thawing_shares():
            self.thawing = 0
            for requests in self.requests.values():
                for request in requests:
                    if request is not None:
                        request.alive = False
        is_wiped = from_active > 0 and self.active * DILUTION < self.active_shares()
        if is_wiped:
            self.active = 0
        return before - self.active - self.thawing, is_wiped


@dataclass
class Terms:
    cut_bps: int = 0  # until `effective_at`
    announced_bps: int = 0
    effective_at: int = 0
    accepts: bool = False
    announced: bool = False

    def cut_at(self, now: int) -> int:
        return self.announced_bps if now >= self.effective_at else self.cut_bps


@dataclass
class Earner:
    checkpoint: int = 0
    amount: int = 0


@dataclass
class Window:
    room: int = 0
    end: int = 0


@dataclass
class Penalty:
    operator: str
    released: int
    amount: int
    client: str = NOBODY
    compensation: int = 0
    reporter: str = NOBODY
    reporter_bps: int = 0


@dataclass
class Slash:
    """What a slash took and where it went."""

    own: int
    delegated: int
    compensation: int
    reward: int
    insured: int
    burned: int

    @property
    def taken(self) -> int:
        return self.own + self.delegated


@dataclass
class StakingModel:
    """Holds its tokens under the name `staking`; `tokens[stake_token]` is what is staked."""

    tokens: Mapping[str, TokenModel]
    stake_token: str
    owner: str
    thaw_period: int
    closed: int = 0
    verifiers: set[str] = field(default_factory=set)
    fault_bps: int = 1_000
    window_bps: int = 3_000
    minimum_self_stake: int = 0
    minimum_delegation: int = TOKEN
    delegation_ratio: int = 10
    insurance: str = NOBODY
    insurance_bps: int = 0
    pools: defaultdict[Pool, PoolModel] = field(default_factory=lambda: defaultdict(PoolModel))
    terms: defaultdict[str, Terms] = field(default_factory=lambda: defaultdict(Terms))
    hot_keys: set[tuple[str, str]] = field(default_factory=set)
    committed_to: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    windows: defaultdict[str, Window] = field(default_factory=lambda: defaultdict(Window))
    earnings_tokens: list[str] = field(default_factory=list)
    earnings_owed: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    # By operator and token: earnings per share of the delegation pool, scaled.
    accumulated: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    # By operator, token and owner.
    earners: defaultdict[tuple[str, str, str], Earner] = field(default_factory=lambda: defaultdict(Earner))

    NAME = "staking"

    # ------------------------------------------------------------ sums
    def total_staked(self) -> int:
        return sum(pool.active + pool.thawing for pool in self.pools.values())

    def slashable(self, operator: str) -> int:
        pools = (self.pools[operator, OWN], self.pools[operator, DELEGATED])
        return sum(pool.active + pool.thawing for pool in pools)

    def committed(self, operator: str) -> int:
        return sum(amount for (_, who), amount in self.committed_to.items() if who == operator)

    def backing(self, operator: str) -> int:
        """S of the design note."""
        own = self.pools[operator, OWN].active
        return own + min(self.pools[operator, DELEGATED].active, self.delegation_ratio * own)

    def window_room(self, operator: str, now: int) -> int:
        window = self.windows[operator]
        if now < window.end:
            return window.room
        return self.window_bps * self.slashable(operator) // FULL_BPS

    def slash_room(self, operator: str, now: int) -> int:
        free = max(0, self.slashable(operator) - self.committed(operator))
        return min(self.window_room(operator, now), free)

    def commit_room(self, operator: str, now: int) -> tuple[int, int]:
        if self.pools[operator, OWN].active < self.minimum_self_stake:
            return 0, 0
        backing = self.backing(operator)
        own = self.pools[operator, OWN].active
        limit = min(own, backing // 2, self.window_room(operator, now))
        room = max(0, limit - self.committed(operator))
        return room, min(room, self.fault_bps * backing // FULL_BPS)

    def is_covered(self, operator: str, own: int) -> bool:
        delegated = min(self.pools[operator, DELEGATED].active, self.delegation_ratio * own)
        committed = self.committed(operator)
        return committed <= own and 2 * committed <= own + delegated

    def available(self, operator: str) -> int:
        """By search: how much of the own stake can go with the rest still covering the open work."""
        own = self.pools[operator, OWN].active
        if not self.is_covered(operator, own):
            return 0
        low, high = 0, own  # `low` can go
        while low < high:
            middle = (low + high + 1) // 2
            if self.is_covered(operator, own - middle):
                low = middle
            else:
                high = middle - 1
        return low

    def earned(self, operator: str, token: str, owner: str) -> int:
        if token not in self.earnings_tokens:
            return 0
        earner = self.earners[operator, token, owner]
        shares = self.pools[operator, DELEGATED].shares[owner]
        since = self.accumulated[operator, token] - earner.checkpoint
        return earner.amount + shares * since // SCALE

    # ------------------------------------------------------------ entries
    def _check_open(self, flag: int) -> None:
        require(self.closed & flag == 0, "pausable: closed")

    def _check_new_stake(self, amount: int) -> None:
        require(amount > 0, "staking: zero amount")
        require(self.total_staked() + amount <= MAX_AMOUNT, "staking: total too large")

    def stake(self, payer: str, operator: str, amount: int) -> int:
        """`stake` when the payer is the operator, else `stake_for`."""
        require(operator != NOBODY, "staking: no operator")
        self._check_open(STAKE)
        self._check_new_stake(amount)
        self.tokens[self.stake_token].move(payer, self.NAME, amount)
        return self.pools[operator, OWN].enter(operator, amount)

    def delegate(self, delegator: str, operator: str, amount: int, min_shares: int = 0) -> int:
        self._check_new_stake(amount)
        self._check_delegation(operator, amount, min_shares)
        self.tokens[self.stake_token].move(delegator, self.NAME, amount)
        return self._delegate(delegator, operator, amount)

    def _check_delegation(self, operator: str, amount: int, min_shares: int) -> None:
        self._check_open(DELEGATE)
        require(self.terms[operator].accepts, "terms: delegation not accepted")
        require(amount >= self.minimum_delegation, "staking: delegation too small")
        require(self.pools[operator, DELEGATED].to_shares(amount) >= min_shares, "staking: too few shares")

    def _delegate(self, delegator: str, operator: str, amount: int) -> int:
        self._settle((operator, DELEGATED), delegator)
        return self.pools[operator, DELEGATED].enter(delegator, amount)

    def redelegate(self, owner: str, pool: Pool, operator: str, min_shares: int, max_n: int, now: int) -> int:
        amount, ended = self._ready(pool, owner, max_n, now)
        self._check_delegation(operator, amount, min_shares)
        self._end(pool, owner, amount, ended)
        return self._delegate(owner, operator, amount)

    # ------------------------------------------------------------ exits
    def request_redeem(self, owner: str, pool: Pool, shares: int, now: int) -> int:
        operator, side = pool
        state = self.pools[pool]
        requests = state.requests[owner]
        require(shares > 0, "pool: no shares")
        require(shares <= state.shares[owner], "pool: more shares than owned")
        require(len(requests) - state.first_open(owner) < MAX_OPEN_REQUESTS, "pool: too many requests")
        amount = state.to_tokens(shares)
        require(amount > 0, "pool: shares worth nothing")
        rest = state.shares[owner] - shares
        if side == OWN:
            require(amount <= self.available(operator), "commit: stake backs open work")
        elif rest > 0:
            worth = rest * (state.active - amount + 1) // (state.active_shares() - shares + 1)
            require(worth >= self.minimum_delegation, "staking: remainder too small")
        self._settle(pool, owner)
        outstanding = state.thawing_shares()
        thawing_shares = amount if outstanding == 0 else amount * outstanding // state.thawing
        state.active -= amount
        state.shares[owner] = rest
        state.thawing += amount
        requests.append(Request(thawing_shares, now + self.thaw_period))
        return len(requests) - 1

    def cancel_redeem_request(self, owner: str, pool: Pool, number: int) -> int:
        state = self.pools[pool]
        request = state.find(owner, number)
        require(request is not None, "pool: no such request")
        amount = state.worth(request)
        require(amount > 0, "pool: request worth nothing")
        self._settle(pool, owner)
        state.requests[owner][number] = None
        state.thawing -= amount
        return state.enter(owner, amount)

    def _ready(self, pool: Pool, owner: str, max_n: int, now: int) -> tuple[int, list[int]]:
        """What the oldest requests are worth together, and which ones they are."""
        state = self.pools[pool]
        amount, ended = 0, list[int]()
        thawing, outstanding = state.thawing, state.thawing_shares()
        for number, request in enumerate(state.requests[owner]):
            if request is None:
                continue
            if len(ended) == max_n or (request.alive and now < request.ready_at):
                break
            ended.append(number)
            if request.alive:
                worth = request.shares * thawing // outstanding
                thawing, outstanding = thawing - worth, outstanding - request.shares
                amount += worth
        require(bool(ended), "pool: nothing to redeem")
        return amount, ended

    def _end(self, pool: Pool, owner: str, amount: int, ended: list[int]) -> None:
        state = self.pools[pool]
        state.thawing -= amount
        for number in ended:
            state.requests[owner][number] = None

    def redeem(self, pool: Pool, owner: str, max_n: int, now: int) -> int:
        amount, ended = self._ready(pool, owner, max_n, now)
        self._end(pool, owner, amount, ended)
        self.tokens[self.stake_token].move(self.NAME, owner, amount)
        return amount

    # ------------------------------------------------------------ operators
    def set_terms(self, operator: str, cut_bps: int, accepts: bool, now: int) -> int:
        require(0 <= cut_bps <= FULL_BPS, "terms: cut too large")
        terms = self.terms[operator]
        current, effective_at = terms.cut_at(now), terms.effective_at
        if not terms.announced:
            current, effective_at = cut_bps, now
        elif cut_bps != terms.announced_bps:
            effective_at = now + self.thaw_period
        self.terms[operator] = Terms(current, cut_bps, effective_at, accepts, announced=True)
        return effective_at

    def set_hot_key(self, operator: str, key: str, authorised: bool) -> None:
        require(key != NOBODY, "terms: no key")
        if authorised:
            self.hot_keys.add((operator, key))
        else:
            self.hot_keys.discard((operator, key))

    # ------------------------------------------------------------ verifiers
    def commit(self, verifier: str, operator: str, actor: str, amount: int, now: int) -> None:
        require(verifier in self.verifiers, "verifiers: not authorised")
        is_actor = actor == operator or (operator, actor) in self.hot_keys
        require(is_actor, "terms: not operator or hot key")
        require(self.pools[operator, OWN].active >= self.minimum_self_stake, "commit: self-stake too small")
        require(amount <= MAX_AMOUNT, "commit: amount too large")
        backing = self.backing(operator)
        committed = self.committed(operator) + amount
        own = self.pools[operator, OWN].active
        require(committed <= own, "commit: above the own stake")
        require(2 * committed <= backing, "commit: above half of the stake")
        require(amount * FULL_BPS <= self.fault_bps * backing, "commit: above the fault cap")
        require(committed <= self.window_room(operator, now), "commit: above the slash room")
        self.committed_to[verifier, operator] += amount

    def release(self, verifier: str, operator: str, amount: int) -> None:
        require(amount <= self.committed_to[verifier, operator], "commit: above the commitment")
        self.committed_to[verifier, operator] -= amount

    def slash(self, verifier: str, penalty: Penalty, now: int) -> Slash:
        operator, released = penalty.operator, penalty.released
        if released == 0 or penalty.amount > released:
            require(verifier in self.verifiers, "verifiers: not authorised")
        require(penalty.reporter_bps <= 2_500, "slash: reporter share too large")
        self.release(verifier, operator, released)

        slashable = self.slashable(operator)
        room = self.window_room(operator, now)
        amount = min(penalty.amount, released)
        if penalty.amount > released:
            free = max(0, slashable - self.committed(operator) - released)
            beyond = min(penalty.amount - released, room, free)
            beyond = min(beyond, max(0, self.fault_bps * slashable // FULL_BPS - released))
            amount += beyond

        own = self._slash_pool((operator, OWN), amount)
        delegated = self._slash_pool((operator, DELEGATED), max(0, amount - own))
        taken = own + delegated
        if taken > 0:
            window = self.windows[operator]
            window.room = max(0, room - taken)
            if now >= window.end:
                window.end = now + WINDOW
        return self._share_out(penalty, own, delegated)

    def _slash_pool(self, pool: Pool, amount: int) -> int:
        taken, is_wiped = self.pools[pool].slash(amount)
        if is_wiped:
            for owner in list(self.pools[pool].shares):
                self._settle(pool, owner)  # shares that are void keep what they had earned
            self.pools[pool].shares.clear()
        return taken

    def _share_out(self, penalty: Penalty, own: int, delegated: int) -> Slash:
        """The client and the reporter are paid out of what the operator itself lost."""
        lost = {NOBODY, self.NAME, self.stake_token}  # a payment there would fail or be lost
        compensation = 0 if penalty.client in lost else min(penalty.compensation, own // 2)
        reward = 0 if penalty.reporter in lost else own * penalty.reporter_bps // FULL_BPS
        rest = own + delegated - compensation - reward
        insured = rest * self.insurance_bps // FULL_BPS
        result = Slash(own, delegated, compensation, reward, insured, rest - insured)
        token = self.tokens[self.stake_token]
        token.move(self.NAME, penalty.client, compensation)
        token.move(self.NAME, penalty.reporter, reward)
        token.move(self.NAME, self.insurance, insured)
        token.burn(self.NAME, result.burned)
        return result

    # ------------------------------------------------------------ earnings
    def _settle(self, pool: Pool, owner: str) -> None:
        operator, side = pool
        if side == OWN:
            return
        for token in self.earnings_tokens:
            earned = self.earned(operator, token, owner)
            self.earners[operator, token, owner] = Earner(self.accumulated[operator, token], earned)

    def distribute(self, payer: str, operator: str, token: str, amount: int, now: int) -> int:
        """Returns the operator's part."""
        require(operator != NOBODY, "earnings: no operator")
        require(amount > 0, "earnings: zero amount")
        require(amount <= MAX_AMOUNT, "earnings: amount too large")
        require(token in self.earnings_tokens, "earnings: token not listed")
        self.tokens[token].move(payer, self.NAME, amount)
        cut = amount * self.terms[operator].cut_at(now) // FULL_BPS
        own, pool = self.pools[operator, OWN].active, self.pools[operator, DELEGATED]
        shares, per_share = pool.active_shares(), 0
        if pool.active > 0:
            per_share = (amount - cut) * pool.active // (own + pool.active) * SCALE // shares
        self.accumulated[operator, token] += per_share
        cut = amount - divided_up(per_share * shares, SCALE)
        self.earners[operator, token, operator].amount += cut
        self.earnings_owed[token] += amount
        return cut

    def pay_earnings(self, operator: str, token: str, owner: str) -> int:
        require(token in self.earnings_tokens, "earnings: token not listed")
        amount = self.earned(operator, token, owner)
        require(amount > 0, "earnings: nothing earned")
        self.earners[operator, token, owner] = Earner(self.accumulated[operator, token], 0)
        self.earnings_owed[token] -= amount
        self.tokens[token].move(self.NAME, owner, amount)
        return amount

    # ------------------------------------------------------------ owner
    def _check_owner(self, sender: str) -> None:
        require(sender == self.owner, "ownership: not the owner")

    def set_verifier(self, sender: str, verifier: str, authorised: bool) -> None:
        self._check_owner(sender)
        require(verifier != NOBODY, "verifiers: zero address")
        if authorised:
            self.verifiers.add(verifier)
        else:
            self.verifiers.discard(verifier)

    def set_thaw_period(self, sender: str, thaw_period: int) -> None:
        self._check_owner(sender)
        require(thaw_period >= 7 * DAY, "pool: thaw period too short")
        require(thaw_period <= 28 * DAY, "pool: thaw period too long")
        self.thaw_period = thaw_period

    def set_slash_caps(self, sender: str, fault_bps: int, window_bps: int) -> None:
        self._check_owner(sender)
        require(fault_bps >= 100, "limits: fault cap too low")
        require(window_bps >= fault_bps, "limits: window below fault cap")
        require(window_bps <= 5_000, "limits: window cap too high")
        self.fault_bps, self.window_bps = fault_bps, window_bps

    def set_delegation_limits(
        self, sender: str, minimum_self_stake: int, minimum_delegation: int, delegation_ratio: int
    ) -> None:
        self._check_owner(sender)
        require(minimum_self_stake <= 1_000_000 * TOKEN, "limits: self-stake too high")
        require(minimum_delegation > 0, "limits: no minimum delegation")
        require(minimum_delegation <= 1_000 * TOKEN, "limits: delegation too high")
        require(delegation_ratio <= 100, "limits: ratio too high")
        self.minimum_self_stake = minimum_self_stake
        self.minimum_delegation = minimum_delegation
        self.delegation_ratio = delegation_ratio

    def set_insurance(self, sender: str, insurance: str, insurance_bps: int) -> None:
        self._check_owner(sender)
        require(insurance_bps <= FULL_BPS, "slash: insurance share too large")
        lost = {NOBODY, self.NAME, self.stake_token}
        require(insurance_bps == 0 or insurance not in lost, "slash: no insurance")
        self.insurance, self.insurance_bps = insurance, insurance_bps

    def add_earnings_token(self, sender: str, token: str) -> None:
        self._check_owner(sender)
        require(token != NOBODY, "earnings: no token")
        require(token not in self.earnings_tokens, "earnings: token listed already")
        require(len(self.earnings_tokens) < MAX_EARNINGS_TOKENS, "earnings: too many tokens")
        self.earnings_tokens.append(token)
