"""Limits of the HTTP interface, on a real server: rates by address, bodies without end, an orderly end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from proofmill.health import Health, health_routes
from proofmill.http_limits import MAXIMUM_ADDRESSES, RateLimiter, RequestLimits, client_of
from proofmill.metrics import NodeMetrics
from proofmill.store import ServiceServer

LIMIT = 100_000


class Counter:
    """An application that counts the bytes that it is given."""

    def __init__(self) -> None:
        self.received = 0
        self.release = threading.Event()

    async def take(self, request: Request) -> JSONResponse:
        async for chunk in request.stream():
            self.received += len(chunk)
        return JSONResponse({"bytes": self.received})

    def wait(self, _: Request) -> JSONResponse:
        self.release.wait(10)
        return JSONResponse({"done": True})

    def routes(self) -> list[Route]:
        return [Route("/take", self.take, methods=["POST"]), Route("/wait", self.wait)]


@contextmanager
def serving(counter: Counter, *, rate: float = 0.0, burst: int = 5) -> Iterator[tuple[str, list[str]]]:
    refused: list[str] = []
    application = RequestLimits(
        Starlette(routes=counter.routes()),
        requests_per_second=rate,
        burst=burst,
        maximum_body_bytes=LIMIT,
        refused=refused.append,
    )
    with ServiceServer(application) as server:
        yield server.url, refused


def test_rate__more_than_the_burst__is_refused_with_the_time_to_wait() -> None:
    with serving(Counter(), rate=0.5, burst=3) as (url, refused), httpx.Client(trust_env=False) as client:
        answers = [client.post(f"{url}/take", content=b"x") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 2
        assert refused == ["rate", "rate"]


def test_body__within_the_limit__passes() -> None:
    with serving(Counter()) as (url, _), httpx.Client(trust_env=False) as client:
        assert client.post(f"{url}/take", content=b"x" * LIMIT).json() == {"bytes": LIMIT}


def test_body__announced_beyond_the_limit__is_refused_unread() -> None:
    counter = Counter()
    with serving(counter) as (url, refused), httpx.Client(trust_env=False) as client:
        assert client.post(f"{url}/take", content=b"x" * (LIMIT + 1)).status_code == 413
    assert (counter.received, refused) == (0, ["size"])


def test_body__a_gigabyte_in_pieces__is_cut_off_at_the_limit() -> None:
    """The sender never says how much is to come, and never stops."""
    counter = Counter()
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with serving(counter) as (url, refused):
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as connection:
            connection.sendall(b"POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            sent = 0
            with suppress(OSError):  # reset or broken pipe, as the system likes
                while sent < 1 << 30:
                    connection.sendall(piece)
                    sent += len(piece)
    assert counter.received <= LIMIT
    assert refused == ["size"]
    assert sent < 64 << 20  # what the system's own buffers hold, and no more


def test_limiter__bucket__fills_again_and_clients_do_not_share() -> None:
    now = [0.0]
    limiter = RateLimiter(requests_per_second=2, burst=2, clock=lambda: now[0])
    assert [limiter.wait("a") for _ in range(3)] == [0, 0, 0.5]
    assert limiter.wait("b") == 0
    now[0] = 0.5
    assert [limiter.wait("a"), limiter.wait("a")] == [0, 0.5]


def test_limiter__more_addresses_than_it_remembers__memory_is_bounded() -> None:
    limiter = RateLimiter(requests_per_second=1, burst=1)
    for number in range(MAXIMUM_ADDRESSES + 10):
        limiter.wait(str(number))
    assert len(limiter) == MAXIMUM_ADDRESSES


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("testclient", "testclient"),
    ],
)
def test_client_of__addresses_of_one_client__share_a_bucket(address: str, client: str) -> None:
    assert client_of({"client": (address, 1)}) == client


def test_stop__request_in_progress__is_answered_before_the_end() -> None:
    counter = Counter()
    answers: list[httpx.Response] = []
    with serving(counter) as (url, _):
        thread = threading.Thread(
            target=lambda: answers.append(httpx.get(f"{url}/wait", trust_env=False, timeout=10))
        )
        thread.start()
        time.sleep(0.3)
        threading.Timer(0.3, counter.release.set).start()
    thread.join()
    assert answers[0].json() == {"done": True}


def test_readyz__while_draining__says_no_and_metrics_stay() -> None:
    metrics = NodeMetrics(role="worker", address="0x0")
    health = Health(role="worker", address="0x0", stale_after=60, metrics=metrics)
    health.cycle_done()
    with (
        ServiceServer(Starlette(routes=health_routes(health))) as server,
        httpx.Client(trust_env=False) as client,
    ):
        assert client.get(f"{server.url}/readyz").status_code == 200
        health.drain()
        answer = client.get(f"{server.url}/readyz")
        assert (answer.status_code, answer.json()["draining"]) == (503, True)
        assert client.get(f"{server.url}/healthz").status_code == 200
        assert "proofmill_node_info" in client.get(f"{server.url}/metrics").text
