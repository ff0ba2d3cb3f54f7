"""Earnings of operators and their delegators: who gets what part, and that somebody else's token is nobody's problem."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.unit.contracts.staking.deployment import (
    MILL,
    NOBODY,
    THAW_PERIOD,
    Stage,
    actor,
    deploy,
    events_of,
    own_pool,
    travel,
)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """The operator's own stake thaws: only delegated stake earns beside the cut, and the numbers are plain."""
    pool = own_pool(stage.operator)
    shares = stage.staking.shares_of(pool, stage.operator)
    stage.staking.requestRedeem(pool, shares, sender=stage.operator)
    return stage


@pytest.fixture
def backed(stage: Stage) -> Stage:
    """With the operator's own stake of 1,000 MILL."""
    stage.staking.cancelRedeemRequest(own_pool(stage.operator), 0, sender=stage.operator)
    return stage


@pytest.fixture
def coin(stage: Stage) -> Any:
    return stage.earnings_token()


def test_distribute__own_stake_earns_like_delegated_stake(backed: Stage) -> None:
    coin = backed.earnings_token()
    backed.delegate(backed.delegator, 3_000 * MILL)
    backed.staking.distribute(backed.operator, coin.address, 10_000, sender=backed.holder)
    # A cut of 10 %; of the other 9,000 three quarters, as of the stake.
    assert earned(backed, coin, backed.operator, backed.delegator) == [3_250, 6_750]


def test_distribute__a_small_delegation_just_before__earns_no_more_than_its_size(backed: Stage) -> None:
    """Earnings may lie uncollected for long: whoever comes at the last moment must not get most of them."""
    coin = backed.earnings_token()
    backed.delegate(backed.delegator, MILL)
    backed.staking.distribute(backed.operator, coin.address, 10**6, sender=backed.holder)
    assert earned(backed, coin, backed.delegator) == [899]  # 900,000 / 1,001


def earned(stage: Stage, coin: Any, *owners: str) -> list[int]:
    return [stage.staking.earned(stage.operator, coin.address, owner) for owner in owners]


def test_distribute__without_delegators__all_is_the_operators(
    stage: Stage, staking: Any, coin: Any, operator: str
) -> None:
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    fields = {
        "operator": operator,
        "token": coin.address,
        "payer": stage.holder,
        "amount": 1_000,
        "cut": 1_000,
    }
    assert events_of(staking) == [("EarningsDistributed", fields)]
    assert earned(stage, coin, operator) == [1_000]
    assert staking.earnings_owed(coin.address) == coin.balanceOf(staking.address) == 1_000


def test_distribute__the_operator_gets_its_cut_and_delegators_the_rest_by_shares(
    stage: Stage, staking: Any, coin: Any, operator: str, delegator: str, stranger: str
) -> None:
    stage.delegate(delegator, 30 * MILL)
    stage.delegate(stranger, 10 * MILL)
    staking.distribute(operator, coin.address, 10_000, sender=stage.holder)
    assert events_of(staking)[0][1]["cut"] == 1_000
    assert earned(stage, coin, operator, delegator, stranger) == [1_000, 6_750, 2_250]


def test_distribute__an_operator_that_delegates_to_itself__gets_both_parts(
    stage: Stage, staking: Any, coin: Any, operator: str
) -> None:
    stage.delegate(operator, 10 * MILL)
    staking.distribute(operator, coin.address, 10_000, sender=stage.holder)
    assert earned(stage, coin, operator) == [10_000]


@pytest.mark.parametrize("cut_bps", [0, 10_000])
def test_distribute__with_the_cut_of_the_day(
    stage: Stage, staking: Any, coin: Any, operator: str, delegator: str, cut_bps: int
) -> None:
    stage.delegate(delegator, 10 * MILL)
    staking.set_terms(cut_bps, True, sender=operator)
    staking.distribute(operator, coin.address, 10_000, sender=stage.holder)
    assert earned(stage, coin, operator, delegator) == [1_000, 9_000]
    travel(THAW_PERIOD)
    staking.distribute(operator, coin.address, 10_000, sender=stage.holder)
    cut = cut_bps
    assert earned(stage, coin, operator, delegator) == [1_000 + cut, 9_000 + 10_000 - cut]


def test_distribute__the_cut_rounds_down_for_the_delegators(
    stage: Stage, staking: Any, coin: Any, operator: str, delegator: str
) -> None:
    stage.delegate(delegator, 10 * MILL)
    staking.distribute(operator, coin.address, 9, sender=stage.holder)
    assert events_of(staking)[0][1]["cut"] == 0
    # Three owners of 3 shares each would get 3; one owner of all gets all but the unit that rounding may keep.
    assert earned(stage, coin, operator, delegator) == [0, 9]


