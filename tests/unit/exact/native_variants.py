"""The native kernels compiled for every instruction set that this machine can run."""

from __future__ import annotations

import functools
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from proofmill.exact.kernels.native.build import NATIVE_FLAGS

#: Flags, and the processor features without which the code would not run.
VARIANTS: Final[dict[str, tuple[tuple[str, ...], frozenset[str]]]] = {
    "native": (NATIVE_FLAGS, frozenset()),
    "avx512bw": (("-march=x86-64-v4",), frozenset({"avx512bw", "avx512dq", "avx512vl", "avx512cd"})),
    "avx2": (("-march=x86-64-v3",), frozenset({"avx2", "bmi2", "fma"})),
    "sse4": (("-march=x86-64-v2",), frozenset({"sse4_2", "popcnt"})),
    "portable": ((), frozenset()),
}

needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("g++", "c++", "clang++")), reason="there is no C++ compiler"
)


@functools.cache
def processor_features() -> frozenset[str]:
    """What Linux says the processor can do; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text("ascii").splitlines()
    except OSError:
        return frozenset()
    return frozenset(word for line in lines if line.startswith("flags") for word in line.split())


def variant_parameters() -> Sequence[object]:
    """One test parameter for each variant, skipped with a reason where it cannot run."""
    parameters = []
    for name, (flags, needed) in VARIANTS.items():
        missing = needed - processor_features()
        foreign = any("x86" in flag for flag in flags) and platform.machine() != "x86_64"
        skip = pytest.mark.skipif(foreign or bool(missing), reason=f"needs {', '.join(sorted(missing))}")
        parameters.append(pytest.param(flags, id=name, marks=skip))
    return parameters
