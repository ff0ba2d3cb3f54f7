"""Exact-integer inference: the same bits on every machine. Knows no chain, no network and no job."""

from proofmill.exact.embedder import Embedder
from proofmill.exact.errors import (
    CarrierUnavailable,
    ExactError,
    GoldenMismatch,
    InvalidManifest,
    InvalidOperand,
    InvalidSequence,
    InvalidText,
    ModelRefused,
    ModelUnavailable,
    TableMismatch,
)
from proofmill.exact.golden import check_golden
from proofmill.exact.manifest import Manifest, ModelLimits
from proofmill.exact.minilm import MINILM_MODEL_ID, load_minilm

__all__ = [
    "MINILM_MODEL_ID",
    "CarrierUnavailable",
    "Embedder",
    "ExactError",
    "GoldenMismatch",
    "InvalidManifest",
    "InvalidOperand",
    "InvalidSequence",
    "InvalidText",
    "Manifest",
    "ModelLimits",
    "ModelRefused",
    "ModelUnavailable",
    "TableMismatch",
    "check_golden",
    "load_minilm",
]
