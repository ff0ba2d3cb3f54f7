"""A model's identity: canonical bytes that name everything its integers depend on.

A manifest is compact JSON with sorted keys holding integers, ASCII strings, lists and objects only, so equal
models have equal bytes. ``model_id = sha256(manifest)``. It lists the architecture, profile, dimensions,
constants, shifts, limits and the sha256 of every packed tensor, both function tables and the tokenizer file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from proofmill.exact.errors import InvalidManifest
from proofmill.exact.tables import EXP2_SHA256, PHI_SHA256

FORMAT: Final = "proofmill-exact-model"
VERSION: Final = 1
ARCHITECTURE: Final = "bert-encoder-mean-pool-l2"
PROFILE: Final = "E16"
MAXIMUM_MANIFEST_BYTES: Final = 1 << 20
MAXIMUM_DEPTH: Final = 8

_DTYPES: Final = {torch.int8: "int8", torch.int32: "int32"}
_TABLES: Final = {"exp2": EXP2_SHA256, "phi": PHI_SHA256}


@dataclass(frozen=True)
class ModelLimits:
    """What a request to the model must respect, and the format of what comes back."""

    vocabulary_size: int
    maximum_tokens: int
    embedding_size: int
    fraction_bits: int


@dataclass(frozen=True)
class Dimensions:
    """The sizes of a BERT encoder."""

    vocabulary_size: int
    position_count: int
    embedding_size: int
    head_count: int
    layer_count: int
    intermediate_size: int


@dataclass(frozen=True)
class Constants:
    """Integer constants of the program: see ``layer_norm`` and ``attention_scores`` in ``operators.py``."""

    layer_norm_epsilon: int
    layer_norm_root: int
    score_multiplier: int


@dataclass(frozen=True)
class TensorEntry:
    """Type, shape and hash of the little-endian bytes, in row-major order, of one packed tensor."""

    dtype: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The parsed form of manifest bytes."""

    dimensions: Dimensions
    constants: Constants
    shifts: Mapping[str, int]
    tensors: Mapping[str, TensorEntry]
    tokenizer: str
    limits: ModelLimits

    def to_bytes(self) -> bytes:
        """Canonical bytes: sorted keys, no white space, ASCII."""
        document = {
            "architecture": ARCHITECTURE,
            "constants": asdict(self.constants),
            "dimensions": asdict(self.dimensions),
            "format": FORMAT,
            "limits": asdict(self.limits),
            "profile": PROFILE,
            "shifts": dict(self.shifts),
            "tables": _TABLES,
            "tensors": {
                name: {"dtype": entry.dtype, "sha256": entry.sha256, "shape": list(entry.shape)}
                for name, entry in self.tensors.items()
            },
            "tokenizer": self.tokenizer,
            "version": VERSION,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")

    @property
    def model_id(self) -> bytes:
        """sha256 of the canonical bytes."""
        return hashlib.sha256(self.to_bytes()).digest()

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Parse and check; anything but the canonical bytes of a known kind of model is an error."""
        if len(data) > MAXIMUM_MANIFEST_BYTES:
            raise _invalid(f"{len(data)} bytes, at most {MAXIMUM_MANIFEST_BYTES}")
        if _depth(data) > MAXIMUM_DEPTH:
            raise _invalid("nested too deeply")
        try:
            document = json.loads(data.decode("ascii"))
        except ValueError as error:
            raise _invalid(f"not JSON: {error}") from error
        if not isinstance(document, dict):
            raise _invalid("not an object")
        expected = {
            "format": FORMAT,
            "version": VERSION,
            "architecture": ARCHITECTURE,
            "profile": PROFILE,
            "tables": _TABLES,
        }
        for key, value in expected.items():
            if document.get(key) != value:
                raise _invalid(f"{key} is {document.get(key)!r}, this engine knows {value!r}")
        manifest = cls(
            dimensions=Dimensions(**_integers(document, "dimensions", Dimensions)),
            constants=Constants(**_integers(document, "constants", Constants)),
            shifts=_shifts(document),
            tensors=_tensors(document),
            tokenizer=_digest("tokenizer", document.get("tokenizer")),
            limits=ModelLimits(**_integers(document, "limits", ModelLimits)),
        )
        if manifest.to_bytes() != data:
            raise _invalid("the bytes are not the canonical ones, or hold unknown keys")
        return manifest


def tensor_entry(tensor: Tensor) -> TensorEntry:
    """Describe a packed tensor."""
    return TensorEntry(_DTYPES[tensor.dtype], tuple(tensor.shape), tensor_sha256(tensor))


def tensor_sha256(tensor: Tensor) -> str:
    """sha256 of the tensor's values, row-major, each little-endian."""
    array = tensor.contiguous().numpy()
    little_endian = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return hashlib.sha256(little_endian.data).hexdigest()


def _invalid(reason: str) -> InvalidManifest:
    return InvalidManifest(
        f"model manifest: {reason}", remedy="Use a manifest written by this version of Proofmill."
    )


def _depth(data: bytes) -> int:
    """How deep brackets nest. Python's parser recurses, and hostile nesting could exhaust the stack of the process.

    Brackets inside strings count too, which refuses no manifest: none of its strings holds one.
    """
    depth = deepest = 0
    for byte in data:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _is_natural(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _integers(document: Mapping[str, Any], key: str, kind: type) -> dict[str, int]:
    section = document.get(key)
    names = {field.name for field in fields(kind)}
    if not isinstance(section, dict) or set(section) != names:
        raise _invalid(f"{key} must hold exactly {sorted(names)}")
    for name, value in section.items():
        if not _is_natural(value):
            raise _invalid(f"{key}.{name} is not a natural number")
    return section


def _shifts(document: Mapping[str, Any]) -> dict[str, int]:
    section = document.get("shifts")
    if not isinstance(section, dict) or not all(_is_natural(v) and v <= 62 for v in section.values()):
        raise _invalid("shifts must be an object of integers from 0 to 62")
    return section


def _digest(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise _invalid(f"{name} is not 64 lower-case hexadecimal digits")
    return value


def _tensors(document: Mapping[str, Any]) -> dict[str, TensorEntry]:
    section = document.get("tensors")
    if not isinstance(section, dict):
        raise _invalid("tensors must be an object")
    entries = {}
    for name, entry in section.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "sha256"}:
            raise _invalid(f"tensor {name} must hold dtype, shape and sha256")
        shape = entry["shape"]
        if not isinstance(shape, list) or not all(_is_natural(size) for size in shape):
            raise _invalid(f"tensor {name} has no valid shape")
        if entry["dtype"] not in _DTYPES.values():
            raise _invalid(f"tensor {name} has type {entry['dtype']!r}")
        entries[name] = TensorEntry(entry["dtype"], tuple(shape), _digest(f"tensor {name}", entry["sha256"]))
    return entries
