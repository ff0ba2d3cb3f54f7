"""ERC-5805 and ERC-6372: who votes with how much, now and at every timepoint that is over, by either clock."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.suite.deployment import MAX_UINT256, NOBODY, SUPPLY, actor, events_of, now, travel_to
from tests.unit.contracts.token.conftest import Clock, StorageReads
from tests.unit.contracts.token.typed_data import (
    NO_SIGNATURE,
    OTHER,
    OWNER,
    Delegation,
    Payment,
    Permit,
    Signature,
    sign_cancel,
)

NOT_OVER = "votes: timepoint not over"


def changed(delegator: str, before: str, after: str) -> tuple[str, dict[str, Any]]:
    return "DelegateChanged", {"delegator": delegator, "fromDelegate": before, "toDelegate": after}


def votes_changed(delegate: str, before: int, after: int) -> tuple[str, dict[str, Any]]:
    return "DelegateVotesChanged", {"delegate": delegate, "previousVotes": before, "newVotes": after}


def transferred(sender: str, receiver: str, amount: int) -> tuple[str, dict[str, Any]]:
    return "Transfer", {"sender": sender, "receiver": receiver, "value": amount}


def trace(token: Any, account: str) -> list[tuple[int, int]]:
    return [tuple(token.checkpoints(account, index)) for index in range(token.numCheckpoints(account))]


# ------------------------------------------------------------------ the clock
def test_clock__is_the_one_chosen(voting: Any, clock: Clock) -> None:
    assert voting.clock() == clock.time
    clock.advance()
    assert voting.clock() == clock.time
    mode = "mode=timestamp" if clock.is_timestamp else "mode=blocknumber&from=default"
    assert voting.CLOCK_MODE() == mode


def test_clock__the_other_one__does_not_matter(voting: Any, clock: Clock, holder: str) -> None:
    voting.delegate(holder, sender=holder)
    time = clock.time
    if clock.is_timestamp:
        boa.env.evm.patch.block_number += 1
    else:
        travel_to(now() + 1)
    assert voting.clock() == time
    with boa.reverts(NOT_OVER):
        voting.getPastVotes(holder, time)


# ------------------------------------------------------------------ delegate
def test_delegate__gives_the_votes_of_all_tokens(voting: Any, holder: str, voter: str) -> None:
    assert (voting.delegates(holder), voting.getVotes(holder)) == (NOBODY, 0)
    voting.delegate(voter, sender=holder)
    assert events_of(voting) == [changed(holder, NOBODY, voter), votes_changed(voter, 0, SUPPLY)]
    assert (voting.delegates(holder), voting.getVotes(voter), voting.getVotes(holder)) == (voter, SUPPLY, 0)
    assert voting.balanceOf(holder) == SUPPLY


def test_delegate__to_another__moves_the_votes(voting: Any, holder: str, voter: str, stranger: str) -> None:
    voting.delegate(voter, sender=holder)
    voting.delegate(stranger, sender=holder)
    assert events_of(voting) == [
        changed(holder, voter, stranger),
        votes_changed(voter, SUPPLY, 0),
        votes_changed(stranger, 0, SUPPLY),
    ]
    assert (voting.getVotes(voter), voting.getVotes(stranger)) == (0, SUPPLY)


def test_delegate__to_nobody__takes_the_votes_back(voting: Any, holder: str, voter: str) -> None:
    voting.delegate(voter, sender=holder)
    voting.delegate(NOBODY, sender=holder)
    assert events_of(voting) == [changed(holder, voter, NOBODY), votes_changed(voter, SUPPLY, 0)]
    assert (voting.delegates(holder), voting.getVotes(voter), voting.getVotes(NOBODY)) == (NOBODY, 0, 0)


def test_delegate__to_the_same__changes_no_votes(voting: Any, holder: str, voter: str, clock: Clock) -> None:
    voting.delegate(voter, sender=holder)
    clock.advance()
    voting.delegate(voter, sender=holder)
    assert events_of(voting) == [changed(holder, voter, voter)]
    assert (voting.getVotes(voter), voting.numCheckpoints(voter)) == (SUPPLY, 1)


def test_delegate__without_tokens__changes_no_votes(voting: Any, stranger: str, voter: str) -> None:
    voting.delegate(voter, sender=stranger)
    assert events_of(voting) == [changed(stranger, NOBODY, voter)]
    assert (voting.getVotes(voter), voting.numCheckpoints(voter)) == (0, 0)


def test_delegate__goes_one_step(voting: Any, holder: str, voter: str, stranger: str) -> None:
    voting.delegate(voter, sender=holder)
    voting.delegate(stranger, sender=voter)
    assert (voting.getVotes(voter), voting.getVotes(stranger)) == (SUPPLY, 0)


# ------------------------------------------------------------------ what moves tokens moves votes
def test_transfer__between_delegates__moves_votes(
    voting: Any, holder: str, receiver: str, voter: str
) -> None:
    voting.delegate(holder, sender=holder)
    voting.delegate(voter, sender=receiver)
    voting.transfer(receiver, 5, sender=holder)
    assert events_of(voting) == [
        transferred(holder, receiver, 5),
        votes_changed(holder, SUPPLY, SUPPLY - 5),
        votes_changed(voter, 0, 5),
    ]


def test_transfer__to_one_without_delegate__ends_votes(voting: Any, holder: str, receiver: str) -> None:
    voting.delegate(holder, sender=holder)
    voting.transfer(receiver, 5, sender=holder)
    assert events_of(voting) == [
        transferred(holder, receiver, 5),
        votes_changed(holder, SUPPLY, SUPPLY - 5),
    ]
    voting.transfer(holder, 2, sender=receiver)
    assert events_of(voting) == [
        transferred(receiver, holder, 2),
        votes_changed(holder, SUPPLY - 5, SUPPLY - 3),
    ]


def test_transfer__of_nothing__writes_no_votes(voting: Any, holder: str, receiver: str, clock: Clock) -> None:
    voting.delegate(holder, sender=holder)
    clock.advance()
    voting.transfer(receiver, 0, sender=holder)
    assert events_of(voting) == [transferred(holder, receiver, 0)]
    assert voting.numCheckpoints(holder) == 1


def test_burn__ends_votes_and_lowers_the_supply_from_then_on(voting: Any, holder: str, clock: Clock) -> None:
    voting.delegate(holder, sender=holder)
    minted = clock.advance()
    voting.burn(5, sender=holder)
    assert events_of(voting) == [
        transferred(holder, NOBODY, 5),
        votes_changed(holder, SUPPLY, SUPPLY - 5),
    ]
    burned = clock.advance()
    assert [voting.getPastTotalSupply(time) for time in (minted - 1, minted, burned - 1, burned)] == [
        0,
        SUPPLY,
        SUPPLY,
        SUPPLY - 5,
    ]
    assert [voting.getPastVotes(holder, time) for time in (minted, burned)] == [SUPPLY, SUPPLY - 5]


def test_burn__of_undelegated_tokens__lowers_the_supply_only(
    voting: Any, holder: str, receiver: str, spender: str, clock: Clock
) -> None:
    voting.transfer(receiver, 7, sender=holder)
    voting.delegate(holder, sender=holder)
    voting.approve(spender, 7, sender=receiver)
    voting.burn_from(receiver, 7, sender=spender)
    assert events_of(voting) == [transferred(receiver, NOBODY, 7)]
    over = clock.advance()
    assert voting.getPastTotalSupply(over) == voting.getPastVotes(holder, over) == SUPPLY - 7


# ------------------------------------------------------------------ the past
def test_past_votes__of_the_present_and_the_future__revert(voting: Any, holder: str, clock: Clock) -> None:
    voting.delegate(holder, sender=holder)
    for time in (clock.time, clock.time + 1, 2**48 - 1, 2**48, MAX_UINT256):
        with boa.reverts(NOT_OVER):
            voting.getPastVotes(holder, time)
        with boa.reverts(NOT_OVER):
            voting.getPastTotalSupply(time)


def test_past_votes__before_anything__are_none(voting: Any, holder: str, clock: Clock) -> None:
    voting.delegate(holder, sender=holder)
    assert voting.getPastVotes(holder, clock.time - 1) == 0
    assert voting.getPastTotalSupply(clock.time - 1) == 0
    assert (voting.getPastVotes(holder, 0), voting.getPastTotalSupply(0)) == (0, 0)


def test_past_votes__of_nobody_and_of_strangers__are_none(
    voting: Any, holder: str, stranger: str, clock: Clock
) -> None:
    voting.burn(1, sender=holder)
    over = clock.advance()
    for account in (NOBODY, stranger, str(voting.address)):
        assert (voting.getVotes(account), voting.getPastVotes(account, over)) == (0, 0)
        assert voting.numCheckpoints(account) == 0


def test_past_votes__are_those_at_the_end_of_the_timepoint(voting: Any, holder: str, clock: Clock) -> None:
    voting.delegate(holder, sender=holder)
    voting.burn(1, sender=holder)
    voting.burn(2, sender=holder)
    over = clock.advance()
    assert voting.getPastVotes(holder, over) == SUPPLY - 3
    assert trace(voting, holder) == [(over, SUPPLY - 3)]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7, 8, 33, 100])
def test_past_votes__every_timepoint_of_a_trace(voting: Any, holder: str, clock: Clock, length: int) -> None:
    start = clock.time
    expected: dict[int, int] = {}
    voting.delegate(holder, sender=holder)
    for number in range(length):
        voting.burn(1, sender=holder)
        expected[clock.time] = SUPPLY - 1 - number
        clock.advance()
    assert trace(voting, holder) == list(expected.items())
    assert voting.getPastVotes(holder, start - 1) == voting.getPastTotalSupply(start - 1) == 0
    for time, votes in expected.items():
        assert voting.getPastVotes(holder, time) == voting.getPastVotes(holder, time + 1) == votes
        assert voting.getPastTotalSupply(time) == votes


def test_checkpoints__beyond_the_last__revert(voting: Any, holder: str, clock: Clock) -> None:
    voting.delegate(holder, sender=holder)
    clock.advance()
    voting.burn(1, sender=holder)
    assert (voting.numCheckpoints(holder), len(trace(voting, holder))) == (2, 2)
    for index in (2, 2**32 - 1):
        with boa.reverts("votes: no such checkpoint"):
            voting.checkpoints(holder, index)
    with boa.reverts("votes: no such checkpoint"):
        voting.checkpoints(NOBODY, 0)


# ------------------------------------------------------------------ attacks
def test_flash_loan__votes_of_one_timepoint__count_at_none(
    voting: Any, holder: str, stranger: str, clock: Clock
) -> None:
    """Borrow, delegate, give back within a timepoint: nothing at the one before, at this one or at later ones."""
    voting.delegate(holder, sender=holder)
    before = clock.advance()
    voting.transfer(stranger, SUPPLY, sender=holder)
    voting.delegate(stranger, sender=stranger)
    assert voting.getVotes(stranger) == SUPPLY
    assert voting.getPastVotes(stranger, before) == 0
    with boa.reverts(NOT_OVER):
        voting.getPastVotes(stranger, clock.time)
    voting.transfer(holder, SUPPLY, sender=stranger)
    during = clock.advance()
    for time in (before, during, clock.time - 1):
        assert (voting.getPastVotes(stranger, time), voting.getPastVotes(holder, time)) == (0, SUPPLY)


def test_double_vote__tokens_passed_on__count_once(
    voting: Any, holder: str, receiver: str, clock: Clock
) -> None:
    for account in (holder, receiver):
        voting.delegate(account, sender=account)
    snapshot = clock.advance()
    voting.transfer(receiver, SUPPLY, sender=holder)
    clock.advance()
    assert voting.getPastVotes(holder, snapshot) + voting.getPastVotes(receiver, snapshot) == SUPPLY


def test_dust__many_checkpoints__leave_lookups_cheap(
    voting: Any, holder: str, clock: Clock, storage_reads: StorageReads
) -> None:
    """Anyone can lengthen a delegate's trace by one word for each timepoint. Its readers pay for the logarithm."""
    voting.delegate(holder, sender=holder)
    first = clock.time
    for _ in range(300):
        clock.advance()
        voting.burn(1, sender=holder)
    words = []
    for time in (first, clock.time - 1, clock.advance()):
        storage_reads.slots.clear()
        voting.getPastVotes(holder, time)
        words.append(len(storage_reads.slots))
    assert words[0] <= 11
    assert words[1] <= 7  # the latest, one near the end, and a search of the last seventeen
    assert words[2] == 1


