"""Brings the tables up to date, on first use and after an upgrade. Safe to run from several processes at once."""

from __future__ import annotations

from importlib.resources import files

from sqlalchemy import Connection, Engine, text

from hub.core.database import is_postgres, open_database
from hub.runtime.process.installation import Installation

LOCK = 7_203_114  # any fixed number: the advisory lock under which PostgreSQL migrates
PARTS = ("state", "inbox")


def migrate(hub: Installation) -> None:
    """Upgrade the state database and the inbox to the newest schema."""
    upgrade(hub.engine, "state")
    inbox = open_database(hub.settings.inbox_url)
    try:
        upgrade(inbox, "inbox")
    finally:
        inbox.dispose()


def upgrade(engine: Engine, part: str) -> None:
    """Upgrade one part (`state` or `inbox`) over one connection, in one transaction."""
    with engine.connect() as connection:
        if _is_current(connection, part):
            return
    with engine.connect().execution_options(hub_writes=True) as connection, connection.begin():
        if is_postgres(connection):
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        if _is_current(connection, part):
            return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(files("hub") / "migrations" / part))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _is_current(connection: Connection, part: str) -> bool:
    """Whether the newest revision is in place, told without importing Alembic: every command asks this first."""
    table = f"{part}_version"
    if not connection.dialect.has_table(connection, table):
        return False
    return bool(connection.scalar(text(f"SELECT version_num FROM {table}")) == newest(part))


def newest(part: str) -> str:
    """The newest revision: the last file in the folder, since their names begin with their number."""
    folder = files("hub") / "migrations" / part / "versions"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".py"))
    return names[-1].partition("_")[0]
