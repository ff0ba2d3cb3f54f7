"""Traces that no run makes: values in another order than the program's, and runs of the same program with other weights."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from proofmill.disputes.rerun import Rerun
from proofmill.exact.program.kinds import LAYOUT_PARTS
from proofmill.exact.program.model import Model
from proofmill.exact.trace.geometry import Geometry
from proofmill.exact.trace.tracing import Rows, Trace


class MisorderedRerun(Rerun):
    """A trace with the roots of two values in each other's place, defended as well as it can be."""

    def __init__(self, rerun: Rerun, first: int, second: int) -> None:
        self._original = rerun
        order = list(range(rerun.operators + 1))
        order[first], order[second] = second, first
        self._order = order
        commitments = [rerun.trace.commitments[number] for number in order]
        super().__init__(rerun.committed, Trace(rerun.trace.run, commitments))

    def geometry(self, number: int) -> Geometry:
        return self._original.geometry(self._order[number])

    def rows(self, number: int) -> Rows:
        return self._original.rows(self._order[number])


def with_other_table(model: Model, name: str) -> Model:
    """The same program with the rows of one table moved down by one, or the numbers of its only row to the right.

    Every bound of the table holds as before.
    """
    parts = [f"{name}.{part}" for part in LAYOUT_PARTS[model.program.tables[name].layout]]
    moved = {part: _moved(model.tensors[part]) for part in parts}
    return replace(model, tensors={**model.tensors, **moved})


def _moved(tensor: Tensor) -> Tensor:
    return torch.roll(tensor, 1, 0 if len(tensor) > 1 else -1)
