"""Event sync through nodes that lag, contradict each other and lose what they are asked: no event lost, none invented."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine
from web3 import Web3

from adversaries.rpc_proxy import (
    Broken,
    CutJson,
    Delay,
    DropRequest,
    Exchange,
    Lag,
    Lie,
    NotJson,
    PreviousAnswer,
    RpcProxy,
    TooManyRequests,
    Truncate,
)
from proofmill.chain import EventSync, Journal, Suite, TransactionSender
from proofmill.chain.errors import ChainError, EndpointsDisagree, node_failures
from proofmill.devnet.anvil import Anvil
from tests.integration.faults.conftest import RECIPIENT, MakeProxy, through


@pytest.fixture
def database(journal: Journal) -> Engine:
    return journal.engine


def follow(web3: Web3, suite: Suite, database: Engine, **options: Any) -> EventSync:
    chosen: dict[str, Any] = {"name": "faults", "events": ["Transfer"], **options}
    return EventSync(web3, [suite.mill_token], database, **chosen)


def pay(sender: TransactionSender, suite: Suite, amount: int) -> None:
    sender.send(f"pay {amount}", suite.mill_token.transfer(RECIPIENT, amount))


def take(sync: EventSync) -> list[int]:
    """The amounts of one acknowledged poll."""
    result = sync.poll()
    sync.acknowledge(result)
    return [int(event.args["value"]) for event in result]


def test_poll__events_come_from_a_node_that_is_behind__none_is_lost(
    proxy: RpcProxy, web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    """Behind a load balancer the blocks may come from one node and the events from one that has not got them yet."""
    sync = follow(through(proxy), suite, database, start_block=web3.eth.block_number + 1)
    pay(sender, suite, 1)
    pay(sender, suite, 2)
    proxy.add(Lag(1), methods=["eth_getLogs"])
    seen = []
    try:
        seen += take(sync)
    except ChainError:
        proxy.heal()
    proxy.heal()
    seen += take(sync)
    assert seen == [1, 2]


def test_poll__any_fault_of_the_wire_at_random__every_event_once_and_in_order(
    make_proxy: MakeProxy, web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    """Two endpoints, each of which fails a third of the time in one of nine ways."""
    first, second = make_proxy(seed=11), make_proxy(seed=12)
    sync = follow(through(first, second, timeout=0.5), suite, database, start_block=web3.eth.block_number + 1)
    faults = (
        DropRequest(),
        Delay(0.02),
        Truncate(),
        CutJson(),
        NotJson(),
        Broken(),
        PreviousAnswer(),
        TooManyRequests(retry_after=0.05),
        Lag(1),
    )
    for proxy in (first, second):
        proxy.add_at_random(faults, rate=1 / 3)
    seen: list[int] = []
    failed = 0
    for amount in range(1, 13):
        pay(sender, suite, amount)
        try:
            seen += take_through(sync)
        except ChainError:
            failed += 1
    first.heal()
    seen += take_through(sync)
    assert seen == list(range(1, 13))
    met = {one.fault for one in [*first.seen, *second.seen]}
    assert met == {None, "function"}, "the proxies were to misbehave"


def take_through(sync: EventSync) -> list[int]:
    with node_failures():
        return take(sync)


def hide_events(_exchange: Exchange, _logs: Any) -> list[Any]:
    return []


def empty_bloom(_exchange: Exchange, block: Any) -> Any:
    return block and {**block, "logsBloom": "0x" + "00" * 256}


def test_poll__preferred_node_hides_events__the_other_shows_them(
    make_proxy: MakeProxy, web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    """It even falsifies the blocks' headers, so that nothing in its own words gives it away."""
    liar, honest = make_proxy(), make_proxy()
    sync = follow(through(liar, honest), suite, database, start_block=web3.eth.block_number + 1)
    liar.add(Lie(hide_events), methods=["eth_getLogs"])
    liar.add(Lie(empty_bloom), methods=["eth_getBlockByNumber"])
    pay(sender, suite, 1)
    pay(sender, suite, 2)
    assert take(sync) == [1, 2]
    assert liar.count("eth_getLogs") > 0


def other_branch(_exchange: Exchange, block: Any) -> Any:
    return block and {**block, "hash": "0x" + "be" * 32, "parentHash": "0x" + "ba" * 32}


def test_poll__two_nodes_on_different_branches__nothing_is_taken_back_and_both_are_named(
    make_proxy: MakeProxy, anvil: Anvil, web3: Web3, suite: Suite, database: Engine
) -> None:
    liar, honest = make_proxy(), make_proxy()
    connection = through(liar, honest)
    sync = follow(connection, suite, database, start_block=web3.eth.block_number + 1)
    anvil.mine(3)
    take(sync)
    reached = sync.next_block
    anvil.mine(1)

    def other_tip(_exchange: Exchange, block: Any) -> Any:
        is_tip = block is not None and int(block["number"], 16) >= reached
        return {**block, "hash": "0x" + "be" * 32} if is_tip else block

    liar.add(Lie(other_tip), methods=["eth_getBlockByNumber"])
    with pytest.raises(EndpointsDisagree) as failure:
        sync.poll()
    assert liar.url in str(failure.value)
    assert honest.url in str(failure.value)
    assert sync.next_block == reached


def test_poll__one_node_of_three_on_another_branch__the_two_decide(
    make_proxy: MakeProxy, web3: Web3, suite: Suite, database: Engine, sender: TransactionSender
) -> None:
    liar, *honest = make_proxy(), make_proxy(), make_proxy()
    connection = through(liar, *honest)
    sync = follow(connection, suite, database, start_block=web3.eth.block_number + 1)
    pay(sender, suite, 1)
    take(sync)
    liar.add(Lie(other_branch), methods=["eth_getBlockByNumber"])
    pay(sender, suite, 2)
    assert take(sync) == [2]


def test_poll__reorganisation_ten_deep_while_one_node_lags__no_event_stands_that_the_chain_took_back(
    make_proxy: MakeProxy,
    anvil: Anvil,
    web3: Web3,
    suite: Suite,
    database: Engine,
    sender: TransactionSender,
) -> None:
    behind, current = make_proxy(), make_proxy()
    sync = follow(through(behind, current), suite, database, start_block=web3.eth.block_number + 1)
    standing: dict[int, int] = {}  # block → amount, as a consumer keeps it

    def consume() -> None:
        result = sync.poll()
        for number in [one for one in standing if result.rolled_back_to is not None]:
            if number > (result.rolled_back_to or 0):
                del standing[number]
        for event in result:
            standing[event.block_number] = int(event.args["value"])
        sync.acknowledge(result)

    for amount in range(1, 13):
        pay(sender, suite, amount)
    consume()
    assert list(standing.values()) == list(range(1, 13))
    behind.add(Lag(4))
    anvil.reorganise(10)
    for _ in range(4):
        consume()
    assert list(standing.values()) == [1, 2]
    anvil.mine(5)
    consume()
    assert list(standing.values()) == [1, 2]