# ------------------------------------------------------------------ delegateBySig
def test_delegate_by_sig__delegates_for_the_signer(voting: Any, voter: str, stranger: str) -> None:
    delegation = Delegation(voter, 0, now())
    voting.delegateBySig(*delegation, *delegation.sign(voting), sender=stranger)
    assert events_of(voting) == [changed(OWNER.address, NOBODY, voter), votes_changed(voter, 0, SUPPLY)]
    assert (voting.delegates(OWNER.address), voting.nonces(OWNER.address)) == (voter, 1)
    assert (voting.delegates(stranger), voting.nonces(stranger)) == (NOBODY, 0)


def test_delegate_by_sig__to_nobody__takes_the_votes_back(voting: Any, voter: str) -> None:
    voting.delegate(voter, sender=OWNER.address)
    delegation = Delegation(NOBODY, 0, now())
    voting.delegateBySig(*delegation, *delegation.sign(voting))
    assert (voting.delegates(OWNER.address), voting.getVotes(voter)) == (NOBODY, 0)


def test_delegate_by_sig__twice__reverts(voting: Any, voter: str, holder: str) -> None:
    delegation = Delegation(voter, 0, MAX_UINT256)
    signature = delegation.sign(voting)
    voting.delegateBySig(*delegation, *signature)
    voting.delegate(holder, sender=holder)
    with boa.reverts("votes: wrong nonce"):
        voting.delegateBySig(*delegation, *signature)
    assert voting.delegates(holder) == holder


