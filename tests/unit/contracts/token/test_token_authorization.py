"""ERC-3009: transfers by signature, each once, in its time, and only for what was signed."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.suite.deployment import MAX_UINT256, NOBODY, SUPPLY, actor, deploy, events_of, now, travel_to
from tests.unit.contracts.token.typed_data import (
    NO_SIGNATURE,
    OTHER,
    Delegation,
    Payment,
    Permit,
    Signature,
    sign_cancel,
)

AMOUNT = 9
NONCE = b"nonce".ljust(32, b"\7")
TRANSFER, RECEIVE = "TransferWithAuthorization", "ReceiveWithAuthorization"

BAD_SIGNATURE = "authorization: bad signature"
USED = "authorization: used or canceled"
NOT_YET = "authorization: not yet valid"
EXPIRED = "authorization: expired"

both_kinds = pytest.mark.parametrize("kind", [TRANSFER, RECEIVE])


@pytest.fixture
def payment(holder: str, receiver: str) -> Payment:
    return Payment(holder, receiver, AMOUNT, now() - 1, now() + 1, NONCE)


def pay(mill: Any, kind: str, payment: Payment, signature: Signature) -> None:
    """By the receiver, which may bring either kind."""
    function = mill.transferWithAuthorization if kind == TRANSFER else mill.receiveWithAuthorization
    function(*payment, *signature, sender=payment.target)


def assert_refused(
    mill: Any, kind: str, payment: Payment, signature: Signature, reason: str = BAD_SIGNATURE
) -> None:
    before = (mill.balanceOf(payment.target), mill.authorizationState(payment.source, payment.nonce))
    with boa.reverts(reason):
        pay(mill, kind, payment, signature)
    assert (mill.balanceOf(payment.target), mill.authorizationState(payment.source, payment.nonce)) == before


# ------------------------------------------------------------------ both kinds
@both_kinds
def test_authorization__moves_tokens_and_logs(mill: Any, payment: Payment, kind: str) -> None:
    assert mill.authorizationState(payment.source, NONCE) is False
    pay(mill, kind, payment, payment.sign(mill, kind))
    assert events_of(mill) == [
        ("AuthorizationUsed", {"authorizer": payment.source, "nonce": NONCE}),
        ("Transfer", {"sender": payment.source, "receiver": payment.target, "value": AMOUNT}),
    ]
    assert mill.authorizationState(payment.source, NONCE) is True
    assert (mill.balanceOf(payment.source), mill.balanceOf(payment.target)) == (SUPPLY - AMOUNT, AMOUNT)
    assert mill.nonces(payment.source) == 0


@both_kinds
def test_authorization__moves_votes(mill: Any, payment: Payment, voter: str, kind: str) -> None:
    mill.delegate(voter, sender=payment.source)
    pay(mill, kind, payment, payment.sign(mill, kind))
    assert mill.getVotes(voter) == SUPPLY - AMOUNT


@both_kinds
def test_authorization__needs_and_spends_no_allowance(mill: Any, payment: Payment, kind: str) -> None:
    mill.approve(payment.target, 1, sender=payment.source)
    pay(mill, kind, payment, payment.sign(mill, kind))
    assert mill.allowance(payment.source, payment.target) == 1


@both_kinds
def test_authorization__twice__reverts(mill: Any, payment: Payment, kind: str) -> None:
    signature = payment.sign(mill, kind)
    pay(mill, kind, payment, signature)
    assert_refused(mill, kind, payment, signature, USED)


def test_authorization__one_nonce_for_both_kinds(mill: Any, payment: Payment) -> None:
    pay(mill, TRANSFER, payment, payment.sign(mill, TRANSFER))
    assert_refused(mill, RECEIVE, payment, payment.sign(mill, RECEIVE), USED)


@both_kinds
def test_authorization__nonces_of_different_holders_and_orders__are_independent(
    mill: Any, payment: Payment, kind: str
) -> None:
    mill.transfer(OTHER.address, AMOUNT, sender=payment.source)
    others = payment._replace(source=OTHER.address)
    pay(mill, kind, others, others.sign(mill, kind, signer=OTHER))
    for nonce in (b"\xff" * 32, bytes(32), NONCE):
        each = payment._replace(nonce=nonce)
        pay(mill, kind, each, each.sign(mill, kind))
    assert mill.balanceOf(payment.target) == 4 * AMOUNT


@both_kinds
def test_authorization__its_time__excludes_both_ends(mill: Any, payment: Payment, kind: str) -> None:
    start = now() + 100
    payment = payment._replace(valid_after=start, valid_before=start + 3)
    signature = payment.sign(mill, kind)
    for time, reason in ((start - 50, NOT_YET), (start, NOT_YET), (start + 3, EXPIRED), (start + 9, EXPIRED)):
        travel_to(time)
        assert_refused(mill, kind, payment, signature, reason)
    for time in (start + 1, start + 2):
        with boa.env.anchor():
            travel_to(time)
            pay(mill, kind, payment, signature)
            assert mill.balanceOf(payment.target) == AMOUNT


@both_kinds
def test_authorization__times_without_limit__are_accepted(mill: Any, payment: Payment, kind: str) -> None:
    payment = payment._replace(valid_after=0, valid_before=MAX_UINT256)
    pay(mill, kind, payment, payment.sign(mill, kind))
    assert mill.balanceOf(payment.target) == AMOUNT


@both_kinds
@pytest.mark.parametrize(
    "change",
    [
        {"source": OTHER.address},
        {"target": OTHER.address},
        {"value": AMOUNT + 1},
        {"valid_after": 0},
        {"valid_before": MAX_UINT256},
        {"nonce": bytes(32)},
    ],
)
def test_authorization__other_than_signed__reverts(
    mill: Any, payment: Payment, kind: str, change: dict[str, Any]
) -> None:
    assert_refused(mill, kind, payment._replace(**change), payment.sign(mill, kind))


@both_kinds
def test_authorization__signed_by_another__reverts(mill: Any, payment: Payment, kind: str) -> None:
    assert_refused(mill, kind, payment, payment.sign(mill, kind, signer=OTHER))


@both_kinds
@pytest.mark.parametrize(
    "domain",
    [{"name": "USD Coin"}, {"version": "2"}, {"chainId": 10}, {"verifyingContract": OTHER.address}],
)
def test_authorization__for_another_domain__reverts(
    mill: Any, payment: Payment, kind: str, domain: dict[str, Any]
) -> None:
    assert_refused(mill, kind, payment, payment.sign(mill, kind, **domain))


@both_kinds
def test_authorization__after_a_fork__counts_on_one_side_only(mill: Any, payment: Payment, kind: str) -> None:
    signature = payment.sign(mill, kind)
    boa.env.evm.patch.chain_id += 1
    assert_refused(mill, kind, payment, signature)
    pay(mill, kind, payment, payment.sign(mill, kind))


@both_kinds
def test_authorization__second_signature_made_of_the_first__reverts(
    mill: Any, payment: Payment, kind: str
) -> None:
    signature = payment.sign(mill, kind)
    assert_refused(mill, kind, payment, signature.malleated())
    pay(mill, kind, payment, signature)
    assert_refused(mill, kind, payment, signature.malleated(), USED)


@both_kinds
@pytest.mark.parametrize("signature", [NO_SIGNATURE, NO_SIGNATURE._replace(v=0)])
def test_authorization__failed_recovery__is_no_signature_of_nobody(
    mill: Any, payment: Payment, kind: str, signature: Signature
) -> None:
    assert_refused(mill, kind, payment, signature)
    nobodys = payment._replace(source=NOBODY, value=0)
    assert_refused(mill, kind, nobodys, signature, "authorization: no authorizer")


@both_kinds
def test_authorization__signatures_of_another_purpose__revert(mill: Any, payment: Payment, kind: str) -> None:
    other_kind = RECEIVE if kind == TRANSFER else TRANSFER
    deadline = payment.valid_before
    for signature in (
        payment.sign(mill, other_kind),
        sign_cancel(mill, NONCE),
        Permit(payment.source, payment.target, AMOUNT, deadline).sign(mill, 0),
        Delegation(payment.target, 0, deadline).sign(mill),
    ):
        assert_refused(mill, kind, payment, signature)


@both_kinds
def test_authorization__more_than_the_balance__reverts_and_stays_good(
    mill: Any, payment: Payment, kind: str
) -> None:
    payment = payment._replace(value=SUPPLY)
    signature = payment.sign(mill, kind)
    mill.transfer(OTHER.address, 1, sender=payment.source)
    assert_refused(mill, kind, payment, signature, "erc20: insufficient balance")
    mill.transfer(payment.source, 1, sender=OTHER.address)
    pay(mill, kind, payment, signature)
    assert mill.balanceOf(payment.target) == SUPPLY


# ------------------------------------------------------------------ who may bring it
def test_transfer_with_authorization__anyone_brings_it(mill: Any, payment: Payment, stranger: str) -> None:
    mill.transferWithAuthorization(*payment, *payment.sign(mill, TRANSFER), sender=stranger)
    assert mill.balanceOf(payment.target) == AMOUNT


def test_transfer_with_authorization__to_nobody_or_to_the_token__reverts(mill: Any, payment: Payment) -> None:
    for target, reason in ((NOBODY, "erc20: no receiver"), (mill.address, "erc20: receiver is the token")):
        lost = payment._replace(target=str(target))
        with boa.reverts(reason):
            mill.transferWithAuthorization(*lost, *lost.sign(mill, TRANSFER))


def test_receive_with_authorization__not_the_receiver__reverts(
    mill: Any, payment: Payment, stranger: str
) -> None:
    """Nobody else, not even the signer, can take the deposit apart from the call it was signed for."""
    signature = payment.sign(mill, RECEIVE)
    for caller in (stranger, payment.source):
        with boa.reverts("authorization: not the receiver"):
            mill.receiveWithAuthorization(*payment, *signature, sender=caller)
        with boa.reverts(BAD_SIGNATURE):
            mill.transferWithAuthorization(*payment, *signature, sender=caller)
    pay(mill, RECEIVE, payment, signature)


# ------------------------------------------------------------------ cancel
def test_cancel_authorization__makes_it_worthless(mill: Any, payment: Payment, stranger: str) -> None:
    mill.cancelAuthorization(payment.source, NONCE, *sign_cancel(mill, NONCE), sender=stranger)
    assert events_of(mill) == [("AuthorizationCanceled", {"authorizer": payment.source, "nonce": NONCE})]
    assert mill.authorizationState(payment.source, NONCE) is True
    for kind in (TRANSFER, RECEIVE):
        assert_refused(mill, kind, payment, payment.sign(mill, kind), USED)


def test_cancel_authorization__twice_or_after_use__reverts(mill: Any, payment: Payment) -> None:
    signature = sign_cancel(mill, NONCE)
    with boa.env.anchor():
        mill.cancelAuthorization(payment.source, NONCE, *signature)
        with boa.reverts(USED):
            mill.cancelAuthorization(payment.source, NONCE, *signature)
    pay(mill, TRANSFER, payment, payment.sign(mill, TRANSFER))
    with boa.reverts(USED):
        mill.cancelAuthorization(payment.source, NONCE, *signature)


def test_cancel_authorization__not_signed_for_this__reverts(mill: Any, payment: Payment, holder: str) -> None:
    twin = deploy("MillToken.vy", holder, SUPPLY, False)
    good = sign_cancel(mill, NONCE)
    for signature in (
        sign_cancel(mill, NONCE, signer=OTHER),
        sign_cancel(mill, bytes(32)),
        sign_cancel(twin, NONCE),
        sign_cancel(mill, NONCE, chainId=10),
        good.malleated(),
        NO_SIGNATURE,
        payment.sign(mill, TRANSFER),
        payment.sign(mill, RECEIVE),
        Permit(holder, actor("spender"), AMOUNT, MAX_UINT256).sign(mill, 0),
    ):
        with boa.reverts(BAD_SIGNATURE):
            mill.cancelAuthorization(holder, NONCE, *signature)
    with boa.reverts("authorization: no authorizer"):
        mill.cancelAuthorization(NOBODY, NONCE, *NO_SIGNATURE)
    assert mill.authorizationState(holder, NONCE) is False
    mill.cancelAuthorization(holder, NONCE, *good)
