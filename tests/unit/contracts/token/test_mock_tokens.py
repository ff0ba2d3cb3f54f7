"""The mock tokens do what tests of other contracts believe they do."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.suite.deployment import MAX_UINT256, NOBODY, deploy, events_of, now
from tests.unit.contracts.token.typed_data import (
    OTHER,
    Payment,
    Permit,
    sign_cancel,
)

PLAIN = [
    "MockSixDecimalsToken",
    "MockBlockingToken",
    "MockFalseToken",
    "MockFickleToken",
    "MockHookToken",
    "MockReentrantToken",
    "MockAuthorizationToken",
]
NONCE = b"nonce".ljust(32, b"\7")
DOLLAR_DOMAIN: dict[str, Any] = {"name": "USD Coin", "version": "2"}


def token_of(name: str, holder: str, amount: int = 1_000) -> Any:
    token = deploy(f"mocks/{name}.vy")
    token.mint(holder, amount)
    return token


@pytest.mark.parametrize("name", [*PLAIN, "MockSilentToken"])
def test_plain_use__moves_what_was_asked(name: str, holder: str, spender: str, receiver: str) -> None:
    token = token_of(name, holder)
    answer = None if name == "MockSilentToken" else True
    assert token.transfer(receiver, 10, sender=holder) is answer
    token.approve(spender, 5, sender=holder)
    assert token.transferFrom(holder, receiver, 5, sender=spender) is answer
    assert (token.balanceOf(holder), token.balanceOf(receiver)) == (985, 15)
    assert token.allowance(holder, spender) == 0


@pytest.mark.parametrize(
    "name", [name for name in [*PLAIN, "MockFeeToken", "MockSilentToken"] if name != "MockFalseToken"]
)
def test_plain_use__without_the_means__reverts(name: str, holder: str, spender: str, receiver: str) -> None:
    token = token_of(name, holder)
    with boa.reverts("mock: balance"):
        token.transfer(holder, 1, sender=receiver)
    with boa.reverts("mock: allowance"):
        token.transferFrom(holder, receiver, 1, sender=spender)


@pytest.mark.parametrize("name", ["MockSixDecimalsToken", "MockAuthorizationToken"])
def test_decimals__are_six(name: str, holder: str) -> None:
    assert token_of(name, holder).decimals() == 6


def test_fee_token__takes_one_percent(holder: str, receiver: str) -> None:
    token = token_of("MockFeeToken", holder)
    token.transfer(receiver, 200, sender=holder)
    assert (token.balanceOf(holder), token.balanceOf(receiver)) == (800, 198)


def test_fickle_token__answers_false_when_told(holder: str, receiver: str) -> None:
    token = token_of("MockFickleToken", holder)
    token.set_failing(True)
    assert token.transfer(receiver, 1, sender=holder) is False
    assert token.transferFrom(holder, receiver, 1, sender=receiver) is False
    assert token.balanceOf(receiver) == 0


def test_false_token__answers_false_where_others_revert(holder: str, spender: str, receiver: str) -> None:
    token = token_of("MockFalseToken", holder)
    assert token.transfer(holder, 1, sender=receiver) is False
    assert token.transferFrom(holder, receiver, 1, sender=spender) is False
    token.approve(spender, MAX_UINT256, sender=holder)
    assert token.transferFrom(holder, receiver, 1_001, sender=spender) is False
    assert (token.balanceOf(holder), token.balanceOf(receiver)) == (1_000, 0)


def test_blocking_token__neither_takes_from_nor_gives_to_nor_listens_to_the_blocked(
    holder: str, spender: str, receiver: str
) -> None:
    token = token_of("MockBlockingToken", holder)
    token.approve(spender, MAX_UINT256, sender=holder)
    for blocked, reason in (
        (holder, "mock: sender blocked"),
        (receiver, "mock: receiver blocked"),
        (spender, "mock: caller blocked"),
    ):
        token.set_blocked(blocked, True)
        with boa.reverts(reason):
            token.transferFrom(holder, receiver, 1, sender=spender)
        token.set_blocked(blocked, False)
        token.transferFrom(holder, receiver, 1, sender=spender)
    token.set_blocked(receiver, True)
    with boa.reverts("mock: receiver blocked"):
        token.transfer(receiver, 1, sender=holder)


def test_reentrant_token__makes_the_call(holder: str, receiver: str) -> None:
    token, target = token_of("MockReentrantToken", holder), token_of("MockSixDecimalsToken", holder)
    token.arm(target.address, target.mint.prepare_calldata(receiver, 3))
    token.transfer(receiver, 1, sender=holder)
    assert (token.attempts(), token.successes(), target.balanceOf(receiver)) == (1, 1, 3)


# ------------------------------------------------------------------ hooks
@pytest.fixture
def hooked(holder: str) -> tuple[Any, Any]:
    """A token with hooks, and an account that has some, and has named itself as its hook."""
    token, account = token_of("MockHookToken", holder), deploy("mocks/MockHookRecipient.vy")
    account.act(token.address, token.set_hook.prepare_calldata(account.address))
    return token, account


def test_hook_token__receiver_calls_after_the_move(hooked: tuple[Any, Any], holder: str) -> None:
    token, account = hooked
    account.arm(token.address, token.balanceOf.prepare_calldata(account.address))
    token.transfer(account.address, 7, sender=holder)
    assert (account.attempts(), account.successes()) == (1, 1)
    assert int.from_bytes(account.answer(), "big") == 7


def test_hook_token__sender_calls_before_the_move(
    hooked: tuple[Any, Any], holder: str, receiver: str
) -> None:
    token, account = hooked
    token.transfer(account.address, 7, sender=holder)
    account.arm(token.address, token.balanceOf.prepare_calldata(account.address))
    account.act(token.address, token.transfer.prepare_calldata(receiver, 7))
    assert int.from_bytes(account.answer(), "big") == 7
    assert token.balanceOf(receiver) == 7


def test_hook_token__refusing_account__stops_the_transfer(hooked: tuple[Any, Any], holder: str) -> None:
    token, account = hooked
    account.refuse(True)
    with boa.reverts("mock: hook refuses"):
        token.transfer(account.address, 7, sender=holder)


def test_hook_recipient__failed_call__is_told_and_stops_nothing(hooked: tuple[Any, Any], holder: str) -> None:
    token, account = hooked
    account.arm(token.address, token.transfer.prepare_calldata(holder, MAX_UINT256))
    token.transfer(account.address, 7, sender=holder)
    assert (account.attempts(), account.successes()) == (1, 0)
    assert b"mock: balance" in account.answer()


# ------------------------------------------------------------------ permits and authorizations
@pytest.fixture
def dollar(holder: str) -> Any:
    return token_of("MockAuthorizationToken", holder)


def test_authorization_token__takes_a_permit_once(dollar: Any, holder: str, spender: str) -> None:
    permit = Permit(holder, spender, 9, now())
    signature = permit.sign(dollar, 0, **DOLLAR_DOMAIN)
    dollar.permit(*permit, *signature)
    assert (dollar.allowance(holder, spender), dollar.nonces(holder)) == (9, 1)
    with boa.reverts("mock: invalid signature"):
        dollar.permit(*permit, *signature)
    expired = permit._replace(deadline=now() - 1)
    with boa.reverts("mock: permit is expired"):
        dollar.permit(*expired, *expired.sign(dollar, 1, **DOLLAR_DOMAIN))


@pytest.mark.parametrize("kind", ["TransferWithAuthorization", "ReceiveWithAuthorization"])
def test_authorization_token__takes_an_authorization_once(
    dollar: Any, holder: str, receiver: str, stranger: str, kind: str
) -> None:
    payment = Payment(holder, receiver, 9, now() - 1, now() + 1, NONCE)
    signature = payment.sign(dollar, kind, **DOLLAR_DOMAIN)
    function = dollar.transferWithAuthorization
    if kind == "ReceiveWithAuthorization":
        function = dollar.receiveWithAuthorization
        with boa.reverts("mock: caller must be the payee"):
            function(*payment, *signature, sender=stranger)
    with boa.reverts("mock: invalid signature"):
        function(*payment, *payment.sign(dollar, kind, signer=OTHER, **DOLLAR_DOMAIN), sender=receiver)
    for mistimed, reason in (
        (payment._replace(valid_after=now()), "mock: not yet valid"),
        (payment._replace(valid_before=now()), "mock: authorization is expired"),
    ):
        with boa.reverts(reason):
            function(*mistimed, *signature, sender=receiver)
    function(*payment, *signature, sender=receiver)
    assert events_of(dollar) == [("AuthorizationUsed", {"authorizer": holder, "nonce": NONCE})]
    assert (dollar.balanceOf(receiver), dollar.authorizationState(holder, NONCE)) == (9, True)
    with boa.reverts("mock: authorization is used"):
        function(*payment, *signature, sender=receiver)


def test_authorization_token__cancels(dollar: Any, holder: str, receiver: str) -> None:
    dollar.cancelAuthorization(holder, NONCE, *sign_cancel(dollar, NONCE, **DOLLAR_DOMAIN))
    assert events_of(dollar) == [("AuthorizationCanceled", {"authorizer": holder, "nonce": NONCE})]
    with boa.reverts("mock: authorization is used"):
        dollar.cancelAuthorization(holder, NONCE, *sign_cancel(dollar, NONCE, **DOLLAR_DOMAIN))
    payment = Payment(holder, receiver, 9, 0, MAX_UINT256, NONCE)
    with boa.reverts("mock: authorization is used"):
        dollar.transferWithAuthorization(
            *payment, *payment.sign(dollar, "TransferWithAuthorization", **DOLLAR_DOMAIN)
        )


def test_authorization_token__domain(dollar: Any) -> None:
    fields = dollar.eip712Domain()
    assert (fields[1], fields[2], dollar.name(), dollar.version()) == ("USD Coin", "2", "USD Coin", "2")


def test_authorization_token__nobody_signs_for_the_zero_address(dollar: Any, spender: str) -> None:
    with boa.reverts("mock: invalid signature"):
        dollar.permit(NOBODY, spender, 1, MAX_UINT256, 27, bytes(32), bytes(32))
    assert dollar.allowance(NOBODY, spender) == 0
