"""Which transaction has used a nonce: shown by the chain itself, so that a missing receipt is not taken for a loss.

A receipt that a node does not have proves nothing: its index may be behind, the question may have reached another machine, or it
lies. The block in which the count of the sender's transactions passes the nonce holds the transaction that did it.
"""

from __future__ import annotations

from eth_typing import ChecksumAddress
from web3 import Web3
from web3.exceptions import BlockNotFound, Web3RPCError


def user_of_nonce(web3: Web3, sender: ChecksumAddress, nonce: int, used_by: int) -> bytes | None:
    """The hash of the transaction of `sender` that used `nonce`, which is used at block `used_by`; None if it is not shown.

    It is not where the node no longer has the state of that time, or has a block without the transaction. Takes about twice the
    logarithm of the nonce's age in blocks in requests.
    """

    def is_used(number: int) -> bool:
        return int(web3.eth.get_transaction_count(sender, number)) > nonce

    try:
        used, unused, step = used_by, used_by, 1
        while unused >= 0:
            unused = max(-1, used_by - step)
            if unused < 0 or not is_used(unused):
                break
            used, step = unused, 2 * step
        while used - unused > 1:
            middle = (used + unused) // 2
            if is_used(middle):
                used = middle
            else:
                unused = middle
        block = web3.eth.get_block(used, full_transactions=True)
    except (Web3RPCError, BlockNotFound):
        return None
    for transaction in block["transactions"]:
        if isinstance(transaction, bytes):
            continue  # a node that gives hashes where transactions were asked for shows nothing
        if transaction["from"] == sender and int(transaction["nonce"]) == nonce:
            return bytes(transaction["hash"])
    return None
