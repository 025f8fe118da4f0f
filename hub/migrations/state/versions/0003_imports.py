"""imports of files, and their runs in the sync log"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KINDS = "kind IN ('apply', 'occasion', 'request', 'import')"
OLD_KINDS = "kind IN ('apply', 'occasion', 'request')"


def upgrade() -> None:
    op.create_table(
        "import_file",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=26), nullable=False),
        sa.Column("reading", sa.String(length=64), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("errors_size", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("run_id", sa.String(length=26), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'done', 'failed')"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash", "kind", "target", "reading"),
    )
    op.create_index("import_file_by_state", "import_file", ["state"])
    _allow(KINDS)


def downgrade() -> None:
    op.execute("UPDATE attempt SET run_id = NULL WHERE run_id IN (SELECT id FROM sync_run WHERE kind = 'import')")
    op.execute("DELETE FROM sync_run WHERE kind = 'import'")
    _allow(OLD_KINDS)
    op.drop_table("import_file")


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
