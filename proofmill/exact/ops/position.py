"""Where a token stands: learned position vectors and rotary positions."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from proofmill.exact.ops.operands import require, require_activation, require_range
from proofmill.exact.ops.scalar import rounding_shift, saturate

ROTATION_BITS: Final = 20  # fraction bits of cosines and sines


def position_embedding(x: Tensor, positions: Tensor, matrix: Tensor) -> Tensor:
    """``sat(x_t + matrix[positions_t])``: x [T, D], positions [T], a matrix [P, D] of activations; gives [T, D].

    For BERT the matrix already holds the token-type row of type 0. The sum is below 2^32. Source: BERT (Devlin
    et al., 2019, section 3).
    """
    require(
        x.ndim == 2 and matrix.ndim == 2 and x.shape[1] == matrix.shape[1],
        f"position embedding: rows {tuple(x.shape)} do not fit matrix {tuple(matrix.shape)}",
    )
    _require_positions(x, positions, len(matrix))
    require_activation("position embedding: input", x)
    added = matrix[positions]
    require_activation("position embedding: row", added)
    return saturate(x + added)


def rotate(
    x: Tensor, positions: Tensor, cosine: Tensor, sine: Tensor, columns: int, head_size: int
) -> Tensor:
    """Rotate neighbouring pairs of each head in the first ``columns`` columns by angles that grow with position.

    With a, b the components 2i and 2i + 1 of a head in row t and C, S = cosine[p_t, i], sine[p_t, i]::

        a' = sat(rsh(a C - b S, 20))        b' = sat(rsh(a S + b C, 20))

    Other columns are unchanged. x, y [T, W]; positions p [T]; cosine and sine [P, head_size / 2] in Q.20,
    ``|C|, |S| <= 2^20``. ``|a C - b S| <= 2 · 2^31 · 2^20 = 2^52``. A model that pairs component i with i +
    head_size / 2 has its columns put in this order when it is imported. Source: rotary position embedding (Su
    et al., RoFormer, 2021, section 3.4.2).
    """
    require(
        x.ndim == 2 and head_size >= 2 and head_size % 2 == 0 and 0 < columns <= x.shape[1],
        f"rotate: {columns} columns in heads of {head_size} of an activation {tuple(x.shape)}",
    )
    require(columns % head_size == 0, f"rotate: {columns} columns do not split into heads of {head_size}")
    require(
        cosine.ndim == 2 and cosine.shape == sine.shape and cosine.shape[1] == head_size // 2,
        f"rotate: cosine {tuple(cosine.shape)} and sine {tuple(sine.shape)} for heads of {head_size}",
    )
    _require_positions(x, positions, len(cosine))
    require_activation("rotate: input", x)
    cosines, sines = cosine[positions][:, None, :], sine[positions][:, None, :]
    for name, values in (("cosine", cosines), ("sine", sines)):
        require_range(f"rotate: {name}", values, -(1 << ROTATION_BITS), 1 << ROTATION_BITS)
    pairs = x[:, :columns].reshape(len(x), -1, head_size // 2, 2)
    first, second = pairs.unbind(-1)
    turned = torch.stack(
        (
            rounding_shift(first * cosines - second * sines, ROTATION_BITS),
            rounding_shift(first * sines + second * cosines, ROTATION_BITS),
        ),
        dim=-1,
    )
    return torch.cat((saturate(turned).reshape(len(x), columns), x[:, columns:]), dim=1)


def _require_positions(x: Tensor, positions: Tensor, count: int) -> None:
    require(
        tuple(positions.shape) == (len(x),),
        f"positions of shape {tuple(positions.shape)} for {len(x)} rows",
    )
    require_range("position", positions, 0, count - 1)
