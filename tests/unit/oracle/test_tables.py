"""The oracle's migrations: they make exactly the tables that its code declares, from nothing and from older databases."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, inspect, text

import oracle
from oracle.ballots import Ballots
from oracle.database import VERSION_TABLE, prepare_tables
from oracle.measuring.memory import MeasuringMemory
from oracle.statements import Statements
from proofmill.chain import Outcome, open_database
from proofmill.chain.errors import JournalUnavailable
from tests.unit.oracle.conftest import CONFIG_DIGEST


def declared() -> MetaData:
    """All tables that modules of ``oracle`` declare."""
    total = MetaData()
    names = [module.name for module in pkgutil.walk_packages(oracle.__path__, "oracle.")]
    for name in names:
        if ".migrations" in name or name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, MetaData):
                for table in value.tables.values():
                    if table.name not in total.tables and table.name not in ("intents", "attempts", "chains"):
                        table.to_metadata(total)
    return total


def test_migrations__from_nothing__are_what_the_code_declares() -> None:
    engine = create_engine("sqlite://")
    prepare_tables(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": VERSION_TABLE}
        )
        assert compare_metadata(context, declared()) == []
    found = inspect(engine)
    for table in declared().tables.values():
        keys = found.get_pk_constraint(table.name)["constrained_columns"]
        assert keys == [column.name for column in table.primary_key]
        nullable = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert nullable == {column.name: column.nullable for column in table.columns}


def test_migrations__database_from_before_there_were_any__keeps_its_signatures(tmp_path: Path) -> None:
    """What a member has signed is what keeps it from signing another: it must outlive the update."""
    engine = open_database(tmp_path / "oracle.db")
    declared().tables["signatures"].create(engine)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO signatures VALUES (:digest, 7, :report, :signature)"),
            {"digest": CONFIG_DIGEST, "report": b"\x01" * 32, "signature": b"\x02" * 65},
        )
    ballots = Ballots(engine)
    assert ballots.sign_once(CONFIG_DIGEST, 7, b"\x01" * 32, b"\x03" * 65) == b"\x02" * 65
    assert set(declared().tables) <= set(inspect(engine).get_table_names())


def test_migrations__every_memory_of_one_database__applied_once_and_beside_the_journal_s(
    tmp_path: Path,
) -> None:
    engine = open_database(tmp_path / "oracle.db")
    for memory in (Ballots, Statements, MeasuringMemory, Ballots):
        memory(engine)
    with engine.connect() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {VERSION_TABLE}")).scalar() == 1
    assert {"intents", "alembic_version", "findings"} <= set(inspect(engine).get_table_names())


def test_migrations__database_of_a_later_version__is_left_alone(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "oracle.db")
    prepare_tables(engine)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(JournalUnavailable, match="9999"):
        Ballots(engine)


def test_findings__recorded__their_outcomes_are_noted_and_all_are_listed(tmp_path: Path) -> None:
    from oracle.evidence import Finding
    from proofmill.chain import Verdict
    from tests.unit.oracle.conftest import ESCROW

    noted: list[Outcome] = []
    ballots = Ballots(open_database(tmp_path / "oracle.db"), noted=noted.append)
    for job, outcome in ((10, Outcome.REJECT), (9, Outcome.COMPLETE)):
        word = bytes([job]) * 32
        ballots.record_finding(Finding(ESCROW, Verdict(job, outcome, word), word, word, word, word))
    assert noted == [Outcome.REJECT, Outcome.COMPLETE]
    assert [finding.verdict.job_id for finding in ballots.all_findings(ESCROW)] == [9, 10]
