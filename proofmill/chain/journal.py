"""What a sender must never forget: which intent has which nonce, and every transaction it ever signed for it.

A row is written before its bytes leave the process. So after a crash at any point the journal knows at least all
that the network may know, and finishing an intent means looking for its transactions before making another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from eth_typing import ChecksumAddress
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)

from proofmill.chain.database import database_failures, metadata, open_database
from proofmill.chain.types import ContractCall


class Status(StrEnum):
    """Where an intent stands; docs/CHAIN.md draws the transitions."""

    PREPARED = "prepared"  # signed and journaled; no node has taken it yet, as far as we know
    PENDING = "pending"  # a node has it
    MINED = "mined"  # succeeded, with the confirmations asked for
    REVERTED = "reverted"  # mined without success, with the confirmations asked for
    DROPPED = "dropped"  # its nonce was used by something else; may be prepared again


UNRESOLVED: Final = (Status.PREPARED, Status.PENDING)

intents_table: Final = Table(
    "intents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("sender", String(42), nullable=False),
    Column("intent", Text, nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("recipient", String(42)),  # none for a deployment
    Column("data", LargeBinary, nullable=False),
    Column("value", String(78), nullable=False),  # a uint256 in decimal: no database integer holds it
    Column("description", Text, nullable=False),
    Column("gas_limit", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("mined_hash", LargeBinary),
    Column("block_number", BigInteger),
    Column("block_hash", LargeBinary),
    Column("reason", Text),
    UniqueConstraint("chain_id", "sender", "intent"),
)

attempts_table: Final = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("intent_id", Integer, ForeignKey("intents.id"), nullable=False, index=True),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("raw", LargeBinary, nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("maximum_fee", BigInteger, nullable=False),
    Column("priority_fee", BigInteger, nullable=False),
    Column("signed_at", Float, nullable=False),
    Column("broadcast_at", Float),
)


@dataclass(frozen=True, slots=True)
class Fees:
    """What we pay per gas at most, and of it to the proposer."""

    maximum: int
    priority: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction. All attempts of an intent at one nonce exclude each other on chain."""

    hash: bytes
    raw: bytes
    nonce: int
    fees: Fees
    signed_at: float
    broadcast_at: float | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One intent and everything that was signed for it, oldest first."""

    id: int
    intent: str
    nonce: int
    call: ContractCall
    value: int
    gas_limit: int
    status: Status
    attempts: tuple[Attempt, ...]
    mined_hash: bytes | None = None
    block_number: int | None = None
    block_hash: bytes | None = None
    reason: str | None = None

    @property
    def latest(self) -> Attempt:
        """The attempt with the highest fees at the current nonce."""
        return self.attempts[-1]

    @property
    def is_unresolved(self) -> bool:
        """Whether the network may still mine it."""
        return self.status in UNRESOLVED


class Key(NamedTuple):
    """Whose journal: one account on one chain."""

    chain_id: int
    sender: ChecksumAddress


class Journal:
    """The persistent record of all senders that share a database."""

    def __init__(self, database: Engine | str | Path) -> None:
        self.engine = database if isinstance(database, Engine) else open_database(database)

    def find(self, key: Key, intent: str) -> Entry | None:
        """The entry of an intent."""
        with self._transaction() as connection:
            entries = self._load(connection, *self._of(key), intents_table.c.intent == intent)
        return entries[0] if entries else None

    def unresolved(self, key: Key) -> list[Entry]:
        """What the network may still mine, by nonce."""
        with self._transaction() as connection:
            return self._load(connection, *self._of(key), intents_table.c.status.in_(UNRESOLVED))

    def next_nonce(self, key: Key) -> int:
        """One more than the highest nonce in use."""
        query = select(func.max(intents_table.c.nonce)).where(
            *self._of(key), intents_table.c.status != Status.DROPPED
        )
        with self._transaction() as connection:
            highest = connection.execute(query).scalar()
        return 0 if highest is None else int(highest) + 1

    def at_nonce(self, key: Key, nonce: int) -> Entry | None:
        """The intent that has a nonce."""
        has_nonce = (intents_table.c.nonce == nonce, intents_table.c.status != Status.DROPPED)
        with self._transaction() as connection:
            entries = self._load(connection, *self._of(key), *has_nonce)
        return entries[0] if entries else None

    def record(
        self, key: Key, intent: str, call: ContractCall, value: int, gas_limit: int, attempt: Attempt
    ) -> Entry:
        """Writes a new intent with its first signed transaction, both or neither."""
        values = {
            "chain_id": key.chain_id,
            "sender": key.sender,
            "intent": intent,
            "nonce": attempt.nonce,
            "recipient": call.to,
            "data": call.data,
            "value": str(value),
            "description": call.description,
            "gas_limit": gas_limit,
            "status": Status.PREPARED,
        }
        with self._transaction() as connection:
            result = connection.execute(insert(intents_table).values(values))
            entry_id = int(result.inserted_primary_key[0])  # type: ignore[index]  # an insert always has one
            self._insert_attempt(connection, entry_id, attempt)
        return Entry(entry_id, intent, attempt.nonce, call, value, gas_limit, Status.PREPARED, (attempt,))

    def prepare_again(self, entry: Entry, gas_limit: int, attempt: Attempt) -> Entry:
        """Gives a dropped intent a fresh nonce; its old attempts stay on record."""
        return self._add(entry, attempt, gas_limit=gas_limit, nonce=attempt.nonce, status=Status.PREPARED)

    def replace_attempt(self, entry: Entry, attempt: Attempt) -> Entry:
        """Adds a replacement with higher fees at the same nonce."""
        return self._add(entry, attempt)

    def mark_broadcast(self, entry: Entry, now: float) -> Entry:
        """Notes that a node has taken the latest attempt."""
        latest = replace(entry.latest, broadcast_at=now)
        with self._transaction() as connection:
            connection.execute(
                update(attempts_table).where(attempts_table.c.hash == latest.hash).values(broadcast_at=now)
            )
            self._update(connection, entry, status=Status.PENDING)
        return replace(entry, status=Status.PENDING, attempts=(*entry.attempts[:-1], latest))

    def resolve(
        self,
        entry: Entry,
        status: Status,
        mined_hash: bytes,
        block_number: int,
        block_hash: bytes,
        reason: str | None,
    ) -> Entry:
        """Notes that an attempt was mined for good."""
        return self._set(
            entry,
            status=status,
            mined_hash=mined_hash,
            block_number=block_number,
            block_hash=block_hash,
            reason=reason,
        )

    def drop(self, entry: Entry) -> Entry:
        """Notes that the nonce went to something else."""
        return self._set(entry, status=Status.DROPPED)

    def reopen(self, entry: Entry) -> Entry:
        """Takes back that an attempt was mined: its block left the chain after all."""
        return self._set(
            entry, status=Status.PENDING, mined_hash=None, block_number=None, block_hash=None, reason=None
        )

    @staticmethod
    def _of(key: Key) -> tuple[Any, Any]:
        return intents_table.c.chain_id == key.chain_id, intents_table.c.sender == key.sender

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with database_failures("the journal"), self.engine.begin() as connection:
            yield connection

    def _set(self, entry: Entry, **values: Any) -> Entry:
        with self._transaction() as connection:
            self._update(connection, entry, **values)
        return replace(entry, **values)

    def _add(self, entry: Entry, attempt: Attempt, **values: Any) -> Entry:
        with self._transaction() as connection:
            self._insert_attempt(connection, entry.id, attempt)
            if values:
                self._update(connection, entry, **values)
        return replace(entry, attempts=(*entry.attempts, attempt), **values)

    @staticmethod
    def _update(connection: Connection, entry: Entry, **values: Any) -> None:
        connection.execute(update(intents_table).where(intents_table.c.id == entry.id).values(**values))

    @staticmethod
    def _insert_attempt(connection: Connection, entry_id: int, attempt: Attempt) -> None:
        connection.execute(
            insert(attempts_table).values(
                intent_id=entry_id,
                hash=attempt.hash,
                raw=attempt.raw,
                nonce=attempt.nonce,
                maximum_fee=attempt.fees.maximum,
                priority_fee=attempt.fees.priority,
                signed_at=attempt.signed_at,
                broadcast_at=attempt.broadcast_at,
            )
        )

    @staticmethod
    def _load(connection: Connection, *conditions: Any) -> list[Entry]:
        rows = connection.execute(
            select(intents_table).where(*conditions).order_by(intents_table.c.nonce)
        ).all()
        ids = [row.id for row in rows]
        found = connection.execute(
            select(attempts_table).where(attempts_table.c.intent_id.in_(ids)).order_by(attempts_table.c.id)
        ).all()
        return [_entry(row, [attempt for attempt in found if attempt.intent_id == row.id]) for row in rows]


def _entry(row: Row[Any], attempts: Sequence[Row[Any]]) -> Entry:
    return Entry(
        id=row.id,
        intent=row.intent,
        nonce=row.nonce,
        call=ContractCall(row.recipient, bytes(row.data), row.description),
        value=int(row.value),
        gas_limit=row.gas_limit,
        status=Status(row.status),
        attempts=tuple(
            Attempt(
                hash=bytes(attempt.hash),
                raw=bytes(attempt.raw),
                nonce=attempt.nonce,
                fees=Fees(attempt.maximum_fee, attempt.priority_fee),
                signed_at=attempt.signed_at,
                broadcast_at=attempt.broadcast_at,
            )
            for attempt in attempts
        ),
        mined_hash=None if row.mined_hash is None else bytes(row.mined_hash),
        block_number=row.block_number,
        block_hash=None if row.block_hash is None else bytes(row.block_hash),
        reason=row.reason,
    )
