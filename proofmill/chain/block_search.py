"""Find a block by its time."""

from __future__ import annotations

from web3 import Web3


def first_block_since(web3: Web3, seconds: int, deployed_block: int) -> int:
    """The first block that is at most `seconds` older than the latest, or that of the deployment; some thirty questions."""
    head = web3.eth.get_block("latest")
    since = int(head["timestamp"]) - seconds
    low, high = deployed_block, int(head["number"])
    while low < high:
        middle = (low + high) // 2
        if int(web3.eth.get_block(middle)["timestamp"]) < since:
            low = middle + 1
        else:
            high = middle
    return low
