"""The Triton kernels' arithmetic, on a processor under Triton's interpreter, against the definition."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

PASSED = (
    "scalars",
    *("embeddings", "quantise", "norms", "activations", "rotation", "unit_means"),
    *("linear", "whole_attention", "continued_attention"),
    *("wide_rows", "long_sums", "greatest_values", "start_up_test", "other_carriers"),
)


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is installed on Linux only")
def test_every_kernel_gives_the_bits_of_the_definition() -> None:
    """In a process of its own, because the interpreter replaces the compiler for all kernels of a process."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.unit.exact.interpreted_kernels"],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert [line.removesuffix(" passed") for line in result.stdout.splitlines()] == list(PASSED)
