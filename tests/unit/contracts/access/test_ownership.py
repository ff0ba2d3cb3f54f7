"""Who decides the settings: one owner, a next one who must accept, and never nobody."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.suite.deployment import NOBODY, actor, deploy, events_of

DEPLOYER = actor("deployer")

NOT_THE_OWNER = "ownership: not the owner"
NOT_THE_NEXT = "ownership: not the next owner"


@pytest.fixture
def owner() -> str:
    return actor("owner")


@pytest.fixture
def successor() -> str:
    return actor("successor")


@pytest.fixture
def stranger() -> str:
    return actor("stranger")


@pytest.fixture
def owned(owner: str) -> Any:
    return deploy("mocks/OwnershipHarness.vy", owner, sender=DEPLOYER)


def handed(name: str, before: str, after: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, {"previous_owner": before, "new_owner": after})]


def test_constructor__gives_everything_to_the_owner(owned: Any, owner: str) -> None:
    assert events_of(owned) == handed("OwnershipTransferred", NOBODY, owner)
    assert (owned.owner(), owned.pending_owner()) == (owner, NOBODY)


def test_constructor__no_owner__reverts() -> None:
    with boa.reverts("ownership: no owner"):
        deploy("mocks/OwnershipHarness.vy", NOBODY)


def test_check_owner__only_the_owner_decides(owned: Any, owner: str, successor: str, stranger: str) -> None:
    owned.set_setting(1, sender=owner)
    owned.transfer_ownership(successor, sender=owner)
    for account in (stranger, successor, DEPLOYER, NOBODY):
        with boa.reverts(NOT_THE_OWNER):
            owned.set_setting(2, sender=account)
    owned.set_setting(3, sender=owner)
    assert owned.setting() == 3


def test_transfer_ownership__waits_for_the_successor(owned: Any, owner: str, successor: str) -> None:
    owned.transfer_ownership(successor, sender=owner)
    assert events_of(owned) == handed("OwnershipTransferStarted", owner, successor)
    assert (owned.owner(), owned.pending_owner()) == (owner, successor)


def test_transfer_ownership__not_the_owner__reverts(
    owned: Any, owner: str, successor: str, stranger: str
) -> None:
    owned.transfer_ownership(successor, sender=owner)
    for account in (stranger, successor, DEPLOYER):
        with boa.reverts(NOT_THE_OWNER):
            owned.transfer_ownership(account, sender=account)
    assert owned.pending_owner() == successor


def test_transfer_ownership__named_again__only_the_last_counts(
    owned: Any, owner: str, successor: str, stranger: str
) -> None:
    owned.transfer_ownership(stranger, sender=owner)
    owned.transfer_ownership(successor, sender=owner)
    with boa.reverts(NOT_THE_NEXT):
        owned.accept_ownership(sender=stranger)
    owned.accept_ownership(sender=successor)
    assert owned.owner() == successor


def test_transfer_ownership__to_nobody__takes_the_offer_back(owned: Any, owner: str, successor: str) -> None:
    owned.transfer_ownership(successor, sender=owner)
    owned.transfer_ownership(NOBODY, sender=owner)
    assert events_of(owned) == handed("OwnershipTransferStarted", owner, NOBODY)
    with boa.reverts(NOT_THE_NEXT):
        owned.accept_ownership(sender=successor)
    assert owned.owner() == owner


def test_accept_ownership__moves_everything(owned: Any, owner: str, successor: str) -> None:
    owned.transfer_ownership(successor, sender=owner)
    owned.accept_ownership(sender=successor)
    assert events_of(owned) == handed("OwnershipTransferred", owner, successor)
    assert (owned.owner(), owned.pending_owner()) == (successor, NOBODY)
    owned.set_setting(1, sender=successor)
    with boa.reverts(NOT_THE_OWNER):
        owned.set_setting(2, sender=owner)


def test_accept_ownership__without_an_offer_or_twice__reverts(
    owned: Any, owner: str, successor: str, stranger: str
) -> None:
    for account in (stranger, owner, successor):
        with boa.reverts(NOT_THE_NEXT):
            owned.accept_ownership(sender=account)
    owned.transfer_ownership(successor, sender=owner)
    with boa.reverts(NOT_THE_NEXT):
        owned.accept_ownership(sender=stranger)
    owned.accept_ownership(sender=successor)
    with boa.reverts(NOT_THE_NEXT):
        owned.accept_ownership(sender=successor)


def test_interface__cannot_renounce(owned: Any) -> None:
    names = {entry["name"] for entry in owned.abi if entry["type"] == "function"}
    own = {"setting", "set_setting"}
    assert names - own == {"transfer_ownership", "accept_ownership", "owner", "pending_owner"}
