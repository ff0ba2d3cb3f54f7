"""The game and its players as fixtures. titanoboa undoes every test's transactions."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.unit.contracts.dispute_game.bench import Bench, deploy_bench


@pytest.fixture(autouse=True)
def _no_storage_of_contracts_before() -> None:
    """titanoboa remembers which words were written at an address when another contract takes it, and then cannot print it."""
    boa.env.sstore_trace.clear()


@pytest.fixture(scope="session")
def deployed_bench() -> Bench:
    return deploy_bench()


@pytest.fixture
def bench(deployed_bench: Bench) -> Bench:
    return deployed_bench


@pytest.fixture
def game(bench: Bench) -> Any:
    return bench.game
