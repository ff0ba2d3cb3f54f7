"""Attacks that others suffered, tried here: what each tries to steal or block, and that it fails.

The numbers are those of the project's list of pitfalls.
"""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.unit.contracts.staking.deployment import (
    DAY,
    MILL,
    THAW_PERIOD,
    Penalty,
    Stage,
    actor,
    delegation_pool,
    deploy,
    events_of,
    now,
    travel,
)

STAKED = Stage.OWN_STAKE


OWN_REST = 30 * MILL


def pledge_more_than_there_is(stage: Stage, delegated: int) -> str:
    """The operator pledges all it has, so that a slash of that takes all stake there is; returns the delegator.

    Most of it goes for another fault first, while somebody delegates who then leaves; whoever delegates later is liable.
    """
    stage.lift_caps()
    passer_by, victim = actor("passer-by"), actor("victim")
    stage.delegate(passer_by, 4 * STAKED)
    stage.commit(STAKED)
    assert stage.slash(STAKED - OWN_REST, released=0)[0] == STAKED - OWN_REST
    assert stage.leave(delegation_pool(stage.operator), passer_by) == 4 * STAKED
    stage.delegate(victim, delegated)
    return victim


# ------------------------------------------------------------------ 9: share inflation
def test_pitfall_9__a_donation_before_the_first_deposit__takes_nothing(
    stage: Stage, staking: Any, mill: Any, delegator: str, stranger: str, admin: str, shared: int
) -> None:
    staking.set_delegation_limits(0, 1, 10, sender=admin)
    stage.delegate(stranger, 1)
    mill.transfer(staking.address, 10**24, sender=stage.holder)
    stage.delegate(delegator, 5 * MILL)
    assert staking.convertToAssets(shared, staking.shares_of(shared, delegator)) == 5 * MILL
    assert stage.leave(shared, delegator) == 5 * MILL
    assert stage.leave(shared, stranger) == 1


def test_pitfall_9__a_gift_to_an_operator__cannot_make_its_shares_dear(
    stage: Stage, staking: Any, operator: str, stranger: str, own: int
) -> None:
    staking.stake_for(stranger, 1, sender=stage.holder)
    staking.stake_for(stranger, 10**24, sender=stage.holder)
    assert stage.stake(stranger, MILL) == MILL


