"""Random lives of `Staking`, all functions by all actors, held against the model after every step.

Whatever the model refuses the contract must refuse with the same reason; whatever it allows must give the same results,
sums and balances. In the end everybody leaves, and less dust is left than there were calls.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import boa
import pytest
from hypothesis import currently_in_test_context, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.models.staking import DELEGATED, NOBODY, OWN, Penalty, Pool, Refused, StakingModel, TokenModel
from tests.stateful.conftest import stateful_settings
from tests.unit.contracts.staking.deployment import (
    DAY,
    MAX_UINT256,
    MILL,
    REASON,
    SUPPLY,
    THAW_PERIOD,
    actor,
    deploy,
    now,
    travel,
)

STAKE_TOKEN, COIN = "mill", "coin"
OPERATORS = ("first operator", "second operator")
DELEGATORS = ("delegator", "other delegator", "small delegator")
VERIFIERS = ("escrow", "committee")
STAKERS = OPERATORS + DELEGATORS
PEOPLE = STAKERS + VERIFIERS + ("client", "reporter", "insurance", "admin", "holder")
POOLS = tuple((operator, side) for operator in OPERATORS for side in (OWN, DELEGATED))

operators = st.sampled_from(OPERATORS)
stakers = st.sampled_from(STAKERS)
verifiers = st.sampled_from(VERIFIERS)
pools = st.sampled_from(POOLS)
amounts = st.one_of(
    st.integers(1, 30), st.integers(1, 2_000 * MILL), st.integers(0, 3).map(lambda n: n * MILL)
)
parts = st.sampled_from([100, 100, 100, 99, 50, 50, 33, 7, 1, 0, 101])  # per cent of something that exists
counts = st.sampled_from([100, 1, 2, 3, 0, MAX_UINT256])
owners = st.sampled_from(["admin"] * 9 + ["client"])


class StakingMachine(RuleBasedStateMachine):
    @initialize(with_small_amounts=st.booleans())
    def deploy_all(self, with_small_amounts: bool) -> None:
        self.addresses = {name: actor(name) for name in PEOPLE} | {NOBODY: "0x" + "00" * 20}
        holder, admin = self.addresses["holder"], self.addresses["admin"]
        mill = deploy("MillToken.vy", holder, SUPPLY, True)
        coin = deploy("mocks/MockFickleToken.vy")
        coin.mint(holder, SUPPLY)
        self.staking = deploy("Staking.vy", mill.address, admin, THAW_PERIOD)
        self.tokens = {STAKE_TOKEN: mill, COIN: coin}
        token_models = {name: TokenModel() for name in self.tokens}
        self.model = StakingModel(token_models, STAKE_TOKEN, "admin", THAW_PERIOD)
        self.addresses |= {
            self.model.NAME: self.staking.address,
            STAKE_TOKEN: mill.address,
            COIN: coin.address,
        }
        for name, token in self.tokens.items():
            token_models[name].balances["holder"] = SUPPLY
            for person in STAKERS + ("holder",):
                token.approve(self.staking.address, MAX_UINT256, sender=self.addresses[person])
                if person != "holder":
                    token.transfer(self.addresses[person], 10**6 * MILL, sender=holder)
                    token_models[name].move("holder", person, 10**6 * MILL)
        self.calls = 0
        for verifier in VERIFIERS:
            self.set_verifier("admin", verifier, True)
        for token in self.tokens:
            self.both("add_earnings_token", "admin", (token,), ("admin", token))
        self.set_slash_caps("admin", 5_000, 5_000)
        self.set_delegation_limits("admin", 0, 1 if with_small_amounts else MILL, 10)
        for operator in OPERATORS:
            self.set_terms(operator, 1_000, True)
            self.stake(operator, operator, 20 if with_small_amounts else 100 * MILL)

    def say(self, what: str) -> None:
        """What a failing example prints."""
        if currently_in_test_context():
            note(what)

    # ------------------------------------------------------------ one call, twice
    def both(self, method: str, sender: str, arguments: tuple[Any, ...], modelled: tuple[Any, ...]) -> Any:
        """Call the contract's function, in Vyper's spelling, and the model's method of the same name."""
        self.calls += 1
        model_name = "".join("_" + c.lower() if c.isupper() else c for c in method)
        self.say(f"{sender}: {method}{arguments}")

        def call() -> Any:
            values = [self.address(argument) for argument in arguments]
            return getattr(self.staking, method)(*values, sender=self.addresses[sender])

        return self.compare(call, lambda: getattr(self.model, model_name)(*modelled))

    def compare(self, call: Callable[[], Any], expect: Callable[[], Any]) -> Any:
        try:
            expected = expect()
        except Refused as refused:
            with boa.reverts(str(refused)):
                call()
            return None
        result = call()
        assert result is None or expected is None or result == expected
        return expected

    def address(self, argument: Any) -> Any:
        if isinstance(argument, tuple) and len(argument) == 2 and argument in POOLS:
            return self.pool_number(argument)
        return self.addresses[argument] if isinstance(argument, str) else argument

    def pool_number(self, pool: Pool) -> int:
        return int(self.addresses[pool[0]], 16) | pool[1] << 160

    # ------------------------------------------------------------ entries
    @rule(payer=stakers, operator=operators, amount=amounts)
    def stake(self, payer: str, operator: str, amount: int) -> None:
        if payer == operator:
            self.both("stake", payer, (amount,), (payer, operator, amount))
        else:
            self.say(f"{payer}: stake_for({operator}, {amount})")
            self.calls += 1
            self.compare(
                lambda: self.staking.stake_for(
                    self.addresses[operator], amount, sender=self.addresses[payer]
                ),
                lambda: self.model.stake(payer, operator, amount),
            )

    @rule(delegator=stakers, operator=operators, amount=amounts, slack=st.sampled_from([-1] * 6 + [0, 1]))
    def delegate(self, delegator: str, operator: str, amount: int, slack: int) -> None:
        min_shares = max(0, self.model.pools[operator, DELEGATED].to_shares(amount) + slack)
        arguments = (operator, amount, min_shares)
        self.both("delegate", delegator, arguments, (delegator, *arguments))

    @rule(owner=stakers, pool=pools, operator=operators, max_n=counts)
    def redelegate(self, owner: str, pool: Pool, operator: str, max_n: int) -> None:
        arguments = (pool, operator, 0, max_n)
        self.both("redelegate", owner, arguments, (owner, *arguments, now()))

    # ------------------------------------------------------------ exits
    @rule(owner=stakers, pool=pools, part=parts)
    def request_some(self, owner: str, pool: Pool, part: int) -> None:
        """Of the pool's owner, or of a delegator, who may have nothing there."""
        self.request(pool[0] if pool[1] == OWN and part % 3 else owner, pool, part)

    def request(self, owner: str, pool: Pool, part: int) -> None:
        shares = self.model.pools[pool].shares[owner] * part // 100
        self.both("requestRedeem", owner, (pool, shares), (owner, pool, shares, now()))

    @rule(owner=stakers, pool=pools, steps=st.sampled_from([0, 0, 1, 2, 3, -1]))
    def cancel(self, owner: str, pool: Pool, steps: int) -> None:
        """One of the first requests that may be open."""
        number = max(0, self.model.pools[pool].first_open(owner) + steps)
        self.both("cancelRedeemRequest", owner, (pool, number), (owner, pool, number))

    @rule(caller=st.sampled_from(PEOPLE), owner=stakers, pool=pools, max_n=counts)
    def redeem(self, caller: str, owner: str, pool: Pool, max_n: int) -> None:
        arguments = (pool, owner, max_n)
        self.both("redeem", caller, arguments, (*arguments, now()))

    # ------------------------------------------------------------ operators
    @rule(
        operator=operators,
        cut_bps=st.sampled_from([0, 1, 1_000, 10_000, 10_001]),
        accepts=st.sampled_from([True] * 5 + [False]),
    )
    def set_terms(self, operator: str, cut_bps: int, accepts: bool) -> None:
        self.both("set_terms", operator, (cut_bps, accepts), (operator, cut_bps, accepts, now()))

    @rule(operator=operators, key=st.sampled_from((*DELEGATORS * 3, NOBODY)), authorised=st.booleans())
    def set_hot_key(self, operator: str, key: str, authorised: bool) -> None:
        self.both("set_hot_key", operator, (key, authorised), (operator, key, authorised))

    # ------------------------------------------------------------ verifiers
    @rule(
        verifier=st.sampled_from((*VERIFIERS * 4, "client")), operator=operators, actor_=stakers, part=parts
    )
    def commit(self, verifier: str, operator: str, actor_: str, part: int) -> None:
        """A part of what one commitment may be, mostly asked for by the operator itself."""
        if (operator, actor_) not in self.model.hot_keys and part % 7:
            actor_ = operator
        amount = self.model.commit_room(operator, now())[1] * part // 100
        self.both("commit", verifier, (operator, actor_, amount), (verifier, operator, actor_, amount, now()))

    @rule(verifier=verifiers, operator=operators, part=parts)
    def release(self, verifier: str, operator: str, part: int) -> None:
        amount = self.model.committed_to[verifier, operator] * part // 100
        self.both("release", verifier, (operator, amount), (verifier, operator, amount))

    @rule(
        verifier=verifiers,
        operator=operators,
        times=st.integers(1, 12),
        beyond=st.sampled_from([0, MAX_UINT256 // 2]),
    )
    def ruin(self, verifier: str, operator: str, times: int, beyond: int) -> None:
        """As much as can be pledged is taken, many times over: to dust, and beyond it to a new epoch.

        Only what goes beyond the pledge goes on when the own stake is gone, and grinds down what is delegated.
        """
        for _ in range(times):
            self.wait(31 * DAY)
            self.commit(verifier, operator, operator, 100)
            self.slash(verifier, operator, 100, 100, beyond, "client", MAX_UINT256, "reporter", 2_500)

    @rule(
        verifier=verifiers,
        operator=operators,
        released_part=parts,
        part=parts,
        beyond=st.one_of(st.just(0), amounts, st.just(MAX_UINT256 // 2)),
        client=st.sampled_from(["client", "first operator", NOBODY, "staking", STAKE_TOKEN]),
        compensation=st.one_of(amounts, st.just(MAX_UINT256)),
        reporter=st.sampled_from(["reporter", "delegator", NOBODY]),
        reporter_bps=st.sampled_from([0, 1, 1_000, 2_500, 2_500, 2_500, 2_501]),
    )
    def slash(
        self,
        verifier: str,
        operator: str,
        released_part: int,
        part: int,
        beyond: int,
        client: str,
        compensation: int,
        reporter: str,
        reporter_bps: int,
    ) -> None:
        released = self.model.committed_to[verifier, operator] * released_part // 100
        penalty = Penalty(
            operator, released, released * part // 100 + beyond, client, compensation, reporter, reporter_bps
        )
        self.calls += 1
        self.say(f"{verifier}: {penalty}")
        fields = tuple(self.address(value) for value in vars(penalty).values())
        result = self.compare(
            lambda: self.staking.slash((*fields, REASON), sender=self.addresses[verifier]) and None,
            lambda: self.model.slash(verifier, penalty, now()),
        )
        if result is None:
            return
        event = next(e for e in self.staking.get_logs() if type(e).__name__ == "Slashed")
        logged = (event.own, event.delegated, event.compensation, event.reward, event.insured, event.burned)
        assert logged == tuple(vars(result).values())
        assert result.compensation + result.reward + result.insured + result.burned == result.taken
        assert 4 * (result.compensation + result.reward) <= 3 * result.own

    # ------------------------------------------------------------ earnings
    @rule(payer=stakers, operator=operators, token=st.sampled_from([STAKE_TOKEN, COIN]), amount=amounts)
    def distribute(self, payer: str, operator: str, token: str, amount: int) -> None:
        arguments = (operator, token, amount)
        self.both("distribute", payer, arguments, (payer, *arguments, now()))

    @rule(
        caller=st.sampled_from(PEOPLE),
        operator=operators,
        token=st.sampled_from([STAKE_TOKEN, COIN]),
        owner=stakers,
    )
    def pay_earnings(self, caller: str, operator: str, token: str, owner: str) -> None:
        arguments = (operator, token, owner)
        self.both("pay_earnings", caller, arguments, arguments)

    # ------------------------------------------------------------ owner, pauser
    @rule(
        sender=owners,
        self_stake=st.sampled_from([0, 0, 10, 50 * MILL]),
        delegation=st.sampled_from([1, 1, MILL, 0]),
        ratio=st.sampled_from([10, 100, 1, 0, 101]),
    )
    def set_delegation_limits(self, sender: str, self_stake: int, delegation: int, ratio: int) -> None:
        limits = (self_stake, delegation, ratio)
        self.both("set_delegation_limits", sender, limits, (sender, *limits))

    @rule(
        sender=owners,
        fault_bps=st.sampled_from([5_000, 3_000, 100, 99]),
        window_bps=st.sampled_from([5_000, 5_000, 3_000, 5_001]),
    )
    def set_slash_caps(self, sender: str, fault_bps: int, window_bps: int) -> None:
        self.both("set_slash_caps", sender, (fault_bps, window_bps), (sender, fault_bps, window_bps))

    @rule(
        sender=owners,
        setting=st.sampled_from(["verifier", "insurance", "thaw", "close"]),
        verifier=verifiers,
        insurance=st.sampled_from(["insurance", "insurance", NOBODY, "staking"]),
        number=st.integers(0, 30),
    )
    def govern(self, sender: str, setting: str, verifier: str, insurance: str, number: int) -> None:
        if setting == "verifier":
            self.set_verifier(sender, verifier, number % 4 != 0)
        elif setting == "insurance":
            share = (0, 3_333, 10_000, 10_001)[number % 4]
            self.both("set_insurance", sender, (insurance, share), (sender, insurance, share))
        elif setting == "thaw":
            self.both("set_thaw_period", sender, (number * DAY,), (sender, number * DAY))
        else:
            self.close(number if number in (1, 2, 3) else 0)

    def set_verifier(self, sender: str, verifier: str, authorised: bool) -> None:
        self.both("set_verifier", sender, (verifier, authorised), (sender, verifier, authorised))

    def close(self, flags: int) -> None:
        admin = self.addresses["admin"]
        self.staking.set_pauser(admin, sender=admin)
        self.staking.set_unpauser(admin, sender=admin)
        self.staking.unpause(3, sender=admin)
        if flags:
            self.staking.pause(flags, sender=admin)
        self.model.closed = flags

    @rule(seconds=st.one_of(st.integers(1, DAY), st.sampled_from([7 * DAY, 14 * DAY, 31 * DAY])))
    def wait(self, seconds: int) -> None:
        travel(seconds)

    # ------------------------------------------------------------ what always holds
    @invariant()
    def contract_equals_model(self) -> None:
        if not hasattr(self, "staking"):
            return
        staking, model = self.staking, self.model
        for operator in OPERATORS:
            address = self.addresses[operator]
            assert staking.commit_room(address) == model.commit_room(operator, now())
            assert staking.slash_room(address) == model.slash_room(operator, now())
            available = staking.available(address)
            assert available == model.available(operator)
            assert staking.committed(address) == model.committed(operator)
            assert available == 0 or staking.self_stake(address) - available >= model.committed(operator)
            assert staking.slashable(address) == model.slashable(operator)
        for pool in POOLS:
            number, state = self.pool_number(pool), model.pools[pool]
            active, shares, thawing, thawing_shares = staking.pool(number)
            assert (active, shares) == (state.active, state.active_shares())
            assert (thawing, thawing_shares) == (state.thawing, state.thawing_shares())
            assert active <= shares < (active + 1) << 32
            assert thawing <= thawing_shares <= thawing << 32
        assert staking.total_staked() == model.total_staked()

    @invariant()
    def solvent(self) -> None:
        if not hasattr(self, "staking"):
            return
        for name, token in self.tokens.items():
            owed = self.model.earnings_owed[name]
            assert self.staking.earnings_owed(self.addresses[name]) == owed
            balance = token.balanceOf(self.staking.address)
            assert balance == self.model.tokens[name].balances[self.model.NAME]
            assert balance >= owed + (self.model.total_staked() if name == STAKE_TOKEN else 0)
            assert sum(self.earned(name)) <= owed

    def earned(self, token: str) -> list[int]:
        return [self.model.earned(operator, token, owner) for operator in OPERATORS for owner in STAKERS]

    def owners_equal(self) -> None:
        """The rest of the views; too many calls for each step."""
        for pool in POOLS:
            number = self.pool_number(pool)
            state = self.model.pools[pool]
            for owner in STAKERS:
                address = self.addresses[owner]
                requests = state.requests[owner]
                assert self.staking.shares_of(number, address) == state.shares[owner]
                numbers = (state.first_open(owner), len(requests))
                assert self.staking.redeem_request_range(number, address) == numbers
                for index in range(*numbers):
                    request = state.find(owner, index)
                    expected = (0, 0) if request is None else (state.worth(request), request.ready_at)
                    assert self.staking.redeem_request(number, address, index) == expected
        for token in self.tokens:
            for operator in OPERATORS:
                for owner in STAKERS:
                    names = (operator, token, owner)
                    views = [self.addresses[name] for name in names]
                    assert self.staking.earned(*views) == self.model.earned(*names)
            for person in PEOPLE:
                balance = self.tokens[token].balanceOf(self.addresses[person])
                assert balance == self.model.tokens[token].balances[person]
            assert (
                self.tokens[token].balanceOf(self.staking.address)
                == (self.model.tokens[token].balances[self.model.NAME])
            )

    # ------------------------------------------------------------ everybody leaves
    def teardown(self) -> None:
        if not hasattr(self, "staking"):
            return
        self.owners_equal()
        self.close(3)  # no exit asks
        for verifier, operator in list(self.model.committed_to):
            self.release(verifier, operator, 100)
        for pool in POOLS:
            for owner in STAKERS:
                self.redeem_all(pool, owner)
        travel(29 * DAY)
        for pool in POOLS:
            for owner in STAKERS:
                first, count = (
                    self.model.pools[pool].first_open(owner),
                    len(self.model.pools[pool].requests[owner]),
                )
                if first < count:
                    self.redeem("client", owner, pool, 100)
        for operator in OPERATORS:
            for token in self.tokens:
                for owner in STAKERS:
                    if self.model.earned(operator, token, owner):
                        self.pay_earnings("client", operator, token, owner)
        self.owners_equal()
        self.contract_equals_model()
        self.solvent()
        assert self.staking.total_staked() <= self.calls
        for name in self.tokens:
            assert self.staking.earnings_owed(self.addresses[name]) <= self.calls

    def redeem_all(self, pool: Pool, owner: str) -> None:
        state = self.model.pools[pool]
        if state.to_tokens(state.shares[owner]) > 0:
            if len(state.requests[owner]) - state.first_open(owner) == 100:
                return
            self.request(owner, pool, 100)
            assert state.shares[owner] == 0


@pytest.mark.timeout(3_600)
def test_staking__random_lives__equal_the_model() -> None:
    profile = stateful_settings()  # a part of it: the long lives below find more for their time
    fewer = settings(profile, max_examples=profile.max_examples * 2 // 5)
    run_state_machine_as_test(StakingMachine, settings=fewer)


def live(machine: StakingMachine, draw: Random, steps: int) -> None:
    """The machine's rules in a mix in which most calls succeed, which random rules seldom find."""

    def amount() -> int:
        return draw.choice([draw.randint(1, 30), draw.randint(1, 2_000 * MILL), draw.randint(1, 3) * MILL])

    def part() -> int:
        return draw.choice([100, 100, 50, 33, 99, 7])

    def pool() -> Pool:
        return draw.choice(POOLS)

    def owner(of: Pool) -> str:
        return of[0] if of[1] == OWN else draw.choice(STAKERS)

    def fault() -> None:
        verifier, operator = draw.choice(VERIFIERS), draw.choice(OPERATORS)
        machine.commit(verifier, operator, operator, part())
        beyond = draw.choice([0, amount(), MAX_UINT256 // 2])
        reporter_bps = draw.choice([0, 2_500])
        machine.slash(verifier, operator, part(), 100, beyond, "client", amount(), "reporter", reporter_bps)

    def request() -> None:
        where = pool()
        machine.request(owner(where), where, part())

    def leaving() -> tuple[Pool, str]:
        """Somebody with an open request, if there is one."""
        pools = machine.model.pools
        open_requests = [(p, who) for p in POOLS for who in STAKERS if any(pools[p].requests[who])]
        return draw.choice(open_requests or [(POOLS[0], OPERATORS[0])])

    def cancel() -> None:
        where, who = leaving()
        machine.cancel(who, where, draw.choice([0, 0, 1]))

    def redeem() -> None:
        where, who = leaving()
        machine.redeem("client", who, where, draw.choice([1, 2, 100]))

    def redelegate() -> None:
        where, who = leaving()
        machine.redelegate(who, where, draw.choice(OPERATORS), 100)

    def stake() -> None:
        machine.stake(draw.choice(STAKERS), draw.choice(OPERATORS), amount())

    def delegate() -> None:
        machine.delegate(draw.choice(STAKERS), draw.choice(OPERATORS), amount(), -1)

    def distribute() -> None:
        token = draw.choice([STAKE_TOKEN, COIN])
        machine.distribute(draw.choice(STAKERS), draw.choice(OPERATORS), token, amount())

    def pay_earnings() -> None:
        token = draw.choice([STAKE_TOKEN, COIN])
        machine.pay_earnings("client", draw.choice(OPERATORS), token, draw.choice(STAKERS))

    def commit() -> None:
        operator = draw.choice(OPERATORS)
        machine.commit(draw.choice(VERIFIERS), operator, operator, part())

    def release() -> None:
        machine.release(draw.choice(VERIFIERS), draw.choice(OPERATORS), part())

    def set_terms() -> None:
        machine.set_terms(draw.choice(OPERATORS), draw.choice([0, 1_000, 10_000]), True)

    def wait() -> None:
        machine.wait(draw.choice([60, DAY, 7 * DAY, 14 * DAY, 31 * DAY]))

    def ruin() -> None:
        beyond = draw.choice([0, MAX_UINT256 // 2])
        machine.ruin(draw.choice(VERIFIERS), draw.choice(OPERATORS), draw.choice([3, 40]), beyond)

    usual = [stake, delegate, delegate, request, request, cancel, redeem, redelegate, fault, wait, wait]
    mix = usual * 3 + [distribute] * 4 + [pay_earnings, commit, release] * 2 + [set_terms, ruin]
    for _ in range(steps):
        draw.choice(mix)()
        machine.contract_equals_model()
        machine.solvent()


@pytest.mark.parametrize("seed", range(4))
def test_staking__long_life__equals_the_model(seed: int) -> None:
    with boa.env.anchor():
        machine = StakingMachine()
        machine.deploy_all(with_small_amounts=seed % 2 == 0)
        live(machine, Random(seed), steps=250)
        machine.teardown()
