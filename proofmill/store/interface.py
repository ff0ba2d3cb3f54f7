"""What every blob store offers, whatever keeps the bytes."""

from __future__ import annotations

from typing import Protocol

DEFAULT_MAXIMUM_BLOB_BYTES = 16 * 1024 * 1024


class BlobStore(Protocol):
    """Bytes by their identity. Blobs never change, so every operation may be repeated."""

    def identify(self, data: bytes) -> bytes:
        """Return the 32 bytes under which this store has ``data``, or would have it."""
        ...

    def put(self, data: bytes, *, pinned: bool = True) -> bytes:
        """Keep ``data`` and return its identity; only unpinned blobs make room for others. StoreFull."""
        ...

    def get(self, digest: bytes) -> bytes:
        """Return the blob, verified against its identity. BlobNotFound, CorruptBlob."""
        ...

    def has(self, digest: bytes) -> bool:
        """Say whether the blob is present; its bytes are only verified by ``get``."""
        ...

    def unpin(self, digest: bytes) -> None:
        """Let the blob make room for others from now on; may be repeated. BlobNotFound."""
        ...
