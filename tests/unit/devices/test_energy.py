"""Joules from counters that wrap, stop, run backwards or are not there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pynvml
import pytest

from proofmill.devices import (
    Energy,
    EnergyMeter,
    Nvml,
    Source,
    card_counter,
    measure_idle,
    opened,
    package_counter,
)
from proofmill.devices.energy import CardPower, PackageCounters
from tests.unit.devices.fake_nvml import FakeCard, FakeLibrary

Install = Callable[[FakeLibrary], FakeLibrary]
NO_COUNTER = {"nvmlDeviceGetTotalEnergyConsumption": pynvml.NVML_ERROR_NOT_SUPPORTED}
SPAN = 262_143_328_850  # microjoules, as processors have it


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def on(library: FakeLibrary, install: Install) -> Iterator[tuple[Nvml, object]]:
    install(library)
    with opened() as nvml:
        assert nvml is not None
        yield nvml, nvml.call("nvmlDeviceGetHandleByIndex", 0)


def test_meter__card_with_a_counter__the_difference(install: Install) -> None:
    for nvml, handle in on(FakeLibrary([FakeCard(energy=[5_000_000, 5_000_000, 5_350_500])]), install):
        with EnergyMeter(card_counter(nvml, handle)) as meter:
            pass
        assert meter.energy.joules == pytest.approx(350.5)
        assert meter.energy.source is Source.COUNTER


def test_meter__counter_that_was_reset__unknown_not_negative(install: Install) -> None:
    for nvml, handle in on(FakeLibrary([FakeCard(energy=[5_000_000, 5_000_000, 10])]), install):
        with EnergyMeter(card_counter(nvml, handle)) as meter:
            pass
        assert (meter.energy.joules, meter.energy.source) == (None, Source.NONE)


def test_card_counter__no_counter__power_is_integrated(install: Install, clock: Clock) -> None:
    card = FakeCard(errors=NO_COUNTER, power=[100_000, 100_000, 300_000, 200_000])
    for nvml, handle in on(FakeLibrary([card]), install):
        assert card_counter(nvml, handle).source is Source.POWER  # takes the first reading
        power = CardPower(nvml, handle, clock)
        assert power.read() == 0.0
        clock.now += 0.05
        assert power.read() == pytest.approx(0.05 * 200)
        clock.now += 0.1
        assert power.read() == pytest.approx(0.05 * 200 + 0.1 * 250)
        assert 1 / power.period >= 10


def test_card_power__a_gap__is_not_bridged_by_a_guess(install: Install, clock: Clock) -> None:
    for nvml, handle in on(FakeLibrary([FakeCard(errors=NO_COUNTER)]), install):
        power = CardPower(nvml, handle, clock)
        power.read()
        clock.now += 1.5
        assert power.read() is None
        clock.now += 0.05
        assert power.read() is None  # what was missed stays missed


def test_meter__power_is_read_many_times_in_between(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "proofmill.devices.energy.MAXIMUM_GAP", 600.0
    )  # a busy machine may stop the thread for long
    readings = [*range(100_000, 110_000, 1_000)]
    card = FakeCard(errors=NO_COUNTER, power=readings)

    def until_read(_seconds: float) -> None:
        give_up = time.monotonic() + 60
        while len(card.power) > 1 and time.monotonic() < give_up:
            time.sleep(0.01)

    for nvml, handle in on(FakeLibrary([card]), install):
        energy = measure_idle(card_counter(nvml, handle), 0.0, until_read)
    assert card.power == [109_000]  # the thread has read all others
    assert energy.source is Source.POWER
    assert energy.watts is not None
    assert 100 < energy.watts < 109.1


def test_meter__card_without_any_meter__none(install: Install) -> None:
    errors = NO_COUNTER | {"nvmlDeviceGetFieldValues": pynvml.NVML_ERROR_NOT_SUPPORTED}
    for nvml, handle in on(FakeLibrary([FakeCard(errors=errors)]), install):
        with EnergyMeter(card_counter(nvml, handle)) as meter:
            pass
        assert (meter.energy.joules, meter.energy.watts, meter.energy.net_joules) == (None, None, None)
        assert meter.energy.source is Source.NONE


def test_energy__idle_power_is_subtracted_on_request() -> None:
    busy, idle = Energy(1_000.0, 10.0, Source.COUNTER), Energy(120.0, 2.0, Source.COUNTER)
    assert busy.net_joules is None
    assert busy.above_idle(idle).net_joules == pytest.approx(400.0)
    assert idle.above_idle(busy).net_joules == 0.0
    assert busy.above_idle(Energy(None, 2.0, Source.NONE)).net_joules is None


# ------------------------------------------------------------------ processors
@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    for zone, name, value in (
        ("intel-rapl:0", "package-0", SPAN - 1_000_000),
        ("intel-rapl:1", "package-1", 500),
        ("intel-rapl:0:0", "core", 7),
        ("intel-rapl:2", "psys", 7),
        ("intel-rapl-mmio:0", "package-0", 7),
    ):
        put(tmp_path, zone, name=name, energy_uj=value, max_energy_range_uj=SPAN)
    return tmp_path


def put(powercap: Path, zone: str, **values: object) -> None:
    (powercap / zone).mkdir(exist_ok=True)
    for name, value in values.items():
        (powercap / zone / name).write_text(f"{value}\n")


def test_packages__are_added_and_wrap(powercap: Path) -> None:
    counter = PackageCounters(powercap)
    assert counter.read() == 0.0
    put(powercap, "intel-rapl:0", energy_uj=2_000_000)  # past its end: one joule before and two after
    put(powercap, "intel-rapl:1", energy_uj=4_000_500)
    for other in ("intel-rapl:0:0", "intel-rapl:2", "intel-rapl-mmio:0"):
        put(powercap, other, energy_uj=9_000_000)  # the same joules again
    assert counter.read() == pytest.approx(7.0)
    put(powercap, "intel-rapl:1", energy_uj=5_000_500)
    assert counter.read() == pytest.approx(8.0)


def test_packages__one_that_cannot_be_read__none_for_good(powercap: Path) -> None:
    counter = PackageCounters(powercap)
    counter.read()
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    assert counter.read() is None
    put(powercap, "intel-rapl:1", energy_uj=900)
    assert counter.read() is None


@pytest.mark.parametrize("exists", [True, False])
def test_package_counter__no_packages_or_no_permission__no_meter(tmp_path: Path, exists: bool) -> None:
    if exists:
        put(tmp_path, "intel-rapl:0", name="package-0", max_energy_range_uj=SPAN)
        (tmp_path / "intel-rapl:0" / "energy_uj").mkdir()  # unreadable for root as well
    assert package_counter(tmp_path).source is Source.NONE


def test_meter__block_that_fails__still_ends(powercap: Path) -> None:
    meter = EnergyMeter(package_counter(powercap))
    with pytest.raises(RuntimeError, match="not ended"):
        _ = meter.energy

    def fail() -> None:
        with meter:
            put(powercap, "intel-rapl:1", energy_uj=1_000_500)
            raise OSError("the work failed")

    with pytest.raises(OSError, match="work failed"):
        fail()
    assert meter.energy.joules == pytest.approx(1.0)
    assert meter.energy.source is Source.RAPL
