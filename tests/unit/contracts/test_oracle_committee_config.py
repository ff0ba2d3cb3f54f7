"""Construction, configuration, digests."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.contracts.committee_cases import (
    MAX_VERDICTS,
    chain_id,
    expected_config_digest,
    expected_report_digest,
)
from tests.unit.contracts.suite import (
    DELIVERABLE,
    EVIDENCE,
    HOUR,
    MAXIMUM_REPORT_AGE,
    REASON,
    ZERO_ADDRESS,
    ZERO_WORD,
    Suite,
    deploy,
    events_of,
    member_accounts,
)


# ------------------------------------------------------------------ construction
def test_constructor__hands_over_to_the_admin(committee: Any, admin: str) -> None:
    assert (committee.owner(), committee.pending_owner()) == (admin, ZERO_ADDRESS)
    assert (committee.maximum_report_age(), committee.latest_sequence()) == (MAXIMUM_REPORT_AGE, 0)


@pytest.mark.parametrize(
    ("admin_given", "age", "reason"),
    [
        (False, HOUR, "committee: no admin"),
        (True, 299, "committee: maximum age too short"),
        (True, 86_401, "committee: maximum age too long"),
    ],
)
def test_constructor__bad_argument__reverts(admin: str, admin_given: bool, age: int, reason: str) -> None:
    with boa.reverts(reason):
        deploy("OracleCommittee.vy", admin if admin_given else ZERO_ADDRESS, age)


@pytest.mark.parametrize("age", [300, 86_400])
def test_constructor__age_bounds__are_inclusive(admin: str, age: int) -> None:
    assert deploy("OracleCommittee.vy", admin, age).maximum_report_age() == age


# ------------------------------------------------------------------ set_config
@pytest.mark.parametrize("faults", [1, 2, 10])
def test_set_config__replaces_the_committee(committee: Any, admin: str, faults: int) -> None:
    members = [member.address for member in member_accounts(3 * faults + 1)]
    count = committee.config_count() + 1
    digest = committee.set_config(members, faults, sender=admin)
    logged = events_of(committee)
    assert digest == committee.config_digest() == expected_config_digest(committee, count, members, faults)
    assert logged == [
        (
            "ConfigSet",
            {
                "config_digest": digest,
                "config_count": count,
                "faults_tolerated": faults,
                "members": members,
            },
        )
    ]
    assert (committee.members(), committee.faults_tolerated()) == (members, faults)
    assert committee.config_count() == count


def test_set_config__same_members_again__gives_another_digest(committee: Any, admin: str) -> None:
    before = committee.config_digest()
    assert committee.set_config(committee.members(), 1, sender=admin) != before


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
def test_set_config__wrong_size__reverts(
    committee: Any, admin: str, size: int, faults: int, reason: str
) -> None:
    with boa.reverts(reason):
        committee.set_config([m.address for m in member_accounts(size)], faults, sender=admin)


@pytest.mark.parametrize("position", range(4))
def test_set_config__zero_member__reverts(committee: Any, admin: str, position: int) -> None:
    members = [member.address for member in member_accounts(4)]
    members[position] = ZERO_ADDRESS
    with boa.reverts("committee: zero member"):
        committee.set_config(members, 1, sender=admin)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 3), (2, 3)])
def test_set_config__duplicate_member__reverts(committee: Any, admin: str, first: int, second: int) -> None:
    members = [member.address for member in member_accounts(4)]
    members[second] = members[first]
    with boa.reverts("committee: duplicate member"):
        committee.set_config(members, 1, sender=admin)


def test_set_config__only_the_owner(suite: Suite) -> None:
    members = suite.committee.members()
    for caller in (suite.stranger, suite.relayer, members[0]):
        with boa.reverts("ownable: caller is not the owner"):
            suite.committee.set_config(members, 1, sender=caller)


# ------------------------------------------------------------------ digests
@settings(max_examples=15, deadline=None)
@given(
    sequence=st.integers(0, 2**64 - 1),
    observed_at=st.integers(0, 2**256 - 1),
    outcomes=st.lists(st.integers(0, 255), max_size=MAX_VERDICTS),
)
def test_report_digest__is_eip_712(
    suite: Suite, sequence: int, observed_at: int, outcomes: list[int]
) -> None:
    verdicts = [
        (str(suite.escrow.address), index, keccak(bytes([index])), outcome, REASON)
        for index, outcome in enumerate(outcomes)
    ]
    report = (suite.committee.config_digest(), sequence, observed_at, EVIDENCE, verdicts)
    assert suite.committee.report_digest(report) == expected_report_digest(suite.committee, report)


def test_report_digest__follows_the_chain_id(suite: Suite) -> None:
    report = suite.report([suite.verdict(suite.submitted())])
    before = suite.committee.report_digest(report)
    boa.env.evm.patch.chain_id += 1
    assert suite.committee.report_digest(report) == expected_report_digest(suite.committee, report) != before


def test_domain__is_that_of_erc_5267(committee: Any) -> None:
    fields, name, version, domain_chain, contract, salt, extensions = committee.eip712Domain()
    assert (fields, name, version) == (b"\x0f", "Proofmill Oracle Committee", "1")
    assert (domain_chain, contract, salt, extensions) == (chain_id(), committee.address, ZERO_WORD, [])


def test_selectors__in_the_committee_are_those_of_the_escrow(suite: Suite) -> None:
    job = suite.submitted()
    constants = suite.committee._constants
    for name, constant in (("complete", constants.COMPLETE_METHOD), ("reject", constants.REJECT_METHOD)):
        call_data = getattr(suite.escrow, name).prepare_calldata(job.id, job.terms, DELIVERABLE, REASON)
        assert "0x" + call_data[:4].hex() == constant
