"""The compiled functions as Python sees them: structures, argument types, and the tables they read."""

from __future__ import annotations

import ctypes
import functools
from typing import Final

import torch
from torch import Tensor

from proofmill.exact.kernels.interface import AttentionShape, Form, Operand, Rows
from proofmill.exact.kernels.native.build import NATIVE_FLAGS, library
from proofmill.exact.tables import EXP2_TABLE, PHI_TABLE, SIGMA_TABLE

_POINTER: Final = ctypes.c_void_p
_SIZE: Final = ctypes.c_int64
_INT: Final = ctypes.c_int32


class LinearWeights(ctypes.Structure):
    """``Weights`` of weights.h."""

    _fields_ = (
        ("panels", _POINTER),
        ("scale", _POINTER),
        ("offset", _POINTER),
        ("outputs", _SIZE),
        ("inputs", _SIZE),
        ("slice", _SIZE),
        ("wide", _INT),
    )


class NormConstants(ctypes.Structure):
    """``Norm`` of norm.cpp."""

    _fields_ = (
        ("gain", _POINTER),
        ("offset", _POINTER),
        ("width", _SIZE),
        ("epsilon", _SIZE),
        ("root", _SIZE),
        ("centred", _INT),
    )


class RowForm(ctypes.Structure):
    """``Form`` of rows.h."""

    _fields_ = (("values", _POINTER), ("operand", _POINTER), ("exponents", _POINTER), ("group", _SIZE))


class Shape(ctypes.Structure):
    """``Shape`` of attention.cpp."""

    _fields_ = (
        ("powers", _POINTER),
        ("heads", _SIZE),
        ("key_heads", _SIZE),
        ("head_size", _SIZE),
        ("multiplier", _SIZE),
        ("causal", _INT),
    )


class AttentionSegment(ctypes.Structure):
    """``Segment`` of attention.cpp."""

    _fields_ = (
        ("start", _SIZE),
        ("rows", _SIZE),
        ("position", _SIZE),
        ("cache", _POINTER),
        ("cache_exponents", _POINTER),
    )


_SIGNATURES: Final[dict[str, tuple[object, tuple[object, ...]]]] = {
    "panel_columns": (_SIZE, ()),
    "padded_inputs": (_SIZE, (_SIZE,)),
    "narrow_slice": (_SIZE, (_POINTER, _SIZE, _SIZE)),
    "wide_slice": (_SIZE, ()),
    "pack_narrow": (None, (_POINTER, _SIZE, _SIZE, _POINTER)),
    "pack_wide": (None, (_POINTER, _SIZE, _SIZE, _POINTER)),
    "linear_workspace": (_SIZE, (_POINTER, _SIZE)),
    "linear": (None, (_POINTER, _POINTER, _SIZE, _POINTER, _POINTER, _POINTER, _POINTER)),
    "quantise": (None, (_POINTER, _SIZE, _SIZE, _POINTER)),
    "norm": (None, (_POINTER, _SIZE, _POINTER, _POINTER)),
    "gelu": (None, (_POINTER, _SIZE, _SIZE, _POINTER, _POINTER)),
    "relu": (None, (_POINTER, _SIZE, _SIZE, _POINTER)),
    "gated_silu": (None, (_POINTER, _SIZE, _SIZE, _INT, _POINTER, _POINTER)),
    "indices_below": (_INT, (_POINTER, _SIZE, _SIZE)),
    "embedding_16": (None, (_POINTER, _SIZE, _POINTER, _SIZE, _POINTER)),
    "embedding_32": (None, (_POINTER, _SIZE, _POINTER, _SIZE, _POINTER)),
    "position_embedding": (None, (_POINTER, _POINTER, _SIZE, _POINTER, _SIZE, _POINTER)),
    "add": (None, (_POINTER, _POINTER, _SIZE, _POINTER)),
    "rotate": (None, (_POINTER, _POINTER, _SIZE, _SIZE, _POINTER, _POINTER, _SIZE, _SIZE, _POINTER)),
    "attention": (None, (_POINTER, _POINTER, _POINTER, _POINTER, _SIZE, _POINTER)),
    "unit_mean": (None, (_POINTER, _SIZE, _POINTER, _SIZE, _POINTER)),
}


def _pairs(table: Tensor) -> Tensor:
    """A function table as the library reads it: T[i] and T[i + 1] - T[i] side by side, int32 [intervals, 2]."""
    return torch.stack((table[:-1], table.diff()), dim=1).to(torch.int32).contiguous()


class Functions:
    """The library's functions, typed, and the tables they are handed."""

    def __init__(self, flags: tuple[str, ...] = NATIVE_FLAGS) -> None:
        loaded = library(flags)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(loaded, f"proofmill_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)
        self.normal_distribution = _pairs(PHI_TABLE)
        self.logistic = _pairs(SIGMA_TABLE)
        self.negative_power = _pairs(EXP2_TABLE)

    def __getattr__(self, name: str) -> ctypes._NamedFuncPointer:
        raise AttributeError(name)

    def shape(self, shape: AttentionShape) -> Shape:
        """An attention's constants."""
        return Shape(
            self.negative_power.data_ptr(),
            shape.heads,
            shape.key_heads,
            shape.head_size,
            shape.multiplier,
            shape.causal,
        )


@functools.cache
def functions(flags: tuple[str, ...] = NATIVE_FLAGS) -> Functions:
    """The functions compiled with ``flags``; raises ``NativeUnavailable``."""
    return Functions(flags)


def new_rows(count: int, width: int, form: Form) -> tuple[Rows, RowForm]:
    """Memory for ``count`` rows in the form asked for, and what tells the library of it."""
    if form.group is None:
        values = torch.empty((count, width), dtype=torch.int32)
        return Rows(values), RowForm(values.data_ptr(), None, None, width)
    q = torch.empty((count, width), dtype=torch.int16)
    k = torch.empty((count, width // form.group), dtype=torch.uint8)
    kept = torch.empty((count, width), dtype=torch.int32) if form.values else None
    pointer = kept.data_ptr() if kept is not None else None
    return Rows(kept, Operand(q, k)), RowForm(pointer, q.data_ptr(), k.data_ptr(), form.group)
