"""The layers a sequential CNN or MLP may have, and where they are read from: torch modules or the tensors of a .pth file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from proofmill.exact.errors import ModelUnavailable
from proofmill.exact.importers.packing import refuse, require_values


@dataclass(frozen=True)
class Convolution:
    """Cross-correlation with a square kernel, zeros outside; weight [N, C, k, k], bias [N] or None."""

    name: str
    weight: Tensor
    bias: Tensor | None
    stride: int = 1
    padding: int = 0

    @classmethod
    def from_state(
        cls, state: Mapping[str, Tensor], name: str, *, stride: int = 1, padding: int = 0
    ) -> Convolution:
        """``<name>.weight`` and, if it is there, ``<name>.bias`` of a state dict."""
        return cls(name, _tensor(state, f"{name}.weight"), state.get(f"{name}.bias"), stride, padding)


@dataclass(frozen=True)
class Linear:
    """weight [N, K], bias [N] or None."""

    name: str
    weight: Tensor
    bias: Tensor | None

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], name: str) -> Linear:
        """``<name>.weight`` and, if it is there, ``<name>.bias`` of a state dict."""
        return cls(name, _tensor(state, f"{name}.weight"), state.get(f"{name}.bias"))


@dataclass(frozen=True)
class BatchNorm:
    """``(x - mean) / sqrt(variance + epsilon) * gain + offset`` per channel, as in evaluation; folded into the layer before
    it."""

    name: str
    mean: Tensor
    variance: Tensor
    gain: Tensor | None
    offset: Tensor | None
    epsilon: float

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], name: str, *, epsilon: float = 1e-5) -> BatchNorm:
        """``<name>.running_mean`` and ``.running_var`` with, if they are there, ``.weight`` and ``.bias`` of a state dict."""
        mean, variance = _tensor(state, f"{name}.running_mean"), _tensor(state, f"{name}.running_var")
        return cls(name, mean, variance, state.get(f"{name}.weight"), state.get(f"{name}.bias"), epsilon)


@dataclass(frozen=True)
class Rectifier:
    """max(x, 0)."""

    name: str = "relu"


@dataclass(frozen=True)
class MaxPool:
    """The greatest of each square window; windows lie wholly inside the image."""

    name: str
    size: int
    stride: int


@dataclass(frozen=True)
class AveragePool:
    """The mean of each square window; windows lie wholly inside the image. Size 0 means the whole, square image."""

    name: str
    size: int
    stride: int


@dataclass(frozen=True)
class Flatten:
    """An image to one row; columns of the linear layer behind it are reordered from (channel, y, x) to (y, x, channel)."""

    name: str = "flatten"


Layer = Convolution | Linear | BatchNorm | Rectifier | MaxPool | AveragePool | Flatten


def folded(layer: Convolution | Linear, norm: BatchNorm) -> Convolution | Linear:
    """The layer with a batch norm's scale and offset in its weights and bias, float64.

    ``scale = gain / sqrt(variance + epsilon)``, ``W' = W scale``, ``b' = (b - mean) scale + offset``: every operation rounds each
    element on its own. Source: batch normalisation (Ioffe and Szegedy, 2015, section 3.1, inference).
    """
    channels = len(layer.weight)
    one, zero = torch.ones(channels, dtype=torch.float64), torch.zeros(channels, dtype=torch.float64)

    def vector(part: str, values: Tensor | None, default: Tensor) -> Tensor:
        if values is None:
            return default
        return require_values(f"{norm.name}.{part}", values, channels).to(torch.float64)

    variance = vector("running_var", norm.variance, one) + norm.epsilon
    if not bool((variance > 0).all()):
        raise refuse(f"{norm.name}.running_var", "holds a variance that is not positive")
    scale = vector("weight", norm.gain, one) / variance.sqrt()
    bias = zero if layer.bias is None else vector(f"bias of {layer.name}", layer.bias, zero)
    bias = (bias - vector("running_mean", norm.mean, zero)) * scale + vector("bias", norm.offset, zero)
    weight = layer.weight.to(torch.float64) * scale.view(-1, *[1] * (layer.weight.ndim - 1))
    if isinstance(layer, Convolution):
        return Convolution(layer.name, weight, bias, layer.stride, layer.padding)
    return Linear(layer.name, weight, bias)


def layers_from_module(module: nn.Module) -> list[Layer]:
    """Layers of a torch.nn.Sequential, nested or not; dropout and identity vanish.

    Raises:
        ModelRefused: naming the layer, if it is of another kind or has a setting that is not supported. A module with a forward
            function of its own is refused, since its parts do not say how they are joined: list its layers instead.
    """
    return list(_layers("", module))


def read_torch_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a PyTorch file by name, without running any code from it.

    Raises:
        ModelUnavailable: the file is missing, truncated, damaged, or holds more than tensors.
    """
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on damaged pickles torch raises whatever its interpreter runs into
        raise ModelUnavailable(
            f"{path} cannot be read: {error}", remedy="Fetch the file again; it is incomplete or damaged."
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelUnavailable(
            f"{path} holds no tensors by name", remedy="Save the module's state_dict() alone."
        )
    return {str(name): value for name, value in state.items()}


def _layers(name: str, module: nn.Module) -> Iterator[Layer]:
    match module:
        case nn.Sequential():
            for child, part in module.named_children():
                yield from _layers(f"{name}.{child}" if name else child, part)
        case nn.Conv2d():
            stride, padding = _convolution_settings(name, module)
            yield Convolution(name, _data(module.weight), _optional_data(module.bias), stride, padding)
        case nn.Linear():
            yield Linear(name, _data(module.weight), _optional_data(module.bias))
        case nn.BatchNorm2d() | nn.BatchNorm1d():
            if module.running_mean is None or module.running_var is None:
                raise refuse(name, "a batch norm without running statistics depends on its batch")
            gain, offset = _optional_data(module.weight), _optional_data(module.bias)
            yield BatchNorm(name, module.running_mean, module.running_var, gain, offset, module.eps)
        case nn.ReLU():
            yield Rectifier(name)
        case nn.MaxPool2d():
            size = _square(name, "kernel_size", module.kernel_size)
            stride = _square(name, "stride", module.stride)
            _require_plain(name, module, padding=0, dilation=1, ceil_mode=False, return_indices=False)
            yield MaxPool(name, size, stride)
        case nn.AvgPool2d():
            size = _square(name, "kernel_size", module.kernel_size)
            stride = _square(name, "stride", module.stride)
            _require_plain(name, module, padding=0, ceil_mode=False, divisor_override=None)
            yield AveragePool(name, size, stride)
        case nn.AdaptiveAvgPool2d():
            if module.output_size not in (1, (1, 1)):
                raise refuse(name, f"output_size is {module.output_size}, only 1 is supported")
            yield AveragePool(name, 0, 1)
        case nn.Flatten():
            _require_plain(name, module, start_dim=1, end_dim=-1)
            yield Flatten(name)
        case nn.Identity() | nn.Dropout() | nn.Dropout2d():
            return
        case _:
            raise refuse(name or "model", f"{type(module).__name__} is no layer the importer knows")


def _convolution_settings(name: str, module: nn.Conv2d) -> tuple[int, int]:
    _require_plain(name, module, groups=1, padding_mode="zeros")
    if _square(name, "dilation", module.dilation) != 1:
        raise refuse(name, f"dilation is {module.dilation}, only 1 is supported")
    if isinstance(module.padding, str):
        raise refuse(name, f"padding {module.padding!r}: give it as a number")
    return _square(name, "stride", module.stride), _square(name, "padding", module.padding)


def _require_plain(name: str, module: nn.Module, **settings: object) -> None:
    for setting, value in settings.items():
        found = getattr(module, setting)
        if found != value and found != (value, value):
            raise refuse(name, f"{setting} is {found!r}, only {value!r} is supported")


def _square(name: str, setting: str, value: int | tuple[int, ...]) -> int:
    """One number for both directions."""
    if isinstance(value, int):
        return value
    if len(set(value)) != 1:
        raise refuse(name, f"{setting} is {value}, only equal values in both directions are supported")
    return value[0]


def _data(parameter: Tensor) -> Tensor:
    return parameter.detach().cpu()


def _optional_data(parameter: Tensor | None) -> Tensor | None:
    return None if parameter is None else _data(parameter)


def _tensor(state: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise refuse(name, "the tensor is missing")
    return state[name]
