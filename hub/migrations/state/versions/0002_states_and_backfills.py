"""syncs of audience and consent; backfills"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A handful of rows, so the table is made anew: SQLite cannot change a check constraint.
    rows = [dict(row) for row in op.get_bind().execute(sa.text("SELECT * FROM sync")).mappings()]
    op.drop_table("sync")
    sync = op.create_table(
        "sync",
        sa.Column("connection_id", sa.String(length=26), nullable=False),
        sa.Column("operation", sa.String(length=16), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("event_keys", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("operation IN ('profiles', 'events', 'audience', 'consent')"),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("connection_id", "operation"),
    )
    op.bulk_insert(sync, rows)
    op.create_table(
        "backfill",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("connection_id", sa.String(length=26), nullable=False),
        sa.Column("operation", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column(
            "cursor",
            sa.String(length=255).with_variant(sa.String(length=255, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'done')"),
        sa.ForeignKeyConstraint(
            ["connection_id", "operation"], ["sync.connection_id", "sync.operation"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "backfill_open",
        "backfill",
        ["connection_id", "operation"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def downgrade() -> None:
    op.drop_table("backfill")
    op.execute("DELETE FROM sync WHERE operation NOT IN ('profiles', 'events')")
