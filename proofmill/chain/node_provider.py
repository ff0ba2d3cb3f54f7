"""One JSON-RPC endpoint over HTTP, believed no further than it must be.

An answer counts if it is whole, is JSON, is not larger than we can hold, came in time, and carries the number of the
question. Whatever else comes back is `RpcUnavailable`: a proxy's page, half a body, the answer to another question.
"""

from __future__ import annotations

import itertools
import json
import secrets
import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from web3 import HTTPProvider
from web3.providers.rpc.utils import REQUEST_RETRY_ALLOWLIST
from web3.types import RPCEndpoint, RPCResponse

from proofmill.chain.errors import RateLimited, RpcUnavailable

# Broadcasting is left to the journal: it must know of each attempt. The rest only reads.
READ_METHODS: Final = frozenset(REQUEST_RETRY_ALLOWLIST) - {
    "eth_sendRawTransaction",
    "eth_sign",
    "eth_signTypedData",
    "evm",
    "testing",
    "admin",
}
MAXIMUM_ANSWER_BYTES: Final = 256 << 20  # the logs of 50,000 busy blocks are a tenth of it
CHUNK_BYTES: Final = 1 << 16
SLOWEST_ANSWER: Final = 6.0  # a whole answer may take this many times the wait for its next byte
DEFAULT_PAUSE: Final = 1.0  # seconds, where a rate limit does not say how long it lasts
MAXIMUM_PAUSE: Final = 300.0


def is_read(method: str) -> bool:
    """Whether asking twice does no harm."""
    return method in READ_METHODS or method.partition("_")[0] in READ_METHODS


class NodeProvider(HTTPProvider):
    """An HTTP provider whose transport failures are ``RpcUnavailable``, whoever makes the request. Threads share it."""

    def __init__(
        self, rpc_url: str, *, timeout: float = 10.0, retries: int = 3, backoff: float = 0.1
    ) -> None:
        session = requests.Session()
        # Threads share the session; cookies would be its only state, and no node needs them.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        super().__init__(rpc_url, session=session, exception_retry_configuration=None)
        self.rpc_url = rpc_url
        self.name = public_name(rpc_url)
        self.retries = retries
        self._session = session
        self._timeout = timeout
        self._backoff = backoff
        # Counting from a random number, so that the answer to another client's question is not taken for ours.
        self.request_counter = itertools.count(secrets.randbits(48))

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One request, repeated after a transport failure if it only reads.

        web3 turns an error *in* the answer into its own exceptions.
        """
        attempts = self.retries if is_read(method) else 1
        for attempt in range(attempts):
            try:
                return self.ask(method, params)
            except RateLimited:
                raise
            except RpcUnavailable:
                if attempt == attempts - 1:
                    raise
                time.sleep(self._backoff * 2**attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def ask(self, method: str, params: Any) -> RPCResponse:
        """One request, once.

        Raises:
            RateLimited: HTTP 429; with how long to leave the node alone.
            RpcUnavailable: anything else that is no answer to this question.
        """
        body = self.encode_rpc_request(RPCEndpoint(method), params)
        try:
            raw = self._post(method, body)
            response = json.loads(raw)
        except (requests.RequestException, ConnectionError, ValueError) as error:
            # ValueError: what answered speaks no JSON, such as a proxy's page, or half of it arrived.
            raise self._unavailable(method, str(error)) from error
        if not isinstance(response, dict) or not ("result" in response or response.get("error") is not None):
            raise self._unavailable(method, "the body is no JSON-RPC answer")
        if response.get("id") != json.loads(body)["id"] and not (
            response.get("id") is None and "error" in response  # what could not be read cannot be named
        ):
            raise self._unavailable(method, "the body answers another question")
        return response  # type: ignore[return-value]  # as far as JSON-RPC goes, checked above

    def _post(self, method: str, body: bytes) -> bytes:
        deadline = time.monotonic() + SLOWEST_ANSWER * self._timeout
        with self._session.post(
            self.rpc_url, data=body, headers=self.get_request_headers(), timeout=self._timeout, stream=True
        ) as response:
            if response.status_code == requests.codes.too_many_requests:
                pause = retry_after(response.headers.get("Retry-After"))
                raise RateLimited(
                    f"the node at {self.name} did not answer {method}: too many requests, again in {pause:g} s",
                    remedy="Use a node with a higher limit, or several: rpc_url takes a list.",
                    retry_after=pause,
                )
            response.raise_for_status()
            received = bytearray()
            for chunk in response.iter_content(CHUNK_BYTES):
                received += chunk
                if len(received) > MAXIMUM_ANSWER_BYTES:
                    raise ValueError(f"the answer has more than {MAXIMUM_ANSWER_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise requests.ReadTimeout(f"no whole answer in {SLOWEST_ANSWER * self._timeout:g} s")
        return bytes(received)

    def _unavailable(self, method: str, why: str) -> RpcUnavailable:
        # The URL of a hosted node holds its key, and the messages of the transport hold the URL.
        secret = self.rpc_url.partition(urlsplit(self.rpc_url).netloc)[2]
        shown = why.replace(secret, "/…") if len(secret) > 1 else why
        return RpcUnavailable(
            f"the node at {self.name} did not answer {method}: {shown}",
            remedy="Check that the node runs and that the URL is right; then run the same command again.",
        )


def public_name(rpc_url: str) -> str:
    """Where an endpoint is, without what follows the host: for hosted nodes that is a key."""
    parts = urlsplit(rpc_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def retry_after(header: str | None) -> float:
    """The seconds of a Retry-After header, within reason; of one with a date or without sense, the usual second."""
    try:
        seconds = float(header or "")
    except ValueError:
        return DEFAULT_PAUSE
    return min(max(seconds, 0.0), MAXIMUM_PAUSE) if seconds == seconds else DEFAULT_PAUSE
