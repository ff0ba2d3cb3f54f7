"""The Triton kernels compile to machine code for GPUs of several makers, which needs no GPU.

The interpreter runs kernels as Python and accepts what the compiler refuses, so both are tested.
"""

from pathlib import Path
from typing import Any

import pytest

triton = pytest.importorskip("triton", reason="triton is installed on Linux only")

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from proofmill.exact.kernels.triton import attention, linear, rows  # noqa: E402

TARGETS = [GPUTarget("cuda", 80, 32), GPUTarget("hip", "gfx942", 64)]
ROWS = {"x": "*i32", "table": "*i32", "values": "*i32", "operand": "*i16", "exponents": "*u8"}
ROWS |= {"rows": "i32", "group": "i32", "size": "i32", "gamma": "*i32", "beta": "*i32", "constants": "*i64"}
LINEAR = {"products": "*i32", "exponents": "*u8", "multiplier": "*i32", "bias": "*i32", "residual": "*i32"}
LINEAR |= {"y": "*i32", "rows": "i32", "outputs": "i32", "product_stride": "i32"}
LINEAR |= {"q": "*i16", "digits": "*i8", "count": "i32"}
ATTENTION = {"query": "*i16", "query_exponents": "*u8", "segments": "*i64", "power_table": "*i32"}
ATTENTION |= {"output": "*i32", "multiplier_cell": "*i64", "query_stride": "i32", "output_stride": "i32"}
ATTENTION |= {"query_exponent_stride": "i32", "key_heads": "i32", "head_size": "i32"}
WRITES = {"write_values": True, "write_operand": True}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: str(target.arch))
@pytest.mark.parametrize(
    ("kernel", "types", "constants"),
    [
        *(
            (
                rows.apply_kernel,
                ROWS,
                WRITES
                | {"shift": 16, "function": function, "rows_per_block": 2, "columns_per_block": 128}
                | {"whole": function % 2 == 0},
            )
            for function in range(4)
        ),
        (rows.norm_kernel, ROWS, WRITES | {"centred": True, "columns_per_block": 128}),
        (linear.split_digits_kernel, LINEAR, {"block": 128}),
        (
            linear.requantise_kernel,
            LINEAR,
            {"shift": 30, "wide": True, "add_residual": True, "rows_per_block": 2, "columns_per_block": 64},
        ),
        (
            attention.attention_kernel,
            ATTENTION,
            {"shared": 2, "causal": True, "rows_per_block": 16}
            | {"keys_per_block": 32, "components_per_block": 32},
        ),
    ],
    ids=["identity", "relu", "gelu", "gated silu", "norm", "split digits", "requantise", "attention"],
)
def test_kernels_compile(
    target: Any, kernel: Any, types: dict[str, str], constants: dict[str, Any], tmp_path: Path
) -> None:
    signature = {name: "constexpr" if name in constants else types.get(name, "") for name in kernel.arg_names}
    with triton.knobs.cache.scope():
        triton.knobs.cache.dir = str(tmp_path)
        compiled = triton.compile(ASTSource(kernel, signature, constants), target=target)
    assert len(compiled.asm["cubin" if target.backend == "cuda" else "hsaco"]) > 0
