"""Tiles of attention against the definition, whatever the rows asked for."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import ops
from proofmill.exact.kernels.interface import AttentionShape, Operand
from proofmill.exact.trace import attention


@given(st.integers(1, 80), st.booleans(), st.integers(0, 2**32), st.sampled_from([4, 31, 40]))
@settings(max_examples=60, deadline=None)
def test_tiles_are_rows_of_the_definition(length: int, causal: bool, seed: int, size: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    heads, key_heads, head_size = 4, 2, 8
    limit = 1 << min(size, 31)
    x = torch.randint(1 - limit, limit, (length, (heads + 2 * key_heads) * head_size), generator=generator)
    if size == 40:  # every number at its limit
        x = x.sign() * ops.SATURATION
    x[torch.rand(x.shape, generator=generator) < 0.1] = 0
    q, k = ops.quantise(x, head_size)
    multiplier = round(2**20 * 1.4426950408889634 / head_size**0.5)
    z = ops.scores(q, k, heads, key_heads, head_size, multiplier, causal)
    expected = ops.softmax(z, k, heads, key_heads, head_size, causal)
    mixed = ops.mix(expected, q, k, heads, key_heads, head_size, causal)
    operand = Operand(q.to(torch.int16), k.to(torch.uint8))
    shape = AttentionShape(heads, key_heads, head_size, multiplier, causal)
    start = seed % length
    stop = start + 1 + seed // 7 % (length - start)
    rows = attention.select_rows(length, causal, start, stop)
    tile_scores = attention.scores(operand, shape, rows)
    tile = attention.softmax(tile_scores, operand, shape, rows)
    output, running = attention.mix(tile, operand, shape, rows)
    keys = slice(0, rows.keys)
    assert torch.equal(tile_scores.to(torch.int64), z[start:stop, :, keys])
    assert torch.equal(tile.weights.to(torch.int64), expected.weights[start:stop, :, keys])
    assert torch.equal(tile.exponents, expected.exponents[start:stop])
    assert torch.equal(tile.sums, expected.sums[start:stop])
    assert torch.equal(tile.reciprocals, expected.reciprocals[start:stop])
    assert torch.equal(output, mixed[start:stop])
    assert running.shape == (stop - start, heads, head_size)
    for row in range(start, stop):
        visible = row + 1 if causal else length
        for head in range(heads):
            scores = z[row, head, :visible].tolist()
            assert int(tile.maximum[row - start, head]) == scores.index(max(scores))
            exponents = k[:visible, heads + key_heads + head // 2].tolist()
            assert int(tile.exponent_index[row - start, head]) == exponents.index(max(exponents))


@pytest.mark.parametrize("head_size", [1, 64, 256])
def test_the_greatest_scores_are_exact(head_size: int) -> None:
    """Products at the edge of what a double holds, with every sign and a half to round."""
    multiplier = round(2**20 * 1.4426950408889634 / head_size**0.5)
    q = torch.full((6, 3 * head_size), 1 << 14)
    q[1::2] -= 1
    q[2:4] = -q[2:4]
    k = torch.tensor([[0, 17, 3], [17, 0, 17], [5, 5, 0], [16, 17, 9], [17, 17, 17], [1, 2, 3]])
    operand = Operand(q.to(torch.int16), k.to(torch.uint8))
    shape = AttentionShape(1, 1, head_size, multiplier, False)
    rows = attention.select_rows(6, False, 0, 6)
    expected = ops.scores(q, k, 1, 1, head_size, multiplier, False)
    assert torch.equal(attention.scores(operand, shape, rows).to(torch.int64), expected)
