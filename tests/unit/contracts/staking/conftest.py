"""`Staking` and its actors as fixtures. titanoboa undoes every test's transactions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.contracts.staking.deployment import Stage, delegation_pool, deploy_stage, own_pool


@pytest.fixture(scope="session")
def stage() -> Stage:
    return deploy_stage()


@pytest.fixture
def staking(stage: Stage) -> Any:
    return stage.staking


@pytest.fixture
def mill(stage: Stage) -> Any:
    return stage.mill


@pytest.fixture
def admin(stage: Stage) -> str:
    return stage.admin


@pytest.fixture
def operator(stage: Stage) -> str:
    return stage.operator


@pytest.fixture
def delegator(stage: Stage) -> str:
    return stage.delegator


@pytest.fixture
def verifier(stage: Stage) -> str:
    return stage.verifier


@pytest.fixture
def client(stage: Stage) -> str:
    return stage.client


@pytest.fixture
def reporter(stage: Stage) -> str:
    return stage.reporter


@pytest.fixture
def stranger(stage: Stage) -> str:
    return stage.stranger


@pytest.fixture
def own(operator: str) -> int:
    """The operator's own pool."""
    return own_pool(operator)


@pytest.fixture
def shared(operator: str) -> int:
    """The pool of its delegators."""
    return delegation_pool(operator)
