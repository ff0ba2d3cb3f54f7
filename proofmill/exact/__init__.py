"""Exact-integer inference: the same bits on every machine. Knows no chain, no network and no job.

``proofmill.exact.models.loading`` is where callers start: it turns a model's name or file into an ``Embedder``, a ``Generator``
or a ``Classifier``. Importing this package alone loads no tensor library.
"""

from proofmill.exact.errors import (
    CarrierUnavailable,
    ExactError,
    GoldenMismatch,
    InvalidManifest,
    InvalidOpening,
    InvalidOperand,
    InvalidProgram,
    InvalidSequence,
    InvalidText,
    ModelRefused,
    ModelUnavailable,
    TableMismatch,
)

__all__ = [
    "CarrierUnavailable",
    "ExactError",
    "GoldenMismatch",
    "InvalidManifest",
    "InvalidOpening",
    "InvalidOperand",
    "InvalidProgram",
    "InvalidSequence",
    "InvalidText",
    "ModelRefused",
    "ModelUnavailable",
    "TableMismatch",
]
