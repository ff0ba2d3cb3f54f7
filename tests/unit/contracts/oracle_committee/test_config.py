"""Construction, configuration, digests, roles."""

from __future__ import annotations

import boa
import pytest

from tests.models.oracle_committee import config_digest
from tests.suite.deployment import (
    HOUR,
    MILL,
    NO_WORD,
    NOBODY,
    actor,
    deploy,
    events_of,
)
from tests.unit.contracts.oracle_committee.assembly import (
    BOND,
    MAXIMUM_REPORT_AGE,
    Assembly,
    assemble,
    chain_id,
    verdict,
)


# ------------------------------------------------------------------ construction
def test_constructor__hands_over_to_the_admin(unseated: Assembly) -> None:
    committee = unseated.committee
    assert (committee.owner(), committee.pending_owner()) == (unseated.admin, NOBODY)
    assert (committee.pauser(), committee.unpauser(), committee.closed()) == (NOBODY, NOBODY, 0)
    assert (committee.maximum_report_age(), committee.member_bond()) == (MAXIMUM_REPORT_AGE, BOND)
    assert committee.staking() == unseated.staking.address
    assert (committee.config_digest(), committee.config_count()) == (NO_WORD, 0)
    assert (committee.faults_tolerated(), committee.latest_sequence()) == (0, 0)
    assert (committee.members(), committee.keys()) == ([], [])


@pytest.mark.parametrize(
    ("staking", "admin", "age", "bond", "reason"),
    [
        (False, True, HOUR, BOND, "committee: no staking"),
        (True, False, HOUR, BOND, "ownership: no owner"),
        (True, True, 299, BOND, "committee: maximum age too short"),
        (True, True, 86_401, BOND, "committee: maximum age too long"),
        (True, True, HOUR, 0, "committee: no bond"),
        (True, True, HOUR, 10_000_000 * MILL + 1, "committee: bond too large"),
    ],
)
def test_constructor__bad_argument__reverts(
    unseated: Assembly, staking: bool, admin: bool, age: int, bond: int, reason: str
) -> None:
    with boa.reverts(reason):
        deploy(
            "OracleCommittee.vy",
            unseated.staking.address if staking else NOBODY,
            unseated.admin if admin else NOBODY,
            age,
            bond,
        )


@pytest.mark.parametrize("age", [300, 86_400])
def test_constructor__age_bounds__are_inclusive(unseated: Assembly, age: int) -> None:
    own = deploy("OracleCommittee.vy", unseated.staking.address, unseated.admin, age, BOND)
    assert own.maximum_report_age() == age


# ------------------------------------------------------------------ set_config
@pytest.mark.parametrize("faults", [1, 2, 10])
def test_set_config__replaces_the_committee(faults: int) -> None:
    own = assemble(faults=faults)
    chosen = own.operators[::-1]
    keys = [key.address for key in own.keys[::-1]]
    returned = own.committee.set_config(chosen, faults, sender=own.admin)
    digest = config_digest(chain_id(), str(own.committee.address), 2, chosen, keys, faults)
    assert events_of(own.committee) == [
        (
            "ConfigSet",
            {
                "config_digest": digest,
                "config_count": 2,
                "faults_tolerated": faults,
                "operators": chosen,
                "keys": keys,
            },
        )
    ]
    assert returned == own.committee.config_digest() == digest
    assert digest[:2] == b"\x00\x01"
    assert (own.committee.members(), own.committee.keys()) == (chosen, keys)
    assert (own.committee.faults_tolerated(), own.committee.config_count()) == (faults, 2)
    own.keys.reverse()
    own.transmit([verdict(16)])


def test_set_config__same_members_again__gives_another_digest(assembly: Assembly) -> None:
    before = assembly.committee.config_digest()
    assert assembly.committee.set_config(assembly.operators, 1, sender=assembly.admin) != before


def test_set_config__keeps_the_sequence(assembly: Assembly) -> None:
    assembly.transmit([verdict(16)], sequence=12)
    assembly.committee.set_config(assembly.operators, 1, sender=assembly.admin)
    assert assembly.committee.latest_sequence() == 12
    with boa.reverts("committee: stale sequence"):
        assembly.transmit([verdict(32)], sequence=12)


def test_set_config__smaller_committee__leaves_no_seat_behind() -> None:
    own = assemble(faults=2)
    own.committee.set_config(own.operators[3:], 1, sender=own.admin)
    assert own.committee.keys() == [key.address for key in own.keys[3:]]
    for operator in own.operators[:3]:
        own.committee.leave(sender=operator)
    for operator in own.operators[3:]:
        with boa.reverts("committee: in the configuration"):
            own.committee.leave(sender=operator)


@pytest.mark.parametrize(
    ("size", "faults", "reason"),
    [
        (4, 0, "committee: no fault tolerated"),
        (1, 0, "committee: no fault tolerated"),
        (3, 1, "committee: not 3f + 1 members"),
        (5, 1, "committee: not 3f + 1 members"),
        (0, 1, "committee: not 3f + 1 members"),
        (31, 11, "committee: not 3f + 1 members"),
        (4, 2**255, "committee: too many faults"),
        (31, 31, "committee: too many faults"),
    ],
)
def test_set_config__wrong_size__reverts(assembly: Assembly, size: int, faults: int, reason: str) -> None:
    with boa.reverts(reason):
        assembly.committee.set_config(
            [actor(f"member-{place}") for place in range(size)], faults, sender=assembly.admin
        )


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 3), (2, 3)])
def test_set_config__duplicate_member__reverts(assembly: Assembly, first: int, second: int) -> None:
    operators = list(assembly.operators)
    operators[second] = operators[first]
    with boa.reverts("committee: duplicate member"):
        assembly.committee.set_config(operators, 1, sender=assembly.admin)
    assembly.transmit([verdict(16)])


@pytest.mark.parametrize("place", range(4))
def test_set_config__operator_that_has_not_joined_or_has_left__reverts(
    assembly: Assembly, place: int
) -> None:
    gone, _ = assembly.newcomer()
    assembly.committee.leave(sender=gone)
    for operator in (assembly.stranger, gone, NOBODY):
        operators = list(assembly.operators)
        operators[place] = operator
        with boa.reverts("committee: operator not joined"):
            assembly.committee.set_config(operators, 1, sender=assembly.admin)


def test_set_config__only_the_owner(assembly: Assembly) -> None:
    for caller in (assembly.stranger, assembly.relayer, assembly.operators[0]):
        with boa.reverts("ownership: not the owner"):
            assembly.committee.set_config(assembly.operators, 1, sender=caller)


def test_ownership__is_handed_over_in_two_steps(assembly: Assembly) -> None:
    committee, successor = assembly.committee, actor("successor")
    committee.transfer_ownership(successor, sender=assembly.admin)
    with boa.reverts("ownership: not the owner"):
        committee.set_config(assembly.operators, 1, sender=successor)
    committee.accept_ownership(sender=successor)
    committee.set_config(assembly.operators, 1, sender=successor)
    with boa.reverts("ownership: not the owner"):
        committee.set_config(assembly.operators, 1, sender=assembly.admin)


# ------------------------------------------------------------------ domain
def test_domain__is_that_of_erc_5267(assembly: Assembly) -> None:
    fields, name, version, domain_chain, contract, salt, extensions = assembly.committee.eip712Domain()
    assert (fields, name, version) == (b"\x0f", "Proofmill Oracle Committee", "1")
    assert (domain_chain, contract) == (chain_id(), assembly.committee.address)
    assert (salt, extensions) == (NO_WORD, [])
