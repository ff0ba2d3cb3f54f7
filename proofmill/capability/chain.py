"""The chain X(r + 1) = requantise(X(r)·B) ⊕ mix(r, row), for a whole matrix or for any rows of it.

``requantise`` takes bits 8 to 15 of the 32-bit product and lets what is above them go. Those bits are close to uniform for
every size from 64 on (a normal distribution of width 2^15.4 or more, wrapped at 2^16), so that entries neither vanish nor
saturate however long the chain, and they depend on the lowest bits of each term: nothing less than the exact product gives them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from proofmill.capability.arithmetic import Carrier
from proofmill.capability.generator import generate_matrix, generate_rows, words_at
from proofmill.capability.parameters import SEGMENT_ROUNDS, Parameters
from proofmill.capability.seeds import derive_key

#: Accumulators held at once, 64 MiB: much of that stays in a GPU's cache, and a processor does not repack B too often.
_ACCUMULATORS: Final = 1 << 24


def requantise_into(accumulators: Tensor, masks: Tensor, out: Tensor) -> None:
    """One round's end: int32 [m, n] and one mask per row, int64 [m], to int8 [m, n]; one pass over the data."""
    rows, columns = out.shape
    second_bytes = accumulators.view(torch.int8).view(rows, columns // 8, 8, 4)[..., 1]
    torch.bitwise_xor(
        second_bytes, masks.view(torch.int8).view(rows, 1, 8), out=out.view(rows, columns // 8, 8)
    )


class Chain:
    """One challenge on one device: B and what is needed to advance rows of X."""

    def __init__(self, seed: bytes, parameters: Parameters, carrier: Carrier, device: torch.device) -> None:
        self.parameters = parameters
        self.device = device
        self._carrier = carrier
        self._a_key = derive_key(seed, "A")
        self._mix_key = derive_key(seed, "mix")
        # B lies transposed, as every device's fast product wants it: row c of this tensor is column c of B.
        self.b_transposed = generate_matrix(
            derive_key(seed, "B"), parameters.size, parameters.size, self.device
        )

    def first_matrix(self) -> Tensor:
        """X₀ = A, int8 [n, n]."""
        return generate_matrix(self._a_key, self.parameters.size, self.parameters.size, self.device)

    def first_rows(self, rows: Tensor) -> Tensor:
        """These rows of A: int8 [m, n]."""
        return generate_rows(self._a_key, rows, self.parameters.size)

    def advance(
        self, x: Tensor, rows: Tensor, first_rounds: Tensor, after_round: Callable[[int], None] | None = None
    ) -> Tensor:
        """Rows of X, 32 rounds later: int8 [m, n]; ``x`` is not changed.

        ``rows`` and ``first_rounds``, int64 [m], say for each row which one it is and from which round on.
        """
        masks = self._masks(rows, first_rounds)
        size = self.parameters.size
        block = max(32, _ACCUMULATORS // size)
        current, following = x.clone(), torch.empty_like(x)
        for step in range(SEGMENT_ROUNDS):
            for start in range(0, x.shape[0], block):
                part = slice(start, start + block)
                accumulators = self._carrier.multiply(current[part], self.b_transposed)
                requantise_into(accumulators, masks[step, part], following[part])
            current, following = following, current
            if after_round is not None:
                after_round(step)
        return current

    def _masks(self, rows: Tensor, first_rounds: Tensor) -> Tensor:
        """int64 [32, m], contiguous: word (round · 2^32 + row) of the mixing key."""
        rounds = first_rounds + torch.arange(SEGMENT_ROUNDS, dtype=torch.int64, device=self.device).view(
            -1, 1
        )
        return words_at(self._mix_key, rounds * (1 << 32) + rows)
