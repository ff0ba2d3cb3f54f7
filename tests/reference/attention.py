"""Attention of one sequence: one operand row holds its queries, keys and values, one exponent per head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from tests.reference.functions import negative_power_of_two
from tests.reference.matrices import OperandRow
from tests.reference.scalars import Row, Rows, record, saturate, shift_right


@dataclass(frozen=True)
class Heads:
    """How an operand's columns are to be read, and whether a row sees later keys."""

    heads: int
    key_heads: int
    head_size: int
    causal: bool

    def part(self, operand: OperandRow, group: int) -> tuple[Row, int]:
        values, exponents = operand
        return values[group * self.head_size : (group + 1) * self.head_size], exponents[group]

    def key_group(self, head: int) -> int:
        return self.heads + head * self.key_heads // self.heads

    def value_group(self, head: int) -> int:
        return self.key_group(head) + self.key_heads

    def visible(self, t: int, length: int) -> int:
        return t + 1 if self.causal else length


@dataclass(frozen=True)
class Weights:
    """Of one row and head: p, κ, S, R; p only of the keys it sees."""

    weights: Row
    exponent: int
    sum: int
    reciprocal: int


def scores(operands: Sequence[OperandRow], shape: Heads, multiplier: int) -> list[Rows]:
    """For each row, for each head, the scores of the keys it sees."""
    result = []
    for t, operand in enumerate(operands):
        heads = []
        for head in range(shape.heads):
            q, kq = shape.part(operand, head)
            row = []
            for other in operands[: shape.visible(t, len(operands))]:
                k, kk = shape.part(other, shape.key_group(head))
                product = record("scores Σ q k · m", sum(map(mul, q, k)) * multiplier)
                row.append(saturate(shift_right(product, 36 - kq - kk)))
            heads.append(row)
        result.append(heads)
    return result


def softmax(z: Sequence[Rows], operands: Sequence[OperandRow], shape: Heads) -> list[list[Weights]]:
    result = []
    for heads in z:
        mixed = []
        for head, row in enumerate(heads):
            exponents = [shape.part(operand, shape.value_group(head))[1] for operand in operands[: len(row)]]
            e = [negative_power_of_two(max(row) - score) for score in row]
            greatest = max(exponents)
            p = [shift_right(x, 10 + greatest - k) for x, k in zip(e, exponents, strict=True)]
            total = sum(shift_right(x, 10) for x in e)
            reciprocal = record("softmax 2^(23 + t)", 2 ** (23 + total.bit_length())) // total
            mixed.append(Weights(p, greatest, total, reciprocal))
        result.append(mixed)
    return result


def mix(rows: Sequence[Sequence[Weights]], operands: Sequence[OperandRow], shape: Heads) -> Rows:
    result = []
    for heads in rows:
        row: Row = []
        for head, weights in enumerate(heads):
            seen = operands[: len(weights.weights)]
            values = [shape.part(operand, shape.value_group(head))[0] for operand in seen]
            for component in zip(*values, strict=True):
                total = record("mix Σ p v", sum(map(mul, weights.weights, component)))
                narrow = shift_right(total, weights.sum.bit_length() - 15)
                product = record("mix Σ p v · R", narrow * weights.reciprocal)
                row.append(saturate(shift_right(product, 38 - weights.exponent)))
        result.append(row)
    return result


def attention(operands: Sequence[OperandRow], shape: Heads, multiplier: int) -> Rows:
    return mix(softmax(scores(operands, shape, multiplier), operands, shape), operands, shape)
