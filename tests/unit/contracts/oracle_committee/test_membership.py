"""Joining, leaving, keys and bonds."""

from __future__ import annotations

import boa
import pytest

from tests.models.oracle_committee import KEY_NOTICE, key_grant_digest
from tests.suite.deployment import MILL, NOBODY, actor, deploy, events_of, now, travel_to
from tests.unit.contracts.oracle_committee.assembly import (
    BOND,
    Assembly,
    chain_id,
    compact_signature,
    key_accounts,
    long_signature,
    mirrored,
    verdict,
)

LARGEST_BOND = 10_000_000 * MILL


# ------------------------------------------------------------------ join
def test_join__commits_the_bond_and_takes_the_key(assembly: Assembly) -> None:
    operator, key = actor("newcomer"), key_accounts(1, salt=7)[0]
    assembly.give_stake(operator)
    assembly.committee.join(key.address, assembly.grant(key, operator), sender=operator)
    assert events_of(assembly.committee) == [
        ("MemberJoined", {"operator": operator, "key": key.address, "bond": BOND})
    ]
    assert assembly.committee.member(operator) == (key.address, NOBODY, 0, BOND)
    assert assembly.committee.operator_of(key.address) == operator
    assert assembly.staking.committed(operator) == BOND


def test_join__compact_signature__counts(unseated: Assembly) -> None:
    operator, key = unseated.operators[0], unseated.keys[0]
    unseated.give_stake(operator)
    signature = compact_signature(key, key_grant_digest(chain_id(), unseated.committee.address, operator))
    unseated.committee.join(key.address, signature, sender=operator)
    assert unseated.committee.operator_of(key.address) == operator


def test_join__own_account_as_key__is_allowed(unseated: Assembly) -> None:
    key = unseated.keys[0]
    unseated.give_stake(key.address)
    unseated.committee.join(key.address, unseated.grant(key, key.address), sender=key.address)
    assert unseated.committee.member(key.address)[0] == key.address


def test_join__twice__reverts(assembly: Assembly) -> None:
    operator, key = assembly.operators[0], key_accounts(1, salt=7)[0]
    with boa.reverts("committee: already a member"):
        assembly.committee.join(key.address, assembly.grant(key, operator), sender=operator)


def test_join__zero_key__reverts(unseated: Assembly) -> None:
    with boa.reverts("committee: zero key"):
        unseated.committee.join(NOBODY, bytes(65), sender=unseated.operators[0])


def test_join__key_of_another_member__reverts(assembly: Assembly) -> None:
    """Even one that this operator can sign with: it is held to its first operator for ever."""
    key = assembly.keys[0]
    with boa.reverts("committee: key of another"):
        assembly.committee.join(key.address, assembly.grant(key, assembly.stranger), sender=assembly.stranger)


def test_join__key_that_another_gave_up__reverts(assembly: Assembly) -> None:
    operator, old_key = assembly.newcomer()
    assembly.announce(operator, key_accounts(1, salt=8)[0])
    travel_to(now() + KEY_NOTICE)
    assembly.committee.apply_key(operator)
    assembly.committee.leave(sender=operator)
    with boa.reverts("committee: key of another"):
        assembly.committee.join(
            old_key.address, assembly.grant(old_key, assembly.stranger), sender=assembly.stranger
        )


def test_pitfall_18__grant_for_another_operator_chain_contract_or_purpose__is_worthless(
    unseated: Assembly,
) -> None:
    """So nobody can take a key out of another's transaction, nor name a key that is not its own."""
    operator, key = unseated.operators[0], unseated.keys[0]
    twin = deploy("mocks/MockBondStaking.vy")
    unseated.give_stake(operator)
    head = unseated.report()
    for signature in (
        unseated.grant(key, unseated.stranger),
        unseated.grant(key, operator, chain=chain_id() + 1),
        unseated.grant(key, operator, contract=twin.address),
        long_signature(key, unseated.digest(head, bytes(32))),
        unseated.grant(unseated.keys[1], operator),
        mirrored(unseated.grant(key, operator)),
        b"",
    ):
        with boa.reverts("committee: key did not agree"):
            unseated.committee.join(key.address, signature, sender=operator)
    unseated.committee.join(key.address, unseated.grant(key, operator), sender=operator)


