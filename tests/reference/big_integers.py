"""Profile E16 once more, in plain Python integers of unlimited size, sharing no code with the engine.

Written from docs/EXACT.md. Overflow cannot happen here, so agreement with the engine shows that it does not happen
there; ``widest`` records the greatest bit length each kind of intermediate has reached. The tables are computed from
power series in decimal arithmetic rather than by mpmath.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import cache
from operator import mul
from typing import Any

Row = list[int]

widest: dict[str, int] = {}


def record(kind: str, value: int) -> int:
    widest[kind] = max(widest.get(kind, 0), abs(value).bit_length())
    return value


# ------------------------------------------------------------------------------------------------ tables


@cache
def exp2_table() -> tuple[int, ...]:
    with localcontext() as context:
        context.prec = 60
        log2 = Decimal(2).ln()
        values = ((-log2 * i / 256).exp() * 2**24 for i in range(257))
        return tuple(int(value.to_integral_value(ROUND_HALF_EVEN)) for value in values)


def _normal_tail_part(x: Decimal) -> Decimal:
    """Φ(x) - 1/2 for x >= 0: the density times x + x³/3 + x⁵/(3·5) + …, a series of positive terms."""
    pi = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899863")
    term = total = x
    denominator = 1
    while term > Decimal(10) ** -60:
        denominator += 2
        term = term * x * x / denominator
        total += term
    return total * (-x * x / 2).exp() / (2 * pi).sqrt()


@cache
def phi_table() -> tuple[int, ...]:
    with localcontext() as context:
        context.prec = 75
        half = Decimal("0.5")
        upper = [half + _normal_tail_part(Decimal(i) / 64) for i in range(513)]
        values = [1 - value for value in reversed(upper[1:])] + upper
        return tuple(int((value * 2**24).to_integral_value(ROUND_HALF_EVEN)) for value in values)


def rounded_root(size: int) -> int:
    with localcontext() as context:
        context.prec = 60
        return int((Decimal(size).sqrt() * 2**20).to_integral_value(ROUND_HALF_EVEN))


def score_multiplier(head_size: int) -> int:
    with localcontext() as context:
        context.prec = 60
        value = Decimal(2**20) / (Decimal(2).ln() * Decimal(head_size).sqrt())
        return int(value.to_integral_value(ROUND_HALF_EVEN))


# ------------------------------------------------------------------------------------------------ operators


def shift_right(x: int, s: int) -> int:
    if s < 0:
        raise ValueError("negative shift")
    return (2 * x + 2**s) // 2 ** (s + 1) if s else x


def saturate(x: int) -> int:
    return max(-(2**31 - 1), min(2**31 - 1, x))


def quantise(row: Sequence[int]) -> tuple[Row, int]:
    k = max(0, max(abs(x) for x in row).bit_length() - 14)
    return [shift_right(x, k) for x in row], k


def digits(q: int) -> tuple[int, int]:
    low = q % 256
    if low >= 128:
        low -= 256
    return (q - low) // 256, low


def linear(row: Sequence[int], weight: Sequence[Row], multiplier: Row, bias: Row, exponent: int) -> Row:
    q, k = quantise(row)
    result = []
    for weights, c, b in zip(weight, multiplier, bias, strict=True):
        accumulator = record("accumulator", sum(map(mul, q, weights)))
        result.append(saturate(shift_right(record("accumulator · c", accumulator * c), exponent - k) + b))
    return result


def residual_add(a: Sequence[int], b: Sequence[int]) -> Row:
    return [saturate(x + y) for x, y in zip(a, b, strict=True)]


def layer_norm(row: Sequence[int], gamma: Row, beta: Row, epsilon: int, root: int) -> Row:
    size = len(row)
    mean = (2 * sum(row) + size) // (2 * size)
    centred = [x - mean for x in row]
    h = max(0, max(abs(x) for x in centred).bit_length() - 20)
    centred = [shift_right(x, h) for x in centred]
    variance = max(1, record("norm Σ c²", sum(x * x for x in centred)) + epsilon // 4**h)
    t = (62 - variance.bit_length()) // 2
    reciprocal = root * 2**35 // math.isqrt(variance * 4**t)
    result = []
    for x, g, b in zip(centred, gamma, beta, strict=True):
        normalised = shift_right(record("norm c · R", x * reciprocal), 39 - t)
        result.append(saturate(shift_right(record("norm n · γ", normalised * g), 14) + b))
    return result


def gelu(x: int) -> int:
    x = max(-(2**27), min(2**27, x))
    index, remainder = divmod(max(0, min(2**20 - 1, x + 2**19)), 1024)
    table = phi_table()
    phi = table[index] + shift_right((table[index + 1] - table[index]) * remainder, 10)
    return shift_right(record("gelu x · Φ", x * phi), 24)


def negative_power_of_two(d: int) -> int:
    whole, fraction = divmod(d, 2**16)
    if whole >= 25:
        return 0
    index, remainder = divmod(fraction, 256)
    table = exp2_table()
    return (table[index] + shift_right((table[index + 1] - table[index]) * remainder, 8)) // 2**whole


def attention_head(
    query: Sequence[Row], key: Sequence[Row], value: Sequence[Row], multiplier: int
) -> list[Row]:
    """One head of one sequence: rows of activations in, rows of activations out."""
    queries, keys, values = ([quantise(row) for row in rows] for rows in (query, key, value))
    greatest = max(k for _, k in values)
    result = []
    for q, kq in queries:
        scores = []
        for k, kk in keys:
            product = record("q · k · multiplier", sum(map(mul, q, k)) * multiplier)
            scores.append(shift_right(product, 36 - kq - kk))
        weights = [negative_power_of_two(max(scores) - z) for z in scores]
        probabilities = [shift_right(e, 10 + greatest - k) for e, (_, k) in zip(weights, values, strict=True)]
        reciprocal = 2**38 // sum(shift_right(e, 10) for e in weights)
        row = []
        for component in zip(*(v for v, _ in values), strict=True):
            total = record("p · v · R", sum(map(mul, probabilities, component)) * reciprocal)
            row.append(saturate(shift_right(total, 38 - greatest)))
        result.append(row)
    return result


def attention(rows: Sequence[Row], heads: int, multiplier: int) -> list[Row]:
    size = len(rows[0]) // 3
    width = size // heads
    result: list[Row] = [[] for _ in rows]
    for head in range(heads):
        parts = [[row[p * size + head * width :][:width] for row in rows] for p in range(3)]
        for target, mixed in zip(result, attention_head(*parts, multiplier), strict=True):
            target.extend(mixed)
    return result


def mean_pool_normalise(rows: Sequence[Row]) -> Row:
    total = [sum(column) for column in zip(*rows, strict=True)]
    h = max(0, max(abs(x) for x in total).bit_length() - 24)
    total = [shift_right(x, h) for x in total]
    energy = max(1, record("pool Σ s²", sum(x * x for x in total)))
    t = (62 - energy.bit_length()) // 2
    reciprocal = 2**62 // math.isqrt(energy * 4**t)
    return [shift_right(record("pool s · R", x * reciprocal), 38 - t) for x in total]


# ------------------------------------------------------------------------------------------------ the encoder


class Encoder:
    """A model from its manifest bytes and its tensors as nested lists."""

    def __init__(self, manifest: bytes, tensors: Mapping[str, Any]) -> None:
        document = json.loads(manifest)
        self.shifts: dict[str, int] = document["shifts"]
        self.tensors = tensors
        self.heads: int = document["dimensions"]["head_count"]
        self.layers: int = document["dimensions"]["layer_count"]
        size: int = document["dimensions"]["embedding_size"]
        self.epsilon: int = document["constants"]["layer_norm_epsilon"]
        self.root = rounded_root(size)
        self.multiplier = score_multiplier(size // self.heads)
        stated = document["constants"]
        if (stated["layer_norm_root"], stated["score_multiplier"]) != (self.root, self.multiplier):
            raise ValueError("the manifest's constants are not those of its dimensions")

    def _linear(self, rows: Sequence[Row], name: str) -> list[Row]:
        parts = [self.tensors[f"{name}.{part}"] for part in ("weight", "multiplier", "bias")]
        return [linear(row, *parts, self.shifts[name]) for row in rows]

    def _norm(self, rows: Sequence[Row], name: str) -> list[Row]:
        gamma, beta = self.tensors[f"{name}.gamma"], self.tensors[f"{name}.beta"]
        return [layer_norm(row, gamma, beta, self.epsilon, self.root) for row in rows]

    def embed(self, token_ids: Sequence[int]) -> Row:
        word, position = self.tensors["embedding.word"], self.tensors["embedding.position"]
        rows = [[a + b for a, b in zip(word[i], position[t], strict=True)] for t, i in enumerate(token_ids)]
        rows = self._norm(rows, "embedding.norm")
        for index in range(self.layers):
            layer = f"layer.{index}"
            mixed = attention(self._linear(rows, f"{layer}.query_key_value"), self.heads, self.multiplier)
            branch = self._linear(mixed, f"{layer}.attention_output")
            rows = self._norm(list(map(residual_add, rows, branch)), f"{layer}.attention_norm")
            hidden = [[gelu(x) for x in row] for row in self._linear(rows, f"{layer}.up")]
            branch = self._linear(hidden, f"{layer}.down")
            rows = self._norm(list(map(residual_add, rows, branch)), f"{layer}.output_norm")
        return mean_pool_normalise(rows)
