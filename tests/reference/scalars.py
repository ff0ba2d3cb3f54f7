"""Elementary operations on Python integers, and a record of how wide intermediates become."""

from __future__ import annotations

from collections.abc import Sequence

Row = list[int]
Rows = list[Row]

#: Greatest bit length each kind of intermediate has reached.
widest: dict[str, int] = {}


def record(kind: str, value: int) -> int:
    widest[kind] = max(widest.get(kind, 0), abs(value).bit_length())
    return value


def shift_right(x: int, s: int) -> int:
    """Divide by 2^s, halves upward."""
    if s < 0:
        raise ValueError("negative shift")
    return (2 * x + 2**s) // 2 ** (s + 1) if s else x


def saturate(x: int) -> int:
    return max(-(2**31 - 1), min(2**31 - 1, x))


def clamp(x: int, limit: int) -> int:
    return max(-limit, min(limit, x))


def greatest_magnitude(row: Sequence[int]) -> int:
    return max(abs(x) for x in row)


def excess_bits(row: Sequence[int], bits: int) -> int:
    """By how much the row must be shifted right to leave ``bits`` bits."""
    return max(0, greatest_magnitude(row).bit_length() - bits)


def read_table(table: Sequence[int], u: int, bits: int) -> int:
    """Linear interpolation at u in units of 2^-bits of an interval."""
    index, remainder = divmod(u, 2**bits)
    return table[index] + shift_right((table[index + 1] - table[index]) * remainder, bits)
