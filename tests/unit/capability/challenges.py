"""A small challenge, its honest answer, and provers that leave work out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from proofmill.capability.cells import draw_cells
from proofmill.capability.checker import check_cells
from proofmill.capability.commitment import commitment_of
from proofmill.capability.parameters import SEGMENT_ROUNDS, Parameters
from proofmill.capability.proof import Opening
from proofmill.capability.prover import Prover
from proofmill.capability.seeds import Binding, Nonce
from proofmill.capability.verdict import Verdict

SMALL = Parameters(size=64, rounds=128, cells=8)
BEACON = b"\xbe" * 32
BINDING = Binding(
    chain_id=31337,
    beacon=b"\x01" * 32,
    operator=b"\x02" * 20,
    device=b"\x03" * 32,
    nonces=(Nonce(0, b"\x04" * 32), Nonce(2, b"\x05" * 32), Nonce(3, b"\x06" * 32)),
)
SEED = BINDING.seed(SMALL)


@dataclass(frozen=True)
class Answer:
    """What a prover sends: roots, then openings of what was drawn for them."""

    roots: tuple[bytes, ...]
    openings: tuple[Opening, ...]

    def verdict(self, seed: bytes = SEED, parameters: Parameters = SMALL, beacon: bytes = BEACON) -> Verdict:
        return check_cells(seed, parameters, self.roots, beacon, self.openings)


def answer_of(prover: Prover, seed: bytes, roots: Sequence[bytes], beacon: bytes = BEACON) -> Answer:
    cells = draw_cells(seed, commitment_of(roots), beacon, prover.parameters)
    return Answer(tuple(roots), prover.open(cells))


@functools.cache
def honest_prover(seed: bytes = SEED, parameters: Parameters = SMALL) -> Prover:
    prover = Prover(seed, parameters)
    prover.run()
    return prover


@functools.cache
def honest_answer(seed: bytes = SEED, parameters: Parameters = SMALL) -> Answer:
    prover = honest_prover(seed, parameters)
    return answer_of(prover, seed, prover.roots)


#: What a cheat commits instead of a segment's true rows: (segment, rows before, rows after) to rows.
Cheat = Callable[[int, Tensor, Tensor], Tensor]


class CheatingProver(Prover):
    """Commits to what ``cheat`` makes of each segment, goes on from there, and opens what it committed."""

    def __init__(self, seed: bytes, parameters: Parameters, cheat: Cheat) -> None:
        super().__init__(seed, parameters)
        honest = self._chain.advance
        self._states: list[Tensor] = []

        def advance(x: Tensor, rows: Tensor, first_rounds: Tensor) -> Tensor:
            segment = int(first_rounds[0]) // SEGMENT_ROUNDS
            following = cheat(segment, x, honest(x, rows, first_rounds))
            self._states.append(following)
            return following

        self._chain.advance = advance  # type: ignore[assignment]

    def _start_rows(self, cells: Sequence[object]) -> dict[object, bytes]:  # type: ignore[override]
        return {
            cell: self._states[cell.segment - 1][cell.row].numpy().tobytes() if cell.segment else b""  # type: ignore[attr-defined]
            for cell in cells
        }
