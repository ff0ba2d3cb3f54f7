"""The sender through nodes that lose, delay, repeat, mix up and falsify: each intent once, none forgotten."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3

from adversaries.rpc_proxy import (
    Broken,
    CutJson,
    Delay,
    DropRequest,
    Duplicate,
    Exchange,
    Lag,
    Lie,
    LoseAnswer,
    NotJson,
    PreviousAnswer,
    Refuse,
    RpcProxy,
    TooManyRequests,
    Truncate,
)
from proofmill.chain import Journal, Status, Suite
from proofmill.chain.errors import ChainError, TransactionPending, node_failures
from proofmill.devnet.anvil import Anvil
from tests.integration.conftest import SenderFactory
from tests.integration.faults.conftest import RECIPIENT, MakeProxy, received, through

WIRE = (
    DropRequest(),
    LoseAnswer(),
    Delay(0.02),
    Duplicate(),
    PreviousAnswer(),
    Truncate(),
    CutJson(),
    TooManyRequests(retry_after=0.05),
    Broken(),
    NotJson(),
    Refuse(-32005, "rate limit exceeded"),
)


def until_done(act: Callable[[], Any], *, attempts: int = 60) -> Any:
    """What a process does: a failed turn is followed by the next, with the same intent."""
    for _ in range(attempts - 1):
        try:
            with node_failures():
                return act()
        except ChainError:
            continue
    return act()


def test_send__node_forgets_receipts__is_not_sent_twice(
    proxy: RpcProxy, suite: Suite, make_sender: SenderFactory
) -> None:
    """It counts the nonce as used and knows of no receipt: an index that is behind, or a lie."""
    sender = make_sender(connection=through(proxy))
    proxy.add(Lie(lambda _exchange, _receipt: None), methods=["eth_getTransactionReceipt"], times=12)
    sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    assert received(suite) == 5


def test_send__receipts_come_from_a_node_that_is_behind__is_not_sent_twice(
    proxy: RpcProxy, anvil: Anvil, suite: Suite, make_sender: SenderFactory
) -> None:
    sender = make_sender(connection=through(proxy), sleep=lambda _: anvil.mine())
    proxy.add(Lag(20), methods=["eth_getTransactionReceipt", "eth_getTransactionByHash"])
    sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    assert received(suite) == 5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_send__any_fault_of_the_wire_at_random__each_intent_is_mined_once(
    seed: int,
    make_proxy: MakeProxy,
    web3: Web3,
    suite: Suite,
    operator: LocalAccount,
    journal: Journal,
    make_sender: SenderFactory,
) -> None:
    """Two endpoints, each of which fails a third of the time; the sum tells what was lost and what was doubled."""
    proxies = [make_proxy(seed=seed), make_proxy(seed=100 + seed)]
    connection = through(*proxies, timeout=0.5)
    sender = make_sender(connection=connection, outage_patience=1.0)
    first_nonce = web3.eth.get_transaction_count(operator.address)
    for proxy in proxies:
        proxy.add_at_random(WIRE, rate=1 / 3)
    amounts = [2**position for position in range(10)]
    for amount in amounts:
        call = suite.mill_token.transfer(RECIPIENT, amount)
        receipt = until_done(partial(sender.send, f"pay {amount}", call))
        assert receipt["status"] == 1
    assert received(suite) == sum(amounts)
    assert web3.eth.get_transaction_count(operator.address) == first_nonce + len(amounts)
    assert all(sender.status(f"pay {amount}") is Status.MINED for amount in amounts)


def test_send__one_endpoint_is_dead__the_other_is_used(
    proxy: RpcProxy, make_proxy: MakeProxy, suite: Suite, make_sender: SenderFactory
) -> None:
    dead = make_proxy()
    connection = through(dead, proxy)
    sender = make_sender(connection=connection)
    dead.add(DropRequest())
    sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    assert received(suite) == 5
    reads = dead.count("eth_call")
    sender.send("pay again", suite.mill_token.transfer(RECIPIENT, 7))
    assert received(suite) == 12
    assert dead.count("eth_call") == reads, "who does not answer is asked last"


def test_send__several_endpoints__a_transaction_is_offered_to_each(
    make_proxy: MakeProxy, anvil: Anvil, suite: Suite, make_sender: SenderFactory
) -> None:
    """One of them may be cut off from the network: the transaction must not depend on it. The second knows it already."""
    proxies = [make_proxy(), make_proxy()]
    sender = make_sender(connection=through(*proxies))
    proxies[1].add(Delay(0.2), methods=["eth_sendRawTransaction"])
    sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    assert [proxy.count("eth_sendRawTransaction") for proxy in proxies] == [1, 1]
    assert received(suite) == 5


def invented_receipt(exchange: Exchange, receipt: Any) -> Any:
    """A receipt of success for a transaction that no block holds."""
    if receipt is not None:
        return receipt
    block = exchange.ask("eth_getBlockByNumber", ["latest", False])
    return {
        "transactionHash": exchange.params[0],
        "blockHash": block["hash"],
        "blockNumber": block["number"],
        "status": "0x1",
        "gasUsed": "0x5208",
        "logs": [],
    }


def test_send__one_of_two_nodes_invents_a_receipt__is_not_believed(
    make_proxy: MakeProxy, anvil: Anvil, suite: Suite, make_sender: SenderFactory
) -> None:
    """To believe it would be to forget a payment that never happened."""
    liar, honest = make_proxy(), make_proxy()
    sender = make_sender(connection=through(liar, honest), give_up=0.3)
    liar.add(Lie(invented_receipt), methods=["eth_getTransactionReceipt"])
    anvil.set_mining(False)
    call = suite.mill_token.transfer(RECIPIENT, 5)
    with pytest.raises(TransactionPending):
        sender.send("pay", call)
    assert sender.status("pay") is not Status.MINED
    anvil.mine()
    assert sender.send("pay", call)["status"] == 1
    assert received(suite) == 5


def test_send__reorganisation_ten_deep_behind_a_faulty_proxy__mined_again_once(
    proxy: RpcProxy, anvil: Anvil, suite: Suite, make_sender: SenderFactory
) -> None:
    sender = make_sender(connection=through(proxy))
    call = suite.mill_token.transfer(RECIPIENT, 5)
    sender.send("pay", call)
    anvil.mine(9)
    anvil.reorganise(10)
    assert received(suite) == 0
    proxy.add_at_random(WIRE, rate=0.2)
    until_done(lambda: sender.send("pay", call))
    assert received(suite) == 5
