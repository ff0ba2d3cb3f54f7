"""Stake and delegation on the way in and out: shares, requests, minimums."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.unit.contracts.staking.deployment import (
    DAY,
    MAX_UINT256,
    MILL,
    NOBODY,
    THAW_PERIOD,
    Stage,
    actor,
    delegation_pool,
    events_of,
    now,
    own_pool,
    travel,
)

STAKED = Stage.OWN_STAKE
TOO_MUCH = 2**96


# ------------------------------------------------------------------ stake
def test_stake__moves_tokens_and_counts_them(
    stage: Stage, staking: Any, mill: Any, operator: str, own: int
) -> None:
    assert stage.stake(operator, 5 * MILL) == 5 * MILL
    fields = {"operator": operator, "payer": operator, "amount": 5 * MILL, "shares": 5 * MILL}
    assert events_of(staking) == [("Staked", fields)]
    assert staking.self_stake(operator) == staking.slashable(operator) == STAKED + 5 * MILL
    assert staking.available(operator) == staking.total_staked() == STAKED + 5 * MILL
    assert staking.pool(own) == (STAKED + 5 * MILL, STAKED + 5 * MILL, 0, 0)
    assert staking.shares_of(own, operator) == STAKED + 5 * MILL
    assert mill.balanceOf(staking.address) == STAKED + 5 * MILL


def test_stake_for__credits_the_operator_and_charges_the_caller(
    stage: Stage, staking: Any, mill: Any, operator: str, own: int
) -> None:
    before = mill.balanceOf(stage.holder)
    assert staking.stake_for(operator, MILL, sender=stage.holder) == MILL
    fields = {"operator": operator, "payer": stage.holder, "amount": MILL, "shares": MILL}
    assert events_of(staking) == [("Staked", fields)]
    assert staking.shares_of(own, operator) == STAKED + MILL
    assert staking.shares_of(own, stage.holder) == staking.self_stake(stage.holder) == 0
    assert mill.balanceOf(stage.holder) == before - MILL


@pytest.mark.parametrize(
    ("function", "arguments", "reason"),
    [
        ("stake", (0,), "staking: zero amount"),
        ("stake", (TOO_MUCH,), "staking: total too large"),
        ("stake", (MAX_UINT256,), "staking: total too large"),
        ("stake_for", (actor("operator"), 0), "staking: zero amount"),
        ("stake_for", (NOBODY, 1), "staking: no operator"),
    ],
)
def test_stake__bad_argument__reverts(
    stage: Stage, function: str, arguments: tuple[Any, ...], reason: str
) -> None:
    with boa.reverts(reason):
        getattr(stage.staking, function)(*arguments, sender=stage.holder)


def test_stake__without_allowance__reverts(staking: Any, stranger: str) -> None:
    with boa.reverts():
        staking.stake(1, sender=stranger)


# ------------------------------------------------------------------ delegate
def test_delegate__moves_tokens_and_counts_them(
    stage: Stage, staking: Any, mill: Any, operator: str, delegator: str, shared: int
) -> None:
    assert stage.delegate(delegator, 7 * MILL) == 7 * MILL
    fields = {"operator": operator, "delegator": delegator, "amount": 7 * MILL, "shares": 7 * MILL}
    assert events_of(staking) == [("Delegated", fields)]
    assert staking.delegated(operator) == 7 * MILL
    assert staking.slashable(operator) == staking.total_staked() == STAKED + 7 * MILL
    assert staking.pool(shared) == (7 * MILL, 7 * MILL, 0, 0)
    assert staking.shares_of(shared, delegator) == 7 * MILL
    assert (mill.balanceOf(delegator), mill.balanceOf(staking.address)) == (0, STAKED + 7 * MILL)


def test_delegate__the_minimum__is_enough(stage: Stage, staking: Any, delegator: str) -> None:
    assert stage.delegate(delegator, MILL) == MILL
    with boa.reverts("staking: delegation too small"):
        staking.delegate(stage.operator, MILL - 1, 0, sender=delegator)


def test_delegate__fewer_shares_than_asked__reverts(stage: Stage, staking: Any, delegator: str) -> None:
    stage.fund(delegator, 2 * MILL)
    with boa.reverts("staking: too few shares"):
        staking.delegate(stage.operator, MILL, MILL + 1, sender=delegator)
    assert staking.delegate(stage.operator, MILL, MILL, sender=delegator) == MILL


def test_delegate__nothing_or_too_much__reverts(stage: Stage, staking: Any, delegator: str) -> None:
    with boa.reverts("staking: zero amount"):
        staking.delegate(stage.operator, 0, 0, sender=delegator)
    with boa.reverts("staking: total too large"):
        staking.delegate(stage.operator, TOO_MUCH, 0, sender=delegator)


def test_delegate__to_somebody_who_does_not_accept__reverts(
    stage: Stage, staking: Any, operator: str, delegator: str, stranger: str
) -> None:
    stage.fund(delegator, MILL)
    with boa.reverts("terms: delegation not accepted"):
        staking.delegate(stranger, MILL, 0, sender=delegator)
    staking.set_terms(Stage.CUT_BPS, False, sender=operator)
    with boa.reverts("terms: delegation not accepted"):
        staking.delegate(operator, MILL, 0, sender=delegator)


# ------------------------------------------------------------------ request
def test_request_redeem__moves_shares_to_the_thawing_part(
    stage: Stage, staking: Any, operator: str, own: int
) -> None:
    assert staking.requestRedeem(own, 300 * MILL, sender=operator) == 0
    fields = {
        "controller": operator,
        "owner": operator,
        "requestId": 0,
        "pool": own,
        "shares": 300 * MILL,
        "amount": 300 * MILL,
        "ready_at": now() + THAW_PERIOD,
    }
    assert events_of(staking) == [("RedeemRequest", fields)]
    assert staking.pool(own) == (700 * MILL, 700 * MILL, 300 * MILL, 300 * MILL)
    assert staking.shares_of(own, operator) == staking.self_stake(operator) == 700 * MILL
    assert staking.slashable(operator) == staking.total_staked() == STAKED
    assert staking.redeem_request(own, operator, 0) == (300 * MILL, now() + THAW_PERIOD)
    assert staking.redeem_request_range(own, operator) == (0, 1)
    assert staking.pendingRedeemRequest(own, 0, operator) == 300 * MILL
    assert staking.claimableRedeemRequest(own, 0, operator) == 0
    travel(THAW_PERIOD)
    assert staking.pendingRedeemRequest(own, 0, operator) == 0
    assert staking.claimableRedeemRequest(own, 0, operator) == 300 * MILL


def test_request_redeem__nothing_or_more_than_owned__reverts(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int, shared: int
) -> None:
    stage.delegate(delegator, 5 * MILL)
    with boa.reverts("pool: no shares"):
        staking.requestRedeem(own, 0, sender=operator)
    with boa.reverts("pool: more shares than owned"):
        staking.requestRedeem(own, STAKED + 1, sender=operator)
    with boa.reverts("pool: more shares than owned"):
        staking.requestRedeem(shared, 5 * MILL + 1, sender=delegator)


def test_request_redeem__of_somebody_else__reverts(
    stage: Stage, staking: Any, operator: str, delegator: str, stranger: str, own: int, shared: int
) -> None:
    stage.delegate(delegator, 5 * MILL)
    for sender, pool in ((stranger, own), (delegator, own), (operator, shared), (stranger, shared)):
        with boa.reverts("pool: more shares than owned"):
            staking.requestRedeem(pool, 1, sender=sender)


def test_request_redeem__in_no_pool__reverts(staking: Any, operator: str, own: int) -> None:
    with boa.reverts("pool: no such pool"):
        staking.requestRedeem(own | 2 << 160, 1, sender=operator)
    with boa.reverts("pool: no such pool"):
        staking.pool(own | 1 << 255)


@pytest.mark.parametrize("rest", [0, MILL, 2 * MILL])
def test_request_redeem__leaving_nothing_or_the_minimum__is_fine(
    stage: Stage, staking: Any, delegator: str, shared: int, rest: int
) -> None:
    stage.delegate(delegator, 5 * MILL)
    staking.requestRedeem(shared, 5 * MILL - rest, sender=delegator)
    assert staking.shares_of(shared, delegator) == rest


@pytest.mark.parametrize("rest", [1, MILL - 1])
def test_request_redeem__leaving_dust__reverts(
    stage: Stage, staking: Any, delegator: str, shared: int, rest: int
) -> None:
    stage.delegate(delegator, 5 * MILL)
    with boa.reverts("staking: remainder too small"):
        staking.requestRedeem(shared, 5 * MILL - rest, sender=delegator)


def test_request_redeem__own_stake_has_no_minimum(staking: Any, operator: str, own: int) -> None:
    staking.requestRedeem(own, STAKED - 1, sender=operator)
    assert staking.self_stake(operator) == 1


def test_request_redeem__shares_worth_nothing__reverts(
    stage: Stage, staking: Any, operator: str, own: int
) -> None:
    stage.lift_caps()
    stage.commit_and_slash(STAKED // 2)
    assert staking.convertToAssets(own, 1) == 0
    with boa.reverts("pool: shares worth nothing"):
        staking.requestRedeem(own, 1, sender=operator)


def test_request_redeem__more_than_a_hundred_open__reverts(staking: Any, operator: str, own: int) -> None:
    for _ in range(100):
        staking.requestRedeem(own, 1, sender=operator)
    with boa.reverts("pool: too many requests"):
        staking.requestRedeem(own, 1, sender=operator)
    travel(THAW_PERIOD)
    assert staking.redeem(own, operator, 1, sender=operator) == 1
    assert staking.requestRedeem(own, 1, sender=operator) == 100
    assert staking.redeem(own, operator, MAX_UINT256, sender=operator) == 99
    assert staking.redeem_request_range(own, operator) == (100, 101)


# ------------------------------------------------------------------ cancel
def test_cancel__gives_back_to_the_same_pool(
    stage: Stage, staking: Any, delegator: str, operator: str, shared: int
) -> None:
    stage.delegate(delegator, 5 * MILL)
    staking.requestRedeem(shared, 2 * MILL, sender=delegator)
    assert staking.cancelRedeemRequest(shared, 0, sender=delegator) == 2 * MILL
    fields = {"pool": shared, "owner": delegator, "requestId": 0, "amount": 2 * MILL, "shares": 2 * MILL}
    assert events_of(staking) == [("RedeemRequestCancelled", fields)]
    assert staking.pool(shared) == (5 * MILL, 5 * MILL, 0, 0)
    assert staking.shares_of(shared, delegator) == 5 * MILL
    assert staking.redeem_request(shared, delegator, 0) == (0, 0)
    assert staking.redeem_request_range(shared, delegator) == (1, 1)


def test_cancel__when_delegation_is_no_longer_accepted_and_below_the_minimum__is_possible(
    stage: Stage, staking: Any, delegator: str, operator: str, admin: str, shared: int
) -> None:
    stage.delegate(delegator, 5 * MILL)
    staking.requestRedeem(shared, 5 * MILL, sender=delegator)
    staking.set_terms(Stage.CUT_BPS, False, sender=operator)
    staking.set_delegation_limits(0, 1_000 * MILL, 10, sender=admin)
    assert staking.cancelRedeemRequest(shared, 0, sender=delegator) == 5 * MILL
    assert stage.leave(shared, delegator) == 5 * MILL


def test_cancel__unknown_ended_or_of_somebody_else__reverts(
    stage: Stage, staking: Any, operator: str, stranger: str, own: int
) -> None:
    staking.requestRedeem(own, MILL, sender=operator)
    for sender, request_id in ((operator, 1), (stranger, 0), (operator, MAX_UINT256)):
        with boa.reverts("pool: no such request"):
            staking.cancelRedeemRequest(own, request_id, sender=sender)
    staking.cancelRedeemRequest(own, 0, sender=operator)
    with boa.reverts("pool: no such request"):
        staking.cancelRedeemRequest(own, 0, sender=operator)


def test_cancel__in_the_middle__leaves_the_others_in_order(staking: Any, operator: str, own: int) -> None:
    for _ in range(4):
        staking.requestRedeem(own, MILL, sender=operator)
    staking.cancelRedeemRequest(own, 1, sender=operator)
    staking.cancelRedeemRequest(own, 2, sender=operator)
    assert staking.redeem_request_range(own, operator) == (0, 4)
    staking.cancelRedeemRequest(own, 0, sender=operator)
    assert staking.redeem_request_range(own, operator) == (3, 4)
    travel(THAW_PERIOD)
    assert staking.redeem(own, operator, 1, sender=operator) == MILL


def test_cancel__ready_but_not_redeemed__is_possible(staking: Any, operator: str, own: int) -> None:
    staking.requestRedeem(own, MILL, sender=operator)
    travel(THAW_PERIOD)
    staking.cancelRedeemRequest(own, 0, sender=operator)
    assert staking.self_stake(operator) == STAKED
    with boa.reverts("pool: nothing to redeem"):
        staking.redeem(own, operator, 1, sender=operator)


# ------------------------------------------------------------------ redeem
def test_redeem__by_anyone__pays_the_owner(
    stage: Stage, staking: Any, mill: Any, delegator: str, stranger: str, shared: int
) -> None:
    stage.delegate(delegator, 5 * MILL)
    staking.requestRedeem(shared, 5 * MILL, sender=delegator)
    travel(THAW_PERIOD)
    assert staking.redeem(shared, delegator, 1, sender=stranger) == 5 * MILL
    fields = {"pool": shared, "owner": delegator, "amount": 5 * MILL, "requests": 1}
    assert events_of(staking) == [("Redeemed", fields)]
    assert (mill.balanceOf(delegator), mill.balanceOf(stranger)) == (5 * MILL, 0)
    assert staking.total_staked() == STAKED
    assert staking.pool(shared) == (0, 0, 0, 0)


def test_redeem__a_second_too_early__reverts(staking: Any, operator: str, own: int) -> None:
    staking.requestRedeem(own, MILL, sender=operator)
    travel(THAW_PERIOD - 1)
    with boa.reverts("pool: nothing to redeem"):
        staking.redeem(own, operator, 1, sender=operator)
    travel(1)
    assert staking.redeem(own, operator, 1, sender=operator) == MILL


def test_redeem__oldest_first_and_no_more_than_asked(staking: Any, operator: str, own: int) -> None:
    for amount in (1, 2, 4, 8):
        staking.requestRedeem(own, amount, sender=operator)
        travel(DAY)
    travel(THAW_PERIOD - 2 * DAY)
    with boa.reverts("pool: nothing to redeem"):
        staking.redeem(own, operator, 0, sender=operator)
    assert staking.redeem(own, operator, 2, sender=operator) == 1 + 2
    assert staking.redeem_request_range(own, operator) == (2, 4)
    assert staking.redeem(own, operator, 2, sender=operator) == 4  # the last is not ready
    assert staking.redeem_request_range(own, operator) == (3, 4)


def test_redeem__skips_cancelled_requests_without_counting_them(
    staking: Any, operator: str, own: int
) -> None:
    for amount in (1, 2, 4):
        staking.requestRedeem(own, amount, sender=operator)
    staking.cancelRedeemRequest(own, 1, sender=operator)
    travel(THAW_PERIOD)
    assert staking.redeem(own, operator, 2, sender=operator) == 1 + 4
    assert events_of(staking)[0][1]["requests"] == 2


# ------------------------------------------------------------------ redelegate
@pytest.fixture
def successor(stage: Stage) -> str:
    """Another operator that accepts delegation."""
    operator = actor("successor")
    stage.accept(operator)
    return operator


def test_redelegate__moves_thawed_requests_without_a_transfer(
    stage: Stage, staking: Any, mill: Any, delegator: str, shared: int, successor: str
) -> None:
    stage.delegate(delegator, 5 * MILL)
    staking.requestRedeem(shared, 2 * MILL, sender=delegator)
    staking.requestRedeem(shared, 3 * MILL, sender=delegator)
    travel(THAW_PERIOD)
    held = mill.balanceOf(staking.address)
    assert staking.redelegate(shared, successor, 5 * MILL, 2, sender=delegator) == 5 * MILL
    redeemed = {"pool": shared, "owner": delegator, "amount": 5 * MILL, "requests": 2}
    delegated = {"operator": successor, "delegator": delegator, "amount": 5 * MILL, "shares": 5 * MILL}
    assert events_of(staking) == [("Redeemed", redeemed), ("Delegated", delegated)]
    assert staking.shares_of(delegation_pool(successor), delegator) == 5 * MILL
    assert (staking.delegated(stage.operator), staking.delegated(successor)) == (0, 5 * MILL)
    assert (mill.balanceOf(staking.address), mill.balanceOf(delegator)) == (held, 0)
    assert staking.total_staked() == held


def test_redelegate__own_stake__is_possible(
    stage: Stage, staking: Any, operator: str, own: int, successor: str
) -> None:
    staking.requestRedeem(own, 2 * MILL, sender=operator)
    travel(THAW_PERIOD)
    assert staking.redelegate(own, successor, 0, 1, sender=operator) == 2 * MILL
    assert staking.shares_of(delegation_pool(successor), operator) == 2 * MILL


def test_redelegate__refuses_what_a_delegation_would_be_refused(
    stage: Stage, staking: Any, delegator: str, stranger: str, shared: int, successor: str
) -> None:
    stage.delegate(delegator, 5 * MILL)
    staking.requestRedeem(shared, MILL - 1, sender=delegator)
    with boa.reverts("pool: nothing to redeem"):
        staking.redelegate(shared, successor, 0, 1, sender=delegator)
    travel(THAW_PERIOD)
    with boa.reverts("pool: nothing to redeem"):
        staking.redelegate(shared, successor, 0, 1, sender=stranger)
    with boa.reverts("terms: delegation not accepted"):
        staking.redelegate(shared, stranger, 0, 1, sender=delegator)
    with boa.reverts("staking: delegation too small"):
        staking.redelegate(shared, successor, 0, 1, sender=delegator)
    staking.requestRedeem(shared, MILL + 1, sender=delegator)
    travel(THAW_PERIOD)
    with boa.reverts("staking: too few shares"):
        staking.redelegate(shared, successor, 2 * MILL + 1, 2, sender=delegator)
    assert staking.redelegate(shared, successor, 2 * MILL, 2, sender=delegator) == 2 * MILL


# ------------------------------------------------------------------ prices
def test_prices__after_a_slash__are_those_of_the_rest(
    stage: Stage, staking: Any, operator: str, own: int
) -> None:
    stage.lift_caps()
    stage.commit_and_slash(STAKED // 2)
    assert staking.pool(own) == (STAKED // 2, STAKED, 0, 0)
    assert staking.convertToAssets(own, STAKED) == STAKED // 2
    assert staking.convertToAssets(own, 2 * MILL) == MILL
    shares = stage.stake(operator, MILL)
    # The virtual share and token round down: for those who were there.
    assert shares == MILL * (STAKED + 1) // (STAKED // 2 + 1)
    assert staking.convertToShares(own, MILL) in (shares, shares + 1)
    assert stage.leave(own, operator) == STAKED // 2 + MILL


def test_cancel_redeem_request__that_a_slash_left_worth_nothing__reverts(
    stage: Stage, staking: Any, operator: str
) -> None:
    pool = own_pool(operator)
    staking.requestRedeem(pool, 1, sender=operator)
    staking.requestRedeem(pool, 100 * MILL, sender=operator)
    stage.commit(MILL)
    stage.slash(MILL)
    with boa.reverts("pool: request worth nothing"):
        staking.cancelRedeemRequest(pool, 0, sender=operator)
    travel(THAW_PERIOD)
    staking.redeem(pool, operator, 2)  # it ends all the same
