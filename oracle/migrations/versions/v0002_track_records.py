"""The tables of what operators have finished, from which the sampling policy draws."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "job_submissions",
        sa.Column("escrow", sa.String(42), primary_key=True),
        sa.Column("job_id", sa.String(78), primary_key=True),
        sa.Column("operator", sa.String(42), nullable=False),
        sa.Column("block_number", sa.BigInteger, nullable=False),
        sa.Column("block_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("stake", sa.String(78)),
    )
    op.create_table(
        "operator_outcomes",
        sa.Column("escrow", sa.String(42), primary_key=True),
        sa.Column("block_number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("log_index", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("operator", sa.String(42), nullable=False),
        sa.Column("job_id", sa.String(78), nullable=False),
        sa.Column("is_clean", sa.Boolean, nullable=False),
        sa.Column("finished_jobs", sa.BigInteger, nullable=False),
        sa.Column("clean_jobs", sa.BigInteger, nullable=False),
    )
    operator = ["escrow", "operator", "block_number", "log_index"]
    op.create_index("ix_operator_outcomes_operator", "operator_outcomes", operator)
    op.create_index("ix_operator_outcomes_job_id", "operator_outcomes", ["job_id"])
