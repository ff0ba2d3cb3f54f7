"""Several endpoints as one web3 provider.

A read goes to the healthiest endpoint and on to the next where that one fails, wants to be left alone or does not have the
block. The endpoint that answered last is preferred, so that consecutive reads see one node's chain: it is left when it fails,
lags, or another is several times faster. A signed transaction goes to all, since the chain takes it once whoever passes it
on. Everything else (what changes a development chain) goes to the first, once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Queue
from typing import Any, Final

from eth_utils.crypto import keccak
from web3 import Web3
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from proofmill.chain.endpoint import Endpoint, EndpointHealth, RequestObserver
from proofmill.chain.errors import ChainError, RateLimited, RpcUnavailable, WrongChain
from proofmill.chain.node_messages import (
    KNOWN_MESSAGES,
    UNDERPRICED_MESSAGES,
    USED_NONCE_MESSAGES,
    error_of,
    misses_block,
    says,
)
from proofmill.chain.node_provider import NodeProvider, is_read

logger = logging.getLogger(__name__)

BROADCAST: Final = "eth_sendRawTransaction"
PROBE_SECONDS: Final = 15.0
LAG_TOLERANCE: Final = 3  # blocks; two honest nodes differ by one or two at any moment
LOYALTY: Final = 4.0  # how many times faster another endpoint must be to be preferred
ROUNDS: Final = 3  # through all endpoints, for one read
BACKOFF: Final = 0.1  # seconds before the second round, doubled before the third
LONGEST_WAIT: Final = 5.0  # for endpoints that want to be left alone


class EndpointPool(JSONBaseProvider):
    """A web3 provider over one or more endpoints, in the order in which they are preferred. Threads share it."""

    def __init__(
        self,
        providers: Sequence[NodeProvider],
        *,
        chain_id: int | None,
        lag_tolerance: int = LAG_TOLERANCE,
        probe_seconds: float = PROBE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__()
        _tell_apart(providers)
        self.endpoints = tuple(
            Endpoint(provider, chain_id=chain_id, lag_tolerance=lag_tolerance, clock=clock)
            for provider in providers
        )
        self._probe_seconds = probe_seconds
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._last: Endpoint | None = None
        self._probed_at = clock()
        self._pinned = threading.local()

    def __str__(self) -> str:
        return f"endpoints {', '.join(endpoint.name for endpoint in self.endpoints)}"

    def observe(self, observer: RequestObserver) -> None:
        """Have `observer` told of every request from now on."""
        for endpoint in self.endpoints:
            endpoint.observer = observer

    def health(self) -> tuple[EndpointHealth, ...]:
        """Of each endpoint, in their order of preference. Asks nobody."""
        return tuple(endpoint.health for endpoint in self.endpoints)

    # ------------------------------------------------------------------ requests
    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One request to whoever is fit to answer it.

        Raises:
            RpcUnavailable: nobody answered; names each endpoint and why.
            WrongChain: whoever answers serves another chain.
        """
        self._probe_when_due()
        if method == BROADCAST:
            return self._broadcast(params)
        pinned: Endpoint | None = getattr(self._pinned, "endpoint", None)
        if pinned is not None:
            return self._read([pinned], method, params)
        if not is_read(method):
            return self.endpoints[0].ask(method, params)
        return self._read(None, method, params)

    @contextmanager
    def pinned(self, endpoint: Endpoint) -> Iterator[None]:
        """Have this thread's reads answered by `endpoint` and nobody else."""
        before = getattr(self._pinned, "endpoint", None)
        self._pinned.endpoint = endpoint
        try:
            yield
        finally:
            self._pinned.endpoint = before

    def ranked(self) -> list[Endpoint]:
        """All endpoints that are not known to serve another chain, the fittest first."""
        with self._lock:
            last = self._last

        def unfitness(item: tuple[int, Endpoint]) -> tuple[bool, bool, bool, float, int]:
            position, endpoint = item
            health = endpoint.health
            latency = float("inf") if health.latency is None else health.latency
            if endpoint is last:
                latency = 0.0 if health.latency is None else health.latency / LOYALTY
            return health.cooled_for > 0, health.is_failing, health.is_lagging, latency, position

        fit = [item for item in enumerate(self.endpoints) if not item[1].health.is_wrong_chain]
        return [endpoint for _, endpoint in sorted(fit or enumerate(self.endpoints), key=unfitness)]

    def witnesses(self) -> list[Endpoint]:
        """The endpoints, besides the one that this thread's reads go to, whose word counts now: they answer and keep up."""
        ranked = self.ranked()
        asked = getattr(self._pinned, "endpoint", None) or self._last or ranked[0]
        return [endpoint for endpoint in ranked if endpoint is not asked and endpoint.health.is_fit]

    def _read(self, only: list[Endpoint] | None, method: RPCEndpoint, params: Any) -> RPCResponse:
        failures: dict[str, ChainError] = {}
        waited = 0.0
        for round_number in range(ROUNDS):
            if round_number:
                pause = self._pause_before(round_number, only, failures)
                if waited + pause > LONGEST_WAIT:
                    break
                self._sleep(pause)
                waited += pause
            missing: RPCResponse | None = None
            for endpoint in only or self.ranked():
                try:
                    response = endpoint.ask(method, params)
                except (RpcUnavailable, WrongChain) as error:
                    failures[endpoint.name] = error
                    continue
                if misses_block(method, params, response):
                    missing = missing or response
                    continue
                self._prefer(endpoint, only)
                return response
            if missing is not None:
                return missing
        raise self._nobody(method, failures)

    def _pause_before(
        self, round_number: int, only: list[Endpoint] | None, failures: dict[str, ChainError]
    ) -> float:
        """Until the first endpoint may be asked again, and no less than the usual back-off."""
        backoff: float = BACKOFF * 2 ** (round_number - 1)
        if not all(isinstance(error, RateLimited) for error in failures.values()):
            return backoff
        return max(backoff, min(endpoint.health.cooled_for for endpoint in only or self.endpoints))

    def _prefer(self, endpoint: Endpoint, only: list[Endpoint] | None) -> None:
        if only is not None:
            return
        with self._lock:
            before, self._last = self._last, endpoint
        if before is not None and before is not endpoint:
            why = before.health.last_failure or "it is slower or behind"
            logger.info("reads go to %s instead of %s: %s", endpoint.name, before.name, why)

    def _nobody(self, method: str, failures: dict[str, ChainError]) -> ChainError:
        if len(failures) == 1 or all(isinstance(error, WrongChain) for error in failures.values()):
            return next(iter(failures.values()))
        told = "; ".join(str(error) for error in failures.values())
        return RpcUnavailable(
            f"none of {len(failures)} endpoints answered {method}: {told}",
            remedy="Check that the nodes run and that the URLs are right; then run the same command again.",
        )

    # ------------------------------------------------------------------ broadcast
    def _broadcast(self, params: Any) -> RPCResponse:
        """Offers a signed transaction to every endpoint and returns the first that has it, else the most telling refusal."""
        endpoints = self.ranked()
        if len(endpoints) == 1:
            return _accepted(endpoints[0].ask(BROADCAST, params), params)
        answers: Queue[RPCResponse | ChainError] = Queue()

        def offer(endpoint: Endpoint) -> None:
            try:
                answers.put(_accepted(endpoint.ask(BROADCAST, params), params))
            except ChainError as error:
                answers.put(error)

        for endpoint in endpoints:
            # Daemons: one that hangs must neither delay the answer of another nor keep the process.
            threading.Thread(target=offer, args=(endpoint,), name="broadcast", daemon=True).start()
        refusals: list[RPCResponse] = []
        failures: list[ChainError] = []
        for _ in endpoints:
            answer = answers.get()
            if isinstance(answer, ChainError):
                failures.append(answer)
            elif "result" in answer:
                return answer
            else:
                refusals.append(answer)
        if refusals:
            return min(refusals, key=_vagueness)
        raise self._nobody(BROADCAST, {str(position): error for position, error in enumerate(failures)})

    # ------------------------------------------------------------------ health
    def _probe_when_due(self) -> None:
        if len(self.endpoints) == 1:
            return
        with self._lock:
            if self._clock() - self._probed_at < self._probe_seconds:
                return
            self._probed_at = self._clock()
        threading.Thread(target=self.probe, name="endpoint-probe", daemon=True).start()

    def probe(self) -> None:
        """Ask every endpoint for its head and compare them. Failures are noted, not raised."""
        heads: Queue[int | None] = Queue()

        def look(endpoint: Endpoint) -> None:
            head = None
            try:
                started = time.perf_counter()
                head = int(str(endpoint.ask("eth_blockNumber", [])["result"]), 16)
                endpoint.note_head(head, time.perf_counter() - started)
            except (ChainError, KeyError, ValueError) as error:
                logger.debug("no head of %s: %s", endpoint.name, error)
            finally:
                heads.put(head)

        for endpoint in self.endpoints:
            threading.Thread(target=look, args=(endpoint,), name="endpoint-probe", daemon=True).start()
        known = [head for _ in self.endpoints if (head := heads.get()) is not None]
        for endpoint in self.endpoints:
            endpoint.note_best_head(max(known, default=0))


