"""requests to erase, and the callbacks that tell where they stand"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

IS_OPEN = sa.text("status IN ('pending', 'in_progress')")
IS_WAITING = sa.text("state = 'waiting'")


def _key(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length=length).with_variant(sa.String(length=length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "erasure",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("connection_id", _key(26), nullable=False),
        sa.Column("request_id", _key(255), nullable=False),
        sa.Column("regulation", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("expected_at", sa.BigInteger(), nullable=False),
        sa.Column("acts_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("profiles", sa.Integer(), nullable=False),
        sa.Column("deliveries", sa.Text(), nullable=False),
        sa.Column("untold", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("callbacks", sa.Text(), nullable=False),
        sa.Column("callback_count", sa.Integer(), nullable=False),
        sa.CheckConstraint("status IN ('pending', 'in_progress', 'completed', 'cancelled')"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "request_id"),
    )
    op.create_index("erasure_open", "erasure", ["status"], sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)
    op.create_table(
        "erasure_callback",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("erasure_id", sa.String(length=26), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'dead', 'skipped')"),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasure.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "erasure_callback_due", "erasure_callback", ["due_at"], sqlite_where=IS_WAITING, postgresql_where=IS_WAITING
    )
    op.create_index("erasure_callback_of", "erasure_callback", ["erasure_id"])


def downgrade() -> None:
    op.drop_table("erasure_callback")
    op.drop_table("erasure")
