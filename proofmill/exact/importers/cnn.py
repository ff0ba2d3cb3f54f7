"""Sequential image classifiers to a program over bytes: convolutions, pools and linear layers, or the last alone (an MLP)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from proofmill.exact.importers.cnn_layers import (
    AveragePool,
    BatchNorm,
    Convolution,
    Flatten,
    Layer,
    Linear,
    MaxPool,
    Rectifier,
    folded,
)
from proofmill.exact.importers.packing import pack_linear, refuse, require_values
from proofmill.exact.ops.operands import FRACTION_BITS, SATURATION
from proofmill.exact.program.graph import ProgramBuilder
from proofmill.exact.program.kinds import Shape, TableShape
from proofmill.exact.program.model import Description, Model, Profile


@dataclass(frozen=True)
class ImageInput:
    """A request's bytes: height·width positions, row by row, of as many channels as there are means.

    Channel c of a byte b enters the network as ``(b / 255 - mean_c) / deviation_c``. Means and deviations are exact rationals;
    write decimals as ``Fraction("0.1307")``. A plain vector of n bytes is an image of height 1 and width n.
    """

    height: int
    width: int
    mean: tuple[Fraction, ...]
    deviation: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.height <= 1 << 12 or not 1 <= self.width <= 1 << 12:
            raise refuse("image", f"{self.height} by {self.width}, each side may have 1 to 4096 positions")
        if not self.mean or len(self.mean) != len(self.deviation) or min(self.deviation) <= 0:
            raise refuse("image", "needs one mean and one positive deviation for each channel")

    @property
    def channels(self) -> int:
        return len(self.mean)

    def table(self, fraction_bits: int) -> Tensor:
        """What each byte stands for in each channel, rounded from its exact value, halves to even: int32 [C, 256]."""
        rows = []
        for mean, deviation in zip(self.mean, self.deviation, strict=True):
            exact = ((Fraction(byte, 255) - mean) / deviation * (1 << fraction_bits) for byte in range(256))
            rows.append([round(value) for value in exact])
        if max(abs(value) for row in rows for value in row) > SATURATION:
            raise refuse("image", f"a deviation is too small for Q.{fraction_bits}")
        return torch.tensor(rows, dtype=torch.int32)


def import_cnn(
    layers: Sequence[Layer],
    image: ImageInput,
    profile: Profile,
    *,
    name: str,
    labels: Sequence[str] = (),
    fraction_bits: int = FRACTION_BITS,
) -> Model:
    """A classifier whose answer is one row of logits in Q.fraction_bits, as every activation before it.

    Activations beyond ±(2^31 - 1) saturate: with 16 fraction bits, magnitudes beyond 32767, which normalised networks stay far
    from.

    Raises:
        ModelRefused: layers do not fit together, or a tensor is not finite, of another shape or out of range; the layer is named.
    """
    if not 0 <= fraction_bits <= 24:
        raise refuse("fraction_bits", f"is {fraction_bits}, the range is 0 to 24")
    importer = _Importer(image, profile, fraction_bits)
    for layer in _with_norms_folded(layers):
        importer.add(layer)
    program = importer.builder.build()
    if program.output.rows != 1:
        raise refuse("layers", f"end in an image of {program.output.rows} positions, expected one row")
    if labels and len(labels) != program.output.width:
        raise refuse("labels", f"are {len(labels)} for {program.output.width} classes")
    description = Description(
        name=name,
        profile=profile,
        task="classification",
        output_fraction_bits=fraction_bits,
        labels=tuple(labels),
    )
    return Model(program, importer.tensors, description)


def _with_norms_folded(layers: Sequence[Layer]) -> list[Layer]:
    plain: list[Layer] = []
    for layer in layers:
        if not isinstance(layer, BatchNorm):
            plain.append(layer)
            continue
        before = plain[-1] if plain else None
        if not isinstance(before, (Convolution, Linear)):
            raise refuse(
                layer.name, "a batch norm is only supported right behind a convolution or linear layer"
            )
        plain[-1] = folded(before, layer)
    return plain


class _Importer:
    """Operators and tensors so far, and the shape of the newest value: an image, or one row once flattened."""

    def __init__(self, image: ImageInput, profile: Profile, fraction_bits: int) -> None:
        self._profile: Profile = profile
        self._fraction_bits = fraction_bits
        self._height, self._width, self._channels = image.height, image.width, image.channels
        #: Positions and channels that the newest row is made of, once there is one row.
        self._flattened: tuple[int, int] | None = None
        self._linears = 0
        self.builder = ProgramBuilder(Shape("bytes", image.height * image.width, image.channels))
        self.tensors: dict[str, Tensor] = {"pixels.rows": image.table(fraction_bits)}
        self.builder.table("pixels", TableShape("matrix", image.channels, 256))
        self._value = self.builder.add("pixels", 0, table="pixels")

    def add(self, layer: Layer) -> None:
        match layer:
            case Convolution():
                self._convolution(layer)
            case Linear():
                self._linear(layer)
            case Rectifier():
                self._value = self.builder.add("relu", self._value)
            case MaxPool():
                self._pool("max_pool", layer.name, layer.size, layer.stride)
            case AveragePool(size=0):
                if self._height != self._width:
                    raise refuse(
                        layer.name,
                        f"averages {self._height} by {self._width} positions, only squares are supported",
                    )
                self._pool("average_pool", layer.name, self._height, 1)
            case AveragePool():
                self._pool("average_pool", layer.name, layer.size, layer.stride)
            case Flatten():
                self._flatten()
            case BatchNorm():
                raise refuse(layer.name, "a batch norm must be folded before")

    def _convolution(self, layer: Convolution) -> None:
        self._require_image(layer.name)
        outputs, kernel = len(layer.weight), layer.weight.shape[-1]
        weight = require_values(
            f"{layer.name}.weight", layer.weight, outputs, self._channels, kernel, kernel
        ).permute(0, 2, 3, 1)
        grid = self._window(layer.name, kernel, layer.stride, layer.padding)
        columns = self.builder.add(
            "patches",
            self._value,
            table="",
            kernel=kernel,
            stride=layer.stride,
            padding=layer.padding,
            **self._image(),
        )
        self._multiply(layer.name, weight.reshape(outputs, -1), layer.bias, columns)
        (self._height, self._width), self._channels = grid, outputs

    def _linear(self, layer: Linear) -> None:
        if self._height * self._width == 1 and self._flattened is None:
            self._flattened = (1, self._channels)
        if self._flattened is None:
            raise refuse(
                layer.name, f"is linear on an image of {self._height} by {self._width}: flatten it before"
            )
        positions, channels = self._flattened
        outputs = len(layer.weight)
        weight = require_values(f"{layer.name}.weight", layer.weight, outputs, positions * channels)
        # Columns come in the order (channel, position); rows of the program hold (position, channel).
        weight = weight.view(outputs, channels, positions).transpose(1, 2).reshape(outputs, -1)
        self._multiply(layer.name, weight, layer.bias, self._value)
        self._flattened = (1, outputs)

    def _multiply(self, name: str, weight: Tensor, bias: Tensor | None, x: int) -> None:
        outputs, inputs = weight.shape
        if bias is not None:
            require_values(f"{name}.bias", bias, outputs)
        table = f"linear.{self._linears}"
        self._linears += 1
        bits = self._fraction_bits
        packed = pack_linear(name, weight, bias, self._profile, bits, bits)
        self.tensors.update(packed.parts(table))
        self.builder.table(table, TableShape("linear", outputs, inputs))
        operand = self.builder.add("quantise", x, group=inputs)
        self._value = self.builder.add("linear", operand, table=table, shift=packed.shift)

    def _pool(self, kind: str, name: str, size: int, stride: int) -> None:
        self._require_image(name)
        grid = self._window(name, size, stride, 0)
        self._value = self.builder.add(kind, self._value, table="", size=size, stride=stride, **self._image())
        self._height, self._width = grid

    def _flatten(self) -> None:
        if self._flattened is not None:
            return
        positions = self._height * self._width
        if positions > 1:
            self._value = self.builder.add("flatten", self._value, rows=positions)
        self._flattened = (positions, self._channels)

    def _window(self, name: str, size: int, stride: int, padding: int) -> tuple[int, int]:
        """Height and width after windows have passed over the image; ModelRefused if none fits."""
        if not (1 <= size <= 64 and 1 <= stride <= 64 and 0 <= padding <= 32):
            raise refuse(
                name, f"windows of {size}, stride {stride} and padding {padding} are outside the proved range"
            )
        height = (self._height + 2 * padding - size) // stride + 1
        width = (self._width + 2 * padding - size) // stride + 1
        if height < 1 or width < 1:
            raise refuse(name, f"windows of {size} do not fit an image of {self._height} by {self._width}")
        return height, width

    def _image(self) -> dict[str, int]:
        return {"height": self._height, "width": self._width, "channels": self._channels}

    def _require_image(self, name: str) -> None:
        if self._flattened is not None:
            raise refuse(name, "needs an image, but the image was flattened before")
