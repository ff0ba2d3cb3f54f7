"""What nodes say in words: they agree on words, more or less, and not on codes."""

from __future__ import annotations

from typing import Any, Final

from web3.types import RPCResponse

KNOWN_MESSAGES: Final = ("already known", "already imported", "known transaction")
USED_NONCE_MESSAGES: Final = ("nonce too low", "nonce is too low", "nonce has already been used")
UNDERPRICED_MESSAGES: Final = ("underpriced", "less than block base fee", "fee too low", "price too low")
RATE_LIMIT_MESSAGES: Final = (
    "rate limit",
    "too many requests",
    "request limit",
    "compute units",
    "capacity exceeded",
    "daily request count",
)
RATE_LIMIT_CODES: Final = (429, -32029)
# Of a node that does not have the block (yet), or no longer its state: another may.
MISSING_BLOCK_MESSAGES: Final = (
    "header not found",
    "block not found",
    "unknown block",
    "resource not found",
    "blockoutofrange",
    "block out of range",
    "missing trie node",
    "state not available",
    "pruned",
    "cannot query unfinalized data",
    "beyond current head",
)
ASKS_FOR_BLOCK: Final = ("eth_getBlockByNumber", "eth_getBlockByHash")


def says(message: str, known: tuple[str, ...]) -> bool:
    """Whether a node's message is one of those known to mean a thing."""
    lowered = message.lower()
    return any(text in lowered for text in known)


def error_of(response: RPCResponse) -> tuple[int | None, str] | None:
    """Code and message of an error answer; None where there is a result."""
    detail: Any = response.get("error")
    if detail is None:
        return None
    if isinstance(detail, dict):
        code = detail.get("code")
        return code if isinstance(code, int) else None, str(detail.get("message", ""))
    return None, str(detail)


def says_rate_limit(response: RPCResponse) -> bool:
    """Whether the node refuses to be asked so often, not what it was asked."""
    error = error_of(response)
    return error is not None and (error[0] in RATE_LIMIT_CODES or says(error[1], RATE_LIMIT_MESSAGES))


def misses_block(method: str, params: Any, response: RPCResponse) -> bool:
    """Whether the node does not have what was asked for although it may exist."""
    error = error_of(response)
    if error is not None:
        return says(error[1], MISSING_BLOCK_MESSAGES)
    return response.get("result") is None and method in ASKS_FOR_BLOCK and str(params[0]) != "pending"
