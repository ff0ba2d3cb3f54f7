"""No client takes a node from the others: a bucket of tokens for each address, and no body beyond what any route takes.

An ASGI application around another. What is refused costs the node a few microseconds and no memory: a request over the rate is
answered before its body is read, a body over the limit is cut off where it crosses it. Addresses that were quiet long enough
for their bucket to be full again are forgotten; of IPv6 a bucket belongs to a network of 64 bits, since one client has all of it.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAXIMUM_ADDRESSES: Final = 10_000
IPV6_PREFIX: Final = 64


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimiter:
    """A bucket of `burst` tokens for each client, refilled at `requests_per_second`; 0 lets everything through.

    For one event loop. The bucket that was used longest ago gives way once there are `MAXIMUM_ADDRESSES`.
    """

    def __init__(
        self, *, requests_per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = requests_per_second
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, client: str) -> float:
        """Takes a token of `client`; returns 0, or the seconds until there is one."""
        if self._rate == 0:
            return 0.0
        now = self._clock()
        bucket = self._buckets.pop(client, None) or _Bucket(self._burst, now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled_at) * self._rate)
        bucket.filled_at = now
        self._buckets[client] = bucket
        if len(self._buckets) > MAXIMUM_ADDRESSES:
            self._buckets.popitem(last=False)
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) / self._rate

    def __len__(self) -> int:
        return len(self._buckets)


class _Body:
    """A body on its way in. Beyond the limit the application is told that the client has gone, and its answer is not sent."""

    def __init__(self, receive: Receive, maximum_bytes: int) -> None:
        self._receive = receive
        self._left = maximum_bytes
        self.is_cut = False

    async def receive(self) -> Message:
        message = {"type": "http.disconnect"} if self.is_cut else await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left >= 0:
            return message
        self.is_cut = True
        return {"type": "http.disconnect"}


class RequestLimits:
    """`application` behind a rate per client address and a limit for bodies; `refused` is told ``rate`` or ``size``."""

    def __init__(
        self,
        application: ASGIApp,
        *,
        requests_per_second: float,
        burst: int,
        maximum_body_bytes: int,
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._application = application
        self._limiter = RateLimiter(requests_per_second=requests_per_second, burst=burst)
        self._maximum_body_bytes = maximum_body_bytes
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        seconds = self._limiter.wait(client_of(scope))
        if seconds > 0:
            self._refused("rate")
            await _refuse(
                429,
                "too many requests from your address",
                remedy="Ask less often.",
                headers={"Retry-After": str(math.ceil(seconds))},
            )(scope, receive, send)
            return
        if _announced_bytes(scope) > self._maximum_body_bytes:
            await self._refuse_size(scope, receive, send)
            return
        body = _Body(receive, self._maximum_body_bytes)

        async def send_unless_cut(message: Message) -> None:
            if not body.is_cut:
                await send(message)

        try:
            await self._application(scope, body.receive, send_unless_cut)
        except ClientDisconnect:
            if not body.is_cut:
                raise
        if body.is_cut:
            await self._refuse_size(scope, receive, send)

    async def _refuse_size(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._refused("size")
        await _refuse(
            413,
            f"the body is over {self._maximum_body_bytes:,} bytes",
            remedy="Split the work into smaller parts.",
            headers={},
        )(scope, receive, send)


def client_of(scope: Scope) -> str:
    """Whose bucket a request takes from. The address is the connection's own: what headers say of it anybody can write."""
    client = scope.get("client")
    if client is None:
        return ""
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return str(client[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)


def _announced_bytes(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value[:20]) if value.isdigit() else 0
    return 0


def _refuse(status: int, why: str, *, remedy: str, headers: dict[str, str]) -> JSONResponse:
    # Closing spares us whatever the client still sends.
    closing = {"Connection": "close", "Cache-Control": "no-store", **headers}
    return JSONResponse({"error": why, "remedy": remedy}, status_code=status, headers=closing)