@pytest.mark.parametrize(
    ("amount", "reason"),
    [(0, "earnings: zero amount"), (2**96, "earnings: amount too large")],
)
def test_distribute__bad_amount__reverts(stage: Stage, coin: Any, amount: int, reason: str) -> None:
    with boa.reverts(reason):
        stage.staking.distribute(stage.operator, coin.address, amount, sender=stage.holder)


def test_distribute__to_nobody_or_in_an_unlisted_token__reverts(
    stage: Stage, staking: Any, coin: Any, mill: Any, operator: str
) -> None:
    with boa.reverts("earnings: no operator"):
        staking.distribute(NOBODY, coin.address, 1, sender=stage.holder)
    with boa.reverts("earnings: token not listed"):
        staking.distribute(operator, mill.address, 1, sender=stage.holder)


# ------------------------------------------------------------------ payment
def test_pay_earnings__by_anyone__pays_the_owner(
    stage: Stage, staking: Any, coin: Any, operator: str, delegator: str, stranger: str
) -> None:
    stage.delegate(delegator, 10 * MILL)
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    assert staking.pay_earnings(operator, coin.address, delegator, sender=stranger) == 900
    fields = {"token": coin.address, "owner": delegator, "amount": 900}
    assert events_of(staking) == [("EarningsPaid", fields)]
    assert staking.pay_earnings(operator, coin.address, operator, sender=stranger) == 100
    assert (coin.balanceOf(delegator), coin.balanceOf(operator), coin.balanceOf(stranger)) == (900, 100, 0)
    assert staking.earnings_owed(coin.address) == coin.balanceOf(staking.address) == 0
    assert earned(stage, coin, operator, delegator) == [0, 0]


def test_pay_earnings__nothing_earned__reverts(
    stage: Stage, staking: Any, coin: Any, mill: Any, operator: str, delegator: str, stranger: str
) -> None:
    stage.delegate(delegator, 10 * MILL)
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    with boa.reverts("earnings: nothing earned"):
        staking.pay_earnings(operator, coin.address, stranger, sender=stranger)
    staking.pay_earnings(operator, coin.address, delegator, sender=stranger)
    with boa.reverts("earnings: nothing earned"):
        staking.pay_earnings(operator, coin.address, delegator, sender=stranger)
    with boa.reverts("earnings: token not listed"):
        staking.pay_earnings(operator, mill.address, operator, sender=stranger)
    assert staking.earned(operator, mill.address, operator) == 0


def test_pay_earnings__in_the_stake_token__leaves_the_stake_alone(
    stage: Stage, staking: Any, mill: Any, operator: str, delegator: str, admin: str
) -> None:
    staking.add_earnings_token(mill.address, sender=admin)
    stage.delegate(delegator, 10 * MILL)
    staking.distribute(operator, mill.address, MILL, sender=stage.holder)
    assert mill.balanceOf(staking.address) == staking.total_staked() + MILL
    staking.pay_earnings(operator, mill.address, delegator, sender=delegator)
    staking.pay_earnings(operator, mill.address, operator, sender=delegator)
    assert mill.balanceOf(staking.address) == staking.total_staked() == Stage.OWN_STAKE + 10 * MILL


# ------------------------------------------------------------------ tokens that misbehave
def test_token_that_takes_a_fee__is_refused(stage: Stage, staking: Any, operator: str) -> None:
    coin = stage.earnings_token("mocks/MockFeeToken.vy")
    with boa.reverts("token: amount not received"):
        staking.distribute(operator, coin.address, 1_000, sender=stage.holder)


def test_token_that_returns_nothing__works(stage: Stage, staking: Any, operator: str) -> None:
    coin = stage.earnings_token("mocks/MockSilentToken.vy")
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    assert staking.pay_earnings(operator, coin.address, operator, sender=operator) == 1_000


def test_token_that_refuses__stays_collectable_and_stops_nobody(
    stage: Stage, staking: Any, coin: Any, operator: str, delegator: str, shared: int
) -> None:
    other = stage.earnings_token("mocks/MockSilentToken.vy")
    stage.delegate(delegator, 10 * MILL)
    for token in (coin, other):
        staking.distribute(operator, token.address, 1_000, sender=stage.holder)
    coin.set_failing(True)
    with boa.reverts("token: pull failed"):
        staking.distribute(operator, coin.address, 1, sender=stage.holder)
    with boa.reverts("token: push failed"):
        staking.pay_earnings(operator, coin.address, delegator, sender=delegator)
    assert staking.pay_earnings(operator, other.address, delegator, sender=delegator) == 900
    assert stage.leave(shared, delegator) == 10 * MILL
    coin.set_failing(False)
    assert staking.pay_earnings(operator, coin.address, delegator, sender=delegator) == 900


