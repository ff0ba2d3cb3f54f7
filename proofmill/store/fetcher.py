"""Get blobs from the local store or from peers over HTTP, and give blobs to peers.

A peer is trusted with nothing: its bytes count only if they have the identity asked for, and its time and the
number of bytes it may send are bounded.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from proofmill.store.content_id import describe, validate_digest
from proofmill.store.errors import (
    BlobNotFound,
    BlobTooLarge,
    BlobUnavailable,
    CorruptBlob,
    InvalidPeer,
    PeerAnswer,
    StoreFull,
    UploadRefused,
)
from proofmill.store.interface import DEFAULT_MAXIMUM_BLOB_BYTES, BlobStore
from proofmill.store.peer import PeerRefusal, ask_peer, offer_to_peer

_MAXIMUM_CONCURRENT_UPLOADS = 8
_LEAST_ATTEMPT_SECONDS = 0.05


class BlobFetcher:
    """Fetch from the local store first, then from each peer in turn; upload to all peers. Thread-safe.

    ``peers`` are base URLs such as ``http://10.0.0.2:8091``; a blob is at ``<peer>/blobs/<64 hex digits>``. One
    question to one peer takes at most ``peer_timeout_seconds``, one ``fetch`` at most ``deadline_seconds``.
    Proxy settings of the environment are not used; pass a ``client`` to use a proxy or own certificates.
    """

    def __init__(
        self,
        store: BlobStore,
        peers: Sequence[str] = (),
        *,
        client: httpx.Client | None = None,
        maximum_blob_bytes: int = DEFAULT_MAXIMUM_BLOB_BYTES,
        peer_timeout_seconds: float = 10.0,
        deadline_seconds: float = 30.0,
        rounds: int = 3,
        pause_seconds: float = 0.2,
    ) -> None:
        self._store = store
        self._peers = tuple(dict.fromkeys(_validate_peer(peer) for peer in peers))
        self._owns_client = client is None
        self._client = client if client is not None else build_client()
        self._maximum_blob_bytes = maximum_blob_bytes
        self._peer_timeout_seconds = peer_timeout_seconds
        self._deadline_seconds = deadline_seconds
        self._rounds = rounds
        self._pause_seconds = pause_seconds

    @property
    def peers(self) -> tuple[str, ...]:
        """The base URLs asked, in order."""
        return self._peers

    def fetch(self, digest: bytes, *, deadline_seconds: float | None = None) -> bytes:
        """Return the blob and keep it, unpinned, in the local store.

        Every peer is asked up to ``rounds`` times with growing pauses, except one that sent wrong bytes: it
        is not asked again. Raises ``BlobUnavailable`` with each peer's last answer.
        """
        validate_digest(digest)
        # A damaged local copy is as good as none: the peers' copy replaces it.
        with contextlib.suppress(BlobNotFound, CorruptBlob):
            return self._store.get(digest)
        limit = self._deadline_seconds if deadline_seconds is None else deadline_seconds
        deadline = time.monotonic() + limit
        answers: dict[str, str] = {}
        liars: set[str] = set()
        pause = self._pause_seconds
        for round_number in range(self._rounds):
            for peer in self._peers:
                remaining = deadline - time.monotonic()
                if peer in liars:
                    continue
                if remaining < _LEAST_ATTEMPT_SECONDS:
                    answers.setdefault(peer, f"not asked, the {limit:g} seconds were over")
                    continue
                seconds = min(remaining, self._peer_timeout_seconds)
                outcome = ask_peer(
                    self._client, peer, digest, seconds, self._maximum_blob_bytes, self._store.identify
                )
                if not isinstance(outcome, PeerRefusal):
                    self._keep(outcome)
                    return outcome
                answers[peer] = outcome.reason
                if outcome.is_lie:
                    liars.add(peer)
            last_round = round_number + 1 == self._rounds or len(liars) == len(self._peers)
            if last_round or time.monotonic() + pause >= deadline:
                break
            time.sleep(pause)
            pause *= 2
        raise BlobUnavailable(
            f"{describe(digest)} is not in the local store and no peer gave it",
            answers=[PeerAnswer(peer, text) for peer, text in answers.items()],
            remedy="Add a peer that has the blob, ask its owner to upload it again, or try later.",
        )

    def upload(self, data: bytes) -> tuple[bytes, list[str]]:
        """Keep the blob, pinned, in the local store and give it to every peer at once.

        Returns its identity and the peers that took it; raises ``UploadRefused`` if none did.
        """
        data = bytes(data)
        if len(data) > self._maximum_blob_bytes:
            raise BlobTooLarge(
                f"the blob has {len(data):,} bytes, over the limit of {self._maximum_blob_bytes:,}",
                remedy="Split the work into smaller jobs.",
            )
        digest = self._store.put(data)
        answers: list[PeerAnswer] = []
        accepted: list[str] = []
        if self._peers:
            with ThreadPoolExecutor(min(_MAXIMUM_CONCURRENT_UPLOADS, len(self._peers))) as executor:
                refusals = list(executor.map(lambda peer: self._offer(peer, digest, data), self._peers))
            for peer, refusal in zip(self._peers, refusals, strict=True):
                if refusal is None:
                    accepted.append(peer)
                else:
                    answers.append(PeerAnswer(peer, refusal.reason))
        if not accepted:
            raise UploadRefused(
                f"no peer took {describe(digest, data)}",
                answers=answers,
                remedy="Name a reachable peer that accepts uploads and has room.",
            )
        return digest, accepted

    def close(self) -> None:
        """Close the connections, unless the client was passed in."""
        if self._owns_client:
            self._client.close()

    def __enter__(self) -> BlobFetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _offer(self, peer: str, digest: bytes, data: bytes) -> PeerRefusal | None:
        return offer_to_peer(self._client, peer, digest, data, self._peer_timeout_seconds)

    def _keep(self, data: bytes) -> None:
        # The caller gets the bytes all the same: a full cache is no reason to fail.
        with contextlib.suppress(StoreFull):
            self._store.put(data, pinned=False)


def build_client() -> httpx.Client:
    """A client that takes nothing from the environment and keeps no cookies: for talking to strangers."""
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.Client(trust_env=False, cookies=no_cookies)


def _validate_peer(peer: str) -> str:
    remedy = "Give a base URL such as https://blobs.example.org, without credentials, query or fragment."
    try:
        url = httpx.URL(peer)
    except (httpx.InvalidURL, TypeError) as error:
        raise InvalidPeer(f"{peer!r} is not the address of a peer: {error}", remedy=remedy) from error
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise InvalidPeer(f"{peer!r} is not the address of a peer", remedy=remedy)
    return peer.rstrip("/")
