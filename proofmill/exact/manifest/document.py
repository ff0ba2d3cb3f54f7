"""The manifest: a model's program, tables and description as canonical bytes, from which its identity follows.

Every table stands in the manifest with its Merkle root, so the manifest names each weight; the model id hashes the manifest
together with the roots over operators and tables, so a contract that knows only the id can check an opened operator or row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, get_args

import torch
from torch import Tensor

from proofmill.exact import tables
from proofmill.exact.commitment import descriptor
from proofmill.exact.commitment.descriptor import TableCommitment
from proofmill.exact.commitment.leaves import table_root
from proofmill.exact.errors import InvalidManifest, InvalidProgram, ModelUnavailable
from proofmill.exact.program.graph import Operator, Program
from proofmill.exact.program.kinds import LAYOUT_PARTS, Shape, TableShape
from proofmill.exact.program.model import Description, Model, Profile, Task, part_layouts

FORMAT: Final = "proofmill-exact-model"
VERSION: Final = 2
MAXIMUM_MANIFEST_BYTES: Final = 8 << 20
MAXIMUM_DEPTH: Final = 8

FUNCTION_TABLES: Final = {
    "exp2": tables.EXP2_SHA256,
    "gumbel": tables.GUMBEL_SHA256,
    "phi": tables.PHI_SHA256,
    "sigma": tables.SIGMA_SHA256,
}

_TYPE_NAMES: Final = {torch.int8: "int8", torch.int16: "int16", torch.int32: "int32"}
_TYPES: Final = {name: dtype for dtype, name in _TYPE_NAMES.items()}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_REMEDY: Final = "Use a manifest written by this version of Proofmill, or import the model again."


@dataclass(frozen=True)
class TableEntry:
    """What the manifest says of a table: the type of each part, and the Merkle root over its leaves."""

    types: Mapping[str, torch.dtype]
    root: bytes


@dataclass(frozen=True)
class Manifest:
    """A model without its weights."""

    program: Program
    tables: Mapping[str, TableEntry]
    description: Description

    def to_bytes(self) -> bytes:
        """Canonical JSON: ASCII, no white space, keys sorted, natural numbers and strings only."""
        program = self.program
        document = {
            "description": {**asdict(self.description), "labels": list(self.description.labels)},
            "format": FORMAT,
            "function_tables": FUNCTION_TABLES,
            "input": {
                "kind": program.input.kind,
                "rows": program.input.rows or 0,
                "width": program.input.width,
            },
            "operators": [
                {
                    "constants": dict(operator.constants),
                    "inputs": list(operator.inputs),
                    "kind": operator.kind,
                    "table": operator.table,
                }
                for operator in program.operators
            ],
            "tables": {
                name: {
                    "columns": table.columns,
                    "layout": table.layout,
                    "root": self.tables[name].root.hex(),
                    "rows": table.rows,
                    "types": {part: _TYPE_NAMES[dtype] for part, dtype in self.tables[name].types.items()},
                }
                for name, table in program.tables.items()
            },
            "version": VERSION,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")

    @property
    def model_id(self) -> bytes:
        """32 bytes: keccak256(program root ‖ tables root ‖ keccak256(canonical bytes))."""
        commitments = self.commitments
        return descriptor.model_id(
            descriptor.ProgramTree(self.program, commitments).root,
            descriptor.tables_root(commitments),
            self.to_bytes(),
        )

    @property
    def commitments(self) -> dict[str, TableCommitment]:
        """What operators' descriptors say of each table."""
        return {
            name: TableCommitment(
                self.tables[name].root, shape, _stored_bytes(shape, self.description.profile)
            )
            for name, shape in self.program.tables.items()
        }

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Parse and check everything; InvalidManifest unless these are the canonical bytes of a program with proved bounds."""
        document = _parse(data)
        expected = {"format": FORMAT, "version": VERSION, "function_tables": FUNCTION_TABLES}
        for key, value in expected.items():
            if document.get(key) != value:
                raise _invalid(f"{key} is {document.get(key)!r}, this engine knows {value!r}")
        description = _description(_object(document.get("description"), "description"))
        listed = _object(document.get("tables"), "tables")
        shapes = {name: _table_shape(name, entry) for name, entry in listed.items()}
        try:
            program = Program(
                _input(_object(document.get("input"), "input")),
                _operators(document.get("operators")),
                shapes,
            )
        except InvalidProgram as error:
            raise _invalid(str(error)) from error
        entries = {
            name: _table_entry(name, listed[name], shape, description.profile)
            for name, shape in shapes.items()
        }
        manifest = cls(program, entries, description)
        if manifest.to_bytes() != data:
            raise _invalid("the bytes are not the canonical ones, or hold unknown keys")
        return manifest


def describe(model: Model) -> Manifest:
    """The manifest of a model in memory; hashes every weight."""
    entries = {}
    for name, shape in model.program.tables.items():
        parts = table_parts(model.tensors, name, shape)
        entries[name] = TableEntry(
            {part: tensor.dtype for part, tensor in parts.items()}, table_root(shape.layout, parts)
        )
    return Manifest(model.program, entries, model.description)


def table_parts(tensors: Mapping[str, Tensor], name: str, shape: TableShape) -> dict[str, Tensor]:
    """The tensors of one table by part."""
    return {part: tensors[f"{name}.{part}"] for part in LAYOUT_PARTS[shape.layout]}


def verify_tensors(manifest: Manifest, tensors: Mapping[str, Tensor], source: str) -> Model:
    """The model of a manifest, after each table's root has been recomputed; ModelUnavailable if one differs."""
    remedy = "Fetch or import the model again."
    try:
        model = Model(manifest.program, tensors, manifest.description)
    except InvalidProgram as error:
        raise ModelUnavailable(f"{source}: {error}", remedy=remedy) from error
    for name, shape in manifest.program.tables.items():
        if table_root(shape.layout, table_parts(tensors, name, shape)) != manifest.tables[name].root:
            raise ModelUnavailable(f"{source}: table {name} is corrupt", remedy=remedy)
    return model


