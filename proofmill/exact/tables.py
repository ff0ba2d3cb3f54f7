"""The function tables of the arithmetic, generated at high precision and pinned by their hashes.

An entry is ``round(f(point) * 2^fraction bits)``, a signed 32-bit integer, and a table is read with linear
interpolation between neighbours. mpmath evaluates f at 160 bits, so the rounding of a 24-bit entry is decided
by more than 130 spare bits; the hash over the little-endian bytes turns any disagreement between two machines
or two releases of mpmath into an error when this module is imported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
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

#: The logistic function σ(x) = 1 / (1 + e^-x) for x in [-16, 16] in steps of 2^-6.
SIGMA_STEP_BITS: Final = 6
SIGMA_LIMIT: Final = 16
SIGMA_SHA256: Final = "c66dcda5c9e848ae49cd1fc54326836f7725a5ce91d573935f653cdbb265a6e0"

#: Gumbel variates -ln(-ln(p)), Q.16, at the probabilities p = 1 - w (first row) and p = w (second row), for w from
#: 2^-41 to 1/2: 40 octaves of 2^5 equal steps each.
GUMBEL_FRACTION_BITS: Final = 16
GUMBEL_STEP_BITS: Final = 5
GUMBEL_OCTAVES: Final = 40
GUMBEL_SHA256: Final = "00c6bfdb14f9fe5ee8fe811ca95b7ab2329ce2e3e37c7b8ae5711eea8a570c71"

_PRECISION_BITS: Final = 160


def _rounded(values: Iterable[Any], fraction_bits: int) -> list[int]:
    scale = mpmath.mpf(1 << fraction_bits)
    return [int(mpmath.nint(value * scale)) for value in values]


def _tabulate(function: Callable[[Any], Any], *, start: int, step_bits: int, intervals: int) -> list[int]:
    """``function`` at ``intervals + 1`` points 2^-step_bits apart, rounded to 24 fraction bits."""
    with mpmath.workprec(_PRECISION_BITS):
        points = (start + mpmath.mpf(i) / (1 << step_bits) for i in range(intervals + 1))
        return _rounded((function(point) for point in points), TABLE_FRACTION_BITS)


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


def _sigma_values() -> list[int]:
    return _tabulate(
        lambda x: 1 / (1 + mpmath.exp(-x)),
        start=-SIGMA_LIMIT,
        step_bits=SIGMA_STEP_BITS,
        intervals=(2 * SIGMA_LIMIT) << SIGMA_STEP_BITS,
    )


def _gumbel_values() -> list[int]:
    """Both rows, one after the other; w in multiples of the first octave's step."""
    steps = 1 << GUMBEL_STEP_BITS
    multiples = [(steps + i) << octave for octave in range(GUMBEL_OCTAVES) for i in range(steps)]
    multiples.append(steps << GUMBEL_OCTAVES)
    with mpmath.workprec(_PRECISION_BITS):
        distances = [mpmath.ldexp(m, -(GUMBEL_STEP_BITS + GUMBEL_OCTAVES + 1)) for m in multiples]
        upper = (-mpmath.log(-mpmath.log1p(-w)) for w in distances)
        lower = (-mpmath.log(-mpmath.log(w)) for w in distances)
        return _rounded(upper, GUMBEL_FRACTION_BITS) + _rounded(lower, GUMBEL_FRACTION_BITS)


EXP2_TABLE: Final = _pinned("exp2", _exp2_values(), EXP2_SHA256)
PHI_TABLE: Final = _pinned("phi", _phi_values(), PHI_SHA256)
SIGMA_TABLE: Final = _pinned("sigma", _sigma_values(), SIGMA_SHA256)
GUMBEL_TABLE: Final = _pinned("gumbel", _gumbel_values(), GUMBEL_SHA256).view(2, -1)

#: Hashes of all tables, by name: a manifest names those its program reads.
TABLE_SHA256: Final = {
    "exp2": EXP2_SHA256,
    "phi": PHI_SHA256,
    "sigma": SIGMA_SHA256,
    "gumbel": GUMBEL_SHA256,
}
