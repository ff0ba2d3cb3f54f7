"""What may be pledged, by whom, and what that keeps from leaving. The operator starts with 1,000 MILL."""

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
    WINDOW,
    Stage,
    actor,
    events_of,
    travel,
)

STAKED = Stage.OWN_STAKE
FAULT = STAKED // 10  # the most that one commitment may be
ROOM = STAKED * 3 // 10  # all of them


def test_commit__binds_stake_to_the_verifier(staking: Any, operator: str, verifier: str) -> None:
    staking.commit(operator, operator, 40 * MILL, sender=verifier)
    assert events_of(staking) == []
    assert staking.committed(operator) == staking.committed_to(verifier, operator) == 40 * MILL
    assert staking.commit_room(operator) == (ROOM - 40 * MILL, FAULT)
    assert staking.slash_room(operator) == ROOM  # a pledge spares nobody another fault
    assert staking.available(operator) == STAKED - 80 * MILL
    assert staking.self_stake(operator) == STAKED


def test_commit__by_anybody_but_a_verifier__reverts(
    stage: Stage, staking: Any, operator: str, delegator: str, stranger: str, admin: str
) -> None:
    for sender in (operator, delegator, stranger, admin):
        with boa.reverts("verifiers: not authorised"):
            staking.commit(operator, operator, 1, sender=sender)


def test_commit__by_a_removed_verifier__reverts(
    staking: Any, operator: str, verifier: str, admin: str
) -> None:
    staking.set_verifier(verifier, False, sender=admin)
    with boa.reverts("verifiers: not authorised"):
        staking.commit(operator, operator, 1, sender=verifier)


@pytest.mark.parametrize("amount", [0, MILL])
def test_commit__asked_for_by_a_stranger__reverts(
    staking: Any, operator: str, verifier: str, stranger: str, amount: int
) -> None:
    for asker in (stranger, NOBODY, verifier):
        with boa.reverts("terms: not operator or hot key"):
            staking.commit(operator, asker, amount, sender=verifier)


def test_commit__nothing__is_possible(staking: Any, operator: str, verifier: str) -> None:
    staking.commit(operator, operator, 0, sender=verifier)
    assert staking.committed(operator) == 0


