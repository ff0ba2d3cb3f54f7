"""Run as a program with TRITON_INTERPRET=1: the Triton kernels on a processor against the definition.

The interpreter is chosen when the kernels are imported, so this cannot share a process with other tests.
"""

import warnings

import torch
import triton.language as tl

from proofmill.exact import ops
from proofmill.exact.kernels.carriers import Carrier
from proofmill.exact.kernels.interface import AttentionShape, Form, Operand, Segment
from proofmill.exact.kernels.portable import PortableKernels
from proofmill.exact.kernels.triton import arithmetic, attention
from proofmill.exact.kernels.triton import kernels as fused
from proofmill.exact.kernels.triton.self_test import self_test
from proofmill.exact.tables import EXP2_TABLE
from tests.unit.exact import kernel_cases


@arithmetic.jit
def scalar_kernel(x: tl.tensor, table: tl.tensor, results: tl.tensor, count: tl.constexpr) -> None:
    place = tl.arange(0, count)
    value = tl.load(x + place)
    tl.store(results + place, arithmetic.bit_length(value))
    tl.store(results + count + place, arithmetic.square_root(value))
    tl.store(results + 2 * count + place, arithmetic.negative_power_of_two(value, table).to(tl.int64))


def scalars(kernels: fused.TritonKernels) -> None:
    """Bit lengths, roots and powers, whose last bits hardly show in the operators they are part of."""
    around_powers = [(1 << bits) + step for bits in range(2, 61) for step in (-1, 0, 1)]
    around_squares = [root * root + step for root in (2, 46341, 2**26 + 1, 2**31 - 1) for step in (-1, 0, 1)]
    small = torch.randint(0, 26 << 16, (1 << 14,), generator=torch.Generator().manual_seed(3))
    edges = torch.tensor([0, 1, 2**62 - 1, *around_powers, *around_squares])
    x = torch.cat([edges, small[: (1 << 14) - len(edges)]])
    results = torch.empty((3, len(x)), dtype=torch.int64)
    scalar_kernel[(1,)](x, EXP2_TABLE.to(torch.int32), results, count=len(x))
    assert torch.equal(results[0], ops.bit_length(x))
    assert torch.equal(results[1], ops.integer_square_root(x))
    assert torch.equal(results[2], ops.negative_power_of_two(x))


def wide_rows(kernels: fused.TritonKernels) -> None:
    """Rows wider than a block are evaluated in parts, twice."""
    fused.COLUMNS_PER_BLOCK = 32  # type: ignore[misc]
    x = kernel_cases.rows(20, 140, seed=9)
    narrow = x.to(torch.int32)
    kernel_cases.check(kernels.gelu(narrow, Form(True, 140)), ops.gelu(x), 140)
    kernel_cases.check(kernels.gated_silu(narrow, 12, Form(True, 70)), ops.gated_silu(x, 12), 70)
    kernel_cases.check_operand(kernels.quantise(narrow, 70), x, 70)
    fused.COLUMNS_PER_BLOCK = 8192  # type: ignore[misc]


def long_sums(kernels: fused.TritonKernels) -> None:
    """More keys than one 32-bit sum takes, with that number brought down to what can be tried here."""
    attention.KEYS_PER_SUM.value = 64
    shape = AttentionShape(2, 1, 8, kernel_cases.score_multiplier(8), True)
    kernel_cases.check_attention(kernels, kernel_cases.rows(150, 32, seed=8), shape, [150])
    attention.KEYS_PER_SUM.value = 1 << 16


def greatest_values(kernels: fused.TritonKernels) -> None:
    """Equal scores and values at both ends of the range: every digit's sum is as great as it gets."""
    shape = AttentionShape(1, 1, 64, kernel_cases.score_multiplier(64), False)
    portable = PortableKernels(Carrier("int64"))
    for value in (1 << 14, -(1 << 14), 63 * 256 + 127, -128):
        q = torch.full((40, 192), value, dtype=torch.int16)
        k = torch.full((40, 3), 17, dtype=torch.uint8)
        found, expected = (
            one.attention(Operand(q, k), shape, [Segment(0, 40)]).values for one in (kernels, portable)
        )
        assert found is not None
        assert expected is not None
        assert torch.equal(found, expected)


def start_up_test(kernels: fused.TritonKernels) -> None:
    """The test a GPU must pass first passes here, and fails if a product is off by one."""
    assert self_test(kernels) is None
    fused.multiply_int8 = lambda a, b: _product(a, b) + 1
    assert "linear of 1 rows" in str(self_test(kernels))
    fused.multiply_int8 = _product


def other_carriers(kernels: fused.TritonKernels) -> None:
    """Without the 8-bit product, linear operators are the portable ones on the same prepared weights."""
    x, weight = kernel_cases.rows(5, 12), torch.arange(-18, 18).view(3, 12)
    constants = torch.tensor([3, 2**23, 1]), torch.tensor([-7, 2**20, 0])
    expected = ops.linear(*ops.quantise(x, 12), weight, *constants, 20)
    for name in ("fp64", "fp32", "int64"):
        other = fused.TritonKernels(Carrier(name), "cpu")
        prepared = other.prepare_linear(weight.to(torch.int8), *(part.int() for part in constants), 20)
        kernel_cases.check(other.linear(other.quantise(x.int(), 12), prepared), expected)


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a.to(torch.int32) @ b.to(torch.int32).t()


def main() -> None:
    warnings.simplefilter("error", RuntimeWarning)  # numpy, in the place of the GPU, says where integers wrap
    # Not every processor has an exact 8-bit product; what is tested is what the kernels do before and after it.
    fused.multiply_int8 = _product
    kernels = fused.TritonKernels(Carrier("int8"), "cpu")
    cases = (*kernel_cases.ROW_CASES, *kernel_cases.PRODUCT_CASES)
    for case in (scalars, *cases, wide_rows, long_sums, greatest_values, start_up_test, other_carriers):
        case(kernels)
        print(case.__name__, "passed")


if __name__ == "__main__":
    main()
