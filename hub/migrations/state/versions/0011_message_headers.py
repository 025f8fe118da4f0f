"""headers beside each message; on PostgreSQL its id is compared byte by byte, so that beginnings are found in the key"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a constant default neither engine rewrites the table, however many messages there are.
    op.add_column("message", sa.Column("headers", sa.Text(), server_default="", nullable=False))
    _compare_by('"C"')  # no row is rewritten, but the primary key is built anew: seconds for some millions


def downgrade() -> None:
    _compare_by('"default"')
    op.drop_column("message", "headers")


def _compare_by(collation: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE message ALTER COLUMN message_id TYPE VARCHAR(128) COLLATE {collation}")
