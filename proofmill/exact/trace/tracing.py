"""Tracing a model: every operator's output is made, hashed and let go, in the order of the program.

What stays is a root per value and 32 bytes per row. A leaf is opened by running the program again up to its operator,
so a trace costs memory only for the values still to be read, the greatest of which are one layer's activations and,
where a model chooses tokens, the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor

from proofmill.exact.commitment.descriptor import OperatorDescriptor, TableCommitment, describe
from proofmill.exact.commitment.leaves import TableTree
from proofmill.exact.commitment.merkle import EMPTY, Opening
from proofmill.exact.errors import InvalidOpening, InvalidSequence
from proofmill.exact.kernels.interface import Kernels, Operand
from proofmill.exact.program.kinds import LAYOUT_PARTS, Shape
from proofmill.exact.program.model import Model
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.codecs import Integers
from proofmill.exact.trace.commit import Commitment, CommitmentBuilder, leaf_data, open_leaf
from proofmill.exact.trace.geometry import Geometry, Leaf, geometry, input_geometry
from proofmill.exact.trace.producers import Parts, Producer, Stored

_ATTENTION: Final = ("scores", "softmax")

#: Called with the operator's number and its commitment as soon as it is known.
Sink = Callable[[int, Commitment], None]


def commit_tables(model: Model) -> dict[str, TableCommitment]:
    """The commitments to all tables of a model: one pass over its weights."""
    return {name: commit_table(model, name) for name in model.program.tables}


def commit_table(model: Model, name: str) -> TableCommitment:
    shape = model.program.tables[name]
    size = model.tensors[f"{name}.weight"].element_size() if shape.layout == "linear" else 4
    return TableCommitment(table_tree(model, name).root, shape, size)


def table_tree(model: Model, name: str) -> TableTree:
    """The tree over one table, to open its leaves."""
    layout = model.program.tables[name].layout
    return TableTree(layout, {part: model.tensors[f"{name}.{part}"] for part in LAYOUT_PARTS[layout]})


class _Unknown(dict[str, TableCommitment]):
    """Tables whose roots a run does not need: only descriptors that are opened hold them."""

    def __init__(self, model: Model) -> None:
        super().__init__(
            {name: TableCommitment(EMPTY, shape) for name, shape in model.program.tables.items()}
        )


class Run:
    """One forward pass whose operators are made one by one; both tracing and opening drive it."""

    producer_type: type[Producer] = Producer

    def __init__(
        self, model: Model, input: Tensor, kernels: Kernels | None = None, sampling: Sampling | None = None
    ) -> None:
        self.model, self.kernels, self.sampling = model, kernels, sampling
        self.operators = describe(model.program, _Unknown(model))
        self.input = _input_rows(model.program.input, input)
        self.length = len(self.input)
        self._check_attention()
        self._last_reader = self._find_last_readers()

    def geometry(self, number: int) -> Geometry:
        """Of value ``number``."""
        if number == 0:
            return input_geometry(self.model.program.input, self.length)
        return geometry(self.operators[number - 1], self.length)

    def producer(self, number: int, values: Mapping[int, Stored | Producer]) -> Producer:
        operator = self.model.program.operators[number - 1]
        parts: Parts = {}
        if operator.table:
            layout = self.model.program.tables[operator.table].layout
            parts = {part: self.model.tensors[f"{operator.table}.{part}"] for part in LAYOUT_PARTS[layout]}
        inputs = [values[value] for value in operator.inputs]
        descriptor = self.operators[number - 1]
        rows = self.geometry(number).values.rows
        return self.producer_type(descriptor, rows, inputs, parts, self.kernels, self.sampling)

    def release(self, number: int, values: dict[int, Stored | Producer], keep: Container[int]) -> None:
        """Forget values that operator ``number`` was the last to read."""
        for value in self.operators[number - 1].inputs:
            if self._last_reader[value.number] <= number and value.number not in keep:
                values.pop(value.number, None)

    def values_before(self, number: int) -> dict[int, Stored | Producer]:
        """Everything operator ``number`` reads, made anew."""
        values: dict[int, Stored | Producer] = {0: self.input}
        needed = self._ancestors(number)
        for earlier in range(1, number):
            if earlier in needed:
                producer = self.producer(earlier, values)
                kind = self.operators[earlier - 1].kind
                values[earlier] = producer if kind in _ATTENTION else _whole_value(producer)
            self.release(earlier, values, needed_by(self.operators[number - 1]))
        return values

    def _ancestors(self, number: int) -> set[int]:
        needed = {number}
        for later in range(number, 0, -1):
            if later in needed:
                needed.update(value.number for value in self.operators[later - 1].inputs)
        return needed

    def _find_last_readers(self) -> list[int]:
        last = [0] * (len(self.operators) + 1)
        for number, operator in enumerate(self.operators, start=1):
            for value in operator.inputs:
                last[value.number] = number
        # Attention is made again from the operand when it is mixed, so the operand lives as long as scores and weights do.
        for number in range(len(self.operators), 0, -1):
            if self.operators[number - 1].kind in _ATTENTION:
                for value in self.operators[number - 1].inputs:
                    last[value.number] = max(last[value.number], last[number])
        return last

    def _check_attention(self) -> None:
        """Scores, softmax and mix of one attention must agree: a softmax reads as many keys as its scores have."""
        for number, operator in enumerate(self.operators, start=1):
            if operator.kind not in ("softmax", "mix"):
                continue
            before = self.operators[operator.inputs[0].number - 1]
            shared = {
                name: operator.constants[name] for name in ("heads", "key_heads", "head_size", "causal")
            }
            fits = shared.items() <= before.constants.items()
            if not fits or before.inputs[-1].number != operator.inputs[1].number:
                raise InvalidOpening(
                    f"operator {number} ({operator.kind}) reads attention of another shape or operand",
                    remedy="Import the model again with this version.",
                )


def needed_by(operator: OperatorDescriptor) -> set[int]:
    return {value.number for value in operator.inputs}


def _input_rows(shape: Shape, input: Tensor) -> Tensor:
    """Value 0 as rows: tokens one a row, an image as it is."""
    rows = input.reshape(-1, 1) if shape.kind == "tokens" else input
    if rows.ndim != 2 or not len(rows) or rows.shape[1] != shape.width or shape.rows not in (None, len(rows)):
        raise InvalidSequence(
            f"an input of shape {tuple(input.shape)} for {shape.rows or 'T'} rows of {shape.width}",
            remedy="Trace the input the model was asked about.",
        )
    return rows.to(torch.int32).contiguous()


def _whole_value(producer: Producer) -> Stored:
    return _collect([producer.tile(*span).stored for span in _spans(producer)])


def _spans(producer: Producer) -> list[tuple[int, int]]:
    step, rows = producer.tile_rows, producer.row_count
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


def _collect(tiles: Sequence[Stored | None]) -> Stored:
    operands = [tile for tile in tiles if isinstance(tile, Operand)]
    if operands:
        values = torch.cat([tile.values for tile in operands])
        return Operand(values, torch.cat([tile.exponents for tile in operands]))
    return torch.cat([tile for tile in tiles if isinstance(tile, Tensor)])


@dataclass
class Trace:
    """What is kept of a traced run: the root of every value, and the hashes of their rows."""

    run: Run
    commitments: list[Commitment]
    values: Mapping[int, Stored | Producer] = field(default_factory=dict)  # those asked for with ``keep``
    _opened: tuple[int, Rows] | None = None

    @property
    def roots(self) -> list[bytes]:
        """Of values 0, 1, …: the input, then every operator's output; the last is the answer's."""
        return [commitment.root for commitment in self.commitments]

    @property
    def row_hash_bytes(self) -> int:
        """What the rows' hashes take in memory."""
        return sum(commitment.row_hashes.nbytes for commitment in self.commitments)

    def open(self, number: int, place: Leaf) -> Opening:
        """Open a leaf of value ``number`` against its root; runs the program again up to there, unless it was just opened."""
        return self.rows(number).open(place)

    def rows(self, number: int) -> Rows:
        """The rows of one value, made again."""
        if self._opened is None or self._opened[0] != number:
            self._opened = (number, Rows(self.run, number, self.commitments[number]))
        return self._opened[1]


