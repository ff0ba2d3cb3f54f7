"""One sender per key: each intent is mined at most once, through crashes, fee spikes and reorganisations.

    simulate → journal the signed bytes → broadcast → wait, raising the fee → confirmed receipt

The states of an intent and what moves it between them are drawn in docs/CHAIN.md. Two rules carry the rest. What
may have left the process is in the journal, because it is written first. And an intent gets a second nonce only
after the chain has used its first one, for something else, in a confirmed block.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from threading import RLock
from types import TracebackType
from typing import Any, Final, Self

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, Hash32
from web3 import Web3
from web3.exceptions import TransactionNotFound, Web3RPCError
from web3.types import TxReceipt

from proofmill.chain.database import acquire_process_lock, bind_chain
from proofmill.chain.errors import (
    CallReverted,
    IntentConflict,
    NodeRefused,
    RpcUnavailable,
    TransactionPending,
    TransactionReverted,
    rpc_message,
)
from proofmill.chain.fees import SenderPolicy, market_fees, raised_fees
from proofmill.chain.journal import Attempt, Entry, Fees, Journal, Key, Status
from proofmill.chain.node_messages import KNOWN_MESSAGES, UNDERPRICED_MESSAGES, USED_NONCE_MESSAGES, says
from proofmill.chain.simulation import FUNDS_MESSAGES, failure_of, insufficient_funds, simulate
from proofmill.chain.types import ContractCall
from proofmill.chain.witnesses import contradiction, is_ours_to_any

logger = logging.getLogger(__name__)

MAXIMUM_REPRICINGS: Final = 16  # of one broadcast; 1.125 ** 16 is more than sixfold
OBSERVATIONS_TO_DROP: Final = 3  # a load balancer may show one poll's nonce and receipt from different nodes
OBSERVATIONS_WITHOUT_PROOF: Final = 60  # where no node shows any longer who used the nonce
TRANSFER_GAS: Final = 21_000


class TransactionSender:
    """Sends for one key. Threads share it; a second sender for the same key is refused wherever it runs."""

    def __init__(
        self,
        web3: Web3,
        account: LocalAccount,
        journal: Journal,
        *,
        policy: SenderPolicy | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address: ChecksumAddress = account.address
        self.chain_id: int = web3.eth.chain_id
        self.policy = policy or SenderPolicy()
        self._web3 = web3
        self._account = account
        self._journal = journal
        self._key = Key(self.chain_id, self.address)
        self._clock = clock
        self._sleep = sleep
        self._lock = RLock()
        self._seen_at_head: dict[bytes, int] = {}  # attempt → the head when we first waited for it
        # Entry → polls in a row in which its nonce was someone else's.
        self._observed_lost: dict[int, int] = {}
        bind_chain(journal.engine, self.chain_id, bytes(web3.eth.get_block(0)["hash"]))
        self._release = acquire_process_lock(journal.engine, self.chain_id, self.address)
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the key back; what is unresolved stays in the journal for the next sender."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._release()

    # ------------------------------------------------------------------ what callers use
    def send(self, intent: str, call: ContractCall, *, value: int = 0) -> TxReceipt:
        """Has a call mined once and returns its confirmed receipt; a repeated intent returns it again."""
        with self._lock:
            self._start(intent, call, value)
        return self._finish(intent)

    def send_many(self, calls: Sequence[tuple[str, ContractCall]]) -> list[TxReceipt]:
        """Sends calls in order without waiting between them, and returns their receipts.

        A call that cannot be simulated before an earlier one is mined waits for it.
        """
        for position, (intent, call) in enumerate(calls):
            try:
                with self._lock:
                    self._start(intent, call, 0)
            except CallReverted:
                for earlier, _ in calls[:position]:
                    self._finish(earlier)
                with self._lock:
                    self._start(intent, call, 0)
        return [self._finish(intent) for intent, _ in calls]

    def resume(self) -> None:
        """Finishes what a crash interrupted, in nonce order; reverts are logged, as nobody waits for them."""
        with self._lock:
            intents = [entry.intent for entry in self._journal.unresolved(self._key)]
        for intent in intents:
            try:
                self._finish(intent)
            except (TransactionReverted, CallReverted) as error:
                logger.warning("resumed intent %r did not succeed: %s", intent, error)

    def status(self, intent: str) -> Status | None:
        """Where an intent stands by the journal, without asking the node."""
        entry = self._journal.find(self._key, intent)
        return None if entry is None else entry.status

    # ------------------------------------------------------------------ from intent to broadcast
    def _start(self, intent: str, call: ContractCall, value: int) -> None:
        entry = self._journal.find(self._key, intent)
        if entry is None:
            gas_limit, attempt = self._make(call, value)
            entry = self._journal.record(self._key, intent, call, value, gas_limit, attempt)
            logger.info("intent %r is transaction 0x%s, nonce %d", intent, attempt.hash.hex(), attempt.nonce)
            self._broadcast(entry)
        elif (entry.call.to, entry.call.data, entry.value) != (call.to, call.data, value):
            raise IntentConflict(
                f"intent {intent!r} stands for another call ({entry.call.description}, {entry.status})",
                remedy="Name an intent after everything that its call depends on.",
            )

    def _make(self, call: ContractCall, value: int) -> tuple[int, Attempt]:
        """Simulates a call and signs it with the next nonce; nothing is kept if any of it fails."""
        block = "pending" if self._journal.unresolved(self._key) else "latest"
        needed = simulate(self._web3, self.address, call, value, block)
        gas_limit = max(needed * (100 + self.policy.gas_margin_percent) // 100, call.gas or 0)
        fees = market_fees(self._web3, self.policy)
        balance = int(self._web3.eth.get_balance(self.address))
        if balance < gas_limit * fees.maximum + value:
            detail = f"has {balance} wei, needs up to {gas_limit * fees.maximum + value}"
            raise insufficient_funds(self.address, detail)
        chain_nonce = int(self._web3.eth.get_transaction_count(self.address, "pending"))
        nonce = max(chain_nonce, self._journal.next_nonce(self._key))
        return gas_limit, self._sign(call, value, gas_limit, nonce, fees)

    def _sign(self, call: ContractCall, value: int, gas_limit: int, nonce: int, fees: Fees) -> Attempt:
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": nonce,
            "data": call.data,
            "value": value,
            "gas": gas_limit,
            "maxFeePerGas": fees.maximum,
            "maxPriorityFeePerGas": fees.priority,
        }
        if call.to is not None:
            transaction["to"] = call.to
        signed = self._account.sign_transaction(transaction)
        return Attempt(bytes(signed.hash), bytes(signed.raw_transaction), nonce, fees, self._clock())

    def _broadcast(self, entry: Entry) -> Entry:
        """Offers the latest attempt to the node, repricing it where the node wants more.

        No answer and "nonce too low" leave open whether it is mined: the next look at the chain will tell.
        """
        for _ in range(MAXIMUM_REPRICINGS):
            try:
                self._web3.eth.send_raw_transaction(entry.latest.raw)
            except RpcUnavailable as error:
                logger.warning("no answer to the broadcast of intent %r: %s", entry.intent, error)
                return entry
            except Web3RPCError as error:
                message = rpc_message(error)
                if says(message, USED_NONCE_MESSAGES):
                    return entry
                if says(message, UNDERPRICED_MESSAGES):
                    entry = self._reprice(entry)
                    continue
                if says(message, FUNDS_MESSAGES):
                    raise insufficient_funds(self.address, message) from error
                if not says(message, KNOWN_MESSAGES):
                    raise NodeRefused(
                        f"the node refuses the transaction of intent {entry.intent!r}: {message}",
                        remedy="The journal keeps it. Remove the cause and send the same intent again.",
                    ) from error
            return self._journal.mark_broadcast(entry, self._clock())
        raise NodeRefused(
            f"the node finds intent {entry.intent!r} underpriced after {MAXIMUM_REPRICINGS} higher offers",
            remedy="Another wallet may hold this nonce with a high fee; give this process a key of its own.",
        )

    def _reprice(self, entry: Entry) -> Entry:
        """Journals a replacement with higher fees; it is not broadcast yet."""
        fees = raised_fees(entry.latest.fees, market_fees(self._web3, self.policy), self.policy)
        attempt = self._sign(entry.call, entry.value, entry.gas_limit, entry.nonce, fees)
        logger.info(
            "intent %r is raised to %d wei per gas as 0x%s", entry.intent, fees.maximum, attempt.hash.hex()
        )
        return self._journal.replace_attempt(entry, attempt)

    # ------------------------------------------------------------------ from broadcast to receipt
    def _finish(self, intent: str) -> TxReceipt:
        """Waits until an intent is resolved, moving it on at each poll."""
        started = self._clock()
        unreachable_since: float | None = None
        while True:
            try:
                with self._lock:
                    receipt = self._poll(intent)
                unreachable_since = None
                if receipt is not None:
                    return receipt
            except RpcUnavailable:
                unreachable_since = unreachable_since or self._clock()
                if self._clock() - unreachable_since > self.policy.outage_patience:
                    raise
            if self._clock() - started > self.policy.give_up:
                raise TransactionPending(
                    f"intent {intent!r} is not final after {self.policy.give_up:.0f} s",
                    remedy="The journal keeps it: send the same intent again to go on waiting.",
                )
            self._sleep(self.policy.poll_interval)

    def _poll(self, intent: str) -> TxReceipt | None:
        entry = self._journal.find(self._key, intent)
        if entry is None:
            raise RuntimeError(f"intent {intent!r} vanished from the journal")
        if entry.is_unresolved:
            entry = self._advance(entry)
        if entry.status is Status.DROPPED:
            gas_limit, attempt = self._make(entry.call, entry.value)
            entry = self._broadcast(self._journal.prepare_again(entry, gas_limit, attempt))
        if entry.is_unresolved or entry.mined_hash is None:
            return None
        receipt = self._receipt(entry.mined_hash)
        if receipt is None or (receipt["status"] == 1) != (entry.status is Status.MINED):
            self._journal.reopen(entry)  # the chain was reorganised after all that we waited for
            return None
        if entry.status is Status.REVERTED:
            raise TransactionReverted(intent, entry.mined_hash, entry.reason or "unknown", receipt)
        return receipt

    def _advance(self, entry: Entry) -> Entry:
        """One look at the chain, and what follows from it for an unresolved intent."""
        receipt = self._receipt_of_any(entry)
        if receipt is not None:
            return self._confirm(entry, receipt)
        head = int(self._web3.eth.block_number)
        confirmed = max(0, head + 1 - self.policy.confirmations)
        if self._nonce_at(confirmed) > entry.nonce:
            return self._lose(entry, confirmed)
        self._observed_lost.pop(entry.id, None)
        next_nonce = int(self._web3.eth.get_transaction_count(self.address, "latest"))
        if next_nonce > entry.nonce:
            return entry  # used, but not in a confirmed block: ours or not, it is too early to say
        if not any(self._is_known(attempt) for attempt in entry.attempts if attempt.nonce == entry.nonce):
            entry = self._broadcast(entry)
        elif entry.status is Status.PREPARED:
            entry = self._journal.mark_broadcast(entry, self._clock())  # it left before the crash
        if next_nonce < entry.nonce:
            self._clear_way(next_nonce, entry)
        elif self._had_its_block(entry, head) and self._had_its_time(entry):
            return self._broadcast(self._reprice(entry))
        return entry

    def _confirm(self, entry: Entry, receipt: TxReceipt) -> Entry:
        """Resolves an intent whose transaction is in a block, once that is deep enough."""
        self._observed_lost.pop(entry.id, None)
        depth = int(self._web3.eth.block_number) - receipt["blockNumber"] + 1
        if depth < self.policy.confirmations:
            return entry
        doubt = contradiction(self._web3, receipt)
        if doubt is not None:
            logger.warning("intent %r is not taken for mined yet: %s", entry.intent, doubt)
            return entry
        status, reason = Status.MINED, None
        if receipt["status"] == 0:
            status = Status.REVERTED
            reason = failure_of(self._web3, self.address, entry.call, entry.value, entry.gas_limit, receipt)
        mined_hash, block_hash = bytes(receipt["transactionHash"]), bytes(receipt["blockHash"])
        return self._journal.resolve(entry, status, mined_hash, receipt["blockNumber"], block_hash, reason)

    def _lose(self, entry: Entry, confirmed: int) -> Entry:
        """The nonce is used in a confirmed block and none of our transactions has a receipt.

        Dropped once the chain shows whose transaction used it. That no receipt is shown proves nothing: it may be ours.
        """
        observed = self._observed_lost[entry.id] = self._observed_lost.get(entry.id, 0) + 1
        if observed < OBSERVATIONS_TO_DROP:
            return entry
        ours = {attempt.hash for attempt in entry.attempts}
        found = is_ours_to_any(self._web3, self.address, entry.nonce, confirmed, ours)
        if found or (found is None and observed < OBSERVATIONS_WITHOUT_PROOF):
            return entry
        del self._observed_lost[entry.id]
        logger.warning("nonce %d of intent %r was used by another transaction", entry.nonce, entry.intent)
        return self._journal.drop(entry)

    def _had_its_time(self, entry: Entry) -> bool:
        """Whether the latest offer has waited longer than our patience."""
        offered_at = entry.latest.broadcast_at or entry.latest.signed_at
        return self._clock() - offered_at > self.policy.patience

    def _had_its_block(self, entry: Entry, head: int) -> bool:
        """Whether a block came in which the latest offer could have been mined: a halted chain wants no more."""
        return head > self._seen_at_head.setdefault(entry.latest.hash, head)

    def _clear_way(self, nonce: int, waiting: Entry) -> None:
        """Moves on what stands before us: an earlier intent, or a nonce that nobody will ever use."""
        holder = self._journal.at_nonce(self._key, nonce)
        if holder is not None:
            if holder.mined_hash is not None and self._receipt(holder.mined_hash) is None:
                holder = self._journal.reopen(holder)  # its confirmed block left the chain, or the node lags
            if holder.is_unresolved:
                self._advance(holder)
            return
        if int(self._web3.eth.get_transaction_count(self.address, "pending")) > nonce:
            return  # another wallet's transaction is on its way
        if self._had_its_time(waiting):
            self._fill_gap(nonce)

    def _fill_gap(self, nonce: int) -> None:
        """Uses up a nonce by a transfer of nothing to ourselves."""
        intent = f"fill nonce {nonce}"
        call = ContractCall(self.address, b"", intent)
        attempt = self._sign(call, 0, TRANSFER_GAS, nonce, market_fees(self._web3, self.policy))
        known = self._journal.find(self._key, intent)
        logger.warning("nonce %d is missing and holds back later ones; filling it", nonce)
        self._broadcast(
            self._journal.record(self._key, intent, call, 0, TRANSFER_GAS, attempt)
            if known is None
            else self._journal.prepare_again(known, TRANSFER_GAS, attempt)
        )

    # ------------------------------------------------------------------ reading the chain
    def _receipt_of_any(self, entry: Entry) -> TxReceipt | None:
        for attempt in reversed(entry.attempts):
            receipt = self._receipt(attempt.hash)
            if receipt is not None:
                return receipt
        return None

    def _receipt(self, transaction_hash: bytes) -> TxReceipt | None:
        try:
            receipt = self._web3.eth.get_transaction_receipt(Hash32(transaction_hash))
        except TransactionNotFound:
            return None
        return receipt if receipt["blockHash"] is not None else None

    def _is_known(self, attempt: Attempt) -> bool:
        try:
            self._web3.eth.get_transaction(Hash32(attempt.hash))
        except TransactionNotFound:
            return False
        return True

    def _nonce_at(self, block_number: int) -> int:
        return int(self._web3.eth.get_transaction_count(self.address, block_number))
