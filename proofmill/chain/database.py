"""The database of the journal and of event cursors: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy import text as sql_text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from proofmill.chain.errors import ChainReplaced, JournalUnavailable, SenderLocked

BUSY_TIMEOUT_MILLISECONDS: Final = 10_000

metadata: Final = MetaData()

chains_table: Final = Table(
    "chains",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("genesis_hash", LargeBinary, nullable=False),
)


def open_database(location: str | Path) -> Engine:
    """An engine with our tables: a path means SQLite, anything with ``://`` is a database URL."""
    text = str(location)
    url = text if "://" in text else f"sqlite:///{Path(text).expanduser().absolute()}"
    with database_failures(text if "://" not in text else url.split("@")[-1]):
        try:
            if url.startswith("sqlite:///"):
                Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(url, future=True)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, OSError) as error:
            raise JournalUnavailable(
                f"no database can be opened at {location}: {error}",
                remedy="Give a path for SQLite, or a postgresql+psycopg:// URL with its driver installed.",
            ) from error
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _configure_sqlite)
        # Alembic takes a while to import; most commands open no database.
        from proofmill.chain.schema import migrate

        migrate(engine)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    """WAL for readers beside the writer; full synchronisation, because we broadcast on a commit's strength."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MILLISECONDS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


@contextmanager
def database_failures(what: str) -> Iterator[None]:
    """Turns the driver's failures into ours."""
    try:
        yield
    except SQLAlchemyError as error:
        raise JournalUnavailable(
            f"the database of {what} failed: {error.__class__.__name__}: {error}",
            remedy="Check that the disk has room and the file is writable, or that the server runs.",
        ) from error


def bind_chain(engine: Engine, chain_id: int, genesis_hash: bytes) -> None:
    """Ties the database to one chain: a development chain started anew has the same id and nothing else."""
    with database_failures("chains"), engine.begin() as connection:
        query = select(chains_table.c.genesis_hash).where(chains_table.c.chain_id == chain_id)
        known = connection.execute(query).scalar()
        if known is None:
            connection.execute(insert(chains_table).values(chain_id=chain_id, genesis_hash=genesis_hash))
        elif bytes(known) != genesis_hash:
            raise ChainReplaced(
                f"the database knows chain {chain_id} by the genesis block 0x{bytes(known).hex()}, "
                f"the node has 0x{genesis_hash.hex()}",
                remedy="Start with an empty state directory if the chain was started anew; else check the URL.",
            )


def acquire_process_lock(engine: Engine, chain_id: int, address: str) -> Callable[[], None]:
    """Takes the only right to send for a key, or fails at once; returns what gives it back.

    The operating system or the server releases it when the process dies, however it dies: no lock is stale.
    """
    if engine.dialect.name == "postgresql":
        return _advisory_lock(engine, chain_id, address)
    return _file_lock(engine, chain_id, address)


def _advisory_lock(engine: Engine, chain_id: int, address: str) -> Callable[[], None]:
    digest = hashlib.sha256(f"proofmill sender {chain_id} {address}".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    with database_failures("sender lock"):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = connection.execute(sql_text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar()
    if not taken:
        connection.close()
        raise _locked(address, "the PostgreSQL server")

    def release() -> None:
        connection.execute(sql_text("SELECT pg_advisory_unlock(:key)"), {"key": key})
        connection.close()

    return release


def _file_lock(engine: Engine, chain_id: int, address: str) -> Callable[[], None]:
    path = f"{engine.url.database}.{chain_id}.{address.lower()}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise _locked(address, path) from None
    return lambda: os.close(descriptor)


def _locked(address: str, where: str) -> SenderLocked:
    return SenderLocked(
        f"another sender works with the key {address} (lock: {where})",
        remedy="Stop the other process, share its sender, or give this process a key of its own.",
    )
