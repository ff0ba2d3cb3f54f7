"""Hypothesis strategies for the integers operators work on, extremes included."""

from __future__ import annotations

import torch
from hypothesis import settings
from hypothesis import strategies as st

SATURATION = 2**31 - 1
EDGES = [0, 1, -1, 2**13, 2**14 - 1, 2**14, -(2**14), 2**15 - 1, 2**19 - 1, 2**19, -(2**19), 2**20, -(2**20)]
EDGES += [2**27, 2**27 + 1, -(2**27) - 1, SATURATION, -SATURATION, SATURATION - 1]

#: Activations of every magnitude: extremes, and values of a random number of bits.
activations = st.one_of(
    st.sampled_from(EDGES),
    st.integers(0, 31).flatmap(lambda bits: st.integers(-(2**bits) + 1, 2**bits - 1)),
)
quick = settings(max_examples=100, deadline=None)


def rows_of(
    rows: int, columns: int, values: st.SearchStrategy[int] = activations
) -> st.SearchStrategy[list[list[int]]]:
    return st.lists(st.lists(values, min_size=columns, max_size=columns), min_size=rows, max_size=rows)


def row_of(columns: int, values: st.SearchStrategy[int] = activations) -> st.SearchStrategy[list[int]]:
    return st.lists(values, min_size=columns, max_size=columns)


def tensor(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int64)
