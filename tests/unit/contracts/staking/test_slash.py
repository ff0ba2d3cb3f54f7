"""What a fault costs, whom, and where it goes. The operator starts with 1,000 MILL."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.unit.contracts.staking.deployment import (
    MAX_UINT256,
    MILL,
    NOBODY,
    REASON,
    THAW_PERIOD,
    WINDOW,
    Penalty,
    Stage,
    actor,
    events_of,
    travel,
)

STAKED = Stage.OWN_STAKE
FAULT = STAKED // 10
ROOM = STAKED * 3 // 10


def slashed(stage: Stage, **fields: Any) -> tuple[str, dict[str, Any]]:
    nothing = {
        "operator": stage.operator,
        "verifier": stage.verifier,
        "reason": REASON,
        "own": 0,
        "delegated": 0,
        "client": NOBODY,
        "compensation": 0,
        "reporter": NOBODY,
        "reward": 0,
        "insured": 0,
        "burned": 0,
    }
    assert fields.keys() <= nothing.keys()
    return "Slashed", nothing | fields


# ------------------------------------------------------------------ who may
def test_slash__by_anybody_but_a_verifier__reverts(
    stage: Stage, staking: Any, operator: str, delegator: str, stranger: str, admin: str
) -> None:
    for sender in (operator, delegator, stranger, admin):
        for amount in (0, 1):
            with boa.reverts("verifiers: not authorised"):
                staking.slash(Penalty(operator, 0, amount), sender=sender)
        with boa.reverts("commit: above the commitment"):
            staking.slash(Penalty(operator, 1, 1), sender=sender)


def test_slash__by_a_removed_verifier__up_to_what_it_committed(
    stage: Stage, staking: Any, operator: str, verifier: str, admin: str
) -> None:
    stage.commit(2 * MILL)
    staking.set_verifier(verifier, False, sender=admin)
    with boa.reverts("verifiers: not authorised"):
        stage.slash(MILL + 1, released=MILL)
    with boa.reverts("verifiers: not authorised"):
        stage.slash(1, released=0)
    assert stage.slash(MILL, released=MILL)[0] == MILL
    assert stage.slash(MILL // 2, released=MILL)[0] == MILL // 2
    assert staking.committed(operator) == 0


def test_slash__releasing_more_than_it_committed__reverts(stage: Stage) -> None:
    stage.commit(MILL)
    with boa.reverts("commit: above the commitment"):
        stage.slash(MILL, released=MILL + 1)


def test_slash__too_large_a_share_for_the_reporter__reverts(stage: Stage) -> None:
    stage.commit(MILL)
    with boa.reverts("slash: reporter share too large"):
        stage.slash(MILL, reporter=stage.reporter, reporter_bps=2_501)


# ------------------------------------------------------------------ where it goes
def test_slash__compensates_rewards_insures_and_burns(
    stage: Stage, staking: Any, mill: Any, operator: str, client: str, reporter: str, admin: str
) -> None:
    insurance = actor("insurance")
    staking.set_insurance(insurance, 2_500, sender=admin)
    stage.commit(FAULT)
    supply = mill.totalSupply()
    taken, paid = stage.slash(
        FAULT, client=client, compensation=30 * MILL, reporter=reporter, reporter_bps=1_000
    )
    assert events_of(staking) == [
        slashed(
            stage,
            own=FAULT,
            client=client,
            compensation=30 * MILL,
            reporter=reporter,
            reward=10 * MILL,
            insured=15 * MILL,
            burned=45 * MILL,
        ),
    ]
    assert (taken, paid) == (FAULT, 30 * MILL)
    balances = [mill.balanceOf(account) for account in (client, reporter, insurance)]
    assert balances == [30 * MILL, 10 * MILL, 15 * MILL]
    assert mill.totalSupply() == supply - 45 * MILL
    assert staking.total_staked() == mill.balanceOf(staking.address) == STAKED - FAULT
    assert staking.self_stake(operator) == staking.slashable(operator) == STAKED - FAULT
    assert staking.committed(operator) == 0


def test_slash__compensation_is_at_most_half(stage: Stage, mill: Any, client: str) -> None:
    assert stage.commit_and_slash(FAULT, client=client, compensation=MAX_UINT256) == (FAULT, FAULT // 2)
    assert mill.balanceOf(client) == FAULT // 2


def test_slash__whoever_plays_all_parts__gets_back_three_quarters(
    stage: Stage, mill: Any, operator: str
) -> None:
    stage.commit_and_slash(FAULT, client=operator, compensation=FAULT, reporter=operator, reporter_bps=2_500)
    assert mill.balanceOf(operator) == FAULT * 3 // 4


def test_slash__shares_round_down_for_what_is_burned(
    stage: Stage, staking: Any, client: str, reporter: str, admin: str
) -> None:
    staking.set_insurance(actor("insurance"), 3_333, sender=admin)
    stage.commit_and_slash(7, client=client, compensation=7, reporter=reporter, reporter_bps=2_500)
    fields = events_of(staking)[-1][1]
    assert [fields[part] for part in ("compensation", "reward", "insured", "burned")] == [3, 1, 0, 3]


def test_slash__without_client_and_reporter__burns_all(stage: Stage, staking: Any) -> None:
    stage.commit_and_slash(FAULT, compensation=FAULT, reporter_bps=2_500)
    assert events_of(staking)[-1] == slashed(stage, own=FAULT, burned=FAULT)


@pytest.mark.parametrize("who", ["staking", "mill"])
def test_slash__naming_a_contract_that_cannot_be_paid__burns_its_part(stage: Stage, who: str) -> None:
    address = getattr(stage, who).address
    stage.commit(FAULT)
    stage.slash(FAULT, client=address, compensation=FAULT, reporter=address, reporter_bps=2_500)
    expected = slashed(stage, own=FAULT, client=address, reporter=address, burned=FAULT)
    assert events_of(stage.staking)[-1] == expected


# ------------------------------------------------------------------ from whom
def test_slash__own_stake_first_thawing_included(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int, shared: int
) -> None:
    stage.delegate(delegator, STAKED)
    staking.requestRedeem(own, STAKED // 2, sender=operator)
    stage.commit_and_slash(FAULT)
    assert staking.pool(own)[0::2] == (STAKED // 2 - FAULT // 2, STAKED // 2 - FAULT // 2)
    assert staking.redeem_request(own, operator, 0)[0] == STAKED // 2 - FAULT // 2
    assert staking.pool(shared) == (STAKED, STAKED, 0, 0)


def test_slash__delegators_pay_the_remainder_in_proportion_active_or_thawing(
    stage: Stage, staking: Any, operator: str, delegator: str, stranger: str, own: int, shared: int
) -> None:
    stage.lift_caps()
    stage.delegate(delegator, STAKED)
    stage.delegate(stranger, 3 * STAKED)
    stage.commit(STAKED)
    staking.requestRedeem(shared, 3 * STAKED, sender=stranger)
    assert stage.slash(2 * STAKED, released=STAKED)[0] == 2 * STAKED
    assert events_of(staking)[-1] == slashed(stage, own=STAKED, delegated=STAKED, burned=2 * STAKED)
    assert staking.pool(own)[0] == 0
    assert staking.pool(shared)[0::2] == (STAKED * 3 // 4, STAKED * 9 // 4)
    assert staking.redeem_request(shared, stranger, 0)[0] == STAKED * 9 // 4
    assert staking.convertToAssets(shared, staking.shares_of(shared, delegator)) == STAKED * 3 // 4


def test_slash__thawing_part_rounds_up_against_those_who_leave(
    stage: Stage, staking: Any, operator: str, own: int
) -> None:
    staking.requestRedeem(own, 1, sender=operator)
    stage.commit_and_slash(1)
    assert staking.pool(own)[0::2] == (STAKED - 1, 0)


def test_slash__pays_nobody_out_of_delegators_stake(
    stage: Stage, staking: Any, mill: Any, delegator: str, client: str, reporter: str
) -> None:
    """Else an operator that is its own client and reporter would take its delegators' stake home."""
    stage.lift_caps()
    stage.delegate(delegator, 3 * STAKED)
    stage.commit(STAKED)
    parties = {"client": client, "compensation": 2 * STAKED, "reporter": reporter, "reporter_bps": 2_500}
    assert stage.slash(2 * STAKED, released=STAKED, **parties) == (2 * STAKED, STAKED // 2)
    assert mill.balanceOf(client) == STAKED // 2
    assert mill.balanceOf(reporter) == STAKED // 4
    assert events_of(staking)[-1][1]["burned"] == 2 * STAKED - STAKED * 3 // 4


# ------------------------------------------------------------------ how much
def test_slash__of_what_was_pledged__is_never_capped(
    stage: Stage, staking: Any, operator: str, admin: str
) -> None:
    for _ in range(3):
        stage.commit(FAULT)
    staking.set_slash_caps(100, 100, sender=admin)
    assert stage.slash(3 * FAULT)[0] == 3 * FAULT
    assert staking.slash_room(operator) == 0


def test_slash__beyond_the_pledge__is_capped_for_the_fault(stage: Stage) -> None:
    assert stage.slash(STAKED, released=0)[0] == FAULT


def test_slash__partly_beyond_the_pledge__is_capped_in_all(stage: Stage) -> None:
    stage.commit(FAULT // 2)
    assert stage.slash(STAKED, released=FAULT // 2)[0] == FAULT


def test_slash__beyond_the_pledge__is_capped_by_the_window(stage: Stage, staking: Any, operator: str) -> None:
    taken = [stage.slash(STAKED, released=0)[0] for _ in range(6)]
    assert sum(taken) == ROOM
    assert taken[:3] == [FAULT, FAULT * 9 // 10, FAULT * 81 // 100]
    assert taken[4:] == [0, 0]
    assert staking.slash_room(operator) == 0
    travel(WINDOW)
    assert staking.slash_room(operator) == (STAKED - ROOM) * 3 // 10
    assert stage.slash(STAKED, released=0)[0] == (STAKED - ROOM) // 10


def test_slash__beyond_the_pledge__leaves_what_backs_other_work(
    stage: Stage, staking: Any, operator: str, delegator: str, admin: str, shared: int
) -> None:
    other = actor("other verifier")
    staking.set_verifier(other, True, sender=admin)
    stage.lift_caps()
    stage.delegate(delegator, STAKED)
    stage.commit(6 * FAULT, verifier=other)
    stage.commit(2 * FAULT)
    stage.leave(shared, delegator)
    assert staking.slash_room(operator) == 2 * FAULT < STAKED // 2  # of the window and of a fault
    assert stage.slash(STAKED, released=FAULT)[0] == 3 * FAULT
    assert staking.slash_room(operator) == 0
    assert stage.slash(STAKED, released=0)[0] == 0
    assert stage.slash(FAULT)[0] == FAULT
    staking.slash(Penalty(operator, 6 * FAULT, 6 * FAULT), sender=other)
    assert events_of(staking)[-1][1]["own"] == 6 * FAULT
    assert staking.slashable(operator) == 0


def test_slash__window__may_be_exceeded_by_what_is_pledged(stage: Stage, staking: Any, operator: str) -> None:
    for _ in range(3):
        stage.commit(FAULT)
    assert sum(stage.slash(STAKED, released=0)[0] for _ in range(6)) == ROOM
    assert stage.slash(STAKED, released=FAULT)[0] == FAULT  # nothing beyond it: the window is full
    assert stage.slash(2 * FAULT)[0] == 2 * FAULT
    assert staking.slashable(operator) == STAKED - ROOM - 3 * FAULT


def test_slash__partly_beyond_the_pledge__needs_room_for_what_goes_beyond_only(
    stage: Stage, staking: Any, operator: str
) -> None:
    stage.lift_caps()
    stage.commit(FAULT)
    assert stage.slash(2 * FAULT, released=0)[0] == 2 * FAULT
    assert staking.slash_room(operator) == 3 * FAULT
    assert stage.slash(STAKED, released=FAULT)[0] == 4 * FAULT  # half of what there was
    assert staking.slash_room(operator) == 0


def test_slash__of_what_was_pledged__uses_up_the_window(stage: Stage, staking: Any, operator: str) -> None:
    stage.commit(FAULT)
    stage.commit(FAULT)
    assert stage.slash(2 * FAULT)[0] == 2 * FAULT
    assert staking.slash_room(operator) == ROOM - 2 * FAULT
    assert sum(stage.slash(STAKED, released=0)[0] for _ in range(3)) == ROOM - 2 * FAULT


def test_slash__window__lasts_thirty_days_from_the_first_slash(
    stage: Stage, staking: Any, operator: str
) -> None:
    stage.slash(MILL, released=0)
    travel(WINDOW - 1)
    stage.slash(MILL, released=0)
    assert staking.slash_room(operator) == ROOM - 2 * MILL
    travel(1)
    assert staking.slash_room(operator) == (STAKED - 2 * MILL) * 3 // 10


def test_slash__nothing__releases_and_starts_no_window(
    stage: Stage, staking: Any, operator: str, client: str
) -> None:
    stage.commit(FAULT)
    assert stage.slash(0, released=FAULT, client=client, compensation=MILL) == (0, 0)
    assert events_of(staking)[-1] == slashed(stage, client=client)
    assert staking.committed(operator) == 0
    stage.stake(operator, STAKED)
    assert staking.slash_room(operator) == 2 * ROOM  # of the stake of today: no window runs


def test_slash__of_nobodys_stake__takes_nothing(stage: Stage, staking: Any, stranger: str) -> None:
    assert stage.slash(MILL, released=0, operator=stranger) == (0, 0)


def test_slash__of_an_operator_who_left__takes_what_there_is(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int, shared: int
) -> None:
    """Its own stake left unpledged, what stayed went for another fault, and its delegators left later."""
    stage.lift_caps()
    stage.delegate(delegator, 3 * STAKED)
    stage.commit(STAKED // 2)
    staking.requestRedeem(own, STAKED // 2, sender=operator)
    travel(THAW_PERIOD)
    assert staking.redeem(own, operator, 1, sender=operator) == STAKED // 2
    assert stage.slash(STAKED * 3 // 2, released=0)[0] == STAKED * 3 // 2
    assert staking.self_stake(operator) == 0
    stage.leave(shared, delegator)
    stage.delegate(delegator, MILL)
    assert stage.slash(STAKED // 2)[0] == MILL
    assert events_of(staking)[-1] == slashed(stage, delegated=MILL, burned=MILL)
    assert staking.slashable(operator) == staking.total_staked() == 0


def test_slash__what_is_left_of_a_part_for_too_many_shares__goes_too(
    stage: Stage, staking: Any, operator: str, delegator: str, own: int
) -> None:
    """A hundred halvings: at a 2**-32th of its first price a share is void, and the pool starts afresh."""
    stage.lift_caps()
    epochs_left = STAKED
    while epochs_left > STAKED >> 32:
        travel(WINDOW)
        room = staking.commit_room(operator)[1]
        stage.commit_and_slash(room)
        epochs_left = staking.self_stake(operator)
    assert staking.pool(own) == (0, 0, 0, 0)
    assert staking.shares_of(own, operator) == 0
    assert stage.stake(operator, 5 * MILL) == 5 * MILL
    assert stage.leave(own, operator) == 5 * MILL
    assert staking.total_staked() == 0


def test_thawed_but_not_redeemed__is_still_slashable(
    stage: Stage, staking: Any, operator: str, own: int
) -> None:
    staking.requestRedeem(own, STAKED, sender=operator)
    travel(THAW_PERIOD)
    stage.slash(MILL, released=0)
    assert staking.redeem(own, operator, 1, sender=operator) == STAKED - MILL
