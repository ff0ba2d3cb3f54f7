"""The portable kernels against the definition: every function, every carrier, shapes of real work, and what is refused."""

from collections.abc import Callable

import pytest
import torch

from proofmill.exact import ops
from proofmill.exact.errors import InvalidOperand
from proofmill.exact.kernels import attention, portable
from proofmill.exact.kernels.carriers import CARRIER_NAMES, Carrier
from proofmill.exact.kernels.interface import AttentionShape, Form, LayerCache, Operand, Segment
from proofmill.exact.kernels.portable import PortableKernels
from proofmill.exact.kernels.selection import carrier_fault
from tests.unit.exact import kernel_cases as cases

EXACT = [name for name in CARRIER_NAMES if carrier_fault(name) is None]
KERNELS = PortableKernels(Carrier("fp64"))


@pytest.fixture(params=EXACT)
def kernels(request: pytest.FixtureRequest) -> PortableKernels:
    return PortableKernels(Carrier(request.param))


@pytest.mark.parametrize("case", cases.ROW_CASES, ids=lambda case: case.__name__)
def test_rows(case: Callable[..., None]) -> None:
    case(KERNELS)


@pytest.mark.parametrize("case", cases.PRODUCT_CASES, ids=lambda case: case.__name__)
def test_products(case: Callable[..., None], kernels: PortableKernels) -> None:
    case(kernels)


