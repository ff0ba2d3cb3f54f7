"""Any history of measurements leaves the registry as a model that keeps everything and searches it."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.capability_registry import MAX_LIFETIME, Refused, RegistryModel
from tests.models.oracle_committee import Measurement
from tests.suite.deployment import DAY, EVIDENCE, actor, deploy, now, travel_to

TIER_LADDER = [(10, 1), (20, 1), (20, 5), (30, 5)]
OPERATORS = ["worker", "other-worker", "third-worker"]


@pytest.fixture(scope="module")
def registry() -> Any:
    return deploy("CapabilityRegistry.vy", actor("recorder"), actor("registry-admin"))


STEPS = st.tuples(
    st.integers(0, 20 * DAY),  # seconds that pass
    st.integers(0, 45),  # device
    st.sampled_from(OPERATORS),
    st.sampled_from([0, 9, 10, 15, 20, 25, 30, 31]),  # operations per second
    st.integers(0, 6),  # memory
    st.sampled_from([-1, 0, 0, 0, 0, 1, DAY]),  # observed so long ago
    st.sampled_from([0, 1, DAY, 10 * DAY, MAX_LIFETIME, MAX_LIFETIME + 1]),  # believed for
)
TIER_STEPS = st.tuples(st.integers(0, 8), st.integers(0, 40), st.integers(0, 8))


def equal(registry: Any, model: RegistryModel) -> None:
    for name in OPERATORS:
        operator = actor_of(name)
        assert registry.devices_of(operator) == model.devices_of(operator)
        assert registry.tier(operator) == model.tier_at(operator, now())
        for ahead in (1, DAY, 10 * DAY, MAX_LIFETIME):
            assert registry.tier_at(operator, now() + ahead) == model.tier_at(operator, now() + ahead)
    for device_id, item in model.latest.items():
        read = Measurement(*registry.measurement(device_id))
        if model.is_listed(device_id):
            assert read == item
        else:
            assert int(read.operator, 16) == 0


ACTORS: dict[str, str] = {}


def actor_of(name: str) -> str:
    """The same address in all examples."""
    if name not in ACTORS:
        ACTORS[name] = actor(name)
    return ACTORS[name]


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_record__any_history__equals_the_model(registry: Any, steps: list[tuple[Any, ...]]) -> None:
    model = RegistryModel()
    for tier, (speed, memory) in enumerate(TIER_LADDER, 1):
        registry.set_tier(tier, speed, memory, sender=registry.owner())
        model.set_tier(tier, speed, memory)
    for passes, number, name, speed, memory, ago, lifetime in steps:
        travel_to(now() + passes)
        item = Measurement(
            device_id=number.to_bytes(32, "big"),
            operator=actor_of(name),
            device_class=number % 2,
            operations_per_second=speed,
            memory_bytes=memory,
            picojoules_per_operation=number,
            evidence_hash=EVIDENCE,
            observed_at=now() - ago,
            expires_at=now() - ago + lifetime,
        )
        try:
            model.record(item, now())
        except Refused as refusal:
            with boa.reverts(str(refusal)):
                registry.record(item, sender=registry.committee())
        else:
            registry.record(item, sender=registry.committee())
        equal(registry, model)


@settings(max_examples=10, deadline=None)
@given(
    lifetimes=st.lists(st.sampled_from([DAY, 2 * DAY, 3 * DAY]), min_size=32, max_size=32),
    steps=st.lists(STEPS, min_size=5, max_size=15),
)
def test_record__full_lists__equal_the_model(
    registry: Any, lifetimes: list[int], steps: list[tuple[Any, ...]]
) -> None:
    model = RegistryModel()
    registry.set_tier(1, 10, 1, sender=registry.owner())
    model.set_tier(1, 10, 1)
    full = [(0, place + 1, OPERATORS[0], 10, 1, 0, lifetime) for place, lifetime in enumerate(lifetimes)]
    for passes, number, name, speed, memory, ago, lifetime in [*full, *steps]:
        travel_to(now() + passes // 10)
        item = Measurement(
            number.to_bytes(32, "big"), actor_of(name), 0, speed, memory, 0, EVIDENCE, now() - ago, now() - ago + lifetime
        )  # fmt: skip
        try:
            model.record(item, now())
        except Refused as refusal:
            with boa.reverts(str(refusal)):
                registry.record(item, sender=registry.committee())
        else:
            registry.record(item, sender=registry.committee())
    equal(registry, model)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(TIER_STEPS, max_size=30),
    figures=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 10)), max_size=5),
)
def test_set_tier__any_history__equals_the_model_and_stays_in_order(
    registry: Any, steps: list[tuple[int, int, int]], figures: list[tuple[int, int]]
) -> None:
    model = RegistryModel()
    for tier, speed, memory in steps:
        try:
            model.set_tier(tier, speed, memory)
        except Refused as refusal:
            with boa.reverts(str(refusal)):
                registry.set_tier(tier, speed, memory, sender=registry.owner())
        else:
            registry.set_tier(tier, speed, memory, sender=registry.owner())
    tiers = [registry.tier_requirement(tier) for tier in range(1, 8)]
    assert tiers == [*model.tiers, *[(0, 0)] * (7 - len(model.tiers))]
    for lower, higher in zip(model.tiers, model.tiers[1:], strict=False):
        assert lower[0] <= higher[0]
        assert lower[1] <= higher[1]
    for number, (speed, memory) in enumerate(figures, 1):
        item = Measurement(
            number.to_bytes(32, "big"), actor_of("worker"), 0, speed, memory, 0, EVIDENCE, now(), now() + DAY
        )
        registry.record(item, sender=registry.committee())
        model.record(item, now())
    assert registry.tier(actor_of("worker")) == model.tier_at(actor_of("worker"), now())
