"""Runs a model's plan on a set of kernels, many sequences at a time.

Rows of all sequences lie below each other without padding. Every operator but attention and pooling works on single rows, and
those two are told where each sequence begins; so no sequence's answer can depend on the company it was computed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from proofmill.exact.errors import InvalidOperand, InvalidProgram
from proofmill.exact.execution.cache import KeyValueCache
from proofmill.exact.execution.plan import Plan, Step, make_plan
from proofmill.exact.kernels import image
from proofmill.exact.kernels.interface import AttentionShape, Form, Kernels, Operand, Rows, Segment
from proofmill.exact.program.kinds import LAYOUT_PARTS
from proofmill.exact.program.model import Model


class Executor:
    """A model ready to run on one device; immutable, and usable from several threads at once."""

    def __init__(self, model: Model, kernels: Kernels) -> None:
        self._kernels = kernels
        self._program = model.program
        self._plan: Plan = make_plan(model.program)
        self._limit = model.description.maximum_tokens
        self._width = model.program.shapes[self._plan.output].width
        self._prepared = _prepare(model, kernels, self._plan)
        self._attention = {
            step.number: place
            for place, step in enumerate(step for step in self._plan.steps if step.operator.kind == "scores")
        }

    @property
    def kernels(self) -> Kernels:
        return self._kernels

    def new_cache(self, capacity: int = 64) -> KeyValueCache:
        """An empty cache for one sequence of this model."""
        shapes = [
            attention_shape(step.operator.constants)
            for step in self._plan.steps
            if step.operator.kind == "scores"
        ]
        self._require_own_rows()
        if not shapes or not all(shape.causal for shape in shapes):
            raise InvalidProgram(
                "only a causal model can continue a sequence", remedy="Compute the whole sequence at once."
            )
        return KeyValueCache(shapes, self._kernels.device, limit=self._limit, capacity=capacity)

    def run_tokens(
        self,
        sequences: Sequence[Sequence[int]],
        *,
        caches: Sequence[KeyValueCache] | None = None,
        tails: Sequence[int] | None = None,
    ) -> Tensor:
        """The program's output, int32, for sequences of checked token ids: their rows one below the other.

        With ``caches``, one per sequence, each sequence continues the one its cache holds. ``tails`` says how many of the
        last rows of each sequence are wanted, which spares the operators after the last attention all other rows.
        """
        if caches or tails is not None:
            self._require_own_rows()
        device = self._kernels.device
        lengths = [len(sequence) for sequence in sequences]
        offsets = [cache.length for cache in caches] if caches else [0] * len(lengths)
        for cache, length in zip(caches or (), lengths, strict=bool(caches)):
            cache.reserve(length)
        ids = torch.tensor([token for sequence in sequences for token in sequence], dtype=torch.int64)
        positions = torch.cat(
            [torch.arange(offset, offset + length) for offset, length in zip(offsets, lengths, strict=True)]
        )
        starts = [0]
        for length in lengths:
            starts.append(starts[-1] + length)
        run = _Run(
            ids.to(device),
            positions.to(device),
            [
                Segment(start, length, offset)
                for start, length, offset in zip(starts, lengths, offsets, strict=False)
            ],
            list(caches) if caches else None,
            _tail_rows(starts[1:], tails, device) if tails is not None else None,
        )
        output = self._run(run)
        for cache, length in zip(caches or (), lengths, strict=bool(caches)):
            cache.advance(length)
        return output

    def _require_own_rows(self) -> None:
        """InvalidProgram if rows are pooled: then the output is not one row per token."""
        if any(step.operator.kind == "unit_mean" for step in self._plan.steps):
            raise InvalidProgram(
                "only a causal model that pools no rows has an output per token",
                remedy="Compute the whole sequence at once.",
            )

    def run_images(self, images: Tensor) -> Tensor:
        """The program's output, int32 [B, classes], for images uint8 [B, rows, channels]."""
        expected = (self._program.input.rows, self._program.input.width)
        if images.dtype != torch.uint8 or images.ndim != 3 or tuple(images.shape[1:]) != expected:
            raise InvalidOperand(
                f"images are {images.dtype} {tuple(images.shape)}, expected torch.uint8 (n, {expected[0]}, {expected[1]})",
                remedy="Scale the images to the size of the model and pass one byte per channel.",
            )
        count = len(images)
        if count == 0:
            return torch.zeros((0, self._width), dtype=torch.int32)
        stacked = images.to(self._kernels.device).reshape(-1, images.shape[-1])
        segments = [Segment(index * images.shape[1], images.shape[1]) for index in range(count)]
        return self._run(_Run(stacked, stacked, segments, None, None))

    def _run(self, run: _Run) -> Tensor:
        values: dict[int, Rows] = {0: Rows(values=run.input)}
        # The place -1 comes before every step: a program that never mixes rows needs no others from the start.
        for place, step in enumerate((None, *self._plan.steps), start=-1):
            if step is not None:
                self._advance(step, run, values)
            if place == self._plan.mixing and run.wanted is not None:
                if len(run.wanted) == 0:
                    return torch.zeros((0, self._width), dtype=torch.int32, device=self._kernels.device)
                run.input, run.positions = run.input[run.wanted], run.positions[run.wanted]
                values = {number: _select(rows, run.wanted) for number, rows in values.items()}
        return _values(values[self._plan.output])

    def _advance(self, step: Step, run: _Run, values: dict[int, Rows]) -> None:
        made = self._step(step, run, values)
        if step.values is not None:
            values[step.values] = Rows(values=made.values)
        if step.operand is not None:
            values[step.operand] = Rows(operand=made.operand)
        for released in step.releases:
            values.pop(released, None)

    def _step(self, step: Step, run: _Run, values: Mapping[int, Rows]) -> Rows:
        kernels, operator = self._kernels, step.operator
        prepared: Any = self._prepared.get(step.number)
        inputs = [values[value] for value in step.reads]
        constants = operator.constants
        form = Form(values=step.values is not None, group=step.group)

        def activation(index: int = 0) -> Tensor:
            return _values(inputs[index])

        match operator.kind:
            case "embedding":
                return Rows(values=kernels.embedding(run.input, prepared))
            case "position_embedding":
                return Rows(values=kernels.position_embedding(activation(1), run.positions, prepared))
            case "layer_norm" | "rms_norm":
                return kernels.norm(activation(), prepared, form)
            case "quantise":
                operand = kernels.quantise(activation(), constants["group"])
                return Rows(operand=operand)
            case "linear":
                residual = activation(1) if step.residual is not None else None
                return Rows(values=kernels.linear(_operand(inputs[0]), prepared, residual))
            case "add":
                return Rows(values=kernels.add(activation(0), activation(1)))
            case "gelu":
                return kernels.gelu(activation(), form)
            case "relu":
                return kernels.relu(activation(), form)
            case "gated_silu":
                return kernels.gated_silu(activation(), constants["shift"], form)
            case "rotate":
                cosine, sine = prepared
                columns, head_size = constants["columns"], constants["head_size"]
                return kernels.rotate(activation(), run.positions, cosine, sine, columns, head_size, form)
            case "scores":
                segments = self._segments(step, run, _operand(inputs[0]))
                return kernels.attention(_operand(inputs[0]), attention_shape(constants), segments, form)
            case "unit_mean":
                lengths = [segment.rows for segment in run.segments]
                return Rows(values=kernels.unit_mean(activation(), lengths))
            case "pixels":
                return Rows(values=image.pixels(run.input, prepared))
            case "patches":
                return Rows(values=image.patches(activation(), len(run.segments), **constants))
            case "max_pool":
                return Rows(values=image.max_pool(activation(), len(run.segments), **constants))
            case "average_pool":
                return Rows(values=image.average_pool(activation(), len(run.segments), **constants))
            case "flatten":
                x = activation()
                return Rows(values=x.reshape(len(x) // constants["rows"], -1))
        raise InvalidProgram(
            f"operator {step.number} ({operator.kind}) cannot run by itself",
            remedy="Import the model again with this version.",
        )

    def _segments(self, step: Step, run: _Run, operand: Operand) -> list[Segment]:
        """Where sequences lie; with caches, after the new keys and values have been written."""
        if run.caches is None:
            return run.segments
        layer = self._attention[step.number]
        located = []
        for segment, cache in zip(run.segments, run.caches, strict=True):
            part = slice(segment.start, segment.start + segment.rows)
            held = cache.write(layer, Operand(operand.values[part], operand.exponents[part]))
            located.append(Segment(segment.start, segment.rows, segment.position, held))
        return located


class _Run:
    """What the steps of one run share."""

    def __init__(
        self,
        input: Tensor,
        positions: Tensor,
        segments: list[Segment],
        caches: list[KeyValueCache] | None,
        wanted: Tensor | None,
    ) -> None:
        self.input = input
        self.positions = positions
        self.segments = segments
        self.caches = caches
        self.wanted = wanted


def attention_shape(constants: Mapping[str, int]) -> AttentionShape:
    """The shape of an attention from the constants of its ``scores`` operator."""
    return AttentionShape(
        constants["heads"],
        constants["key_heads"],
        constants["head_size"],
        constants["multiplier"],
        bool(constants["causal"]),
    )


def _prepare(model: Model, kernels: Kernels, plan: Plan) -> dict[int, Any]:
    """Each operator's table in the form its kernel wants, by the operator's number; a shared table is arranged once."""
    prepared: dict[int, Any] = {}
    arranged: dict[tuple[object, ...], Any] = {}  # a table read many times is arranged once
    for step in plan.steps:
        operator = step.operator
        if not operator.table:
            continue
        key = (
            operator.table,
            operator.kind,
            *(operator.constants.get(name) for name in ("shift", "epsilon", "root")),
        )
        if key in arranged:
            prepared[step.number] = arranged[key]
            continue
        layout = model.program.tables[operator.table].layout
        parts = [model.tensors[f"{operator.table}.{part}"] for part in LAYOUT_PARTS[layout]]
        constants = operator.constants
        if layout == "linear":
            weight, multiplier, bias = parts
            prepared[step.number] = kernels.prepare_linear(weight, multiplier, bias, constants["shift"])
        elif layout == "pairs":
            centred = operator.kind == "layer_norm"
            gamma, beta = parts
            epsilon, root = constants["epsilon"], constants["root"]
            prepared[step.number] = kernels.prepare_norm(gamma, beta, epsilon, root, centred=centred)
        elif layout == "rotation":
            prepared[step.number] = tuple(part.to(kernels.device) for part in parts)
        else:
            prepared[step.number] = parts[0].to(kernels.device)
        arranged[key] = prepared[step.number]
    return prepared


def _tail_rows(stops: Sequence[int], tails: Sequence[int], device: torch.device) -> Tensor:
    """Indices in the stack of the last ``tails[i]`` rows before each stop."""
    parts = [torch.arange(stop - tail, stop) for stop, tail in zip(stops, tails, strict=True)]
    return torch.cat(parts).to(device)


def _values(rows: Rows) -> Tensor:
    assert rows.values is not None  # the plan asked for them
    return rows.values


def _operand(rows: Rows) -> Operand:
    assert rows.operand is not None  # the plan asked for it
    return rows.operand


def _select(rows: Rows, index: Tensor) -> Rows:
    values = rows.values[index] if rows.values is not None else None
    operand = rows.operand
    if operand is not None:
        operand = Operand(operand.values[index].contiguous(), operand.exponents[index].contiguous())
    return Rows(values, operand)
