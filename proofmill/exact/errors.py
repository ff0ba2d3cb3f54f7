"""Every error the exact engine raises on purpose."""

from __future__ import annotations

from proofmill.errors import ProofmillError


class ExactError(ProofmillError):
    """Base class of the exact engine's expected failures."""


class InvalidOperand(ExactError):
    """An operator was given a tensor whose shape, type or range its definition excludes."""


class InvalidSequence(ExactError):
    """A token sequence is empty, too long, or holds something that is not an id of the vocabulary."""


class InvalidText(ExactError):
    """A text cannot be turned into a token sequence the model accepts."""


class InvalidManifest(ExactError):
    """Bytes are not the canonical manifest of a model this engine knows."""


class ModelRefused(ExactError):
    """The converter cannot prove that a model stays within its exact range."""


class ModelUnavailable(ExactError):
    """The files of a model are not on this machine, or are not the files they should be."""


class CarrierUnavailable(ExactError):
    """The machine type asked for does not exist, or computes wrong products on this machine."""


class TableMismatch(ExactError):
    """A generated function table is not the one this version of the arithmetic pins."""


class GoldenMismatch(ExactError):
    """The whole model gives other bits than the recorded ones on this machine."""


class InvalidProgram(ExactError):
    """A list of operators does not make a program whose bounds are proved."""


class NativeUnavailable(ExactError):
    """The compiled kernels cannot be built or loaded on this machine; the portable ones give the same bits."""


class InvalidOpening(ExactError):
    """A leaf, a path or a position does not belong to the tree it is said to be part of."""
