"""Rounding in the pools of stake and in what they earn, against exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import boa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.contracts.staking.deployment import (
    DAY,
    MILL,
    actor,
    delegation_pool,
    deploy,
    travel,
)

THAW_PERIOD = 7 * DAY
OPERATOR = actor("operator")
OWNERS = [actor(f"owner {number}") for number in range(3)]
POOL = delegation_pool(OPERATOR)
AMOUNTS = st.one_of(st.integers(1, 20), st.integers(1, 1_000 * MILL), st.integers(1, 2**90))
SHARES = st.fractions(0, 1, max_denominator=64)
STEPS = st.sampled_from(["enter", "enter", "request", "request", "cancel", "slash"])


@pytest.fixture(scope="module")
def pool() -> Any:
    return deploy("mocks/StakePoolHarness.vy", THAW_PERIOD)


class Exact:
    """What everybody's stake is worth if nothing is ever rounded."""

    def __init__(self) -> None:
        self.active = dict.fromkeys(OWNERS, Fraction(0))
        self.thawing: dict[tuple[str, int], Fraction] = {}

    def slash(self, before: tuple[int, int], after: tuple[int, int]) -> None:
        """In each part in proportion to what is there."""
        kept = [Fraction(b, a) if a else Fraction(0) for a, b in zip(before, after, strict=True)]
        self.active = {owner: worth * kept[0] for owner, worth in self.active.items()}
        self.thawing = {key: worth * kept[1] for key, worth in self.thawing.items()}


def tokens(pool: Any) -> tuple[int, int]:
    active, shares, thawing, thawing_shares = pool.pool(POOL)
    assert active <= shares < (active + 1) << 32
    assert thawing <= thawing_shares <= thawing << 32
    return active, thawing


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_pool__nobody_gains_or_loses_more_than_a_unit_a_call(pool: Any, data: st.DataObject) -> None:
    """Then everybody leaves in any order, and nothing is left."""
    exact, put_in, taken, calls = Exact(), 0, 0, 0
    for _ in range(data.draw(st.integers(1, 14), "steps")):
        calls += 1
        owner = data.draw(st.sampled_from(OWNERS), "owner")
        held = pool.shares_of(POOL, owner)
        first, count = pool.redeem_request_range(POOL, owner)
        step = data.draw(STEPS, "step")
        if step == "enter":
            amount = data.draw(AMOUNTS, "amount")
            assert pool.enter(POOL, owner, amount) >= amount
            put_in += amount
            exact.active[owner] += amount
        elif step == "request":
            shares = int(held * data.draw(SHARES, "part"))
            if pool.convertToAssets(POOL, shares) == 0:
                continue
            moved = exact.active[owner] * Fraction(shares, held)
            exact.active[owner] -= moved
            exact.thawing[owner, count] = moved
            pool.request(POOL, owner, shares)
        elif step == "cancel":
            if first == count or pool.redeem_request(POOL, owner, first)[0] == 0:
                continue
            pool.cancel(POOL, owner, first)
            exact.active[owner] += exact.thawing.pop((owner, first))
        else:
            before = tokens(pool)
            amount = int(sum(before) * data.draw(SHARES, "slashed"))
            took = pool.slash(POOL, amount)
            assert amount <= took <= amount + (sum(before) >> 31)
            taken += took
            exact.slash(before, tokens(pool))
        assert sum(tokens(pool)) == pool.total_staked() == put_in - taken
        for who in OWNERS:
            worth = pool.convertToAssets(POOL, pool.shares_of(POOL, who))
            assert abs(worth - exact.active[who]) <= 2 * calls
        for (who, number), value in exact.thawing.items():
            assert abs(pool.redeem_request(POOL, who, number)[0] - value) <= 2 * calls

    for owner in data.draw(st.permutations(OWNERS), "order"):
        held = pool.shares_of(POOL, owner)
        if pool.convertToAssets(POOL, held) > 0:
            pool.request(POOL, owner, held)
    travel(THAW_PERIOD)
    paid = 0
    for owner in data.draw(st.permutations(OWNERS), "payments"):
        first, count = pool.redeem_request_range(POOL, owner)
        if first < count:
            paid += pool.collect(POOL, owner, 100)
    left = put_in - taken - paid
    assert left == pool.total_staked()
    assert 0 <= left <= (calls if any(pool.shares_of(POOL, owner) for owner in OWNERS) else 0)


