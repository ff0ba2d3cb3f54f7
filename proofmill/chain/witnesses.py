"""What the other endpoints say before a sender believes one of them for good.

They are asked once per intent, when it is about to be closed. Who does not answer or is behind says nothing: one endpoint that
is away does not hold up the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from eth_typing import ChecksumAddress, Hash32
from web3 import Web3
from web3.exceptions import BlockNotFound, TransactionNotFound, Web3RPCError
from web3.types import TxReceipt

from proofmill.chain.endpoint_pool import pool_of
from proofmill.chain.errors import RpcUnavailable, WrongChain
from proofmill.chain.nonce_use import user_of_nonce

logger = logging.getLogger(__name__)

_SILENCES = (RpcUnavailable, WrongChain, BlockNotFound, Web3RPCError)


def contradiction(web3: Web3, receipt: TxReceipt) -> str | None:
    """In words, which endpoint has the block's height and not this receipt; None where nobody contradicts."""
    pool = pool_of(web3)
    if pool is None:
        return None
    transaction_hash = Hash32(bytes(receipt["transactionHash"]))
    for witness in pool.witnesses():
        with pool.pinned(witness):
            try:
                if int(web3.eth.block_number) < receipt["blockNumber"]:
                    continue
                seen = web3.eth.get_transaction_receipt(transaction_hash)
            except TransactionNotFound:
                return f"{witness.name} has block {receipt['blockNumber']} and does not know 0x{transaction_hash.hex()}"
            except _SILENCES as error:
                logger.debug("no word of %s on a receipt: %s", witness.name, error)
                continue
        if (seen["blockHash"], seen["status"]) != (receipt["blockHash"], receipt["status"]):
            return f"{witness.name} has 0x{transaction_hash.hex()} in another block or with another result"
    return None


def is_ours_to_any(
    web3: Web3, sender: ChecksumAddress, nonce: int, used_by: int, ours: Collection[bytes]
) -> bool | None:
    """Whether any endpoint shows that one of `ours` used the nonce, or its receipt; None where none shows who did."""
    user = user_of_nonce(web3, sender, nonce, used_by)
    if user in ours:
        return True
    is_shown = user is not None
    pool = pool_of(web3)
    for witness in [] if pool is None else pool.witnesses():
        assert pool is not None
        with pool.pinned(witness):
            try:
                if any(_has_receipt(web3, transaction_hash) for transaction_hash in ours):
                    return True
                user = user_of_nonce(web3, sender, nonce, used_by)
            except _SILENCES as error:
                logger.debug("no word of %s on nonce %d: %s", witness.name, nonce, error)
                continue
        if user in ours:
            return True
        is_shown = is_shown or user is not None
    return False if is_shown else None


def _has_receipt(web3: Web3, transaction_hash: bytes) -> bool:
    try:
        return web3.eth.get_transaction_receipt(Hash32(transaction_hash))["blockHash"] is not None
    except TransactionNotFound:
        return False
