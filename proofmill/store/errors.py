"""What can go wrong with blobs; every error says what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proofmill.errors import ProofmillError


class StoreError(ProofmillError):
    """Base of every error of ``proofmill.store``."""


class InvalidContentId(StoreError, ValueError):
    """A text or byte string that is not the identifier of a blob."""


class BlobNotFound(StoreError, LookupError):
    """The store does not have the blob."""


class CorruptBlob(StoreError):
    """The stored bytes no longer have the identity they are stored under; they were moved aside."""


class StoreFull(StoreError):
    """The quota, or the disk, has no room for the blob."""


class StoreUnusable(StoreError):
    """The operating system refuses the store's directory."""


class InvalidPeer(StoreError, ValueError):
    """A peer address that is not an ``http`` or ``https`` URL."""


class BlobTooLarge(StoreError, ValueError):
    """A blob over the limit of the one who would carry it."""


@dataclass(frozen=True)
class PeerAnswer:
    """What one peer said to one question."""

    peer: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.peer}: {self.outcome}"


def _list_answers(answers: Sequence[PeerAnswer]) -> str:
    return "; ".join(str(answer) for answer in answers) if answers else "no peer is configured"


class BlobUnavailable(StoreError, LookupError):
    """Neither the local store nor any peer gave the blob; ``answers`` holds each peer's last answer."""

    def __init__(self, message: str, *, answers: Sequence[PeerAnswer], remedy: str) -> None:
        super().__init__(f"{message} ({_list_answers(answers)})", remedy=remedy)
        self.answers = tuple(answers)


class UploadRefused(StoreError):
    """No peer took the blob; ``answers`` holds each peer's answer."""

    def __init__(self, message: str, *, answers: Sequence[PeerAnswer], remedy: str) -> None:
        super().__init__(f"{message} ({_list_answers(answers)})", remedy=remedy)
        self.answers = tuple(answers)


class ServiceFailed(StoreError):
    """An HTTP service could not start or did not stop."""


class PortTaken(ServiceFailed, OSError):
    """Another process listens on the wanted address."""
