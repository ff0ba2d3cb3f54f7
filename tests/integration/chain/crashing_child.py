"""A process that sends one payment and kills itself at the moment named on its command line."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from eth_account import Account

from proofmill.chain import Journal, MillToken, TransactionSender
from tests.integration.chain.faults import faulty


def die(_params: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


MOMENTS: dict[str, tuple[str, str]] = {
    "simulating": ("eth_estimateGas", "before"),
    "journaled": ("eth_sendRawTransaction", "before"),
    "broadcast": ("eth_sendRawTransaction", "after"),
    "waiting": ("eth_getTransactionReceipt", "before"),
    "mined": ("eth_getTransactionReceipt", "after"),
}


def main(rpc_url: str, database: str, key: str, token: str, moment: str, recipient: str, amount: str) -> None:
    method, position = MOMENTS[moment]
    web3 = faulty(rpc_url, method, **{position: die})
    sender = TransactionSender(web3, Account.from_key(key), Journal(database))
    sender.send("pay", MillToken(web3, token).transfer(recipient, int(amount)))


if __name__ == "__main__":
    main(*sys.argv[1:])