def _stored_bytes(shape: TableShape, profile: Profile) -> int:
    """Bytes of an integer in the leaves of a table; of a linear operator's, digits of a weight."""
    if shape.layout == "linear":
        return 1 if profile == "E16" else 2
    return 4


# ---------------------------------------------------------------------------------------------------- parsing


def _invalid(reason: str) -> InvalidManifest:
    return InvalidManifest(f"model manifest: {reason}", remedy=_REMEDY)


def _parse(data: bytes) -> dict[str, Any]:
    if len(data) > MAXIMUM_MANIFEST_BYTES:
        raise _invalid(f"{len(data)} bytes, at most {MAXIMUM_MANIFEST_BYTES}")
    if _depth(data) > MAXIMUM_DEPTH:
        raise _invalid("nested too deeply")
    try:
        document = json.loads(data.decode("ascii"))
    except ValueError as error:
        raise _invalid(f"not JSON: {error}") from error
    return _object(document, "the document")


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


def _object(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(f"{place} is not an object")
    return value


def _natural(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise _invalid(f"{place} is not a natural number")
    return value


def _keys(section: Mapping[str, Any], names: set[str], place: str) -> None:
    if set(section) != names:
        raise _invalid(f"{place} must hold exactly {sorted(names)}")


def _description(section: dict[str, Any]) -> Description:
    _keys(section, {item.name for item in fields(Description)}, "description")
    if not isinstance(section["name"], str) or not _NAME.match(section["name"]):
        raise _invalid("description.name is not 1 to 64 letters, digits, dots, dashes and underscores")
    for key, allowed in (("profile", get_args(Profile)), ("task", get_args(Task))):
        if section[key] not in allowed:
            raise _invalid(f"description.{key} is {section[key]!r}, known: {', '.join(allowed)}")
    for key in ("output_fraction_bits", "vocabulary_size", "maximum_tokens"):
        _natural(section[key], f"description.{key}")
    if not isinstance(section["tokenizer"], str) or not re.match(r"([0-9a-f]{64})?\Z", section["tokenizer"]):
        raise _invalid("description.tokenizer is not a sha256")
    labels = section["labels"]
    if not isinstance(labels, list) or not all(
        isinstance(label, str) and label.isprintable() for label in labels
    ):
        raise _invalid("description.labels is not a list of printable strings")
    return Description(**{**section, "labels": tuple(labels)})


def _input(section: dict[str, Any]) -> Shape:
    _keys(section, {"kind", "rows", "width"}, "input")
    if section["kind"] not in ("tokens", "bytes"):
        raise _invalid(f"input.kind is {section['kind']!r}, known: tokens, bytes")
    rows, width = _natural(section["rows"], "input.rows"), _natural(section["width"], "input.width")
    if width < 1 or (section["kind"] == "tokens") != (rows == 0):
        raise _invalid("input has no valid size")
    return Shape(section["kind"], rows or None, width)


def _operators(section: object) -> tuple[Operator, ...]:
    if not isinstance(section, list):
        raise _invalid("operators is not a list")
    operators = []
    for number, entry in enumerate(section, start=1):
        place = f"operator {number}"
        item = _object(entry, place)
        _keys(item, {"constants", "inputs", "kind", "table"}, place)
        if not isinstance(item["kind"], str) or not isinstance(item["table"], str):
            raise _invalid(f"{place}: kind and table must be strings")
        if not isinstance(item["inputs"], list):
            raise _invalid(f"{place}: inputs is not a list")
        constants = _object(item["constants"], f"{place}: constants")
        operators.append(
            Operator(
                item["kind"],
                tuple(_natural(value, f"{place}: an input") for value in item["inputs"]),
                item["table"],
                {name: _natural(value, f"{place}: {name}") for name, value in constants.items()},
            )
        )
    return tuple(operators)


def _table_shape(name: str, value: object) -> TableShape:
    entry = _object(value, f"table {name}")
    _keys(entry, {"columns", "layout", "root", "rows", "types"}, f"table {name}")
    if not _NAME.match(name):
        raise _invalid(f"a table's name is {name!r}")
    if str(entry["layout"]) not in LAYOUT_PARTS:
        raise _invalid(f"table {name} has layout {entry['layout']!r}, known: {', '.join(LAYOUT_PARTS)}")
    rows, columns = (_natural(entry[key], f"table {name}: {key}") for key in ("rows", "columns"))
    if not 1 <= rows < 1 << 31 or not 1 <= columns < 1 << 24:
        raise _invalid(f"table {name} has {rows} rows of {columns}")
    return TableShape(entry["layout"], rows, columns)


def _table_entry(name: str, entry: dict[str, Any], shape: TableShape, profile: Profile) -> TableEntry:
    layouts = part_layouts(shape, profile)
    types = _object(entry["types"], f"table {name}: types")
    _keys(types, set(layouts), f"table {name}: types")
    for part, (allowed, _) in layouts.items():
        if _TYPES.get(str(types[part])) not in allowed:
            raise _invalid(f"table {name}: {part} has type {types[part]!r}")
    if not isinstance(entry["root"], str) or not _DIGEST.match(entry["root"]):
        raise _invalid(f"table {name}: root is not 64 lower-case hexadecimal digits")
    return TableEntry({part: _TYPES[types[part]] for part in layouts}, bytes.fromhex(entry["root"]))