@pytest.mark.parametrize("block", [1, 40, 5000])
def test_no_result_depends_on_blocks_or_tiles(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, units and query rows are cut at every possible place when blocks are tiny."""
    monkeypatch.setattr(portable, "ELEMENTS_PER_BLOCK_CPU", block)
    monkeypatch.setattr(portable, "ROWS_PER_PRODUCT_CPU", max(1, block // 10))
    monkeypatch.setattr(attention, "SCORES_PER_TILE_CPU", block)
    for case in (*cases.ROW_CASES, *cases.PRODUCT_CASES):
        case(KERNELS)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("causal", [False, True])
def test_attention_over_more_keys_than_a_slice(name: str, causal: bool) -> None:
    """2500 keys: single-precision sums must be cut at 1008; weights of equal scores make the sums as great as they get."""
    count, new, columns = 2500, 3, 16
    shape = AttentionShape(2, 1, 8, cases.score_multiplier(8), causal)
    x = cases.rows(count, 32, seed=5)
    x[:, :16] = 3
    x[700:, 24:] = 2**31 - 1
    q, k = ops.quantise(x, 8)
    expected = ops.attention(q, k, 2, 1, 8, shape.multiplier, causal, count - new)
    q, k = q.to(torch.int16), k.to(torch.uint8)
    cache = LayerCache(q[:, columns:].contiguous(), k[:, shape.heads :].contiguous())
    last = Operand(q[-new:].contiguous(), k[-new:].contiguous())
    segment = Segment(0, new, count - new, cache)
    cases.check(PortableKernels(Carrier(name)).attention(last, shape, [segment]), expected)


def test_kernels_leave_their_inputs_alone() -> None:
    x = cases.rows(9, 64, seed=6).to(torch.int32)
    operand = KERNELS.quantise(x, 16)
    kept = x.clone(), operand.values.clone(), operand.exponents.clone()
    positions = torch.arange(9)
    tables = torch.full((9, 8), 5, dtype=torch.int32), torch.full((9, 8), 7, dtype=torch.int32)
    norm = KERNELS.prepare_norm(tables[0].view(-1)[:64], tables[1].view(-1)[:64], 0, 8 << 20, centred=True)
    KERNELS.norm(x, norm, Form(group=64))
    KERNELS.gelu(x)
    KERNELS.relu(x)
    KERNELS.gated_silu(x, 16)
    KERNELS.rotate(x, positions, *tables, 32, 16)
    KERNELS.add(x, x)
    KERNELS.position_embedding(x, positions, x)
    KERNELS.unit_mean(x, [4, 5])
    KERNELS.attention(operand, AttentionShape(2, 1, 16, 100, True), [Segment(0, 9)])
    assert torch.equal(x, kept[0])
    assert torch.equal(operand.values, kept[1])
    assert torch.equal(operand.exponents, kept[2])


def test_a_form_decides_what_comes_back() -> None:
    x = cases.rows(3, 12, seed=7).to(torch.int32)
    assert KERNELS.relu(x).operand is None
    both = KERNELS.relu(x, Form(values=True, group=4))
    only = KERNELS.relu(x, Form(values=False, group=4))
    assert only.values is None
    assert both.values is not None
    for rows in (both, only):
        assert rows.operand is not None
        assert rows.operand.group == 4
        assert (rows.operand.values.dtype, rows.operand.exponents.dtype) == (torch.int16, torch.uint8)


def _operand(rows: int, columns: int, exponents: int) -> Operand:
    return Operand(
        torch.zeros(rows, columns, dtype=torch.int16), torch.zeros(rows, exponents, dtype=torch.uint8)
    )


def _cache(rows: int) -> LayerCache:
    return LayerCache(torch.zeros(rows, 8, dtype=torch.int16), torch.zeros(rows, 2, dtype=torch.uint8))


SHAPE = AttentionShape(2, 1, 4, 100, True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: KERNELS.quantise(torch.zeros(2, 6, dtype=torch.int32), 4), "groups of 4"),
        (lambda: KERNELS.relu(torch.zeros(2, 6, dtype=torch.int32), Form(group=0)), "groups of 0"),
        (lambda: KERNELS.unit_mean(torch.zeros(3, 6, dtype=torch.int32), [1, 1]), "2 rows"),
        (lambda: KERNELS.unit_mean(torch.zeros(3, 6, dtype=torch.int32), [3, 0]), "in a stack of 3"),
        (lambda: KERNELS.attention(_operand(3, 12, 3), SHAPE, [Segment(0, 3)]), "operand"),
        (lambda: KERNELS.attention(_operand(3, 16, 4), SHAPE, [Segment(0, 2)]), "2 rows for a stack of 3"),
        (lambda: KERNELS.attention(_operand(3, 16, 4), SHAPE, [Segment(0, 2), Segment(1, 2)]), "expected 2"),
        (lambda: KERNELS.attention(_operand(3, 16, 4), SHAPE, [Segment(0, 3, 1)]), "no cache"),
        (lambda: KERNELS.attention(_operand(3, 16, 4), SHAPE, [Segment(0, 3, 1, _cache(3))]), "4 keys"),
        (
            lambda: KERNELS.attention(_operand(3, 20, 5), AttentionShape(1, 2, 4, 1, True), [Segment(0, 3)]),
            "share",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidOperand, match=message):
        call()


@pytest.mark.parametrize(("shift", "biases"), [(17, 3), (63, 3), (30, 2)])
def test_linear_constants_that_do_not_fit_are_refused(shift: int, biases: int) -> None:
    weight = torch.ones(3, 4, dtype=torch.int8)
    with pytest.raises(InvalidOperand, match="linear"):
        KERNELS.prepare_linear(weight, torch.ones(3).int(), torch.zeros(biases).int(), shift)


def test_a_linear_operand_has_one_exponent_per_row() -> None:
    weight = KERNELS.prepare_linear(
        torch.ones(3, 4).to(torch.int8), torch.ones(3).int(), torch.zeros(3).int(), 30
    )
    with pytest.raises(InvalidOperand, match="2 exponents a row"):
        KERNELS.linear(_operand(2, 4, 2), weight)


def test_a_stack_without_rows_gives_none() -> None:
    empty = torch.empty((0, 8), dtype=torch.int32)
    operand = KERNELS.quantise(empty, 8)
    assert operand.values.shape == (0, 8)
    assert KERNELS.unit_mean(empty, []).shape == (0, 8)
    shape = AttentionShape(2, 1, 2, 1, False)
    mixed = KERNELS.attention(KERNELS.quantise(empty, 2), shape, [])
    assert mixed.values is not None
    assert mixed.values.shape == (0, 4)