def test_join__without_the_stake__reverts_and_leaves_the_key_free(unseated: Assembly) -> None:
    operator, key = unseated.operators[0], unseated.keys[0]
    unseated.give_stake(operator, 2 * BOND - 1)
    with boa.reverts("staking: too little stake"):
        unseated.committee.join(key.address, unseated.grant(key, operator), sender=operator)
    assert unseated.committee.operator_of(key.address) == NOBODY


# ------------------------------------------------------------------ pausing
def test_pause__closes_join_and_nothing_else(assembly: Assembly) -> None:
    committee, pauser, unpauser = assembly.committee, actor("pauser"), actor("unpauser")
    operator, _ = assembly.newcomer()
    late, late_key = actor("late"), key_accounts(1, salt=9)[0]
    assembly.give_stake(late)
    committee.set_pauser(pauser, sender=assembly.admin)
    committee.set_unpauser(unpauser, sender=assembly.admin)
    committee.pause(1, sender=pauser)
    with boa.reverts("pausable: closed"):
        committee.join(late_key.address, assembly.grant(late_key, late), sender=late)

    assembly.transmit([verdict(16)])
    committee.prove_equivocation(assembly.equivocation(assembly.keys[0]))
    assembly.announce(operator, key_accounts(1, salt=8)[0])
    travel_to(now() + KEY_NOTICE)
    committee.apply_key(operator)
    committee.leave(sender=operator)
    committee.unpause(1, sender=unpauser)
    committee.join(late_key.address, assembly.grant(late_key, late), sender=late)
    assert committee.member(late)[0] == late_key.address


def test_pause__knows_one_flag(assembly: Assembly) -> None:
    assembly.committee.set_pauser(assembly.admin, sender=assembly.admin)
    with boa.reverts("pausable: unknown flag"):
        assembly.committee.pause(2, sender=assembly.admin)


# ------------------------------------------------------------------ leave
def test_leave__frees_the_bond(assembly: Assembly) -> None:
    operator, key = assembly.newcomer()
    assembly.announce(operator, key_accounts(1, salt=8)[0])
    assembly.committee.leave(sender=operator)
    assert events_of(assembly.committee) == [("MemberLeft", {"operator": operator, "bond": BOND})]
    assert assembly.staking.committed(operator) == 0
    assert assembly.committee.member(operator) == (NOBODY, NOBODY, 0, BOND)
    assert assembly.committee.operator_of(key.address) == operator
    travel_to(now() + KEY_NOTICE)
    with boa.reverts("committee: no key announced"):
        assembly.committee.apply_key(operator)


def test_leave__from_a_seat__reverts_until_the_configuration_changes(assembly: Assembly) -> None:
    operator = assembly.operators[3]
    with boa.reverts("committee: in the configuration"):
        assembly.committee.leave(sender=operator)
    newcomer, _ = assembly.newcomer()
    assembly.committee.set_config([*assembly.operators[:3], newcomer], 1, sender=assembly.admin)
    assembly.committee.leave(sender=operator)
    assert assembly.staking.committed(operator) == 0


def test_leave__by_no_member__reverts(assembly: Assembly) -> None:
    operator, _ = assembly.newcomer()
    assembly.committee.leave(sender=operator)
    for caller in (assembly.stranger, assembly.admin, operator):
        with boa.reverts("committee: not a member"):
            assembly.committee.leave(sender=caller)


