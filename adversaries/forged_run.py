"""A run that lies at one place and goes on from the lie: everything after it is computed from what was forged.

The commitment to a forged run is consistent in itself, so only the arithmetic of the forged operator shows the lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from proofmill.exact.kernels.interface import Kernels, Operand
from proofmill.exact.program.model import Model
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.codecs import OPERAND_HEADER
from proofmill.exact.trace.geometry import Part
from proofmill.exact.trace.producers import Producer, Stored, Tile
from proofmill.exact.trace.tracing import Run


@dataclass(frozen=True)
class Lie:
    """One integer of an operator's output that is not what the inputs make it."""

    number: int  # of the operator, from 1
    part: Part
    row: int
    section: int
    index: int  # within the section
    value: int
    is_continued: bool = True  # whether later operators read it; it is only committed to otherwise


@dataclass(frozen=True)
class RowSwap:
    """Two rows of an operator's output in each other's place; the rows must be of one length."""

    number: int
    first: int
    second: int


class _ForgedProducer(Producer):
    """Makes what the operator makes, and then the lies about it."""

    lies: Sequence[Lie] = ()
    swap: RowSwap | None = None

    def tile(self, start: int, stop: int) -> Tile:
        tile = super().tile(start, stop) if self.swap is None else self._swapped(self.swap, start, stop)
        for lie in self.lies:
            if start <= lie.row < stop and lie.part != "supplement":
                tile = _forge(tile, replace(lie, row=lie.row - start))
        return tile

    def _swapped(self, swap: RowSwap, start: int, stop: int) -> Tile:
        places = {swap.first: swap.second, swap.second: swap.first}
        rows = [
            super(_ForgedProducer, self).tile(row, row + 1)
            for row in (places.get(row, row) for row in range(start, stop))
        ]
        witnesses = [row.witness for row in rows if row.witness is not None]
        return Tile(
            torch.cat([row.values for row in rows]),
            torch.cat(witnesses) if witnesses else None,
            _join([row.stored for row in rows]),
        )

    def supplement(self) -> Tensor | None:
        supplement = super().supplement()
        for lie in self.lies:
            if supplement is not None and lie.part == "supplement":
                supplement = supplement.clone()
                supplement[lie.row, lie.section, lie.index] = lie.value
        return supplement


class ForgedRun(Run):
    """As :class:`Run`, with lies. A lie about scores, weights or witnesses is committed to and not continued from."""

    producer_type = _ForgedProducer

    def __init__(
        self,
        model: Model,
        input: Tensor,
        lies: Sequence[Lie],
        kernels: Kernels | None = None,
        sampling: Sampling | None = None,
        swap: RowSwap | None = None,
    ) -> None:
        super().__init__(model, input, kernels, sampling)
        self._lies, self._swap = lies, swap

    def producer(self, number: int, values: Mapping[int, Stored | Producer]) -> Producer:
        producer = super().producer(number, values)
        assert isinstance(producer, _ForgedProducer)
        producer.lies = [lie for lie in self._lies if lie.number == number]
        if self._swap is not None and self._swap.number == number:
            producer.swap = self._swap
        return producer


def _forge(tile: Tile, lie: Lie) -> Tile:
    if lie.part == "witness":
        assert tile.witness is not None
        witness = tile.witness.clone()
        witness[lie.row, lie.section, lie.index] = lie.value
        return replace(tile, witness=witness)
    values = tile.values.to(torch.int64).clone()
    values[lie.row, lie.section, lie.index] = lie.value
    stored = _continue(tile.stored, lie) if lie.is_continued else tile.stored
    return replace(tile, values=values, stored=stored)


def _continue(stored: Stored | None, lie: Lie) -> Stored | None:
    """The same lie in what later operators read."""
    if isinstance(stored, Operand):
        exponents, values = stored.exponents.clone(), stored.values.clone()
        if lie.index == 0:
            exponents[lie.row, lie.section] = lie.value
        elif lie.index >= OPERAND_HEADER:
            group = values.shape[1] // exponents.shape[1]
            values[lie.row, lie.section * group + lie.index - OPERAND_HEADER] = lie.value
        return Operand(values, exponents)
    if stored is None:
        return None
    forged = stored.clone()
    forged[lie.row, lie.index] = lie.value
    return forged


def _join(parts: Sequence[Stored | None]) -> Stored | None:
    """Rows one below the other, as later operators read them."""
    operands = [part for part in parts if isinstance(part, Operand)]
    if operands:
        values = torch.cat([part.values for part in operands])
        return Operand(values, torch.cat([part.exponents for part in operands]))
    tensors = [part for part in parts if isinstance(part, Tensor)]
    return torch.cat(tensors) if tensors else None
