"""What holds of the token for any amounts, any accounts and any signature."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_account import Account
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tests.models.mill_token import MillTokenModel
from tests.suite.deployment import NOBODY, actor, deploy, now
from tests.unit.contracts.token.typed_data import (
    OWNER,
    SECP256K1_ORDER,
    Delegation,
    Payment,
    Permit,
    Signature,
    sign,
)

MAX_SUPPLY = 2**96 - 1
SUPPLIES = st.one_of(st.integers(1, 9), st.integers(1, MAX_SUPPLY), st.integers(MAX_SUPPLY - 9, MAX_SUPPLY))
WORDS = st.integers(0, 2**256 - 1)
ADDRESSES = st.one_of(st.integers(1, 9), st.integers(1, 2**160 - 1), st.integers(2**160 - 9, 2**160 - 1)).map(
    lambda number: "0x" + number.to_bytes(20, "big").hex()
)
TARGET = actor("target")
TYPES = ("Permit", "TransferWithAuthorization", "ReceiveWithAuthorization", "Delegation")

quickly = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def _no_storage_of_contracts_before() -> None:
    """titanoboa remembers which words were written at an address when another contract takes it, and then cannot print it."""
    boa.env.sstore_trace.clear()


# ------------------------------------------------------------------ one word for balance and delegate
@quickly
@given(supply=SUPPLIES, share=st.integers(0, MAX_SUPPLY), delegates=st.tuples(ADDRESSES, ADDRESSES))
@example(supply=MAX_SUPPLY, share=MAX_SUPPLY, delegates=("0x" + "ff" * 20, "0x" + "ff" * 19 + "fe"))
@example(supply=MAX_SUPPLY, share=0, delegates=("0x" + "00" * 19 + "01", "0x" + "ff" * 20))
def test_account_word__balance_and_delegate_never_touch(
    supply: int, share: int, delegates: tuple[str, str]
) -> None:
    amount = share % (supply + 1)
    source, target = actor("source"), actor("target")
    mill = deploy("MillToken.vy", source, supply, False)
    for account, delegate in zip((source, target), delegates, strict=True):
        mill.delegate(delegate, sender=account)
    mill.transfer(target, amount, sender=source)
    assert (mill.balanceOf(source), mill.balanceOf(target)) == (supply - amount, amount)
    assert [mill.delegates(account).lower() for account in (source, target)] == list(delegates)
    votes = {delegates[0]: 0, delegates[1]: 0}
    votes[delegates[0]] += supply - amount
    votes[delegates[1]] += amount
    assert {delegate: mill.getVotes(delegate) for delegate in votes} == votes
    mill.burn(amount, sender=target)
    assert (mill.totalSupply(), mill.delegates(target).lower()) == (supply - amount, delegates[1])


# ------------------------------------------------------------------ lookups in a trace
@quickly
@given(
    is_timestamp=st.booleans(),
    steps=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=60),
)
def test_trace__every_timepoint__is_as_in_the_model(is_timestamp: bool, steps: list[tuple[int, int]]) -> None:
    """Steps are the time that passes, and what is burned then."""
    holder = actor("holder")
    start = 10_000
    boa.env.evm.patch.block_number = boa.env.evm.patch.timestamp = start
    mill, model = deploy("MillToken.vy", holder, 1_000, is_timestamp), MillTokenModel(start)
    model.mint("holder", 1_000)
    mill.delegate(holder, sender=holder)
    model.delegate("holder", "holder")
    for passed, burned in steps:
        if is_timestamp:
            boa.env.evm.patch.timestamp += passed
        else:
            boa.env.evm.patch.block_number += passed
        model.clock += passed
        mill.burn(burned, sender=holder)
        model.burn("holder", burned)
    entries = [tuple(mill.checkpoints(holder, index)) for index in range(mill.numCheckpoints(holder))]
    assert entries == list(model.past_votes["holder"].items())
    for timepoint in range(start - 1, model.clock):
        assert mill.getPastVotes(holder, timepoint) == model.votes_at("holder", timepoint)
        assert mill.getPastTotalSupply(timepoint) == model.supply_at(timepoint)


# ------------------------------------------------------------------ signatures
def message_of(primary_type: str, words: tuple[int, int, int]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call that is legal when signed, and what is signed for it."""
    amount, word = words[0] % 1_000, words[1]
    if primary_type == "Permit":
        permit = Permit(OWNER.address, TARGET, words[0], now() + word % 2**64)
        return permit, permit._asdict() | {"nonce": 0}
    if primary_type == "Delegation":
        delegation = Delegation(TARGET, 0, now() + word % 2**64)
        return delegation, delegation._asdict()
    payment = Payment(
        OWNER.address, TARGET, amount, word % now(), now() + 1 + word % 2**64, words[2].to_bytes(32, "big")
    )
    names = ("from", "to", "value", "validAfter", "validBefore", "nonce")
    return payment, dict(zip(names, payment, strict=True))


