"""secrets from before a rotation are taken for a time"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connection", sa.Column("previous_until", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("connection", "previous_until")
