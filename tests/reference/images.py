"""Images: bytes to activations, windows, pools. Position (y, x) is row y · width + x."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.reference.scalars import Row, Rows


def pixels(image: Rows, matrix: Rows) -> Rows:
    return [[matrix[channel][byte] for channel, byte in enumerate(row)] for row in image]


def _corners(height: int, width: int, size: int, stride: int, padding: int) -> Iterator[tuple[int, int]]:
    """The first position of each window, which may lie outside the image."""
    for y in range(-padding, height + padding - size + 1, stride):
        for x in range(-padding, width + padding - size + 1, stride):
            yield y, x


def patches(
    rows: Rows, height: int, width: int, channels: int, kernel: int, stride: int, padding: int
) -> Rows:
    result = []
    for top, left in _corners(height, width, kernel, stride, padding):
        patch: Row = []
        for y in range(top, top + kernel):
            for x in range(left, left + kernel):
                inside = 0 <= y < height and 0 <= x < width
                patch.extend(rows[y * width + x] if inside else [0] * channels)
        result.append(patch)
    return result


def _pooled(rows: Rows, height: int, width: int, size: int, stride: int) -> Iterator[list[tuple[int, ...]]]:
    """For each window, its values channel by channel."""
    for top, left in _corners(height, width, size, stride, 0):
        members = [rows[(top + dy) * width + left + dx] for dy in range(size) for dx in range(size)]
        yield list(zip(*members, strict=True))


def max_pool(rows: Rows, height: int, width: int, channels: int, size: int, stride: int) -> Rows:
    return [[max(values) for values in window] for window in _pooled(rows, height, width, size, stride)]


def average_pool(rows: Rows, height: int, width: int, channels: int, size: int, stride: int) -> Rows:
    count = size * size
    return [
        [(2 * sum(values) + count) // (2 * count) for values in window]
        for window in _pooled(rows, height, width, size, stride)
    ]


def flatten(rows: Sequence[Row], count: int) -> Rows:
    return [
        [value for row in rows[start : start + count] for value in row]
        for start in range(0, len(rows), count)
    ]
