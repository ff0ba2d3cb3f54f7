"""Actors and contracts as fixtures. titanoboa undoes every test's transactions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.contracts.suite import Suite, actor, deploy_suite


@pytest.fixture(scope="session")
def suite() -> Suite:
    return deploy_suite()


@pytest.fixture
def mill(suite: Suite) -> Any:
    return suite.mill


@pytest.fixture
def staking(suite: Suite) -> Any:
    return suite.staking


@pytest.fixture
def escrow(suite: Suite) -> Any:
    return suite.escrow


@pytest.fixture
def committee(suite: Suite) -> Any:
    return suite.committee


@pytest.fixture
def admin(suite: Suite) -> str:
    return suite.admin


@pytest.fixture
def holder(suite: Suite) -> str:
    return suite.holder


@pytest.fixture
def requester(suite: Suite) -> str:
    return suite.requester


@pytest.fixture
def worker(suite: Suite) -> str:
    return suite.worker


@pytest.fixture
def relayer(suite: Suite) -> str:
    return suite.relayer


@pytest.fixture
def stranger(suite: Suite) -> str:
    return suite.stranger


@pytest.fixture
def verifier(suite: Suite) -> str:
    """A second authorised verifier, whose calls a test makes itself."""
    address = actor("verifier")
    suite.staking.set_verifier(address, True, sender=suite.admin)
    return address


@pytest.fixture
def evaluator(suite: Suite) -> str:
    """An evaluator whose calls a test makes itself, for the jobs posted from now on."""
    address = actor("evaluator")
    suite.escrow.set_evaluator(address, sender=suite.admin)
    return address