class Rows:
    """Rows of one value as integers and as openings, made when they are asked for."""

    def __init__(self, run: Run, number: int, commitment: Commitment) -> None:
        self.geometry = run.geometry(number)
        self._commitment = commitment
        self._run, self._number = run, number
        self._producer = run.producer(number, run.values_before(number)) if number else None
        self._row: tuple[int, dict[str, Integers | None]] | None = None
        self._supplement: Integers | None = None

    def integers(self, place: Leaf) -> Integers | None:
        """All integers of the leaf's row and part, [1, sections, n]; of a supplement [rows, 1, n]."""
        if place.part == "supplement":
            if self._supplement is None and self._producer is not None:
                made = self._producer.supplement()
                self._supplement = None if made is None else made.numpy()
            return self._supplement
        if self._row is None or self._row[0] != place.row:
            self._row = (place.row, self._make(place.row))
        return self._row[1][place.part]

    def data(self, place: Leaf) -> bytes:
        """Bytes of one leaf."""
        integers = self.integers(place)
        if integers is None:
            raise InvalidOpening(f"there is no leaf {place}", remedy="Open an existing leaf.")
        first = 0 if place.part == "supplement" else place.row
        return leaf_data(self.geometry.grid(place.part), integers, place, first)

    def open(self, place: Leaf) -> Opening:
        if not 0 <= place.row < self.geometry.grid(place.part).rows:
            raise InvalidOpening(f"there is no row {place.row}", remedy="Open an existing row.")
        row: dict[str, Integers | None] = {"supplement": None}
        if place.part != "supplement":
            self.integers(place)
            assert self._row is not None
            row.update(self._row[1])
        else:
            row["supplement"] = self.integers(place)
        return open_leaf(self.geometry, self._commitment, place, row)

    def _make(self, row: int) -> dict[str, Integers | None]:
        if self._producer is None:
            return {"values": self._run.input[row : row + 1, None].numpy(), "witness": None}
        tile = self._producer.tile(row, row + 1)
        return {
            "values": tile.values.numpy(),
            "witness": None if tile.witness is None else tile.witness.numpy(),
        }


