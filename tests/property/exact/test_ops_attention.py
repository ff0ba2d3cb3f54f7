"""Attention, step by step and whole, against plain Python integers; decoding against the whole sequence."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import ops
from tests.property.exact.integers import SATURATION, rows_of, tensor
from tests.reference import attention as reference
from tests.reference import function_tables, matrices

shapes = st.sampled_from([(1, 1, 1), (2, 2, 3), (2, 1, 2), (4, 2, 2), (3, 1, 4)])


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 6), shapes, st.booleans())
def test_scores_softmax_and_mix(
    data: st.DataObject, length: int, shape: tuple[int, int, int], causal: bool
) -> None:
    heads, key_heads, size = shape
    rows = data.draw(rows_of(length, (heads + 2 * key_heads) * size))
    multiplier = function_tables.score_multiplier(size)
    first = data.draw(st.integers(0, length - 1))
    operands = [matrices.quantise(row, size) for row in rows]
    layout = reference.Heads(heads, key_heads, size, causal)
    expected_scores = reference.scores(operands, layout, multiplier)
    expected_weights = reference.softmax(expected_scores, operands, layout)
    expected = reference.mix(expected_weights, operands, layout)

    q, k = ops.quantise(tensor(rows), size)
    z = ops.scores(q, k, *shape, multiplier, causal, first)
    weights = ops.softmax(z, k, *shape, causal, first)
    for r, t in enumerate(range(first, length)):
        for head in range(heads):
            row, seen = expected_weights[t][head], expected_scores[t][head]
            invisible = [0] * (length - len(seen))
            assert z[r, head].tolist() == seen + invisible
            assert weights.weights[r, head].tolist() == row.weights + invisible
            assert int(weights.exponents[r, head]) == row.exponent
            assert int(weights.sums[r, head]) == row.sum
            assert int(weights.reciprocals[r, head]) == row.reciprocal
    assert ops.mix(weights, q, k, *shape, causal, first).tolist() == expected[first:]
    assert ops.attention(q, k, *shape, multiplier, causal, first).tolist() == expected[first:]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    ("key", "value"), [(SATURATION, SATURATION), (-SATURATION, -SATURATION), (SATURATION, 0)]
)
def test_attention_at_its_bounds(causal: bool, key: int, value: int) -> None:
    """Greatest operands, widest heads and a sequence of equal scores."""
    length, size = 33, 256
    multiplier = function_tables.score_multiplier(size)
    rows = [[SATURATION] * size + [key] * size + [value] * size for _ in range(length)]
    operands = [matrices.quantise(row, size) for row in rows]
    expected = reference.attention(operands, reference.Heads(1, 1, size, causal), multiplier)
    q, k = ops.quantise(tensor(rows), size)
    assert ops.attention(q, k, 1, 1, size, multiplier, causal).tolist() == expected


def test_a_long_sequence_of_greatest_values_stays_exact() -> None:
    """Equal scores, so the sum is 2^14 T and the products of mix reach their bound."""
    length = 4097
    rows = torch.zeros(length, 3, dtype=torch.int64)
    rows[:, 2] = SATURATION
    q, k = ops.quantise(rows, 1)
    multiplier = function_tables.score_multiplier(1)
    weights = ops.softmax(
        ops.scores(q, k, 1, 1, 1, multiplier, False, length - 1), k, 1, 1, 1, False, length - 1
    )
    assert weights.sums.tolist() == [[2**14 * length]]
    reciprocal = 2 ** (23 + (2**14 * length).bit_length()) // (2**14 * length)
    assert weights.reciprocals.tolist() == [[reciprocal]]
    total = 2**28 * length
    drop = (2**14 * length).bit_length() - 15
    narrow = (2 * total + 2**drop) // 2 ** (drop + 1)
    expected = min(SATURATION, (2 * narrow * reciprocal + 2**21) // 2**22)
    assert ops.mix(weights, q, k, 1, 1, 1, False, length - 1).tolist() == [[expected]]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 9))
def test_decoding_equals_the_whole_sequence(seed: int, length: int) -> None:
    """A causal row neither depends on later rows nor on where the computation starts."""
    generator = torch.Generator().manual_seed(seed)
    shape, size = (4, 2, 8), 8
    x = torch.randint(-(2**22), 2**22, (length, 8 * size), generator=generator)
    q, k = ops.quantise(x, size)
    multiplier = function_tables.score_multiplier(size)
    whole = ops.attention(q, k, *shape, multiplier, True)
    for t in range(length):
        row = ops.attention(q[: t + 1], k[: t + 1], *shape, multiplier, True, t)
        assert torch.equal(row, whole[t : t + 1])


def test_attention_is_the_function_it_names() -> None:
    generator = torch.Generator().manual_seed(1)
    length, heads, key_heads, size = 50, 4, 2, 16
    x = torch.randint(-(2**18), 2**18, (length, (heads + 2 * key_heads) * size), generator=generator)
    q, k = ops.quantise(x, size)
    got = ops.attention(q, k, heads, key_heads, size, function_tables.score_multiplier(size), True)
    parts = (x.double() / 2**16).view(length, -1, size).transpose(0, 1)
    query, key, value = parts.split((heads, key_heads, key_heads))
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key.repeat_interleave(2, 0), value.repeat_interleave(2, 0), is_causal=True
    )
    expected = expected.transpose(0, 1).flatten(1)
    # Operands of 15 bits move a score by at most 16 · 2 · 4 · 2^-13 · 0.36, weights and values follow.
    assert float((got / 2**16 - expected).abs().max()) < 2e-2
    assert float((got / 2**16 - expected).square().mean().sqrt()) < 1e-3
