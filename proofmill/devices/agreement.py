"""Claims against measurements: what disagrees, and how. What counts for a device is what was measured, whatever it claims.

A disagreement takes nothing from a device and gives nothing to it: it is published beside the measurement, so that a
requester can see that somebody's eight H100s compute like one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from proofmill.devices.cards import GIBI, CardClass, class_of
from proofmill.devices.claims import Device

SPEED_BAND: Final = (0.30, 1.05)  # of the peak: a hot card in a bad case, and the spread of boost clocks
NOMINAL_MEMORY: Final = (
    0.85,
    1.02,
)  # of the size on the box, which drivers and error correction make smaller
FILLED_MEMORY: Final = 0.80  # of the claimed memory: what is not the system's, the framework's or in use
BEST_EFFICIENCY: Final = (
    3.0  # times peak operations per joule at full power: slow clocks save that much, no more
)
POWER_SLACK: Final = 1.10  # over the limit in force: regulation overshoots


class Kind(Enum):
    """What disagrees."""

    TOO_SLOW = "slower than any card of the claimed class"
    TOO_FAST = "faster than the claimed class can be, so something else answered"
    MEMORY_MISSING = "less memory could be filled than is claimed"
    OTHER_MEMORY = "the claimed memory is not sold with the claimed card"
    OTHER_GENERATION = "the claimed compute capability is not that of the claimed card"
    TOO_FRUGAL = "fewer joules than the claimed card can do so many operations with"
    OVER_POWER_LIMIT = "more power than the limit that is claimed to be in force"
    LIMIT_OF_ANOTHER = "a power limit that the claimed card cannot have"
    SHARED_IDENTITY = "another device has the same identity"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a device did while all devices of its operator were challenged in one window.

    Attributes:
        operations_per_second: int8, a multiply-add counted as two.
        memory_bytes: that it was shown to hold at once; None if that was not measured.
        operations: done in the time that `joules` are for.
        joules: as the device's own meter says; None without one.
        seconds: that time.
    """

    operations_per_second: float
    memory_bytes: int | None = None
    operations: float | None = None
    joules: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One claim that does not fit.

    Attributes:
        kind: what disagrees.
        claimed: what the device says, in words.
        found: what was measured, or is known of such cards, in words.
    """

    kind: Kind
    claimed: str
    found: str

    def __str__(self) -> str:
        return f"{self.kind.value}: claimed {self.claimed}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is known of a device after a challenge.

    Attributes:
        device: the claims.
        credited: what it is believed to do: the measurement, or None without one. Claims never enter.
        disagreements: where the claims do not fit.
    """

    device: Device
    credited: Measured | None
    disagreements: tuple[Disagreement, ...]

    @property
    def agrees(self) -> bool:
        """Whether it was measured and nothing that it claims is refuted."""
        return self.credited is not None and not self.disagreements


def assess(devices: Sequence[Device], measured: Sequence[Measured | None]) -> tuple[Assessment, ...]:
    """Every device of an operator, with its measurement of the same window in the same place, or None."""
    shared = _shared(devices)
    return tuple(
        Assessment(device, found, tuple(_disagreements(device, found, device.uuid in shared)))
        for device, found in zip(devices, measured, strict=True)
    )


def _shared(devices: Sequence[Device]) -> set[str | None]:
    """Identities that more than one device claims; saying nothing is none."""
    counts = Counter(device.uuid for device in devices if device.uuid is not None)
    return {uuid for uuid, count in counts.items() if count > 1}


def _disagreements(device: Device, measured: Measured | None, is_shared: bool) -> Iterable[Disagreement]:
    if is_shared:
        yield Disagreement(Kind.SHARED_IDENTITY, f"to be {device.uuid}", "two devices of that name")
    card = class_of(device.name)
    if card is not None:
        yield from _among_claims(device, card)
    if measured is None:
        return
    if card is not None:
        yield from _of_speed(card, measured)
        yield from _of_efficiency(card, measured)
    yield from _of_memory(device, measured)
    yield from _of_power(device, measured)


def _among_claims(device: Device, card: CardClass) -> Iterable[Disagreement]:
    """What a card claims against what such cards are: a shim that invents a name rarely gets everything else right."""
    if device.memory_bytes is not None and not any(
        NOMINAL_MEMORY[0] * size <= device.memory_bytes / GIBI <= NOMINAL_MEMORY[1] * size
        for size in card.memory_gib
    ):
        sizes = " or ".join(f"{size}" for size in card.memory_gib)
        yield Disagreement(Kind.OTHER_MEMORY, _gib(device.memory_bytes), f"{card.name} has {sizes} GiB")
    if device.compute_capability is not None and device.compute_capability != card.compute_capability:
        yield Disagreement(
            Kind.OTHER_GENERATION,
            _version(device.compute_capability),
            f"{card.name} has {_version(card.compute_capability)}",
        )
    if device.power_limit_watts is not None and device.power_limit_watts > card.board_watts * POWER_SLACK:
        yield Disagreement(
            Kind.LIMIT_OF_ANOTHER,
            f"{device.power_limit_watts:.0f} W",
            f"{card.name} has {card.board_watts:.0f} W",
        )


def _of_speed(card: CardClass, measured: Measured) -> Iterable[Disagreement]:
    share = measured.operations_per_second / card.peak
    found = f"{measured.operations_per_second / 1e12:.4g} Top/s, {share:.1%} of its {card.peak / 1e12:.4g}"
    if share < SPEED_BAND[0]:
        yield Disagreement(Kind.TOO_SLOW, card.name, found)
    elif share > SPEED_BAND[1]:
        yield Disagreement(Kind.TOO_FAST, card.name, found)


def _of_memory(device: Device, measured: Measured) -> Iterable[Disagreement]:
    if device.memory_bytes is None or measured.memory_bytes is None:
        return
    if measured.memory_bytes < FILLED_MEMORY * device.memory_bytes:
        yield Disagreement(Kind.MEMORY_MISSING, _gib(device.memory_bytes), _gib(measured.memory_bytes))


def _of_efficiency(card: CardClass, measured: Measured) -> Iterable[Disagreement]:
    if measured.joules is None or not measured.operations:
        return
    least = measured.operations * card.board_watts / (BEST_EFFICIENCY * card.peak)
    if measured.joules < least:
        yield Disagreement(
            Kind.TOO_FRUGAL,
            f"{measured.joules:.4g} J",
            f"at least {least:.4g} J for {measured.operations:.4g} operations",
        )


def _of_power(device: Device, measured: Measured) -> Iterable[Disagreement]:
    if measured.joules is None or not measured.seconds or device.power_limit_watts is None:
        return
    watts = measured.joules / measured.seconds
    if watts > POWER_SLACK * device.power_limit_watts:
        yield Disagreement(Kind.OVER_POWER_LIMIT, f"{device.power_limit_watts:.0f} W", f"{watts:.0f} W")


def _gib(count: int) -> str:
    return f"{count / GIBI:.1f} GiB"


def _version(pair: tuple[int, int]) -> str:
    return f"{pair[0]}.{pair[1]}"
