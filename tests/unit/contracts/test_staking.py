"""Staking: what operators have at risk, and who may touch it."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.unit.contracts.suite import (
    DAY,
    MILL,
    REASON,
    THAW_PERIOD,
    ZERO_ADDRESS,
    Suite,
    actor,
    deploy,
    events_of,
    now,
    travel_to,
)

STAKED = 1_000 * MILL  # what the worker has at the start of each test


def thaw(staking: Any, operator: str, amount: int) -> int:
    """Request, wait; returns the number of the request."""
    request_id: int = staking.request_unstake(amount, sender=operator)
    travel_to(now() + staking.thaw_period())
    return request_id


# ------------------------------------------------------------------ construction and ownership
def test_constructor__hands_over_to_the_admin(staking: Any, mill: Any, admin: str) -> None:
    assert (staking.owner(), staking.pending_owner()) == (admin, ZERO_ADDRESS)
    assert (staking.stake_token(), staking.thaw_period()) == (mill.address, THAW_PERIOD)


@pytest.mark.parametrize(
    ("token", "admin_given", "period", "reason"),
    [
        (False, True, THAW_PERIOD, "staking: no stake token"),
        (True, False, THAW_PERIOD, "staking: no admin"),
        (True, True, 7 * DAY - 1, "thawing: period too short"),
        (True, True, 28 * DAY + 1, "thawing: period too long"),
    ],
)
def test_constructor__bad_argument__reverts(
    mill: Any, admin: str, token: bool, admin_given: bool, period: int, reason: str
) -> None:
    with boa.reverts(reason):
        deploy(
            "Staking.vy",
            mill.address if token else ZERO_ADDRESS,
            admin if admin_given else ZERO_ADDRESS,
            period,
        )


@pytest.mark.parametrize("name", ["staking", "escrow", "committee"])
def test_ownership__moves_in_two_steps(suite: Suite, name: str) -> None:
    contract = getattr(suite, name)
    successor = actor("successor")
    contract.transfer_ownership(successor, sender=suite.admin)
    started = {"previous_owner": suite.admin, "new_owner": successor}
    assert events_of(contract) == [("OwnershipTransferStarted", started)]
    assert (contract.owner(), contract.pending_owner()) == (suite.admin, successor)

    contract.accept_ownership(sender=successor)
    assert events_of(contract) == [("OwnershipTransferred", started)]
    assert (contract.owner(), contract.pending_owner()) == (successor, ZERO_ADDRESS)


@pytest.mark.parametrize("name", ["staking", "escrow", "committee"])
def test_ownership__a_stranger_can_neither_give_nor_take_it(suite: Suite, name: str) -> None:
    contract = getattr(suite, name)
    with boa.reverts("ownable: caller is not the owner"):
        contract.transfer_ownership(suite.stranger, sender=suite.stranger)
    with boa.reverts("ownable_2step: caller is not the new owner"):
        contract.accept_ownership(sender=suite.stranger)


@pytest.mark.parametrize("name", ["staking", "escrow", "committee"])
def test_ownership__cannot_be_renounced(suite: Suite, name: str) -> None:
    names = {entry.get("name") for entry in getattr(suite, name).abi}
    assert "transfer_ownership" in names
    assert "renounce_ownership" not in names


# ------------------------------------------------------------------ stake
def test_stake__moves_tokens_and_counts_them(suite: Suite, staking: Any, worker: str) -> None:
    suite.stake(worker, 5 * MILL)
    assert events_of(staking) == [("Staked", {"operator": worker, "payer": worker, "amount": 5 * MILL})]
    assert staking.active(worker) == staking.available(worker) == staking.slashable(worker)
    assert staking.active(worker) == staking.total_staked() == STAKED + 5 * MILL
    assert suite.mill.balanceOf(staking.address) == STAKED + 5 * MILL


def test_stake_for__credits_the_operator_and_charges_the_caller(
    suite: Suite, staking: Any, worker: str, holder: str
) -> None:
    suite.mill.approve(staking.address, MILL, sender=holder)
    before = suite.mill.balanceOf(holder)
    staking.stake_for(worker, MILL, sender=holder)
    assert events_of(staking) == [("Staked", {"operator": worker, "payer": holder, "amount": MILL})]
    assert (staking.active(worker), staking.active(holder)) == (STAKED + MILL, 0)
    assert suite.mill.balanceOf(holder) == before - MILL


def test_stake__nothing__reverts(staking: Any, worker: str) -> None:
    with boa.reverts("staking: zero amount"):
        staking.stake(0, sender=worker)
    with boa.reverts("staking: zero amount"):
        staking.stake_for(worker, 0, sender=worker)


def test_stake_for__nobody__reverts(staking: Any, worker: str) -> None:
    with boa.reverts("staking: no operator"):
        staking.stake_for(ZERO_ADDRESS, 1, sender=worker)


def test_stake__without_the_tokens__reverts(staking: Any, stranger: str) -> None:
    with boa.reverts("erc20: insufficient allowance"):
        staking.stake(1, sender=stranger)


def test_stake__tokens_sent_without_staking__count_for_nobody(
    suite: Suite, staking: Any, holder: str, worker: str
) -> None:
    suite.mill.transfer(staking.address, 77 * MILL, sender=holder)
    assert (staking.total_staked(), staking.active(worker)) == (STAKED, STAKED)


def test_stake__fee_on_transfer_token__reverts(admin: str, worker: str) -> None:
    token = deploy("mocks/MockFeeToken.vy")
    staking = deploy("Staking.vy", token.address, admin, THAW_PERIOD)
    token.mint(worker, 1_000)
    token.approve(staking.address, 1_000, sender=worker)
    with boa.reverts("token: amount not received"):
        staking.stake(1_000, sender=worker)


def test_stake__token_that_answers_false__reverts(admin: str, worker: str) -> None:
    token = deploy("mocks/MockFickleToken.vy")
    staking = deploy("Staking.vy", token.address, admin, THAW_PERIOD)
    token.mint(worker, 1_000)
    token.approve(staking.address, 1_000, sender=worker)
    staking.stake(500, sender=worker)
    request_id = thaw(staking, worker, 500)
    token.set_failing(True)
    with boa.reverts("token: pull failed"):
        staking.stake(500, sender=worker)
    with boa.reverts("token: push failed"):
        staking.withdraw(worker, request_id)
    token.set_failing(False)
    assert staking.withdraw(worker, request_id) == 500


def test_stake__above_what_arithmetic_allows__reverts(admin: str, worker: str) -> None:
    token = deploy("mocks/MockFickleToken.vy")
    staking = deploy("Staking.vy", token.address, admin, THAW_PERIOD)
    token.mint(worker, 2**129)
    token.approve(staking.address, 2**129, sender=worker)
    staking.stake(2**128 - 1, sender=worker)
    with boa.reverts("stake: total too large"):
        staking.stake(1, sender=worker)


# ------------------------------------------------------------------ leaving
def test_request_unstake__moves_available_stake_to_thawing(staking: Any, worker: str) -> None:
    request_id = staking.request_unstake(300 * MILL, sender=worker)
    ready_at = now() + THAW_PERIOD
    requested = {
        "operator": worker,
        "request_id": 0,
        "amount": 300 * MILL,
        "shares": 300 * MILL,
        "ready_at": ready_at,
    }
    assert events_of(staking) == [("UnstakeRequested", requested)]
    assert (request_id, staking.unstake_request_count(worker)) == (0, 1)
    assert (staking.active(worker), staking.thawing(worker)) == (700 * MILL, 300 * MILL)
    assert staking.unstake_request(worker, 0) == (300 * MILL, ready_at)
    assert staking.slashable(worker) == staking.total_staked() == STAKED


def test_request_unstake__nothing__reverts(staking: Any, worker: str) -> None:
    with boa.reverts("staking: zero amount"):
        staking.request_unstake(0, sender=worker)


def test_request_unstake__committed_stake__reverts(staking: Any, worker: str, verifier: str) -> None:
    staking.commit(worker, 400 * MILL, sender=verifier)
    with boa.reverts("stake: not available"):
        staking.request_unstake(600 * MILL + 1, sender=worker)
    assert staking.request_unstake(600 * MILL, sender=worker) == 0


def test_withdraw__by_a_stranger__pays_the_operator(suite: Suite, worker: str, stranger: str) -> None:
    staking = suite.staking
    request_id = thaw(staking, worker, 300 * MILL)
    assert staking.withdraw(worker, request_id, sender=stranger) == 300 * MILL
    withdrawn = {"operator": worker, "request_id": request_id, "amount": 300 * MILL}
    assert events_of(staking) == [("Withdrawn", withdrawn)]
    assert (suite.mill.balanceOf(worker), suite.mill.balanceOf(stranger)) == (300 * MILL, 0)
    assert (staking.thawing(worker), staking.total_staked()) == (0, 700 * MILL)
    assert staking.unstake_request(worker, request_id) == (0, 0)


def test_withdraw__a_second_too_early__reverts(staking: Any, worker: str) -> None:
    request_id = staking.request_unstake(1, sender=worker)
    travel_to(now() + THAW_PERIOD - 1)
    with boa.reverts("thawing: not ready"):
        staking.withdraw(worker, request_id)
    travel_to(now() + 1)
    assert staking.withdraw(worker, request_id) == 1


def test_withdraw__twice_or_unknown__reverts(staking: Any, worker: str) -> None:
    request_id = thaw(staking, worker, 1)
    staking.withdraw(worker, request_id)
    with boa.reverts("thawing: no such request"):
        staking.withdraw(worker, request_id)
    with boa.reverts("thawing: no such request"):
        staking.withdraw(worker, request_id + 1)


def test_withdraw__thaw_period_raised_after_the_request__keeps_the_old_one(
    staking: Any, worker: str, admin: str
) -> None:
    request_id = staking.request_unstake(1, sender=worker)
    staking.set_thaw_period(28 * DAY, sender=admin)
    travel_to(now() + THAW_PERIOD)
    assert staking.withdraw(worker, request_id) == 1


def test_withdraw__thaw_period_lowered_after_the_request__keeps_the_old_one(
    staking: Any, worker: str, admin: str
) -> None:
    request_id = staking.request_unstake(1, sender=worker)
    staking.set_thaw_period(7 * DAY, sender=admin)
    travel_to(now() + 7 * DAY)
    with boa.reverts("thawing: not ready"):
        staking.withdraw(worker, request_id)


# ------------------------------------------------------------------ commit and release
def test_commit__binds_available_stake(staking: Any, worker: str, verifier: str) -> None:
    staking.commit(worker, 400 * MILL, sender=verifier)
    committed = {"operator": worker, "verifier": verifier, "amount": 400 * MILL}
    assert events_of(staking) == [("Committed", committed)]
    assert staking.committed(worker) == staking.committed_to(verifier, worker) == 400 * MILL
    assert (staking.active(worker), staking.available(worker)) == (STAKED, 600 * MILL)


def test_commit__by_a_stranger__reverts(staking: Any, worker: str, stranger: str) -> None:
    with boa.reverts("verifiers: not authorised"):
        staking.commit(worker, 1, sender=stranger)


def test_commit__by_a_removed_verifier__reverts(staking: Any, worker: str, verifier: str, admin: str) -> None:
    staking.set_verifier(verifier, False, sender=admin)
    with boa.reverts("verifiers: not authorised"):
        staking.commit(worker, 1, sender=verifier)


def test_commit__nothing__reverts(staking: Any, worker: str, verifier: str) -> None:
    with boa.reverts("staking: zero amount"):
        staking.commit(worker, 0, sender=verifier)


def test_commit__more_than_available__reverts(staking: Any, worker: str, verifier: str) -> None:
    staking.commit(worker, 400 * MILL, sender=verifier)
    staking.request_unstake(100 * MILL, sender=worker)
    with boa.reverts("stake: too little to commit"):
        staking.commit(worker, 500 * MILL + 1, sender=verifier)
    staking.commit(worker, 500 * MILL, sender=verifier)
    assert staking.available(worker) == 0


def test_release__frees_what_the_verifier_committed(staking: Any, worker: str, verifier: str) -> None:
    staking.commit(worker, 400 * MILL, sender=verifier)
    staking.release(worker, 150 * MILL, sender=verifier)
    released = {"operator": worker, "verifier": verifier, "amount": 150 * MILL}
    assert events_of(staking) == [("Released", released)]
    assert staking.committed(worker) == staking.committed_to(verifier, worker) == 250 * MILL


def test_release__more_than_committed_or_by_a_stranger__reverts(
    staking: Any, worker: str, verifier: str, stranger: str
) -> None:
    staking.commit(worker, 400 * MILL, sender=verifier)
    with boa.reverts("stake: above the commitment"):
        staking.release(worker, 400 * MILL + 1, sender=verifier)
    with boa.reverts("stake: above the commitment"):
        staking.release(worker, 1, sender=stranger)


def test_release__nothing__reverts(staking: Any, worker: str, verifier: str) -> None:
    with boa.reverts("staking: zero amount"):
        staking.release(worker, 0, sender=verifier)


def test_release__by_a_removed_verifier__still_works(
    staking: Any, worker: str, verifier: str, admin: str
) -> None:
    staking.commit(worker, 400 * MILL, sender=verifier)
    staking.set_verifier(verifier, False, sender=admin)
    staking.release(worker, 400 * MILL, sender=verifier)
    assert (staking.committed(worker), staking.available(worker)) == (0, STAKED)


# ------------------------------------------------------------------ slash
def test_slash__compensates_and_burns_the_rest(
    suite: Suite, worker: str, verifier: str, requester: str
) -> None:
    staking, mill = suite.staking, suite.mill
    staking.commit(worker, 400 * MILL, sender=verifier)
    before, supply = mill.balanceOf(requester), mill.totalSupply()
    result = staking.slash(worker, 400 * MILL, 300 * MILL, requester, 120 * MILL, REASON, sender=verifier)
    assert result == (300 * MILL, 120 * MILL)
    assert events_of(staking) == [
        ("Released", {"operator": worker, "verifier": verifier, "amount": 400 * MILL}),
        (
            "Slashed",
            {
                "operator": worker,
                "verifier": verifier,
                "reason": REASON,
                "beneficiary": requester,
                "amount": 300 * MILL,
                "compensation": 120 * MILL,
                "burned": 180 * MILL,
            },
        ),
    ]
    assert mill.balanceOf(requester) == before + 120 * MILL
    assert mill.totalSupply() == supply - 180 * MILL
    assert (staking.active(worker), staking.committed(worker)) == (700 * MILL, 0)
    assert staking.total_staked() == mill.balanceOf(staking.address) == 700 * MILL


def test_slash__without_compensation__burns_all(suite: Suite, worker: str, verifier: str) -> None:
    supply = suite.mill.totalSupply()
    assert suite.staking.slash(worker, 0, MILL, suite.requester, 0, REASON, sender=verifier) == (MILL, 0)
    assert suite.mill.totalSupply() == supply - MILL


def test_slash__compensation_above_what_was_taken__is_capped(
    suite: Suite, worker: str, verifier: str
) -> None:
    supply = suite.mill.totalSupply()
    taken = suite.staking.slash(worker, 0, MILL, suite.requester, 5 * MILL, REASON, sender=verifier)
    assert taken == (MILL, MILL)
    assert suite.mill.totalSupply() == supply


def test_slash__takes_active_stake_before_thawing_stake(
    staking: Any, worker: str, verifier: str, requester: str
) -> None:
    staking.request_unstake(300 * MILL, sender=worker)
    staking.slash(worker, 0, 600 * MILL, requester, 0, REASON, sender=verifier)
    assert (staking.active(worker), staking.thawing(worker)) == (100 * MILL, 300 * MILL)
    staking.slash(worker, 0, 250 * MILL, requester, 0, REASON, sender=verifier)
    assert (staking.active(worker), staking.thawing(worker)) == (0, 150 * MILL)


def test_slash__more_than_there_is__takes_what_there_is(
    staking: Any, worker: str, verifier: str, requester: str
) -> None:
    staking.request_unstake(300 * MILL, sender=worker)
    taken = staking.slash(worker, 0, STAKED + 1, requester, STAKED + 1, REASON, sender=verifier)
    assert taken == (STAKED, STAKED)
    assert staking.slashable(worker) == staking.total_staked() == 0
    assert staking.slash(worker, 0, 1, requester, 1, REASON, sender=verifier) == (0, 0)


def test_slash__operator_that_thaws_everything_first__loses_the_same(
    staking: Any, worker: str, verifier: str, requester: str
) -> None:
    """Front-running a slash with a request to leave gains nothing."""
    with boa.env.anchor():
        staking.slash(worker, 0, 600 * MILL, requester, 0, REASON, sender=verifier)
        left_without_running = staking.slashable(worker)
    request_id = staking.request_unstake(STAKED, sender=worker)
    staking.slash(worker, 0, 600 * MILL, requester, 0, REASON, sender=verifier)
    travel_to(now() + THAW_PERIOD)
    assert staking.withdraw(worker, request_id) == left_without_running == 400 * MILL


def test_slash__thawing_requests__share_the_loss_in_proportion(
    staking: Any, worker: str, verifier: str, requester: str
) -> None:
    for amount in (600 * MILL, 300 * MILL, 100 * MILL):
        staking.request_unstake(amount, sender=worker)
    staking.slash(worker, 0, 500 * MILL, requester, 0, REASON, sender=verifier)
    assert [staking.unstake_request(worker, i)[0] for i in range(3)] == [300 * MILL, 150 * MILL, 50 * MILL]


def test_slash__everything_then_new_stake__old_request_claims_nothing(suite: Suite, verifier: str) -> None:
    staking, worker = suite.staking, suite.worker
    old = staking.request_unstake(STAKED, sender=worker)
    staking.slash(worker, 0, STAKED, suite.requester, 0, REASON, sender=verifier)
    suite.stake(worker, 50 * MILL)
    new = staking.request_unstake(50 * MILL, sender=worker)
    travel_to(now() + THAW_PERIOD)
    assert staking.unstake_request(worker, old)[0] == 0
    assert staking.withdraw(worker, old) == 0
    assert events_of(staking) == [("Withdrawn", {"operator": worker, "request_id": old, "amount": 0})]
    assert staking.withdraw(worker, new) == 50 * MILL


def test_slash__pool_diluted_by_slashes__refuses_requests_until_it_has_drained(
    suite: Suite, verifier: str, holder: str
) -> None:
    staking, operator = suite.staking, holder
    suite.mill.approve(staking.address, 2**100, sender=holder)
    staking.stake(2**88, sender=operator)
    first = staking.request_unstake(2**88, sender=operator)
    staking.slash(operator, 0, 2**88 - 1, suite.requester, 0, REASON, sender=verifier)
    staking.stake(2**64, sender=operator)
    with boa.reverts("thawing: pool diluted"):
        staking.request_unstake(2**64, sender=operator)
    travel_to(now() + THAW_PERIOD)
    assert staking.withdraw(operator, first) == 1
    assert staking.request_unstake(2**64, sender=operator) == 1


def test_slash__beyond_the_own_commitment__leaves_nothing_available(
    staking: Any, worker: str, verifier: str, requester: str
) -> None:
    staking.commit(worker, 400 * MILL, sender=verifier)
    staking.slash(worker, 0, 700 * MILL, requester, 0, REASON, sender=verifier)
    assert (staking.active(worker), staking.committed(worker)) == (300 * MILL, 400 * MILL)
    assert staking.available(worker) == 0
    staking.release(worker, 400 * MILL, sender=verifier)
    assert staking.available(worker) == 300 * MILL


def test_slash__by_a_stranger__reverts(staking: Any, worker: str, stranger: str) -> None:
    with boa.reverts("verifiers: not authorised"):
        staking.slash(worker, 0, 1, stranger, 1, REASON, sender=stranger)
    with boa.reverts("stake: above the commitment"):
        staking.slash(worker, 1, 1, stranger, 1, REASON, sender=stranger)


def test_slash__nothing_or_for_nobody__reverts(staking: Any, worker: str, verifier: str) -> None:
    with boa.reverts("staking: zero amount"):
        staking.slash(worker, 0, 0, worker, 0, REASON, sender=verifier)
    with boa.reverts("staking: no beneficiary"):
        staking.slash(worker, 0, 1, ZERO_ADDRESS, 1, REASON, sender=verifier)


def test_slash__by_a_removed_verifier__only_within_what_it_releases(
    suite: Suite, worker: str, verifier: str
) -> None:
    staking, requester = suite.staking, suite.requester
    staking.commit(worker, 400 * MILL, sender=verifier)
    staking.set_verifier(verifier, False, sender=suite.admin)
    with boa.reverts("verifiers: not authorised"):
        staking.slash(worker, 100 * MILL, 100 * MILL + 1, requester, 0, REASON, sender=verifier)
    with boa.reverts("stake: above the commitment"):
        staking.slash(worker, 400 * MILL + 1, 400 * MILL, requester, 0, REASON, sender=verifier)
    taken = staking.slash(worker, 400 * MILL, 400 * MILL, requester, 0, REASON, sender=verifier)
    assert taken == (400 * MILL, 0)
    with boa.reverts("stake: above the commitment"):
        staking.slash(worker, 1, 1, requester, 0, REASON, sender=verifier)


def test_slash__cost__does_not_grow_with_the_number_of_requests(
    staking: Any, worker: str, verifier: str, requester: str
) -> None:
    def cost() -> int:
        with boa.env.anchor():
            staking.slash(worker, 0, STAKED // 2, requester, 0, REASON, sender=verifier)
            return int(staking._computation.get_gas_used())

    staking.request_unstake(600 * MILL, sender=worker)
    cost()  # later calls find the same storage warm
    few = cost()
    for _ in range(40):
        staking.request_unstake(MILL, sender=worker)
    assert abs(cost() - few) < few // 20


# ------------------------------------------------------------------ owner
def test_set_verifier__authorises_and_removes(staking: Any, admin: str, stranger: str) -> None:
    for authorised in (True, False):
        staking.set_verifier(stranger, authorised, sender=admin)
        assert events_of(staking) == [("VerifierSet", {"verifier": stranger, "authorised": authorised})]
        assert staking.is_verifier(stranger) is authorised


def test_set_verifier__zero_address__reverts(staking: Any, admin: str) -> None:
    with boa.reverts("verifiers: zero address"):
        staking.set_verifier(ZERO_ADDRESS, True, sender=admin)


@pytest.mark.parametrize("period", [7 * DAY, 28 * DAY])
def test_set_thaw_period__bounds__are_inclusive(staking: Any, admin: str, period: int) -> None:
    staking.set_thaw_period(period, sender=admin)
    assert events_of(staking) == [("ThawPeriodSet", {"thaw_period": period})]
    assert staking.thaw_period() == period


@pytest.mark.parametrize(
    ("period", "reason"),
    [(7 * DAY - 1, "thawing: period too short"), (28 * DAY + 1, "thawing: period too long")],
)
def test_set_thaw_period__out_of_bounds__reverts(staking: Any, admin: str, period: int, reason: str) -> None:
    with boa.reverts(reason):
        staking.set_thaw_period(period, sender=admin)


def test_settings__only_the_owner(suite: Suite, verifier: str) -> None:
    for caller in (suite.stranger, suite.worker, verifier):
        with boa.reverts("ownable: caller is not the owner"):
            suite.staking.set_verifier(caller, True, sender=caller)
        with boa.reverts("ownable: caller is not the owner"):
            suite.staking.set_thaw_period(7 * DAY, sender=caller)
