"""Run a Starlette application in a background thread, at an address known before the first request."""

from __future__ import annotations

import errno
import socket
import threading
import time
from types import TracebackType

import uvicorn
from starlette.types import ASGIApp

from proofmill.store.errors import PortTaken, ServiceFailed

_START_SECONDS = 20.0


class ServiceServer:
    """An HTTP server in a thread of this process; ``port`` 0 takes a free port. Also a context manager."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        graceful_shutdown_seconds: int = 5,
        maximum_connections: int = 256,
    ) -> None:
        self._host = host
        self._port = port
        self._graceful_shutdown_seconds = graceful_shutdown_seconds
        self._config = uvicorn.Config(
            app,
            log_config=None,  # logging belongs to the process that imports this
            access_log=False,
            server_header=False,
            ws="none",
            limit_concurrency=maximum_connections,
            timeout_graceful_shutdown=graceful_shutdown_seconds,
        )
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end; known once started."""
        if self._thread is None:
            raise ServiceFailed("the server is not running", remedy="Call start() first.")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    def start(self) -> ServiceServer:
        """Bind the address and serve; returns when requests are answered. ``PortTaken`` if it is in use."""
        if self._thread is not None:
            raise ServiceFailed(f"the server already runs at {self.url}", remedy="Call stop() first.")
        listener = self._bind()
        self._port = listener.getsockname()[1]
        self._failure = None
        self._server = uvicorn.Server(self._config)
        self._thread = threading.Thread(
            target=self._serve, args=(self._server, listener), name=f"http-{self._port}", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                failure = self._failure
                self.stop()
                raise ServiceFailed(
                    f"the server did not start: {failure or 'the application failed, see the log'}",
                    remedy="Read the log above; start the application alone to see its error.",
                ) from failure
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Take no new requests, let those in progress end, and free the port. May be repeated."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        server.should_exit = True
        thread.join(self._graceful_shutdown_seconds + 5)
        if thread.is_alive():
            server.force_exit = True
            thread.join(5)
        if thread.is_alive():
            raise ServiceFailed(
                f"the server at {self.url} does not stop",
                remedy="A request hangs; end the process to free the port.",
            )
        self._server = self._thread = None

    def __enter__(self) -> ServiceServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            # A restarted service can bind while old connections fade; two listeners stay impossible.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            listener.listen(256)
        except OSError as error:
            listener.close()
            kind = PortTaken if error.errno == errno.EADDRINUSE else ServiceFailed
            raise kind(
                f"cannot listen on {self._host}:{self._port}: {error.strerror or error}",
                remedy="Stop the process that uses it, choose another port, or port 0 for any free one.",
            ) from error
        return listener

    def _serve(self, server: uvicorn.Server, listener: socket.socket) -> None:
        try:
            server.run(sockets=[listener])
        except BaseException as error:  # noqa: BLE001  a failed start is a SystemExit; start() reports it
            self._failure = error
        finally:
            listener.close()
