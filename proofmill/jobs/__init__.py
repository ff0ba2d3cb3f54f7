"""Kinds of jobs: request, answer, and execution on an exact model. Knows no chain and no network."""

from proofmill.jobs.document import MAXIMUM_DOCUMENT_BYTES, sentences_of
from proofmill.jobs.embedding import (
    FRACTION_BITS,
    MAXIMUM_ANSWER_BYTES,
    MAXIMUM_REQUEST_BYTES,
    MAXIMUM_SEQUENCES,
    MAXIMUM_TOKENS_PER_JOB,
    EmbeddingAnswer,
    EmbeddingRequest,
)
from proofmill.jobs.engine import EmbedderLimits, Engine, ExactEmbedder, ExactEngine, minilm_engine
from proofmill.jobs.errors import (
    InvalidAnswer,
    InvalidDocument,
    InvalidRequest,
    JobError,
    ModelMismatch,
    UnknownModel,
)
from proofmill.jobs.identity import identify

__all__ = [
    "FRACTION_BITS",
    "MAXIMUM_ANSWER_BYTES",
    "MAXIMUM_DOCUMENT_BYTES",
    "MAXIMUM_REQUEST_BYTES",
    "MAXIMUM_SEQUENCES",
    "MAXIMUM_TOKENS_PER_JOB",
    "EmbedderLimits",
    "EmbeddingAnswer",
    "EmbeddingRequest",
    "Engine",
    "ExactEmbedder",
    "ExactEngine",
    "InvalidAnswer",
    "InvalidDocument",
    "InvalidRequest",
    "JobError",
    "ModelMismatch",
    "UnknownModel",
    "identify",
    "minilm_engine",
    "sentences_of",
]
