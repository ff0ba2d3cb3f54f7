"""One confirmed block that a whole cycle works on, so that nothing it reads is of another moment.

    stamp = choose_stamp(web3, confirmations=6)
    job = escrow.job(7, block=reference(web3, stamp))

Reads name the block by its hash: a node that has another block at this height, or none, then fails instead of answering from
its own. Where a node knows blocks by number only, `reference` is the number, and `check_stamp` at the end of the cycle says
whether the block stood all the while.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import cast
from weakref import WeakKeyDictionary

from eth_typing import Hash32
from web3 import Web3
from web3.exceptions import BlockNotFound, Web3RPCError
from web3.types import BlockData, BlockIdentifier

from proofmill.chain.errors import BlockGone, InvalidValue, NodeRefused, rpc_message
from proofmill.chain.node_messages import MISSING_BLOCK_MESSAGES, says
from proofmill.chain.types import EMPTY_ADDRESS, BlockReference

logger = logging.getLogger(__name__)

_knows_hashes: WeakKeyDictionary[Web3, bool] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class BlockStamp:
    """A block of the chain, as it was when it was chosen."""

    number: int
    hash: bytes  # 32 bytes
    parent: bytes  # 32 bytes, the hash of the block before
    timestamp: int  # seconds since 1970, the chain's clock
    prevrandao: bytes  # 32 bytes that nobody knew before the block: the header's mixHash
    confirmed: int  # blocks that the chain had from this one on, itself included

    @classmethod
    def of(cls, block: BlockData, head: int) -> BlockStamp:
        """The stamp of a block that a node has shown, on a chain whose newest block is `head`."""
        number = int(block["number"])
        return cls(
            number=number,
            hash=bytes(block["hash"]),
            parent=bytes(block["parentHash"]),
            timestamp=int(block["timestamp"]),
            prevrandao=bytes(block["mixHash"]),
            confirmed=max(1, head - number + 1),
        )


def choose_stamp(web3: Web3, *, confirmations: int) -> BlockStamp:
    """The newest block with that many confirmations, itself included; the first block of a chain younger than that.

    Raises:
        NodeRefused: the node does not have the block that it counts.
    """
    if confirmations < 1:
        raise InvalidValue(
            "confirmations of a block are too few", remedy="Ask for 1, the block itself, or more."
        )
    head = int(web3.eth.block_number)
    return stamp_at(web3, max(0, head + 1 - confirmations), head=head)


def stamp_at(web3: Web3, number: int, *, head: int | None = None) -> BlockStamp:
    """The stamp of a block by its number; `head` is the newest block, if it is known already."""
    newest = int(web3.eth.block_number) if head is None else head
    try:
        return BlockStamp.of(web3.eth.get_block(number), newest)
    except BlockNotFound as error:
        raise NodeRefused(
            f"the node counts {newest} blocks and does not have block {number}",
            remedy="Try again in a moment; if it persists, use a node that is not behind a load balancer.",
        ) from error


def reference(web3: Web3, stamp: BlockStamp) -> BlockReference:
    """What reads name the block by: its hash, or its number on nodes that know no hashes here. Asked once per connection."""
    if web3 not in _knows_hashes:
        _knows_hashes[web3] = _does_know_hashes(web3, stamp)
        if not _knows_hashes[web3]:
            logger.warning("the node reads state by block number only; blocks are checked after reading")
    return stamp.hash if _knows_hashes[web3] else stamp.number


def check_stamp(web3: Web3, stamp: BlockStamp) -> None:
    """Raises `BlockGone` unless the block is in the chain still."""
    try:
        found = bytes(web3.eth.get_block(stamp.number)["hash"])
    except BlockNotFound:
        return  # a node that is behind has no other block there
    if found != stamp.hash:
        raise BlockGone(
            f"block {stamp.number} is 0x{found.hex()} now, it was 0x{stamp.hash.hex()}",
            remedy="What was read is void; choose a block again, with more confirmations if this happens often.",
        )


def _does_know_hashes(web3: Web3, stamp: BlockStamp) -> bool:
    try:
        web3.eth.get_balance(EMPTY_ADDRESS, cast(BlockIdentifier, Hash32(stamp.hash)))
    except Web3RPCError as error:
        if says(rpc_message(error), MISSING_BLOCK_MESSAGES):
            raise  # it understood the question
        return False
    return True
