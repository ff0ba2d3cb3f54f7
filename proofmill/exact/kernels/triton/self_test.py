"""The Triton kernels against the definition on the GPU at hand, before their first use: a compiler is part of the machine."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from proofmill.exact.kernels.interface import Kernels
from proofmill.exact.kernels.self_test import self_test as compare_with_definition


def self_test(kernels: Kernels) -> str | None:
    """Which function computes something else than ``proofmill.exact.ops`` on the kernels' device, or None."""
    placed: Any = _Placed(kernels)
    return compare_with_definition(placed)


class _Placed:
    """The kernels with inputs moved to their device and outputs moved back."""

    def __init__(self, kernels: Kernels) -> None:
        self._kernels = kernels

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._kernels, name)

        def call(*arguments: Any, **options: Any) -> Any:
            result = function(*(_moved(argument, self._kernels.device) for argument in arguments), **options)
            return result if name.startswith("prepare") else _moved(result, torch.device("cpu"))

        return call


def _moved(value: Any, device: torch.device) -> Any:
    """Tensors, also within dataclasses and lists, on another device; everything else as it is."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, list):
        return [_moved(item, device) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: _moved(getattr(value, field.name), device) for field in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **fields)
    return value
