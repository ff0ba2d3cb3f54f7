"""Tables of rotary positions: cosines and sines in Q.20, at high precision, and the frequency scaling of Llama 3."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import mpmath
import torch
from mpmath.libmp import mpf_cos_sin
from torch import Tensor

from proofmill.exact.importers.packing import refuse
from proofmill.exact.ops.position import ROTATION_BITS

_PRECISION_BITS: Final = 160


def rotation_table(
    table: str, head_size: int, positions: int, theta: Fraction, divisors: Sequence[Fraction] | None = None
) -> dict[str, Tensor]:
    """``round(cos(a) 2^20)`` and ``round(sin(a) 2^20)`` of ``a = p theta^(-2i / head_size) / divisor_i``.

    int32 [positions, head_size / 2], keyed ``<table>.cosine`` and ``<table>.sine``; without ``divisors`` they are 1. The angles
    have more than 100 spare bits, so that no rounding is in doubt. Source: rotary position embedding (Su et al., 2021, section
    3.2.2).
    """
    half = head_size // 2
    if head_size < 2 or head_size % 2 or theta <= 0:
        raise refuse("rotary positions", f"heads of {head_size} with base {float(theta)}")
    if divisors is not None and (len(divisors) != half or min(divisors) <= 0):
        raise refuse("rotary positions", f"{len(divisors)} frequency divisors for heads of {head_size}")
    cosine = torch.empty((positions, half), dtype=torch.int32)
    sine = torch.empty_like(cosine)
    with mpmath.workprec(_PRECISION_BITS):
        scale = mpmath.mpf(1 << ROTATION_BITS)
        for index, frequency in enumerate(_frequencies(head_size, theta)):
            if divisors is not None:
                frequency = frequency * divisors[index].denominator / divisors[index].numerator
            pairs = [
                mpf_cos_sin((frequency * position)._mpf_, _PRECISION_BITS) for position in range(positions)
            ]
            for target, part in ((cosine, 0), (sine, 1)):
                values = [int(mpmath.nint(mpmath.make_mpf(pair[part]) * scale)) for pair in pairs]
                target[:, index] = torch.tensor(values, dtype=torch.int32)
    return {f"{table}.cosine": cosine, f"{table}.sine": sine}


def llama3_divisors(
    head_size: int, theta: Fraction, factor: Fraction, low: Fraction, high: Fraction, context: int
) -> tuple[Fraction, ...]:
    """What rotary frequencies are divided by when Llama 3.1 stretches a context: exact rationals, head_size / 2 of them.

    Frequencies whose wavelength is below ``context / high`` stay, those above ``context / low`` are divided by ``factor``, and
    those between are interpolated. Source: Llama 3 (Grattafiori et al., 2024, section 3.4.3; reference code ``apply_scaling``).
    """
    if not (factor >= 1 and 0 < low < high and context > 0):
        raise refuse(
            "rope_scaling",
            f"factor {float(factor)}, low {float(low)}, high {float(high)}, context {context} make no scaling",
        )
    divisors = []
    with mpmath.workprec(_PRECISION_BITS):
        for frequency in _frequencies(head_size, theta):
            turns = _rational(
                context * frequency / (2 * mpmath.pi)
            )  # of this pair within the original context
            smooth = min(Fraction(1), max(Fraction(0), (turns - low) / (high - low)))
            divisors.append(1 / ((1 - smooth) / factor + smooth))
    return tuple(divisors)


def _frequencies(head_size: int, theta: Fraction) -> list[mpmath.mpf]:
    base = mpmath.mpf(theta.numerator) / theta.denominator
    return [mpmath.power(base, -mpmath.mpf(2 * index) / head_size) for index in range(head_size // 2)]


def _rational(value: mpmath.mpf) -> Fraction:
    """The exact value of a binary floating-point number."""
    sign, mantissa, exponent, _ = value._mpf_
    magnitude = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return -magnitude if sign else magnitude
