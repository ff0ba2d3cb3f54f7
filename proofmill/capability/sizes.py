"""Device classes: challenges sized so that an honest device of the class works for two to three seconds.

Expected speeds of cards are vendors' dense int8 peaks times 0.65, none measured by this project; the processor's is measured.
A device may ask for any class; what it gets on chain is the score, not the name of the class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proofmill.capability.errors import InvalidChallenge
from proofmill.capability.parameters import SEGMENT_ROUNDS, MemoryParameters, Parameters

CELLS: Final = 32
#: Seconds a challenge should last: ten round trips of a quarter second.
DURATION_SECONDS: Final = 2.5
#: A tenth of that: the longest round trip under which the class can be measured.
LONGEST_ROUND_TRIP_SECONDS: Final = DURATION_SECONDS / 10
MEMORY_SHARE_PERCENT: Final = 85


@dataclass(frozen=True)
class DeviceClass:
    """A challenge of speed, and how blocks of a challenge of memory are made for such devices."""

    name: str
    size: int
    operations_per_second: int  # expected of an honest device
    block_size: int
    passes: int

    @property
    def parameters(self) -> Parameters:
        """As many whole segments as last :data:`DURATION_SECONDS` at the expected speed, at least one."""
        segment = 2 * self.size**3 * SEGMENT_ROUNDS
        segments = max(1, round(self.operations_per_second * DURATION_SECONDS / segment))
        return Parameters(self.size, SEGMENT_ROUNDS * segments, CELLS)

    def memory_parameters(self, claimed_bytes: int) -> MemoryParameters:
        """A challenge that fills 85 % of a claim, in whole blocks, and walks eight steps for each.

        Raises:
            InvalidChallenge: the claim has no room for a block, or exceeds what any device has.
        """
        blocks = claimed_bytes * MEMORY_SHARE_PERCENT // 100 // self.block_size**2
        return MemoryParameters(self.block_size, blocks, 32, max(8 * blocks, 1), self.passes, 8)


_TERA: Final = 10**12
#: By rising speed. int8 peaks of data sheets, dense: T4 130, RTX 3090 284, RTX 4090 661, A100 624, H100 and H200 1,979 TOPS.
CLASSES: Final = (
    DeviceClass("processor", 2048, 700 * 10**9, 1024, 4),
    DeviceClass("t4", 8192, 85 * _TERA, 4096, 16),
    DeviceClass("rtx-3090", 8192, 185 * _TERA, 4096, 16),
    DeviceClass("a100", 8192, 405 * _TERA, 4096, 16),
    DeviceClass("rtx-4090", 8192, 430 * _TERA, 4096, 16),
    DeviceClass("h100", 8192, 1286 * _TERA, 4096, 16),
)


def device_class(name: str) -> DeviceClass:
    """The class of that name.

    Raises:
        InvalidChallenge: there is none.
    """
    for one in CLASSES:
        if one.name == name:
            return one
    raise InvalidChallenge(
        f"there is no device class {name!r}",
        remedy=f"Choose one of: {', '.join(one.name for one in CLASSES)}.",
    )


def class_by_speed(operations_per_second: int) -> DeviceClass:
    """The fastest class whose expected speed a measured one reaches to four fifths, or the slowest class."""
    reached = [one for one in CLASSES if 5 * operations_per_second >= 4 * one.operations_per_second]
    return reached[-1] if reached else CLASSES[0]