def test_join__again_after_leaving__pledges_what_it_still_answers_for(assembly: Assembly) -> None:
    """Or an equivocation before could be settled at a later, lower bond."""
    operator, key = assembly.newcomer()
    assembly.committee.leave(sender=operator)
    assembly.committee.set_member_bond(1, sender=assembly.admin)
    assembly.join(operator, key)
    assert assembly.staking.committed(operator) == assembly.committee.member(operator)[3] == BOND
    assembly.committee.leave(sender=operator)
    assembly.committee.set_member_bond(2 * BOND, sender=assembly.admin)
    assembly.join(operator, key)
    assert assembly.staking.committed(operator) == assembly.committee.member(operator)[3] == 2 * BOND


# ------------------------------------------------------------------ rotate_key, apply_key
def test_rotate_key__counts_a_day_later_and_keeps_the_digest(assembly: Assembly) -> None:
    committee, operator, old_key = assembly.committee, assembly.operators[1], assembly.keys[1]
    new_key = key_accounts(1, salt=8)[0]
    before, effective_at = committee.config_digest(), now() + KEY_NOTICE
    assembly.announce(operator, new_key)
    assert events_of(committee) == [
        (
            "KeyRotationAnnounced",
            {"operator": operator, "key": new_key.address, "effective_at": effective_at},
        )
    ]
    assert committee.member(operator) == (old_key.address, new_key.address, effective_at, BOND)
    assert committee.config_digest() == before
    travel_to(effective_at - 1)
    with boa.reverts("committee: notice still runs"):
        committee.apply_key(operator)
    assembly.transmit([verdict(16)])

    travel_to(effective_at)
    unrelayed = assembly.signed([verdict(32)], places=(0, 2))
    committee.apply_key(operator, sender=assembly.stranger)
    keys = [new_key.address if place == 1 else key.address for place, key in enumerate(assembly.keys)]
    assert events_of(committee) == [("KeyRotated", {"operator": operator, "key": new_key.address})]
    assert (committee.config_digest(), committee.config_count(), committee.keys()) == (before, 1, keys)
    assert committee.member(operator) == (new_key.address, NOBODY, 0, BOND)
    assert (committee.operator_of(old_key.address), committee.operator_of(new_key.address)) == (
        operator,
        operator,
    )
    # What the others signed stays good; the old key signs nothing any more.
    committee.transmit(*unrelayed)
    with boa.reverts("committee: bad signature"):
        assembly.transmit([verdict(48)])
    assembly.keys[1] = new_key
    try:
        assembly.transmit([verdict(48)])
    finally:
        assembly.keys[1] = old_key
    assert assembly.committee.latest_sequence() == 3


def test_apply_key__of_a_member_without_a_seat__leaves_the_digest(assembly: Assembly) -> None:
    operator, _ = assembly.newcomer()
    key = key_accounts(1, salt=8)[0]
    before = assembly.committee.config_digest()
    assembly.announce(operator, key)
    travel_to(now() + KEY_NOTICE)
    assembly.committee.apply_key(operator)
    assert events_of(assembly.committee) == [("KeyRotated", {"operator": operator, "key": key.address})]
    assert (assembly.committee.config_digest(), assembly.committee.config_count()) == (before, 1)
    assert assembly.committee.member(operator)[0] == key.address


def test_apply_key__twice_or_unannounced__reverts(assembly: Assembly) -> None:
    operator = assembly.operators[0]
    assembly.announce(operator, key_accounts(1, salt=8)[0])
    travel_to(now() + KEY_NOTICE)
    assembly.committee.apply_key(operator)
    for account in (operator, assembly.operators[1], assembly.stranger):
        with boa.reverts("committee: no key announced"):
            assembly.committee.apply_key(account)


