"""Windows of challenges: all devices of all operators work in the same blocks, so one card cannot answer for two."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from proofmill.measuring.rules import MeasuringRules


class Phase(Enum):
    """What is taken in a block of a window."""

    CONFIRMING = "confirming"  # the beacon may still be replaced
    BEGINNING = "beginning"  # operators ask for nonces
    WORKING = "working"  # roots are taken, also from those that began in the last block
    OPENING = "opening"  # samples are drawn, openings are taken
    REPORTING = "reporting"


@dataclass(frozen=True, slots=True)
class Beacon:
    """A block whose randomness nobody knew before it: number, hash and ``prevrandao``, 32 bytes each."""

    number: int
    hash: bytes
    randomness: bytes


@dataclass(frozen=True, slots=True)
class Window:
    """One window; ``number`` counts from the first block of the chain."""

    number: int
    rules: MeasuringRules

    @classmethod
    def at(cls, block: int, rules: MeasuringRules) -> Window:
        """The window that a block belongs to."""
        return cls(block // rules.window_blocks, rules)

    @property
    def first_block(self) -> int:
        """The block of the beacon."""
        return self.number * self.rules.window_blocks

    @property
    def sample_block(self) -> int:
        """The block whose randomness draws the samples."""
        return self.first_block + self.rules.sampled_at

    def phase(self, block: int, confirmations: int) -> Phase:
        """What is taken while ``block`` is the newest; the beacon counts once ``confirmations`` blocks hold it, itself included.

        Beginning takes place in its own ``begin_blocks`` after that, and the last to begin still have ``work_blocks``.
        Late confirmation shortens nobody's work: it only delays the samples for everybody, so members must hold one figure.
        """
        place = block - self.first_block
        if place < confirmations - 1:
            return Phase.CONFIRMING
        if place <= self.rules.begin_blocks:
            return Phase.BEGINNING
        if place < self.rules.sampled_at:
            return Phase.WORKING
        if place < self.rules.report_from:
            return Phase.OPENING
        return Phase.REPORTING
