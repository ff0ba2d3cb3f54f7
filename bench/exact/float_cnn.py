"""The float model an exact CNN is converted from: the importer's layers in plain PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, linear, max_pool2d, relu

from proofmill.exact.importers.cnn import ImageInput
from proofmill.exact.importers.cnn_layers import (
    AveragePool,
    BatchNorm,
    Convolution,
    Flatten,
    Layer,
    Linear,
    MaxPool,
    Rectifier,
)


class FloatCnn:
    """Logits in the floating-point type asked for."""

    def __init__(self, layers: Sequence[Layer], image: ImageInput, dtype: torch.dtype) -> None:
        self._layers = list(layers)
        self._image = image
        self._dtype = dtype

    @torch.inference_mode()
    def logits(self, images: Tensor) -> Tensor:
        """Images uint8 [B, positions, channels] give logits [B, classes]."""
        image, dtype = self._image, self._dtype

        mean = torch.tensor([float(value) for value in image.mean], dtype=dtype)
        deviation = torch.tensor([float(value) for value in image.deviation], dtype=dtype)
        x = (images.to(dtype) / 255 - mean) / deviation
        x = x.transpose(1, 2).reshape(len(images), image.channels, image.height, image.width)
        for layer in self._layers:
            x = self._apply(layer, x)
        return x

    def _apply(self, layer: Layer, x: Tensor) -> Tensor:
        def cast(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(self._dtype)

        match layer:
            case Convolution():
                weight = layer.weight.to(self._dtype)
                return conv2d(x, weight, cast(layer.bias), layer.stride, layer.padding)
            case Linear():
                return linear(x, layer.weight.to(self._dtype), cast(layer.bias))
            case BatchNorm():
                mean, variance = layer.mean.to(self._dtype), layer.variance.to(self._dtype)
                return batch_norm(x, mean, variance, cast(layer.gain), cast(layer.offset), eps=layer.epsilon)
            case Rectifier():
                return relu(x)
            case MaxPool():
                return max_pool2d(x, layer.size, layer.stride)
            case AveragePool():
                return avg_pool2d(x, layer.size or x.shape[-1], layer.stride)
            case Flatten():
                return x.flatten(1)