def test_commit__up_to_the_fault_cap(staking: Any, operator: str, verifier: str) -> None:
    for amount in (FAULT + 1, STAKED // 2):
        with boa.reverts("commit: above the fault cap"):
            staking.commit(operator, operator, amount, sender=verifier)
    staking.commit(operator, operator, FAULT, sender=verifier)


def test_commit__up_to_the_room_of_a_window_that_would_start_now(
    staking: Any, operator: str, verifier: str
) -> None:
    for _ in range(3):
        staking.commit(operator, operator, FAULT, sender=verifier)
    assert staking.commit_room(operator) == (0, 0)
    with boa.reverts("commit: above the slash room"):
        staking.commit(operator, operator, 1, sender=verifier)


def test_commit__up_to_half_of_the_stake(stage: Stage, staking: Any, operator: str, verifier: str) -> None:
    stage.lift_caps()
    staking.commit(operator, operator, STAKED // 2 - 1, sender=verifier)
    for amount in (2, STAKED // 2 + 1):
        with boa.reverts("commit: above half of the stake"):
            staking.commit(operator, operator, amount, sender=verifier)
    staking.commit(operator, operator, 1, sender=verifier)
    assert staking.commit_room(operator) == (0, 0)


def test_commit__up_to_the_own_stake_however_much_is_delegated(
    stage: Stage, staking: Any, operator: str, delegator: str, verifier: str, own: int
) -> None:
    stage.lift_caps()
    stage.delegate(delegator, 50 * STAKED)
    assert staking.commit_room(operator) == (STAKED, STAKED)
    for amount in (STAKED + 1, 2**96 - 1):
        with boa.reverts("commit: above the own stake"):
            staking.commit(operator, operator, amount, sender=verifier)
    for amount in (2**96, MAX_UINT256):
        with boa.reverts("commit: amount too large"):
            staking.commit(operator, operator, amount, sender=verifier)
    staking.requestRedeem(own, MILL, sender=operator)  # what thaws is no longer its own to pledge
    assert staking.commit_room(operator) == (STAKED - MILL, STAKED - MILL)
    staking.commit(operator, operator, STAKED - MILL, sender=verifier)
    stage.delegate(delegator, STAKED)
    assert staking.commit_room(operator) == (0, 0)
    with boa.reverts("commit: above the own stake"):
        staking.commit(operator, operator, 1, sender=verifier)
    stage.stake(operator, 1)
    staking.commit(operator, operator, 1, sender=verifier)


def test_commit__two_verifiers__share_the_own_stake(
    stage: Stage, staking: Any, operator: str, delegator: str, admin: str
) -> None:
    other = actor("other verifier")
    staking.set_verifier(other, True, sender=admin)
    stage.lift_caps()
    stage.delegate(delegator, 50 * STAKED)
    stage.commit(STAKED // 2)
    stage.commit(STAKED // 2, verifier=other)
    for verifier in (stage.verifier, other):
        with boa.reverts("commit: above the own stake"):
            stage.commit(1, verifier=verifier)


def test_commit__two_verifiers__share_the_room(stage: Stage, staking: Any, operator: str, admin: str) -> None:
    other = actor("other verifier")
    staking.set_verifier(other, True, sender=admin)
    stage.commit(FAULT)
    stage.commit(FAULT, verifier=other)
    stage.commit(FAULT, verifier=other)
    with boa.reverts("commit: above the slash room"):
        stage.commit(1)
    assert staking.committed_to(stage.verifier, operator) == FAULT
    assert staking.committed_to(other, operator) == 2 * FAULT


def test_commit__delegation_counts_up_to_the_ratio(
    stage: Stage, staking: Any, operator: str, delegator: str, admin: str
) -> None:
    staking.set_slash_caps(1_000, 2_000, sender=admin)  # with a wider window the own stake would decide
    staking.set_delegation_limits(0, MILL, 2, sender=admin)
    room = 2 * FAULT
    stage.delegate(delegator, STAKED)
    assert staking.commit_room(operator) == (2 * room, 2 * FAULT)
    stage.delegate(delegator, STAKED)
    assert staking.commit_room(operator) == (3 * room, 3 * FAULT)
    stage.delegate(delegator, STAKED)  # counts for what can be lost, not for what can be pledged
    assert staking.commit_room(operator) == (4 * room, 3 * FAULT)


def test_commit__without_own_stake__is_impossible_whatever_is_delegated(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int
) -> None:
    stage.delegate(delegator, STAKED)
    staking.requestRedeem(own, STAKED, sender=operator)
    assert staking.commit_room(operator) == (0, 0)
    with boa.reverts("commit: above the own stake"):
        stage.commit(1)


def test_commit__below_the_minimum_self_stake__reverts(
    stage: Stage, staking: Any, operator: str, admin: str
) -> None:
    staking.set_delegation_limits(STAKED + 1, MILL, 10, sender=admin)
    assert staking.commit_room(operator) == (0, 0)
    for amount in (0, 1):
        with boa.reverts("commit: self-stake too small"):
            stage.commit(amount)
    stage.stake(operator, 1)
    stage.commit(1)


def test_commit__thawing_stake__counts_for_the_room_only(
    stage: Stage, staking: Any, operator: str, own: int
) -> None:
    staking.requestRedeem(own, STAKED // 2, sender=operator)
    assert staking.commit_room(operator) == (STAKED // 4, FAULT // 2)
    for _ in range(5):
        stage.commit(FAULT // 2)
    assert staking.committed(operator) == STAKED // 4 > STAKED // 2 * 3 // 10
    with boa.reverts("commit: above half of the stake"):
        stage.commit(1)


def test_commit__in_a_window__fits_what_slashes_left_of_it(stage: Stage, staking: Any, operator: str) -> None:
    stage.commit_and_slash(FAULT)
    assert staking.slash_room(operator) == ROOM - FAULT
    stage.stake(operator, 10 * STAKED)  # new stake makes no new room
    assert staking.commit_room(operator) == (ROOM - FAULT, ROOM - FAULT)
    stage.commit(ROOM - FAULT)
    with boa.reverts("commit: above the slash room"):
        stage.commit(1)
    travel(WINDOW - 1)
    with boa.reverts("commit: above the slash room"):
        stage.commit(1)
    travel(1)
    stage.commit(1)


# ------------------------------------------------------------------ release
def test_release__frees_what_the_verifier_committed(
    stage: Stage, staking: Any, operator: str, verifier: str
) -> None:
    stage.commit(FAULT)
    staking.release(operator, FAULT - 1, sender=verifier)
    assert events_of(staking) == []
    assert staking.committed(operator) == staking.committed_to(verifier, operator) == 1


def test_release__more_than_it_committed__reverts(
    stage: Stage, staking: Any, operator: str, verifier: str, stranger: str, admin: str
) -> None:
    stage.commit(FAULT)
    for sender, amount in ((verifier, FAULT + 1), (stranger, 1), (operator, 1), (admin, FAULT)):
        with boa.reverts("commit: above the commitment"):
            staking.release(operator, amount, sender=sender)


def test_release__by_a_removed_verifier__is_possible(
    stage: Stage, staking: Any, operator: str, verifier: str, admin: str
) -> None:
    stage.commit(FAULT)
    staking.set_verifier(verifier, False, sender=admin)
    staking.release(operator, FAULT, sender=verifier)
    assert staking.committed(operator) == 0


def test_release__nothing__changes_nothing_and_says_nothing(
    staking: Any, operator: str, stranger: str
) -> None:
    staking.release(operator, 0, sender=stranger)
    assert events_of(staking) == []


# ------------------------------------------------------------------ leaving
def test_own_stake__may_thaw_while_the_rest_covers_open_work(
    stage: Stage, staking: Any, operator: str, own: int
) -> None:
    stage.commit(FAULT)
    assert staking.available(operator) == STAKED - 2 * FAULT
    with boa.reverts("commit: stake backs open work"):
        staking.requestRedeem(own, STAKED - 2 * FAULT + 1, sender=operator)
    staking.requestRedeem(own, STAKED - 2 * FAULT, sender=operator)
    assert staking.available(operator) == 0


@pytest.mark.parametrize(
    ("ratio", "delegated", "needed"),
    [
        (0, STAKED, 2 * FAULT),
        (1, STAKED, FAULT),
        (1, FAULT, FAULT),
        (1, FAULT - MILL, FAULT + MILL),
        (10, FAULT // 4, FAULT * 7 // 4),
        (100, 50 * STAKED, FAULT),
    ],
)
def test_own_stake__delegation_covers_half_of_open_work_at_most(
    stage: Stage,
    staking: Any,
    operator: str,
    delegator: str,
    admin: str,
    own: int,
    ratio: int,
    delegated: int,
    needed: int,
) -> None:
    staking.set_delegation_limits(0, MILL, ratio, sender=admin)
    stage.delegate(delegator, delegated)
    stage.commit(FAULT)
    assert staking.available(operator) == STAKED - needed
    with boa.reverts("commit: stake backs open work"):
        staking.requestRedeem(own, STAKED - needed + 1, sender=operator)
    staking.requestRedeem(own, STAKED - needed, sender=operator)
    assert staking.available(operator) == 0


@pytest.mark.parametrize("ratio", [1, 2, 10, 100])
@pytest.mark.parametrize("pledged", [1, 5, FAULT - 1, STAKED - 1, STAKED])
def test_available__never_goes_below_what_is_committed(
    stage: Stage,
    staking: Any,
    operator: str,
    delegator: str,
    admin: str,
    own: int,
    ratio: int,
    pledged: int,
) -> None:
    stage.lift_caps()
    staking.set_delegation_limits(0, 1, ratio, sender=admin)
    stage.delegate(delegator, 50 * STAKED)
    stage.commit(pledged)
    assert staking.available(operator) == STAKED - pledged
    if pledged < STAKED:
        staking.requestRedeem(own, STAKED - pledged, sender=operator)
    assert staking.self_stake(operator) == staking.committed(operator) == pledged
    assert staking.available(operator) == 0
    with boa.reverts("commit: stake backs open work"):
        staking.requestRedeem(own, 1, sender=operator)


def test_available__after_a_slash_below_what_is_committed__is_nothing(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int
) -> None:
    stage.lift_caps()
    stage.delegate(delegator, 2 * STAKED)
    stage.commit(STAKED // 2)
    stage.slash(STAKED * 3 // 4, released=0)
    assert staking.self_stake(operator) == STAKED // 4 < staking.committed(operator)
    assert staking.available(operator) == 0
    with boa.reverts("commit: stake backs open work"):
        staking.requestRedeem(own, 4, sender=operator)  # one unit's worth
    stage.stake(operator, STAKED // 4 + 1)
    assert staking.available(operator) == 1


def test_delegators__may_leave_whatever_is_committed(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int, shared: int
) -> None:
    stage.delegate(delegator, STAKED)
    for _ in range(6):
        stage.commit(FAULT)
    staking.requestRedeem(shared, STAKED, sender=delegator)
    assert staking.available(operator) == 0
    with boa.reverts("commit: stake backs open work"):
        staking.requestRedeem(own, 1, sender=operator)
    travel(THAW_PERIOD)
    assert staking.redeem(shared, delegator, 1, sender=delegator) == STAKED
    staking.release(operator, 6 * FAULT, sender=stage.verifier)
    assert stage.leave(own, operator) == STAKED


def test_pledged__is_taken_in_full__though_everybody_left_right_after(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int, shared: int
) -> None:
    """Six and a half days later, when the longest job is judged."""
    stage.delegate(delegator, STAKED)
    for _ in range(6):
        stage.commit(FAULT)
    staking.requestRedeem(shared, STAKED, sender=delegator)
    travel(6 * DAY + DAY // 2)
    assert stage.slash(6 * FAULT)[0] == 6 * FAULT
