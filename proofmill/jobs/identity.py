"""By which 32 bytes a blob is known: the root of a request or an answer, the sha2-256 of anything else."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from proofmill.jobs.embedding import EmbeddingAnswer, EmbeddingRequest
from proofmill.jobs.errors import JobError

#: Every kind of blob that is known by a root. Roots of different kinds cannot be equal: their preimages differ in length.
_ROOTS: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda blob: EmbeddingRequest.from_bytes(blob).root,
    lambda blob: EmbeddingAnswer.from_bytes(blob).root,
)


def identify(blob: bytes) -> bytes:
    """Return the blob's identity, which is that of no other blob: this is what contracts hold and stores file it under.

    A well-formed request has the input root of its job, a well-formed answer the deliverable; other bytes, and so blobs of a
    kind that this version does not know, have their sha2-256.
    """
    digest = hashlib.sha256(blob).digest()
    known = _recent.get(digest)
    if known is None:
        known = _root_of(blob) or digest
        _recent.put(digest, known)
    return known


def _root_of(blob: bytes) -> bytes | None:
    for root in _ROOTS:
        try:
            return root(blob)
        except JobError:
            continue
    return None


class _Recent:
    """Identities by sha2-256, the latest of them. A node hashes a blob each time it is read, and strangers may ask for the same
    one again and again: a root takes a hundred times as long as a sha2-256.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._identities: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> bytes | None:
        with self._lock:
            identity = self._identities.get(digest)
            if identity is not None:
                self._identities.move_to_end(digest)
            return identity

    def put(self, digest: bytes, identity: bytes) -> None:
        with self._lock:
            self._identities[digest] = identity
            while len(self._identities) > self._capacity:
                self._identities.popitem(last=False)


_recent = _Recent(capacity=4_096)
