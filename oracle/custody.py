"""Keeping the requests of claimed jobs, so that nobody can make a verdict impossible by having them evicted.

Uploads are anonymous and make room for each other. A requester that floods the members between claim and verdict would push
its own request out, get its price back for want of a verdict, and still have the worker's answer. From the claim on, when a
worker has put stake behind the job, its request is therefore pinned; it may go again once the job is settled.
"""

from collections.abc import Collection

from proofmill.backoff import Backoff
from proofmill.logs import Logger
from proofmill.store import BlobFetcher, BlobNotFound, BlobStore, BlobUnavailable, StoreError


class Custody:
    """Pins what is needed and unpins what no longer is. A restart forgets what it had pinned: that much room is lost."""

    def __init__(self, *, fetcher: BlobFetcher, store: BlobStore, log: Logger) -> None:
        self._fetcher = fetcher
        self._store = store
        self._log = log
        self._kept: set[bytes] = set()
        self._retries: Backoff[bytes] = Backoff()

    def keep(self, needed: Collection[bytes]) -> None:
        """Pin the blobs `needed`, fetching what is missing, and unpin those of earlier calls that are not among them."""
        for digest in self._kept.difference(needed):
            self._release(digest)
        self._kept.intersection_update(needed)
        self._retries.keep_only(needed)
        for digest in set(needed) - self._kept:
            if self._retries.is_due(digest):
                self._pin(digest)

    def _pin(self, digest: bytes) -> None:
        try:
            self._store.put(self._fetcher.fetch(digest), pinned=True)
        except (BlobUnavailable, StoreError) as error:
            wait = self._retries.postpone(digest)
            self._log.warning("request not kept", error=str(error), retry_in_seconds=wait)
        else:
            self._kept.add(digest)

    def _release(self, digest: bytes) -> None:
        try:
            self._store.unpin(digest)
        except BlobNotFound:
            self._log.warning("a kept request was removed by hand", digest="0x" + digest.hex())
