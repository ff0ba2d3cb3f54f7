"""MillToken: a fixed supply and nobody in charge."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from tests.unit.contracts.suite import MILL, SUPPLY, ZERO_ADDRESS, Suite, deploy, events_of, now

OWNER_KEY = Account.from_key(b"\x77" * 32)
MAX_SUPPLY = 2**128 - 1


def permit_signature(
    mill: Any, spender: str, amount: int, deadline: int, nonce: int
) -> tuple[int, bytes, bytes]:
    message = encode_typed_data(
        domain_data={
            "name": "Proofmill",
            "version": "1",
            "chainId": boa.env.evm.patch.chain_id,
            "verifyingContract": str(mill.address),
        },
        message_types={
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ]
        },
        message_data={
            "owner": OWNER_KEY.address,
            "spender": spender,
            "value": amount,
            "nonce": nonce,
            "deadline": deadline,
        },
    )
    signature = OWNER_KEY.sign_message(message)
    return signature.v, signature.r.to_bytes(32, "big"), signature.s.to_bytes(32, "big")


def test_constructor__mints_everything_to_the_holder(stranger: str) -> None:
    mill = deploy("MillToken.vy", stranger, 7)
    assert (mill.totalSupply(), mill.balanceOf(stranger)) == (7, 7)
    assert (mill.name(), mill.symbol(), mill.decimals()) == ("Proofmill", "MILL", 18)


def test_constructor__the_largest_supply_is_accepted(stranger: str) -> None:
    assert deploy("MillToken.vy", stranger, MAX_SUPPLY).totalSupply() == MAX_SUPPLY


@pytest.mark.parametrize(
    ("supply", "reason"), [(0, "mill: no supply"), (MAX_SUPPLY + 1, "mill: supply too large")]
)
def test_constructor__supply_out_of_bounds__reverts(stranger: str, supply: int, reason: str) -> None:
    with boa.reverts(reason):
        deploy("MillToken.vy", stranger, supply)


def test_constructor__zero_holder__reverts() -> None:
    with boa.reverts("erc20: mint to the zero address"):
        deploy("MillToken.vy", ZERO_ADDRESS, 1)


def test_constructor__takes_every_role_back_from_the_deployer(stranger: str) -> None:
    deployer = boa.env.generate_address("deployer")
    mill = deploy("MillToken.vy", stranger, 7, sender=deployer)
    assert mill.eval("ownable.owner") == ZERO_ADDRESS
    assert mill.eval(f"erc20.is_minter[{deployer}]") is False
    assert mill.eval(f"erc20.is_minter[{stranger}]") is False


def test_abi__offers_no_minting_and_no_ownership(mill: Any) -> None:
    names = {entry["name"] for entry in mill.abi if entry["type"] == "function"}
    assert names == {
        "transfer",
        "transferFrom",
        "approve",
        "permit",
        "burn",
        "burn_from",
        "name",
        "symbol",
        "decimals",
        "totalSupply",
        "balanceOf",
        "allowance",
        "nonces",
        "DOMAIN_SEPARATOR",
        "eip712Domain",
    }


def test_transfer__moves_tokens_and_logs(mill: Any, holder: str, stranger: str) -> None:
    assert mill.transfer(stranger, 3, sender=holder) is True
    assert events_of(mill) == [("Transfer", {"sender": holder, "receiver": stranger, "value": 3})]
    assert mill.balanceOf(stranger) == 3


def test_transfer__more_than_the_balance__reverts(mill: Any, holder: str, stranger: str) -> None:
    with boa.reverts("erc20: transfer amount exceeds balance"):
        mill.transfer(holder, 1, sender=stranger)


def test_transfer_from__spends_the_allowance(mill: Any, holder: str, stranger: str) -> None:
    mill.approve(stranger, 5, sender=holder)
    mill.transferFrom(holder, stranger, 3, sender=stranger)
    assert (mill.balanceOf(stranger), mill.allowance(holder, stranger)) == (3, 2)
    with boa.reverts("erc20: insufficient allowance"):
        mill.transferFrom(holder, stranger, 3, sender=stranger)


def test_burn__lowers_the_supply(mill: Any, holder: str) -> None:
    before = mill.balanceOf(holder)
    mill.burn(MILL, sender=holder)
    assert (mill.totalSupply(), mill.balanceOf(holder)) == (SUPPLY - MILL, before - MILL)


def test_burn_from__needs_and_spends_an_allowance(mill: Any, holder: str, stranger: str) -> None:
    with boa.reverts("erc20: insufficient allowance"):
        mill.burn_from(holder, 1, sender=stranger)
    mill.approve(stranger, 1, sender=holder)
    mill.burn_from(holder, 1, sender=stranger)
    assert (mill.totalSupply(), mill.allowance(holder, stranger)) == (SUPPLY - 1, 0)


def test_permit__sets_the_allowance_once(mill: Any, stranger: str) -> None:
    signature = permit_signature(mill, stranger, 9, now() + 60, nonce=0)
    mill.permit(OWNER_KEY.address, stranger, 9, now() + 60, *signature, sender=stranger)
    assert (mill.allowance(OWNER_KEY.address, stranger), mill.nonces(OWNER_KEY.address)) == (9, 1)
    with boa.reverts("erc20: invalid signature"):
        mill.permit(OWNER_KEY.address, stranger, 9, now() + 60, *signature, sender=stranger)


def test_permit__unrecoverable_signature__gives_no_allowance_of_the_zero_address(
    mill: Any, stranger: str
) -> None:
    with boa.reverts("ecdsa: invalid signature"):
        mill.permit(ZERO_ADDRESS, stranger, 9, now() + 60, 27, bytes(32), bytes(32), sender=stranger)
    assert mill.allowance(ZERO_ADDRESS, stranger) == 0


def test_permit__after_the_deadline__reverts(mill: Any, stranger: str) -> None:
    deadline = now() - 1
    signature = permit_signature(mill, stranger, 9, deadline, nonce=0)
    with boa.reverts("erc20: expired deadline"):
        mill.permit(OWNER_KEY.address, stranger, 9, deadline, *signature, sender=stranger)


def test_domain__is_that_of_erc_5267(mill: Any) -> None:
    fields, name, version, chain_id, contract, salt, extensions = mill.eip712Domain()
    assert (fields, name, version) == (b"\x0f", "Proofmill", "1")
    assert (chain_id, contract, salt, extensions) == (
        boa.env.evm.patch.chain_id,
        mill.address,
        bytes(32),
        [],
    )


def test_domain_separator__follows_the_chain_id(suite: Suite) -> None:
    before = suite.mill.DOMAIN_SEPARATOR()
    boa.env.evm.patch.chain_id += 1
    assert suite.mill.DOMAIN_SEPARATOR() != before