@settings(max_examples=30, deadline=None)
@example(
    stake=2, slashed=Fraction(1, 2), trips=[(1, Fraction(0))]
)  # what went in is worth nothing: no request
@given(stake=AMOUNTS, slashed=SHARES, trips=st.lists(st.tuples(AMOUNTS, SHARES), min_size=1, max_size=5))
def test_pool__going_in_and_out__never_pays(
    pool: Any, stake: int, slashed: Fraction, trips: list[tuple[int, Fraction]]
) -> None:
    """Whatever the price, in however many parts: rounding steals nothing from who was there."""
    victim, thief = OWNERS[:2]
    pool.enter(POOL, victim, stake)
    pool.slash(POOL, int(stake * slashed))
    before = pool.convertToAssets(POOL, pool.shares_of(POOL, victim))
    spent, is_requested = 0, False
    for amount, part in trips:
        pool.enter(POOL, thief, amount)
        spent += amount
        for shares in (int(pool.shares_of(POOL, thief) * part), pool.shares_of(POOL, thief)):
            shares = min(shares, pool.shares_of(POOL, thief))
            if pool.convertToAssets(POOL, shares) > 0:
                pool.request(POOL, thief, shares)
                is_requested = True
        assert pool.convertToAssets(POOL, pool.shares_of(POOL, victim)) >= before
    travel(THAW_PERIOD)
    collected = pool.collect(POOL, thief, 100) if is_requested else 0
    assert spent - 4 * len(trips) <= collected <= spent


@settings(max_examples=25, deadline=None)
@given(old=st.lists(AMOUNTS, min_size=1, max_size=3), new=AMOUNTS, part=SHARES)
def test_pool__wiped_out__begins_an_epoch_that_nothing_old_reaches(
    pool: Any, old: list[int], new: int, part: Fraction
) -> None:
    for owner, amount in zip(OWNERS, old, strict=False):
        pool.enter(POOL, owner, amount)
        shares = int(amount * part)
        if shares:
            pool.request(POOL, owner, shares)
    before = pool.epochs(POOL)
    active, thawing = tokens(pool)
    assert pool.slash(POOL, sum(old)) == sum(old)
    assert pool.epochs(POOL) == (before[0] + (active > 0), before[1] + (thawing > 0))
    newcomer = actor("newcomer")
    assert pool.enter(POOL, newcomer, new) == new
    assert [pool.shares_of(POOL, owner) for owner in OWNERS] == [0, 0, 0]
    pool.request(POOL, newcomer, new)
    travel(THAW_PERIOD)
    for owner in OWNERS:
        first, count = pool.redeem_request_range(POOL, owner)
        if first < count:
            assert pool.collect(POOL, owner, 100) == 0
    assert pool.collect(POOL, newcomer, 1) == new


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_earnings__are_shared_by_shares_and_never_exceed_what_was_paid_in(
    pool: Any, data: st.DataObject
) -> None:
    coin = deploy("mocks/MockSilentToken.vy")
    pool.add_earnings_token(coin.address)
    payer = actor("payer")
    coin.mint(payer, 2**100)
    coin.approve(pool.address, 2**100, sender=payer)
    exact = dict.fromkeys([*OWNERS, OPERATOR], Fraction(0))
    calls = paid_in = 0
    for _ in range(data.draw(st.integers(1, 12), "steps")):
        calls += 1
        owner = data.draw(st.sampled_from(OWNERS), "owner")
        step = data.draw(st.sampled_from(["enter", "leave", "slash", "distribute", "distribute"]), "step")
        held = pool.shares_of(POOL, owner)
        if step == "enter":
            pool.enter(POOL, owner, data.draw(AMOUNTS, "amount"))
        elif step == "leave" and pool.convertToAssets(POOL, held) > 0:
            pool.request(POOL, owner, held)
        elif step == "slash":
            pool.slash(POOL, int(sum(tokens(pool)) * data.draw(SHARES, "slashed")))
        elif step == "distribute":
            amount = data.draw(st.integers(1, 10**24), "earned")
            pool.distribute(OPERATOR, coin.address, amount, sender=payer)
            paid_in += amount
            shares = pool.pool(POOL)[1]
            for who in OWNERS:
                if shares:
                    exact[who] += Fraction(amount * pool.shares_of(POOL, who), shares)
            if not shares:
                exact[OPERATOR] += amount
    earned = {who: pool.earned(OPERATOR, coin.address, who) for who in exact}
    assert sum(earned.values()) <= paid_in == pool.earnings_owed(coin.address)
    # A unit for each settlement; what one distribution cannot divide among shares diluted to dust is the operator's.
    indivisible = calls * (1 + (2**128 // 10**36))
    for who in OWNERS:
        assert exact[who] - calls - indivisible <= earned[who] <= exact[who]
    assert exact[OPERATOR] <= earned[OPERATOR] <= exact[OPERATOR] + indivisible


def test_harness__is_anchored(pool: Any) -> None:
    """Each example starts from an empty pool: titanoboa rolls back, or the tests above mean nothing."""
    with boa.env.anchor():
        pool.enter(POOL, OWNERS[0], 1)
    assert pool.total_staked() == 0
