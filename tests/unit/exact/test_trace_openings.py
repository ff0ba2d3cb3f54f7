"""Traces of small models: values, roots, openings, and what is refused."""

import pytest
import torch

from proofmill.exact.commitment.merkle import verify_opening
from proofmill.exact.errors import ExactError, InvalidOpening, InvalidSequence
from proofmill.exact.kernels.interface import Operand
from proofmill.exact.kernels.selection import choose_kernels
from proofmill.exact.program.graph import Operator, Program
from proofmill.exact.program.interpreter import OperandValue, run
from proofmill.exact.program.kinds import Shape
from proofmill.exact.program.model import Model
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace import producers
from proofmill.exact.trace.commit import Commitment
from proofmill.exact.trace.geometry import Leaf, Part
from proofmill.exact.trace.tracing import input_root, trace
from tests.property.exact.test_exact_programs import ARCHITECTURES, sample_of

PARTS: tuple[Part, ...] = ("values", "witness", "supplement")


def example(architecture: str) -> tuple[Model, torch.Tensor]:
    model = ARCHITECTURES[architecture]("E16", 3)
    return model, torch.tensor(sample_of(model, 5))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_traced_values_are_those_of_the_interpreter(architecture: str) -> None:
    model, sample = example(architecture)
    sampling = Sampling(50_000, 3) if architecture == "decoder" else None
    traced = trace(model, sample, sampling=sampling, keep=range(99))
    compared = 0
    for number, value in enumerate(run(model, sample, sampling)):
        kept = traced.values[number]
        if isinstance(value, OperandValue):
            assert isinstance(kept, Operand)
            assert torch.equal(kept.values.to(torch.int64), value.values)
            assert torch.equal(kept.exponents.to(torch.int64), value.exponents)
            compared += 1
        elif isinstance(value, torch.Tensor) and isinstance(kept, torch.Tensor):
            assert torch.equal(kept.to(torch.int64).reshape(value.shape), value)
            compared += 1
    attention = 0 if architecture == "classifier" else 2  # made again when asked for, never kept
    assert compared == len(model.program.operators) + 1 - attention


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_roots_depend_neither_on_tiles_nor_on_kernels(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sample = example(architecture)
    plain = trace(model, sample)
    heard: dict[int, Commitment] = {}
    fast = trace(model, sample, choose_kernels(), sink=heard.__setitem__)
    assert fast.roots == plain.roots
    assert {number: commitment.root for number, commitment in heard.items()} == dict(enumerate(plain.roots))
    assert fast.values == {}
    for name in ("TILE_ELEMENTS", "LINEAR_TILE_ELEMENTS", "_WEIGHT_TILE_ELEMENTS", "_DRAW_TILE_ELEMENTS"):
        monkeypatch.setattr(producers, name, 40)
    assert trace(model, sample).roots == plain.roots
    assert input_root(model, sample) == plain.roots[0]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_leaves_open_against_the_roots(architecture: str) -> None:
    model, sample = example(architecture)
    traced = trace(model, sample)
    opened = 0
    for number, root in enumerate(traced.roots):
        geometry = traced.run.geometry(number)
        for part in PARTS:
            if getattr(geometry, part) is None:
                with pytest.raises(InvalidOpening, match=f"no {part}"):
                    traced.open(number, Leaf(part, 0))
                continue
            grid = geometry.grid(part)
            for place in {Leaf(part, row, grid.sections - 1, grid.leaves - 1) for row in (0, grid.rows - 1)}:
                opening = traced.open(number, place)
                index, depth = geometry.locate(place)
                assert opening.index == index
                assert verify_opening(root, depth, opening)
                changed = bytes([opening.data[0] ^ 1]) + opening.data[1:]
                assert not verify_opening(root, depth, type(opening)(changed, index, opening.path))
                opened += 1
            for outside in (
                Leaf(part, grid.rows),
                Leaf(part, 0, grid.sections),
                Leaf(part, 0, 0, grid.leaves),
            ):
                with pytest.raises(InvalidOpening):
                    traced.open(number, outside)
    assert opened > 2 * len(model.program.operators)


def test_another_input_or_draw_has_another_trace() -> None:
    model, sample = example("decoder")
    first, second = trace(model, sample), trace(model, (sample + 1) % 9)
    assert first.roots[0] != second.roots[0]
    drawn = [trace(model, sample, sampling=Sampling(2_000, seed)).roots for seed in range(6)]
    assert all(roots[:-1] == first.roots[:-1] for roots in drawn)
    assert len({roots[-1] for roots in drawn}) > 1


@pytest.mark.parametrize(
    ("architecture", "sample"),
    [
        ("encoder", torch.empty(0, dtype=torch.int64)),
        ("encoder", torch.tensor([3, 9])),
        ("encoder", torch.tensor([-1])),
        ("encoder", torch.zeros(13, dtype=torch.int64)),
        ("classifier", torch.zeros(41, 2, dtype=torch.uint8)),
        ("classifier", torch.zeros(42, 3, dtype=torch.uint8)),
    ],
)
def test_inputs_that_do_not_fit_are_refused(architecture: str, sample: torch.Tensor) -> None:
    model, _ = example(architecture)
    with pytest.raises(ExactError):
        trace(model, sample)


def test_an_empty_sequence_is_named() -> None:
    model, _ = example("encoder")
    with pytest.raises(InvalidSequence, match="T rows of 1"):
        trace(model, torch.empty(0, dtype=torch.int64))


def test_attention_that_disagrees_with_itself_is_refused() -> None:
    """A softmax that is causal over scores that are not would read scores nobody committed to."""
    model, sample = example("encoder")
    operators = [
        Operator(o.kind, o.inputs, o.table, {**o.constants, "causal": 1}) if o.kind == "softmax" else o
        for o in model.program.operators
    ]
    try:
        program = Program(Shape("tokens", None, 1), tuple(operators), model.program.tables)
    except ExactError:
        return  # refused even earlier
    with pytest.raises(InvalidOpening, match="another shape"):
        trace(Model(program, model.tensors, model.description), sample)
