"""EIP-712 domain: bound to name, version, chain and contract, and following the chain when it forks."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from tests.suite.deployment import actor, deploy

SIGNER = Account.from_key(b"\x55" * 32)
DOMAINS = [("Proofmill", "1"), ("", ""), ("n" * 50, "v" * 20), ("Größe", "1.0-β")]


def expected_digest(contract: Any, name: str, version: str, subject: str, **changes: Any) -> bytes:
    """What a wallet signs, made by eth_account from the domain's fields."""
    message = encode_typed_data(
        domain_data={
            "name": name,
            "version": version,
            "chainId": boa.env.evm.patch.chain_id,
            "verifyingContract": str(contract.address),
        }
        | changes,
        message_types={"Subject": [{"name": "account", "type": "address"}]},
        message_data={"account": subject},
    )
    return keccak(b"\x19" + message.version + message.header + message.body)


def struct_hash(subject: str) -> bytes:
    return keccak(keccak(text="Subject(address account)") + bytes.fromhex(subject[2:]).rjust(32, b"\0"))


def fits(text: str, size: int) -> bool:
    return len(text.encode()) <= size


@pytest.mark.parametrize(("name", "version"), DOMAINS)
def test_digest__is_what_wallets_sign(name: str, version: str) -> None:
    assert fits(name, 50)
    assert fits(version, 20)
    domain = deploy("mocks/Eip712DomainHarness.vy", name, version)
    subject = actor("subject")
    assert domain.digest(struct_hash(subject)) == expected_digest(domain, name, version, subject)


@pytest.mark.parametrize(("name", "version"), DOMAINS)
def test_eip712_domain__tells_its_fields(name: str, version: str) -> None:
    domain = deploy("mocks/Eip712DomainHarness.vy", name, version)
    chain_id = boa.env.evm.patch.chain_id
    assert tuple(domain.eip712Domain()) == (
        b"\x0f",
        name,
        version,
        chain_id,
        domain.address,
        bytes(32),
        [],
    )


def test_separator__differs_by_name_version_and_contract() -> None:
    arguments = [("Proofmill", "1"), ("Proofmill", "1"), ("Proofmill", "2"), ("Proofmil", "l1")]
    separators = {deploy("mocks/Eip712DomainHarness.vy", *each).separator() for each in arguments}
    assert len(separators) == 4


def test_separator__follows_a_fork_and_back() -> None:
    domain = deploy("mocks/Eip712DomainHarness.vy", "Proofmill", "1")
    subject = actor("subject")
    before, chain_id = domain.separator(), boa.env.evm.patch.chain_id
    boa.env.evm.patch.chain_id = chain_id + 1
    assert domain.separator() != before
    assert domain.eip712Domain()[3] == chain_id + 1
    assert domain.digest(struct_hash(subject)) == expected_digest(domain, "Proofmill", "1", subject)
    boa.env.evm.patch.chain_id = chain_id
    assert domain.separator() == before


def test_digest__recovers_to_the_signer() -> None:
    domain, recovery = (
        deploy("mocks/Eip712DomainHarness.vy", "Proofmill", "1"),
        deploy("mocks/EcdsaHarness.vy"),
    )
    digest = domain.digest(struct_hash(SIGNER.address))
    signature = SIGNER.unsafe_sign_hash(digest)
    assert recovery.recover(digest, signature.v, signature.r, signature.s) == SIGNER.address
