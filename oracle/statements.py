"""What other members signed, as this member saw it: in the conversation, or in reports that the chain has taken.

Two reports under one number, or one verdict that the arithmetic refutes, cost their signer its bond. The signature is all the
proof there is, and nobody else may have kept it: so every signature that was checked is noted, for a little longer than a job can
be disputed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from eth_typing import ChecksumAddress
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    select,
)

from oracle.database import insert_once, prepare_tables
from oracle.messages import ReportMessage
from proofmill.chain.database import database_failures
from proofmill.chain.reports import Equivocation, Misjudgement, OpenedVerdict, Outcome, Report
from proofmill.chain.types import address

# From the submission of a job to the end of its last dispute are at most 6.5 days.
KEPT_SECONDS: Final = 8 * 86_400
# Two contradict each other, which is enough; a member that signs a thousand fills nobody's disk.
MOST_UNDER_ONE_NUMBER: Final = 2
NOTES_BETWEEN_CLEANINGS: Final = 1_000

_metadata = MetaData()

_statements = Table(
    "statements",
    _metadata,
    Column("config_digest", LargeBinary(32), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("key", String(42), primary_key=True),
    Column("report_hash", LargeBinary(32), primary_key=True),
    Column("signature", LargeBinary(1_024), nullable=False),
    Column("message", Text, nullable=False),
    Column("noted_at", Float, nullable=False),
)

_verdicts = Table(
    "statement_verdicts",
    _metadata,
    Column("report_hash", LargeBinary(32), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("job_id", String(78), nullable=False, index=True),
    Column("commitment", LargeBinary(32), nullable=False),
    Column("outcome", Integer, nullable=False),
    Column("noted_at", Float, nullable=False),
)


@dataclass(frozen=True)
class Statement:
    """One report and one member's signature of it."""

    key: ChecksumAddress
    report: Report
    signature: bytes

    def misjudgement(self, verdict: OpenedVerdict) -> Misjudgement:
        """The proof that one of its verdicts is refuted. ValueError if `verdict` is none of them."""
        items = tuple(item.item_hash() for item in self.report.verdicts)
        place = self.report.verdicts.index(verdict.verdict)
        return Misjudgement(self.key, self.report.head, items, place, verdict, self.signature)


class Statements:
    """One member's memory of what the others signed. Safe for several threads of one process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counting = threading.Lock()
        self._cleaned_at = 0
        self.changes = 1  # rises with every new statement
        prepare_tables(engine)

    def note(self, report: Report, key: ChecksumAddress, signature: bytes) -> None:
        """Keep a signature, which the caller has checked. What is known already, or one too many, changes nothing."""
        report_hash, now = report.hash(), time.time()
        number = _number(report.head.config_digest, report.head.sequence)
        with self._transaction() as connection:
            known = set(
                connection.execute(
                    select(_statements.c.report_hash).where(number, _statements.c.key == key)
                ).scalars()
            )
        if report_hash in known or len(known) >= MOST_UNDER_ONE_NUMBER:
            return
        statement = {
            "config_digest": report.head.config_digest,
            "sequence": report.head.sequence,
            "key": key,
            "report_hash": report_hash,
            "signature": signature,
            "message": ReportMessage.of(report).model_dump_json(),
            "noted_at": now,
        }
        verdicts = [
            {
                "report_hash": report_hash,
                "place": place,
                "job_id": str(verdict.job_id),
                "commitment": verdict.commitment,
                "outcome": int(verdict.outcome),
                "noted_at": now,
            }
            for place, verdict in enumerate(report.verdicts)
        ]
        # In this order: killed in between, verdicts without a signature harm nobody. Another signer may have brought them.
        insert_once(self._engine, _verdicts, verdicts, "the statements")
        insert_once(self._engine, _statements, [statement], "the statements")
        with self._counting:
            self.changes += 1
            is_due = self.changes >= self._cleaned_at + NOTES_BETWEEN_CLEANINGS
            if is_due:
                self._cleaned_at = self.changes
        if is_due:
            self._forget_before(now - KEPT_SECONDS)

    def knows(self, config_digest: bytes, sequence: int) -> bool:
        """Whether anything is known that was signed under this number."""
        query = select(_statements.c.key).where(_number(config_digest, sequence)).limit(1)
        with self._transaction() as connection:
            return connection.execute(query).first() is not None

    def contradictions(self) -> list[Equivocation]:
        """For each key and number under which two reports were signed, the proof of it."""
        columns = (_statements.c.config_digest, _statements.c.sequence, _statements.c.key)
        twice = select(*columns).group_by(*columns).having(func.count() > 1).order_by(*columns)
        found: list[Equivocation] = []
        with self._transaction() as connection:
            for digest, sequence, key in connection.execute(twice).all():
                rows = connection.execute(
                    select(_statements.c.report_hash, _statements.c.signature)
                    .where(_number(digest, sequence), _statements.c.key == key)
                    .order_by(_statements.c.report_hash)
                ).all()
                first, second = rows[0], rows[1]
                found.append(
                    Equivocation(
                        address(key),
                        digest,
                        sequence,
                        first.report_hash,
                        first.signature,
                        second.report_hash,
                        second.signature,
                    )
                )
        return found

    def on(self, job_id: int, commitment: bytes, outcome: Outcome) -> list[Statement]:
        """Everything that was signed with this verdict on this record of a job, one statement of each key."""
        query = (
            select(_statements.c.key, _statements.c.message, _statements.c.signature)
            .join(_verdicts, _verdicts.c.report_hash == _statements.c.report_hash)
            .where(
                _verdicts.c.job_id == str(job_id),
                _verdicts.c.commitment == commitment,
                _verdicts.c.outcome == int(outcome),
            )
            .order_by(_statements.c.sequence, _statements.c.key)
        )
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        by_key: dict[str, Statement] = {}
        for row in rows:
            report = ReportMessage.model_validate_json(row.message).report()
            by_key.setdefault(row.key, Statement(address(row.key), report, row.signature))
        return list(by_key.values())

    def _forget_before(self, moment: float) -> None:
        with self._transaction() as connection:
            for table in (_statements, _verdicts):
                connection.execute(delete(table).where(table.c.noted_at < moment))

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with database_failures("the statements"), self._engine.begin() as connection:
            yield connection


def _number(config_digest: bytes, sequence: int) -> ColumnElement[bool]:
    return (_statements.c.config_digest == config_digest) & (_statements.c.sequence == sequence)