@pytest.mark.parametrize("during", ["distribute", "pay_earnings"])
def test_token_that_calls_back__enters_nothing_and_reads_nothing(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int, shared: int, during: str
) -> None:
    """Pitfalls 16 and 17: neither a state change nor a half-updated view during a transfer."""
    coin = stage.earnings_token("mocks/MockReentrantToken.vy")
    stage.delegate(delegator, 10 * MILL)
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    calls = [
        (staking.redeem, (shared, delegator, 1)),
        (staking.stake, (1,)),
        (staking.requestRedeem, (shared, 1)),
        (staking.distribute, (operator, coin.address, 1)),
        (staking.pay_earnings, (operator, coin.address, delegator)),
        (staking.release, (operator, 0)),
        (staking.convertToAssets, (own, 1)),
        (staking.slashable, (operator,)),
        (staking.earned, (operator, coin.address, delegator)),
        (staking.total_staked, ()),
    ]
    for attempt, (function, arguments) in enumerate(calls):
        coin.arm(staking.address, function.prepare_calldata(*arguments))
        with boa.env.anchor():
            if during == "distribute":
                staking.distribute(operator, coin.address, 1, sender=stage.holder)
            else:
                staking.pay_earnings(operator, coin.address, delegator, sender=delegator)
            assert (coin.attempts(), coin.successes()) == (1, 0), attempt


# ------------------------------------------------------------------ who does not get a part
def test_late_delegator__gets_nothing_of_what_was_distributed_before(
    stage: Stage, staking: Any, coin: Any, operator: str, delegator: str, stranger: str
) -> None:
    stage.delegate(delegator, 10 * MILL)
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    stage.delegate(stranger, 1_000 * MILL)
    assert earned(stage, coin, delegator, stranger) == [900, 0]


def test_thawing_shares__earn_nothing__also_when_they_come_back(
    stage: Stage, staking: Any, coin: Any, operator: str, delegator: str, stranger: str, shared: int
) -> None:
    stage.delegate(delegator, 10 * MILL)
    stage.delegate(stranger, 10 * MILL)
    staking.distribute(operator, coin.address, 2_000, sender=stage.holder)
    staking.requestRedeem(shared, 10 * MILL, sender=delegator)
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    staking.cancelRedeemRequest(shared, 0, sender=delegator)
    assert earned(stage, coin, delegator, stranger) == [900, 900 + 900]
    staking.distribute(operator, coin.address, 2_000, sender=stage.holder)
    assert earned(stage, coin, delegator, stranger) == [1_800, 2_700]


def test_whoever_left__keeps_what_it_earned(
    stage: Stage, staking: Any, coin: Any, operator: str, delegator: str, shared: int
) -> None:
    stage.delegate(delegator, 10 * MILL)
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    stage.leave(shared, delegator)
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    assert earned(stage, coin, operator, delegator) == [1_100, 900]
    assert staking.pay_earnings(operator, coin.address, delegator, sender=delegator) == 900


def test_tokens_that_were_sent_without_a_call__are_nobodys(
    stage: Stage, staking: Any, coin: Any, operator: str, delegator: str
) -> None:
    stage.delegate(delegator, 10 * MILL)
    coin.transfer(staking.address, 5_000, sender=stage.holder)
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    assert earned(stage, coin, operator, delegator) == [100, 900]
    assert staking.earnings_owed(coin.address) == 1_000


def test_eight_tokens__are_settled_apart(stage: Stage, staking: Any, operator: str, delegator: str) -> None:
    coins = [stage.earnings_token() for _ in range(8)]
    stage.delegate(delegator, 10 * MILL)
    for number, coin in enumerate(coins):
        if number != 3:
            staking.distribute(operator, coin.address, 1_000 * (number + 1), sender=stage.holder)
    stage.delegate(delegator, 10 * MILL)
    stage.delegate(actor("late"), 10 * MILL)
    for number, coin in enumerate(coins):
        expected = 0 if number == 3 else 900 * (number + 1)
        assert earned(stage, coin, delegator, actor("late")) == [expected, 0]


def test_distribute__too_little_for_any_share__is_the_operators(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int, shared: int
) -> None:
    """Diluted to 2**-31 of a unit, shares are so many that a unit cannot be divided among them; it is not lost."""
    pool, coin = deploy("mocks/StakePoolHarness.vy", THAW_PERIOD), deploy("mocks/MockSilentToken.vy")
    pool.add_earnings_token(coin.address)
    coin.mint(stage.holder, 10)
    coin.approve(pool.address, 10, sender=stage.holder)
    pool.enter(shared, delegator, 2**94)
    assert pool.slash(shared, 2**94 - 2**63) == 2**94 - 2**63
    pool.enter(shared, delegator, 2**94)
    assert pool.pool(shared)[1] > 10**36
    pool.distribute(operator, coin.address, 1, sender=stage.holder)
    earned_now = [pool.earned(operator, coin.address, owner) for owner in (operator, delegator)]
    assert earned_now == [1, 0]