def test_delegate_by_sig__ahead_of_its_nonce__reverts(voting: Any, voter: str) -> None:
    delegation = Delegation(voter, 1, MAX_UINT256)
    with boa.reverts("votes: wrong nonce"):
        voting.delegateBySig(*delegation, *delegation.sign(voting))


def test_delegate_by_sig__shares_its_nonces_with_permits(voting: Any, voter: str, holder: str) -> None:
    """So a holder takes back a delegation that it has signed by a permit of nothing, and the other way round."""
    delegation, permit = Delegation(voter, 0, MAX_UINT256), Permit(holder, voter, 5, MAX_UINT256)
    with boa.env.anchor():
        voting.permit(*permit, *permit.sign(voting, 0))
        with boa.reverts("votes: wrong nonce"):
            voting.delegateBySig(*delegation, *delegation.sign(voting))
    signature = permit.sign(voting, 0)
    voting.delegateBySig(*delegation, *delegation.sign(voting))
    with boa.reverts("permit: bad signature"):
        voting.permit(*permit, *signature)
    voting.permit(*permit, *permit.sign(voting, 1))
    assert voting.nonces(holder) == 2


def test_delegate_by_sig__after_its_expiry__reverts(voting: Any, voter: str) -> None:
    """Expiry is unix time whatever the clock of the votes."""
    delegation = Delegation(voter, 0, now())
    signature = delegation.sign(voting)
    travel_to(now() + 1)
    with boa.reverts("votes: signature expired"):
        voting.delegateBySig(*delegation, *signature)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_delegate_by_sig__odd_v__reverts(voting: Any, voter: str, v: int) -> None:
    delegation = Delegation(voter, 0, MAX_UINT256)
    with boa.reverts("votes: bad signature"):
        voting.delegateBySig(*delegation, *delegation.sign(voting)._replace(v=v))


