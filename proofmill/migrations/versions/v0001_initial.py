"""The tables of journal, event cursors and job board, as they were before there were migrations.

Databases of that time have some or all of these tables and no record of a revision: what is there stays as it is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BIG = sa.BigInteger()


def upgrade() -> None:
    existing = set(sa.inspect(op.get_bind()).get_table_names())
    for name, columns in _tables().items():
        if name not in existing:
            op.create_table(name, *columns)
            if name == "attempts":
                op.create_index("ix_attempts_intent_id", "attempts", ["intent_id"])


def _tables() -> dict[str, list[sa.schema.SchemaItem]]:
    return {
        "chains": [
            sa.Column("chain_id", _BIG, primary_key=True, autoincrement=False),
            sa.Column("genesis_hash", sa.LargeBinary, nullable=False),
        ],
        "synced_blocks": [
            sa.Column("name", sa.String(200), primary_key=True),
            sa.Column("number", _BIG, primary_key=True, autoincrement=False),
            sa.Column("hash", sa.LargeBinary, nullable=False),
        ],
        "intents": [
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("chain_id", _BIG, nullable=False),
            sa.Column("sender", sa.String(42), nullable=False),
            sa.Column("intent", sa.Text, nullable=False),
            sa.Column("nonce", _BIG, nullable=False),
            sa.Column("recipient", sa.String(42)),
            sa.Column("data", sa.LargeBinary, nullable=False),
            sa.Column("value", sa.String(78), nullable=False),
            sa.Column("description", sa.Text, nullable=False),
            sa.Column("gas_limit", _BIG, nullable=False),
            sa.Column("status", sa.String(16), nullable=False),
            sa.Column("mined_hash", sa.LargeBinary),
            sa.Column("block_number", _BIG),
            sa.Column("block_hash", sa.LargeBinary),
            sa.Column("reason", sa.Text),
            sa.UniqueConstraint("chain_id", "sender", "intent"),
        ],
        "attempts": [
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("intent_id", sa.Integer, sa.ForeignKey("intents.id"), nullable=False),
            sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
            sa.Column("raw", sa.LargeBinary, nullable=False),
            sa.Column("nonce", _BIG, nullable=False),
            sa.Column("maximum_fee", _BIG, nullable=False),
            sa.Column("priority_fee", _BIG, nullable=False),
            sa.Column("signed_at", sa.Float, nullable=False),
            sa.Column("broadcast_at", sa.Float),
        ],
        "watched_jobs": [
            sa.Column("escrow", sa.String(42), primary_key=True),
            sa.Column(
                "job_id",
                sa.BigInteger().with_variant(sa.Integer, "sqlite"),
                primary_key=True,
                autoincrement=False,
            ),
            sa.Column("posted_block", _BIG, nullable=False),
            sa.Column("settled_block", _BIG),
        ],
    }
