"""The function tables once more, from power series, logarithms and exponentials in decimal arithmetic rather than by mpmath."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import cache

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899863")
DIGITS = 75


def nearest(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_EVEN))


@cache
def exp2_table() -> tuple[int, ...]:
    with localcontext() as context:
        context.prec = DIGITS
        log2 = Decimal(2).ln()
        return tuple(nearest((-log2 * i / 256).exp() * 2**24) for i in range(257))


def _normal_above_half(x: Decimal) -> Decimal:
    """Φ(x) - 1/2 for x >= 0: the density times x + x³/3 + x⁵/(3·5) + …, a series of positive terms."""
    term = total = x
    denominator = 1
    while term > Decimal(10) ** -60:
        denominator += 2
        term = term * x * x / denominator
        total += term
    return total * (-x * x / 2).exp() / (2 * PI).sqrt()


@cache
def phi_table() -> tuple[int, ...]:
    with localcontext() as context:
        context.prec = DIGITS
        half = Decimal("0.5")
        upper = [half + _normal_above_half(Decimal(i) / 64) for i in range(513)]
        values = [1 - value for value in reversed(upper[1:])] + upper
        return tuple(nearest(value * 2**24) for value in values)


@cache
def sigma_table() -> tuple[int, ...]:
    with localcontext() as context:
        context.prec = DIGITS
        return tuple(nearest(2**24 / (1 + (-Decimal(i) / 64).exp())) for i in range(-1024, 1025))


@cache
def gumbel_tables() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The upper side, probabilities 1 - w, and the lower side, probabilities w."""
    with localcontext() as context:
        context.prec = DIGITS
        distances = [Decimal(32 + i) * 2**octave / 2**46 for octave in range(40) for i in range(32)]
        distances.append(Decimal("0.5"))
        upper = tuple(nearest(-(-(1 - w).ln()).ln() * 2**16) for w in distances)
        lower = tuple(nearest(-(-w.ln()).ln() * 2**16) for w in distances)
        return upper, lower


def digest(values: Iterable[int]) -> str:
    """sha256 of the entries as little-endian signed 32-bit integers."""
    return hashlib.sha256(b"".join(value.to_bytes(4, "little", signed=True) for value in values)).hexdigest()


def rounded_root(size: int) -> int:
    """round(√size · 2^20), the constant of a norm."""
    with localcontext() as context:
        context.prec = DIGITS
        return nearest(Decimal(size).sqrt() * 2**20)


def score_multiplier(head_size: int) -> int:
    """round(log2(e) / √head_size · 2^20), the constant of attention scores."""
    with localcontext() as context:
        context.prec = DIGITS
        return nearest(Decimal(2**20) / (Decimal(2).ln() * Decimal(head_size).sqrt()))
