"""Rows of a table for token ids."""

from __future__ import annotations

from torch import Tensor

from proofmill.exact.ops.operands import require, require_activation, require_range


def embedding(token_ids: Tensor, matrix: Tensor) -> Tensor:
    """``x_t = matrix[id_t]``: ids [T] and a matrix [V, D] of activations give rows [T, D].

    Source: BERT (Devlin et al., 2019, section 3).
    """
    require(matrix.ndim == 2, f"embedding: matrix of shape {tuple(matrix.shape)}, expected two axes")
    require(token_ids.ndim == 1, f"embedding: token ids of shape {tuple(token_ids.shape)}, expected one axis")
    require_range("embedding: token id", token_ids, 0, len(matrix) - 1)
    x = matrix[token_ids]
    require_activation("embedding: row", x)
    return x
