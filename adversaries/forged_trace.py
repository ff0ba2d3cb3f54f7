"""Traces and answers that no run makes: values in another order than the program's, other weights, leaves of any bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from proofmill.disputes.claimed_value import array_of
from proofmill.disputes.rerun import Rerun
from proofmill.exact.commitment.keccak import Bytes, hash_leaf, keccak256
from proofmill.exact.commitment.merkle import EMPTY, roots
from proofmill.exact.program.kinds import LAYOUT_PARTS
from proofmill.exact.program.model import Model
from proofmill.exact.trace.claims import Item
from proofmill.exact.trace.commit import Commitment
from proofmill.exact.trace.geometry import Geometry, Leaf
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


class GarbledAnswer(Item):
    """The answer of a generation, in which leaves of any bytes stand for tokens."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = leaves
        hashes = array_of([hash_leaf(leaf) for leaf in leaves])
        super().__init__(np.zeros((len(leaves), 1), dtype=np.int64), hashes, is_input=False)

    def leaf_data(self, row: int, leaf: int = 0) -> bytes:
        return self._leaves[row]

    def leaf_hashes(self, row: int) -> Bytes:
        return self.row_hashes[row : row + 1]


class GarbledRerun(Rerun):
    """A trace of a generation whose value 0 and last value hold what was answered, whatever bytes these are.

    ``rerun`` is a right one over as many tokens, of which ``prompt_rows`` are the prompt.
    """

    def __init__(self, rerun: Rerun, leaves: Sequence[bytes], prompt_rows: int) -> None:
        self._original = rerun
        self._leaves: Mapping[int, Mapping[int, bytes]] = {
            0: {prompt_rows + place: leaf for place, leaf in enumerate(leaves[:-1])},
            rerun.operators: {prompt_rows - 1 + place: leaf for place, leaf in enumerate(leaves)},
        }
        commitments = [
            _with_leaves(commitment, self._leaves.get(number, {}))
            for number, commitment in enumerate(rerun.trace.commitments)
        ]
        super().__init__(rerun.committed, Trace(rerun.trace.run, commitments))

    def rows(self, number: int) -> Rows:
        return _GarbledRows(self._original.rows(number), self._leaves.get(number, {}))


class _GarbledRows(Rows):
    """Rows of one leaf, with other bytes in some of them."""

    def __init__(self, original: Rows, leaves: Mapping[int, bytes]) -> None:
        self.__dict__.update(original.__dict__)
        self._garbled = leaves

    def data(self, place: Leaf) -> bytes:
        return self._garbled[place.row] if place.row in self._garbled else super().data(place)


def _with_leaves(commitment: Commitment, leaves: Mapping[int, bytes]) -> Commitment:
    """The commitment to a value whose rows are of one leaf, with other leaves in some of them."""
    hashes = np.array(commitment.row_hashes)
    for row, leaf in leaves.items():
        hashes[row] = np.frombuffer(keccak256(hash_leaf(leaf) + EMPTY), dtype=np.uint8)
    root = keccak256(bytes(roots(hashes)) + commitment.supplement_root)
    return Commitment(root, hashes, commitment.supplement_root)


def with_other_table(model: Model, name: str) -> Model:
    """The same program with the rows of one table moved down by one, or the numbers of its only row to the right.

    Every bound of the table holds as before.
    """
    parts = [f"{name}.{part}" for part in LAYOUT_PARTS[model.program.tables[name].layout]]
    moved = {part: _moved(model.tensors[part]) for part in parts}
    return replace(model, tensors={**model.tensors, **moved})


def _moved(tensor: Tensor) -> Tensor:
    return torch.roll(tensor, 1, 0 if len(tensor) > 1 else -1)
