"""Operators on images against plain Python integers and against torch's own windows."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import ops
from tests.property.exact.integers import SATURATION, quick, rows_of, tensor
from tests.reference import images


@quick
@given(rows_of(4, 3, st.integers(0, 255)), rows_of(3, 2))
def test_pixels(image: list[list[int]], ends: list[list[int]]) -> None:
    matrix = [[(low * (255 - i) + high * i) // 255 for i in range(256)] for low, high in ends]
    expected = images.pixels(image, matrix)
    assert ops.pixels(tensor(image), tensor(matrix)).tolist() == expected
    assert ops.pixels(tensor(image).to(torch.uint8), tensor(matrix)).tolist() == expected


@settings(max_examples=120, deadline=None)
@given(
    st.data(), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.integers(1, 4), st.integers(1, 3)
)
def test_windows(data: st.DataObject, height: int, width: int, channels: int, size: int, stride: int) -> None:
    rows = data.draw(rows_of(height * width, channels))
    shape = (height, width, channels)
    padding = data.draw(st.integers(0, 3))
    if size <= min(height, width) + 2 * padding:
        expected = images.patches(rows, *shape, size, stride, padding)
        assert ops.patches(tensor(rows), *shape, size, stride, padding).tolist() == expected
    if size <= min(height, width):
        expected = images.max_pool(rows, *shape, size, stride)
        assert ops.max_pool(tensor(rows), *shape, size, stride).tolist() == expected
        expected = images.average_pool(rows, *shape, size, stride)
        assert ops.average_pool(tensor(rows), *shape, size, stride).tolist() == expected


def test_patches_and_weights_make_a_convolution() -> None:
    generator = torch.Generator().manual_seed(5)
    image = torch.randint(-1000, 1000, (3, 9, 7), generator=generator)
    kernel = torch.randint(-100, 100, (4, 3, 3, 3), generator=generator)
    expected = torch.nn.functional.conv2d(image[None].double(), kernel.double(), stride=2, padding=1)[0]
    rows = ops.patches(image.permute(1, 2, 0).reshape(63, 3), 9, 7, 3, 3, 2, 1)
    got = rows @ kernel.permute(0, 2, 3, 1).reshape(4, 27).T
    assert torch.equal(got.T.double(), expected.flatten(1))


def test_average_takes_halves_upward() -> None:
    rows = tensor([[1, -1, SATURATION], [2, -2, SATURATION], [1, -1, SATURATION], [2, -2, SATURATION]])
    assert ops.average_pool(rows, 2, 2, 3, 2, 1).tolist() == [[2, -1, SATURATION]]


@quick
@given(rows_of(6, 2), st.sampled_from([1, 2, 3, 6]))
def test_flatten(rows: list[list[int]], count: int) -> None:
    assert ops.flatten(tensor(rows), count).tolist() == images.flatten(rows, count)
