"""MillToken as ERC-20: a fixed supply, nobody in charge, and no token lost on the way."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.suite.deployment import MAX_UINT256, MILL, NOBODY, SUPPLY, actor, deploy, deployer_of, events_of
from tests.unit.contracts.token.conftest import StorageReads

MAX_SUPPLY = 2**96 - 1

NO_RECEIVER = "erc20: no receiver"
RECEIVER_IS_THE_TOKEN = "erc20: receiver is the token"
NO_BALANCE = "erc20: insufficient balance"
NO_ALLOWANCE = "erc20: insufficient allowance"


def transferred(sender: str, receiver: str, amount: int) -> tuple[str, dict[str, Any]]:
    return "Transfer", {"sender": sender, "receiver": receiver, "value": amount}


# ------------------------------------------------------------------ construction
def test_constructor__mints_everything_to_the_holder(stranger: str) -> None:
    mill = deploy("MillToken.vy", stranger, 7, False)
    assert events_of(mill) == [transferred(NOBODY, stranger, 7)]
    assert (mill.totalSupply(), mill.balanceOf(stranger)) == (7, 7)
    assert (mill.name(), mill.symbol(), mill.decimals()) == ("Proofmill", "MILL", 18)


def test_constructor__leaves_the_deployer_with_nothing(stranger: str) -> None:
    deployer = actor("deployer")
    mill = deploy("MillToken.vy", stranger, 7, False, sender=deployer)
    assert (mill.balanceOf(deployer), mill.allowance(stranger, deployer)) == (0, 0)


def test_constructor__the_largest_supply_is_accepted(stranger: str) -> None:
    mill = deploy("MillToken.vy", stranger, MAX_SUPPLY, False)
    assert (mill.totalSupply(), mill.balanceOf(stranger)) == (MAX_SUPPLY, MAX_SUPPLY)
    assert mill.delegates(stranger) == NOBODY


@pytest.mark.parametrize(
    ("supply", "reason"),
    [
        (0, "mill: no supply"),
        (MAX_SUPPLY + 1, "mill: supply too large"),
        (MAX_UINT256, "mill: supply too large"),
    ],
)
def test_constructor__supply_out_of_bounds__reverts(stranger: str, supply: int, reason: str) -> None:
    with boa.reverts(reason):
        deploy("MillToken.vy", stranger, supply, False)


def test_constructor__no_holder__reverts() -> None:
    with boa.reverts("mill: no holder"):
        deploy("MillToken.vy", NOBODY, 1, False)


def test_constructor__holder_is_the_token__reverts() -> None:
    address = actor("address of the token")
    with boa.reverts("mill: holder is the token"):
        deployer_of("MillToken.vy").deploy(address, 1, False, override_address=address)


# ------------------------------------------------------------------ transfer
def test_transfer__moves_tokens_and_logs(mill: Any, holder: str, receiver: str) -> None:
    assert mill.transfer(receiver, 3, sender=holder) is True
    assert events_of(mill) == [transferred(holder, receiver, 3)]
    assert (mill.balanceOf(holder), mill.balanceOf(receiver)) == (SUPPLY - 3, 3)
    assert mill.totalSupply() == SUPPLY


def test_transfer__nothing__is_a_transfer(mill: Any, stranger: str, receiver: str) -> None:
    assert mill.transfer(receiver, 0, sender=stranger) is True
    assert events_of(mill) == [transferred(stranger, receiver, 0)]


def test_transfer__everything__leaves_nothing(mill: Any, holder: str, receiver: str) -> None:
    mill.transfer(receiver, SUPPLY, sender=holder)
    assert (mill.balanceOf(holder), mill.balanceOf(receiver)) == (0, SUPPLY)


@pytest.mark.parametrize("amount", [0, 1, SUPPLY])
def test_transfer__to_oneself__changes_nothing(mill: Any, holder: str, amount: int) -> None:
    mill.delegate(holder, sender=holder)
    mill.transfer(holder, amount, sender=holder)
    assert events_of(mill) == [transferred(holder, holder, amount)]
    assert (mill.balanceOf(holder), mill.getVotes(holder)) == (SUPPLY, SUPPLY)


def test_transfer__to_oneself_more_than_the_balance__reverts(mill: Any, holder: str) -> None:
    with boa.reverts(NO_BALANCE):
        mill.transfer(holder, SUPPLY + 1, sender=holder)


@pytest.mark.parametrize("amount", [1, MAX_SUPPLY, 2**96, MAX_UINT256])
def test_transfer__more_than_the_balance__reverts(mill: Any, holder: str, stranger: str, amount: int) -> None:
    with boa.reverts(NO_BALANCE):
        mill.transfer(holder, amount, sender=stranger)


@pytest.mark.parametrize("amount", [SUPPLY + 1, 2**96, MAX_UINT256])
def test_transfer__delegate_beside_the_balance__is_not_money(
    mill: Any, holder: str, receiver: str, amount: int
) -> None:
    mill.delegate("0x" + "ff" * 20, sender=holder)
    assert mill.balanceOf(holder) == SUPPLY
    with boa.reverts(NO_BALANCE):
        mill.transfer(receiver, amount, sender=holder)


def test_transfer__largest_balance__does_not_reach_the_delegate(holder: str, receiver: str) -> None:
    mill = deploy("MillToken.vy", holder, MAX_SUPPLY, False)
    delegates = {holder: actor("one delegate"), receiver: actor("another delegate")}
    for account, delegate in delegates.items():
        mill.delegate(delegate, sender=account)
    for source, target in ((holder, receiver), (receiver, holder)):
        mill.transfer(target, MAX_SUPPLY, sender=source)
        assert (mill.balanceOf(source), mill.balanceOf(target)) == (0, MAX_SUPPLY)
        assert {account: mill.delegates(account) for account in delegates} == delegates


def test_transfer__to_nobody__reverts(mill: Any, holder: str) -> None:
    with boa.reverts(NO_RECEIVER):
        mill.transfer(NOBODY, 1, sender=holder)


def test_transfer__to_the_token__reverts(mill: Any, holder: str) -> None:
    with boa.reverts(RECEIVER_IS_THE_TOKEN):
        mill.transfer(mill.address, 1, sender=holder)


@pytest.mark.parametrize(("calls_transfer_from", "words"), [(False, 2), (True, 3)])
def test_transfer__without_delegates__reads_no_word_of_votes(
    mill: Any,
    holder: str,
    receiver: str,
    spender: str,
    storage_reads: StorageReads,
    calls_transfer_from: bool,
    words: int,
) -> None:
    """Every job pays for this: two accounts and, for a spender, its allowance."""
    mill.approve(spender, 5, sender=holder)
    storage_reads.slots.clear()
    if calls_transfer_from:
        mill.transferFrom(holder, receiver, 5, sender=spender)
    else:
        mill.transfer(receiver, 5, sender=holder)
    assert len(storage_reads.slots) == words


def test_transfer__between_accounts_of_one_delegate__writes_no_votes(
    mill: Any, holder: str, receiver: str, voter: str
) -> None:
    mill.delegate(voter, sender=holder)
    mill.delegate(voter, sender=receiver)
    mill.transfer(receiver, 5, sender=holder)
    assert events_of(mill) == [transferred(holder, receiver, 5)]
    assert (mill.getVotes(voter), mill.numCheckpoints(voter)) == (SUPPLY, 1)


# ------------------------------------------------------------------ approve and transferFrom
def test_approve__sets_the_allowance_and_logs(mill: Any, holder: str, spender: str) -> None:
    for amount in (5, 3, 0, MAX_UINT256):
        assert mill.approve(spender, amount, sender=holder) is True
        assert events_of(mill) == [("Approval", {"owner": holder, "spender": spender, "value": amount})]
        assert mill.allowance(holder, spender) == amount


def test_approve__nobody__reverts(mill: Any, holder: str) -> None:
    with boa.reverts("erc20: no spender"):
        mill.approve(NOBODY, 1, sender=holder)


def test_transfer_from__spends_the_allowance(mill: Any, holder: str, spender: str, receiver: str) -> None:
    mill.approve(spender, 5, sender=holder)
    assert mill.transferFrom(holder, receiver, 3, sender=spender) is True
    assert events_of(mill) == [transferred(holder, receiver, 3)]
    assert (mill.balanceOf(receiver), mill.allowance(holder, spender)) == (3, 2)
    with boa.reverts(NO_ALLOWANCE):
        mill.transferFrom(holder, receiver, 3, sender=spender)
    mill.transferFrom(holder, receiver, 2, sender=spender)
    assert mill.allowance(holder, spender) == 0


def test_transfer_from__without_limit__is_not_used_up(
    mill: Any, holder: str, spender: str, receiver: str
) -> None:
    mill.approve(spender, MAX_UINT256, sender=holder)
    mill.transferFrom(holder, receiver, 3, sender=spender)
    assert mill.allowance(holder, spender) == MAX_UINT256


def test_transfer_from__one_less_than_without_limit__is_used_up(
    mill: Any, holder: str, spender: str, receiver: str
) -> None:
    mill.approve(spender, MAX_UINT256 - 1, sender=holder)
    mill.transferFrom(holder, receiver, 3, sender=spender)
    assert mill.allowance(holder, spender) == MAX_UINT256 - 4


def test_transfer_from__a_stranger__reverts(mill: Any, holder: str, spender: str, stranger: str) -> None:
    mill.approve(spender, MAX_UINT256, sender=holder)
    with boa.reverts(NO_ALLOWANCE):
        mill.transferFrom(holder, stranger, 1, sender=stranger)


def test_transfer_from__the_owner_needs_an_allowance_too(mill: Any, holder: str, receiver: str) -> None:
    with boa.reverts(NO_ALLOWANCE):
        mill.transferFrom(holder, receiver, 1, sender=holder)


def test_transfer_from__more_than_the_balance__reverts_and_keeps_the_allowance(
    mill: Any, spender: str, receiver: str, stranger: str
) -> None:
    mill.approve(spender, 9, sender=stranger)
    with boa.reverts(NO_BALANCE):
        mill.transferFrom(stranger, receiver, 9, sender=spender)
    assert mill.allowance(stranger, spender) == 9


def test_transfer_from__to_nobody_or_to_the_token__reverts(mill: Any, holder: str, spender: str) -> None:
    mill.approve(spender, MAX_UINT256, sender=holder)
    with boa.reverts(NO_RECEIVER):
        mill.transferFrom(holder, NOBODY, 1, sender=spender)
    with boa.reverts(RECEIVER_IS_THE_TOKEN):
        mill.transferFrom(holder, mill.address, 1, sender=spender)


# ------------------------------------------------------------------ burning
def test_burn__lowers_the_supply_and_logs(mill: Any, holder: str) -> None:
    mill.burn(MILL, sender=holder)
    assert events_of(mill) == [transferred(holder, NOBODY, MILL)]
    assert (mill.totalSupply(), mill.balanceOf(holder)) == (SUPPLY - MILL, SUPPLY - MILL)
    assert mill.balanceOf(NOBODY) == 0


def test_burn__nothing__changes_nothing(mill: Any, holder: str, storage_reads: StorageReads) -> None:
    """Not even the trace of the supply, which anybody could lengthen for nothing."""
    boa.env.evm.patch.block_number += 1
    mill.burn(0, sender=holder)
    assert len(storage_reads.slots) == 1
    assert events_of(mill) == [transferred(holder, NOBODY, 0)]
    assert mill.totalSupply() == SUPPLY


def test_burn__everything__leaves_no_supply(mill: Any, holder: str) -> None:
    mill.burn(SUPPLY, sender=holder)
    assert (mill.totalSupply(), mill.balanceOf(holder)) == (0, 0)


@pytest.mark.parametrize("amount", [1, 2**96, MAX_UINT256])
def test_burn__more_than_the_balance__reverts(mill: Any, stranger: str, amount: int) -> None:
    mill.delegate(stranger, sender=stranger)
    with boa.reverts(NO_BALANCE):
        mill.burn(amount, sender=stranger)


def test_burn_from__needs_and_spends_an_allowance(mill: Any, holder: str, spender: str) -> None:
    with boa.reverts(NO_ALLOWANCE):
        mill.burn_from(holder, 1, sender=spender)
    mill.approve(spender, 3, sender=holder)
    mill.burn_from(holder, 2, sender=spender)
    assert events_of(mill) == [transferred(holder, NOBODY, 2)]
    assert (mill.totalSupply(), mill.allowance(holder, spender)) == (SUPPLY - 2, 1)


def test_burn_from__without_limit__is_not_used_up(mill: Any, holder: str, spender: str) -> None:
    mill.approve(spender, MAX_UINT256, sender=holder)
    mill.burn_from(holder, 2, sender=spender)
    assert mill.allowance(holder, spender) == MAX_UINT256


def test_burn_from__more_than_the_balance__reverts(mill: Any, stranger: str, spender: str) -> None:
    mill.approve(spender, 1, sender=stranger)
    with boa.reverts(NO_BALANCE):
        mill.burn_from(stranger, 1, sender=spender)
