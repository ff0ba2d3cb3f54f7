"""What two endpoints must say before money moves.

One node can lie, or stand on a branch of its own. A decision that costs somebody money is therefore read from several, all at
one block hash, and counts when two say the same. Who has only one endpoint trusts it, and is told so once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar
from weakref import WeakSet

from web3 import Web3
from web3.exceptions import BadResponseFormat, BlockNotFound, Web3RPCError

from proofmill.chain.block_stamp import BlockStamp
from proofmill.chain.endpoint import Endpoint
from proofmill.chain.endpoint_pool import EndpointPool, pool_of
from proofmill.chain.errors import (
    BlockGone,
    ChainError,
    EndpointsDisagree,
    NodeRefused,
    RpcUnavailable,
    WrongChain,
)

logger = logging.getLogger(__name__)

QUORUM: Final = 2
SHOWN_CHARACTERS: Final = 200

Value = TypeVar("Value")

# What says nothing about the chain, only about the endpoint.
_SILENCES: Final = (
    RpcUnavailable,
    WrongChain,
    NodeRefused,
    BlockGone,
    BlockNotFound,
    Web3RPCError,
    BadResponseFormat,
)
_told_of_single: WeakSet[EndpointPool] = WeakSet()


@dataclass(frozen=True, slots=True)
class _Statement:
    """What one endpoint said: a value, or the contract's refusal."""

    endpoint: Endpoint
    value: object
    refusal: ChainError | None = None

    def agrees_with(self, other: _Statement) -> bool:
        if self.refusal is None or other.refusal is None:
            return self.refusal is other.refusal and self.value == other.value
        return (type(self.refusal), str(self.refusal)) == (type(other.refusal), str(other.refusal))

    def __str__(self) -> str:
        shown = repr(self.value) if self.refusal is None else f"refused: {self.refusal}"
        return f"{self.endpoint.name} says {shown[:SHOWN_CHARACTERS]}"


def agreed(web3: Web3, read: Callable[[bytes], Value], stamp: BlockStamp, *, quorum: int = QUORUM) -> Value:
    """What `quorum` endpoints say of the block of `stamp`.

    `read` is given the block's hash and asks through `web3` (or clients made from it); it is called once per endpoint, with
    everything it asks answered by that one. A refusal of the contract (`CallReverted`, `JobNotFound`) is a statement as well
    and is raised once it is agreed upon.

    Raises:
        EndpointsDisagree: fewer than `quorum` say the same; names who said what and who said nothing.
    """
    pool = pool_of(web3)
    if pool is None or len(pool.endpoints) == 1:
        if pool is not None and pool not in _told_of_single:
            _told_of_single.add(pool)
            logger.warning(
                "one endpoint is configured, %s: decisions about money trust it alone", pool.endpoints[0].name
            )
        return read(stamp.hash)
    statements: list[_Statement] = []
    silences: list[str] = []
    for endpoint in pool.ranked():
        try:
            with pool.pinned(endpoint):
                statement = _Statement(endpoint, read(stamp.hash))
        except _SILENCES as error:
            silences.append(f"{endpoint.name} says nothing: {str(error)[:SHOWN_CHARACTERS]}")
            continue
        except ChainError as error:
            statement = _Statement(endpoint, None, error)
        statements.append(statement)
        supporters = [other for other in statements if other.agrees_with(statement)]
        if len(supporters) >= quorum:
            _note_minority(statements, supporters)
            if statement.refusal is not None:
                raise statement.refusal
            return statement.value  # type: ignore[return-value]  # `read` made it
    raise EndpointsDisagree(
        f"no {quorum} endpoints say the same of block {stamp.number} (0x{stamp.hash.hex()}): "
        + "; ".join([*map(str, statements), *silences]),
        remedy="Nothing was decided. Look at the endpoints by name; a third one lets two decide when one is wrong or away.",
    )


def _note_minority(statements: list[_Statement], supporters: list[_Statement]) -> None:
    for statement in statements:
        if statement not in supporters:
            logger.error("an endpoint contradicts %d others: %s", len(supporters), statement)
            statement.endpoint.note_contradiction(str(statement))
