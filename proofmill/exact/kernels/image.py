"""Images in batches: B images lie below each other, height · width rows each; the same bits as ``ops.image`` and ``ops.pooling``.

These operators move integers or reduce small windows, so one form in plain PyTorch serves every device.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from proofmill.exact.errors import InvalidOperand

BYTE_VALUES: Final = 256


def pixels(image: Tensor, matrix: Tensor) -> Tensor:
    """``y_rc = matrix[c][byte_rc]``: bytes uint8 [M, C] by an int16 or int32 matrix [C, 256]; int32 [M, C]."""
    _require(
        image.dtype == torch.uint8
        and image.ndim == 2
        and tuple(matrix.shape) == (image.shape[1], BYTE_VALUES),
        f"pixels: image of {image.dtype} {tuple(image.shape)} does not fit matrix {tuple(matrix.shape)}",
    )
    return matrix.to(torch.int32).gather(1, image.t().to(torch.int64)).t().contiguous()


def patches(
    x: Tensor,
    batch: int,
    *,
    height: int,
    width: int,
    channels: int,
    kernel: int,
    stride: int,
    padding: int,
) -> Tensor:
    """``ops.patches`` of each image: int32 [B · height · width, C] to [B · outputs, kernel · kernel · C]."""
    return (
        _windows("patches", x, batch, height, width, channels, kernel, stride, padding)
        .flatten(1)
        .contiguous()
    )


def max_pool(
    x: Tensor, batch: int, *, height: int, width: int, channels: int, size: int, stride: int
) -> Tensor:
    """``ops.max_pool`` of each image: int32 [B · height · width, C] to [B · outputs, C]."""
    return _windows("max pool", x, batch, height, width, channels, size, stride, 0).amax(1)


def average_pool(
    x: Tensor, batch: int, *, height: int, width: int, channels: int, size: int, stride: int
) -> Tensor:
    """``ops.average_pool`` of each image: ``floor((2 Σ + n) / 2n)``, sums in int64, n = size²."""
    count = size * size
    windows = _windows("average pool", x, batch, height, width, channels, size, stride, 0)
    total = windows.sum(1, dtype=torch.int64)
    return torch.div(2 * total + count, 2 * count, rounding_mode="floor").to(torch.int32)


def flatten(x: Tensor, rows: int) -> Tensor:
    """``ops.flatten`` of each image: int32 [B · rows, W] to [B, rows · W]."""
    _require(
        x.ndim == 2 and rows >= 1 and x.shape[0] % rows == 0,
        f"flatten: shape {tuple(x.shape)} does not split into images of {rows} rows",
    )
    return x.reshape(x.shape[0] // rows, -1)


def _windows(
    name: str,
    x: Tensor,
    batch: int,
    height: int,
    width: int,
    channels: int,
    size: int,
    stride: int,
    padding: int,
) -> Tensor:
    """The positions under each window, [B · outputs, size · size, C]; 0 outside the image."""
    _require(
        x.dtype == torch.int32 and tuple(x.shape) == (batch * height * width, channels),
        f"{name}: {x.dtype} {tuple(x.shape)} for {batch} images of {height} x {width} with {channels} channels",
    )
    _require(
        1 <= size <= min(height, width) + 2 * padding and stride >= 1 and 0 <= padding < size,
        f"{name}: windows of {size}, stride {stride}, padding {padding} in {height} x {width}",
    )
    image = x.view(batch, height, width, channels)
    if padding:
        padded = x.new_zeros(batch, height + 2 * padding, width + 2 * padding, channels)
        padded[:, padding : padding + height, padding : padding + width] = image
        image = padded
    found = image.unfold(1, size, stride).unfold(2, size, stride)  # [B, rows, columns, C, dy, dx]
    return found.permute(0, 1, 2, 4, 5, 3).reshape(-1, size * size, channels)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidOperand(message, remedy="Pass images as the program's operator describes them.")
