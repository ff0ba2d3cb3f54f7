"""What can be wrong with a job's request, answer or source document."""

from __future__ import annotations

from proofmill.errors import ProofmillError


class JobError(ProofmillError):
    """Base of every error of ``proofmill.jobs``."""


class InvalidRequest(JobError, ValueError):
    """A request that no worker can answer; the message names the field or the place."""


class InvalidAnswer(JobError, ValueError):
    """Bytes that are not an answer; the message names the field."""


class InvalidDocument(JobError, ValueError):
    """A document from which no sentences can be taken."""


class UnknownModel(JobError, LookupError):
    """The engine does not run the model asked for."""


class ModelMismatch(JobError):
    """What was loaded, or what it computed, is not what its identity promises."""
