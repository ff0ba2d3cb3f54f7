"""Confirmed events, each delivered at least once and taken back by name when the chain takes them back.

The cursor moves only when the caller acknowledges a result. So a crash between ``poll`` and ``acknowledge``
delivers the same events again: consumers are idempotent, and reconcile by reading state.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import BigInteger, Column, Engine, LargeBinary, String, Table, delete, insert, select
from web3 import Web3
from web3.exceptions import BlockNotFound, Web3RPCError
from web3.types import BlockData, FilterParams, LogReceipt

from proofmill.chain.client import ContractClient
from proofmill.chain.database import database_failures, metadata
from proofmill.chain.endpoint import Endpoint
from proofmill.chain.endpoint_pool import pool_of
from proofmill.chain.errors import EndpointsDisagree, InvalidValue, NodeRefused, RpcUnavailable, WrongChain
from proofmill.chain.events import EventDecoder, EventLog, LogReader
from proofmill.chain.log_bloom import LogFilter

logger = logging.getLogger(__name__)

HASHES_KEPT: Final = 64  # blocks whose hashes we remember; a deeper reorganisation starts over
MAXIMUM_BLOCKS: Final = (
    10_000  # of one poll, so that catching up is done in portions that can be acknowledged
)
MAXIMUM_READS: Final = 5  # of one range, when the chain moves under our feet

blocks_table: Final = Table(
    "synced_blocks",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one poll found. Undo everything after ``rolled_back_to`` (if set) before handling ``events``."""

    events: tuple[EventLog, ...]
    from_block: int
    to_block: int  # less than ``from_block`` where there was nothing to read
    rolled_back_to: int | None = None
    hashes: tuple[tuple[int, bytes], ...] = ()

    def __iter__(self) -> Iterator[EventLog]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)


