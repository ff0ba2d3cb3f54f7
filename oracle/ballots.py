"""What a member has found, proposed, signed and seen attested, kept across crashes.

The one rule with money behind it lives here: for one (config digest, sequence) a member signs one report. The signature is
written before it leaves the process, inside a transaction on that key, so neither a crash nor two threads can make the
member equivocate.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eth_typing import ChecksumAddress
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from oracle.database import insert_once, prepare_tables
from oracle.evidence import Finding
from oracle.messages import AttestedReport, Proposal
from proofmill.chain.database import database_failures
from proofmill.chain.reports import Outcome, Verdict
from proofmill.chain.typed_data import SIGNATURE_BYTES

_metadata = MetaData()

_findings = Table(
    "findings",
    _metadata,
    Column("escrow", String(42), primary_key=True),
    Column("job_id", String(78), primary_key=True),
    Column("commitment", LargeBinary(32), nullable=False),
    Column("outcome", Integer, nullable=False),
    Column("model_id", LargeBinary(32), nullable=False),
    Column("input_root", LargeBinary(32), nullable=False),
    Column("claimed", LargeBinary(32), nullable=False),
    Column("computed", LargeBinary(32), nullable=False),
)

# Wrong answers about which nothing is left to do.
_closed_doubts = Table(
    "closed_doubts",
    _metadata,
    Column("escrow", String(42), primary_key=True),
    Column("job_id", String(78), primary_key=True),
    Column("commitment", LargeBinary(32), primary_key=True),
)

# Sequences are below 2^63 for as long as the committee lives: they rise by a bounded step per report.
_signed = Table(
    "signatures",
    _metadata,
    Column("config_digest", LargeBinary(32), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("report_digest", LargeBinary(32), nullable=False),
    Column("signature", LargeBinary(SIGNATURE_BYTES), nullable=False),
)

_proposals = Table(
    "own_proposals",
    _metadata,
    Column("config_digest", LargeBinary(32), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("message", Text),  # none where the sequence was abandoned before there was a proposal
    Column("abandoned", Integer, nullable=False, default=0),
)

_attested = Table(
    "attested_reports",
    _metadata,
    Column("config_digest", LargeBinary(32), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("message", Text, nullable=False),
    Column("seen_at", Float, nullable=False),
)


class AlreadySigned(Exception):
    """Another report has this member's signature for the same digest and sequence."""


