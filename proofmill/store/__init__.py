"""Blobs known by 32 bytes that follow from them: kept in a directory, served and fetched over HTTP. Knows no chain and no job."""

from proofmill.store.content_id import Identify, content_id, describe, from_cid, to_cid
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
    "Identify",
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
    "describe",
    "from_cid",
    "to_cid",
]
