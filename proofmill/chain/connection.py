"""How we reach nodes: one endpoint or several, behind one `Web3` that does not care which of them answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from web3 import Web3
from web3.exceptions import Web3RPCError

from proofmill.chain.endpoint import wrong_chain
from proofmill.chain.endpoint_pool import EndpointPool
from proofmill.chain.errors import ChainError, NodeRefused, RpcUnavailable, rpc_message
from proofmill.chain.node_provider import NodeProvider

logger = logging.getLogger(__name__)

__all__ = ["NodeProvider", "connect", "split_urls"]


def split_urls(value: str | Sequence[str]) -> tuple[str, ...]:
    """Endpoints as settings name them: a list, or one text with commas; each once, in their order of preference."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def connect(
    rpc_url: str | Sequence[str], expected_chain_id: int | None = None, timeout: float = 10.0
) -> Web3:
    """A connection to nodes of which at least one answers and serves the expected chain.

    Endpoints that are away, or serve another chain, are named in the log and join once they are right.

    Raises:
        RpcUnavailable: none answers.
        NodeRefused: what answers is no node.
        WrongChain: all that answer serve another chain.
    """
    urls = split_urls(rpc_url)
    # With several, the next one is the retry.
    retries = 3 if len(urls) == 1 else 1
    providers = [NodeProvider(url, timeout=timeout, retries=retries) for url in urls]
    served: list[int | None] = []
    failures: list[ChainError] = []
    for provider in providers:
        try:
            served.append(_chain_of(provider))
        except ChainError as error:
            served.append(None)
            failures.append(error)
    known = [chain_id for chain_id in served if chain_id is not None]
    expected = expected_chain_id if expected_chain_id is not None else next(iter(known), None)
    pool = EndpointPool(providers, chain_id=expected)
    for endpoint, chain_id in zip(pool.endpoints, served, strict=True):
        if chain_id is not None:
            endpoint.note_chain(chain_id)
            if chain_id != expected:
                failures.append(wrong_chain(endpoint.name, chain_id, expected))
    if expected not in known:
        # What a person has to correct comes before what may pass by itself.
        raise min(failures, key=lambda error: isinstance(error, RpcUnavailable))
    for failure in failures:
        logger.warning("an endpoint cannot be used for now: %s", failure)
    return Web3(pool)


def _chain_of(provider: NodeProvider) -> int:
    try:
        return int(Web3(provider).eth.chain_id)
    except Web3RPCError as error:
        raise NodeRefused(
            f"{provider.name} refuses eth_chainId: {rpc_message(error)}",
            remedy="Use the URL of an Ethereum JSON-RPC node.",
        ) from error
