"""Every model Proofmill knows by name: how to make it, which id it must have, where its packed form is cached."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from tokenizers import Tokenizer

from proofmill.exact.errors import InvalidManifest, ModelRefused, ModelUnavailable
from proofmill.exact.manifest.document import Manifest, describe
from proofmill.exact.manifest.packed import read_packed, write_packed
from proofmill.exact.models import digits, minilm, smollm2
from proofmill.exact.program.model import Model

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KnownModel:
    """A model that ships in a package. Any other constant, weight, table, limit or tokenizer would be another model id."""

    name: str
    title: str
    model_id: bytes
    convert: Callable[[], Model]
    tokenizer: Callable[[], Tokenizer] | None


def _known(
    name: str,
    title: str,
    model_id: str,
    convert: Callable[[], Model],
    tokenizer: Callable[[], Tokenizer] | None,
) -> KnownModel:
    return KnownModel(name, title, bytes.fromhex(model_id), convert, tokenizer)


MINILM_MODEL_ID: Final = "db14da11c611bc7ed4dcbaa5876881e72ac3ea10cfa0c14b3673b894796bdb53"

KNOWN_MODELS: Final[Mapping[str, KnownModel]] = {
    model.name: model
    for model in (
        _known(
            "minilm-e16",
            "all-MiniLM-L6-v2, sentence embeddings, 8-bit weights",
            MINILM_MODEL_ID,
            partial(minilm.convert, "E16"),
            minilm.load_tokenizer,
        ),
        _known(
            "minilm-e16x",
            "all-MiniLM-L6-v2, sentence embeddings, 15-bit weights",
            "afb9c991bf9643f837763ff618f488e43495953d135c14d3e4ae3e5748e6eb6a",
            partial(minilm.convert, "E16x"),
            minilm.load_tokenizer,
        ),
        _known(
            "smollm2-e16",
            "SmolLM2-135M-Instruct, text generation, 8-bit weights",
            "c2a6481369ee4f73e207282eeeb7c270ee149007e018f03a5b9b017c175658ec",
            partial(smollm2.convert, "E16"),
            smollm2.load_tokenizer,
        ),
        _known(
            "smollm2-e16x",
            "SmolLM2-135M-Instruct, text generation, 15-bit weights",
            "89d3ad5cadaff1f2ac68f285cf8dc7d758d977c017f86b8987cd4504cdeeb08b",
            partial(smollm2.convert, "E16x"),
            smollm2.load_tokenizer,
        ),
        _known(
            "digits-e16",
            "digit-recognizer CNN, handwritten digits, 8-bit weights",
            "7dd8ca56a102421bc41968d1e66018d60636c9668b6cf32f04b030a1222718dd",
            partial(digits.convert, "E16"),
            None,
        ),
        _known(
            "digits-e16x",
            "digit-recognizer CNN, handwritten digits, 15-bit weights",
            "2510e524e627a9a2ed9ee8036cafca69286c4af4aa85be3c9e75d8887ea1d8d4",
            partial(digits.convert, "E16x"),
            None,
        ),
    )
}


def known_model(name: str) -> KnownModel:
    """A model by name or by its id in hexadecimal; ModelUnavailable if there is none."""
    wanted = name.lower().removeprefix("0x")
    for known in KNOWN_MODELS.values():
        if wanted in (known.name, known.model_id.hex()):
            return known
    raise ModelUnavailable(f"there is no model {name!r}", remedy=f"Known models: {', '.join(KNOWN_MODELS)}.")


def default_cache_directory() -> Path:
    """``PROOFMILL_CACHE`` or ``~/.cache/proofmill``."""
    configured = os.environ.get("PROOFMILL_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "proofmill"


def cache_path(known: KnownModel, cache_directory: Path | None = None) -> Path:
    """The packed model's file; its name holds the model id, so versions never collide."""
    directory = cache_directory or default_cache_directory()
    return directory / "models" / f"{known.name}-{known.model_id.hex()[:16]}.safetensors"


def load_packed(known: KnownModel, cache_directory: Path | None = None) -> tuple[Manifest, Model]:
    """The packed model from the cache, or converted from its package and put there. Either way every weight is hashed."""
    path = cache_path(known, cache_directory)
    if path.exists():
        try:
            return read_packed(path, known.model_id)
        except (ModelUnavailable, InvalidManifest, ModelRefused) as error:
            _log.warning("rebuilding the cached model: %s", error)
    model = known.convert()
    manifest = describe(model)
    if manifest.model_id != known.model_id:
        raise ModelUnavailable(
            f"conversion on this machine gave model {manifest.model_id.hex()}, expected {known.model_id.hex()}",
            remedy="The source files are right, so the converter behaves differently here: report a bug.",
        )
    try:
        write_packed(path, manifest, model)
    except (OSError, SafetensorError) as error:
        _log.warning(
            "the packed model cannot be cached at %s, so each start converts it again: %s", path, error
        )
    return manifest, model
