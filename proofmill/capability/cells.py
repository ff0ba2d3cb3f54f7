"""Which cells are checked: drawn by a beacon after the roots were committed, without replacement, in one canonical order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proofmill.capability.errors import InvalidChallenge
from proofmill.capability.parameters import SEGMENT_ROUNDS, MemoryParameters, Parameters
from proofmill.exact.commitment.keccak import keccak256

_DOMAIN: Final = keccak256(b"proofmill.capability.draw.1")


@dataclass(frozen=True, order=True)
class Cell:
    """32 rounds of one row: from the root before ``segment`` (or from A) to the root of ``segment``."""

    segment: int
    row: int

    @property
    def first_round(self) -> int:
        return self.segment * SEGMENT_ROUNDS


def draw_places(
    seed: bytes, commitment: bytes, beacon: bytes, population: int, count: int
) -> tuple[int, ...]:
    """``count`` different places below ``population``, ascending.

    Place i is a 256-bit hash modulo the population (which is below 2^48, so no place is favoured by more than 2^-208); a
    place already drawn is passed over.
    """
    for field, value in (("seed", seed), ("commitment", commitment), ("beacon", beacon)):
        if type(value) is not bytes or len(value) != 32:
            raise InvalidChallenge(f"{field} of the draw is not 32 bytes", remedy="Pass 32 bytes.")
    if not 1 <= count <= population:
        raise InvalidChallenge(
            f"{count} places of {population}", remedy="Draw at least one and at most all of them."
        )
    head = _DOMAIN + seed + commitment + beacon
    drawn: set[int] = set()
    index = 0
    while len(drawn) < count:
        drawn.add(int.from_bytes(keccak256(head + index.to_bytes(32, "big")), "big") % population)
        index += 1
    return tuple(sorted(drawn))


def draw_cells(seed: bytes, commitment: bytes, beacon: bytes, parameters: Parameters) -> tuple[Cell, ...]:
    """The cells of a challenge of speed, by segment, then row."""
    population = parameters.segments * parameters.size
    places = draw_places(seed, commitment, beacon, population, parameters.cells)
    return tuple(Cell(*divmod(place, parameters.size)) for place in places)


def draw_steps(
    seed: bytes, commitment: bytes, beacon: bytes, parameters: MemoryParameters
) -> tuple[int, ...]:
    """The steps of a walk that are checked, ascending."""
    return draw_places(seed, commitment, beacon, parameters.steps, parameters.samples)
