"""Execute a request blob on an exact model and return the answer blob. Knows no chain and no network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from proofmill.jobs.embedding import FRACTION_BITS, EmbeddingAnswer, EmbeddingRequest
from proofmill.jobs.errors import InvalidRequest, ModelMismatch, UnknownModel

Progress = Callable[[int, int], None]


class EmbedderLimits(Protocol):
    """The sizes of a model that a request must respect."""

    @property
    def vocabulary_size(self) -> int: ...
    @property
    def maximum_tokens(self) -> int: ...
    @property
    def embedding_size(self) -> int: ...
    @property
    def fraction_bits(self) -> int: ...


class ExactEmbedder(Protocol):
    """What the engine needs of a model: ``proofmill.exact.Embedder`` has it."""

    @property
    def model_id(self) -> bytes: ...
    @property
    def limits(self) -> EmbedderLimits: ...
    def embed(
        self, sequences: Sequence[Sequence[int]], *, batch_size: int = 32, progress: Progress | None = None
    ) -> npt.NDArray[np.int32]: ...


class Engine(Protocol):
    """Runs models by their id. Equal requests give equal bytes on every machine."""

    def model_ids(self) -> frozenset[bytes]:
        """Return the models that can be asked for."""
        ...

    def load(self) -> None:
        """Load every model now, so that a machine that cannot serve says so before it takes work."""
        ...

    def validate(self, model_id: bytes, request: bytes) -> object:
        """Check all that ``execute`` checks, without executing. InvalidRequest, UnknownModel."""
        ...

    def execute(self, model_id: bytes, request: bytes, progress: Progress | None = None) -> bytes:
        """Return the answer blob. InvalidRequest, UnknownModel."""
        ...


class ExactEngine:
    """Exact models, each loaded when it is first asked for and then kept. Thread-safe.

    ``loaders`` says how to load each model; what a loader returns must carry the id it is listed under.
    """

    def __init__(self, loaders: Mapping[bytes, Callable[[], ExactEmbedder]], *, batch_size: int = 32) -> None:
        self._loaders = dict(loaders)
        self._batch_size = batch_size
        self._loaded: dict[bytes, ExactEmbedder] = {}
        self._loading = threading.Lock()  # one model at a time: two at once could exceed the memory

    def model_ids(self) -> frozenset[bytes]:
        """Return the models that can be asked for, loaded or not."""
        return frozenset(self._loaders)

    def load(self) -> None:
        """Load every model now; without this each is loaded when it is first asked for."""
        for model_id in self._loaders:
            self._load(model_id)

    def execute(self, model_id: bytes, request: bytes, progress: Progress | None = None) -> bytes:
        """Return the answer blob; ``progress(done, total)`` counts sequences.

        ``UnknownModel`` and ``InvalidRequest`` are the asker's faults; ``ModelMismatch`` is this machine's.
        """
        embedder, embedding_request = self._prepare(model_id, request)
        limits = embedder.limits
        embeddings = embedder.embed(
            embedding_request.sequences, batch_size=self._batch_size, progress=progress
        )
        expected = (len(embedding_request.sequences), limits.embedding_size)
        if embeddings.shape != expected or embeddings.dtype != np.int32:
            raise ModelMismatch(
                f"the model returned {embeddings.dtype} {embeddings.shape} instead of int32 {expected}",
                remedy="Report this: the model's code and its limits disagree.",
            )
        return EmbeddingAnswer(embeddings, limits.fraction_bits).to_bytes()

    def validate(self, model_id: bytes, request: bytes) -> EmbeddingRequest:
        """Check everything that ``execute`` checks, without executing, and return the request.

        A worker calls this before it claims a job: what passes here can be answered.
        """
        return self._prepare(model_id, request)[1]

    def _prepare(self, model_id: bytes, request: bytes) -> tuple[ExactEmbedder, EmbeddingRequest]:
        if model_id not in self._loaders:
            raise UnknownModel(
                f"model {model_id.hex()} is not run here",
                remedy="Ask for one of: " + ", ".join(sorted(known.hex() for known in self._loaders)),
            )
        embedding_request = EmbeddingRequest.from_bytes(request)
        if embedding_request.model_id != model_id:
            raise InvalidRequest(
                f"model_id: the request names {embedding_request.model_id.hex()}, the job {model_id.hex()}",
                remedy="Post the job with the model that the request names.",
            )
        embedder = self._load(model_id)
        _validate_against(embedding_request, embedder.limits)
        return embedder, embedding_request

    def _load(self, model_id: bytes) -> ExactEmbedder:
        with self._loading:
            embedder = self._loaded.get(model_id)
            if embedder is None:
                embedder = self._loaders[model_id]()
                if embedder.model_id != model_id:
                    raise ModelMismatch(
                        f"the loader of model {model_id.hex()} gave model {embedder.model_id.hex()}",
                        remedy="Install the model files and the Proofmill version of this model id.",
                    )
                if embedder.limits.fraction_bits != FRACTION_BITS:
                    raise ModelMismatch(
                        f"model {model_id.hex()} answers with {embedder.limits.fraction_bits} fraction bits",
                        remedy=f"An answer holds unit vectors in Q.{FRACTION_BITS}: serve a model that makes them.",
                    )
                self._loaded[model_id] = embedder
            return embedder


def minilm_engine(carrier: str | None = None) -> ExactEngine:
    """Return an engine that runs MiniLM in exact integers; ``carrier`` goes to ``load_embedder``.

    Loading includes the golden check: a machine that computes other bits refuses to answer (``GoldenMismatch``).
    """
    # Importing the model imports torch, which takes seconds: only those who run models pay for it.
    from proofmill.exact.models.catalogue import MINILM_MODEL_ID
    from proofmill.exact.models.golden import check_golden
    from proofmill.exact.models.loading import load_embedder

    def load() -> ExactEmbedder:
        embedder = load_embedder("minilm-e16", carrier=carrier)
        check_golden(embedder)
        return embedder

    return ExactEngine({bytes.fromhex(MINILM_MODEL_ID): load})


def _validate_against(request: EmbeddingRequest, limits: EmbedderLimits) -> None:
    for place, ids in enumerate(request.sequences):
        if len(ids) > limits.maximum_tokens:
            raise InvalidRequest(
                f"sequences[{place}]: {len(ids)} tokens are over the limit of {limits.maximum_tokens}",
                remedy="Split the sentence.",
            )
        if max(ids) >= limits.vocabulary_size:
            position = next(index for index, token in enumerate(ids) if token >= limits.vocabulary_size)
            raise InvalidRequest(
                f"sequences[{place}][{position}]: token id {ids[position]} is outside the vocabulary of "
                f"{limits.vocabulary_size}",
                remedy="Use the tokenizer that belongs to the model.",
            )
