"""the version of the metadata schemas beside each message, what each version says, and messages that lost something"""

import json

import sqlalchemy as sa
from alembic import op

from hub.profiles.rules.schemas import version

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a constant default neither engine rewrites the table, however many messages there are.
    op.add_column("message", sa.Column("schema_hash", sa.String(length=64), server_default="", nullable=False))
    warned = sa.text("warnings <> '[]'")
    op.create_index("message_warned", "message", ["received_at"], postgresql_where=warned, sqlite_where=warned)
    versions = op.create_table(
        "metadata_schema_version",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.drop_column("metadata_schema", "version")  # roles compare the hashes
    rows = list(op.get_bind().execute(sa.text("SELECT kind, content, updated_at FROM metadata_schema")))
    if rows:
        documents = {row.kind: json.loads(row.content) for row in rows}
        kept = {
            "hash": version(documents),
            "content": json.dumps(documents, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
            "created_at": max(row.updated_at for row in rows),
        }
        op.bulk_insert(versions, [kept])


def downgrade() -> None:
    op.add_column("metadata_schema", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.drop_table("metadata_schema_version")
    op.drop_index("message_warned", "message")
    op.drop_column("message", "schema_hash")
