"""Manifest bytes are canonical, parse back, and nothing else parses."""

import hashlib
import json
from typing import Any

import pytest
import torch

from proofmill.exact import Embedder, InvalidManifest, Manifest
from proofmill.exact.bert import check_layout
from proofmill.exact.manifest import tensor_sha256


def document(minilm: Embedder) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(minilm.manifest)
    return parsed


def encode(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def test_round_trip(minilm: Embedder) -> None:
    manifest = Manifest.from_bytes(minilm.manifest)
    assert manifest.to_bytes() == minilm.manifest
    assert hashlib.sha256(minilm.manifest).digest() == minilm.model_id == manifest.model_id
    assert manifest.limits == minilm.limits
    check_layout(manifest)


def test_holds_integers_and_strings_only(minilm: Embedder) -> None:
    def visit(value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                assert isinstance(key, str)
                visit(inner)
        elif isinstance(value, list):
            for inner in value:
                visit(inner)
        else:
            assert type(value) in (int, str)

    visit(document(minilm))


def test_other_spellings_are_refused(minilm: Embedder) -> None:
    spaced = json.dumps(document(minilm), sort_keys=True).encode()
    unsorted = json.dumps(dict(reversed(document(minilm).items())), separators=(",", ":")).encode()
    for data in (spaced, unsorted, minilm.manifest + b"\n"):
        with pytest.raises(InvalidManifest, match="canonical"):
            Manifest.from_bytes(data)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"{", b"[" * 100_000, b" " * (2**20 + 1)])
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidManifest):
        Manifest.from_bytes(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "other"),
        (("version",), 2),
        (("architecture",), "llama"),
        (("profile",), "E8"),
        (("tables", "phi"), "0" * 64),
        (("dimensions", "head_count"), -1),
        (("dimensions", "head_count"), 12.0),
        (("dimensions", "head_count"), True),
        (("dimensions", "extra"), 1),
        (("constants",), None),
        (("limits", "maximum_tokens"), "512"),
        (("shifts", "layer.0.up"), 63),
        (("tokenizer",), "AB" * 32),
        (("tensors",), []),
        (("tensors", "embedding.word", "dtype"), "float32"),
        (("tensors", "embedding.word", "shape"), [1.5]),
        (("tensors", "embedding.word", "sha256"), "00"),
        (("tensors", "embedding.word", "extra"), 1),
        (("extra",), 1),
    ],
)
def test_every_field_is_checked(minilm: Embedder, path: tuple[str, ...], value: object) -> None:
    changed = document(minilm)
    target = changed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(InvalidManifest):
        Manifest.from_bytes(encode(changed))


@pytest.mark.parametrize("section", ["tensors", "shifts"])
def test_a_missing_part_does_not_fit_the_dimensions(minilm: Embedder, section: str) -> None:
    changed = document(minilm)
    changed[section].popitem()
    with pytest.raises(InvalidManifest, match="do not fit"):
        check_layout(Manifest.from_bytes(encode(changed)))


def test_tensor_hash_is_of_little_endian_row_major_values() -> None:
    values = torch.tensor([[1, -2], [3, 256]], dtype=torch.int32)
    expected = b"\x01\0\0\0\xfe\xff\xff\xff\x03\0\0\0\0\x01\0\0"
    assert tensor_sha256(values) == hashlib.sha256(expected).hexdigest()
    assert tensor_sha256(values.T.contiguous().T) == hashlib.sha256(expected).hexdigest()