def trace(
    model: Model,
    input: Tensor,
    kernels: Kernels | None = None,
    sampling: Sampling | None = None,
    *,
    sink: Sink | None = None,
    keep: Container[int] = (),
) -> Trace:
    """Run a model on one sequence (ids [T]) or image (bytes [rows, channels]) and commit to every operator's output.

    A generation is traced over its prompt followed by its tokens but the last, with the ``sampling`` of the request. With
    ``kernels``, linear operators and functions of rows are computed by them, the rest by definition; the roots are the same.
    ``sink`` hears of each commitment; ``keep`` names values not to be forgotten.

    Raises InvalidSequence or InvalidOperand for an input that does not fit the program.
    """
    return trace_run(Run(model, input, kernels, sampling), sink=sink, keep=keep)


def trace_run(run: Run, *, sink: Sink | None = None, keep: Container[int] = ()) -> Trace:
    """Commit to every value of a run that is already set up; see :func:`trace`."""
    values: dict[int, Stored | Producer] = {0: run.input}
    commitments: dict[int, Commitment] = {}

    def commit(number: int, commitment: Commitment) -> None:
        commitments[number] = commitment
        if sink is not None:
            sink(number, commitment)

    builder = CommitmentBuilder(run.geometry(0))
    builder.append(run.input[:, None].numpy(), None)
    commit(0, builder.finish(None))
    with torch.inference_mode():
        for number, operator in enumerate(run.operators, start=1):
            producer = run.producer(number, values)
            if operator.kind in _ATTENTION:
                values[number] = producer  # made and hashed together with what mixes it
                continue
            waiting = [value for value in _attention_before(run, number) if value not in commitments]
            values[number] = _commit_together(run, number, producer, values, waiting, commit)
            run.release(number, values, keep)
            for value in waiting:
                if value not in keep:
                    run.release(value, values, keep)
        for number, operator in enumerate(run.operators, start=1):
            if operator.kind in _ATTENTION and number not in commitments:
                last = values[number]
                assert isinstance(last, Producer)
                _commit_together(run, number, last, values, [], commit)
    ordered = [commitments[number] for number in range(len(run.operators) + 1)]
    kept = {number: value for number, value in values.items() if number in keep}
    return Trace(run, ordered, kept)


def _attention_before(run: Run, number: int) -> list[int]:
    """For a mix, the numbers of its scores and softmax."""
    if run.operators[number - 1].kind != "mix":
        return []
    softmax = run.operators[number - 1].inputs[0].number
    return [run.operators[softmax - 1].inputs[0].number, softmax]


def _commit_together(
    run: Run,
    number: int,
    producer: Producer,
    values: Mapping[int, Stored | Producer],
    waiting: Sequence[int],
    commit: Callable[[int, Commitment], None],
) -> Stored | Producer:
    """Make and hash an operator tile by tile, and with it the attention it is made from."""
    producers = {value: made for value in waiting if isinstance(made := values[value], Producer)}
    producers[number] = producer
    builders = {value: CommitmentBuilder(run.geometry(value)) for value in producers}
    stored: list[Stored | None] = []
    for start, stop in _spans(producer):
        for value, made in producers.items():
            tile = made.tile(start, stop)
            witness = None if tile.witness is None else tile.witness.numpy()
            builders[value].append(tile.values.numpy(), witness)
        stored.append(tile.stored)
    for value, made in producers.items():
        supplement = made.supplement()
        commit(value, builders[value].finish(None if supplement is None else supplement.numpy()))
    return producer if stored[0] is None else _collect(stored)


def input_root(model: Model, input: Tensor) -> bytes:
    """The root of value 0 alone, which a claim names beside its number of rows."""
    shape = model.program.input
    rows = _input_rows(shape, input)
    builder = CommitmentBuilder(input_geometry(shape, len(rows)))
    builder.append(np.asarray(rows[:, None]), None)
    return builder.finish(None).root
