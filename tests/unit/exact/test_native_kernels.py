"""The native kernels against the definition: every function, every instruction set, every cut of a product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from proofmill.exact import ops
from proofmill.exact.errors import InvalidOperand, NativeUnavailable
from proofmill.exact.kernels.interface import AttentionShape, Form, LayerCache, Operand, Segment
from proofmill.exact.kernels.native import kernels as native
from proofmill.exact.kernels.native.build import set_threads
from proofmill.exact.kernels.native.kernels import NativeKernels
from proofmill.exact.kernels.self_test import self_test
from tests.unit.exact import kernel_cases as cases
from tests.unit.exact.native_variants import needs_compiler, variant_parameters

pytestmark = needs_compiler


@pytest.fixture(params=variant_parameters())
def flags(request: pytest.FixtureRequest) -> tuple[str, ...]:
    chosen: tuple[str, ...] = request.param
    return chosen


@pytest.fixture
def variant(flags: tuple[str, ...]) -> NativeKernels:
    return NativeKernels(flags)


@pytest.fixture
def kernels() -> NativeKernels:
    return NativeKernels()


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    set_threads(request.param)
    yield request.param
    set_threads(torch.get_num_threads())


@pytest.mark.parametrize("case", [*cases.ROW_CASES, *cases.PRODUCT_CASES], ids=lambda case: case.__name__)
def test_equals_the_definition(case: Callable[..., None], variant: NativeKernels) -> None:
    case(variant)


@pytest.mark.usefixtures("threads")
def test_no_result_depends_on_threads(kernels: NativeKernels) -> None:
    for case in (*cases.ROW_CASES, *cases.PRODUCT_CASES):
        case(kernels)


def extreme_product(rows: int, outputs: int, inputs: int, wide: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Operands, exponents and weights with the greatest sums in the first rows and channels."""
    limit = 16256 if wide else 127
    generator = torch.Generator().manual_seed(inputs)
    weight = torch.randint(-limit, limit + 1, (outputs, inputs), generator=generator)
    q = torch.randint(-(1 << 14), (1 << 14) + 1, (rows, inputs), generator=generator)
    for channel, value in enumerate((limit, -limit, min(limit, 16255), min(limit, 8255), -min(limit, 8128))):
        weight[channel : channel + 1] = value
    for row, value in enumerate((1 << 14, -(1 << 14), 16255, -8193)):
        q[row : row + 1] = value
    k = torch.randint(0, 18, (rows, 1), generator=generator)
    return q, k, weight


