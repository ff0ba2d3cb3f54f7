"""A model as one file: its tensors in safetensors format, its manifest in the file's metadata."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from proofmill.exact.errors import ModelUnavailable
from proofmill.exact.manifest.document import Manifest, verify_tensors
from proofmill.exact.program.bounds import check_bounds
from proofmill.exact.program.model import Model


def write_packed(path: Path, manifest: Manifest, model: Model) -> None:
    """Write beside, then rename: a reader sees the whole file or none. OSError if the file cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".partial")
    os.close(handle)
    try:
        tensors = {key: tensor.contiguous() for key, tensor in model.tensors.items()}
        save_file(tensors, name, metadata={"manifest": manifest.to_bytes().decode("ascii")})
        # The temporary file is for its owner alone; the model is as readable as any new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def names_a_file(name: str | Path) -> bool:
    """Whether a model's name is meant as the path of a packed file: by its ending, or because something is there."""
    try:
        return Path(name).suffix == ".safetensors" or Path(name).exists()
    except OSError:  # too long for a path
        return False


def read_manifest(path: Path) -> Manifest:
    """The manifest of a packed model; its weights are neither read nor checked. ModelUnavailable, InvalidManifest."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}", remedy=_remedy(path)) from error
    if "manifest" not in metadata:
        raise ModelUnavailable(
            f"{path} is not a packed model: it carries no manifest",
            remedy="Make one with `proofmill model import`.",
        )
    return Manifest.from_bytes(metadata["manifest"].encode("utf-8"))


def read_packed(path: Path, expected_model_id: bytes | None = None) -> tuple[Manifest, Model]:
    """A packed model after every weight has been hashed against the manifest and every bound proved again.

    Raises:
        ModelUnavailable: the file is truncated, changed, or another model than ``expected_model_id``.
        InvalidManifest, ModelRefused: its manifest is not one of this version, or its bounds do not hold.
    """
    manifest = read_manifest(path)
    if expected_model_id is not None and manifest.model_id != expected_model_id:
        raise ModelUnavailable(
            f"{path} holds model {manifest.model_id.hex()}, expected {expected_model_id.hex()}",
            remedy=_remedy(path),
        )
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}", remedy=_remedy(path)) from error
    model = verify_tensors(manifest, tensors, str(path))
    check_bounds(model)
    return manifest, model


def _remedy(path: Path) -> str:
    if not path.exists():
        return "Check the path, or name one of the packaged models: see `proofmill model list`."
    if path.is_dir() or path.suffix.lower() == ".gguf":
        return f"Import it first: proofmill model import {path} --out FILE.safetensors"
    return "It is damaged or no packed model; make it again with `proofmill model import`."
