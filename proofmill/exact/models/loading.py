"""From a model's name or file to the object that runs it."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer

from proofmill.exact.classifier import Classifier
from proofmill.exact.embedder import Embedder
from proofmill.exact.errors import ModelUnavailable
from proofmill.exact.execution.executor import Executor
from proofmill.exact.generator import Generator
from proofmill.exact.kernels.interface import Kernels
from proofmill.exact.kernels.selection import choose_kernels
from proofmill.exact.manifest.document import Manifest
from proofmill.exact.manifest.packed import names_a_file, read_packed
from proofmill.exact.models.catalogue import KNOWN_MODELS, known_model, load_packed
from proofmill.exact.program.model import Model

AnyModel = Embedder | Generator | Classifier


def load_model(
    name: str | Path, *, carrier: str | None = None, device: str = "cpu", cache_directory: Path | None = None
) -> AnyModel:
    """A model by name, id or packed file, on the carrier asked for or the fastest exact one.

    Raises:
        ModelUnavailable: no such model or file, or its bytes are not what they should be.
        InvalidManifest, ModelRefused: a file whose manifest or bounds do not hold.
        CarrierUnavailable: the carrier does not exist or is not exact on this machine.
    """
    path = Path(name)
    tokenizer: Tokenizer | None = None
    if names_a_file(path):
        manifest, model = read_packed(path)
        for known in KNOWN_MODELS.values():
            if known.model_id == manifest.model_id and known.tokenizer is not None:
                tokenizer = known.tokenizer()
    else:
        known = known_model(str(name))
        manifest, model = load_packed(known, cache_directory)
        tokenizer = known.tokenizer() if known.tokenizer is not None else None
    return make(manifest, model, tokenizer, choose_kernels(carrier, device))


def make(manifest: Manifest, model: Model, tokenizer: Tokenizer | None, kernels: Kernels) -> AnyModel:
    """What runs a model that has been checked."""
    with torch.inference_mode():
        executor = Executor(model, kernels)
    description = model.description
    match description.task:
        case "embedding":
            width = model.program.output.width
            return Embedder(manifest.model_id, description, executor, width, tokenizer)
        case "generation":
            return Generator(manifest.model_id, description, executor, tokenizer)
        case "classification":
            return Classifier(manifest.model_id, description, executor, model.program.input)


def load_embedder(
    name: str | Path = "minilm-e16",
    *,
    carrier: str | None = None,
    device: str = "cpu",
    cache_directory: Path | None = None,
) -> Embedder:
    """A sentence encoder; ModelUnavailable if the model is none. See :func:`load_model`."""
    model = load_model(name, carrier=carrier, device=device, cache_directory=cache_directory)
    if not isinstance(model, Embedder):
        raise ModelUnavailable(
            f"{name} is no sentence encoder", remedy="Use a model whose task is embedding."
        )
    return model


def load_generator(
    name: str | Path = "smollm2-e16",
    *,
    carrier: str | None = None,
    device: str = "cpu",
    cache_directory: Path | None = None,
) -> Generator:
    """A language model; ModelUnavailable if the model is none. See :func:`load_model`."""
    model = load_model(name, carrier=carrier, device=device, cache_directory=cache_directory)
    if not isinstance(model, Generator):
        raise ModelUnavailable(
            f"{name} does not generate text", remedy="Use a model whose task is generation."
        )
    return model


def load_classifier(
    name: str | Path = "digits-e16",
    *,
    carrier: str | None = None,
    device: str = "cpu",
    cache_directory: Path | None = None,
) -> Classifier:
    """An image classifier; ModelUnavailable if the model is none. See :func:`load_model`."""
    model = load_model(name, carrier=carrier, device=device, cache_directory=cache_directory)
    if not isinstance(model, Classifier):
        raise ModelUnavailable(f"{name} is no classifier", remedy="Use a model whose task is classification.")
    return model
