"""Image operators on batches against the definition of each image."""

import pytest
import torch

from proofmill.exact import ops
from proofmill.exact.errors import InvalidOperand
from proofmill.exact.kernels import image
from tests.unit.exact.kernel_cases import rows

GRIDS = [(1, 1, 1), (5, 7, 3), (8, 8, 16)]


def stack(height: int, width: int, channels: int, batch: int = 3) -> torch.Tensor:
    return rows(batch * height * width, channels, seed=height)


@pytest.mark.parametrize(("height", "width", "channels"), GRIDS)
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(1, 1, 0), (3, 1, 1), (3, 2, 2), (5, 3, 2)])
def test_patches(height: int, width: int, channels: int, kernel: int, stride: int, padding: int) -> None:
    x = stack(height, width, channels)
    grid = {"height": height, "width": width, "channels": channels, "kernel": kernel}
    constants = grid | {"stride": stride, "padding": padding}
    if kernel > min(height, width) + 2 * padding:
        with pytest.raises(InvalidOperand, match="windows of"):
            image.patches(x.int(), 3, **constants)
        return
    expected = torch.cat([ops.patches(part, **constants) for part in x.chunk(3)])
    found = image.patches(x.int(), 3, **constants)
    assert found.dtype == torch.int32
    assert torch.equal(found.long(), expected)


@pytest.mark.parametrize(("height", "width", "channels"), GRIDS)
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (2, 2), (3, 1), (3, 4)])
@pytest.mark.parametrize("name", ["max_pool", "average_pool"])
def test_pools(height: int, width: int, channels: int, size: int, stride: int, name: str) -> None:
    x = stack(height, width, channels)
    constants = {"height": height, "width": width, "channels": channels, "size": size, "stride": stride}
    if size > min(height, width):
        with pytest.raises(InvalidOperand, match="windows of"):
            getattr(image, name)(x.int(), 3, **constants)
        return
    expected = torch.cat([getattr(ops, name)(part, **constants) for part in x.chunk(3)])
    found = getattr(image, name)(x.int(), 3, **constants)
    assert found.dtype == torch.int32
    assert torch.equal(found.long(), expected)


@pytest.mark.parametrize("kind", [torch.int16, torch.int32])
def test_pixels(kind: torch.dtype) -> None:
    matrix = rows(3, 256) >> (0 if kind == torch.int32 else 16)
    picture = torch.arange(3 * 256, dtype=torch.int64).view(-1, 3).remainder(256).to(torch.uint8)
    found = image.pixels(picture, matrix.to(kind))
    assert found.dtype == torch.int32
    assert found.is_contiguous()
    assert torch.equal(found.long(), ops.pixels(picture, matrix))


def test_flatten() -> None:
    x = stack(2, 3, 4)
    expected = torch.cat([ops.flatten(part, 6) for part in x.chunk(3)])
    assert torch.equal(image.flatten(x.int(), 6).long(), expected)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InvalidOperand, match="pixels"):
        image.pixels(torch.zeros(4, 3, dtype=torch.uint8), torch.zeros(2, 256, dtype=torch.int32))
    with pytest.raises(InvalidOperand, match="pixels"):
        image.pixels(torch.zeros(4, 3, dtype=torch.int32), torch.zeros(3, 256, dtype=torch.int32))
    with pytest.raises(InvalidOperand, match="2 images"):
        image.max_pool(torch.zeros(9, 1).int(), 2, height=3, width=3, channels=1, size=1, stride=1)
    with pytest.raises(InvalidOperand, match="flatten"):
        image.flatten(torch.zeros(9, 1).int(), 2)
