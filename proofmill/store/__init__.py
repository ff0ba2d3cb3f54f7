"""Content-addressed blobs: kept in a directory, served and fetched over HTTP. Knows no chain and no job."""

from proofmill.store.content_id import content_id, from_cid, to_cid
from proofmill.store.directory import DirectoryStore
from proofmill.store.errors import (
    BlobNotFound,
    BlobTooLarge,
    BlobUnavailable,
    CorruptBlob,
    InvalidContentId,
    InvalidPeer,
    PeerAnswer,
    PortTaken,
    ServiceFailed,
    StoreError,
    StoreFull,
    StoreUnusable,
    UploadRefused,
)
from proofmill.store.fetcher import BlobFetcher
from proofmill.store.interface import DEFAULT_MAXIMUM_BLOB_BYTES, BlobStore
from proofmill.store.routes import blob_routes
from proofmill.store.server import ServiceServer

__all__ = [
    "DEFAULT_MAXIMUM_BLOB_BYTES",
    "BlobFetcher",
    "BlobNotFound",
    "BlobStore",
    "BlobTooLarge",
    "BlobUnavailable",
    "CorruptBlob",
    "DirectoryStore",
    "InvalidContentId",
    "InvalidPeer",
    "PeerAnswer",
    "PortTaken",
    "ServiceFailed",
    "ServiceServer",
    "StoreError",
    "StoreFull",
    "StoreUnusable",
    "UploadRefused",
    "blob_routes",
    "content_id",
    "from_cid",
    "to_cid",
]