def _tell_apart(providers: Sequence[NodeProvider]) -> None:
    """Two endpoints at one host differ in what is not shown: they are numbered."""
    seen: dict[str, int] = {}
    for provider in providers:
        name = provider.name
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            provider.name = f"{name} #{seen[name]}"


def pool_of(web3: Web3) -> EndpointPool | None:
    """The endpoints behind a connection; None where it was made without a pool."""
    return web3.provider if isinstance(web3.provider, EndpointPool) else None


def _accepted(response: RPCResponse, params: Any) -> RPCResponse:
    """A node that knows the transaction already has accepted it: the answer is then its hash, as the first time."""
    error = error_of(response)
    if error is None or not says(error[1], KNOWN_MESSAGES):
        return response
    raw = bytes.fromhex(str(params[0]).removeprefix("0x")) if isinstance(params[0], str) else bytes(params[0])
    return {"jsonrpc": "2.0", "id": response["id"], "result": f"0x{keccak(raw).hex()}"}


def _vagueness(refusal: RPCResponse) -> int:
    """Which refusal to act upon: one that names what to change first, whatever else is the matter last."""
    error = error_of(refusal)
    message = "" if error is None else error[1]
    return 0 if says(message, UNDERPRICED_MESSAGES) else 1 if says(message, USED_NONCE_MESSAGES) else 2
