"""A real HTTP server in front of a node that loses, delays, repeats, cuts, mixes up and falsifies what passes through it.

    with RpcProxy(anvil.rpc_url, seed=1) as proxy:
        proxy.add(Lag(3), methods=["eth_getLogs"])
        proxy.add(TooManyRequests(retry_after=1), times=1)
        proxy.add(LoseAnswer(), methods=["eth_sendRawTransaction"], rate=0.5)
        web3 = connect(proxy.url)

The first rule that applies to a request decides what happens to it. ``url_for(client)`` gives each client an address of its
own, so that two clients can be told different things. Faults drawn at random come from `seed`, in the order of the requests.
"""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Final, Protocol, Self

import requests

UPSTREAM_SECONDS: Final = 30.0
STASH_SECONDS: Final = 2.0
CUT_AFTER: Final = 0.5  # of the body


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `body` None closes the connection without a word; `is_cut` sends half and closes it."""

    body: bytes | None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    is_cut: bool = False


class Exchange:
    """One request on its way: what was asked, by whom, and how to pass it on."""

    def __init__(self, proxy: RpcProxy, client: str, request: dict[str, Any]) -> None:
        self.proxy = proxy
        self.client = client
        self.request = request
        self.method = str(request.get("method"))
        self.params: list[Any] = list(request.get("params") or [])

    def forward(self, params: list[Any] | None = None) -> dict[str, Any]:
        """The node's own answer, to these or to other parameters."""
        return self.proxy.upstream(self.method, self.params if params is None else params, self.request["id"])

    def ask(self, method: str, params: list[Any]) -> Any:
        """The result of another question to the node; None where it answers with an error."""
        return self.proxy.upstream(method, params, 1).get("result")

    def result(self, value: Any) -> Answer:
        """An answer with this result."""
        return whole({"jsonrpc": "2.0", "id": self.request["id"], "result": value})

    def error(self, code: int, message: str) -> Answer:
        """An answer with this error."""
        return whole(
            {"jsonrpc": "2.0", "id": self.request["id"], "error": {"code": code, "message": message}}
        )


def whole(response: Any) -> Answer:
    """A complete JSON answer."""
    return Answer(json.dumps(response).encode())


class Fault(Protocol):
    """What may happen to a request."""

    def __call__(self, exchange: Exchange, /) -> Answer: ...


# ---------------------------------------------------------------------- the wire
@dataclass(frozen=True, slots=True)
class DropRequest:
    """The node never sees it."""

    def __call__(self, _: Exchange) -> Answer:
        return Answer(None)


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """The node does it, and nobody hears of it."""

    def __call__(self, exchange: Exchange) -> Answer:
        exchange.forward()
        return Answer(None)


@dataclass(frozen=True, slots=True)
class Delay:
    """It takes that many seconds."""

    seconds: float

    def __call__(self, exchange: Exchange) -> Answer:
        time.sleep(self.seconds)
        return whole(exchange.forward())


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The node gets it twice; the second answer is passed on."""

    def __call__(self, exchange: Exchange) -> Answer:
        exchange.forward()
        return whole(exchange.forward())


class WrongOrder:
    """Two requests get each other's answers; one that waits in vain for a second gets its own."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: list[dict[str, Any]] = []
        self._swapped: list[dict[str, Any]] = []

    def __call__(self, exchange: Exchange) -> Answer:
        own = exchange.forward()
        with self._condition:
            if self._waiting:
                other = self._waiting.pop()
                self._swapped.append(own)
                self._condition.notify_all()
                return whole(other)
            self._waiting.append(own)
            self._condition.wait_for(lambda: bool(self._swapped), timeout=STASH_SECONDS)
            if self._swapped:
                return whole(self._swapped.pop())
            self._waiting.clear()
            return whole(own)


class PreviousAnswer:
    """Gives the answer to the question before, as a connection does that is out of step."""

    def __init__(self) -> None:
        self._before: dict[str, Any] = {"jsonrpc": "2.0", "id": -1, "result": "0x0"}
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> Answer:
        own = exchange.forward()
        with self._lock:
            before, self._before = self._before, own
        return whole(before)


@dataclass(frozen=True, slots=True)
class Truncate:
    """Half the body comes, and then the connection ends."""

    def __call__(self, exchange: Exchange) -> Answer:
        body = whole(exchange.forward()).body
        return Answer(body, is_cut=True)


