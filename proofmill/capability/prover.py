"""The prover: computes the chain on one device, commits to its rows, and opens cells when they are drawn.

It keeps no matrix but the current one. Rows are independent, so the few rows that are drawn are computed again from A, which
costs next to nothing beside the challenge: ``cells`` rows instead of n.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from proofmill.capability.arithmetic import choose_carrier
from proofmill.capability.cells import Cell
from proofmill.capability.chain import Chain
from proofmill.capability.commitment import RowDigests, Tree, digest_bytes
from proofmill.capability.errors import DeviceUnfit, InvalidChallenge
from proofmill.capability.parameters import SEGMENT_ROUNDS, Parameters
from proofmill.capability.proof import Opening
from proofmill.capability.seeds import derive_key


def memory_needed(parameters: Parameters) -> int:
    """Bytes a prover needs on its device: B, three states of X, digests of all rows, and room to compute."""
    matrices = 4 * parameters.size**2
    digests = 32 * parameters.segments * parameters.size
    scratch = max(1 << 28, 16 * 32 * parameters.size)
    return matrices + digests + scratch


class Prover:
    """One challenge of speed on one device (``"cpu"``, ``"cuda:1"``). Not for several threads at once.

    Raises:
        DeviceUnfit: no arithmetic is exact there, or a CUDA device has less free memory than is needed.
    """

    def __init__(
        self, seed: bytes, parameters: Parameters, device: str = "cpu", carrier: str | None = None
    ) -> None:
        self.parameters = parameters
        self._device = torch.device(device)
        chosen = choose_carrier(device, carrier)
        if self._device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self._device)
            needed = memory_needed(parameters)
            if free < needed:
                raise DeviceUnfit(
                    f"{device} has {free:,} bytes free, the challenge needs {needed:,}",
                    remedy="Stop other work on this device, or ask for a smaller class.",
                )
        with torch.inference_mode():
            self._chain = Chain(seed, parameters, chosen, self._device)
            self._row_digests = RowDigests(derive_key(seed, "digest"), parameters.words, self._device)
        self._trees: list[Tree] = []

    def run(self, after_segment: Callable[[int], None] | None = None) -> tuple[bytes, ...]:
        """Compute all rounds and return the roots, one per segment; ``after_segment`` is called with the number done."""
        size, segments = self.parameters.size, self.parameters.segments
        self._trees = []
        pending: Tensor | None = None
        with torch.inference_mode():
            rows = torch.arange(size, dtype=torch.int64, device=self._device)
            x = self._chain.first_matrix()
            for segment in range(segments):
                first = torch.full_like(rows, segment * SEGMENT_ROUNDS)
                x = self._chain.advance(x, rows, first)
                following = self._row_digests.compute(x)
                # The tree of the segment before is hashed on the processor while a GPU works on this one.
                if pending is not None:
                    self._commit(pending, after_segment)
                pending = self._fetch(following)
            assert pending is not None
            self._commit(pending, after_segment)
        return self.roots

    def _fetch(self, digests: Tensor) -> Tensor:
        """Digests on their way to the processor; see :meth:`_commit`."""
        if self._device.type != "cuda":
            return digests
        host = torch.empty(digests.shape, dtype=digests.dtype, pin_memory=True)
        host.copy_(digests, non_blocking=True)
        self._arrival = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._arrival.record(torch.cuda.current_stream(self._device))
        return host

    def _commit(self, digests: Tensor, after_segment: Callable[[int], None] | None) -> None:
        if self._device.type == "cuda":
            self._arrival.synchronize()
        self._trees.append(Tree(digest_bytes(digests)))
        if after_segment is not None:
            after_segment(len(self._trees))

    @property
    def roots(self) -> tuple[bytes, ...]:
        """One root per segment done."""
        return tuple(tree.root for tree in self._trees)

    def open(self, cells: Sequence[Cell]) -> tuple[Opening, ...]:
        """Openings of these cells, in the order given.

        Raises:
            InvalidChallenge: a cell is not of this challenge, or the chain has not been run.
        """
        for cell in cells:
            if not (0 <= cell.segment < len(self._trees) and 0 <= cell.row < self.parameters.size):
                raise InvalidChallenge(
                    f"there is no {cell}", remedy="Run the challenge, then open the cells drawn for it."
                )
        starts = self._start_rows(cells)
        openings = []
        for cell in cells:
            before = self._trees[cell.segment - 1].path(cell.row) if cell.segment else b""
            end = self._trees[cell.segment].path(cell.row)
            openings.append(Opening(cell, starts[cell], before, end))
        return tuple(openings)

    def _start_rows(self, cells: Sequence[Cell]) -> dict[Cell, bytes]:
        """The row at the start of each cell, computed again from A; nothing for segment 0."""
        starts = {cell: b"" for cell in cells if cell.segment == 0}
        later = [cell for cell in cells if cell.segment > 0]
        if not later:
            return starts
        with torch.inference_mode():
            rows = sorted({cell.row for cell in later})
            places = {row: place for place, row in enumerate(rows)}
            numbers = torch.tensor(rows, dtype=torch.int64, device=self._device)
            x = self._chain.first_rows(numbers)
            for segment in range(max(cell.segment for cell in later)):
                x = self._chain.advance(x, numbers, torch.full_like(numbers, segment * SEGMENT_ROUNDS))
                for cell in later:
                    if cell.segment == segment + 1:
                        starts[cell] = x[places[cell.row]].cpu().numpy().tobytes()
        return starts
