"""Opens the inbox of this installation: a Kafka topic, a SQLite file of its own, or the one PostgreSQL database."""

from __future__ import annotations

from sqlalchemy import Engine

from hub.core.database import open_database
from hub.core.settings import Settings
from hub.inbox.postgres import PostgresInbox
from hub.inbox.queue import Claim, Inbox, Superseded, Unreachable
from hub.inbox.sqlite import SqliteInbox

__all__ = ["Claim", "Inbox", "Superseded", "Unreachable", "open_inbox"]


def open_inbox(settings: Settings, state: Engine) -> Inbox:
    """The queue of this installation. Its tables come from `hub migrate`. Close it at the end."""
    is_postgres = state.dialect.name == "postgresql"
    engine = state if is_postgres else open_database(settings.inbox_url)
    inbox: Inbox = (
        PostgresInbox(state, settings.inbox_limit) if is_postgres else SqliteInbox(engine, state, settings.inbox_limit)
    )
    if not settings.kafka_bootstrap:
        return inbox
    from hub.inbox.kafka import KafkaInbox  # a hub without Kafka loads nothing of it

    return KafkaInbox(settings, state, engine, inbox, is_sole=not is_postgres)
