"""Claims against measurements: a shim that claims eight H100s, and every way in which a claim can be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from proofmill.devices import Device, DeviceClass, Kind, Measured, assess, take_inventory
from proofmill.devices.agreement import Assessment
from proofmill.devices.cards import CARD_CLASSES, GIBI, class_of
from tests.unit.devices.fake_nvml import FakeCard, FakeLibrary

Install = Callable[[FakeLibrary], FakeLibrary]
CLAIM = Device(
    device_class=DeviceClass.GPU,
    index=0,
    uuid="GPU-1",
    name="NVIDIA H100 80GB HBM3",
    memory_bytes=81_559 << 20,
    compute_capability=(9, 0),
    power_limit_watts=700.0,
)
REAL = Measured(
    operations_per_second=1.4e15, memory_bytes=70 * GIBI, operations=1.4e15, joules=600.0, seconds=1.0
)


def one(device: Device, measured: Measured | None) -> Assessment:
    [assessment] = assess([device], [measured])
    return assessment


def kinds(assessment: Assessment) -> set[Kind]:
    return {disagreement.kind for disagreement in assessment.disagreements}


# ------------------------------------------------------------------ the adversary
@pytest.fixture
def eight_claims(install: Install) -> tuple[Device, ...]:
    """A shim in place of the driver's library, on a machine with one small card."""
    install(FakeLibrary([FakeCard(uuid=b"GPU-%d" % index, serial=b"%d" % index) for index in range(8)]))
    return take_inventory().gpus


def test_shim_of_eight__claims_alone__earn_nothing(eight_claims: tuple[Device, ...]) -> None:
    assessments = assess(eight_claims, [None] * 8)
    assert len(assessments) == 8
    assert [assessment.credited for assessment in assessments] == [None] * 8
    assert not any(assessment.agrees for assessment in assessments)


def test_shim_of_eight__one_small_card_answers_for_all__each_is_named(
    eight_claims: tuple[Device, ...],
) -> None:
    share = Measured(
        operations_per_second=130e12 / 8, memory_bytes=14 * GIBI // 8, joules=1.0, operations=130e12 / 8
    )
    assessments = assess(eight_claims, [share] * 8)
    for assessment in assessments:
        assert kinds(assessment) == {Kind.TOO_SLOW, Kind.MEMORY_MISSING, Kind.TOO_FRUGAL}
        assert assessment.credited is share  # what was measured, whatever was claimed
    told = [str(disagreement) for disagreement in assessments[0].disagreements]
    assert told[0] == (
        "slower than any card of the claimed class: claimed H100, found 16.25 Top/s, 0.8% of its 1979"
    )


def test_shim_of_eight__one_real_card_answers_for_all__still_too_slow(
    eight_claims: tuple[Device, ...],
) -> None:
    share = replace(REAL, operations_per_second=1.4e15 / 8, operations=None, joules=None)
    assert all(Kind.TOO_SLOW in kinds(assessment) for assessment in assess(eight_claims, [share] * 8))


def test_shim_that_copies_one_identity__both_are_named(install: Install) -> None:
    install(FakeLibrary([FakeCard(), FakeCard(), FakeCard(uuid=b"GPU-other")]))
    found = [kinds(assessment) for assessment in assess(take_inventory().gpus, [REAL] * 3)]
    assert found == [{Kind.SHARED_IDENTITY}, {Kind.SHARED_IDENTITY}, set()]


def test_devices_without_identities__share_none() -> None:
    nameless = replace(CLAIM, uuid=None)
    assert all(assessment.agrees for assessment in assess([nameless, nameless], [REAL, REAL]))


# ------------------------------------------------------------------ each claim
def test_real_card__agrees() -> None:
    assessment = one(CLAIM, REAL)
    assert assessment.agrees
    assert assessment.credited == REAL


@pytest.mark.parametrize(
    ("claim", "measured", "kind"),
    [
        (CLAIM, replace(REAL, operations_per_second=0.29 * 1_979e12), Kind.TOO_SLOW),
        (CLAIM, replace(REAL, operations_per_second=1.06 * 1_979e12), Kind.TOO_FAST),
        (CLAIM, replace(REAL, memory_bytes=63 * GIBI), Kind.MEMORY_MISSING),
        (replace(CLAIM, memory_bytes=40 * GIBI), replace(REAL, memory_bytes=None), Kind.OTHER_MEMORY),
        (replace(CLAIM, compute_capability=(8, 0)), REAL, Kind.OTHER_GENERATION),
        (replace(CLAIM, power_limit_watts=1_000.0), REAL, Kind.LIMIT_OF_ANOTHER),
        (CLAIM, replace(REAL, joules=100.0), Kind.TOO_FRUGAL),
        (CLAIM, replace(REAL, joules=800.0), Kind.OVER_POWER_LIMIT),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else "",
)
def test_assess__one_thing_is_wrong__only_that_is_named(
    claim: Device, measured: Measured, kind: Kind
) -> None:
    assessment = one(claim, measured)
    assert kinds(assessment) == {kind}
    assert not assessment.agrees
    assert assessment.credited == measured


@pytest.mark.parametrize("share", [0.31, 0.7, 1.04])
def test_assess__speed_within_the_band__agrees(share: float) -> None:
    assert one(CLAIM, replace(REAL, operations_per_second=share * 1_979e12)).agrees


def test_assess__what_is_not_claimed_or_not_measured__is_not_held_against_a_device() -> None:
    silent = Device(device_class=DeviceClass.GPU, index=0)
    assert one(silent, REAL).agrees
    assert one(CLAIM, Measured(operations_per_second=1.4e15)).agrees


def test_assess__card_without_bands__its_memory_and_power_are_still_checked() -> None:
    unknown = replace(CLAIM, name="NVIDIA B9000")
    assert one(unknown, replace(REAL, operations_per_second=1.0)).agrees
    wrong = replace(REAL, memory_bytes=GIBI, joules=900.0)
    assert kinds(one(unknown, wrong)) == {Kind.MEMORY_MISSING, Kind.OVER_POWER_LIMIT}


# ------------------------------------------------------------------ classes
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA H100 NVL", "H100 NVL"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA A100 80GB PCIe", "A100"),
        ("Tesla V100-SXM2-16GB", "V100"),
        ("Tesla T4", "T4"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA A10", "A10"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA GeForce RTX 4090 D", None),
        ("NVIDIA GeForce RTX 3090 Ti", None),
        ("NVIDIA A10G", None),
        ("NVIDIA L40", None),
        ("AMD EPYC", None),
        (None, None),
    ],
)
def test_class_of__product_names_as_drivers_give_them(name: str | None, expected: str | None) -> None:
    card = class_of(name)
    assert (card.name if card else None) == expected


def test_classes__bands_tell_neighbours_in_efficiency_from_nonsense() -> None:
    for card in CARD_CLASSES:
        assert 0.1e12 < card.peak / card.board_watts < 10e12, card.name  # operations per joule
        assert card.memory_gib == tuple(sorted(card.memory_gib))
