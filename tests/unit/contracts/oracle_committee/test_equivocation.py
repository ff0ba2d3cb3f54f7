"""Two reports of one key under one number."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.models.oracle_committee import KEY_NOTICE, proof_id, verdicts_hash
from tests.suite.deployment import NOBODY, REASON, actor, deploy, events_of, now, travel_to
from tests.unit.contracts.oracle_committee.assembly import (
    BOND,
    Assembly,
    assemble,
    compact_signature,
    key_accounts,
    long_signature,
    mirrored,
    verdict,
)

FIRST, SECOND = b"first".ljust(32, b"\1"), b"second".ljust(32, b"\1")


def penalty(operator: str, released: int, amount: int, reporter: str, reason: bytes) -> tuple[Any, ...]:
    return (operator, released, amount, NOBODY, 0, reporter, 2_500, reason)


# ------------------------------------------------------------------ what a proof does
def test_prove_equivocation__takes_the_whole_bond_and_ejects(assembly: Assembly) -> None:
    committee, operator, key = assembly.committee, assembly.operators[2], assembly.keys[2]
    digest = committee.config_digest()
    assert committee.prove_equivocation(assembly.equivocation(key), sender=assembly.reporter) == BOND
    assert events_of(committee) == [
        (
            "EquivocationProved",
            {
                "operator": operator,
                "key": key.address,
                "sequence": 9,
                "reporter": assembly.reporter,
                "taken": BOND,
            },
        )
    ]
    reason = proof_id(key.address, digest, 9)
    assert tuple(assembly.staking.penalty()) == penalty(operator, BOND, BOND, assembly.reporter, reason)
    assert (assembly.staking.committed(operator), assembly.staking.stake_of(operator)) == (0, 9 * BOND)
    assert committee.member(operator) == (NOBODY, NOBODY, 0, 0)
    assert committee.members() == assembly.operators
    keys = [NOBODY if place == 2 else other.address for place, other in enumerate(assembly.keys)]
    assert committee.keys() == keys


def test_prove_equivocation__takes_the_bond_of_the_day_it_joined(assembly: Assembly) -> None:
    assembly.committee.set_member_bond(7 * BOND, sender=assembly.admin)
    assert assembly.committee.prove_equivocation(assembly.equivocation(assembly.keys[0])) == BOND


def test_prove_equivocation__voids_nothing_that_the_others_signed(assembly: Assembly) -> None:
    """Or a member could have itself ejected to stop a report against it."""
    before = assembly.committee.config_digest()
    pending = assembly.signed([verdict(16)], places=(1, 3))
    assembly.committee.prove_equivocation(assembly.equivocation(assembly.keys[0]))
    assert (assembly.committee.config_digest(), assembly.committee.config_count()) == (before, 1)
    assembly.committee.transmit(*pending)
    with boa.reverts("committee: unknown signer"):
        assembly.transmit([verdict(32)], places=(0, 1))
    assembly.transmit([verdict(32, 4)], places=(1, 2, 3))
    assert [assembly.escrow.outcome(job) for job in (16, 32)] == [3, 4]


def test_prove_equivocation__compact_and_long_signatures__both_tell(assembly: Assembly) -> None:
    key, head = assembly.keys[0], assembly.report(sequence=9)
    proof = assembly.equivocation(key, second_signature=compact_signature(key, assembly.digest(head, SECOND)))
    assert assembly.committee.prove_equivocation(proof) == BOND


def test_prove_equivocation__of_a_report_that_was_transmitted(assembly: Assembly) -> None:
    """The signature that counted, and another."""
    arguments = assembly.signed([verdict(16)])
    assembly.committee.transmit(*arguments)
    head = arguments[0]
    proof = assembly.equivocation(
        assembly.keys[0],
        sequence=head.sequence,
        first_hash=verdicts_hash(head, arguments[1]),
        first_signature=arguments[3][0],
    )
    assert assembly.committee.prove_equivocation(proof) == BOND


def test_prove_equivocation__contract_member__answers_too(assembly: Assembly) -> None:
    signer, operator = deploy("mocks/MockHostileSigner.vy"), actor("contract-member")
    assembly.give_stake(operator)
    assembly.committee.join(signer.address, b"any", sender=operator)
    proof = assembly.equivocation(assembly.keys[0], key=signer.address)
    signer.behave(6)
    with boa.reverts("committee: first not signed"):
        assembly.committee.prove_equivocation(proof)
    signer.behave(0)
    assert assembly.committee.prove_equivocation(proof) == BOND


# ------------------------------------------------------------------ keys and digests of the past
def test_prove_equivocation__old_key_and_old_digest__still_count(assembly: Assembly) -> None:
    committee, operator, old_key = assembly.committee, assembly.operators[0], assembly.keys[0]
    proof = assembly.equivocation(old_key)
    new_key = key_accounts(1, salt=8)[0]
    assembly.announce(operator, new_key)
    travel_to(now() + KEY_NOTICE)
    committee.apply_key(operator)
    committee.set_config(committee.members(), 1, sender=assembly.admin)
    assert committee.config_digest() != proof[1]
    assert committee.prove_equivocation(proof) == BOND
    assert committee.keys()[0] == NOBODY
    assert committee.member(operator) == (NOBODY, NOBODY, 0, 0)


def test_prove_equivocation__cancels_an_announced_key(assembly: Assembly) -> None:
    """The ejected seat stays empty, whatever was announced before."""
    operator = assembly.operators[0]
    assembly.announce(operator, key_accounts(1, salt=8)[0])
    assembly.committee.prove_equivocation(assembly.equivocation(assembly.keys[0]))
    travel_to(now() + KEY_NOTICE)
    with boa.reverts("committee: no key announced"):
        assembly.committee.apply_key(operator)


def test_prove_equivocation__member_that_joins_again__does_not_get_its_seat_back(assembly: Assembly) -> None:
    committee, operator = assembly.committee, assembly.operators[0]
    committee.prove_equivocation(assembly.equivocation(assembly.keys[0]))
    first, second = key_accounts(2, salt=8)
    assembly.join(operator, first)
    assembly.announce(operator, second)
    travel_to(now() + KEY_NOTICE)
    committee.apply_key(operator)
    assert committee.keys()[0] == NOBODY
    assert committee.config_count() == 1
    committee.leave(sender=operator)
    assembly.join(operator, first)
    committee.set_config(assembly.operators, 1, sender=assembly.admin)
    assert committee.keys()[0] == first.address


def test_prove_equivocation__other_members_rotation_after_it__keeps_the_seat_empty(
    assembly: Assembly,
) -> None:
    committee = assembly.committee
    committee.prove_equivocation(assembly.equivocation(assembly.keys[0]))
    key = key_accounts(1, salt=8)[0]
    assembly.announce(assembly.operators[1], key)
    travel_to(now() + KEY_NOTICE)
    committee.apply_key(assembly.operators[1])
    assert committee.keys()[:2] == [NOBODY, key.address]


# ------------------------------------------------------------------ one that has left
def test_prove_equivocation__of_one_that_left__takes_what_the_caps_allow(assembly: Assembly) -> None:
    operator, key = assembly.newcomer()
    proof, later_proof = assembly.equivocation(key), assembly.equivocation(key, sequence=10)
    assembly.committee.leave(sender=operator)
    with boa.reverts("committee: nothing to take"):
        assembly.committee.prove_equivocation(proof)

    assembly.staking.set_slash_room(BOND // 4)
    assert assembly.committee.prove_equivocation(proof, sender=assembly.reporter) == BOND // 4
    reason = proof_id(key.address, proof[1], 9)
    assert tuple(assembly.staking.penalty()) == penalty(operator, 0, BOND, assembly.reporter, reason)
    assert assembly.committee.member(operator)[3] == BOND - BOND // 4
    with boa.reverts("committee: already punished"):
        assembly.committee.prove_equivocation(proof)
    assembly.staking.set_slash_room(10 * BOND)
    assert assembly.committee.prove_equivocation(later_proof) == BOND - BOND // 4
    assert assembly.committee.member(operator)[3] == 0


def test_prove_equivocation__of_one_that_left_and_came_back__takes_the_new_bond(assembly: Assembly) -> None:
    operator, key = assembly.newcomer()
    proof = assembly.equivocation(key)
    assembly.committee.leave(sender=operator)
    assembly.join(operator, key)
    assert assembly.committee.prove_equivocation(proof) == BOND
    assert assembly.staking.committed(operator) == 0


# ------------------------------------------------------------------ once
def test_prove_equivocation__twice__reverts(assembly: Assembly) -> None:
    """Also with other reports, in the other order, and after the member has come back."""
    committee, key = assembly.committee, assembly.keys[0]
    proof = assembly.equivocation(key)
    committee.prove_equivocation(proof)
    assembly.join(assembly.operators[0], key)
    head, third = assembly.report(sequence=9), b"third".ljust(32, b"\1")
    swapped = (*proof[:3], *proof[5:7], *proof[3:5])
    other = assembly.equivocation(
        key, second_hash=third, second_signature=long_signature(key, assembly.digest(head, third))
    )
    for again in (proof, swapped, other):
        with boa.reverts("committee: already punished"):
            committee.prove_equivocation(again)
    assert assembly.staking.slashes() == 1


def test_prove_equivocation__second_number__finds_no_bond_and_is_not_used_up(assembly: Assembly) -> None:
    """Or a member could settle a second crime for nothing before it comes back."""
    committee, operator, key = assembly.committee, assembly.operators[0], assembly.keys[0]
    second = assembly.equivocation(key, sequence=10)
    committee.prove_equivocation(assembly.equivocation(key))
    with boa.reverts("committee: no bond to take"):
        committee.prove_equivocation(second)
    assembly.join(operator, key)
    assert committee.prove_equivocation(second) == BOND


# ------------------------------------------------------------------ what is no proof
def test_prove_equivocation__the_same_report__reverts(assembly: Assembly) -> None:
    """Also in two signatures."""
    key, head = assembly.keys[0], assembly.report(sequence=9)
    for signature in (
        long_signature(key, assembly.digest(head, FIRST)),
        compact_signature(key, assembly.digest(head, FIRST)),
    ):
        with boa.reverts("committee: the same report"):
            assembly.committee.prove_equivocation(
                assembly.equivocation(key, second_hash=FIRST, second_signature=signature)
            )


def test_prove_equivocation__key_of_nobody__reverts(assembly: Assembly) -> None:
    with boa.reverts("committee: key of nobody"):
        assembly.committee.prove_equivocation(assembly.equivocation(key_accounts(1, salt=50)[0]))
    with boa.reverts("committee: key of nobody"):
        assembly.committee.prove_equivocation(assembly.equivocation(assembly.keys[0], key=NOBODY))


def test_prove_equivocation__digest_of_another_committee_or_none__reverts(assembly: Assembly) -> None:
    for digest in (REASON, bytes(32), assemble().committee.config_digest()):
        with boa.reverts("committee: unknown digest"):
            assembly.committee.prove_equivocation(assembly.equivocation(assembly.keys[0], digest=digest))


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("first_signature", "committee: first not signed"),
        ("second_signature", "committee: second not signed"),
    ],
)
def test_prove_equivocation__signature_of_another_or_bent__reverts(
    assembly: Assembly, field: str, reason: str
) -> None:
    genuine = assembly.equivocation(assembly.keys[0])
    position = {"first_signature": 4, "second_signature": 6}[field]
    others = assembly.equivocation(assembly.keys[1])[position]
    for signature in (others, mirrored(genuine[position]), genuine[10 - position], b"", bytes(65)):
        changed: dict[str, Any] = {field: signature}
        with boa.reverts(reason):
            assembly.committee.prove_equivocation(assembly.equivocation(assembly.keys[0], **changed))
    assert assembly.staking.slashes() == 0


@pytest.mark.parametrize("position", [2, 1])
def test_prove_equivocation__two_numbers_or_two_configurations__are_no_proof(
    assembly: Assembly, position: int
) -> None:
    """A member that signs again under the next number, or for the next committee, does its duty."""
    key, first_digest = assembly.keys[0], assembly.committee.config_digest()
    if position == 1:
        assembly.committee.set_config(assembly.operators, 1, sender=assembly.admin)
        later = assembly.equivocation(key)
    else:
        later = assembly.equivocation(key, sequence=10)
    proof = assembly.equivocation(key, digest=first_digest, second_signature=later[6])
    with boa.reverts("committee: second not signed"):
        assembly.committee.prove_equivocation(proof)


def test_prove_equivocation__signed_for_another_chain__is_no_proof(assembly: Assembly) -> None:
    proof = assembly.equivocation(assembly.keys[0])
    boa.env.evm.patch.chain_id += 1
    with boa.reverts("committee: first not signed"):
        assembly.committee.prove_equivocation(proof)
