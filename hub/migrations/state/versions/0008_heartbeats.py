"""signs of life are heartbeats, and say what their process has; broken mappings are in the sync log"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KINDS = "kind IN ('apply', 'occasion', 'request', 'import', 'mapping')"
OLD_KINDS = "kind IN ('apply', 'occasion', 'request', 'import')"


def upgrade() -> None:
    op.drop_index("beat_by_role", table_name="beat")
    op.drop_table("beat")  # rows of seconds ago: the processes that start now write new ones
    op.create_table(
        "heartbeat",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("heartbeat_by_role", "heartbeat", ["role", "at"], unique=False)
    _allow(KINDS)


def downgrade() -> None:
    op.execute("DELETE FROM sync_run WHERE kind = 'mapping'")
    _allow(OLD_KINDS)
    op.drop_index("heartbeat_by_role", table_name="heartbeat")
    op.drop_table("heartbeat")
    op.create_table(
        "beat",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("beat_by_role", "beat", ["role", "at"], unique=False)


def _allow(kinds: str) -> None:
    """Change which kinds of runs there are."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE sync_run DROP CONSTRAINT sync_run_kind_check")
        op.execute(f"ALTER TABLE sync_run ADD CHECK ({kinds})")
        return
    # SQLite cannot change a check constraint, so the table is made anew. Attempts refer to it: their foreign keys are
    # looked at when the transaction ends, and by then every row is back.
    op.execute("PRAGMA defer_foreign_keys = ON")
    op.execute("CREATE TEMPORARY TABLE kept_run AS SELECT * FROM sync_run")
    op.execute("DELETE FROM sync_run")
    op.drop_table("sync_run")
    _make(kinds)
    op.execute("INSERT INTO sync_run SELECT * FROM kept_run")
    op.execute("DROP TABLE kept_run")


def _make(kinds: str) -> None:
    op.create_table(
        "sync_run",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("connection_id", sa.String(length=26), nullable=True),
        sa.Column("distribution_id", sa.String(length=26), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint(kinds),
        sa.CheckConstraint("result IN ('ok', 'partial', 'failed')"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sync_run_by_age", "sync_run", ["started_at"])
    op.create_index("sync_run_by_connection", "sync_run", ["connection_id", "id"])
    op.create_index("sync_run_by_distribution", "sync_run", ["distribution_id", "id"])
