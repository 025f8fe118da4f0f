"""Opens the inbox of this installation: in a SQLite file of its own, or in the one PostgreSQL database."""

from __future__ import annotations

from sqlalchemy import Engine

from hub.core.database import open_database
from hub.core.settings import Settings
from hub.inbox.postgres import PostgresInbox
from hub.inbox.queue import Claim, Inbox, Superseded
from hub.inbox.sqlite import SqliteInbox

__all__ = ["Claim", "Inbox", "Superseded", "open_inbox"]


def open_inbox(settings: Settings, state: Engine) -> Inbox:
    """The queue beside this state database. Its tables come from `hub migrate`. Close it at the end."""
    if state.dialect.name == "postgresql":
        return PostgresInbox(state, settings.inbox_limit)
    return SqliteInbox(open_database(settings.inbox_url), state, settings.inbox_limit)
