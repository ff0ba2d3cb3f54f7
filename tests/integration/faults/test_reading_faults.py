"""Job board, escrow client and block stamps through nodes that misbehave: late at worst, never wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3

from adversaries.rpc_proxy import (
    Answer,
    Broken,
    CutJson,
    DropRequest,
    Exchange,
    Lag,
    Lie,
    NotJson,
    PreviousAnswer,
    Refuse,
    RpcProxy,
    TooManyRequests,
    Truncate,
    WrongOrder,
)
from proofmill.chain import Deployment, JobState, Suite, TransactionSender, open_database
from proofmill.chain.block_stamp import BlockStamp, check_stamp, choose_stamp, reference, stamp_at
from proofmill.chain.errors import BlockGone, ChainError, EndpointsDisagree, InvalidValue, node_failures
from proofmill.chain.job_board import BoardView, JobBoard
from proofmill.chain.nonce_use import user_of_nonce
from proofmill.chain.quorum import agreed
from proofmill.devnet.anvil import Anvil
from tests.integration.faults.conftest import RECIPIENT, MakeProxy, through
from tests.integration.offers import PRICE, offer

WIRE = (
    DropRequest(),
    Truncate(),
    CutJson(),
    NotJson(),
    Broken(),
    PreviousAnswer(),
    TooManyRequests(retry_after=0.05),
    Refuse(-32005, "rate limit exceeded"),
    Lag(1),
)


def post(sender: TransactionSender, suite: Suite, name: str) -> int:
    sender.send("allow escrow", suite.mill_token.approve(suite.job_escrow.address, 100 * PRICE))
    return suite.job_escrow.posted_in(sender.send(name, suite.job_escrow.post(offer(suite)))).id


def refresh(board: JobBoard) -> BoardView | None:
    try:
        with node_failures():
            return board.refresh()
    except ChainError:
        return None


def test_board__any_fault_of_the_wire_at_random__shows_what_the_chain_has(
    make_proxy: MakeProxy,
    deployment: Deployment,
    suite: Suite,
    sender: TransactionSender,
    anvil: Anvil,
    tmp_path: Path,
) -> None:
    proxies = [make_proxy(seed=21), make_proxy(seed=22)]
    web3 = through(*proxies, timeout=0.5)
    escrow = deployment.connect(web3).job_escrow
    board = JobBoard(
        web3,
        escrow,
        open_database(tmp_path / "board.db"),
        start_block=deployment.deployed_block,
        confirmations=1,
    )
    for proxy in proxies:
        proxy.add_at_random(WIRE, rate=0.25)
    posted: list[int] = []
    for number in range(6):
        posted.append(post(sender, suite, f"post {number}"))
        view = refresh(board)
        assert view is None or {job.id for job in view.open} <= set(posted)
    cancelled = posted.pop(0)
    sender.send("cancel", suite.job_escrow.cancel(cancelled, suite.job_escrow.job(cancelled).terms))
    settled: list[int] = []
    for _ in range(40):
        view = refresh(board)
        if view is not None:
            settled += [job.id for job in view.settled]
            assert all(job.state == JobState.FUNDED for job in view.open if job.id in posted)
            if [job.id for job in view.open] == posted and settled:
                break
    assert view is not None
    assert [job.id for job in view.open] == posted
    assert settled == [cancelled]


def test_board__node_fails_between_the_events_and_the_state__news_and_settlements_are_not_lost(
    proxy: RpcProxy, deployment: Deployment, suite: Suite, sender: TransactionSender, tmp_path: Path
) -> None:
    """The events are acknowledged, the first job is read, the second is not: the next refresh has it all, at once."""
    web3 = through(proxy)
    board = JobBoard(
        web3,
        deployment.connect(web3).job_escrow,
        open_database(tmp_path / "board.db"),
        start_block=deployment.deployed_block,
        confirmations=1,
    )
    first, second = post(sender, suite, "first"), post(sender, suite, "second")
    board.refresh()
    for job_id in (first, second):
        terms = suite.job_escrow.job(job_id).terms
        sender.send(f"cancel {job_id}", suite.job_escrow.cancel(job_id, terms))
    told = proxy.count("eth_call")
    proxy.add(LaterCallsFail(proxy, told + 2), methods=["eth_call"])
    assert refresh(board) is None
    assert proxy.count("eth_call") > told + 2, "it was to get as far as the state"
    proxy.heal()
    view = board.refresh()
    assert ([job.id for job in view.settled], view.open) == ([first, second], ())


class LaterCallsFail:
    """Passes on the first `calls` requests that the proxy has seen of the method, and fails from then on."""

    def __init__(self, proxy: RpcProxy, calls: int) -> None:
        self._proxy = proxy
        self._calls = calls

    def __call__(self, exchange: Exchange) -> Answer:
        if self._proxy.count(exchange.method) > self._calls:
            return Answer(None)
        return exchange.result(exchange.forward()["result"])


def test_board__reorganisation_ten_deep_while_a_node_lags__follows_the_chain(
    make_proxy: MakeProxy,
    deployment: Deployment,
    suite: Suite,
    sender: TransactionSender,
    anvil: Anvil,
    tmp_path: Path,
) -> None:
    behind, current = make_proxy(), make_proxy()
    web3 = through(behind, current)
    board = JobBoard(
        web3,
        deployment.connect(web3).job_escrow,
        open_database(tmp_path / "board.db"),
        start_block=deployment.deployed_block,
        confirmations=1,
    )
    kept = post(sender, suite, "kept")
    anvil.mine(3)
    post(sender, suite, "taken back")
    anvil.mine(9)
    view = refresh(board)
    assert view is not None
    assert len(view.open) == 2
    behind.add(Lag(3))
    anvil.reorganise(10)
    views = [refresh(board) for _ in range(3)]
    assert views[-1] is not None
    assert [job.id for job in views[-1].open] == [kept]


def test_client__answers_of_two_clients_are_swapped__neither_believes_the_other_s(
    proxy: RpcProxy, suite: Suite, operator: LocalAccount, deployment: Deployment
) -> None:
    """A proxy that hands connections out twice. The two ask for different balances at the same moment."""
    from concurrent.futures import ThreadPoolExecutor

    expected = suite.mill_token.balance_of(operator.address)
    assert expected > 0
    clients = [deployment.connect(through(proxy)).mill_token for _ in range(2)]
    proxy.add(WrongOrder(), methods=["eth_call"], times=2)
    with ThreadPoolExecutor(2) as pool:
        mine = pool.submit(clients[0].balance_of, operator.address)
        nobodys = pool.submit(clients[1].balance_of, RECIPIENT)
        assert (mine.result(), nobodys.result()) == (expected, 0)


# ---------------------------------------------------------------------- block stamps
def test_choose_stamp__confirmations__counts_the_block_itself(web3: Web3, anvil: Anvil) -> None:
    anvil.mine(3)
    head = web3.eth.get_block("latest")
    newest, older = choose_stamp(web3, confirmations=1), choose_stamp(web3, confirmations=3)
    assert (newest.number, newest.hash, newest.confirmed) == (head["number"], head["hash"], 1)
    assert (older.number, older.confirmed) == (head["number"] - 2, 3)
    assert (newest.prevrandao, newest.parent) == (head["mixHash"], head["parentHash"])
    assert len({newest.prevrandao, older.prevrandao}) == 2
    assert choose_stamp(web3, confirmations=10**6).number == 0
    with pytest.raises(InvalidValue):
        choose_stamp(web3, confirmations=0)


def test_reference__block_left_the_chain__reads_fail_instead_of_answering_from_another(
    web3: Web3, anvil: Anvil, suite: Suite, operator: LocalAccount
) -> None:
    anvil.mine(2)
    stamp = choose_stamp(web3, confirmations=1)
    assert reference(web3, stamp) == stamp.hash
    check_stamp(web3, stamp)
    anvil.reorganise(2)
    with pytest.raises(ChainError):
        suite.mill_token.balance_of(operator.address, block=reference(web3, stamp))
    with pytest.raises(BlockGone):
        check_stamp(web3, stamp)


def test_reference__node_that_knows_no_hashes__is_read_by_number_and_checked(
    proxy: RpcProxy, anvil: Anvil
) -> None:
    class NoHashes:
        def __call__(self, exchange: Exchange) -> Any:
            if len(str(exchange.params[-1])) == 66:
                return exchange.error(-32602, "invalid argument: hex number > 64 bits")
            return exchange.result(exchange.forward().get("result"))

    anvil.mine(2)
    proxy.add(NoHashes(), methods=["eth_getBalance"])
    web3 = through(proxy)
    stamp = choose_stamp(web3, confirmations=1)
    assert reference(web3, stamp) == stamp.number
    anvil.reorganise(2)
    with pytest.raises(BlockGone):
        check_stamp(web3, stamp)


def test_agreed__one_node_tells_this_client_another_balance__no_decision(
    make_proxy: MakeProxy, deployment: Deployment, operator: LocalAccount, anvil: Anvil
) -> None:
    liar, honest = make_proxy(), make_proxy()
    liar.add(Lie(lambda _exchange, _value: "0x" + "00" * 31 + "07"), methods=["eth_call"], client="victim")
    from proofmill.chain import connect

    web3 = connect([liar.url_for("victim"), honest.url])
    token = deployment.connect(web3).mill_token
    stamp: BlockStamp = stamp_at(web3, web3.eth.block_number)
    with pytest.raises(EndpointsDisagree, match="says 7"):
        agreed(web3, lambda block: token.balance_of(operator.address, block=block), stamp)
    other = connect([liar.url_for("another"), honest.url])
    spared = deployment.connect(other).mill_token
    assert agreed(other, lambda block: spared.balance_of(operator.address, block=block), stamp) > 7


def test_user_of_nonce__any_age__is_the_transaction_that_used_it(
    web3: Web3, suite: Suite, sender: TransactionSender, operator: LocalAccount, anvil: Anvil
) -> None:
    first = web3.eth.get_transaction_count(operator.address)
    hashes = []
    for amount in range(1, 6):
        receipt = sender.send(f"pay {amount}", suite.mill_token.transfer(RECIPIENT, amount))
        hashes.append(bytes(receipt["transactionHash"]))
        anvil.mine(amount * amount)
    head = web3.eth.block_number
    found = [user_of_nonce(web3, operator.address, first + position, head) for position in range(5)]
    assert found == hashes