def test_delegate_by_sig__malleated_or_empty__reverts(voting: Any, voter: str) -> None:
    delegation = Delegation(voter, 0, MAX_UINT256)
    for signature in (delegation.sign(voting).malleated(), NO_SIGNATURE):
        with boa.reverts("votes: bad signature"):
            voting.delegateBySig(*delegation, *signature)


def assert_nothing_of_the_owner(token: Any, delegation: Delegation, signature: Signature) -> None:
    """What was not signed recovers to an account that nobody has and that has nothing, or to none at all."""
    try:
        token.delegateBySig(*delegation, *signature)
        refusal = ""
    except boa.BoaError as error:
        refusal = str(error)
    assert not refusal or "votes: bad signature" in refusal or "votes: wrong nonce" in refusal
    for account in (OWNER.address, OTHER.address):
        assert (token.delegates(account), token.nonces(account)) == (NOBODY, 0)
    assert token.getVotes(delegation.delegatee) == 0


def test_delegate_by_sig__not_signed_for_this__never_binds_the_owner(
    voting: Any, voter: str, stranger: str
) -> None:
    delegation = Delegation(voter, 0, MAX_UINT256)
    nonce = bytes(32)
    payment = Payment(OWNER.address, voter, 0, 0, MAX_UINT256, nonce)
    good = delegation.sign(voting)
    for signature in (
        Permit(OWNER.address, voter, 0, MAX_UINT256).sign(voting, 0),
        payment.sign(voting, "TransferWithAuthorization"),
        payment.sign(voting, "ReceiveWithAuthorization"),
        sign_cancel(voting, nonce),
        delegation.sign(voting, chainId=10),
        delegation.sign(voting, verifyingContract=actor("twin")),
        delegation.sign(voting, version="2"),
        good._replace(v=55 - good.v),
        good._replace(r=bytes(31) + b"\1"),
    ):
        assert_nothing_of_the_owner(voting, delegation, signature)
    assert_nothing_of_the_owner(voting, delegation._replace(delegatee=stranger), good)
    assert_nothing_of_the_owner(voting, delegation._replace(expiry=now()), good)
    boa.env.evm.patch.chain_id += 1
    assert_nothing_of_the_owner(voting, delegation, good)
