"""Names on the wire: selectors, topics and type hashes are those that wallets, indexers and payment tools know.

Each is computed here from the text of its signature; where a tool has the number itself, that number stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth.exceptions import Revert
from eth_utils.crypto import keccak
from vyper.compiler.output import build_method_identifiers_output

from tests.suite.deployment import MAX_UINT256, NOBODY, actor, deploy, deployer_of, now
from tests.unit.contracts.token.typed_data import OWNER, TYPE_TEXTS, Delegation, Payment, sign_cancel

FUNCTIONS: dict[str, str | None] = {
    # ERC-20
    "name()": "0x06fdde03",
    "symbol()": "0x95d89b41",
    "decimals()": "0x313ce567",
    "totalSupply()": "0x18160ddd",
    "balanceOf(address)": "0x70a08231",
    "transfer(address,uint256)": "0xa9059cbb",
    "transferFrom(address,address,uint256)": "0x23b872dd",
    "approve(address,uint256)": "0x095ea7b3",
    "allowance(address,address)": "0xdd62ed3e",
    # burning
    "burn(uint256)": "0x42966c68",
    "burn_from(address,uint256)": None,
    # ERC-2612
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)": "0xd505accf",
    "nonces(address)": "0x7ecebe00",
    "DOMAIN_SEPARATOR()": "0x3644e515",
    # ERC-5267
    "eip712Domain()": "0x84b0196e",
    # ERC-3009
    "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)": "0xe3ee160e",
    "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)": "0xef55bec6",
    "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)": "0x5a049a70",
    "authorizationState(address,bytes32)": "0xe94a0102",
    # ERC-5805
    "delegates(address)": "0x587cde1e",
    "delegate(address)": "0x5c19a95c",
    "delegateBySig(address,uint256,uint256,uint8,bytes32,bytes32)": "0xc3cda520",
    "getVotes(address)": "0x9ab24eb0",
    "getPastVotes(address,uint256)": "0x3a46b1a8",
    "getPastTotalSupply(uint256)": "0x8e539e8c",
    # ERC-6372
    "clock()": "0x91ddadf4",
    "CLOCK_MODE()": "0x4bf5d7e9",
    # OpenZeppelin's views of the checkpoints
    "numCheckpoints(address)": "0x6fcfff45",
    "checkpoints(address,uint32)": "0xf1127ed8",
}

# Topic, and how many fields are indexed.
EVENTS: dict[str, tuple[str, int]] = {
    "Transfer(address,address,uint256)": (
        "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
        2,
    ),
    "Approval(address,address,uint256)": (
        "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925",
        2,
    ),
    "DelegateChanged(address,address,address)": (
        "0x3134e8a2e6d97e929a7e54011ea5485d7d196dd5f0ba4d4ef95803e8e3fc257f",
        3,
    ),
    "DelegateVotesChanged(address,uint256,uint256)": (
        "0xdec2bacdd2f05b59de34da9b523dff8be42e5e38e818c82fdb0bae774387a724",
        1,
    ),
    "AuthorizationUsed(address,bytes32)": (
        "0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5",
        2,
    ),
    "AuthorizationCanceled(address,bytes32)": (
        "0x1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81",
        2,
    ),
}

TYPE_HASHES = {
    "Permit": "0x6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9",
    "TransferWithAuthorization": "0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267",
    "ReceiveWithAuthorization": "0xd099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8",
    "CancelAuthorization": "0x158b0a9edf7a828aad02f63cd515c68ef2f50ba807396f6d12842833a1597429",
    "Delegation": "0xe48329057bfd03d55e49b547132e39cffd9c1820ad7b9d4c5307691425d15adf",
}

NONCE = bytes(31) + b"\1"


def hashed(text: str) -> str:
    return "0x" + keccak(text=text).hex()


def test_functions__are_these_and_no_others() -> None:
    """So also no mint, no owner, no pause."""
    offered = build_method_identifiers_output(deployer_of("MillToken.vy").compiler_data)
    assert offered == {text: hex(int(hashed(text)[:10], 16)) for text in FUNCTIONS}


@pytest.mark.parametrize(
    ("text", "selector"), [(text, selector) for text, selector in FUNCTIONS.items() if selector]
)
def test_functions__have_the_selectors_that_tools_know(text: str, selector: str) -> None:
    assert hashed(text)[:10] == selector


@pytest.mark.parametrize(
    "text", ["mint(address,uint256)", "owner()", "pause()", "transfer_ownership(address)", ""]
)
def test_functions__others__revert(mill: Any, text: str) -> None:
    data = keccak(text=text)[:4] + bytes(64) if text else b""
    with pytest.raises(Revert):
        boa.env.raw_call(mill.address, data=data)


def event_topics(mill: Any) -> list[tuple[str, ...]]:
    return [
        tuple(f"0x{topic:064x}" for topic in topics)
        for _, _, topics, _ in mill._computation.get_raw_log_entries()
    ]


def as_topic(value: str | bytes) -> str:
    return "0x" + (bytes.fromhex(value[2:]) if isinstance(value, str) else value).rjust(32, b"\0").hex()


def emit_approval(mill: Any, holder: str, other: str) -> tuple[str | bytes, ...]:
    mill.approve(other, 1, sender=holder)
    return holder, other


def emit_transfer(mill: Any, holder: str, other: str) -> tuple[str | bytes, ...]:
    mill.transfer(other, 1, sender=holder)
    return holder, other


def emit_delegate_changed(mill: Any, holder: str, other: str) -> tuple[str | bytes, ...]:
    mill.delegate(holder, sender=holder)
    mill.delegate(other, sender=holder)
    return holder, holder, other


def emit_votes_changed(mill: Any, holder: str, other: str) -> tuple[str | bytes, ...]:
    mill.delegate(other, sender=holder)
    return (other,)


def emit_used(mill: Any, holder: str, other: str) -> tuple[str | bytes, ...]:
    payment = Payment(holder, other, 1, 0, MAX_UINT256, NONCE)
    mill.transferWithAuthorization(*payment, *payment.sign(mill, "TransferWithAuthorization"))
    return holder, NONCE


def emit_canceled(mill: Any, holder: str, other: str) -> tuple[str | bytes, ...]:
    mill.cancelAuthorization(holder, NONCE, *sign_cancel(mill, NONCE), sender=other)
    return holder, NONCE


@pytest.mark.parametrize(
    ("text", "emit"),
    [
        ("Transfer(address,address,uint256)", emit_transfer),
        ("Approval(address,address,uint256)", emit_approval),
        ("DelegateChanged(address,address,address)", emit_delegate_changed),
        ("DelegateVotesChanged(address,uint256,uint256)", emit_votes_changed),
        ("AuthorizationUsed(address,bytes32)", emit_used),
        ("AuthorizationCanceled(address,bytes32)", emit_canceled),
    ],
)
def test_events__have_the_topics_that_indexers_filter_by(
    mill: Any,
    holder: str,
    receiver: str,
    text: str,
    emit: Callable[[Any, str, str], tuple[str | bytes, ...]],
) -> None:
    topic, indexed_count = EVENTS[text]
    assert hashed(text) == topic
    indexed = emit(mill, holder, receiver)
    assert len(indexed) == indexed_count
    assert (topic, *map(as_topic, indexed)) in event_topics(mill)


def test_events__are_these_and_no_others(mill: Any) -> None:
    declared = {
        f"{entry['name']}({','.join(field['type'] for field in entry['inputs'])})"
        for entry in mill.abi
        if entry["type"] == "event"
    }
    assert declared == set(EVENTS)


@pytest.mark.parametrize("name", sorted(TYPE_HASHES))
def test_type_hashes__are_those_of_the_standards(mill: Any, name: str) -> None:
    type_hash = hashed(f"{name}({TYPE_TEXTS[name]})")
    assert type_hash == TYPE_HASHES[name]
    assert bytes.fromhex(type_hash[2:]) in boa.env.get_code(mill.address)


# ------------------------------------------------------------------ ERC-5267, ERC-2612 and the answers of views
def test_domain__is_that_of_erc_5267(mill: Any) -> None:
    assert tuple(mill.eip712Domain()) == (
        b"\x0f",
        "Proofmill",
        "1",
        boa.env.evm.patch.chain_id,
        mill.address,
        bytes(32),
        [],
    )


def test_domain_separator__is_the_hash_of_that_domain(mill: Any) -> None:
    domain_type = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    words = [keccak(text=text) for text in (domain_type, "Proofmill", "1")]
    words.append(int(boa.env.evm.patch.chain_id).to_bytes(32, "big"))
    words.append(bytes.fromhex(str(mill.address)[2:]).rjust(32, b"\0"))
    assert mill.DOMAIN_SEPARATOR() == keccak(b"".join(words))


@pytest.mark.parametrize("is_timestamp", [False, True])
def test_checkpoints__answers_as_the_struct_of_open_zeppelin(holder: str, is_timestamp: bool) -> None:
    mill = deploy("MillToken.vy", holder, 9, is_timestamp)
    mill.delegate(holder, sender=holder)
    call = keccak(text="checkpoints(address,uint32)")[:4] + bytes.fromhex(as_topic(holder)[2:]) + bytes(32)
    answer = boa.env.raw_call(mill.address, data=call).output
    clock = now() if is_timestamp else boa.env.evm.patch.block_number
    assert answer == int(clock).to_bytes(32, "big") + (9).to_bytes(32, "big")


def test_delegation__by_the_text_of_the_standard__is_accepted(mill: Any, voter: str) -> None:
    delegation = Delegation(voter, 0, now())
    mill.delegateBySig(*delegation, *delegation.sign(mill), sender=actor("relayer"))
    assert mill.delegates(OWNER.address) == voter
    assert mill.delegates(NOBODY) == NOBODY
