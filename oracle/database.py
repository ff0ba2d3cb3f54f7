"""The tables that an oracle keeps beside those of every node, in the same database."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Engine

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
