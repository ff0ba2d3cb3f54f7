"""Entries that can be closed: the pauser only closes, the unpauser only opens, the owner only names them."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.suite.deployment import MAX_UINT256, NOBODY, actor, deploy, events_of

FIRST, SECOND, LAST = 1, 2, 2**255
KNOWN = FIRST | SECOND | LAST

DEPLOYER = actor("deployer")

CLOSED = "pausable: closed"
NOT_THE_PAUSER = "pausable: not the pauser"
NOT_THE_UNPAUSER = "pausable: not the unpauser"
NOT_THE_OWNER = "ownership: not the owner"


@pytest.fixture
def owner() -> str:
    return actor("owner")


@pytest.fixture
def pauser() -> str:
    return actor("pauser")


@pytest.fixture
def unpauser() -> str:
    return actor("unpauser")


@pytest.fixture
def stranger() -> str:
    return actor("stranger")


@pytest.fixture
def entries(owner: str, pauser: str, unpauser: str) -> Any:
    contract = deploy("mocks/PausableHarness.vy", owner, KNOWN, sender=DEPLOYER)
    contract.set_pauser(pauser, sender=owner)
    contract.set_unpauser(unpauser, sender=owner)
    return contract


def test_start__everything_is_open_and_nobody_may_close(owner: str, stranger: str) -> None:
    contract = deploy("mocks/PausableHarness.vy", owner, KNOWN)
    assert (contract.closed(), contract.pauser(), contract.unpauser()) == (0, NOBODY, NOBODY)
    for flag in (FIRST, SECOND, LAST):
        contract.enter(flag, sender=stranger)
    with boa.reverts(NOT_THE_PAUSER):
        contract.pause(FIRST, sender=owner)
    with boa.reverts(NOT_THE_UNPAUSER):
        contract.unpause(FIRST, sender=owner)


def test_pause__closes_and_logs(entries: Any, pauser: str) -> None:
    entries.pause(FIRST | LAST, sender=pauser)
    assert events_of(entries) == [
        ("Paused", {"account": pauser, "flags": FIRST | LAST, "closed": FIRST | LAST})
    ]
    assert entries.closed() == FIRST | LAST
    for flag in (FIRST, LAST, FIRST | SECOND):
        with boa.reverts(CLOSED):
            entries.enter(flag)
    entries.enter(SECOND)
    assert entries.entered() == 1


def test_pause__adds_to_what_is_closed(entries: Any, pauser: str) -> None:
    entries.pause(FIRST, sender=pauser)
    entries.pause(SECOND, sender=pauser)
    assert events_of(entries) == [("Paused", {"account": pauser, "flags": SECOND, "closed": FIRST | SECOND})]
    for flag in (FIRST, SECOND):
        with boa.reverts(CLOSED):
            entries.enter(flag)


def test_unpause__opens_what_is_named_and_logs(entries: Any, pauser: str, unpauser: str) -> None:
    entries.pause(KNOWN, sender=pauser)
    entries.unpause(SECOND | LAST, sender=unpauser)
    assert events_of(entries) == [
        ("Unpaused", {"account": unpauser, "flags": SECOND | LAST, "closed": FIRST})
    ]
    entries.enter(SECOND)
    with boa.reverts(CLOSED):
        entries.enter(FIRST)


def test_unpause__what_is_open__changes_nothing(entries: Any, unpauser: str) -> None:
    entries.unpause(SECOND, sender=unpauser)
    assert events_of(entries) == [("Unpaused", {"account": unpauser, "flags": SECOND, "closed": 0})]


def test_pause__everyone_else__reverts(entries: Any, owner: str, unpauser: str, stranger: str) -> None:
    for account in (owner, unpauser, stranger, DEPLOYER):
        with boa.reverts(NOT_THE_PAUSER):
            entries.pause(FIRST, sender=account)
    assert entries.closed() == 0


def test_unpause__everyone_else__reverts(entries: Any, owner: str, pauser: str, stranger: str) -> None:
    entries.pause(FIRST, sender=pauser)
    for account in (owner, pauser, stranger, DEPLOYER):
        with boa.reverts(NOT_THE_UNPAUSER):
            entries.unpause(FIRST, sender=account)
    assert entries.closed() == FIRST


@pytest.mark.parametrize("flags", [4, FIRST | 4, 2**254, MAX_UINT256])
def test_flags__unknown__revert(entries: Any, pauser: str, unpauser: str, flags: int) -> None:
    with boa.reverts("pausable: unknown flag"):
        entries.pause(flags, sender=pauser)
    with boa.reverts("pausable: unknown flag"):
        entries.unpause(flags, sender=unpauser)


def test_flags__none__revert(entries: Any, pauser: str, unpauser: str) -> None:
    with boa.reverts("pausable: no flag"):
        entries.pause(0, sender=pauser)
    with boa.reverts("pausable: no flag"):
        entries.unpause(0, sender=unpauser)


@pytest.mark.parametrize(
    ("setter", "view", "event"),
    [("set_pauser", "pauser", "PauserSet"), ("set_unpauser", "unpauser", "UnpauserSet")],
)
def test_roles__the_owner_names_and_removes(
    entries: Any, owner: str, stranger: str, setter: str, view: str, event: str
) -> None:
    for account in (stranger, NOBODY):
        getattr(entries, setter)(account, sender=owner)
        assert events_of(entries) == [(event, {view: account})]
        assert getattr(entries, view)() == account


@pytest.mark.parametrize("setter", ["set_pauser", "set_unpauser"])
def test_roles__everyone_else__reverts(
    entries: Any, pauser: str, unpauser: str, stranger: str, setter: str
) -> None:
    for account in (pauser, unpauser, stranger, DEPLOYER):
        with boa.reverts(NOT_THE_OWNER):
            getattr(entries, setter)(account, sender=account)


def test_roles__a_former_pauser__closes_no_more(entries: Any, owner: str, pauser: str, unpauser: str) -> None:
    entries.set_pauser(NOBODY, sender=owner)
    with boa.reverts(NOT_THE_PAUSER):
        entries.pause(FIRST, sender=pauser)
    entries.set_unpauser(NOBODY, sender=owner)
    with boa.reverts(NOT_THE_UNPAUSER):
        entries.unpause(FIRST, sender=unpauser)


def test_exits__stay_open(entries: Any, pauser: str, stranger: str) -> None:
    entries.enter(FIRST, sender=stranger)
    entries.pause(KNOWN, sender=pauser)
    entries.leave(sender=stranger)
    assert entries.entered() == 0
