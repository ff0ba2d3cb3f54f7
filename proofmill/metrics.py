"""What a node tells Prometheus: every name, its meaning and its labels, in one place. docs/CHAIN.md has the table.

A registry belongs to one node, so that several in one process (tests) do not mix. Nothing here asks the chain: a scrape must cost
nothing and work when the node is in trouble. Values that need asking are noted by the cycle.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proofmill.chain.endpoint import EndpointHealth, RequestResult

CYCLE_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class CycleResult(StrEnum):
    """How a turn of a node ended."""

    DONE = "done"
    FAILED = "failed"  # for an expected reason: it is logged with its remedy, and the next turn comes


class NodeMetrics:
    """The metrics of one node; `role` and `address` are labels of ``proofmill_node_info``. Threads share it."""

    def __init__(self, *, role: str, address: str, version: str = "") -> None:
        self.registry = CollectorRegistry()
        info = Gauge(
            "proofmill_node_info",
            "1; its labels say who this is.",
            ["role", "address", "version"],
            registry=self.registry,
        )
        info.labels(role, address, version).set(1)
        self._started = time.monotonic()
        self._last_done: float | None = None
        age = Gauge(
            "proofmill_last_cycle_age_seconds",
            "Seconds since a cycle ended well; since the start, where none has.",
            registry=self.registry,
        )
        age.set_function(self._cycle_age)
        self._cycles = Histogram(
            "proofmill_cycle_seconds",
            "How long a cycle took, by its result.",
            ["result"],
            buckets=CYCLE_SECONDS,
            registry=self.registry,
        )
        self._head = Gauge(
            "proofmill_block_number",
            "The newest block of the chain (head) and the one that the node works on (confirmed).",
            ["which"],
            registry=self.registry,
        )
        self._block_time = Gauge(
            "proofmill_confirmed_block_timestamp_seconds",
            "The chain's time of the block that the node works on, in seconds since 1970.",
            registry=self.registry,
        )
        self._transactions = Gauge(
            "proofmill_transactions",
            "Intents in the journal, by state.",
            ["state"],
            registry=self.registry,
        )
        self._fee_bumps = Gauge(
            "proofmill_fee_bumps",
            "Replacements with higher fees that the journal holds, since it began.",
            registry=self.registry,
        )
        self._requests = Histogram(
            "proofmill_rpc_request_seconds",
            "How long requests to Ethereum nodes took, by endpoint, method and result.",
            ["endpoint", "method", "result"],
            buckets=REQUEST_SECONDS,
            registry=self.registry,
        )
        self._jobs = Gauge(
            "proofmill_jobs", "Jobs that the node watches, by state.", ["state"], registry=self.registry
        )
        self._verdicts = Counter(
            "proofmill_verdicts",
            "Verdicts that this member has reached, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self._balance = Gauge(
            "proofmill_balance",
            "What the node's address holds: ether (for gas) and MILL, in whole units.",
            ["token"],
            registry=self.registry,
        )
        self._refused = Counter(
            "proofmill_http_refused",
            "HTTP requests that were refused before anybody looked at them, by reason.",
            ["reason"],
            registry=self.registry,
        )

    # ------------------------------------------------------------------ what a node notes
    @contextmanager
    def cycle(self) -> Iterator[None]:
        """Time one turn; one that raises has failed."""
        started = time.perf_counter()
        result = CycleResult.FAILED
        try:
            yield
            result = CycleResult.DONE
            self._last_done = time.monotonic()
        finally:
            self._cycles.labels(result).observe(time.perf_counter() - started)

    def note_blocks(self, *, head: int, confirmed: int, block_time: int) -> None:
        """The blocks that a cycle works with; `block_time` is that of the confirmed one."""
        self._head.labels("head").set(head)
        self._head.labels("confirmed").set(confirmed)
        self._block_time.set(block_time)

    def note_transactions(self, by_state: Mapping[str, int], fee_bumps: int) -> None:
        """What the journal holds. A state that is left out counts nothing."""
        for state in by_state:
            self._transactions.labels(state).set(by_state[state])
        self._fee_bumps.set(fee_bumps)

    def note_request(self, endpoint: str, method: str, result: RequestResult, seconds: float) -> None:
        """One request to an Ethereum node; fits `EndpointPool.observe`."""
        self._requests.labels(endpoint, method, result).observe(seconds)

    def note_jobs(self, by_state: Mapping[str, int]) -> None:
        """How many jobs are watched in each state; states that are left out count nothing from now on."""
        self._jobs.clear()
        for state, count in by_state.items():
            self._jobs.labels(state).set(count)

    def note_verdict(self, outcome: str) -> None:
        """One verdict more."""
        self._verdicts.labels(outcome).inc()

    def note_balance(self, token: str, amount: float) -> None:
        """What the address holds of ``ether`` or ``MILL``, in whole units."""
        self._balance.labels(token).set(amount)

    def note_refused(self, reason: str) -> None:
        """One HTTP request that was refused, for ``rate`` or ``size``."""
        self._refused.labels(reason).inc()

    def watch_endpoints(self, health: Callable[[], tuple[EndpointHealth, ...]]) -> None:
        """Have each scrape say what is known of the endpoints; `health` asks nobody."""
        self.registry.register(_EndpointCollector(health))

    # ------------------------------------------------------------------ what Prometheus reads
    def render(self) -> bytes:
        """Everything in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _cycle_age(self) -> float:
        return time.monotonic() - (self._started if self._last_done is None else self._last_done)


class _EndpointCollector(Collector):
    """What the pool knows of its endpoints at the moment of a scrape."""

    def __init__(self, health: Callable[[], tuple[EndpointHealth, ...]]) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "proofmill_rpc_endpoint_fit", "1 while nothing speaks against asking it.", labels=["endpoint"]
        )
        lag = GaugeMetricFamily(
            "proofmill_rpc_endpoint_lag_blocks", "Blocks behind the best endpoint.", labels=["endpoint"]
        )
        failures = GaugeMetricFamily(
            "proofmill_rpc_endpoint_failures_in_a_row", "Requests without an answer.", labels=["endpoint"]
        )
        for one in self._health():
            up.add_metric([one.name], float(one.is_fit))
            failures.add_metric([one.name], one.failures_in_a_row)
            if one.lag is not None:  # what nobody has compared is absent, not zero
                lag.add_metric([one.name], one.lag)
        yield from (up, lag, failures)


def metrics_route(metrics: NodeMetrics) -> Route:
    """GET /metrics."""

    def answer(_: Request) -> Response:
        return Response(metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Route("/metrics", answer)
