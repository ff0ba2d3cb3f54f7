"""Images as rows of positions: bytes to activations, windows to rows, all rows to one."""

from __future__ import annotations

import torch
from torch import Tensor

from proofmill.exact.ops.operands import require, require_activation, require_range


def pixels(image: Tensor, matrix: Tensor) -> Tensor:
    """``y_rc = matrix[c][byte_rc]``: any scaling of bytes, one table per channel.

    image [R, C], 0 to 255 (uint8 or int64), R = height · width positions row by row; matrix [C, 256] of
    activations; y [R, C]. Source: standard.
    """
    require(
        image.ndim == 2 and tuple(matrix.shape) == (image.shape[-1], 256),
        f"pixels: image {tuple(image.shape)} does not fit matrix {tuple(matrix.shape)}",
    )
    values = image.to(torch.int64) if image.dtype == torch.uint8 else image
    require_range("pixels: byte", values, 0, 255)
    require_activation("pixels: matrix", matrix)
    return matrix.gather(1, values.T).T.contiguous()


def patches(
    x: Tensor, height: int, width: int, channels: int, kernel: int, stride: int, padding: int
) -> Tensor:
    """The inputs of a convolution: one row per output position, for a linear operator to follow.

    x [height · width, channels], any fraction; gives [outputs, kernel · kernel · channels], output positions
    row by row, columns in the order (dy, dx, channel); positions outside the image are 0. There are
    ``floor((height + 2 padding - kernel) / stride) + 1`` rows of outputs, and columns likewise. Source:
    convolution as a matrix product (Chellapilla et al., 2006, section 2.2).
    """
    return windows("patches", x, height, width, channels, kernel, stride, padding).flatten(1)


def flatten(x: Tensor, rows: int) -> Tensor:
    """Every ``rows`` rows one after the other: [R, W] gives [R / rows, rows · W]. Source: standard."""
    require(
        x.ndim == 2 and rows >= 1 and len(x) % rows == 0,
        f"flatten: shape {tuple(x.shape)} is not made of images of {rows} rows",
    )
    require_activation("flatten: input", x)
    return x.reshape(len(x) // rows, -1)


def windows(
    name: str, x: Tensor, height: int, width: int, channels: int, size: int, stride: int, padding: int
) -> Tensor:
    """The positions under each window, [outputs, size · size, channels], in rows; 0 outside the image."""
    require(
        height >= 1 and width >= 1 and channels >= 1 and tuple(x.shape) == (height * width, channels),
        f"{name}: shape {tuple(x.shape)} for an image of {height} x {width} with {channels} channels",
    )
    require(
        size >= 1 and stride >= 1 and padding >= 0,
        f"{name}: windows of {size}, stride {stride}, padding {padding}",
    )
    require(
        size <= min(height, width) + 2 * padding,
        f"{name}: windows of {size} do not fit into {height} x {width} with padding {padding}",
    )
    require_activation(f"{name}: input", x)
    image = x.new_zeros(height + 2 * padding, width + 2 * padding, channels)
    image[padding : padding + height, padding : padding + width] = x.view(height, width, channels)
    found = image.unfold(0, size, stride).unfold(1, size, stride)  # [rows, columns, channels, dy, dx]
    return found.permute(0, 1, 3, 4, 2).reshape(-1, size * size, channels)