# ------------------------------------------------------------------ 10: leaving before the slash
@pytest.mark.parametrize(
    "evasion", ["stay", "request", "request twice", "cancel", "request, cancel, request"]
)
def test_pitfall_10__who_leaves_before_a_slash__loses_as_much(
    stage: Stage, staking: Any, delegator: str, stranger: str, shared: int, evasion: str
) -> None:
    stage.lift_caps()
    stage.delegate(delegator, STAKED)
    stage.delegate(stranger, STAKED)
    stage.commit(STAKED)
    if evasion == "request":
        staking.requestRedeem(shared, STAKED, sender=delegator)
    elif evasion == "request twice":
        staking.requestRedeem(shared, STAKED // 2, sender=delegator)
        staking.requestRedeem(shared, STAKED // 2, sender=delegator)
    elif evasion != "stay":
        staking.requestRedeem(shared, STAKED, sender=delegator)
        staking.cancelRedeemRequest(shared, 0, sender=delegator)
        if evasion.endswith("request"):
            staking.requestRedeem(shared, STAKED, sender=delegator)
    assert stage.slash(STAKED * 3 // 2, released=STAKED)[0] == STAKED * 3 // 2
    if staking.shares_of(shared, delegator):
        staking.requestRedeem(shared, staking.shares_of(shared, delegator), sender=delegator)
    travel(THAW_PERIOD)
    assert STAKED * 3 // 4 - 2 <= staking.redeem(shared, delegator, 100, sender=delegator) <= STAKED * 3 // 4


def test_pitfall_10__redelegating__moves_no_stake_that_still_thaws(
    stage: Stage, staking: Any, delegator: str, shared: int
) -> None:
    stage.accept(actor("refuge"))
    stage.delegate(delegator, STAKED)
    staking.requestRedeem(shared, STAKED, sender=delegator)
    travel(THAW_PERIOD - 1)
    with boa.reverts("pool: nothing to redeem"):
        staking.redelegate(shared, actor("refuge"), 0, 1, sender=delegator)


# ------------------------------------------------------------------ 11: a slash of everything
def test_pitfall_11__after_a_total_slash__old_shares_and_requests_reach_nothing_new(
    stage: Stage, staking: Any, operator: str, stranger: str, own: int, shared: int
) -> None:
    victim = pledge_more_than_there_is(stage, 10 * MILL)
    staking.requestRedeem(shared, 4 * MILL, sender=victim)
    assert stage.slash(STAKED)[0] == OWN_REST + 10 * MILL
    assert staking.pool(shared) == staking.pool(own) == (0, 0, 0, 0)
    assert staking.shares_of(shared, victim) == staking.shares_of(own, operator) == 0
    assert staking.redeem_request(shared, victim, 0) == (0, 0)

    stage.delegate(stranger, 7 * MILL)
    staking.requestRedeem(shared, 3 * MILL, sender=stranger)
    with boa.reverts("pool: no such request"):
        staking.cancelRedeemRequest(shared, 0, sender=victim)
    with boa.reverts("pool: more shares than owned"):
        staking.requestRedeem(shared, 1, sender=victim)
    assert staking.redeem(shared, victim, 100, sender=victim) == 0  # ended at once: nothing to wait for
    fields = {"pool": shared, "owner": victim, "amount": 0, "requests": 1}
    assert events_of(staking) == [("Redeemed", fields)]
    travel(THAW_PERIOD)
    assert staking.redeem(shared, stranger, 1, sender=stranger) == 3 * MILL
    assert stage.leave(shared, stranger) == 4 * MILL
    assert staking.total_staked() == 0


def test_pitfall_11__after_a_total_slash__who_comes_back_has_new_shares_only(
    stage: Stage, staking: Any, shared: int
) -> None:
    victim = pledge_more_than_there_is(stage, 10 * MILL)
    assert stage.slash(STAKED)[0] == OWN_REST + 10 * MILL
    assert stage.delegate(victim, 3 * MILL) == 3 * MILL
    assert staking.shares_of(shared, victim) == 3 * MILL
    assert stage.leave(shared, victim) == 3 * MILL


def test_pitfall_11__void_shares__keep_what_they_earned_and_earn_no_more(
    stage: Stage, staking: Any, operator: str, stranger: str
) -> None:
    coin = stage.earnings_token()
    victim = pledge_more_than_there_is(stage, 10 * MILL)
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    first_part = staking.earned(operator, coin.address, victim)
    assert first_part > 0
    assert stage.slash(STAKED)[0] == OWN_REST + 10 * MILL
    staking.distribute(
        operator, coin.address, 1_000, sender=stage.holder
    )  # nobody delegates: all the operator's
    stage.delegate(stranger, 10 * MILL)
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    earned = [staking.earned(operator, coin.address, owner) for owner in (operator, victim, stranger)]
    own = staking.self_stake(operator)
    # Of each 1,000 a cut of 100; the rest falls on all active stake, of which 10 MILL are delegated.
    part = 900 * 10 * MILL // (own + 10 * MILL)
    assert earned[1:] == [first_part, part]
    assert sum(earned) == 3_000
    stage.delegate(victim, 10 * MILL)
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    part = 900 * 20 * MILL // (own + 20 * MILL) // 2  # two delegators of equal size
    assert staking.earned(operator, coin.address, victim) == first_part + part
    assert staking.pay_earnings(operator, coin.address, victim, sender=victim) == first_part + part


# ------------------------------------------------------------------ 12: the last one out
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_pitfall_12__after_an_odd_slash__everybody_leaves_and_nothing_stays(
    stage: Stage, staking: Any, mill: Any, operator: str, own: int, shared: int, order: tuple[int, ...]
) -> None:
    stage.lift_caps()
    delegators = [actor(f"delegator {number}") for number in range(3)]
    for number, delegator in enumerate(delegators):
        stage.delegate(delegator, (number + 1) * STAKED + 7**number)
    stage.commit(STAKED)
    staking.requestRedeem(shared, STAKED // 3, sender=delegators[1])
    assert stage.slash(STAKED * 2 + 12_345, released=STAKED)[0] == STAKED * 2 + 12_345
    for number in order:
        assert stage.leave(shared, delegators[number]) > 0
    assert staking.pool(shared) == (0, 0, 0, 0)
    assert staking.pool(own)[0] == 0
    assert staking.total_staked() == mill.balanceOf(staking.address) == 0


# ------------------------------------------------------------------ 13: the operator in the way
def test_pitfall_13__a_longer_thaw_period__leaves_requests_alone(
    stage: Stage, staking: Any, delegator: str, admin: str, shared: int
) -> None:
    stage.delegate(delegator, 5 * MILL)
    staking.requestRedeem(shared, 5 * MILL, sender=delegator)
    staking.set_thaw_period(28 * DAY, sender=admin)
    assert staking.redeem_request(shared, delegator, 0)[1] == now() + THAW_PERIOD
    travel(THAW_PERIOD)
    assert staking.redeem(shared, delegator, 1, sender=delegator) == 5 * MILL


def test_pitfall_13__nothing_an_operator_does__keeps_a_delegator_in(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int, shared: int
) -> None:
    stage.delegate(delegator, 5 * MILL)
    stage.commit(MILL)
    staking.set_terms(10_000, False, sender=operator)
    staking.requestRedeem(own, staking.available(operator), sender=operator)
    assert stage.leave(shared, delegator) == 5 * MILL


def test_pitfall_13__nobody_fills_another_ones_queue(
    stage: Stage, staking: Any, operator: str, stranger: str, own: int
) -> None:
    """Gifts make no requests, and requests are made by their owner."""
    for _ in range(3):
        staking.stake_for(operator, 1, sender=stage.holder)
    with boa.reverts("pool: more shares than owned"):
        staking.requestRedeem(own, 1, sender=stranger)
    assert staking.redeem_request_range(own, operator) == (0, 0)


def test_pitfall_13__a_minimum_that_was_raised__lets_everybody_leave_with_everything(
    stage: Stage, staking: Any, delegator: str, admin: str, shared: int
) -> None:
    stage.delegate(delegator, 5 * MILL)
    staking.set_delegation_limits(0, 1_000 * MILL, 10, sender=admin)
    with boa.reverts("staking: remainder too small"):
        staking.requestRedeem(shared, MILL, sender=delegator)
    assert stage.leave(shared, delegator) == 5 * MILL


# ------------------------------------------------------------------ 14: loops
def test_pitfall_14__cost_of_a_slash_and_of_a_distribution__does_not_depend_on_delegators(
    stage: Stage,
) -> None:
    def costs(count: int) -> list[int]:
        with boa.env.anchor():
            staking = stage.staking
            stage.lift_caps()
            coin = stage.earnings_token()
            for number in range(count):
                delegator = actor(f"delegator {number}")
                stage.delegate(delegator, 2 * STAKED // count)
                staking.requestRedeem(delegation_pool(stage.operator), STAKED // count, sender=delegator)
            stage.commit(STAKED)
            stage.slash(MILL, released=0)
            staking.distribute(stage.operator, coin.address, 10**6, sender=stage.holder)
            gas = []
            staking.slash(Penalty(stage.operator, STAKED, STAKED), sender=stage.verifier)
            assert events_of(staking)[-1][1]["delegated"] == MILL
            gas.append(staking.call_trace().gas_used)
            staking.distribute(stage.operator, coin.address, 10**6, sender=stage.holder)
            gas.append(staking.call_trace().gas_used)
            return gas

    few, many = costs(1), costs(100)
    for one, hundred in zip(few, many, strict=True):
        assert abs(hundred - one) * 20 <= one


# ------------------------------------------------------------------ 15: rewards
def test_pitfall_15__no_more_is_earned_than_was_paid_in(
    stage: Stage, staking: Any, operator: str, shared: int
) -> None:
    coin = stage.earnings_token()
    owners = [actor(f"delegator {number}") for number in range(7)]
    for number, owner in enumerate(owners):
        stage.delegate(owner, MILL + number)
        staking.distribute(operator, coin.address, 10**6 + number, sender=stage.holder)
    owed = sum(10**6 + number for number in range(7))
    assert staking.earnings_owed(coin.address) == owed
    paid = sum(
        staking.pay_earnings(operator, coin.address, owner, sender=owner) for owner in [operator, *owners]
    )
    assert owed - 7 * 7 <= paid <= owed
    assert coin.balanceOf(staking.address) == staking.earnings_owed(coin.address) == owed - paid


def test_pitfall_15__earnings_without_delegators__wait_for_nobody(
    stage: Stage, staking: Any, operator: str
) -> None:
    coin = stage.earnings_token()
    staking.distribute(operator, coin.address, 1_000, sender=stage.holder)
    stage.delegate(stage.delegator, MILL)
    assert staking.pay_earnings(operator, coin.address, operator, sender=operator) == 1_000
    assert staking.earned(operator, coin.address, stage.delegator) == 0


def test_pitfall_15__tokens_are_pulled_before_they_count(stage: Stage, staking: Any, operator: str) -> None:
    coin = stage.earnings_token()
    with boa.reverts("mock: allowance"):
        staking.distribute(operator, coin.address, 1, sender=stage.stranger)
    assert staking.earnings_owed(coin.address) == 0


# ------------------------------------------------------------------ 22: odd tokens; see also test_earnings.py
@pytest.mark.parametrize("path", ["MockFeeToken", "MockFickleToken"])
def test_pitfall_22__a_stake_token_that_does_not_deliver__is_refused(admin: str, path: str) -> None:
    token = deploy(f"mocks/{path}.vy")
    staking = deploy("Staking.vy", token.address, admin, THAW_PERIOD)
    staker = actor("staker")
    token.mint(staker, 1_000)
    token.approve(staking.address, 1_000, sender=staker)
    staking.set_terms(0, True, sender=staker)
    staking.set_delegation_limits(0, 1, 10, sender=admin)
    if path == "MockFickleToken":
        token.set_failing(True)
    reason = "token: amount not received" if path == "MockFeeToken" else "token: pull failed"
    with boa.reverts(reason):
        staking.stake(1_000, sender=staker)
    with boa.reverts(reason):
        staking.delegate(staker, 1_000, 0, sender=staker)
    assert staking.total_staked() == 0


# ------------------------------------------------------------------ our own: an operator that robs its delegators
def test_operator__that_is_its_own_client_and_reporter__never_gains(
    stage: Stage, staking: Any, mill: Any, operator: str, delegator: str
) -> None:
    """It pledges all it has and commits fault after fault, so that its delegators pay for most of them."""
    stage.delegate(delegator, 10 * STAKED)
    stage.commit(staking.commit_room(operator)[1])
    pledged, lost = staking.committed(operator), staking.self_stake(operator)
    assert pledged == lost == STAKED
    parties = {"client": operator, "compensation": 11 * STAKED, "reporter": operator, "reporter_bps": 2_500}
    taken = [stage.slash(11 * STAKED, released=released, **parties)[0] for released in (pledged, 0, 0, 0)]
    assert taken[0] == STAKED * 11 // 10  # own stake and a little more
    assert sum(taken) == STAKED * 33 // 10  # the window
    assert staking.self_stake(operator) == 0
    assert mill.balanceOf(operator) == lost * 3 // 4


@pytest.mark.parametrize("pledges", [0, 1, 2, 3])
def test_operator__that_pledges_everything_to_itself__pays_for_a_fault_beyond_the_pledge(
    stage: Stage, staking: Any, operator: str, pledges: int
) -> None:
    """Paid for a wrong answer, and a dispute comes: sham work binds all that it may, and costs nothing to bind."""
    room = staking.slash_room(operator)
    for _ in range(pledges):
        stage.commit(STAKED // 10)
    assert (staking.commit_room(operator)[0] == 0) == (pledges == 3)
    assert staking.slash_room(operator) == room == STAKED * 3 // 10
    taken = [stage.slash(STAKED, released=0)[0] for _ in range(6)]
    assert taken[0] == STAKED // 10
    assert sum(taken) == room
    staking.release(operator, pledges * STAKED // 10, sender=stage.verifier)
    assert staking.slashable(operator) == STAKED - room


def test_operator__that_pledges_its_whole_stake_to_itself__pays_with_its_delegators(
    stage: Stage, staking: Any, operator: str, delegator: str
) -> None:
    """The delegation that lets it pledge so much can be taken, also after it began to leave."""
    stage.delegate(delegator, 10 * STAKED)
    stage.commit(STAKED)
    assert staking.commit_room(operator) == (0, 0)
    staking.requestRedeem(delegation_pool(operator), 10 * STAKED, sender=delegator)
    travel(THAW_PERIOD)
    assert staking.slash_room(operator) == STAKED * 33 // 10
    assert stage.slash(11 * STAKED, released=0)[0] == STAKED * 11 // 10
    assert events_of(staking)[-1][1]["own"] == STAKED
    assert stage.slash(STAKED)[0] == STAKED  # and what it pledged is still there


def test_operator__whose_delegators_leave_behind_its_pledge__can_still_be_slashed_for_all_of_it(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int, shared: int
) -> None:
    """A pledge without an end, an alias that delegates for a day, own stake that leaves while it is there."""
    pledged = STAKED // 10
    stage.commit(pledged)
    stage.delegate(delegator, 10 * STAKED)
    with boa.reverts("commit: stake backs open work"):
        staking.requestRedeem(
            own, STAKED - 2 * pledged // 11, sender=operator
        )  # a tenth of the alias's for each
    with boa.reverts("commit: stake backs open work"):
        staking.requestRedeem(own, STAKED - pledged + 1, sender=operator)
    staking.requestRedeem(own, STAKED - pledged, sender=operator)
    staking.requestRedeem(shared, 10 * STAKED, sender=delegator)
    travel(THAW_PERIOD)
    assert staking.redeem(own, operator, 9, sender=operator) == STAKED - pledged
    assert staking.redeem(shared, delegator, 9, sender=delegator) == 10 * STAKED
    assert staking.slashable(operator) == staking.committed(operator) == pledged
    assert stage.slash(pledged)[0] == pledged
    assert events_of(staking)[-1][1]["own"] == pledged


def test_commit_room__from_delegation_that_leaves_again__pledges_only_what_still_can_be_taken(
    stage: Stage, staking: Any, operator: str, delegator: str, shared: int
) -> None:
    stage.delegate(delegator, 10 * STAKED)
    staking.requestRedeem(shared, 10 * STAKED, sender=delegator)
    room, largest = staking.commit_room(operator)
    assert (room, largest) == (STAKED // 2, STAKED // 10)  # what thaws backs nothing new
