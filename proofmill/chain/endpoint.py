"""What we know of one endpoint: whether it answers, how fast, how far behind it is, whether it serves our chain."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any, Final, Protocol

from web3.types import RPCResponse

from proofmill.chain.errors import RateLimited, RpcUnavailable, WrongChain
from proofmill.chain.node_messages import says_rate_limit
from proofmill.chain.node_provider import DEFAULT_PAUSE, NodeProvider

SMOOTHING: Final = 0.3  # weight of the newest latency
DISTRUST_SECONDS: Final = 300.0  # after it has contradicted the others
CHAIN_CHECK_SECONDS: Final = 60.0  # between two looks whether a wrong chain has been corrected


class RequestResult(StrEnum):
    """How a request ended; the label of a metric."""

    ANSWERED = "answered"
    ERROR = "error"  # the node answered with a JSON-RPC error, such as a revert
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"


class RequestObserver(Protocol):
    """Told of every request: endpoint by its public name, method, result, seconds."""

    def __call__(self, endpoint: str, method: str, result: RequestResult, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """One look at an endpoint. Times are seconds; None is what nobody knows yet."""

    name: str
    is_failing: (
        bool  # its last answer was none, or it contradicts the others; asked only when nobody else answers
    )
    is_wrong_chain: bool
    is_lagging: bool
    latency: float | None  # of eth_blockNumber, smoothed
    head: int | None
    lag: int | None  # blocks behind the best at the last comparison
    failures_in_a_row: int
    last_failure: str | None
    cooled_for: float  # until the node wants to be asked again

    @property
    def is_fit(self) -> bool:
        """Whether nothing speaks against asking it."""
        return not (self.is_failing or self.is_wrong_chain or self.is_lagging or self.cooled_for > 0)


class Endpoint:
    """One node and its health. Threads share it."""

    def __init__(
        self,
        provider: NodeProvider,
        *,
        chain_id: int | None,
        lag_tolerance: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.provider = provider
        self.name = provider.name
        self.chain_id = chain_id
        self.observer: RequestObserver | None = None
        self._lag_tolerance = lag_tolerance
        self._clock = clock
        self._lock = Lock()
        self._is_verified = chain_id is None
        self._wrong_chain: int | None = None
        self._chain_checked_at = float("-inf")
        self._failures = 0
        self._last_failure: str | None = None
        self._distrusted_until = float("-inf")
        self._cooled_until = float("-inf")
        self._latency: float | None = None
        self._head: int | None = None
        self._lag: int | None = None

    # ------------------------------------------------------------------ what a pool asks
    @property
    def health(self) -> EndpointHealth:
        with self._lock:
            return EndpointHealth(
                name=self.name,
                is_failing=self._failures > 0 or self._clock() < self._distrusted_until,
                is_wrong_chain=self._wrong_chain is not None,
                is_lagging=self._lag is not None and self._lag > self._lag_tolerance,
                latency=self._latency,
                head=self._head,
                lag=self._lag,
                failures_in_a_row=self._failures,
                last_failure=self._last_failure,
                cooled_for=max(0.0, self._cooled_until - self._clock()),
            )

    def ask(self, method: str, params: Any) -> RPCResponse:
        """One request, once, of a node that has shown to serve our chain.

        Raises:
            RateLimited: it wants to be left alone, or said so lately.
            RpcUnavailable: no answer to this question.
            WrongChain: it serves another chain.
        """
        self._refuse_while_cooled(method)
        self._verify_chain()
        return self._request(method, params)

    # ------------------------------------------------------------------ what is noted
    def note_chain(self, chain_id: int) -> None:
        """The chain that the endpoint has said to serve."""
        with self._lock:
            self._chain_checked_at = self._clock()
            self._is_verified = self.chain_id is None or chain_id == self.chain_id
            self._wrong_chain = None if self._is_verified else chain_id

    def note_head(self, head: int, latency: float) -> None:
        """The newest block it has shown, and the seconds it took to say so."""
        with self._lock:
            self._head = head
            self._latency = (
                latency if self._latency is None else self._latency + SMOOTHING * (latency - self._latency)
            )

    def note_best_head(self, best: int) -> None:
        """The newest block that any endpoint has shown, asked at the same time."""
        with self._lock:
            self._lag = None if self._head is None else max(0, best - self._head)

    def note_contradiction(self, what: str) -> None:
        """The others say otherwise: for a while it is asked last."""
        with self._lock:
            self._distrusted_until = self._clock() + DISTRUST_SECONDS
            self._last_failure = what

    # ------------------------------------------------------------------ one request
    def _refuse_while_cooled(self, method: str) -> None:
        remaining = self.health.cooled_for
        if remaining > 0:
            raise RateLimited(
                f"the node at {self.name} did not answer {method}: too many requests, again in {remaining:.1f} s",
                remedy="Use a node with a higher limit, or several: rpc_url takes a list.",
                retry_after=remaining,
            )

    def _verify_chain(self) -> None:
        """Before the first answer counts, and again after every failure: addresses outlive the machines behind them."""
        with self._lock:
            is_due = self._clock() - self._chain_checked_at >= CHAIN_CHECK_SECONDS
            wrong, is_verified = self._wrong_chain, self._is_verified
        if is_verified:
            return
        if wrong is None or is_due:
            response = self._request("eth_chainId", [])
            if "result" not in response:
                raise RpcUnavailable(
                    f"the node at {self.name} does not say which chain it serves",
                    remedy="Use the URL of an Ethereum JSON-RPC node.",
                )
            self.note_chain(int(str(response["result"]), 16))
            wrong = self._wrong_chain
        if wrong is not None:
            raise wrong_chain(self.name, wrong, self.chain_id)

    def _request(self, method: str, params: Any) -> RPCResponse:
        started = time.perf_counter()
        result = RequestResult.UNAVAILABLE
        try:
            response = self.provider.ask(method, params)
            if says_rate_limit(response):
                raise RateLimited(
                    f"the node at {self.name} did not answer {method}: it limits its requests",
                    remedy="Use a node with a higher limit, or several: rpc_url takes a list.",
                    retry_after=DEFAULT_PAUSE,
                )
            result = RequestResult.ANSWERED if "result" in response else RequestResult.ERROR
            with self._lock:
                self._failures = 0
            return response
        except RateLimited as error:
            result = RequestResult.RATE_LIMITED
            with self._lock:
                self._cooled_until = self._clock() + error.retry_after
                self._last_failure = str(error)
            raise
        except RpcUnavailable as error:
            with self._lock:
                self._failures += 1
                self._last_failure = str(error)
                self._is_verified = self.chain_id is None
            raise
        finally:
            if self.observer is not None:
                self.observer(self.name, method, result, time.perf_counter() - started)


def wrong_chain(name: str, served: int, expected: int | None) -> WrongChain:
    """An endpoint that serves another chain than we work on."""
    return WrongChain(
        f"{name} serves chain {served}, expected {expected}",
        remedy="Use a node of the right chain, or the deployment manifest of this one.",
    )
