"""The tables that an oracle keeps beside those of every node, in the same database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Engine, Table, insert
from sqlalchemy.exc import IntegrityError

from proofmill.chain.database import database_failures

PACKAGE: Final = "oracle.migrations"
VERSION_TABLE: Final = "alembic_version_oracle"


def prepare_tables(engine: Engine) -> None:
    """Bring the oracle's tables to this version; a question to the database where they are so already.

    Raises:
        JournalUnavailable: the database fails, or a later version made it.
    """
    from proofmill.chain.schema import migrate  # Alembic takes a while to import

    with database_failures("the oracle's tables"):
        migrate(engine, PACKAGE, version_table=VERSION_TABLE)


def insert_once(
    engine: Engine, table: Table, values: Mapping[str, Any] | Sequence[Mapping[str, Any]], what: str
) -> bool:
    """Insert a row, or several together; False, and nothing changed, where a key is taken.

    Raises:
        JournalUnavailable: the database fails; names `what` it was about.
    """
    with database_failures(what):
        try:
            with engine.begin() as connection:
                connection.execute(insert(table), values)
        except IntegrityError:
            return False
    return True
