"""Fixed token sequences whose exact answer is known: any machine, carrier, batch or thread count must give it."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

CLASSIFICATION_TOKEN: Final = 101
SEPARATOR_TOKEN: Final = 102

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
