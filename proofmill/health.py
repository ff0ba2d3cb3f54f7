"""`/healthz`, `/readyz` and `/metrics` of a long-running node: alive, able to do its work, and how it fares."""

import threading
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from proofmill.metrics import NodeMetrics, metrics_route


class Health:
    """What a node says of itself. Written by its cycle, read by the HTTP threads."""

    def __init__(
        self, *, role: str, address: str, stale_after: float, metrics: NodeMetrics | None = None
    ) -> None:
        self.metrics = metrics
        self._lock = threading.Lock()
        self._facts: dict[str, Any] = {"role": role, "address": address}
        self._stale_after = stale_after
        self._last_cycle: float | None = None
        self._is_draining = False

    def cycle_done(self, **facts: Any) -> None:
        """A cycle ended well; `facts` (JSON values) replace those of the same name."""
        with self._lock:
            self._last_cycle = time.monotonic()
            self._facts.update(facts)

    def drain(self) -> None:
        """The node ends: not ready from now on, so that whoever spreads requests leaves it out."""
        # No lock: a signal's handler calls this, and may have interrupted a thread that holds it.
        self._is_draining = True

    def report(self) -> tuple[bool, dict[str, Any]]:
        """(ready, facts): ready means that a cycle ended well within the last `stale_after` seconds, and that no end is near."""
        with self._lock:
            age = None if self._last_cycle is None else time.monotonic() - self._last_cycle
            ready = age is not None and age <= self._stale_after and not self._is_draining
            return ready, {
                **self._facts,
                "ready": ready,
                "draining": self._is_draining,
                "last_cycle_seconds_ago": None if age is None else round(age, 1),
            }


def health_routes(health: Health) -> list[Route]:
    """GET /healthz: 200 while the process serves. /readyz: 200 or 503, with the facts. /metrics, where the node has any."""

    def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"alive": True})

    def readyz(_: Request) -> JSONResponse:
        ready, facts = health.report()
        return JSONResponse(facts, status_code=200 if ready else 503)

    routes = [Route("/healthz", healthz), Route("/readyz", readyz)]
    return routes if health.metrics is None else [*routes, metrics_route(health.metrics)]
