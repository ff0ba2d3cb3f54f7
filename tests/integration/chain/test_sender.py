"""The sender on a real node: what it sends, what it refuses, what it survives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from web3 import Web3

from proofmill.chain import Journal, Status, Suite, TransactionSender
from proofmill.chain.errors import (
    CallReverted,
    ChainReplaced,
    FeeCeilingReached,
    InsufficientFunds,
    IntentConflict,
    RpcUnavailable,
    SenderLocked,
    TransactionPending,
    TransactionReverted,
)
from proofmill.chain.fees import GWEI
from proofmill.chain.journal import Entry, Key
from proofmill.devnet.anvil import CHAIN_ID, Anvil
from tests.integration.chain.faults import faulty, lose_answer, once
from tests.integration.conftest import SenderFactory
from tests.integration.own_chain import OPERATOR_TOKENS

RECIPIENT = to_checksum_address("0x" + "ab" * 20)


def entry_of(journal: Journal, operator: LocalAccount, intent: str) -> Entry:
    entry = journal.find(Key(CHAIN_ID, operator.address), intent)
    assert entry is not None
    return entry


def sign_transfer(web3: Web3, account: LocalAccount, nonce: int, **values: Any) -> bytes:
    transaction = {
        "to": RECIPIENT,
        "value": 1,
        "nonce": nonce,
        "gas": 100_000,
        "maxFeePerGas": 100 * GWEI,
        "maxPriorityFeePerGas": 50 * GWEI,
        "chainId": CHAIN_ID,
        **values,
    }
    return bytes(account.sign_transaction(transaction).raw_transaction)


def test_send__same_intent_twice__mines_once(
    sender: TransactionSender, suite: Suite, operator: LocalAccount, web3: Web3
) -> None:
    call = suite.mill_token.transfer(RECIPIENT, 5)
    first = sender.send("pay", call)
    nonce = web3.eth.get_transaction_count(operator.address)
    assert sender.send("pay", call) == first
    assert web3.eth.get_transaction_count(operator.address) == nonce
    assert suite.mill_token.balance_of(RECIPIENT) == 5
    assert sender.status("pay") is Status.MINED


def test_send__call_reverts__uses_no_nonce(
    sender: TransactionSender, suite: Suite, operator: LocalAccount, web3: Web3
) -> None:
    with pytest.raises(CallReverted) as caught:
        sender.send("too much", suite.mill_token.transfer(RECIPIENT, OPERATOR_TOKENS + 1))
    assert "insufficient balance" in caught.value.reason
    assert web3.eth.get_transaction_count(operator.address, "pending") == 0
    assert sender.status("too much") is None


def test_send__other_call_for_an_intent__is_refused(sender: TransactionSender, suite: Suite) -> None:
    sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    with pytest.raises(IntentConflict):
        sender.send("pay", suite.mill_token.transfer(RECIPIENT, 6))


def test_send__state_changes_before_mining__reports_the_reason(
    anvil: Anvil, suite: Suite, operator: LocalAccount, make_sender: SenderFactory
) -> None:
    owner = anvil.accounts[2]
    make_sender(account=owner).send("allow", suite.mill_token.approve(operator.address, 7))

    def disallow() -> None:
        data = "0x" + suite.mill_token.approve(operator.address, 0).data.hex()
        raw = sign_transfer(anvil.web3, owner, 1, to=suite.mill_token.address, value=0, data=data)
        anvil.web3.eth.send_raw_transaction(raw)

    connection = faulty(anvil.rpc_url, "eth_sendRawTransaction", before=once(disallow))
    sender = make_sender(connection=connection)
    call = suite.mill_token.transfer_from(owner.address, RECIPIENT, 7)
    with pytest.raises(TransactionReverted) as caught:
        sender.send("take", call)
    assert "insufficient allowance" in caught.value.reason
    with pytest.raises(TransactionReverted):  # the same intent never mines twice
        sender.send("take", call)
    assert anvil.web3.eth.get_transaction_count(operator.address) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_send__answer_to_broadcast_lost__mines_once(
    moment: str, anvil: Anvil, suite: Suite, operator: LocalAccount, make_sender: SenderFactory
) -> None:
    hooks = {moment: once(lose_answer)}
    sender = make_sender(connection=faulty(anvil.rpc_url, "eth_sendRawTransaction", **hooks))
    sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    assert anvil.web3.eth.get_transaction_count(operator.address) == 1
    assert suite.mill_token.balance_of(RECIPIENT) == 5


def test_send__fee_too_low__is_replaced_until_mined(
    anvil: Anvil, suite: Suite, operator: LocalAccount, journal: Journal, make_sender: SenderFactory
) -> None:
    anvil.set_mining(False)
    fee = [20 * GWEI]

    def block_without_us(_seconds: float) -> None:
        anvil.set_next_base_fee(fee[0])
        fee[0] = fee[0] * 9 // 10
        anvil.mine()

    sender = make_sender(sleep=block_without_us, patience=0.0)
    receipt = sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    entry = entry_of(journal, operator, "pay")
    assert len(entry.attempts) > 1
    assert {attempt.nonce for attempt in entry.attempts} == {0}
    for earlier, later in zip(entry.attempts, entry.attempts[1:], strict=False):
        assert later.fees.maximum * 8 >= earlier.fees.maximum * 9
        assert later.fees.priority * 8 >= earlier.fees.priority * 9
    assert bytes(receipt["transactionHash"]) in {attempt.hash for attempt in entry.attempts}
    assert suite.mill_token.balance_of(RECIPIENT) == 5


def test_send__ceiling_reached__keeps_the_intent_for_later(
    anvil: Anvil, suite: Suite, operator: LocalAccount, make_sender: SenderFactory
) -> None:
    anvil.set_mining(False)
    base_fee = [90 * GWEI]

    def next_block(_seconds: float) -> None:
        anvil.set_next_base_fee(base_fee[0])
        anvil.mine()

    sender = make_sender(sleep=next_block, patience=0.0, fee_ceiling=50 * GWEI)
    call = suite.mill_token.transfer(RECIPIENT, 5)
    with pytest.raises(FeeCeilingReached):
        sender.send("pay", call)
    assert sender.status("pay") is Status.PENDING
    base_fee[0] = GWEI
    next_block(0)
    sender.send("pay", call)
    assert anvil.web3.eth.get_transaction_count(operator.address) == 1


def test_send__ceiling_below_market__sends_nothing(
    anvil: Anvil, suite: Suite, make_sender: SenderFactory
) -> None:
    anvil.set_next_base_fee(90 * GWEI)
    anvil.mine()
    sender = make_sender(fee_ceiling=50 * GWEI)
    with pytest.raises(FeeCeilingReached):
        sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    assert sender.status("pay") is None


def test_send__nonce_taken_by_another_wallet__retries_with_a_fresh_one(
    anvil: Anvil, suite: Suite, operator: LocalAccount, journal: Journal, make_sender: SenderFactory
) -> None:
    def take_nonce() -> None:
        anvil.web3.eth.send_raw_transaction(sign_transfer(anvil.web3, operator, 0))

    connection = faulty(anvil.rpc_url, "eth_sendRawTransaction", before=once(take_nonce))
    make_sender(connection=connection).send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    nonces = [attempt.nonce for attempt in entry_of(journal, operator, "pay").attempts]
    # On a slow machine the first nonce may be offered at a higher fee before its loss is seen.
    assert nonces == sorted(nonces)
    assert set(nonces) == {0, 1}
    assert anvil.web3.eth.get_transaction_count(operator.address) == 2
    assert suite.mill_token.balance_of(RECIPIENT) == 5


def test_send__nonce_taken_and_call_impossible_now__reports_it_and_spends_nothing(
    anvil: Anvil, suite: Suite, operator: LocalAccount, make_sender: SenderFactory
) -> None:
    def spend_all() -> None:
        data = "0x" + suite.mill_token.transfer(anvil.accounts[4].address, OPERATOR_TOKENS).data.hex()
        raw = sign_transfer(anvil.web3, operator, 0, to=suite.mill_token.address, value=0, data=data)
        anvil.web3.eth.send_raw_transaction(raw)

    connection = faulty(anvil.rpc_url, "eth_sendRawTransaction", before=once(spend_all))
    sender = make_sender(connection=connection)
    with pytest.raises(CallReverted):
        sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    assert sender.status("pay") is Status.DROPPED
    assert anvil.web3.eth.get_transaction_count(operator.address) == 1


def test_send__block_reorganised_before_confirmed__is_broadcast_again(
    anvil: Anvil, suite: Suite, operator: LocalAccount, make_sender: SenderFactory
) -> None:
    reorganise = once(lambda: anvil.reorganise(1))

    def next_block(_seconds: float) -> None:
        reorganise(None)
        anvil.mine()

    receipt = make_sender(sleep=next_block, confirmations=3).send(
        "pay", suite.mill_token.transfer(RECIPIENT, 5)
    )
    assert anvil.web3.eth.block_number - receipt["blockNumber"] + 1 >= 3
    assert suite.mill_token.balance_of(RECIPIENT) == 5
    assert anvil.web3.eth.get_transaction_count(operator.address) == 1


def test_send__block_reorganised_after_confirmed__same_intent_restores_it(
    anvil: Anvil, suite: Suite, operator: LocalAccount, sender: TransactionSender
) -> None:
    call = suite.mill_token.transfer(RECIPIENT, 5)
    sender.send("pay", call)
    anvil.reorganise(1)
    assert suite.mill_token.balance_of(RECIPIENT) == 0
    sender.send("pay", call)
    assert suite.mill_token.balance_of(RECIPIENT) == 5
    assert anvil.web3.eth.get_transaction_count(operator.address) == 1


def test_send__many_threads__each_intent_mined_once_with_its_own_nonce(
    sender: TransactionSender, suite: Suite, operator: LocalAccount, web3: Web3
) -> None:
    def pay(index: int) -> int:
        receipt = sender.send(f"pay {index % 12}", suite.mill_token.transfer(RECIPIENT, 1 + index % 12))
        return int(web3.eth.get_transaction(receipt["transactionHash"])["nonce"])

    with ThreadPoolExecutor(8) as pool:
        nonces = list(pool.map(pay, range(24)))  # every intent twice
    assert sorted(nonces) == sorted([*range(12), *range(12)])
    assert suite.mill_token.balance_of(RECIPIENT) == sum(range(1, 13))
    assert web3.eth.get_transaction_count(operator.address) == 12


def test_sender__second_for_one_key__is_refused_until_the_first_closes(
    make_sender: SenderFactory, journal: Journal, anvil: Anvil
) -> None:
    first = make_sender()
    with pytest.raises(SenderLocked):
        make_sender(database=Journal(journal.engine))
    make_sender(account=anvil.accounts[2])  # another key may share the database
    first.close()
    make_sender()


def test_sender__chain_started_anew__is_refused(
    make_sender: SenderFactory, sender: TransactionSender
) -> None:
    sender.close()
    with Anvil() as other, pytest.raises(ChainReplaced):
        make_sender(connection=other.web3)


def test_send__no_ether__says_so(anvil: Anvil, suite: Suite, make_sender: SenderFactory) -> None:
    anvil.fund(anvil.accounts[3].address, 10)
    sender = make_sender(account=anvil.accounts[3])
    with pytest.raises(InsufficientFunds):
        sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    assert sender.status("pay") is None


def test_send__never_mined__gives_up_and_goes_on_later(
    anvil: Anvil, suite: Suite, make_sender: SenderFactory
) -> None:
    anvil.set_mining(False)
    sender = make_sender(give_up=0.05)
    call = suite.mill_token.transfer(RECIPIENT, 5)
    with pytest.raises(TransactionPending):
        sender.send("pay", call)
    anvil.mine()
    sender.send("pay", call)
    assert suite.mill_token.balance_of(RECIPIENT) == 5


def test_send__earlier_intent_never_left__is_sent_along(
    anvil: Anvil, suite: Suite, make_sender: SenderFactory
) -> None:
    answers = iter([lose_answer] * 3)

    def lose_three(_params: Any) -> None:
        next(answers, lambda: None)()

    def next_block(_seconds: float) -> None:
        anvil.mine()

    connection = faulty(anvil.rpc_url, "eth_sendRawTransaction", before=lose_three)
    sender = make_sender(connection=connection, sleep=next_block, give_up=0.0, patience=0.0)
    with pytest.raises(TransactionPending):
        sender.send("first", suite.mill_token.transfer(RECIPIENT, 1))
    assert sender.status("first") is Status.PREPARED
    sender.close()
    later = make_sender(sleep=next_block, patience=0.0)
    later.send("second", suite.mill_token.transfer(RECIPIENT, 2))
    assert suite.mill_token.balance_of(RECIPIENT) == 3


def test_send__foreign_transaction_vanishes__fills_the_gap(
    anvil: Anvil, suite: Suite, operator: LocalAccount, make_sender: SenderFactory
) -> None:
    anvil.set_mining(False)
    foreign = anvil.web3.eth.send_raw_transaction(sign_transfer(anvil.web3, operator, 0))
    drop = once(lambda: anvil.request("anvil_dropTransaction", [foreign.to_0x_hex()]))

    def next_block(_seconds: float) -> None:
        drop(None)
        anvil.mine()

    sender = make_sender(sleep=next_block, patience=0.0)
    receipt = sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    assert anvil.web3.eth.get_transaction(receipt["transactionHash"])["nonce"] == 1
    assert sender.status("fill nonce 0") is not None
    assert anvil.web3.eth.get_transaction_count(operator.address) == 2


def test_send_many__dependent_calls__are_pipelined_in_one_block(
    anvil: Anvil, suite: Suite, operator: LocalAccount, make_sender: SenderFactory
) -> None:
    anvil.set_mining(False)
    sender = make_sender(sleep=lambda _seconds: anvil.mine())
    calls = [
        ("approve", suite.mill_token.approve(suite.staking.address, 10)),
        ("stake", suite.staking.stake(10)),
        (
            "thaw",
            suite.staking.request_redeem(suite.staking.own_pool(operator.address), 4),
        ),
    ]
    receipts = sender.send_many(calls)
    assert [receipt["status"] for receipt in receipts] == [1, 1, 1]
    assert len({receipt["blockNumber"] for receipt in receipts}) == 1
    assert suite.staking.available(operator.address) == 6
    assert sender.send_many(calls) == receipts


def test_sender__node_gone__says_so(suite: Suite, tmp_path: Path, make_sender: SenderFactory) -> None:
    with Anvil() as other:
        sender = make_sender(connection=other.web3, database=Journal(tmp_path / "other.db"))
    with pytest.raises(RpcUnavailable):
        sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))


def test_send__node_unreachable_for_a_while__waits_for_it(
    anvil: Anvil, suite: Suite, make_sender: SenderFactory
) -> None:
    outages = iter([lose_answer] * 5)

    def be_unreachable(_params: Any) -> None:
        next(outages, lambda: None)()

    connection = faulty(anvil.rpc_url, "eth_getTransactionReceipt", before=be_unreachable)
    make_sender(connection=connection).send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    assert suite.mill_token.balance_of(RECIPIENT) == 5


def test_send__node_unreachable_for_too_long__says_so_and_keeps_the_intent(
    anvil: Anvil, suite: Suite, make_sender: SenderFactory
) -> None:
    connection = faulty(anvil.rpc_url, "eth_getTransactionReceipt", before=lambda _params: lose_answer())
    sender = make_sender(connection=connection, outage_patience=0.05)
    with pytest.raises(RpcUnavailable):
        sender.send("pay", suite.mill_token.transfer(RECIPIENT, 5))
    assert sender.status("pay") is Status.PENDING
    sender.close()
    later = make_sender()
    later.resume()
    assert later.status("pay") is Status.MINED


def test_send__confirmed_intent_reorganised_away__is_restored_before_a_later_one(
    anvil: Anvil, suite: Suite, operator: LocalAccount, sender: TransactionSender
) -> None:
    sender.send("first", suite.mill_token.transfer(RECIPIENT, 1))
    sender.send("second", suite.mill_token.transfer(RECIPIENT, 2))
    anvil.reorganise(2)
    sender.send("third", suite.mill_token.transfer(RECIPIENT, 4))
    assert suite.mill_token.balance_of(RECIPIENT) == 7
    assert anvil.web3.eth.get_transaction_count(operator.address) == 3


def test_resume__interrupted_intent_reverts__is_logged_and_recorded(
    anvil: Anvil, suite: Suite, make_sender: SenderFactory, caplog: pytest.LogCaptureFixture
) -> None:
    owner, operator = anvil.accounts[2], anvil.accounts[1]
    allowing = make_sender(account=owner)
    allowing.send("allow", suite.mill_token.approve(operator.address, 7))
    hooks = {"before": lambda _params: lose_answer()}
    broken = faulty(anvil.rpc_url, "eth_sendRawTransaction", **hooks)
    sender = make_sender(connection=broken, give_up=0.0)
    with pytest.raises(TransactionPending):
        sender.send("take", suite.mill_token.transfer_from(owner.address, RECIPIENT, 7))
    sender.close()
    allowing.send("disallow", suite.mill_token.approve(operator.address, 0))
    later = make_sender()
    later.resume()
    assert later.status("take") is Status.REVERTED
    assert "insufficient allowance" in caplog.text
