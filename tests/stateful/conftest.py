"""Hypothesis profiles: `quick` by default, `deep` when PROOFMILL_HYPOTHESIS_PROFILE says so."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}
STATEFUL_PROFILES = {
    "quick": settings(max_examples=12, stateful_step_count=40, **_COMMON),
    "deep": settings(max_examples=600, stateful_step_count=100, **_COMMON),
}


def stateful_settings() -> settings:
    """Not loaded as the global profile: other tests keep their own."""
    return STATEFUL_PROFILES[os.environ.get("PROOFMILL_HYPOTHESIS_PROFILE", "quick")]
