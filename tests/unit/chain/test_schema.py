"""Migrations: they make exactly the tables that the code declares, from nothing and from older databases."""

from __future__ import annotations

import importlib
import pkgutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, insert, inspect, select, text

import proofmill.chain
from proofmill.chain import Journal, open_database
from proofmill.chain.database import chains_table, metadata
from proofmill.chain.errors import JournalUnavailable
from proofmill.chain.schema import VERSION_TABLE


def declared() -> MetaData:
    """All tables that modules of ``proofmill.chain`` declare, wherever they keep their metadata."""
    total = MetaData()
    for module in pkgutil.iter_modules(proofmill.chain.__path__):
        if module.name == "abi":
            continue
        for value in vars(importlib.import_module(f"proofmill.chain.{module.name}")).values():
            if isinstance(value, MetaData):
                for table in value.tables.values():
                    if table.name not in total.tables:
                        table.to_metadata(total)
    return total


def test_migrations__from_nothing__are_what_the_code_declares(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "new.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, declared()) == []
    expected = {table.name: table for table in declared().tables.values()}
    found = inspect(engine)
    for name, table in expected.items():
        assert found.get_pk_constraint(name)["constrained_columns"] == [
            column.name for column in table.primary_key
        ]
        nullable = {column["name"]: column["nullable"] for column in found.get_columns(name)}
        assert nullable == {column.name: column.nullable for column in table.columns}


def test_migrations__database_without_revisions__keeps_what_it_holds_and_gets_the_rest(
    tmp_path: Path,
) -> None:
    old = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    metadata.create_all(old)
    with old.begin() as connection:
        connection.execute(insert(chains_table).values(chain_id=5, genesis_hash=b"\x01" * 32))
    old.dispose()
    engine = open_database(tmp_path / "old.db")
    with engine.connect() as connection:
        assert connection.execute(select(chains_table.c.chain_id)).scalars().all() == [5]
    assert {VERSION_TABLE, "watched_jobs"} <= set(inspect(engine).get_table_names())


def test_migrations__database_of_a_later_version__is_left_alone_with_a_remedy(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "later.db")
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(JournalUnavailable, match="9999") as failure:
        open_database(tmp_path / "later.db")
    assert "later" in failure.value.remedy


def test_migrations__opened_by_many_at_once__are_applied_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        engines = list(pool.map(open_database, [tmp_path / "shared.db"] * 8))
    for engine in engines:
        assert Journal(engine).engine is engine
    with engines[0].connect() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {VERSION_TABLE}")).scalar() == 1
