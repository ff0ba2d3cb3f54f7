"""Event sync on a real node: delivery, restart, reorganisation, nodes that refuse wide ranges."""

from __future__ import annotations

from typing import Any, cast

import pytest
from sqlalchemy import Engine
from web3 import Web3
from web3.types import RPCResponse

from proofmill.chain import EventSync, Journal, Suite, TransactionSender
from proofmill.chain.errors import NodeRefused
from proofmill.devnet.anvil import Anvil
from tests.integration.chain.faults import faulty

RECIPIENT = "0x00000000000000000000000000000000000000ab"


@pytest.fixture
def database(journal: Journal) -> Engine:
    return journal.engine


def make_sync(web3: Web3, suite: Suite, database: Engine, **options: Any) -> EventSync:
    defaults: dict[str, Any] = {
        "name": "test",
        "events": ["Transfer"],
        "start_block": web3.eth.block_number + 1,
    }
    return EventSync(web3, [suite.mill_token], database, **{**defaults, **options})


def pay(sender: TransactionSender, suite: Suite, amount: int, name: str = "pay") -> None:
    sender.send(f"{name} {amount}", suite.mill_token.transfer(RECIPIENT, amount))


def amounts(events: Any) -> list[int]:
    return [event.args["value"] for event in events]


def test_poll__new_events__delivered_once_acknowledged(
    web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    sync = make_sync(web3, suite, database)
    pay(sender, suite, 1)
    pay(sender, suite, 2)
    result = sync.poll()
    assert amounts(result) == [1, 2]
    assert result.rolled_back_to is None
    sync.acknowledge(result)
    assert len(sync.poll()) == 0
    pay(sender, suite, 3)
    assert amounts(sync.poll()) == [3]


def test_poll__restart_before_acknowledge__delivers_again(
    web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    start = web3.eth.block_number + 1
    pay(sender, suite, 1)
    first = make_sync(web3, suite, database, start_block=start)
    assert amounts(first.poll()) == [1]
    second = make_sync(web3, suite, database, start_block=start)
    result = second.poll()
    assert amounts(result) == [1]
    second.acknowledge(result)
    assert len(make_sync(web3, suite, database, start_block=start).poll()) == 0


def test_poll__unconfirmed_blocks__wait(
    anvil: Anvil, web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    sync = make_sync(web3, suite, database, confirmations=3)
    pay(sender, suite, 1)
    assert len(sync.poll()) == 0
    anvil.mine(2)
    assert amounts(sync.poll()) == [1]


def test_poll__reorganisation__names_the_last_block_that_stands(
    anvil: Anvil, web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    sync = make_sync(web3, suite, database)
    pay(sender, suite, 1)
    stands = web3.eth.block_number
    pay(sender, suite, 2)
    pay(sender, suite, 3)
    sync.acknowledge(sync.poll())
    anvil.reorganise(2)
    result = sync.poll()
    assert result.rolled_back_to == stands
    assert amounts(result) == []
    assert sync.poll() == result  # until it is acknowledged
    sync.acknowledge(result)
    pay(sender, suite, 4, "again")
    after = sync.poll()
    assert after.rolled_back_to is None
    assert 4 in amounts(after)


def test_poll__reorganisation_of_all_known_blocks__starts_over(
    anvil: Anvil, web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    start = web3.eth.block_number + 1
    sync = make_sync(web3, suite, database, start_block=start)
    pay(sender, suite, 1)
    pay(sender, suite, 2)
    sync.acknowledge(sync.poll())
    anvil.reorganise(2)
    result = sync.poll()
    assert result.rolled_back_to == start - 1
    assert result.from_block == start


def test_poll__chain_is_shorter_than_the_cursor__rolls_back_by_hash(
    anvil: Anvil, web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    sync = make_sync(web3, suite, database)
    before = web3.eth.block_number
    snapshot = anvil.snapshot()
    anvil.mine(5)
    sync.acknowledge(sync.poll())
    anvil.revert(snapshot)
    assert sync.poll().rolled_back_to is None  # no visible block contradicts: the node may only be behind
    anvil.increase_time(100)
    assert sync.poll().rolled_back_to == before


def test_poll__node_behind__takes_nothing_back(
    anvil: Anvil, suite: Suite, database: Engine, web3: Web3
) -> None:
    sync = make_sync(web3, suite, database)
    anvil.mine(5)
    sync.acknowledge(sync.poll())
    head = web3.eth.block_number

    def answer_old_head(_params: Any) -> RPCResponse:
        return {"jsonrpc": "2.0", "id": 1, "result": hex(head - 2)}

    lagging = faulty(anvil.rpc_url, "eth_blockNumber", before=answer_old_head)
    result = make_sync(lagging, suite, database).poll()
    assert (len(result), result.rolled_back_to) == (0, None)


def refuse_wider_than(blocks: int) -> Any:
    def hook(params: Any) -> RPCResponse | None:
        filters = params[0]
        if int(filters["toBlock"], 16) - int(filters["fromBlock"], 16) + 1 > blocks:
            error = {"code": -32005, "message": "query returned more than 10000 results"}
            return cast(RPCResponse, {"jsonrpc": "2.0", "id": 1, "error": error})
        return None

    return hook


def test_poll__node_refuses_wide_ranges__reads_smaller_ones(
    anvil: Anvil, web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    start = web3.eth.block_number + 1
    for amount in (1, 2, 3):
        pay(sender, suite, amount)
        anvil.mine(20)
    strict = faulty(anvil.rpc_url, "eth_getLogs", before=refuse_wider_than(4))
    assert amounts(make_sync(strict, suite, database, start_block=start).poll()) == [1, 2, 3]
    deaf = faulty(anvil.rpc_url, "eth_getLogs", before=refuse_wider_than(0))
    with pytest.raises(NodeRefused):
        make_sync(deaf, suite, database, start_block=start).poll()


def test_poll__far_behind__catches_up_in_portions(
    anvil: Anvil, web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    sync = make_sync(web3, suite, database, maximum_blocks=10)
    for amount in (1, 2, 3):
        pay(sender, suite, amount)
        anvil.mine(14)
    seen: list[int] = []
    for _ in range(5):
        result = sync.poll()
        seen += amounts(result)
        sync.acknowledge(result)
    assert seen == [1, 2, 3]
    assert sync.next_block == web3.eth.block_number + 1
