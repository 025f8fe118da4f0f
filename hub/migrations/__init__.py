"""Schema changes by Alembic: `state` for the state database, `inbox` for the inbox's own tables."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import MetaData
from sqlmodel.sql.sqltypes import AutoString


def run(metadata: MetaData, version_table: str) -> None:
    """What both environments do: migrate over the connection that `hub.runtime.process.migrate` hands in."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=version_table,
        render_item=_plain_text,
        transaction_per_migration=False,
        include_name=lambda name, kind, _parents: kind != "table" or name in metadata.tables,
    )
    with context.begin_transaction():
        context.run_migrations()


def _plain_text(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """New revisions say `sa.String` where SQLModel would name a class of its own."""
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    return False
