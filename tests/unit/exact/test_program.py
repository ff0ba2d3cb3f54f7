"""Programs, their bounds, and the plan that fuses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from proofmill.exact import InvalidProgram, ModelRefused
from proofmill.exact.execution.plan import make_plan
from proofmill.exact.program.bounds import check_bounds, check_linear
from proofmill.exact.program.graph import MAXIMUM_OPERATORS, Operator, Program, ProgramBuilder
from proofmill.exact.program.kinds import KINDS, Shape, TableShape
from proofmill.exact.program.model import Model
from tests.unit.exact.small_models import small_bert, small_cnn, small_llama

TOKENS = Shape("tokens", None, 1)


def chain(*operators: tuple[str, dict[str, int]], table: TableShape | None = None) -> Program:
    """An embedding of width 8 and operators that each read the value before them."""
    builder = ProgramBuilder(TOKENS)
    builder.table("word", TableShape("matrix", 5, 8))
    if table is not None:
        builder.table("t", table)
    value = builder.add("embedding", 0, table="word")
    for kind, constants in operators:
        value = builder.add(kind, value, table="t" if KINDS[kind].layout else "", **constants)
    return builder.build()


def test_codes_of_kinds_are_distinct_and_never_change() -> None:
    assert {kind.name: kind.code for kind in KINDS.values()} == {
        "embedding": 1,
        "position_embedding": 2,
        "layer_norm": 3,
        "rms_norm": 4,
        "quantise": 5,
        "linear": 6,
        "add": 7,
        "gelu": 8,
        "relu": 9,
        "gated_silu": 10,
        "rotate": 11,
        "scores": 12,
        "softmax": 13,
        "mix": 14,
        "unit_mean": 15,
        "pixels": 16,
        "patches": 17,
        "max_pool": 18,
        "average_pool": 19,
        "flatten": 20,
        "choose": 21,
    }


@pytest.mark.parametrize("make", [small_bert, small_llama, small_cnn])
def test_imported_models_have_a_shape_for_every_value(make: Callable[[str], Model]) -> None:
    program = make("E16").program
    assert len(program.shapes) == len(program.operators) + 1
    assert program.output == program.shapes[-1]


HEADS = {"heads": 2, "key_heads": 1, "head_size": 2, "causal": 1}


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: Program(TOKENS, (), {}), "0 operators"),
        (lambda: Program(TOKENS, (Operator("nothing", (0,)),), {}), "no operator 'nothing'"),
        (lambda: Program(TOKENS, (Operator("gelu", (1,)),), {}), "reads value 1"),
        (lambda: Program(TOKENS, (Operator("gelu", (0,)),), {}), "takes activation, given tokens"),
        (lambda: Program(TOKENS, (Operator("embedding", (0,), "w"),), {}), "no table 'w'"),
        (lambda: Program(TOKENS, (Operator("embedding", (0,)),), {}), "layout matrix"),
        (lambda: chain(("gelu", {"shift": 3})), "has constants"),
        (lambda: chain(("quantise", {"group": 3})), "groups of 3 do not divide rows of 8"),
        (lambda: chain(("quantise", {"group": 0})), "the proved range is 1 to"),
        (lambda: chain(("gated_silu", {"shift": 41})), "shift is 41"),
        (
            lambda: chain(
                ("quantise", {"group": 4}), ("linear", {"shift": 30}), table=TableShape("linear", 2, 8)
            ),
            "one exponent per row",
        ),
        (
            lambda: chain(
                ("quantise", {"group": 8}), ("linear", {"shift": 30}), table=TableShape("linear", 2, 9)
            ),
            "9 columns for rows of 8",
        ),
        (
            lambda: chain(
                ("quantise", {"group": 8}), ("linear", {"shift": 17}), table=TableShape("linear", 2, 8)
            ),
            "shift is 17",
        ),
        (
            lambda: chain(("rms_norm", {"epsilon": 0, "root": 5}), table=TableShape("pairs", 8, 1)),
            "root 5 is not that of size 8",
        ),
        (
            lambda: chain(("rms_norm", {"epsilon": 0, "root": 2965821}), table=TableShape("pairs", 7, 1)),
            "7 gains",
        ),
        (
            lambda: chain(("rotate", {"columns": 6, "head_size": 4}), table=TableShape("rotation", 9, 2)),
            "6 columns in heads of 4",
        ),
        (
            lambda: chain(("quantise", {"group": 2}), ("scores", {**HEADS, "multiplier": 1512775})),
            "multiplier 1512775 for heads of 2",
        ),
        (
            lambda: chain(("quantise", {"group": 4}), ("scores", {**HEADS, "multiplier": 1})),
            "one exponent per head",
        ),
        (
            lambda: chain(("quantise", {"group": 2}), ("scores", {**HEADS, "key_heads": 3, "multiplier": 1})),
            "2 query heads do not share 3",
        ),
        (lambda: chain(("flatten", {"rows": 2})), "do not join"),
    ],
)
def test_programs_that_do_not_fit_are_refused_by_place_and_reason(
    build: Callable[[], Program], named: str
) -> None:
    with pytest.raises(InvalidProgram, match=named):
        build()


@pytest.mark.parametrize("change", [{"causal": 0}, {"heads": 1, "key_heads": 1, "head_size": 2}, {}])
def test_operators_of_one_attention_must_agree(change: dict[str, int]) -> None:
    """A softmax that masks other entries than its scores had, or reads another operand, has no meaning."""
    builder = ProgramBuilder(TOKENS)
    x = builder.add("embedding", 0, table=builder.table("word", TableShape("matrix", 5, 8)))
    operand, other = builder.add("quantise", x, group=2), builder.add("quantise", x, group=2)
    scores = builder.add("scores", operand, **HEADS, multiplier=1)
    if not change:
        builder.add("softmax", scores, other, **HEADS)
    elif "heads" in change:
        x = builder.add(
            "linear",
            builder.add("quantise", x, group=8),
            shift=30,
            table=builder.table("t", TableShape("linear", 6, 8)),
        )
        narrow = builder.add("quantise", x, group=2)
        builder.add(
            "softmax", builder.add("scores", narrow, **{**HEADS, **change}, multiplier=1), operand, **HEADS
        )
    else:
        builder.add("softmax", scores, operand, **{**HEADS, **change})
    with pytest.raises(InvalidProgram, match=r"another operand or other heads|scores of 1 heads"):
        builder.build()


def test_too_many_operators_and_unused_tables_are_refused() -> None:
    with pytest.raises(InvalidProgram, match=f"{MAXIMUM_OPERATORS + 1} operators"):
        Program(TOKENS, (Operator("gelu", (0,)),) * (MAXIMUM_OPERATORS + 1), {})
    with pytest.raises(InvalidProgram, match="no operator reads table t"):
        chain(table=TableShape("matrix", 1, 1))
    builder = ProgramBuilder(TOKENS)
    builder.table("t", TableShape("matrix", 1, 1))
    with pytest.raises(InvalidProgram, match="declared twice"):
        builder.table("t", TableShape("matrix", 1, 2))


# ------------------------------------------------------------------------------------------------------ tensors


def changed(model: Model, name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Model:
    return replace(model, tensors={**model.tensors, name: change(model.tensors[name].clone())})


def test_tensors_must_be_those_of_the_tables() -> None:
    model = small_bert("E16")
    name = "layer.0.up.weight"
    with pytest.raises(InvalidProgram, match=r"layer\.0\.up\.weight is torch.int32"):
        changed(model, name, lambda tensor: tensor.int())
    with pytest.raises(InvalidProgram, match=r"expected torch\.int8"):
        changed(model, name, lambda tensor: tensor[1:])
    missing = {key: tensor for key, tensor in model.tensors.items() if key != name}
    with pytest.raises(InvalidProgram, match=r"do not match the tables: layer\.0\.up\.weight"):
        replace(model, tensors=missing)


@pytest.mark.parametrize("profile", ["E16", "E16x"])
@pytest.mark.parametrize("make", [small_bert, small_llama, small_cnn])
def test_imported_models_hold_their_bounds(make: Callable[[str], Model], profile: str) -> None:
    check_bounds(make(profile))


def filled(value: int) -> Callable[[torch.Tensor], torch.Tensor]:
    def change(tensor: torch.Tensor) -> torch.Tensor:
        tensor.view(-1)[-1] = value
        return tensor

    return change


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("layer.0.up.weight", -128, r"weight has values in \[-128"),
        ("layer.0.up.multiplier", 0, "multiplier lies outside"),
        ("layer.0.up.multiplier", 1 << 24, "multiplier lies outside"),
        ("layer.0.up.bias", (1 << 31) - 1, "bias and shift"),
        ("layer.0.up.bias", -(1 << 31), "bias has values"),
        ("layer.0.output_norm.gamma", 1 << 24, "gamma has values"),
        ("layer.0.output_norm.beta", -(1 << 31), "beta has values"),
    ],
)
def test_a_number_beyond_its_bound_is_refused_by_name(name: str, value: int, named: str) -> None:
    model = small_bert("E16")
    assert name in model.tensors
    with pytest.raises(ModelRefused, match=named):
        check_bounds(changed(model, name, filled(value)))


@pytest.mark.parametrize("excess", [0, 1])
def test_the_reach_of_a_channel_is_bounded_exactly(excess: int) -> None:
    """2^14 · 4 · 64 · c + (|b| + 1) 2^shift is 2^53 with the first multiplier and more with the next."""
    parts = {
        "weight": torch.full((1, 64), 4, dtype=torch.int8),
        "multiplier": torch.tensor([(1 << 23) + excess]),
        # 2^22 · 2^23 = 2^45 leaves 2^53 - 2^45 = 255 · 2^45 for the offset, which at shift 23 is 255 · 2^22.
        "bias": torch.tensor([1 - (255 << 22)]),
    }
    if excess:
        with pytest.raises(ModelRefused, match="here: the reach of a channel exceeds 2\\^53 at shift 23"):
            check_linear("here", parts, 23, 127)
    else:
        check_linear("here", parts, 23, 127)


def test_a_rotation_beyond_the_unit_circle_is_refused() -> None:
    model = small_llama("E16")
    (name,) = [key for key in model.tensors if key.endswith(".cosine")]
    with pytest.raises(ModelRefused, match="cosine has values"):
        check_bounds(changed(model, name, filled((1 << 20) + 1)))


# --------------------------------------------------------------------------------------------------------- plan


def kinds_of(model: Model) -> list[str]:
    return [step.operator.kind for step in make_plan(model.program).steps]


def test_an_encoder_layer_becomes_eight_steps() -> None:
    one, two = kinds_of(small_bert("E16", layers=1)), kinds_of(small_bert("E16", layers=2))
    layer = ["linear", "quantise", "scores", "linear", "layer_norm", "linear", "gelu", "linear", "layer_norm"]
    assert one == ["embedding", "position_embedding", "layer_norm", *layer, "unit_mean"]
    assert two == [*one[:-1], *layer, "unit_mean"]


def test_residuals_and_quantised_outputs_are_fused() -> None:
    steps = make_plan(small_llama("E16").program).steps
    assert [step.operator.kind for step in steps if step.residual is not None] == ["linear"] * 4
    norms = [step for step in steps if step.operator.kind == "rms_norm"]
    assert all(step.operand is not None and step.values is None for step in norms)
    assert "add" not in kinds_of(small_llama("E16"))
    assert "choose" not in kinds_of(small_llama("E16"))


def test_every_value_is_released_once_its_last_reader_is_done() -> None:
    for model in (small_bert("E16"), small_llama("E16"), small_cnn("E16")):
        plan = make_plan(model.program)
        alive = {0}
        for step in plan.steps:
            assert set(step.reads) <= alive
            alive |= {value for value in (step.values, step.operand) if value is not None}
            alive -= set(step.releases)
        assert alive - {0} == {plan.output}


def test_scores_without_their_softmax_cannot_be_planned() -> None:
    program = chain(("quantise", {"group": 2}), ("scores", {**HEADS, "multiplier": 1}))
    with pytest.raises(InvalidProgram, match="not followed by a softmax"):
        make_plan(program)
