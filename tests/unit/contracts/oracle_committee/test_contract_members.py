"""Pitfall 20: keys that are contracts, or accounts that borrow code."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.models.oracle_committee import COMPLETE, verdicts_hash
from tests.suite.deployment import actor, deploy
from tests.unit.contracts.oracle_committee.assembly import (
    Assembly,
    compact_signature,
    key_accounts,
    long_signature,
    mirrored,
    multisig_signature,
    verdict,
)

JOB = 16
GARBAGE, FOUR_BYTES, BURNS, RETURNS_BOMB, REVERTS_BOMB, NOTHING, CHANGES, REVERTS_ANSWER = range(1, 9)


def seat_contract(assembly: Assembly, contract: Any, signature_of: Any) -> None:
    """Give the last seat to an operator whose key is `contract`."""
    operator = actor("contract-member")
    assembly.give_stake(operator)
    grant = assembly.committee.key_grant_digest(operator)
    assembly.committee.join(contract.address, signature_of(grant), sender=operator)
    assembly.committee.set_config([*assembly.operators[:3], operator], 1, sender=assembly.admin)


def signed_with(assembly: Assembly, signature_of: Any) -> tuple[Any, ...]:
    """A completion by member 0 and by the contract in the last seat."""
    head, items, _, signatures = assembly.signed([verdict(JOB)], places=(0,))
    digest = assembly.digest(head, verdicts_hash(head, items))
    return head, items, 0b1001, [*signatures, signature_of(digest)]


def hostile_member(assembly: Assembly) -> Any:
    """A contract that agrees until it is seated."""
    signer = deploy("mocks/MockHostileSigner.vy")
    seat_contract(assembly, signer, lambda digest: b"any")
    return signer


def test_pitfall_20__safe_with_3_of_5_owners__signs_with_195_bytes(assembly: Assembly) -> None:
    owners = key_accounts(5, salt=30)
    safe = deploy("mocks/MockMultisigSigner.vy", [owner.address for owner in owners], 3)

    def sign(digest: bytes) -> bytes:
        return multisig_signature(owners[1:4], digest)

    assert len(sign(bytes(32))) == 195
    seat_contract(assembly, safe, sign)
    assembly.committee.transmit(*signed_with(assembly, sign))
    assert assembly.escrow.outcome(JOB) == COMPLETE


def test_pitfall_20__safe_with_too_few_owners_or_another_digest__reverts(assembly: Assembly) -> None:
    owners = key_accounts(5, salt=30)
    safe = deploy("mocks/MockMultisigSigner.vy", [owner.address for owner in owners], 3)
    seat_contract(assembly, safe, lambda digest: multisig_signature(owners[:3], digest))
    for sign in (
        lambda digest: multisig_signature(owners[:2], digest),
        lambda digest: multisig_signature(owners[:3], digest[::-1]),
        lambda digest: multisig_signature([*owners[:2], key_accounts(1, salt=31)[0]], digest),
    ):
        with boa.reverts("committee: bad signature"):
            assembly.committee.transmit(*signed_with(assembly, sign))
    assert assembly.escrow.calls() == 0


def test_pitfall_20__signature_of_1_kib__fits_and_not_a_byte_more(assembly: Assembly) -> None:
    """15 owners of a multisig and its padding."""
    owners = key_accounts(15, salt=30)
    safe = deploy("mocks/MockMultisigSigner.vy", [owner.address for owner in owners], 15)

    def sign(digest: bytes) -> bytes:
        return multisig_signature(owners, digest).ljust(1024, b"\xff")

    seat_contract(assembly, safe, sign)
    arguments = signed_with(assembly, sign)
    with pytest.raises(boa.BoaError):
        assembly.committee.transmit(*arguments[:3], [arguments[3][0], arguments[3][1] + b"\0"])
    assembly.committee.transmit(*arguments)
    assert assembly.escrow.outcome(JOB) == COMPLETE


@pytest.mark.parametrize("length", [0, 3, 64, 65])
def test_pitfall_20__contract__is_asked_whatever_the_length(assembly: Assembly, length: int) -> None:
    """64 and 65 bytes are tried as ECDSA first, and then handed on."""
    hostile_member(assembly)
    assembly.committee.transmit(*signed_with(assembly, lambda digest: b"\1" * length))
    assert assembly.escrow.outcome(JOB) == COMPLETE


@pytest.mark.parametrize(
    "manner",
    [GARBAGE, FOUR_BYTES, BURNS, RETURNS_BOMB, REVERTS_BOMB, NOTHING, CHANGES, REVERTS_ANSWER],
)
def test_pitfall_20__hostile_contract__cannot_sign_and_blocks_nobody(assembly: Assembly, manner: int) -> None:
    signer = hostile_member(assembly)
    signer.behave(manner)
    with boa.reverts("committee: bad signature"):
        assembly.committee.transmit(*signed_with(assembly, lambda digest: b"any"))
    assert signer.manner() == manner
    assembly.committee.transmit(*assembly.signed([verdict(JOB)], places=(0, 1)))
    assert assembly.escrow.outcome(JOB) == COMPLETE


def test_pitfall_20__gas_burner__burns_its_allowance_and_no_more(assembly: Assembly) -> None:
    signer = hostile_member(assembly)
    signer.behave(BURNS)
    arguments = signed_with(assembly, lambda digest: b"any")
    with boa.reverts("committee: bad signature"):
        assembly.committee.transmit(*arguments, gas=5_000_000)
    assert 400_000 < assembly.committee._computation.get_gas_used() < 600_000


def test_pitfall_20__account_with_borrowed_code__signs_with_its_key(assembly: Assembly) -> None:
    """EIP-7702: the account has code that answers garbage, and its key still signs."""
    hostile = deploy("mocks/MockHostileSigner.vy")
    for place in (0, 1):
        boa.env.set_code(assembly.keys[place].address, boa.env.get_code(hostile.address))
    assembly.transmit([verdict(JOB)], signing=long_signature)
    assembly.transmit([verdict(32)], signing=compact_signature)
    assert [assembly.escrow.outcome(job) for job in (JOB, 32)] == [COMPLETE] * 2


def test_pitfall_20__account_with_borrowed_code__may_also_sign_by_its_code(assembly: Assembly) -> None:
    """What the code accepts is the account's own affair; a mirrored signature goes there and not to `ecrecover`."""
    hostile = deploy("mocks/MockHostileSigner.vy")
    boa.env.set_code(assembly.keys[0].address, boa.env.get_code(hostile.address))
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    assembly.committee.transmit(head, items, mask, [mirrored(signatures[0]), signatures[1]])
    assert assembly.escrow.outcome(JOB) == COMPLETE


def test_pitfall_20__account_without_code__is_not_asked(assembly: Assembly) -> None:
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    with boa.reverts("committee: bad signature"):
        assembly.committee.transmit(head, items, mask, [b"\1" * 195, signatures[1]])


def test_relayer__that_starves_a_contract_member__gets_nothing(assembly: Assembly) -> None:
    """Whatever gas is sent, the report is applied whole or not at all."""
    owners = key_accounts(5, salt=30)
    safe = deploy("mocks/MockMultisigSigner.vy", [owner.address for owner in owners], 3)
    seat_contract(assembly, safe, lambda digest: multisig_signature(owners[:3], digest))
    arguments = signed_with(assembly, lambda digest: multisig_signature(owners[:3], digest))
    outcomes = set()
    for gas in range(40_000, 1_300_000, 60_000):
        with boa.env.anchor():
            try:
                assembly.committee.transmit(*arguments, gas=gas)
            except boa.BoaError:
                outcomes.add("refused")
            else:
                outcomes.add("applied")
                assert assembly.escrow.outcome(JOB) == COMPLETE
    assert outcomes == {"refused", "applied"}