@dataclass(frozen=True, slots=True)
class CutJson:
    """Half the JSON in a body that claims to be whole."""

    def __call__(self, exchange: Exchange) -> Answer:
        body = whole(exchange.forward()).body or b""
        return Answer(body[: int(len(body) * CUT_AFTER)])


@dataclass(frozen=True, slots=True)
class TooManyRequests:
    """HTTP 429."""

    retry_after: float | None = None

    def __call__(self, _: Exchange) -> Answer:
        headers = () if self.retry_after is None else (("Retry-After", f"{self.retry_after:g}"),)
        return Answer(b"slow down", status=429, headers=headers)


@dataclass(frozen=True, slots=True)
class Broken:
    """HTTP 500, or another status."""

    status: int = 500

    def __call__(self, _: Exchange) -> Answer:
        return Answer(b"<html>Internal Server Error</html>", status=self.status, headers=())


@dataclass(frozen=True, slots=True)
class NotJson:
    """A page in place of an answer."""

    def __call__(self, _: Exchange) -> Answer:
        return Answer(b"<html>Please log in</html>")


@dataclass(frozen=True, slots=True)
class Refuse:
    """A JSON-RPC error in place of the node's answer."""

    code: int
    message: str

    def __call__(self, exchange: Exchange) -> Answer:
        return exchange.error(self.code, self.message)


# ---------------------------------------------------------------------- what it says of the chain
@dataclass(frozen=True, slots=True)
class Lie:
    """Changes the result: `change` gets the exchange and the true result."""

    change: Callable[[Exchange, Any], Any]

    def __call__(self, exchange: Exchange) -> Answer:
        response = exchange.forward()
        if "result" in response:
            response["result"] = self.change(exchange, response["result"])
        return whole(response)


@dataclass(frozen=True, slots=True)
class Lag:
    """The node of `blocks` ago: it has no younger block, no receipt of one, no event of one, and says so in its ways.

    Asked for the events of blocks that it does not have, it gives those that it has and no error, as most nodes do.
    """

    blocks: int

    _POSITIONS: ClassVar = {  # where the parameters name a block
        "eth_call": 1,
        "eth_estimateGas": 1,
        "eth_getBalance": 1,
        "eth_getCode": 1,
        "eth_getTransactionCount": 1,
        "eth_getStorageAt": 2,
        "eth_getBlockByNumber": 0,
    }

    def __call__(self, exchange: Exchange) -> Answer:
        head = max(0, int(exchange.ask("eth_blockNumber", []), 16) - self.blocks)
        method, params = exchange.method, list(exchange.params)
        if method == "eth_blockNumber":
            return exchange.result(hex(head))
        if method == "eth_getLogs":
            return self._logs(exchange, head)
        if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getBlockByHash"):
            response = exchange.forward()
            found = response.get("result") or {}
            number = found.get("number" if method == "eth_getBlockByHash" else "blockNumber")
            is_unseen = number is not None and int(number, 16) > head
            return exchange.result(None) if is_unseen else whole(response)
        position = self._POSITIONS.get(method)
        if position is None:
            return whole(exchange.forward())
        while len(params) <= position:
            params.append("latest")
        if self._is_unseen(exchange, params[position], head):
            if method == "eth_getBlockByNumber":
                return exchange.result(None)
            return exchange.error(-32000, "header not found")
        if params[position] in ("latest", "pending"):
            params[position] = hex(head)
        return whole(exchange.forward(params))

    def _logs(self, exchange: Exchange, head: int) -> Answer:
        filters = dict(exchange.params[0])
        if "blockHash" in filters:
            if self._is_unseen(exchange, filters["blockHash"], head):
                return exchange.error(-32000, "unknown block")
            return whole(exchange.forward())
        for name in ("fromBlock", "toBlock"):
            if filters.get(name, "latest") in ("latest", "pending"):
                filters[name] = hex(head)
        if int(filters["fromBlock"], 16) > head:
            return exchange.result([])
        filters["toBlock"] = hex(min(head, int(filters["toBlock"], 16)))
        return whole(exchange.forward([filters]))

    @staticmethod
    def _is_unseen(exchange: Exchange, block: Any, head: int) -> bool:
        if isinstance(block, dict):
            block = block.get("blockHash") or block.get("blockNumber")
        if not isinstance(block, str) or not block.startswith("0x"):
            return False
        if len(block) < 66:
            return int(block, 16) > head
        found = exchange.ask("eth_getBlockByHash", [block, False])
        return found is None or int(found["number"], 16) > head


