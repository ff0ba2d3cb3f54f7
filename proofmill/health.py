"""`/healthz` and `/readyz` of a long-running node: alive, and able to do its work."""

import threading
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


class Health:
    """What a node says of itself. Written by its cycle, read by the HTTP threads."""

    def __init__(self, *, role: str, address: str, stale_after: float) -> None:
        self._lock = threading.Lock()
        self._facts: dict[str, Any] = {"role": role, "address": address}
        self._stale_after = stale_after
        self._last_cycle: float | None = None

    def cycle_done(self, **facts: Any) -> None:
        """A cycle ended well; `facts` (JSON values) replace those of the same name."""
        with self._lock:
            self._last_cycle = time.monotonic()
            self._facts.update(facts)

    def report(self) -> tuple[bool, dict[str, Any]]:
        """(ready, facts): ready means that a cycle ended well within the last `stale_after` seconds."""
        with self._lock:
            age = None if self._last_cycle is None else time.monotonic() - self._last_cycle
            ready = age is not None and age <= self._stale_after
            return ready, {
                **self._facts,
                "ready": ready,
                "last_cycle_seconds_ago": None if age is None else round(age, 1),
            }


def health_routes(health: Health) -> list[Route]:
    """GET /healthz: 200 while the process serves. GET /readyz: 200 or 503, with the facts."""

    def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"alive": True})

    def readyz(_: Request) -> JSONResponse:
        ready, facts = health.report()
        return JSONResponse(facts, status_code=200 if ready else 503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
