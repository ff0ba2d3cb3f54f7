"""The two function tables of profile E16, generated at high precision and pinned by their hashes.

A table is ``T[i] = round(f(start + i * step) * 2^24)``, a signed 32-bit integer per entry, and is read with
linear interpolation between neighbours. mpmath evaluates f at 160 bits, so the rounding of a 24-bit entry is
decided by more than 130 spare bits; the hash over the little-endian bytes turns any disagreement between two
machines or two releases of mpmath into an error when this module is imported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

import mpmath
import torch

from proofmill.exact.errors import TableMismatch

TABLE_FRACTION_BITS: Final = 24

#: 2^-f for f in [0, 1] in steps of 2^-8.
EXP2_STEP_BITS: Final = 8
EXP2_SHA256: Final = "af5b142bfb62ed2edf05e5a5aa47e6dd3b3aebbba2684d7ff4d7f3f9839cb067"

#: The normal distribution function Φ(x) for x in [-8, 8] in steps of 2^-6.
PHI_STEP_BITS: Final = 6
PHI_LIMIT: Final = 8
PHI_SHA256: Final = "b62f2968b12f6101e25569f04e96ad7b2815c509f1c914aeeed8f908514c4042"

_PRECISION_BITS: Final = 160


def _tabulate(function: Callable[[Any], Any], *, start: int, step_bits: int, intervals: int) -> list[int]:
    """``function`` at ``intervals + 1`` points 2^-step_bits apart, rounded to 24 fraction bits."""
    with mpmath.workprec(_PRECISION_BITS):
        scale = mpmath.mpf(1 << TABLE_FRACTION_BITS)
        points = (start + mpmath.mpf(i) / (1 << step_bits) for i in range(intervals + 1))
        return [int(mpmath.nint(function(point) * scale)) for point in points]


def table_bytes(values: list[int]) -> bytes:
    """The bytes a table is identified by: each entry as a little-endian signed 32-bit integer."""
    return b"".join(value.to_bytes(4, "little", signed=True) for value in values)


def _pinned(name: str, values: list[int], expected: str) -> torch.Tensor:
    """The table as an int64 tensor, after its hash has been compared with the pinned one."""
    digest = hashlib.sha256(table_bytes(values)).hexdigest()
    if digest != expected:
        raise TableMismatch(
            f"table {name} generated on this machine has sha256 {digest}, expected {expected}",
            remedy="Reinstall mpmath at the locked version; if that does not help, report it as a bug.",
        )
    return torch.tensor(values, dtype=torch.int64)


def _exp2_values() -> list[int]:
    return _tabulate(
        lambda x: mpmath.power(2, -x), start=0, step_bits=EXP2_STEP_BITS, intervals=1 << EXP2_STEP_BITS
    )


def _phi_values() -> list[int]:
    return _tabulate(
        mpmath.ncdf, start=-PHI_LIMIT, step_bits=PHI_STEP_BITS, intervals=(2 * PHI_LIMIT) << PHI_STEP_BITS
    )


EXP2_TABLE: Final = _pinned("exp2", _exp2_values(), EXP2_SHA256)
PHI_TABLE: Final = _pinned("phi", _phi_values(), PHI_SHA256)
