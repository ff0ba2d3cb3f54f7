"""Bringing a database to the tables of this version, whoever made it and when, once however many processes open it.

A part of Proofmill that keeps tables of its own in the same database has a package of revisions and a version table of its own:

    migrate(engine, "oracle.migrations", version_table="alembic_version_oracle")
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from proofmill.chain.errors import JournalUnavailable

PACKAGE: Final = "proofmill.migrations"
VERSION_TABLE: Final = "alembic_version"

_one_at_a_time = Lock()  # Alembic keeps the migration that runs in module globals


def migrate(engine: Engine, package: str = PACKAGE, *, version_table: str = VERSION_TABLE) -> None:
    """Applies what `package` has and the database does not, all or nothing.

    Raises:
        JournalUnavailable: the database was made by a later version.
    """
    with engine.connect() as connection:
        if _revision_of(connection, version_table) == _head_of(package):
            return
    with _one_at_a_time, engine.connect() as connection:
        _lock_others_out(connection, version_table)
        config = Config()
        config.set_main_option("script_location", str(_folder_of(package)).replace("%", "%%"))
        config.attributes.update(connection=connection, version_table=version_table)
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise JournalUnavailable(
                f"the database is of revision {_revision_of(connection, version_table)}, "
                f"which this version does not know: {error}",
                remedy="Run the version of Proofmill that made it, or a later one.",
            ) from error
        connection.commit()


def _revision_of(connection: Connection, version_table: str) -> str | None:
    return MigrationContext.configure(
        connection, opts={"version_table": version_table}
    ).get_current_revision()


@cache
def _head_of(package: str) -> str | None:
    return ScriptDirectory(str(_folder_of(package))).get_current_head()


def _folder_of(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"there is no package {package}")
    return Path(spec.origin).parent


def _lock_others_out(connection: Connection, version_table: str) -> None:
    """Until the transaction ends, every other process that wants to migrate waits, and then finds nothing left to do."""
    if connection.dialect.name == "postgresql":
        digest = hashlib.sha256(f"proofmill migration {version_table}".encode()).digest()
        key = int.from_bytes(digest[:8], "big", signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    elif connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
