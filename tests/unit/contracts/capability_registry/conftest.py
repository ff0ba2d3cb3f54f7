"""A registry whose committee is an account, so that a test can record what it likes. titanoboa undoes every test."""

from __future__ import annotations

from typing import Any

import pytest

from tests.suite.deployment import actor, deploy

GIB = 2**30
TIERS = ((10**9, GIB), (10**10, GIB), (10**12, 16 * GIB))


@pytest.fixture(scope="session")
def registry_admin() -> str:
    return actor("registry-admin")


@pytest.fixture(scope="session")
def recorder() -> str:
    """Plays the committee."""
    return actor("recorder")


@pytest.fixture(scope="session")
def registry(registry_admin: str, recorder: str) -> Any:
    """With three tiers."""
    contract = deploy("CapabilityRegistry.vy", recorder, registry_admin)
    for tier, (speed, memory) in enumerate(TIERS, 1):
        contract.set_tier(tier, speed, memory, sender=registry_admin)
    return contract
