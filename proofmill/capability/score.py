"""From times to a score, in integers, so that every member computes the same."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from proofmill.capability.errors import InvalidChallenge

#: The share of the time that a round trip may take of it: who delays its echoes wins at most this.
ROUND_TRIP_SHARE: Final = 10


def counted_round_trip(elapsed_ns: int, echoes_ns: Sequence[int]) -> int:
    """The round trip that is taken off, in nanoseconds: the least echo, at most a tenth of the time; 0 without echoes."""
    if elapsed_ns < 1 or any(echo < 0 for echo in echoes_ns):
        raise InvalidChallenge(
            f"an elapsed time of {elapsed_ns} ns with echoes {list(echoes_ns)}",
            remedy="Measure with a clock that does not go back.",
        )
    return min([*echoes_ns, elapsed_ns // ROUND_TRIP_SHARE]) if echoes_ns else 0


def operations_per_second(operations: int, elapsed_ns: int, echoes_ns: Sequence[int]) -> int:
    """Operations / (t − r), rounded down. ``operations`` is 2 n³ rounds.

    Raises:
        InvalidChallenge: the times are none that a clock shows.
    """
    return operations * 10**9 // (elapsed_ns - counted_round_trip(elapsed_ns, echoes_ns))


def picojoules_per_operation(
    operations: int, millijoules: int, idle_milliwatts: int, elapsed_ns: int
) -> Fraction:
    """Energy of an operation, idle power taken off; never below 0. 1 mJ = 10^9 pJ, 1 mW for 1 ns = 1 pJ.

    What a card says about its energy cannot be checked from afar: this is a claim, published as one.
    """
    if operations < 1 or min(millijoules, idle_milliwatts) < 0 or elapsed_ns < 1:
        raise InvalidChallenge(
            f"{millijoules} mJ for {operations} operations in {elapsed_ns} ns",
            remedy="Pass the difference of two readings of one counter.",
        )
    return Fraction(max(0, millijoules * 10**9 - idle_milliwatts * elapsed_ns), operations)


def lasts_long_enough(elapsed_ns: int, echoes_ns: Sequence[int]) -> bool:
    """Whether the challenge took at least ten round trips: below that its score says more about the line than about the card."""
    return bool(echoes_ns) and elapsed_ns >= ROUND_TRIP_SHARE * min(echoes_ns)


def detection_probability(missing: Fraction, cells: int) -> Fraction:
    """1 − (1 − ε)^m: at least the probability that a share ε of cells left out is noticed by m cells without replacement."""
    return 1 - (1 - missing) ** cells
