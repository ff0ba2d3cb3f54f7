"""Quantised operands, linear operators, sums and embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import mul

from tests.reference.scalars import Row, Rows, excess_bits, record, saturate, shift_right

#: A row's operands and the exponents of its groups of columns.
OperandRow = tuple[Row, Row]


def quantise(row: Sequence[int], group: int) -> OperandRow:
    if len(row) % group:
        raise ValueError("groups do not fill the row")
    operands: Row = []
    exponents: Row = []
    for start in range(0, len(row), group):
        part = row[start : start + group]
        exponents.append(excess_bits(part, 14))
        operands.extend(shift_right(x, exponents[-1]) for x in part)
    return operands, exponents


def digits(q: int) -> tuple[int, int]:
    low = q % 256
    if low >= 128:
        low -= 256
    return (q - low) // 256, low


def linear(operand: OperandRow, weight: Rows, multiplier: Row, bias: Row, shift: int) -> Row:
    q, (k,) = operand
    result = []
    for weights, c, b in zip(weight, multiplier, bias, strict=True):
        accumulator = record("linear Σ q w", sum(map(mul, q, weights)))
        scaled = shift_right(record("linear Σ q w · c", accumulator * c), shift - k)
        result.append(saturate(scaled + b))
    return result


def add(a: Sequence[int], b: Sequence[int]) -> Row:
    return [saturate(x + y) for x, y in zip(a, b, strict=True)]


def embedding(token_ids: Sequence[int], matrix: Sequence[Row] | Mapping[int, Row]) -> Rows:
    """``matrix`` may be a mapping that holds only the rows in use."""
    return [list(matrix[token]) for token in token_ids]


def position_embedding(rows: Rows, matrix: Rows, first_position: int = 0) -> Rows:
    return [add(row, matrix[first_position + t]) for t, row in enumerate(rows)]