def call(mill: Any, primary_type: str, arguments: tuple[Any, ...], signature: Signature) -> None:
    functions = {
        "Permit": mill.permit,
        "TransferWithAuthorization": mill.transferWithAuthorization,
        "ReceiveWithAuthorization": mill.receiveWithAuthorization,
        "Delegation": mill.delegateBySig,
    }
    functions[primary_type](*arguments, *signature, sender=TARGET)


def state_of(mill: Any) -> tuple[Any, ...]:
    return (
        mill.balanceOf(OWNER.address),
        mill.allowance(OWNER.address, TARGET),
        mill.delegates(OWNER.address),
        mill.nonces(OWNER.address),
    )


@quickly
@given(primary_type=st.sampled_from(TYPES), words=st.tuples(WORDS, WORDS, WORDS))
def test_signature__of_a_wallet__is_accepted_once(primary_type: str, words: tuple[int, int, int]) -> None:
    mill = deploy("MillToken.vy", OWNER.address, 1_000, False)
    arguments, message = message_of(primary_type, words)
    signature = sign(mill, OWNER, primary_type, message)
    call(mill, primary_type, arguments, signature)
    after = state_of(mill)
    with boa.reverts():
        call(mill, primary_type, arguments, signature)
    assert state_of(mill) == after


@quickly
@given(
    primary_type=st.sampled_from(TYPES),
    words=st.tuples(WORDS, WORDS, WORDS),
    part=st.sampled_from("vrs"),
    bit=st.integers(0, 255),
)
def test_signature__one_bit_changed__never_binds_the_owner(
    primary_type: str, words: tuple[int, int, int], part: str, bit: int
) -> None:
    mill = deploy("MillToken.vy", OWNER.address, 1_000, False)
    arguments, message = message_of(primary_type, words)
    signature = sign(mill, OWNER, primary_type, message)
    if part == "v":
        signature = signature._replace(v=signature.v ^ 1 << bit % 8)
    else:
        word = int.from_bytes(signature.r if part == "r" else signature.s, "big") ^ 1 << bit
        changed = word.to_bytes(32, "big")
        signature = signature._replace(r=changed) if part == "r" else signature._replace(s=changed)
    assert_not_bound(mill, primary_type, arguments, signature)


@quickly
@given(
    signed_type=st.sampled_from(TYPES),
    used_type=st.sampled_from(TYPES),
    words=st.tuples(WORDS, WORDS, WORDS),
)
def test_signature__for_one_purpose__is_worth_nothing_for_another(
    signed_type: str, used_type: str, words: tuple[int, int, int]
) -> None:
    assume(signed_type != used_type)
    mill = deploy("MillToken.vy", OWNER.address, 1_000, False)
    signature = sign(mill, OWNER, signed_type, message_of(signed_type, words)[1])
    assert_not_bound(mill, used_type, message_of(used_type, words)[0], signature)


@quickly
@given(primary_type=st.sampled_from(TYPES), v=st.integers(0, 255), r=WORDS, s=WORDS)
@example(primary_type="Permit", v=27, r=0, s=0)
@example(primary_type="Delegation", v=28, r=1, s=SECP256K1_ORDER - 1)
def test_signature__of_garbage__never_binds_the_owner(primary_type: str, v: int, r: int, s: int) -> None:
    mill = deploy("MillToken.vy", OWNER.address, 1_000, False)
    arguments, _ = message_of(primary_type, (5, 5, 5))
    assert_not_bound(
        mill, primary_type, arguments, Signature(v, r.to_bytes(32, "big"), s.to_bytes(32, "big"))
    )


def assert_not_bound(mill: Any, primary_type: str, arguments: tuple[Any, ...], signature: Signature) -> None:
    before = state_of(mill)
    if primary_type == "Delegation":  # may bind an account that nobody has and that has nothing
        try:
            call(mill, primary_type, arguments, signature)
            refusal = ""
        except boa.BoaError as error:
            refusal = str(error)
        assert not refusal or "votes: bad signature" in refusal
        assert mill.getVotes(TARGET) == 0
    else:
        scope = "permit" if primary_type == "Permit" else "authorization"
        with boa.reverts(f"{scope}: bad signature"):
            call(mill, primary_type, arguments, signature)
    assert state_of(mill) == before


@quickly
@given(key=st.integers(1, SECP256K1_ORDER - 1), digest=st.binary(min_size=32, max_size=32))
def test_ecdsa__recovers_any_signer_of_any_digest(key: int, digest: bytes) -> None:
    recovery = deploy("mocks/EcdsaHarness.vy")
    signer = Account.from_key(key.to_bytes(32, "big"))
    signed = signer.unsafe_sign_hash(digest)
    assert recovery.recover(digest, signed.v, signed.r, signed.s) == signer.address
    assert recovery.recover_compact(digest, signed.r, (signed.v - 27) << 255 | signed.s) == signer.address
    assert recovery.recover(digest, 55 - signed.v, signed.r, SECP256K1_ORDER - signed.s) == NOBODY