@pytest.mark.parametrize("wide", [False, True], ids=["int8", "int16"])
@pytest.mark.parametrize("inputs", [1, 2, 3, 1007, 1008, 1009, 1020, 1024, 1032, 2017, 3000])
def test_products_of_any_length(inputs: int, wide: bool, variant: NativeKernels) -> None:
    """Sums longer than a slice, with values that overflow 32 bits if a slice is one pair too long."""
    for rows, outputs in ((1, 1), (2, 49), (8, 5), (9, 97), (23, 48)):
        q, k, weight = extreme_product(rows, outputs, inputs, wide)
        reach = weight.abs().sum(1) << 14
        multiplier = ((1 << 52) // reach.clamp(min=1)).clamp(1, (1 << 24) - 1)
        bias = torch.arange(outputs) - 5
        prepared = variant.prepare_linear(
            weight.to(torch.int16 if wide else torch.int8), multiplier, bias, 34
        )
        found = variant.linear(Operand(q.to(torch.int16), k.to(torch.uint8)), prepared)
        assert torch.equal(found.to(torch.int64), ops.linear(q, k, weight, multiplier, bias, 34))


def test_the_least_weight_of_eight_bits(variant: NativeKernels) -> None:
    """-128 is no weight of E16, but sums of it are exact as well."""
    q = torch.full((9, 1020), -(1 << 14))
    weight = torch.full((3, 1020), -128)
    one, zero, k = torch.ones(3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64), torch.zeros(9, 1)
    prepared = variant.prepare_linear(weight.to(torch.int8), one, zero, 18)
    found = variant.linear(Operand(q.to(torch.int16), k.to(torch.uint8)), prepared)
    assert torch.equal(found, torch.full((9, 3), (1 << 14) * 128 * 1020 >> 18, dtype=torch.int32))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_over_more_keys_than_a_slice(causal: bool, variant: NativeKernels) -> None:
    """1030 keys: sums must be cut at 1008; weights of equal scores make the sums as great as they get."""
    shape = AttentionShape(1, 1, 8, cases.score_multiplier(8), causal)
    x = cases.rows(1030, 24, seed=5)
    x[:, :16] = 3
    x[300:, 16:] = 2**31 - 1
    cases.check_attention(variant, x, shape, [1030])


@pytest.mark.parametrize(("heads", "key_heads", "size"), [(12, 12, 32), (16, 4, 64), (8, 1, 33), (9, 3, 7)])
def test_attention_of_real_shapes(heads: int, key_heads: int, size: int, kernels: NativeKernels) -> None:
    for causal in (False, True):
        shape = AttentionShape(heads, key_heads, size, cases.score_multiplier(size), causal)
        x = cases.rows(101, (heads + 2 * key_heads) * size, seed=size) >> 9
        cases.check_attention(kernels, x, shape, [51, 22, 1, 27])


def test_long_sequences_are_cut_into_tasks(kernels: NativeKernels) -> None:
    """Pieces of 96 query rows read no key that a causal row does not see."""
    for causal in (False, True):
        shape = AttentionShape(1, 1, 8, cases.score_multiplier(8), causal)
        cases.check_attention(kernels, cases.rows(300, 24, seed=7) >> 8, shape, [195, 105])


def test_kernels_leave_their_inputs_alone(kernels: NativeKernels) -> None:
    x = cases.rows(19, 64, seed=6).to(torch.int32)
    operand = kernels.quantise(x, 64)
    kept = x.clone(), operand.values.clone(), operand.exponents.clone()
    weight = kernels.prepare_linear(
        torch.ones(64, 64, dtype=torch.int16), torch.ones(64), torch.zeros(64), 20
    )
    kernels.linear(operand, weight, x)
    norm = kernels.prepare_norm(torch.ones(64), torch.zeros(64), 0, 8 << 20, centred=True)
    for _ in (kernels.gelu(x), kernels.norm(x, norm), kernels.gated_silu(x, 16), kernels.add(x, x)):
        assert torch.equal(x, kept[0])
    heads = kernels.quantise(x, 16)
    shape = AttentionShape(2, 1, 16, cases.score_multiplier(16), causal=True)
    before = heads.values.clone()
    kernels.attention(heads, shape, [Segment(0, 19)])
    assert torch.equal(heads.values, before)
    assert torch.equal(operand.values, kept[1])
    assert torch.equal(operand.exponents, kept[2])


def test_forms(kernels: NativeKernels) -> None:
    x = cases.rows(6, 32).to(torch.int32)
    only_operand = kernels.relu(x, Form(values=False, group=16))
    assert only_operand.values is None
    assert only_operand.operand is not None
    cases.check_operand(only_operand.operand, ops.relu(x.to(torch.int64)), 16)
    assert kernels.relu(x).operand is None
    empty = kernels.norm(
        x[:0],
        kernels.prepare_norm(torch.ones(32), torch.zeros(32), 0, 5931642, centred=False),
        Form(True, 32),
    )
    assert empty.values is not None
    assert tuple(empty.values.shape) == (0, 32)


def test_callers_on_several_threads(kernels: NativeKernels) -> None:
    set_threads(2)
    with ThreadPoolExecutor(3) as callers:
        for finished in [callers.submit(case, kernels) for case in (*cases.PRODUCT_CASES, *cases.ROW_CASES)]:
            finished.result()
    set_threads(torch.get_num_threads())


class _Wrong:
    """Kernels with one function that is a bit off."""

    def __init__(self, kernels: NativeKernels, name: str) -> None:
        self._kernels, self._name = kernels, name

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._kernels, name)
        if name != self._name:
            return function

        def off_by_one(*arguments: Any, **options: Any) -> Any:
            result = function(*arguments, **options)
            values = result if isinstance(result, Tensor) else result.values
            values.view(-1)[-1] ^= 1
            return result

        return off_by_one


@pytest.mark.parametrize(
    "name",
    ["linear", "norm", "gelu", "relu", "gated_silu", "add", "rotate", "embedding", "position_embedding"]
    + ["attention", "unit_mean"],
)
def test_the_self_test_finds_a_wrong_function(name: str, kernels: NativeKernels) -> None:
    assert self_test(kernels) is None
    fault = self_test(_Wrong(kernels, name))
    assert fault is not None
    assert name.split("_")[0] in fault


def test_wrong_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_fault", lambda _: "linear of 9 rows is wrong")
    with pytest.raises(NativeUnavailable, match="linear of 9 rows is wrong"):
        NativeKernels()


X = torch.zeros(4, 32, dtype=torch.int32)
OPERAND = Operand(torch.zeros(4, 32, dtype=torch.int16), torch.zeros(4, 1, dtype=torch.uint8))
HEADS = Operand(torch.zeros(4, 32, dtype=torch.int16), torch.zeros(4, 4, dtype=torch.uint8))
SHAPE = AttentionShape(2, 1, 8, 1000, causal=True)
WEIGHT, ONES = torch.ones(3, 32, dtype=torch.int8), torch.ones(3, dtype=torch.int32)
POSITIONS = torch.arange(4)
ANGLES = torch.zeros(4, 4, dtype=torch.int32)
CACHE = LayerCache(torch.zeros(9, 16, dtype=torch.int16), torch.zeros(9, 2, dtype=torch.uint8))

