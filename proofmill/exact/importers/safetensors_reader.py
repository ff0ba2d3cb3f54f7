"""Hugging Face model folders: a config.json and the tensors of one or several safetensors files, read one at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from torch import Tensor

from proofmill.exact.errors import ModelRefused, ModelUnavailable
from proofmill.exact.importers.packing import refuse

INDEX_FILE: Final = "model.safetensors.index.json"
SINGLE_FILE: Final = "model.safetensors"
MAXIMUM_DEPTH: Final = 64
_BRACKETS_AND_STRINGS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{\]}]', re.DOTALL)
_REMEDY: Final = "Fetch the model's files again; they are incomplete or damaged."


def unreadable(path: Path, error: BaseException | str) -> ModelUnavailable:
    return ModelUnavailable(f"{path} cannot be read: {error}", remedy=_REMEDY)


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file, decimals kept as Decimal; ModelUnavailable if it is missing or no object."""
    try:
        text = path.read_text("utf-8")
        # Python's parser recurses, and where the limit of recursion was raised, hostile nesting would end the process.
        if _depth(text) > MAXIMUM_DEPTH:
            raise unreadable(path, f"it nests deeper than {MAXIMUM_DEPTH} levels")
        document: Any = json.loads(text, parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not isinstance(document, dict):
        raise unreadable(path, "it is not a JSON object")
    return document


def _depth(text: str) -> int:
    """How deep brackets outside strings nest."""
    depth = greatest = 0
    for found in _BRACKETS_AND_STRINGS.finditer(text):
        if found[0] in "[{":
            depth += 1
            greatest = max(greatest, depth)
        elif found[0] in "]}":
            depth -= 1
    return greatest


def positive_integer(config: Mapping[str, Any], key: str) -> int:
    """A positive whole number of a config; ModelRefused naming the key otherwise."""
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise refuse("config.json", f"{key} is {value!r}, expected a positive integer")
    return value


def exact_number(config: Mapping[str, Any], key: str) -> Fraction:
    """A number of a config exactly as its decimal digits say; ModelRefused naming the key otherwise."""
    value = config.get(key)
    try:
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            return Fraction(value)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise refuse("config.json", f"{key} is {value!r}: {error}") from error
    raise refuse("config.json", f"{key} is {value!r}, expected a number read as a decimal")


class SafetensorsFiles(Mapping[str, Tensor]):
    """Tensors of safetensors files by name; each look-up reads one, so a model larger than memory can be imported.

    Raises ModelUnavailable if a file is missing, truncated or not safetensors, or if two files hold the same tensor.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files: dict[Path, Any] = {}
        self._places: dict[str, Path] = {}
        for path in paths:
            self._open(path)

    def _open(self, path: Path) -> None:
        try:
            file: Any = safe_open(path, framework="pt")
            names: list[str] = list(file.keys())
        except (OSError, SafetensorError) as error:
            raise unreadable(path, error) from error
        self._files[path] = file
        for name in names:
            if name in self._places:
                raise unreadable(path, f"tensor {name} is also in {self._places[name].name}")
            self._places[name] = path

    def __getitem__(self, name: str) -> Tensor:
        path = self._places[name]
        try:
            tensor: Tensor = self._files[path].get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise unreadable(path, error) from error
        return tensor

    def __contains__(self, name: object) -> bool:
        return name in self._places  # the inherited form would read it

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def read_safetensors(path: Path) -> SafetensorsFiles:
    """The tensors of one file."""
    return SafetensorsFiles([path])


def read_safetensors_folder(folder: Path) -> SafetensorsFiles:
    """The tensors of model.safetensors, or of the shards that model.safetensors.index.json lists.

    Raises ModelUnavailable for what is missing or damaged, and ModelRefused if the index names a file outside the folder.
    """
    index = folder / INDEX_FILE
    if not index.exists():
        return read_safetensors(folder / SINGLE_FILE)
    listed = read_json(index).get("weight_map")
    if not isinstance(listed, dict) or not all(isinstance(name, str) for name in listed.values()):
        raise unreadable(index, "it has no weight_map from tensor names to file names")
    for name in listed.values():
        if Path(name).name != name:
            raise ModelRefused(
                f"{index} names the file {name!r}, which is not in the model's folder", remedy=_REMEDY
            )
    files = SafetensorsFiles([folder / name for name in sorted(set(listed.values()))])
    missing = sorted(set(listed) - set(files))
    if missing:
        raise unreadable(index, f"no file holds {missing[0]}")
    return files
