"""Elementwise functions: those read from tables, and ReLU."""

from __future__ import annotations

from collections.abc import Sequence

from tests.reference.function_tables import exp2_table, phi_table, sigma_table
from tests.reference.scalars import Row, clamp, read_table, record, saturate, shift_right


def normal_distribution(x: int) -> int:
    return read_table(phi_table(), max(0, min(2**20 - 1, x + 2**19)), 10)


def logistic(x: int) -> int:
    return read_table(sigma_table(), max(0, min(2**21 - 1, x + 2**20)), 10)


def negative_power_of_two(d: int) -> int:
    whole, fraction = divmod(d, 2**16)
    return 0 if whole >= 25 else read_table(exp2_table(), fraction, 8) // 2**whole


def gelu(x: int) -> int:
    x = clamp(x, 2**27)
    return shift_right(record("gelu x · Φ", x * normal_distribution(x)), 24)


def relu(x: int) -> int:
    return x if x > 0 else 0


def gated_silu(row: Sequence[int], shift: int) -> Row:
    half = len(row) // 2
    result = []
    for gate, up in zip(row[:half], row[half:], strict=True):
        g, u = clamp(gate, 2**27), clamp(up, 2**27)
        s = shift_right(record("gated silu g · σ", g * logistic(g)), 24)
        result.append(saturate(shift_right(record("gated silu s · u", s * u), shift)))
    return result


def rotate(row: Sequence[int], cosine: Row, sine: Row, columns: int, head_size: int) -> Row:
    """One row; ``cosine`` and ``sine`` are those of its position."""
    result = list(row)
    for first in range(0, columns, 2):
        pair = first % head_size // 2
        a, b, c, s = row[first], row[first + 1], cosine[pair], sine[pair]
        result[first] = saturate(shift_right(record("rotate a · cos - b · sin", a * c - b * s), 20))
        result[first + 1] = saturate(shift_right(record("rotate a · sin + b · cos", a * s + b * c), 20))
    return result
