"""The escrow and its actors as fixtures. titanoboa undoes every test's transactions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boa
import pytest

from tests.unit.contracts.job_escrow.market import Market, deploy_market


@pytest.fixture(autouse=True)
def _no_storage_of_contracts_before() -> None:
    """titanoboa remembers which words were written at an address when another contract takes it, and then cannot print it."""
    boa.env.sstore_trace.clear()


@pytest.fixture(scope="session")
def deployed_market() -> Market:
    return deploy_market()


@pytest.fixture
def market(deployed_market: Market) -> Market:
    """A test's own, whose token it may replace."""
    return replace(deployed_market)


@pytest.fixture
def escrow(market: Market) -> Any:
    return market.escrow


@pytest.fixture
def staking(market: Market) -> Any:
    return market.staking


@pytest.fixture
def admin(market: Market) -> str:
    return market.admin


@pytest.fixture
def evaluator(market: Market) -> str:
    return market.evaluator


@pytest.fixture
def arbiter(market: Market) -> str:
    return market.arbiter


@pytest.fixture
def requester(market: Market) -> str:
    return market.requester


@pytest.fixture
def worker(market: Market) -> str:
    return market.worker


@pytest.fixture
def hot_key(market: Market) -> str:
    return market.hot_key


@pytest.fixture
def challenger(market: Market) -> str:
    return market.challenger


@pytest.fixture
def stranger(market: Market) -> str:
    return market.stranger
