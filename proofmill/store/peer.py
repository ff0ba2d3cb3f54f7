"""One question to one peer: bounded in time and bytes, without redirects, and verified."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import httpx

from proofmill.store.content_id import Identify, describe

Outcome = TypeVar("Outcome")

_MAXIMUM_ERROR_BYTES = 4096
# identity: a compressed body could unfold to more than the limit. close: see ConnectionWatchdog.
_HEADERS = {"Accept-Encoding": "identity", "Connection": "close"}


@dataclass(frozen=True)
class PeerRefusal:
    """Why a peer gave or took nothing; a lie is an answer that no honest peer gives."""

    reason: str
    is_lie: bool = False


class ConnectionWatchdog:
    """Cut the connection of a request after a number of seconds, whatever the peer is doing with it.

    The timeouts of httpx bound the wait for the *next* byte; a peer that sends one byte a second could hold
    the caller for days. The watchdog learns of the connection through httpx's ``trace`` extension, which
    reports only new ones; therefore each request asks for ``Connection: close``.
    """

    def __init__(self, seconds: float) -> None:
        self.has_fired = False
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> ConnectionWatchdog:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Note the connection; called by httpx at each step of a request."""
        if event != "connection.connect_tcp.complete":
            return
        # A duplicate reaches the same connection also after TLS took the original descriptor over.
        handle = info["return_value"].get_extra_info("socket").dup()
        with self._lock:
            self._handle = handle
            if self.has_fired:
                _shut_down(handle)

    def _cut(self) -> None:
        with self._lock:
            self.has_fired = True
            if self._handle is not None:
                _shut_down(self._handle)


def ask_peer(
    client: httpx.Client, peer: str, digest: bytes, seconds: float, maximum_bytes: int, identify: Identify
) -> bytes | PeerRefusal:
    """Return the blob that ``peer`` has under ``digest``, or why it is not to be had there."""

    def read(watchdog: ConnectionWatchdog) -> bytes | PeerRefusal:
        with client.stream(
            "GET",
            f"{peer}/blobs/{digest.hex()}",
            headers=_HEADERS,
            timeout=seconds,
            follow_redirects=False,
            extensions={"trace": watchdog.trace},
        ) as response:
            if response.status_code != 200:
                return _refusal_of(response)
            body = _read_at_most(response, maximum_bytes, watchdog)
        if body is None:
            return PeerRefusal(f"sent more than {maximum_bytes:,} bytes", is_lie=True)
        if watchdog.has_fired:
            return _too_slow(seconds)
        found = identify(body)
        if found != digest:
            return PeerRefusal(f"sent wrong bytes ({describe(found, body)})", is_lie=True)
        return body

    return _bounded(read, seconds)


def offer_to_peer(
    client: httpx.Client, peer: str, digest: bytes, data: bytes, seconds: float
) -> PeerRefusal | None:
    """Give the blob to ``peer``; return None if it took it, otherwise why it did not."""

    def write(watchdog: ConnectionWatchdog) -> PeerRefusal | None:
        with client.stream(
            "PUT",
            f"{peer}/blobs/{digest.hex()}",
            content=data,
            headers={**_HEADERS, "Content-Type": "application/octet-stream"},
            timeout=seconds,
            follow_redirects=False,
            extensions={"trace": watchdog.trace},
        ) as response:
            return None if response.status_code in (200, 201, 204) else _refusal_of(response)

    return _bounded(write, seconds)


def _bounded(question: Callable[[ConnectionWatchdog], Outcome], seconds: float) -> Outcome | PeerRefusal:
    with ConnectionWatchdog(seconds) as watchdog:
        try:
            return question(watchdog)
        except httpx.TimeoutException:
            return _too_slow(seconds)
        except httpx.HTTPError as error:
            if watchdog.has_fired:
                return _too_slow(seconds)
            return PeerRefusal(f"{type(error).__name__}: {str(error) or 'no detail'}"[:300])


def _too_slow(seconds: float) -> PeerRefusal:
    return PeerRefusal(f"gave no complete answer in {seconds:.3g} seconds")


def _read_at_most(response: httpx.Response, maximum_bytes: int, watchdog: ConnectionWatchdog) -> bytes | None:
    """Return the body as sent, never decompressed, or None if over the limit; the watchdog may cut it."""
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > maximum_bytes:
        return None
    body = bytearray()
    for chunk in _chunks_of(response):
        body += chunk
        if len(body) > maximum_bytes:
            return None
        if watchdog.has_fired:
            break
    return bytes(body)


def _chunks_of(response: httpx.Response) -> Iterator[bytes]:
    # A client that was passed in may have a transport that hands over whole responses, not streams.
    return iter([response.content]) if response.is_stream_consumed else response.iter_raw()


def _refusal_of(response: httpx.Response) -> PeerRefusal:
    status = response.status_code
    if 300 <= status < 400:
        return PeerRefusal(f"answered {status}; redirects are refused")
    text = bytearray()
    for chunk in _chunks_of(response):
        text += chunk
        if len(text) > _MAXIMUM_ERROR_BYTES:
            break
    try:
        explanation = json.loads(bytes(text[:_MAXIMUM_ERROR_BYTES]))["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return PeerRefusal(f"answered {status}")
    # The text is the peer's: ascii() keeps control characters out of terminals and logs.
    return PeerRefusal(f"answered {status}: {ascii(str(explanation)[:200])[1:-1]}")


def _shut_down(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the peer was faster
        handle.shutdown(socket.SHUT_RDWR)
