"""campaigns can be retired"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaign", sa.Column("retired_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("campaign", "retired_at")
