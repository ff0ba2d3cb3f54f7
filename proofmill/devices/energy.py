"""Joules between two moments, by the best meter that a device has; None where there is none.

The device's own word, like everything in this package: ``agreement`` says which values no device of a class can have.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

import pynvml

from proofmill.devices.nvml import Nvml

POWERCAP: Final = Path("/sys/class/powercap")
PACKAGE_PREFIX: Final = (
    "package-"  # the zones that are whole processors; "psys" and sub-zones count the same joules again
)
MILLI: Final = 1e-3
MICRO: Final = 1e-6
POWER_PERIOD: Final = 0.05  # seconds between two readings of power: 20 Hz
MAXIMUM_GAP: Final = 1.0  # seconds without a reading beyond which an integral is a guess
COUNTER_PERIOD: Final = 20.0  # seconds; RAPL counters wrap after minutes


class Source(Enum):
    """How joules were measured."""

    COUNTER = "the card's energy counter"
    POWER = "the card's power, integrated"
    RAPL = "the processor's energy counters"
    NONE = "no meter"


@dataclass(frozen=True, slots=True)
class Energy:
    """What a device took.

    Attributes:
        joules: all of it; None if no meter said.
        seconds: between the two moments.
        source: the meter.
        idle_watts: what it takes when it does nothing, if that was measured.
    """

    joules: float | None
    seconds: float
    source: Source
    idle_watts: float | None = None

    @property
    def net_joules(self) -> float | None:
        """Less what it would have taken idle, never below nothing; None if either is unknown."""
        if self.joules is None or self.idle_watts is None:
            return None
        return max(0.0, self.joules - self.idle_watts * self.seconds)

    @property
    def watts(self) -> float | None:
        """On average."""
        return None if self.joules is None or self.seconds <= 0 else self.joules / self.seconds

    def above_idle(self, idle: Energy) -> Energy:
        """The same, with another measurement's average as what it takes idle."""
        return replace(self, idle_watts=idle.watts)


class Counter(Protocol):
    """Joules that only ever grow, as far as it has been read."""

    source: Source
    period: float  # seconds between readings that it needs to lose nothing

    def read(self) -> float | None:
        """Joules since the first reading; None from the first failure on."""
        ...


class NoCounter:
    """A device without a meter."""

    source = Source.NONE
    period = MAXIMUM_GAP

    def read(self) -> None:
        """Nothing."""
        return None


