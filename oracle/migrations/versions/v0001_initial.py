"""The tables of ballots, statements and measuring, as they were before there were migrations.

Databases of that time have some or all of these tables and no record of a revision: what is there stays as it is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_INDICES = {
    "statement_verdicts": ("job_id",),
    "observations": ("window",),
}


def upgrade() -> None:
    existing = set(sa.inspect(op.get_bind()).get_table_names())
    for name, columns in _tables().items():
        if name in existing:
            continue
        op.create_table(name, *columns)
        for column in _INDICES.get(name, ()):
            op.create_index(f"ix_{name}_{column}", name, [column])


def _tables() -> dict[str, list[sa.schema.SchemaItem]]:
    return {
        "findings": [
            sa.Column("escrow", sa.String(42), primary_key=True),
            sa.Column("job_id", sa.String(78), primary_key=True),
            _word("commitment"),
            sa.Column("outcome", sa.Integer, nullable=False),
            _word("model_id"),
            _word("input_root"),
            _word("claimed"),
            _word("computed"),
        ],
        "closed_doubts": [
            sa.Column("escrow", sa.String(42), primary_key=True),
            sa.Column("job_id", sa.String(78), primary_key=True),
            _word("commitment", primary_key=True),
        ],
        "signatures": [
            *_number(),
            _word("report_digest"),
            sa.Column("signature", sa.LargeBinary(65), nullable=False),
        ],
        "own_proposals": [
            *_number(),
            sa.Column("message", sa.Text),
            sa.Column("abandoned", sa.Integer, nullable=False),
        ],
        "attested_reports": [
            *_number(),
            sa.Column("message", sa.Text, nullable=False),
            sa.Column("seen_at", sa.Float, nullable=False),
        ],
        "statements": [
            *_number(),
            sa.Column("key", sa.String(42), primary_key=True),
            _word("report_hash", primary_key=True),
            sa.Column("signature", sa.LargeBinary(1_024), nullable=False),
            sa.Column("message", sa.Text, nullable=False),
            sa.Column("noted_at", sa.Float, nullable=False),
        ],
        "statement_verdicts": [
            _word("report_hash", primary_key=True),
            sa.Column("place", sa.Integer, primary_key=True),
            sa.Column("job_id", sa.String(78), nullable=False),
            _word("commitment"),
            sa.Column("outcome", sa.Integer, nullable=False),
            sa.Column("noted_at", sa.Float, nullable=False),
        ],
        "measuring_nonces": [
            _word("beacon", primary_key=True),
            sa.Column("operator", sa.String(42), primary_key=True),
            sa.Column("window", sa.BigInteger, nullable=False),
        ],
        "observations": [
            _word("beacon", primary_key=True),
            _word("device_id", primary_key=True),
            sa.Column("operator", sa.String(42), primary_key=True),
            sa.Column("member", sa.String(42), primary_key=True),
            sa.Column("window", sa.BigInteger, nullable=False),
            sa.Column("message", sa.Text, nullable=False),
        ],
    }


def _word(name: str, *, primary_key: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(32), primary_key=primary_key, nullable=False)


def _number() -> list[sa.Column[bytes] | sa.Column[int]]:
    return [
        _word("config_digest", primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
    ]