class Ballots:
    """One member's memory. Safe for several threads of one process.

    Args:
        noted: is told the outcome of every verdict that is recorded.
    """

    def __init__(self, engine: Engine, noted: Callable[[Outcome], None] = lambda _: None) -> None:
        self._engine = engine
        self._noted = noted
        prepare_tables(engine)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A busy or full database is a failure of this turn (`JournalUnavailable`), not the end of the process."""
        with database_failures("the ballots"), self._engine.begin() as connection:
            yield connection

    # ---------------------------------------------------------------- findings
    def record_finding(self, finding: Finding) -> None:
        """Keep (or replace, after a reorganisation changed the job) what this member computed for a job."""
        key = (_findings.c.escrow == finding.escrow) & (_findings.c.job_id == str(finding.verdict.job_id))
        with self._transaction() as connection:
            connection.execute(delete(_findings).where(key))
            connection.execute(
                insert(_findings).values(
                    escrow=finding.escrow,
                    job_id=str(finding.verdict.job_id),
                    commitment=finding.verdict.commitment,
                    outcome=int(finding.verdict.outcome),
                    model_id=finding.model_id,
                    input_root=finding.input_root,
                    claimed=finding.claimed,
                    computed=finding.computed,
                )
            )
        self._noted(finding.verdict.outcome)

    def all_findings(self, escrow: ChecksumAddress) -> list[Finding]:
        """Every finding on jobs of this escrow, by job."""
        query = select(_findings).where(_findings.c.escrow == escrow)
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        return sorted(map(_finding_of, rows), key=lambda finding: finding.verdict.job_id)

    def finding(self, escrow: ChecksumAddress, job_id: int, commitment: bytes) -> Finding | None:
        """This member's finding for exactly that commitment, None when it has none (yet)."""
        query = select(_findings).where(
            _findings.c.escrow == escrow,
            _findings.c.job_id == str(job_id),
            _findings.c.commitment == commitment,
        )
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _finding_of(row)

    def rejections(self, escrow: ChecksumAddress) -> list[Finding]:
        """Every answer that this member has found wrong and about which something may be left to do, by job."""
        same = (
            (_closed_doubts.c.escrow == _findings.c.escrow)
            & (_closed_doubts.c.job_id == _findings.c.job_id)
            & (_closed_doubts.c.commitment == _findings.c.commitment)
        )
        query = (
            select(_findings)
            .outerjoin(_closed_doubts, same)
            .where(
                _findings.c.escrow == escrow,
                _findings.c.outcome == int(Outcome.REJECT),
                _closed_doubts.c.job_id.is_(None),
            )
        )
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        return sorted((_finding_of(row) for row in rows), key=lambda finding: finding.verdict.job_id)

    def close_doubt(self, finding: Finding) -> None:
        """Leave a finding out of `rejections` from now on, also after a restart."""
        values: dict[str, object] = {
            "escrow": finding.escrow,
            "job_id": str(finding.verdict.job_id),
            "commitment": finding.verdict.commitment,
        }
        insert_once(self._engine, _closed_doubts, values, "the ballots")

    def findings_for(self, escrow: ChecksumAddress, verdicts: Sequence[Verdict]) -> list[Finding | None]:
        """`finding` for each verdict, in order."""
        return [self.finding(escrow, verdict.job_id, verdict.commitment) for verdict in verdicts]

    # ---------------------------------------------------------------- signatures
    def sign_once(self, config_digest: bytes, sequence: int, report_digest: bytes, signature: bytes) -> bytes:
        """Make `signature` the only one for (digest, sequence); the stored one comes back for the same report.

        Raises:
            AlreadySigned: a different report was signed for this sequence.
        """
        values = {
            "config_digest": config_digest,
            "sequence": sequence,
            "report_digest": report_digest,
            "signature": signature,
        }
        if insert_once(self._engine, _signed, values, "the ballots"):
            return signature
        query = select(_signed).where(
            _signed.c.config_digest == config_digest, _signed.c.sequence == sequence
        )
        with self._transaction() as connection:
            row = connection.execute(query).one()
        if row.report_digest != report_digest:
            raise AlreadySigned(f"sequence {sequence} is signed for report 0x{row.report_digest.hex()}")
        return bytes(row.signature)

    # ---------------------------------------------------------------- own proposals
    def proposal(self, config_digest: bytes, sequence: int) -> Proposal | None:
        query = select(_proposals.c.message).where(
            _proposals.c.config_digest == config_digest, _proposals.c.sequence == sequence
        )
        with self._transaction() as connection:
            message = connection.execute(query).scalar_one_or_none()
        return None if message is None else Proposal.model_validate_json(message)

    def keep_proposal(self, config_digest: bytes, proposal: Proposal) -> None:
        with self._transaction() as connection:
            connection.execute(
                insert(_proposals).values(
                    config_digest=config_digest,
                    sequence=proposal.report.sequence,
                    message=proposal.model_dump_json(),
                    abandoned=0,
                )
            )

    def abandon_proposal(self, config_digest: bytes, sequence: int) -> None:
        """Never lead with this sequence again, whether or not there is a proposal for it."""
        key = (_proposals.c.config_digest == config_digest) & (_proposals.c.sequence == sequence)
        with self._transaction() as connection:
            if connection.execute(update(_proposals).where(key).values(abandoned=1)).rowcount == 0:
                connection.execute(
                    insert(_proposals).values(config_digest=config_digest, sequence=sequence, abandoned=1)
                )

    def highest_abandoned(self, config_digest: bytes) -> int:
        query = (
            select(_proposals.c.sequence)
            .where(_proposals.c.config_digest == config_digest, _proposals.c.abandoned == 1)
            .order_by(_proposals.c.sequence.desc())
            .limit(1)
        )
        with self._transaction() as connection:
            return int(connection.execute(query).scalar_one_or_none() or 0)

    # ---------------------------------------------------------------- attested reports
    def keep_attested(self, config_digest: bytes, attested: AttestedReport) -> None:
        """Remember a report with a quorum; the first one seen for a sequence is kept.

        So is the time it was first seen, which the relay delay counts from.
        """
        if (
            self.attested(config_digest, attested.report.sequence) is None
        ):  # a repeated message writes nothing
            values = {
                "config_digest": config_digest,
                "sequence": attested.report.sequence,
                "message": attested.model_dump_json(),
                "seen_at": time.time(),
            }
            insert_once(self._engine, _attested, values, "the ballots")

    def attested(self, config_digest: bytes, sequence: int) -> AttestedReport | None:
        """The report with a quorum that is known for this sequence, if any."""
        query = select(_attested.c.message).where(
            _attested.c.config_digest == config_digest, _attested.c.sequence == sequence
        )
        with self._transaction() as connection:
            message = connection.execute(query).scalar_one_or_none()
        return None if message is None else AttestedReport.model_validate_json(message)

    def attested_above(self, config_digest: bytes, sequence: int) -> list[tuple[AttestedReport, float]]:
        """Attested reports that the chain may still accept, lowest sequence first, each with the time it was seen."""
        query = (
            select(_attested.c.message, _attested.c.seen_at)
            .where(_attested.c.config_digest == config_digest, _attested.c.sequence > sequence)
            .order_by(_attested.c.sequence)
        )
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        return [(AttestedReport.model_validate_json(row.message), row.seen_at) for row in rows]


def _finding_of(row: Row[Any]) -> Finding:
    return Finding(
        escrow=ChecksumAddress(row.escrow),
        verdict=Verdict(int(row.job_id), Outcome(row.outcome), row.commitment),
        model_id=row.model_id,
        input_root=row.input_root,
        claimed=row.claimed,
        computed=row.computed,
    )
