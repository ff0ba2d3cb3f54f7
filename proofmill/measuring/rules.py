"""What all members of a committee and all workers must hold equal for a challenge to count."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import Final, Self

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from proofmill.errors import ProofmillError

DOMAIN: Final = "proofmill/challenge-rules/1"
#: (least, most) of each rule, in its unit.
BOUNDS: Final = {
    "window_blocks": (16, 1_000_000),
    "begin_blocks": (1, 10_000),
    "work_blocks": (1, 10_000),
    "opening_blocks": (1, 10_000),
    "cells": (8, 256),
    "lifetime_seconds": (600, 30 * 86_400),  # the registry believes nothing for longer
    "failures_to_withdraw": (1, 10),
}


class InvalidRules(ProofmillError, ValueError):
    """A rule is out of bounds, or the parts of a window do not fit into it."""


@dataclass(frozen=True, slots=True)
class MeasuringRules:
    """The course of a window, in blocks from its beacon on, and what counts.

    Attributes:
        begin_blocks: in which work may begin.
        work_blocks: after them, in which roots still count.
        opening_blocks: from the block that draws the samples on, in which openings count.
        cells: samples of each device.
        lifetime_seconds: for how long a measurement is believed.
        failures_to_withdraw: so many windows in a row without a right answer withdraw a device.
    """

    window_blocks: int = 7_200
    begin_blocks: int = 5
    work_blocks: int = 10
    opening_blocks: int = 20
    cells: int = 32
    lifetime_seconds: int = 3 * 86_400
    failures_to_withdraw: int = 3

    def __post_init__(self) -> None:
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise InvalidRules(
                    f"{name} is {value!r}", remedy=f"Give a whole number from {least} to {most}."
                )
        if self.report_from >= self.window_blocks:
            raise InvalidRules(
                f"a window of {self.window_blocks} blocks cannot hold the {self.report_from} blocks of its parts",
                remedy="Make the windows longer, or their parts shorter.",
            )

    @property
    def sampled_at(self) -> int:
        """The block, counted from the beacon, whose prevrandao draws the samples: after the last that takes roots."""
        return self.begin_blocks + self.work_blocks + 1

    @property
    def report_from(self) -> int:
        """The first block, counted from the beacon, in which no opening counts any more."""
        return self.sampled_at + self.opening_blocks + 1

    def digest(self) -> bytes:
        """Names these rules: members that hold others are told so at once instead of never agreeing."""
        types = ["string", *["uint256"] * len(fields(self))]
        return keccak(encode(types, (DOMAIN, *astuple(self))))

    @classmethod
    def for_devnet(cls) -> Self:
        """Short windows for a chain with a block each second."""
        return cls(
            window_blocks=60, begin_blocks=8, work_blocks=20, opening_blocks=12, lifetime_seconds=3_600
        )
