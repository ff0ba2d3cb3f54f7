"""ERC-2612: allowances by signature, each once, for one spender, on one chain, in one contract."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.suite.deployment import MAX_UINT256, NOBODY, SUPPLY, deploy, events_of, now
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

AMOUNT = 9

BAD_SIGNATURE = "permit: bad signature"


@pytest.fixture
def permit(holder: str, spender: str) -> Permit:
    return Permit(holder, spender, AMOUNT, now() + 60)


def assert_refused(mill: Any, permit: Permit, signature: Signature, reason: str = BAD_SIGNATURE) -> None:
    before = (mill.allowance(permit.owner, permit.spender), mill.nonces(permit.owner))
    with boa.reverts(reason):
        mill.permit(*permit, *signature)
    assert (mill.allowance(permit.owner, permit.spender), mill.nonces(permit.owner)) == before


def test_permit__sets_the_allowance_for_whoever_brings_it(mill: Any, permit: Permit, stranger: str) -> None:
    mill.permit(*permit, *permit.sign(mill, 0), sender=stranger)
    assert events_of(mill) == [
        ("Approval", {"owner": permit.owner, "spender": permit.spender, "value": AMOUNT})
    ]
    assert (mill.allowance(permit.owner, permit.spender), mill.nonces(permit.owner)) == (AMOUNT, 1)
    mill.transferFrom(permit.owner, stranger, AMOUNT, sender=permit.spender)
    assert mill.balanceOf(stranger) == AMOUNT


def test_permit__replaces_the_allowance_before(mill: Any, permit: Permit) -> None:
    mill.approve(permit.spender, MAX_UINT256, sender=permit.owner)
    mill.permit(*permit, *permit.sign(mill, 0))
    assert mill.allowance(permit.owner, permit.spender) == AMOUNT


def test_permit__without_limit__is_not_used_up(mill: Any, permit: Permit, stranger: str) -> None:
    permit = permit._replace(value=MAX_UINT256)
    mill.permit(*permit, *permit.sign(mill, 0))
    mill.transferFrom(permit.owner, stranger, 5, sender=permit.spender)
    assert mill.allowance(permit.owner, permit.spender) == MAX_UINT256


def test_permit__twice__reverts(mill: Any, permit: Permit) -> None:
    signature = permit.sign(mill, 0)
    mill.permit(*permit, *signature)
    mill.transferFrom(permit.owner, permit.spender, AMOUNT, sender=permit.spender)
    assert_refused(mill, permit, signature)


def test_permit__one_after_another__in_the_order_of_nonces(mill: Any, permit: Permit) -> None:
    second = permit._replace(value=AMOUNT + 1)
    assert_refused(mill, second, second.sign(mill, 1))
    mill.permit(*permit, *permit.sign(mill, 0))
    mill.permit(*second, *second.sign(mill, 1))
    assert (mill.allowance(permit.owner, permit.spender), mill.nonces(permit.owner)) == (AMOUNT + 1, 2)


def test_permit__front_run__the_allowance_is_there_all_the_same(
    mill: Any, permit: Permit, stranger: str
) -> None:
    """Who needs the allowance must ignore the failure, as `post_with_permit` does."""
    signature = permit.sign(mill, 0)
    mill.permit(*permit, *signature, sender=stranger)
    with boa.reverts(BAD_SIGNATURE):
        mill.permit(*permit, *signature, sender=permit.spender)
    mill.transferFrom(permit.owner, permit.spender, AMOUNT, sender=permit.spender)
    assert mill.balanceOf(permit.spender) == AMOUNT


def test_permit__last_second__is_accepted(mill: Any, permit: Permit) -> None:
    permit = permit._replace(deadline=now())
    mill.permit(*permit, *permit.sign(mill, 0))
    assert mill.allowance(permit.owner, permit.spender) == AMOUNT


@pytest.mark.parametrize("is_timestamp", [False, True])
def test_permit__after_the_deadline__reverts(holder: str, permit: Permit, is_timestamp: bool) -> None:
    """Deadlines are unix time whatever the clock of the votes."""
    mill = deploy("MillToken.vy", holder, SUPPLY, is_timestamp)
    permit = permit._replace(deadline=now() - 1)
    assert_refused(mill, permit, permit.sign(mill, 0), "permit: expired")


@pytest.mark.parametrize(
    "change",
    [{"value": AMOUNT + 1}, {"deadline": MAX_UINT256}, {"spender": OTHER.address}, {"owner": OTHER.address}],
)
def test_permit__other_than_signed__reverts(mill: Any, permit: Permit, change: dict[str, Any]) -> None:
    assert_refused(mill, permit._replace(**change), permit.sign(mill, 0))


def test_permit__signed_by_another__reverts(mill: Any, permit: Permit) -> None:
    assert_refused(mill, permit, permit.sign(mill, 0, signer=OTHER))


@pytest.mark.parametrize(
    "domain",
    [{"name": "Proofmil1"}, {"version": "2"}, {"chainId": 10}, {"verifyingContract": OTHER.address}],
)
def test_permit__for_another_domain__reverts(mill: Any, permit: Permit, domain: dict[str, Any]) -> None:
    assert_refused(mill, permit, permit.sign(mill, 0, **domain))


def test_permit__for_a_twin_of_the_token__reverts(mill: Any, permit: Permit, holder: str) -> None:
    twin = deploy("MillToken.vy", holder, SUPPLY, False)
    signature = permit.sign(twin, 0)
    assert_refused(mill, permit, signature)
    twin.permit(*permit, *signature)
    assert twin.allowance(permit.owner, permit.spender) == AMOUNT


def test_permit__after_a_fork__counts_on_one_side_only(mill: Any, permit: Permit) -> None:
    before_the_fork = permit.sign(mill, 0)
    separator = mill.DOMAIN_SEPARATOR()
    boa.env.evm.patch.chain_id += 1
    assert mill.DOMAIN_SEPARATOR() != separator
    assert_refused(mill, permit, before_the_fork)
    mill.permit(*permit, *permit.sign(mill, 0))
    boa.env.evm.patch.chain_id -= 1
    assert mill.DOMAIN_SEPARATOR() == separator


def test_permit__second_signature_made_of_the_first__reverts(mill: Any, permit: Permit) -> None:
    assert_refused(mill, permit, permit.sign(mill, 0).malleated())


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_permit__odd_v__reverts(mill: Any, permit: Permit, v: int) -> None:
    assert_refused(mill, permit, permit.sign(mill, 0)._replace(v=v))


def test_permit__other_parity__reverts(mill: Any, permit: Permit) -> None:
    signature = permit.sign(mill, 0)
    assert_refused(mill, permit, signature._replace(v=55 - signature.v))


@pytest.mark.parametrize("signature", [NO_SIGNATURE, NO_SIGNATURE._replace(v=0)])
def test_permit__failed_recovery__is_no_signature_of_nobody(
    mill: Any, permit: Permit, signature: Signature
) -> None:
    assert_refused(mill, permit, signature)
    assert_refused(mill, permit._replace(owner=NOBODY), signature, "permit: no owner")


def test_permit__for_nobody__reverts(mill: Any, permit: Permit) -> None:
    permit = permit._replace(spender=NOBODY)
    assert_refused(mill, permit, permit.sign(mill, 0), "erc20: no spender")


def test_permit__signatures_of_another_purpose__revert(mill: Any, permit: Permit) -> None:
    """Chosen so that as many words as possible agree."""
    nonce = bytes(32)
    payment = Payment(permit.owner, permit.spender, AMOUNT, 0, permit.deadline, nonce)
    for signature in (
        payment.sign(mill, "TransferWithAuthorization"),
        payment.sign(mill, "ReceiveWithAuthorization"),
        sign_cancel(mill, nonce),
        Delegation(permit.spender, 0, permit.deadline).sign(mill),
    ):
        assert_refused(mill, permit, signature)


def test_permit__owner_with_code_of_a_delegate__signs_as_before(mill: Any, permit: Permit) -> None:
    """EIP-7702: an account that delegated its code is still the account of its key."""
    boa.env.set_code(OWNER.address, bytes.fromhex("ef0100") + bytes.fromhex(str(mill.address)[2:]))
    mill.permit(*permit, *permit.sign(mill, 0))
    assert mill.allowance(permit.owner, permit.spender) == AMOUNT
