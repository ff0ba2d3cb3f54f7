"""How we reach a node: what is safe to repeat is retried, and it is said plainly when nobody answers."""

from __future__ import annotations

from typing import Any, Final

import requests
from web3 import HTTPProvider, Web3
from web3.exceptions import Web3RPCError
from web3.providers.rpc.utils import REQUEST_RETRY_ALLOWLIST, ExceptionRetryConfiguration
from web3.types import RPCEndpoint, RPCResponse

from proofmill.chain.errors import NodeRefused, RpcUnavailable, WrongChain, rpc_message

# Broadcasting is left to the journal: it must know of each attempt. The rest only reads.
READ_METHODS: Final = tuple(
    method
    for method in REQUEST_RETRY_ALLOWLIST
    if method not in ("eth_sendRawTransaction", "eth_sign", "eth_signTypedData", "evm", "testing", "admin")
)


class NodeProvider(HTTPProvider):
    """An HTTP provider whose transport failures are ``RpcUnavailable``, whoever makes the request."""

    def __init__(
        self, rpc_url: str, *, timeout: float = 10.0, retries: int = 3, backoff: float = 0.1
    ) -> None:
        super().__init__(
            rpc_url,
            request_kwargs={"timeout": timeout},
            exception_retry_configuration=ExceptionRetryConfiguration(
                errors=(requests.RequestException,),
                retries=retries,
                backoff_factor=backoff,
                method_allowlist=READ_METHODS,
            ),
        )
        self.rpc_url = rpc_url

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One request; web3 turns an error *in* the answer into its own exceptions."""
        try:
            return super().make_request(method, params)
        except (requests.RequestException, ConnectionError, ValueError) as error:
            # ValueError: what answered speaks no JSON, such as a proxy's page.
            raise RpcUnavailable(
                f"the node at {self.rpc_url} did not answer {method}: {error}",
                remedy="Check that the node runs and that the URL is right; then run the same command again.",
            ) from error


def connect(rpc_url: str, expected_chain_id: int | None = None, timeout: float = 10.0) -> Web3:
    """A connection to a node that answers and serves the expected chain."""
    web3 = Web3(NodeProvider(rpc_url, timeout=timeout))
    try:
        chain_id = web3.eth.chain_id
    except Web3RPCError as error:
        raise NodeRefused(
            f"{rpc_url} refuses eth_chainId: {rpc_message(error)}",
            remedy="Use the URL of an Ethereum JSON-RPC node.",
        ) from error
    if expected_chain_id is not None and chain_id != expected_chain_id:
        raise WrongChain(
            f"{rpc_url} serves chain {chain_id}, expected {expected_chain_id}",
            remedy="Use a node of the right chain, or the deployment manifest of this one.",
        )
    return web3
