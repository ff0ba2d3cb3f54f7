"""The assembly as a fixture. titanoboa undoes every test's transactions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.contracts.oracle_committee.assembly import Assembly, assemble


@pytest.fixture(scope="session")
def assembly() -> Assembly:
    return assemble()


@pytest.fixture(scope="session")
def unseated() -> Assembly:
    """A committee that nobody has joined."""
    return assemble(seated=False)


@pytest.fixture
def committee(assembly: Assembly) -> Any:
    return assembly.committee
