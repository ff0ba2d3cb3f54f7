"""Requests of claimed jobs are given to the committee, whose members cannot judge what they cannot read.

A requester may upload its request to one worker alone. No member finds it then, the job ends without a verdict, and a void job
pays a worker for the claim only: the requester would have the answer for next to nothing.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

from proofmill.logs import Logger
from proofmill.store import BlobFetcher, BlobNotFound, BlobStore, StoreError, describe


class RequestSharing:
    """Uploads beside the computation, one request after the other; `close` ends it."""

    def __init__(self, *, fetcher: BlobFetcher, store: BlobStore, log: Logger) -> None:
        self._fetcher, self._store, self._log = fetcher, store, log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sharing")

    def share(self, job_id: int, request: bytes) -> None:
        """Have all peers offered the request of a job; returns at once."""
        if self._fetcher.peers:
            self._thread.submit(self._give, job_id, request)

    def close(self) -> None:
        """Leave out what has not begun; members that lack a request ask this worker for it."""
        self._thread.shutdown(cancel_futures=True)

    def _give(self, job_id: int, request: bytes) -> None:
        try:
            digest, takers = self._fetcher.upload(request)
        except StoreError as error:
            self._log.warning(
                "request not shared",
                job=job_id,
                error=str(error),
                remedy="Without a quorum of members that can read it, nobody is paid for the job: check `peers`.",
            )
            return
        with contextlib.suppress(BlobNotFound):
            self._store.unpin(digest)  # uploading pins; requests would fill the store for ever
        self._log.info("request shared", job=job_id, request=describe(digest), members=len(takers))
