"""Manifest bytes are canonical, parse back, and nothing else parses; packed files are what they say or are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from proofmill.exact import InvalidManifest, ModelRefused, ModelUnavailable
from proofmill.exact.commitment.descriptor import ProgramTree, model_id, tables_root
from proofmill.exact.manifest.document import MAXIMUM_MANIFEST_BYTES, Manifest, describe
from proofmill.exact.manifest.packed import read_manifest, read_packed, write_packed
from proofmill.exact.program.model import Model
from tests.unit.exact.small_models import small_bert, small_cnn, small_llama

MODEL = small_llama("E16")
MANIFEST = describe(MODEL)
DATA = MANIFEST.to_bytes()


def encode(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize("profile", ["E16", "E16x"])
@pytest.mark.parametrize("make", [small_bert, small_llama, small_cnn])
def test_round_trip(make: Callable[[str], Model], profile: str) -> None:
    model = make(profile)
    manifest = describe(model)
    parsed = Manifest.from_bytes(manifest.to_bytes())
    assert parsed == manifest
    assert parsed.program == model.program
    assert parsed.description == model.description
    assert parsed.model_id == manifest.model_id


def test_the_id_commits_to_program_tables_and_bytes() -> None:
    commitments = MANIFEST.commitments
    program_root = ProgramTree(MODEL.program, commitments).root
    assert MANIFEST.model_id == model_id(program_root, tables_root(commitments), DATA)


def test_another_weight_or_profile_is_another_model() -> None:
    ids = {
        describe(make(profile)).model_id for make in (small_bert, small_llama) for profile in ("E16", "E16x")
    }
    tensors = dict(MODEL.tensors)
    weight = tensors["layer.0.down.weight"].clone()
    weight[0, 0] += 1
    ids.add(
        describe(Model(MODEL.program, {**tensors, "layer.0.down.weight": weight}, MODEL.description)).model_id
    )
    assert len(ids) == 5


def test_holds_natural_numbers_and_strings_only() -> None:
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
            assert not isinstance(value, int) or value >= 0

    visit(json.loads(DATA))


def test_other_spellings_are_refused() -> None:
    document = json.loads(DATA)
    spaced = json.dumps(document, sort_keys=True).encode()
    unsorted = json.dumps(dict(reversed(document.items())), separators=(",", ":")).encode()
    for data in (spaced, unsorted, DATA + b"\n", encode({**document, "more": 1})):
        with pytest.raises(InvalidManifest, match="canonical"):
            Manifest.from_bytes(data)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"\xff", b"{", b"[" * 100_000, b" " * (MAXIMUM_MANIFEST_BYTES + 1)]
)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidManifest):
        Manifest.from_bytes(data)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("format",), "other", "format"),
        (("version",), 1, "version"),
        (("function_tables", "phi"), "0" * 64, "function_tables"),
        (("description", "profile"), "E8", "profile"),
        (("description", "task"), "poetry", "task"),
        (("description", "name"), "a b", "name"),
        (("description", "name"), "", "name"),
        (("description", "tokenizer"), "abc", "tokenizer"),
        (("description", "vocabulary_size"), -1, "vocabulary_size"),
        (("description", "vocabulary_size"), 1.0, "vocabulary_size"),
        (("description", "vocabulary_size"), True, "vocabulary_size"),
        (("description", "labels"), [1], "labels"),
        (("description", "labels"), ["\x1b[31m"], "labels"),
        (("description", "more"), 1, "description must hold"),
        (("input", "kind"), "activation", "input.kind"),
        (("input", "rows"), 3, "no valid size"),
        (("input", "width"), 0, "no valid size"),
        (("operators",), {}, "operators is not a list"),
        (("operators", 0), [], "operator 1 is not an object"),
        (("operators", 0, "kind"), "other", "no operator 'other'"),
        (("operators", 0, "inputs"), [5], "reads value 5"),
        (("operators", 0, "inputs"), [-1], "natural"),
        (("operators", 0, "inputs"), 0, "inputs is not a list"),
        (("operators", 0, "table"), "none", "no table 'none'"),
        (("operators", 1, "constants", "root"), 7, "root 7"),
        (("operators", 3, "constants", "shift"), 63, "shift is 63"),
        (("operators", 3, "constants", "shift"), 17, "shift is 17"),
        (("operators", 3, "constants"), {}, "has constants"),
        (("tables", "layer.0.down", "layout"), "other", "layout"),
        (("tables", "layer.0.down", "rows"), 0, "0 rows"),
        (("tables", "layer.0.down", "columns"), 21, "21 columns"),
        (("tables", "layer.0.down", "root"), "0x", "root"),
        (("tables", "layer.0.down", "types", "weight"), "int16", "weight has type"),
        (("tables", "layer.0.down", "types"), {}, "types must hold"),
        (("tables",), [], "tables is not an object"),
    ],
)
def test_what_does_not_fit_is_named(path: tuple[str | int, ...], value: object, named: str) -> None:
    document: Any = json.loads(DATA)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InvalidManifest, match=named):
        Manifest.from_bytes(encode(document))


# -------------------------------------------------------------------------------------------------- packed files


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_packed(path, MANIFEST, MODEL)
    return path


def test_a_packed_model_reads_back(packed: Path) -> None:
    manifest, model = read_packed(packed, MANIFEST.model_id)
    assert manifest == MANIFEST == read_manifest(packed)
    assert all(torch.equal(model.tensors[name], tensor) for name, tensor in MODEL.tensors.items())
    assert list(packed.parent.iterdir()) == [packed]


def test_another_id_than_expected_is_refused(packed: Path) -> None:
    with pytest.raises(ModelUnavailable, match="holds model"):
        read_packed(packed, b"\0" * 32)


@pytest.mark.parametrize("table", sorted(MODEL.program.tables))
def test_a_flipped_bit_in_any_table_is_found(packed: Path, table: str) -> None:
    tensors = {name: tensor.clone() for name, tensor in MODEL.tensors.items()}
    name = next(key for key in sorted(tensors, reverse=True) if key.startswith(f"{table}."))
    flat = tensors[name].view(-1)
    flat[len(flat) // 2] ^= 1
    save_file(tensors, packed, metadata={"manifest": DATA.decode()})
    with pytest.raises(ModelUnavailable, match=f"table {table} is corrupt"):
        read_packed(packed)


@pytest.mark.parametrize(
    "damage", ["truncated", "empty", "garbage", "missing", "a tensor less", "no manifest"]
)
def test_a_damaged_file_is_refused(packed: Path, damage: str) -> None:
    data = packed.read_bytes()
    if damage in ("truncated", "empty", "garbage"):
        packed.write_bytes({"truncated": data[:-1], "empty": b"", "garbage": b"x" * 1000}[damage])
    elif damage == "missing":
        packed.unlink()
    else:
        tensors = {name: tensor.clone() for name, tensor in MODEL.tensors.items()}
        metadata = {"manifest": DATA.decode()} if damage == "a tensor less" else None
        if damage == "a tensor less":
            tensors.popitem()
        save_file(tensors, packed, metadata=metadata)
    with pytest.raises(ModelUnavailable):
        read_packed(packed)


def test_a_consistent_file_that_could_overflow_is_refused(packed: Path) -> None:
    """Whoever makes a manifest can make its roots fit any weights: the bounds are proved again on every load."""
    tensors = dict(MODEL.tensors)
    bias = tensors["layer.0.down.bias"].clone()
    bias[0] = (1 << 31) - 1
    hostile = Model(MODEL.program, {**tensors, "layer.0.down.bias": bias}, MODEL.description)
    write_packed(packed, describe(hostile), hostile)
    with pytest.raises(ModelRefused, match=r"layer\.0\.down"):
        read_packed(packed)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **keywords: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("proofmill.exact.manifest.packed.save_file", fail)
    with pytest.raises(OSError, match="no space left"):
        write_packed(tmp_path / "model.safetensors", MANIFEST, MODEL)
    assert list(tmp_path.iterdir()) == []
