"""A connection that fails where a test wants it to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from web3 import Web3
from web3.types import RPCEndpoint, RPCResponse

from proofmill.chain.connection import NodeProvider
from proofmill.chain.errors import RpcUnavailable

Hook = Callable[[Any], "RPCResponse | None"]


class FaultyProvider(NodeProvider):
    """Calls ``before`` and ``after`` around one method; a hook may raise, or answer in the node's place."""

    def __init__(
        self, rpc_url: str, method: str, *, before: Hook | None = None, after: Hook | None = None
    ) -> None:
        super().__init__(rpc_url)
        self._method = method
        self._before = before
        self._after = after

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method == self._method and self._before is not None:
            instead = self._before(params)
            if instead is not None:
                return instead
        response = super().make_request(method, params)
        if method == self._method and self._after is not None:
            instead = self._after(params)
            if instead is not None:
                return instead
        return response


def faulty(rpc_url: str, method: str, *, before: Hook | None = None, after: Hook | None = None) -> Web3:
    return Web3(FaultyProvider(rpc_url, method, before=before, after=after))


def once(action: Callable[[], None]) -> Hook:
    """A hook that acts the first time only."""
    remaining = [action]

    def hook(_params: Any) -> None:
        if remaining:
            remaining.pop()()

    return hook


def lose_answer() -> None:
    raise RpcUnavailable("the answer was lost", remedy="none: this is a test")