class CardCounter:
    """NVML's count of millijoules since the driver was loaded (Volta and later)."""

    source = Source.COUNTER
    period = COUNTER_PERIOD

    def __init__(self, nvml: Nvml, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle
        self._first: int | None = None
        self._last = 0
        self._is_lost = False

    def read(self) -> float | None:
        """The difference to the first reading; a counter that runs backwards was reset, and is lost."""
        if self._is_lost:
            return None
        try:
            now = int(self._nvml.call("nvmlDeviceGetTotalEnergyConsumption", self._handle))
        except pynvml.NVMLError:
            self._is_lost = True
            return None
        if self._first is None:
            self._first = self._last = now
        if now < self._last:
            self._is_lost = True
            return None
        self._last = now
        return (now - self._first) * MILLI


class CardPower:
    """The card's instantaneous power, integrated by the trapezoidal rule.

    Not ``nvmlDeviceGetPowerUsage``, which is an average over about a second on recent cards.
    """

    source = Source.POWER
    period = POWER_PERIOD

    def __init__(self, nvml: Nvml, handle: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._nvml, self._handle, self._clock = nvml, handle, clock
        self._last: tuple[float, float] | None = None
        self._joules = 0.0
        self._is_lost = False

    def read(self) -> float | None:
        """The integral so far; lost if a reading failed or came much too late to know what was in between."""
        watts = self.watts()
        now = self._clock()
        if watts is None or self._is_lost or (self._last is not None and now - self._last[0] > MAXIMUM_GAP):
            self._is_lost = True
            return None
        if self._last is not None:
            before, watts_before = self._last
            self._joules += (now - before) * (watts + watts_before) / 2
        self._last = (now, watts)
        return self._joules

    def watts(self) -> float | None:
        """At this moment; None if the card does not say."""
        try:
            [field] = self._nvml.call(
                "nvmlDeviceGetFieldValues", self._handle, [pynvml.NVML_FI_DEV_POWER_INSTANT]
            )
        except (pynvml.NVMLError, ValueError):
            return None
        if field.nvmlReturn != pynvml.NVML_SUCCESS or field.valueType != pynvml.NVML_VALUE_TYPE_UNSIGNED_INT:
            return None
        return float(field.value.uiVal * MILLI)


class PackageCounters:
    """RAPL's microjoules of every processor package, whose counters begin again at their range."""

    source = Source.RAPL
    period = COUNTER_PERIOD

    def __init__(self, powercap: Path = POWERCAP) -> None:
        self._zones = [
            zone
            for zone in sorted(
                powercap.glob("intel-rapl:*")
            )  # the kernel calls it so on AMD's processors too
            if (_line(zone / "name") or "").startswith(PACKAGE_PREFIX)
        ]
        self._last: dict[Path, int] = {}
        self._microjoules = 0

    def read(self) -> float | None:
        """Joules since the first reading; None if there is no package, or one that this process may not read."""
        now = {zone: _number(zone / "energy_uj") for zone in self._zones}
        ranges = {zone: _number(zone / "max_energy_range_uj") for zone in self._zones}
        if not now or None in now.values() or None in ranges.values():
            self._zones = []  # what was missed while one could not be read is not to be had any more
            return None
        for zone, value in now.items():
            value, span = value or 0, ranges[zone] or 0
            before = self._last.get(zone, value)
            # At most one wrap: the period is far below the time that a range lasts at any processor's power.
            self._microjoules += value - before if value >= before else value - before + span
            self._last[zone] = value
        return self._microjoules * MICRO


class EnergyMeter:
    """Measures for the time of a block::

    with EnergyMeter(card_counter(nvml, handle)) as meter:
        work()
    print(meter.energy.joules)
    """

    def __init__(self, counter: Counter, clock: Callable[[], float] = time.monotonic) -> None:
        self._counter, self._clock = counter, clock
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._reading = threading.Lock()
        self._begun: tuple[float, float | None] = (0.0, None)
        self._energy: Energy | None = None

    @property
    def energy(self) -> Energy:
        """What the block took; once it has ended."""
        if self._energy is None:
            raise RuntimeError("the block has not ended yet")
        return self._energy

    def __enter__(self) -> Self:
        self._begun = (self._clock(), self._counter.read())
        if self._begun[1] is not None:
            self._thread = threading.Thread(target=self._keep_reading, name="energy", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        begun_at, before = self._begun
        with self._reading:
            after = None if before is None else self._counter.read()
            seconds = self._clock() - begun_at
        joules = None if before is None or after is None else after - before
        self._energy = Energy(joules, seconds, self._counter.source if joules is not None else Source.NONE)

    def _keep_reading(self) -> None:
        while not self._stopped.wait(self._counter.period):
            with self._reading:
                if self._counter.read() is None:
                    return


def card_counter(nvml: Nvml, handle: Any) -> Counter:
    """The best meter that a card has."""
    for counter in (CardCounter(nvml, handle), CardPower(nvml, handle)):
        if counter.read() is not None:
            return counter
    return NoCounter()


def package_counter(powercap: Path = POWERCAP) -> Counter:
    """The processor's meter, if this process may read it."""
    counter = PackageCounters(powercap)
    return counter if counter.read() is not None else NoCounter()


def measure_idle(counter: Counter, seconds: float, sleep: Callable[[float], None] = time.sleep) -> Energy:
    """What a device takes while this process leaves it alone for that long; pass it to ``Energy.above_idle``."""
    with EnergyMeter(counter) as meter:
        sleep(seconds)
    return meter.energy


def _line(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _number(path: Path) -> int | None:
    text = _line(path)
    return int(text) if text is not None and text.isdecimal() else None
