"""Fixed token sequences whose exact answer is known: any machine, carrier, batch or thread count must give it.

A node runs them when it loads a model and refuses to serve if the bits differ: the self-test of a carrier looks at chosen
matrix sizes, this looks at the whole program.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

from proofmill.exact.embedder import Embedder
from proofmill.exact.errors import GoldenMismatch

CLASSIFICATION_TOKEN: Final = 101
SEPARATOR_TOKEN: Final = 102

#: By model id; `make golden` prints it for every carrier, batch size and thread count.
GOLDEN_ANSWERS: Final = {
    "8a7e8ac6a7cf2de0201fa2b8f1587338919459b16a879dcc93fd95650574e473": (
        "b533176cce2c033ae65cdcda1576a688e8517f91bc8a57f722b161dcbef6ba8b"
    ),
}

#: Mostly short, some repeated lengths, one token alone, and one sequence over two blocks of 128.
_LENGTHS: Final = (1, 2, 3, 5, 8, 8, 13, 21, 21, 34, 55, 144, 257, *range(4, 28), 16, 17, 18)


def golden_sequences() -> list[list[int]]:
    """40 sequences of 1 to 257 ids of the MiniLM vocabulary, from a linear congruential generator."""
    state = 20
    sequences = []
    for length in _LENGTHS:
        sequence = []
        for _ in range(length):
            state = (state * 1103515245 + 12345) % 2**31
            sequence.append(1000 + (state >> 8) % 29000)
        sequence[0] = CLASSIFICATION_TOKEN
        if length > 1:
            sequence[-1] = SEPARATOR_TOKEN
        sequences.append(sequence)
    return sequences


def answer_sha256(answer: npt.NDArray[np.int32]) -> str:
    """sha256 of an answer's components, row by row, each as a little-endian signed 32-bit integer."""
    return hashlib.sha256(np.ascontiguousarray(answer.astype("<i4", copy=False)).tobytes()).hexdigest()


def check_golden(embedder: Embedder) -> None:
    """Run the golden sequences once, about a second on two cores.

    Raises:
        GoldenMismatch: this machine computes other bits, so it must not serve the model.
    """
    expected = GOLDEN_ANSWERS[embedder.model_id.hex()]
    found = answer_sha256(embedder.embed(golden_sequences()))
    if found != expected:
        raise GoldenMismatch(
            f"the {embedder.carrier} carrier gives {found} for the golden sequences, expected {expected}",
            remedy="Do not serve the model from here. Run `make golden` to see which carriers are right on this machine.",
        )