class EventSync:
    """Follows the events of some contracts. Its ``name`` is that of its cursor in the database."""

    def __init__(
        self,
        web3: Web3,
        contracts: Sequence[ContractClient],
        database: Engine,
        *,
        name: str,
        start_block: int = 0,
        confirmations: int = 1,
        events: Collection[str] | None = None,
        maximum_blocks: int = MAXIMUM_BLOCKS,
    ) -> None:
        if confirmations < 1:
            raise InvalidValue(
                "confirmations of an event sync are too few", remedy="Ask for 1, the block itself, or more."
            )
        self._web3 = web3
        self._pool = pool_of(web3)
        self._database = database
        self._name = f"{web3.eth.chain_id}/{name}"
        self._start_block = start_block
        self._confirmations = confirmations
        self._maximum_blocks = maximum_blocks
        self._decoder = EventDecoder((contract.name, contract.contract) for contract in contracts)
        self._topics = [self._decoder.topics(events)]
        self._addresses = [contract.address for contract in contracts]
        self._reader = LogReader(web3, self._addresses)
        self._filter = LogFilter(
            (bytes.fromhex(one[2:]) for one in self._addresses),
            (bytes.fromhex(one[2:]) for one in self._topics[0]),
        )
        with database_failures("event cursors"):
            metadata.create_all(database, tables=[blocks_table])

    def confirmed_head(self) -> int:
        """The newest block with the confirmations asked for; negative on a chain younger than that."""
        return int(self._web3.eth.block_number) + 1 - self._confirmations

    @property
    def next_block(self) -> int:
        """The first block that has not been acknowledged."""
        stored = self._stored_hashes()
        return max(stored) + 1 if stored else self._start_block

    def poll(self) -> SyncResult:
        """The events of newly confirmed blocks, and whether earlier ones were taken back. Changes nothing.

        Raises:
            RpcUnavailable: no endpoint answers.
            NodeRefused: no consistent answer came.
            EndpointsDisagree: two endpoints have different blocks, and no third decides.
        """
        unavailable: RpcUnavailable | None = None
        inconsistent: list[Endpoint] = []
        for _ in range(MAXIMUM_READS):
            try:
                result = self._read_by_one_endpoint(inconsistent)
            except RpcUnavailable as error:
                unavailable = error  # the next read goes to another endpoint, if there is one
                if self._pool is None or len(self._pool.endpoints) == 1:
                    raise
                continue
            if result is not None:
                return result
        if unavailable is not None:
            raise unavailable
        raise NodeRefused(
            f"the chain changed during each of {MAXIMUM_READS} reads of the same blocks",
            remedy="Ask for more confirmations, or use a node that is not behind a load balancer.",
        )

    def acknowledge(self, result: SyncResult) -> None:
        """Moves the cursor past a handled result."""
        with database_failures("event cursors"), self._database.begin() as connection:
            ours = blocks_table.c.name == self._name
            if result.rolled_back_to is not None:
                connection.execute(
                    delete(blocks_table).where(ours, blocks_table.c.number > result.rolled_back_to)
                )
            if not result.hashes:
                return
            numbers = [number for number, _ in result.hashes]
            connection.execute(delete(blocks_table).where(ours, blocks_table.c.number.in_(numbers)))
            connection.execute(
                insert(blocks_table),
                [{"name": self._name, "number": number, "hash": value} for number, value in result.hashes],
            )
            too_old = blocks_table.c.number <= result.to_block - HASHES_KEPT
            connection.execute(delete(blocks_table).where(ours, too_old))

    def _read_by_one_endpoint(self, inconsistent: list[Endpoint]) -> SyncResult | None:
        """One consistent read, all of it answered by one endpoint and compared with what the others have.

        An endpoint whose blocks do not fit each other joins `inconsistent` and is asked again after the others.
        """
        pool = self._pool
        if pool is None or len(pool.endpoints) == 1:
            return self._read_once()
        endpoint = min(pool.ranked(), key=inconsistent.count)
        with pool.pinned(endpoint):
            result = self._read_once()
            witnesses = pool.witnesses()
        if result is None:
            inconsistent.append(endpoint)
            return None
        against: list[str] = []
        supporters = 1
        for witness in witnesses:
            with pool.pinned(witness):
                try:
                    if self._contradicts(result):
                        against.append(witness.name)
                        continue
                    result = self._completed(result, self._events_between(result.from_block, result.to_block))
                    supporters += 1
                except (RpcUnavailable, WrongChain, NodeRefused, Web3RPCError) as error:
                    logger.debug("no word of %s on blocks up to %d: %s", witness.name, result.to_block, error)
        if len(against) > supporters:
            endpoint.note_contradiction(f"{', '.join(against)} have other blocks up to {result.to_block}")
            return None
        if len(against) == supporters:
            raise EndpointsDisagree(
                f"{endpoint.name} has other blocks up to {result.to_block} than {', '.join(against)}",
                remedy="Wait: branches join. If it persists, one is on a wrong branch; a third endpoint decides.",
            )
        return result

    def _contradicts(self, result: SyncResult) -> bool:
        """Whether the endpoint asked has another last block, or still has one that is to be taken back."""
        if result.hashes:
            number, expected = result.hashes[-1]
            found = self._hash_of(number)
            if found not in (None, expected):
                return True
        if result.rolled_back_to is None:
            return False
        stored = self._stored_hashes()
        return any(
            self._hash_of(number) == stored[number]
            for number in sorted(stored)
            if number > result.rolled_back_to
        )

    def _completed(self, result: SyncResult, events: Sequence[EventLog]) -> SyncResult:
        """With the events that this endpoint shows besides: to act on one too many costs a read, on one too few a job."""
        known = dict(result.hashes)
        shown = {(event.block_hash, event.log_index) for event in result.events}
        more = [
            event
            for event in events
            if (event.block_hash, event.log_index) not in shown
            and known.get(event.block_number, event.block_hash) == event.block_hash
        ]
        if not more:
            return result
        logger.warning("endpoints show %d and %d events of the same blocks", len(result), len(events))
        every = sorted((*result.events, *more), key=lambda event: (event.block_number, event.log_index))
        return replace(result, events=tuple(every))

    def _events_between(self, start: int, end: int) -> list[EventLog]:
        return self._decoder.decode_all(self._reader.read(start, end, self._topics))

    def _read_once(self) -> SyncResult | None:
        """One consistent read, or None if the chain moved meanwhile."""
        stored = self._stored_hashes()
        head = int(self._web3.eth.block_number)
        rolled_back_to = self._common_ancestor(stored, head)
        expected_parent: bytes | None = None
        if not stored:
            start = self._start_block
        else:
            last = max(stored) if rolled_back_to is None else rolled_back_to
            expected_parent = stored.get(last)
            start = last + 1
        end = min(head + 1 - self._confirmations, start + self._maximum_blocks - 1)
        if end < start:
            return SyncResult((), start, end, rolled_back_to)
        blocks = self._linked_blocks(max(start, end + 1 - HASHES_KEPT), end, expected_parent, start)
        if blocks is None:
            return None
        logs = self._reader.read(start, end, self._topics)
        try:
            logs += self._withheld(blocks, logs)
        except Web3RPCError:
            return None  # whoever was asked does not have the block whose events were asked for
        events = self._decoder.decode_all(logs)
        hashes = [(int(block["number"]), bytes(block["hash"])) for block in blocks]
        known = dict(hashes)
        if any(known.get(event.block_number, event.block_hash) != event.block_hash for event in events):
            return None
        if self._hash_of(end) != known[end]:
            return None
        events.sort(key=lambda event: (event.block_number, event.log_index))
        return SyncResult(tuple(events), start, end, rolled_back_to, tuple(hashes))

    def _withheld(self, blocks: Sequence[BlockData], logs: Sequence[LogReceipt]) -> list[LogReceipt]:
        """The events of blocks that can hold some, by their header, and of which none was given.

        Nodes answer for a range of blocks with what they have of it. Asked for one block by its hash they must have it.
        """
        given = {bytes(log["blockHash"]) for log in logs}
        found: list[LogReceipt] = []
        for block in blocks:
            if bytes(block["hash"]) in given or not self._filter.may_match(
                bytes(block.get("logsBloom", b""))
            ):
                continue
            parameters: FilterParams = {
                "address": self._addresses,
                "blockHash": block["hash"],
                "topics": list(self._topics),
            }
            found += self._web3.eth.get_logs(parameters)
        return found

    def _common_ancestor(self, stored: dict[int, bytes], head: int) -> int | None:
        """The last acknowledged block that is still in the chain; None if no acknowledged block has left it.

        A node that is merely behind shows fewer blocks, not other ones, and takes nothing back.
        """
        visible = [number for number in sorted(stored, reverse=True) if number <= head]
        for number in visible:
            if self._hash_of(number) == stored[number]:
                return None if number == visible[0] else number
        if not visible:
            return None
        return self._start_block - 1

    def _linked_blocks(
        self, first: int, last: int, expected_parent: bytes | None, start: int
    ) -> list[BlockData] | None:
        """Consecutive blocks, each the parent of the next, or None if they do not link."""
        parent = expected_parent if first == start else None
        blocks: list[BlockData] = []
        for number in range(first, last + 1):
            block = self._block(number)
            if block is None or (parent is not None and bytes(block["parentHash"]) != parent):
                return None
            parent = bytes(block["hash"])
            blocks.append(block)
        return blocks

    def _stored_hashes(self) -> dict[int, bytes]:
        query = select(blocks_table.c.number, blocks_table.c.hash).where(blocks_table.c.name == self._name)
        with database_failures("event cursors"), self._database.begin() as connection:
            return {row.number: bytes(row.hash) for row in connection.execute(query)}

    def _block(self, number: int) -> BlockData | None:
        try:
            return self._web3.eth.get_block(number)
        except BlockNotFound:
            return None

    def _hash_of(self, number: int) -> bytes | None:
        block = self._block(number)
        return None if block is None else bytes(block["hash"])
