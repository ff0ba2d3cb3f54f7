"""A model as its publishers ship it, recognised by its files."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from proofmill.exact.errors import ModelRefused, ModelUnavailable
from proofmill.exact.importers.bert import import_bert
from proofmill.exact.importers.gguf_reader import read_gguf
from proofmill.exact.importers.huggingface_reader import read_huggingface
from proofmill.exact.importers.llama import DEFAULT_MAXIMUM_TOKENS, import_llama
from proofmill.exact.importers.safetensors_reader import read_json, read_safetensors_folder
from proofmill.exact.program.model import Model, Profile

_REMEDY = "Pass a GGUF file, or a directory with config.json and safetensors files."


def import_published(
    path: Path, profile: Profile, *, name: str | None = None, maximum_tokens: int | None = None
) -> Model:
    """A GGUF file of the Llama family, or a directory with config.json and safetensors of the BERT or Llama family.

    Raises:
        ModelUnavailable: files are missing, truncated or not what their names say.
        ModelRefused: the architecture is not supported, or a bound cannot be proved; names the operator or tensor and the reason.
    """
    title = model_name(name if name is not None else path.stem if path.is_file() else path.resolve().name)
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise ModelUnavailable(f"{path} is not a GGUF file; packed files need no import", remedy=_REMEDY)
        source = read_gguf(path)
        return import_llama(
            source, profile, name=title, maximum_tokens=maximum_tokens or DEFAULT_MAXIMUM_TOKENS
        )
    config = read_json(path / "config.json")
    family = config.get("model_type")
    if family == "bert":
        return import_bert(
            read_safetensors_folder(path),
            config,
            profile,
            name=title,
            maximum_tokens=maximum_tokens,
            tokenizer=_sha256(path / "tokenizer.json"),
        )
    if family == "llama":
        return import_llama(
            read_huggingface(path),
            profile,
            name=title,
            maximum_tokens=maximum_tokens or DEFAULT_MAXIMUM_TOKENS,
        )
    raise ModelRefused(
        f"{path / 'config.json'}: model_type is {family!r}, supported are 'bert' and 'llama'",
        remedy="Import a model of one of these families.",
    )


def model_name(text: str) -> str:
    """A name a manifest may hold: other characters become dashes, at most 64 remain."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64]
    return name or "model"


def _sha256(path: Path) -> str:
    """Of a file, or empty if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
