"""Tiers, devices and who may write them."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.models.oracle_committee import Measurement
from tests.suite.deployment import (
    DAY,
    EVIDENCE,
    NO_WORD,
    NOBODY,
    actor,
    deploy,
    events_of,
    now,
    travel_to,
)
from tests.unit.contracts.capability_registry.conftest import GIB, TIERS

MAX_DEVICES = 32
FAST, MEDIUM, SLOW = 10**12, 10**10, 10**9


def device(number: int) -> bytes:
    return number.to_bytes(32, "big")


def measured(operator: str, number: int = 1, **changes: Any) -> Measurement:
    item = Measurement(
        device_id=device(number),
        operator=operator,
        device_class=1,
        operations_per_second=FAST,
        memory_bytes=16 * GIB,
        picojoules_per_operation=3,
        evidence_hash=EVIDENCE,
        observed_at=now(),
        expires_at=now() + 10 * DAY,
    )
    return item._replace(**changes)


@pytest.fixture
def worker() -> str:
    return actor("worker")


@pytest.fixture
def other_worker() -> str:
    return actor("other-worker")


@pytest.fixture
def record(registry: Any, recorder: str) -> Any:
    def call(item: Measurement) -> None:
        registry.record(item, sender=recorder)

    return call


# ------------------------------------------------------------------ construction and roles
def test_constructor__names_committee_and_admin(registry: Any, registry_admin: str, recorder: str) -> None:
    assert (registry.committee(), registry.owner()) == (recorder, registry_admin)
    assert registry.pending_owner() == NOBODY


def test_constructor__zero_address__reverts(registry_admin: str, recorder: str) -> None:
    with boa.reverts("registry: no committee"):
        deploy("CapabilityRegistry.vy", NOBODY, registry_admin)
    with boa.reverts("ownership: no owner"):
        deploy("CapabilityRegistry.vy", recorder, NOBODY)


def test_set_committee__writes_from_now_on(
    registry: Any, registry_admin: str, recorder: str, worker: str
) -> None:
    successor = actor("successor")
    registry.record(measured(worker), sender=recorder)
    registry.set_committee(successor, sender=registry_admin)
    assert events_of(registry) == [("CommitteeSet", {"committee": successor})]
    with boa.reverts("registry: not the committee"):
        registry.record(measured(worker, 2), sender=recorder)
    registry.record(measured(worker, 2), sender=successor)
    assert registry.devices_of(worker) == [device(1), device(2)]


def test_set_committee__zero_address__reverts(registry: Any, registry_admin: str) -> None:
    with boa.reverts("registry: no committee"):
        registry.set_committee(NOBODY, sender=registry_admin)


def test_owner_functions__only_the_owner(registry: Any, recorder: str, worker: str) -> None:
    for caller in (recorder, worker, actor("stranger")):
        with boa.reverts("ownership: not the owner"):
            registry.set_committee(caller, sender=caller)
        with boa.reverts("ownership: not the owner"):
            registry.set_tier(1, 1, 1, sender=caller)


def test_record__only_the_committee(registry: Any, registry_admin: str, worker: str) -> None:
    """Not even the owner, nor the operator itself."""
    for caller in (registry_admin, worker, actor("stranger")):
        with boa.reverts("registry: not the committee"):
            registry.record(measured(worker), sender=caller)


# ------------------------------------------------------------------ record
def test_record__is_read_back_and_logged(registry: Any, record: Any, worker: str) -> None:
    item = measured(worker)
    record(item)
    (logged,) = events_of(registry)
    assert logged[0] == "MeasurementRecorded"
    assert (logged[1]["device_id"], logged[1]["operator"], logged[1]["tier"]) == (device(1), worker, 3)
    assert tuple(logged[1]["measurement"]) == tuple(item)
    assert tuple(registry.measurement(device(1))) == tuple(item)
    assert registry.devices_of(worker) == [device(1)]
    assert (registry.tier(worker), registry.tier_at(worker, item.expires_at)) == (3, 3)


def test_record__largest_values__survive(registry: Any, record: Any) -> None:
    item = Measurement(
        device_id=b"\xff" * 32,
        operator="0x" + "fF" * 20,
        device_class=1,
        operations_per_second=2**96 - 1,
        memory_bytes=2**64 - 1,
        picojoules_per_operation=2**64 - 1,
        evidence_hash=b"\xff" * 32,
        observed_at=2**32 - 1 - 30 * DAY,
        expires_at=2**32 - 1,
    )
    travel_to(2**32 - 1 - 30 * DAY)
    record(item)
    read = tuple(registry.measurement(item.device_id))
    assert (*read[:1], read[1].lower(), *read[2:]) == (*item[:1], item.operator.lower(), *item[2:])
    assert registry.tier_at(item.operator, 2**32 - 1) == 3
    assert registry.tier_at(item.operator, 2**32) == 0


def test_measurement__of_an_unknown_device__is_empty(registry: Any) -> None:
    assert tuple(registry.measurement(device(9)))[1:] == (NOBODY, 0, 0, 0, 0, NO_WORD, 0, 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device_id": NO_WORD}, "registry: no device"),
        ({"operator": NOBODY}, "registry: no operator"),
        ({"device_class": 2}, "registry: unknown class"),
        ({"device_class": 256}, "registry: unknown class"),
        ({"operations_per_second": 2**96}, "registry: too many operations"),
        ({"memory_bytes": 2**64}, "registry: too much memory"),
        ({"picojoules_per_operation": 2**64}, "registry: too much energy"),
    ],
)
def test_record__what_cannot_be__reverts(
    registry: Any, record: Any, worker: str, changes: dict[str, Any], reason: str
) -> None:
    with boa.reverts(reason):
        record(measured(worker)._replace(**changes))


def test_record__times_out_of_bounds__revert(record: Any, worker: str) -> None:
    time = now()
    with boa.reverts("registry: from the future"):
        record(measured(worker, observed_at=time + 1))
    with boa.reverts("registry: expires too early"):
        record(measured(worker, expires_at=time))
    with boa.reverts("registry: expires too late"):
        record(measured(worker, expires_at=time + 30 * DAY + 1))
    with boa.reverts("registry: expires too late"):
        record(measured(worker, expires_at=2**256 - 1))
    record(measured(worker, expires_at=time + 30 * DAY))
    travel_to(2**32 - DAY)
    with boa.reverts("registry: after the year 2106"):
        record(measured(worker, 2, observed_at=now(), expires_at=2**32))


def test_record__older_or_the_same_again__reverts(registry: Any, record: Any, worker: str) -> None:
    """So no report counts twice, and none undoes a later one."""
    item = measured(worker)
    record(item)
    for earlier in (0, 1, DAY):
        with boa.reverts("registry: not newer"):
            record(item._replace(observed_at=item.observed_at - earlier, operations_per_second=SLOW))
    travel_to(now() + 1)
    record(item._replace(observed_at=now(), operations_per_second=SLOW))
    assert (registry.tier(worker), registry.devices_of(worker)) == (1, [device(1)])


def test_record__at_time_zero__reverts(record: Any, worker: str) -> None:
    with boa.reverts("registry: not newer"):
        record(measured(worker, observed_at=0, expires_at=1))


# ------------------------------------------------------------------ tiers of an operator
@pytest.mark.parametrize(
    ("speed", "memory", "tier"),
    [
        (SLOW - 1, 64 * GIB, 0),
        (SLOW, GIB, 1),
        (SLOW, GIB - 1, 0),
        (MEDIUM - 1, 64 * GIB, 1),
        (MEDIUM, GIB, 2),
        (FAST, 16 * GIB - 1, 2),
        (FAST, 16 * GIB, 3),
        (2**96 - 1, 2**64 - 1, 3),
    ],
)
def test_tier__is_the_best_that_the_figures_reach(
    registry: Any, record: Any, worker: str, speed: int, memory: int, tier: int
) -> None:
    record(measured(worker, operations_per_second=speed, memory_bytes=memory))
    assert registry.tier(worker) == registry.tier_at(worker, now()) == tier


def test_tier__expires_with_the_measurement(registry: Any, record: Any, worker: str) -> None:
    """The best device first, then the next; each counts in the second in which it expires."""
    start = now()
    record(measured(worker, 1, expires_at=start + DAY))
    record(measured(worker, 2, operations_per_second=MEDIUM, expires_at=start + 3 * DAY))
    record(measured(worker, 3, operations_per_second=SLOW, expires_at=start + 2 * DAY))
    expected = [(0, 3), (DAY, 3), (DAY + 1, 2), (2 * DAY + 1, 2), (3 * DAY, 2), (3 * DAY + 1, 0)]
    assert [(after, registry.tier_at(worker, start + after)) for after, _ in expected] == expected
    for after, tier in expected:
        travel_to(start + after)
        assert registry.tier(worker) == tier


def test_tier__of_nobody__is_zero(registry: Any) -> None:
    assert (registry.tier(actor("stranger")), registry.tier_at(actor("stranger"), 0)) == (0, 0)
    assert registry.devices_of(actor("stranger")) == []


def test_tier_at__any_time__answers(registry: Any, record: Any, worker: str) -> None:
    record(measured(worker))
    assert (registry.tier_at(worker, 0), registry.tier_at(worker, 2**256 - 1)) == (3, 0)


def test_record__worse_than_before__lowers_the_tier(registry: Any, record: Any, worker: str) -> None:
    record(measured(worker))
    travel_to(now() + 1)
    record(measured(worker, operations_per_second=MEDIUM))
    assert registry.tier(worker) == 2


def test_record__shorter_than_before__shortens_the_tier(registry: Any, record: Any, worker: str) -> None:
    start = now()
    record(measured(worker))
    travel_to(start + 1)
    record(measured(worker, expires_at=start + DAY))
    assert registry.tier_at(worker, start + DAY + 1) == 0


# ------------------------------------------------------------------ withdrawal and moving
def test_record__no_operations__withdraws_the_device(registry: Any, record: Any, worker: str) -> None:
    start = now()
    record(measured(worker, 1))
    record(measured(worker, 2, operations_per_second=SLOW))
    travel_to(start + 5)
    record(measured(worker, 1, operations_per_second=0))
    assert (registry.tier(worker), registry.devices_of(worker)) == (1, [device(2)])
    assert registry.measurement(device(1)).operator == NOBODY
    with boa.reverts("registry: not newer"):
        record(measured(worker, 1, observed_at=start + 5))
    travel_to(start + 6)
    record(measured(worker, 1))
    assert (registry.tier(worker), len(registry.devices_of(worker))) == (3, 2)


def test_record__withdrawal_of_a_device_never_seen__lists_nothing(
    registry: Any, record: Any, worker: str
) -> None:
    record(measured(worker, operations_per_second=0))
    assert (registry.tier(worker), registry.devices_of(worker)) == (0, [])


def test_record__one_card_cannot_answer_for_two_operators(
    registry: Any, record: Any, worker: str, other_worker: str
) -> None:
    for number in (1, 2, 3):
        record(measured(worker, number, operations_per_second=FAST if number == 2 else SLOW))
    travel_to(now() + 1)
    record(measured(other_worker, 2))
    assert (registry.tier(worker), registry.devices_of(worker)) == (1, [device(1), device(3)])
    assert (registry.tier(other_worker), registry.devices_of(other_worker)) == (3, [device(2)])
    assert registry.measurement(device(2)).operator == other_worker


def test_record__last_device_that_leaves__leaves_nothing(
    registry: Any, record: Any, worker: str, other_worker: str
) -> None:
    record(measured(worker))
    travel_to(now() + 1)
    record(measured(other_worker))
    assert (registry.tier(worker), registry.devices_of(worker)) == (0, [])
    assert registry.tier_at(worker, 0) == 0


# ------------------------------------------------------------------ full lists
def test_record__full_list__refuses_another_until_one_expires(
    registry: Any, record: Any, worker: str
) -> None:
    start = now()
    for number in range(1, MAX_DEVICES + 1):
        expires_at = start + (DAY if number == 20 else 10 * DAY)
        record(measured(worker, number, operations_per_second=SLOW, expires_at=expires_at))
    for time in (start, start + DAY):
        travel_to(time)
        with boa.reverts("registry: too many devices"):
            record(measured(worker, 100, observed_at=time))
    travel_to(start + DAY + 1)
    record(measured(worker, 100, observed_at=now(), expires_at=now() + DAY))
    devices = registry.devices_of(worker)
    assert (len(devices), device(100) in devices, device(20) in devices) == (MAX_DEVICES, True, False)
    assert registry.tier(worker) == 3
    assert registry.measurement(device(20)).operator == NOBODY


def test_record__full_list__still_takes_newer_figures_of_its_own(
    registry: Any, record: Any, worker: str
) -> None:
    for number in range(1, MAX_DEVICES + 1):
        record(measured(worker, number, operations_per_second=SLOW))
    travel_to(now() + 1)
    record(measured(worker, 7))
    assert (registry.tier(worker), len(registry.devices_of(worker))) == (3, MAX_DEVICES)


def test_record__replaced_device__comes_back_or_goes_elsewhere(
    registry: Any, record: Any, worker: str, other_worker: str
) -> None:
    """It is in no list, so it is taken out of none."""
    start = now()
    for number in range(1, MAX_DEVICES + 1):
        expires_at = start + (DAY if number in (5, 20) else 10 * DAY)
        record(measured(worker, number, operations_per_second=SLOW, expires_at=expires_at))
    travel_to(start + DAY + 1)
    record(measured(worker, 100))
    record(measured(other_worker, 5))
    assert (len(registry.devices_of(worker)), registry.devices_of(other_worker)) == (MAX_DEVICES, [device(5)])
    record(measured(worker, 101))
    with boa.reverts("registry: too many devices"):
        record(measured(worker, 20))


def test_record__moving_into_a_full_list__changes_neither(
    registry: Any, record: Any, worker: str, other_worker: str
) -> None:
    for number in range(1, MAX_DEVICES + 1):
        record(measured(worker, number, operations_per_second=SLOW))
    record(measured(other_worker, 50))
    travel_to(now() + 1)
    with boa.reverts("registry: too many devices"):
        record(measured(worker, 50))
    assert (registry.tier(other_worker), registry.devices_of(other_worker)) == (3, [device(50)])


def test_record__dearest_case__stays_far_below_what_the_committee_leaves_for_an_item(
    registry: Any, record: Any, worker: str, other_worker: str
) -> None:
    """A move between two lists of 32 and 31, counted with every slot cold (2,100 gas more for each than titanoboa says)."""
    for number in range(1, MAX_DEVICES + 1):
        record(measured(worker, number, operations_per_second=SLOW))
        if number < MAX_DEVICES:
            record(measured(other_worker, 100 + number, operations_per_second=SLOW))
    travel_to(now() + 1)
    record(measured(other_worker, 1))
    cold_slots = 2 * 2 * MAX_DEVICES + 20
    assert registry._computation.get_gas_used() + 2_100 * cold_slots < 1_000_000 // 2


# ------------------------------------------------------------------ set_tier
def test_set_tier__is_read_back_and_logged(registry: Any, registry_admin: str) -> None:
    registry.set_tier(4, 10**13, 80 * GIB, sender=registry_admin)
    assert events_of(registry) == [
        (
            "TierSet",
            {
                "tier": 4,
                "minimum_operations_per_second": 10**13,
                "minimum_memory_bytes": 80 * GIB,
            },
        )
    ]
    assert [registry.tier_requirement(tier) for tier in range(6)] == [
        (0, 0),
        *TIERS,
        (10**13, 80 * GIB),
        (0, 0),
    ]
    assert registry.tier_requirement(2**256 - 1) == registry.tier_requirement(8) == (0, 0)


def test_set_tier__all_seven(registry: Any, registry_admin: str, record: Any, worker: str) -> None:
    for tier in range(4, 8):
        registry.set_tier(tier, 10**12 * tier, 16 * GIB, sender=registry_admin)
    record(measured(worker, operations_per_second=7 * 10**12))
    assert registry.tier(worker) == 7
    record(measured(worker, 2, operations_per_second=7 * 10**12 - 1, expires_at=now() + 20 * DAY))
    assert [registry.tier_at(worker, now() + days * DAY) for days in (10, 11, 20, 21)] == [7, 6, 6, 0]


def test_set_tier__counts_for_what_is_recorded_later(
    registry: Any, registry_admin: str, record: Any, worker: str
) -> None:
    record(measured(worker, 1))
    record(measured(worker, 2, operations_per_second=SLOW))
    registry.set_tier(3, 10**15, 16 * GIB, sender=registry_admin)
    assert registry.tier(worker) == 3
    travel_to(now() + 1)
    record(measured(worker, 2, operations_per_second=SLOW))
    assert registry.tier(worker) == 3
    record(measured(worker, 1))
    assert registry.tier(worker) == 2


def test_set_tier__highest__can_be_removed(
    registry: Any, registry_admin: str, record: Any, worker: str
) -> None:
    registry.set_tier(3, 0, 0, sender=registry_admin)
    record(measured(worker))
    assert (registry.tier(worker), registry.tier_requirement(3)) == (2, (0, 0))
    for tier in (2, 1):
        registry.set_tier(tier, 0, 0, sender=registry_admin)
    registry.set_tier(1, 5, 0, sender=registry_admin)
    assert registry.tier_requirement(1) == (5, 0)


def test_set_tier__removal_of_a_tier_that_is_not_set__changes_nothing(
    registry: Any, registry_admin: str
) -> None:
    registry.set_tier(6, 0, 0, sender=registry_admin)
    assert registry.tier_requirement(6) == (0, 0)


@pytest.mark.parametrize(
    ("tier", "speed", "memory", "reason"),
    [
        (0, SLOW, GIB, "registry: no such tier"),
        (8, 10**15, 99 * GIB, "registry: no such tier"),
        (2**256 - 1, 10**15, 99 * GIB, "registry: no such tier"),
        (4, 2**96, 16 * GIB, "registry: speed out of range"),
        (4, 10**15, 2**64, "registry: memory out of range"),
        (4, 0, 16 * GIB, "registry: tier without speed"),
        (5, 10**15, 16 * GIB, "registry: lower tier is not set"),
        (2, 0, 0, "registry: higher tier is set"),
        (4, FAST - 1, 16 * GIB, "registry: slower than lower tier"),
        (4, FAST, 16 * GIB - 1, "registry: less than lower tier"),
        (2, FAST + 1, GIB, "registry: above the higher tier"),
        (2, FAST, 16 * GIB + 1, "registry: over the higher tier"),
    ],
)
def test_set_tier__out_of_order__reverts(
    registry: Any, registry_admin: str, tier: int, speed: int, memory: int, reason: str
) -> None:
    with boa.reverts(reason):
        registry.set_tier(tier, speed, memory, sender=registry_admin)


@pytest.mark.parametrize(
    ("tier", "speed", "memory"),
    [(4, FAST, 16 * GIB), (2, FAST, 16 * GIB), (2, SLOW, GIB), (4, 2**96 - 1, 2**64 - 1)],
)
def test_set_tier__as_much_as_a_neighbour__is_allowed(
    registry: Any, registry_admin: str, tier: int, speed: int, memory: int
) -> None:
    registry.set_tier(tier, speed, memory, sender=registry_admin)
    assert registry.tier_requirement(tier) == (speed, memory)
