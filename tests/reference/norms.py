"""Layer norm, RMS norm, and the unit vector along a mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.reference.scalars import Row, Rows, excess_bits, record, saturate, shift_right


def _normalise(centred: Row, gamma: Row, beta: Row, epsilon: int, root: int) -> Row:
    h = excess_bits(centred, 20)
    centred = [shift_right(x, h) for x in centred]
    variance = max(1, record("norm Σ c²", sum(x * x for x in centred)) + epsilon // 4**h)
    t = (62 - variance.bit_length()) // 2
    reciprocal = record("norm root · 2^35", root * 2**35) // math.isqrt(variance * 4**t)
    result = []
    for x, g, b in zip(centred, gamma, beta, strict=True):
        normalised = shift_right(record("norm c · R", x * reciprocal), 39 - t)
        result.append(saturate(shift_right(record("norm n · γ", normalised * g), 14) + b))
    return result


def layer_norm(row: Sequence[int], gamma: Row, beta: Row, epsilon: int, root: int) -> Row:
    size = len(row)
    mean = (2 * sum(row) + size) // (2 * size)
    return _normalise([x - mean for x in row], gamma, beta, epsilon, root)


def rms_norm(row: Sequence[int], gamma: Row, beta: Row, epsilon: int, root: int) -> Row:
    return _normalise(list(row), gamma, beta, epsilon, root)


def unit_mean(rows: Rows) -> Row:
    total = [sum(column) for column in zip(*rows, strict=True)]
    h = excess_bits(total, 24)
    total = [shift_right(x, h) for x in total]
    energy = max(1, record("unit mean Σ s²", sum(x * x for x in total)))
    t = (62 - energy.bit_length()) // 2
    reciprocal = 2**62 // math.isqrt(energy * 4**t)
    return [shift_right(record("unit mean s · R", x * reciprocal), 38 - t) for x in total]
