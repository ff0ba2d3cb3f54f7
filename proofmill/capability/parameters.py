"""How large a challenge is. Checked when made, so whatever allocates memory for one may trust its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proofmill.capability.errors import InvalidChallenge

#: Rounds between two roots: the length of a cell.
SEGMENT_ROUNDS: Final = 32
SIZE_MULTIPLE: Final = 64
LARGEST_SIZE: Final = 1 << 15
MOST_ROUNDS: Final = 1 << 17
MOST_CELLS: Final = 256

MOST_BLOCKS: Final = 1 << 20
MOST_STEPS: Final = 1 << 22
MOST_STATE_ROWS: Final = 64
MOST_PASSES: Final = 64
#: A claim above this is refused before anything is reserved for it: 4 TiB.
MOST_MEMORY_BYTES: Final = 1 << 42


def _require(field: str, value: int, least: int, most: int, multiple: int = 1) -> None:
    if type(value) is not int or not least <= value <= most or value % multiple != 0:
        of = f", a multiple of {multiple}" if multiple > 1 else ""
        raise InvalidChallenge(
            f"{field} {value!r}: expected {least:,} to {most:,}{of}",
            remedy="Use the parameters of one of the device classes in proofmill.capability.sizes.",
        )


@dataclass(frozen=True)
class Parameters:
    """A challenge of speed: ``rounds`` products of int8 matrices ``size`` × ``size``, checked at ``cells`` places."""

    size: int
    rounds: int
    cells: int

    def __post_init__(self) -> None:
        _require("size", self.size, SIZE_MULTIPLE, LARGEST_SIZE, SIZE_MULTIPLE)
        _require("rounds", self.rounds, SEGMENT_ROUNDS, MOST_ROUNDS, SEGMENT_ROUNDS)
        _require("cells", self.cells, 1, min(MOST_CELLS, self.size * self.segments))

    @property
    def segments(self) -> int:
        """Roots that are committed, one after every 32 rounds."""
        return self.rounds // SEGMENT_ROUNDS

    @property
    def words(self) -> int:
        """64-bit words of a row."""
        return self.size // 8

    @property
    def operations(self) -> int:
        """Multiplications and additions of the whole challenge: 2 n³ rounds."""
        return 2 * self.size**3 * self.rounds

    def encode(self) -> bytes:
        """What the seed binds: 16 bytes of tag, then each number in 8 bytes, big-endian."""
        numbers = (self.size, self.rounds, self.cells)
        return b"proofmill.speed\0" + b"".join(number.to_bytes(8, "big") for number in numbers)


@dataclass(frozen=True)
class MemoryParameters:
    """A challenge of memory: a walk of ``steps`` over ``blocks`` generated int8 blocks ``size`` × ``size``.

    ``state_rows`` rows are multiplied by a block in each step. Generating a block mixes each of its words ``passes`` times.
    """

    size: int
    blocks: int
    state_rows: int
    steps: int
    passes: int
    samples: int

    def __post_init__(self) -> None:
        _require("size", self.size, SIZE_MULTIPLE, LARGEST_SIZE, SIZE_MULTIPLE)
        _require("blocks", self.blocks, 1, MOST_BLOCKS)
        _require("state rows", self.state_rows, 1, MOST_STATE_ROWS)
        # A walk shorter than eight steps a block would make generating blocks when they are read cheaper than keeping them.
        _require("steps", self.steps, 8 * self.blocks, MOST_STEPS)
        _require("passes", self.passes, 1, MOST_PASSES)
        _require("samples", self.samples, 1, min(MOST_CELLS, self.steps))
        _require("memory bytes", self.memory_bytes, 1, MOST_MEMORY_BYTES)

    @property
    def memory_bytes(self) -> int:
        """Bytes the blocks fill: what is claimed."""
        return self.blocks * self.size**2

    @property
    def words(self) -> int:
        """64-bit words of a row."""
        return self.size // 8

    def encode(self) -> bytes:
        """What the seed binds: 16 bytes of tag, then each number in 8 bytes, big-endian."""
        numbers = (self.size, self.blocks, self.state_rows, self.steps, self.passes, self.samples)
        return b"proofmill.memory" + b"".join(number.to_bytes(8, "big") for number in numbers)
