"""The choice of a token in numpy: the same integers as ``ops.choose_greedy`` and ``ops.choose``, a row at a time.

PyTorch would divide the few elementwise steps over a vocabulary among threads that meet after each step, which costs more than
the work itself. Unsigned 64-bit numbers multiply and add modulo 2^64 by themselves here.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import numpy.typing as npt

from proofmill.exact.errors import InvalidOperand
from proofmill.exact.ops.selection import (
    GOLDEN_GAMMA,
    GUMBEL_REMAINDER_BITS,
    INVERSE_TEMPERATURE_LIMIT,
    LOGIT_FRACTION_LIMIT,
    MIX_MULTIPLIERS,
    MIX_SHIFTS,
    POSITION_LIMIT,
)
from proofmill.exact.tables import GUMBEL_OCTAVES, GUMBEL_STEP_BITS, GUMBEL_TABLE

_KEPT_BITS: Final = GUMBEL_STEP_BITS + GUMBEL_REMAINDER_BITS
_LEAST_BITS: Final = 64 - GUMBEL_OCTAVES
_MODULUS_MASK: Final = (1 << 64) - 1


def choose_greedy(logits: npt.NDArray[np.int32]) -> int:
    """The lowest index of the greatest of one row of logits."""
    return int(np.argmax(logits))  # numpy takes the first of equals


def choose(
    logits: npt.NDArray[np.int32], position: int, inverse_temperature: int, seed: int, fraction_bits: int
) -> int:
    """A token drawn from softmax(inverse temperature · logits) of one row of logits in Q.fraction_bits; InvalidOperand."""
    valid = (
        0 <= position < POSITION_LIMIT
        and 0 < inverse_temperature <= INVERSE_TEMPERATURE_LIMIT
        and 0 <= seed <= _MODULUS_MASK
        and 0 <= fraction_bits <= LOGIT_FRACTION_LIMIT
    )
    if not valid:
        raise InvalidOperand(
            f"draw at position {position} with inverse temperature {inverse_temperature}, seed {seed} and"
            f" {fraction_bits} fraction bits",
            remedy="Give the operator what its definition asks for; see docs/EXACT.md.",
        )
    noise = gumbel(random_bits(seed, position, len(logits)))
    values = logits.astype(np.int64) * inverse_temperature + (noise << fraction_bits)
    return int(np.argmax(values))


def random_bits(seed: int, position: int, count: int) -> npt.NDArray[np.uint64]:
    """``ops.random_bits`` of one position and tokens 0 to count - 1."""
    row = _mix(np.array([(seed + (position + 1) * GOLDEN_GAMMA) & _MODULUS_MASK], dtype=np.uint64))
    return _mix(row + _steps(count))


@functools.lru_cache(maxsize=4)
def _steps(count: int) -> npt.NDArray[np.uint64]:
    """(j + 1) γ modulo 2^64 for each token j."""
    return np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN_GAMMA)


def _mix(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    for shift, factor in zip(MIX_SHIFTS, (*MIX_MULTIPLIERS, 1), strict=True):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return z


def gumbel(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """``ops.gumbel``: a standard Gumbel variate in Q.16 from 64 random bits."""
    v = np.maximum(bits & np.uint64((1 << 63) - 1), np.uint64(1 << (_LEAST_BITS - 1))).astype(np.int64)
    # Without its 11 low bits v fits float64 exactly, and its leading bit, the 24th or a higher one, stays.
    b = np.frexp((v & ~2047).astype(np.float64))[1].astype(np.int64)
    u = ((b - _LEAST_BITS) << _KEPT_BITS) + (v >> (b - 1 - _KEPT_BITS)) - (1 << _KEPT_BITS)
    index, remainder = u >> GUMBEL_REMAINDER_BITS, u & ((1 << GUMBEL_REMAINDER_BITS) - 1)
    lower_side = (bits >> np.uint64(63)).astype(np.int64)
    table = _table()
    low, high = table[lower_side, index], table[lower_side, index + 1]
    half = 1 << (GUMBEL_REMAINDER_BITS - 1)
    result: npt.NDArray[np.int64] = low + (((high - low) * remainder + half) >> GUMBEL_REMAINDER_BITS)
    return result


@functools.cache
def _table() -> npt.NDArray[np.int64]:
    table: npt.NDArray[np.int64] = GUMBEL_TABLE.numpy()
    return table