def test_rotate_key__announced_again__replaces_key_and_day(assembly: Assembly) -> None:
    operator, (first, second) = assembly.operators[0], key_accounts(2, salt=8)
    assembly.announce(operator, first)
    travel_to(now() + KEY_NOTICE - 1)
    assembly.announce(operator, second)
    assert assembly.committee.member(operator)[1:3] == (second.address, now() + KEY_NOTICE)
    travel_to(now() + 1)
    with boa.reverts("committee: notice still runs"):
        assembly.committee.apply_key(operator)


def test_rotate_key__back_to_an_own_old_key__is_allowed(assembly: Assembly) -> None:
    operator, old = assembly.operators[0], assembly.keys[0]
    for key in (key_accounts(1, salt=8)[0], old):
        assembly.announce(operator, key)
        travel_to(now() + KEY_NOTICE)
        assembly.committee.apply_key(operator)
    assembly.transmit([verdict(16)])
    assert assembly.committee.keys()[0] == old.address


def test_rotate_key__to_the_present_key__reverts(assembly: Assembly) -> None:
    with boa.reverts("committee: same key"):
        assembly.announce(assembly.operators[0], assembly.keys[0])


def test_rotate_key__to_anothers_key_or_without_its_consent__reverts(assembly: Assembly) -> None:
    operator, committee = assembly.operators[0], assembly.committee
    with boa.reverts("committee: key of another"):
        assembly.announce(operator, assembly.keys[1])
    key = key_accounts(1, salt=8)[0]
    with boa.reverts("committee: key did not agree"):
        committee.rotate_key(key.address, assembly.grant(key, assembly.stranger), sender=operator)
    with boa.reverts("committee: zero key"):
        committee.rotate_key(NOBODY, bytes(65), sender=operator)


def test_rotate_key__to_an_announced_key_of_another__reverts(assembly: Assembly) -> None:
    """A key is taken when it is announced."""
    key = key_accounts(1, salt=8)[0]
    assembly.announce(assembly.operators[0], key)
    with boa.reverts("committee: key of another"):
        assembly.announce(assembly.operators[1], key)


def test_rotate_key__by_no_member__reverts(assembly: Assembly) -> None:
    key = key_accounts(1, salt=8)[0]
    for caller in (assembly.stranger, assembly.admin):
        with boa.reverts("committee: not a member"):
            assembly.committee.rotate_key(key.address, assembly.grant(key, caller), sender=caller)


def test_key_grant_digest__is_eip_712(assembly: Assembly) -> None:
    for operator in assembly.operators:
        expected = key_grant_digest(chain_id(), str(assembly.committee.address), operator)
        assert assembly.committee.key_grant_digest(operator) == expected


# ------------------------------------------------------------------ set_member_bond
@pytest.mark.parametrize("bond", [1, LARGEST_BOND])
def test_set_member_bond__counts_for_those_who_join_later(assembly: Assembly, bond: int) -> None:
    assembly.committee.set_member_bond(bond, sender=assembly.admin)
    assert events_of(assembly.committee) == [("MemberBondSet", {"member_bond": bond})]
    assert assembly.committee.member_bond() == bond
    operator, key = actor("newcomer"), key_accounts(1, salt=7)[0]
    assembly.give_stake(operator, 2 * bond)
    assembly.committee.join(key.address, assembly.grant(key, operator), sender=operator)
    assert assembly.committee.member(operator)[3] == assembly.staking.committed(operator) == bond
    assert assembly.committee.member(assembly.operators[0])[3] == BOND


def test_set_member_bond__out_of_bounds__reverts(assembly: Assembly) -> None:
    with boa.reverts("committee: no bond"):
        assembly.committee.set_member_bond(0, sender=assembly.admin)
    with boa.reverts("committee: bond too large"):
        assembly.committee.set_member_bond(LARGEST_BOND + 1, sender=assembly.admin)


def test_set_member_bond__only_the_owner(assembly: Assembly) -> None:
    for caller in (assembly.stranger, assembly.relayer, assembly.operators[0]):
        with boa.reverts("ownership: not the owner"):
            assembly.committee.set_member_bond(1, sender=caller)