REFUSED: dict[str, Callable[[NativeKernels], object]] = {
    "input of floats": lambda k: k.gelu(X.to(torch.float32)),
    "input of int64": lambda k: k.add(X.to(torch.int64), X),
    "transposed input": lambda k: k.relu(X.t()),
    "different shapes": lambda k: k.add(X, X[:2]),
    "odd gate": lambda k: k.gated_silu(X[:, :31].contiguous(), 16),
    "shift": lambda k: k.gated_silu(X, 63),
    "group": lambda k: k.quantise(X, 5),
    "group of zero": lambda k: k.relu(X, Form(True, 0)),
    "norm of another width": lambda k: k.norm(X, k.prepare_norm(ONES, ONES, 0, 1816187, centred=True)),
    "norm root": lambda k: k.prepare_norm(ONES, ONES, 0, 1 << 27, centred=True),
    "norm epsilon": lambda k: k.prepare_norm(ONES, ONES, -1, 1816187, centred=True),
    "norm constants": lambda k: k.prepare_norm(ONES, ONES[:2], 0, 1816187, centred=True),
    "id": lambda k: k.embedding(torch.tensor([4]), X),
    "negative id": lambda k: k.embedding(torch.tensor([-1]), X),
    "ids of int32": lambda k: k.embedding(torch.tensor([1], dtype=torch.int32), X),
    "matrix of int64": lambda k: k.embedding(POSITIONS, X.to(torch.int64)),
    "position": lambda k: k.position_embedding(X, POSITIONS + 1, X),
    "positions too few": lambda k: k.position_embedding(X, POSITIONS[:3], X),
    "matrix width": lambda k: k.position_embedding(X, POSITIONS, ANGLES),
    "rotated columns": lambda k: k.rotate(X, POSITIONS, ANGLES, ANGLES, 40, 8),
    "rotated head": lambda k: k.rotate(X, POSITIONS, ANGLES, ANGLES, 16, 16),
    "rotated position": lambda k: k.rotate(X, POSITIONS + 1, ANGLES, ANGLES, 16, 8),
    "weight type": lambda k: k.prepare_linear(WEIGHT.to(torch.int32), ONES, ONES, 20),
    "weight range": lambda k: k.prepare_linear(torch.full((3, 2), 16257, dtype=torch.int16), ONES, ONES, 20),
    "weight shape": lambda k: k.prepare_linear(WEIGHT[:, :0], ONES, ONES, 20),
    "multiplier shape": lambda k: k.prepare_linear(WEIGHT, ONES[:2], ONES, 20),
    "linear shift": lambda k: k.prepare_linear(WEIGHT, ONES, ONES, 17),
    "exponents": lambda k: k.linear(HEADS, k.prepare_linear(WEIGHT, ONES, ONES, 20)),
    "inputs": lambda k: k.linear(OPERAND, k.prepare_linear(WEIGHT[:, :31].contiguous(), ONES, ONES, 20)),
    "residual": lambda k: k.linear(OPERAND, k.prepare_linear(WEIGHT, ONES, ONES, 20), X),
    "heads": lambda k: k.attention(HEADS, AttentionShape(3, 2, 8, 1000, True), [Segment(0, 4)]),
    "head size": lambda k: k.attention(HEADS, AttentionShape(2, 1, 257, 1000, True), [Segment(0, 4)]),
    "multiplier": lambda k: k.attention(HEADS, AttentionShape(2, 1, 8, 1 << 23, True), [Segment(0, 4)]),
    "attention operand": lambda k: k.attention(OPERAND, SHAPE, [Segment(0, 4)]),
    "uncovered rows": lambda k: k.attention(HEADS, SHAPE, [Segment(0, 3)]),
    "overlapping segments": lambda k: k.attention(HEADS, SHAPE, [Segment(0, 3), Segment(2, 2)]),
    "empty segment": lambda k: k.attention(HEADS, SHAPE, [Segment(0, 0), Segment(0, 4)]),
    "rows beyond the stack": lambda k: k.attention(HEADS, SHAPE, [Segment(0, 5)]),
    "position without a cache": lambda k: k.attention(HEADS, SHAPE, [Segment(0, 4, 1)]),
    "negative position": lambda k: k.attention(HEADS, SHAPE, [Segment(0, 4, -1, CACHE)]),
    "full cache": lambda k: k.attention(HEADS, SHAPE, [Segment(0, 4, 6, CACHE)]),
    "cache width": lambda k: k.attention(
        HEADS, SHAPE, [Segment(0, 4, 0, LayerCache(CACHE.values[:, :8].contiguous(), CACHE.exponents))]
    ),
    "lengths": lambda k: k.unit_mean(X, [1, 2]),
    "empty sequence": lambda k: k.unit_mean(X, [4, 0]),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(call: Callable[[NativeKernels], object], kernels: NativeKernels) -> None:
    with pytest.raises(InvalidOperand) as caught:
        call(kernels)
    assert caught.value.remedy
