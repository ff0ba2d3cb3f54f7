"""A registry without models. titanoboa undoes every test."""

from __future__ import annotations

from typing import Any

import pytest

from tests.suite.deployment import actor, deploy


@pytest.fixture(scope="session")
def models_admin() -> str:
    return actor("models-admin")


@pytest.fixture(scope="session")
def models(models_admin: str) -> Any:
    return deploy("ModelRegistry.vy", models_admin)


@pytest.fixture(scope="session")
def bounds_harness() -> Any:
    return deploy("mocks/DescriptorBoundsHarness.vy")


@pytest.fixture
def registrant() -> str:
    return actor("registrant")
