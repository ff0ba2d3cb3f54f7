"""Proxies that misbehave in front of an anvil of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from web3 import Web3

from adversaries.rpc_proxy import RpcProxy
from proofmill.chain import Suite, connect
from proofmill.devnet.anvil import CHAIN_ID, Anvil
from tests.integration.own_chain import deployment, session_anvil

__all__ = ["deployment", "session_anvil"]

RECIPIENT = "0x00000000000000000000000000000000000000fa"
MakeProxy = Callable[..., RpcProxy]


@pytest.fixture
def make_proxy(anvil: Anvil) -> Iterator[MakeProxy]:
    """Starts proxies, and ends them after the test."""
    with ExitStack() as stack:

        def make(seed: int = 0) -> RpcProxy:
            return stack.enter_context(RpcProxy(anvil.rpc_url, seed=seed))

        yield make


@pytest.fixture
def proxy(make_proxy: MakeProxy) -> RpcProxy:
    return make_proxy()


def through(*proxies: RpcProxy, timeout: float = 5.0) -> Web3:
    """A connection through these proxies, the first preferred."""
    return connect([proxy.url for proxy in proxies], CHAIN_ID, timeout=timeout)


def received(suite: Suite) -> int:
    """What the recipient of these tests has: its history on the shared chain is rolled back."""
    return suite.mill_token.balance_of(RECIPIENT)