# ---------------------------------------------------------------------- the server
@dataclass(slots=True)
class _Rule:
    fault: Fault
    methods: frozenset[str] | None
    client: str | None
    times: int | None
    rate: float

    def fits(self, exchange: Exchange) -> bool:
        return (
            (self.methods is None or exchange.method in self.methods)
            and (self.client is None or exchange.client == self.client)
            and self.times != 0
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came through: by whom, what, and the fault it met, by name."""

    client: str
    method: str
    params: tuple[Any, ...] = field(hash=False)
    fault: str | None


class RpcProxy:
    """A misbehaving proxy on a free port of this machine; a context manager."""

    def __init__(self, upstream_url: str, *, seed: int = 0) -> None:
        self._upstream_url = upstream_url
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._under_way = 0
        self._idle = threading.Condition(self._lock)
        self._session = requests.Session()
        self.seen: list[Seen] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        with self._idle:  # what is late must not reach the node when its caller thinks that all is over
            self._idle.wait_for(lambda: self._under_way == 0, timeout=UPSTREAM_SECONDS)
        self._thread.join()
        self._session.close()

    @property
    def url(self) -> str:
        """Where it answers anybody."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def url_for(self, client: str) -> str:
        """Where it answers `client`."""
        return f"{self.url}/{client}"

    # ------------------------------------------------------------------ what it does
    def add(
        self,
        fault: Fault,
        *,
        methods: Collection[str] | None = None,
        client: str | None = None,
        times: int | None = None,
        rate: float = 1.0,
    ) -> None:
        """Have `fault` happen to requests of these methods (any), of this client (any), so many times (always), at this rate."""
        chosen = None if methods is None else frozenset(methods)
        with self._lock:
            self._rules.append(_Rule(fault, chosen, client, times, rate))

    def add_at_random(self, faults: Sequence[Fault], *, rate: float, client: str | None = None) -> None:
        """Have any of `faults` happen to any request; `rate` is the probability that one of them does."""
        draw = self._random.choice
        self.add(lambda exchange: draw(faults)(exchange), client=client, rate=rate)

    def heal(self) -> None:
        """From now on pass everything on as it is."""
        with self._lock:
            self._rules.clear()

    def count(self, method: str, client: str | None = None) -> int:
        """How many requests of a method came."""
        with self._lock:
            return sum(one.method == method and client in (None, one.client) for one in self.seen)

    # ------------------------------------------------------------------ one request
    def handle(self, client: str, request: dict[str, Any]) -> Answer:
        """What one request gets."""
        exchange = Exchange(self, client, request)
        with self._lock:
            rule = next((one for one in self._rules if one.fits(exchange)), None)
            if rule is not None and rule.rate < 1 and self._random.random() >= rule.rate:
                rule = None
            if rule is not None and rule.times is not None:
                rule.times -= 1
            name = None if rule is None else type(rule.fault).__name__
            self.seen.append(Seen(client, exchange.method, tuple(exchange.params), name))
            self._under_way += 1
        try:
            return whole(exchange.forward()) if rule is None else rule.fault(exchange)
        finally:
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()

    def upstream(self, method: str, params: list[Any], request_id: Any) -> dict[str, Any]:
        """The node's own answer."""
        body = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        response: dict[str, Any] = self._session.post(
            self._upstream_url, json=body, timeout=UPSTREAM_SECONDS
        ).json()
        return response


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: RpcProxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        # Small answers in two writes would wait for each other (Nagle against delayed acknowledgements): 40 ms a request.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            answer = self.server.proxy.handle(self.path.strip("/"), request)
        except (requests.RequestException, ValueError):
            answer = Answer(b"the node behind is away", status=502, headers=())
        try:
            self._send(answer)
        except OSError:
            self.close_connection = True  # the client did not wait

    def _send(self, answer: Answer) -> None:
        if answer.body is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.is_cut:
            self.wfile.write(answer.body[: int(len(answer.body) * CUT_AFTER)])
            self.close_connection = True
            return
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: `seen` is the log."""
