"""Tables of the inbox: the queue itself, and in the state database what became of each message."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlmodel import Field, SQLModel

INBOX = MetaData()
"""The queue's tables: a SQLite file of their own, or the one PostgreSQL database."""

# SQLite keys a table by row id only where the column is declared INTEGER.
_ROW_ID = BigInteger().with_variant(Integer, "sqlite")

request = Table(
    "inbox_request",
    INBOX,
    Column("id", _ROW_ID, primary_key=True),
    Column("connection_id", String(26), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("message_count", Integer, nullable=False),
    Column("total", BigInteger),  # messages accepted up to and with this row; SQLite only, where rows commit in order
    Column("heads", Text, nullable=False),  # JSON, a list per message: see codec.py
    Column("bodies", LargeBinary, nullable=False),  # the messages one after another; last, so counts need not read it
    CheckConstraint("message_count > 0"),
)
"""Messages of one HTTP request, at most codec.ROW_MESSAGES: all rows of a request are appended in one transaction."""

refusal = Table(
    "refusal",
    INBOX,
    Column("connection_id", String(26), primary_key=True),  # '-' for an unknown source key
    Column("reason", String(40), primary_key=True),
    Column("minute", BigInteger, primary_key=True),  # the time its minute began; 0 when it is no longer known
    Column("count", BigInteger, nullable=False),
)
"""How many requests were refused, by source, reason and minute."""

refused = Table(
    "refused_request",
    INBOX,
    Column("id", String(26), primary_key=True),
    Column("connection_id", String(26), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("path", String(200), nullable=False),
    Column("headers", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("refused_request_by_age", "received_at"),
)
"""A few refused requests per source, reason and minute, for an hour: what the sender did wrong can be looked at."""

tally = Table(
    "inbox_tally",
    INBOX,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("accepted", BigInteger, nullable=False),
    Column("taken", BigInteger, nullable=False),
)
"""Messages ever appended and ever claimed; PostgreSQL only, where claimed rows are deleted. Sharded by process, so that
writers do not wait for each other."""

_HAS_SOURCE_ID = text("source_id IS NOT NULL")
_MAY_LOSE_BODY = text("body IS NOT NULL AND state <> 'quarantined'")
NOT_APPLIED = text("state <> 'applied'")
IS_WARNED = text("warnings <> '[]'")


class MessageRow(SQLModel, table=True):
    """What became of one message. Its existence is what makes a second body under the same id a duplicate."""

    __tablename__ = "message"
    __table_args__ = (
        CheckConstraint("state IN ('applied', 'ignored', 'quarantined')", name="message_state"),
        Index("message_received_at", "received_at"),
        Index("message_source_id", "source_id", postgresql_where=_HAS_SOURCE_ID, sqlite_where=_HAS_SOURCE_ID),
        Index("message_body", "received_at", postgresql_where=_MAY_LOSE_BODY, sqlite_where=_MAY_LOSE_BODY),
        Index("message_warned", "received_at", postgresql_where=IS_WARNED, sqlite_where=IS_WARNED),
        Index("message_open", "state", "received_at", postgresql_where=NOT_APPLIED, sqlite_where=NOT_APPLIED),
    )

    connection_id: str = Field(primary_key=True, max_length=26)
    # Compared byte by byte on both engines, whatever locale PostgreSQL was made with: so a beginning is a range.
    message_id: str = Field(
        primary_key=True, sa_type=String(128).with_variant(String(128, collation="C"), "postgresql")
    )
    state: str = Field(max_length=12)
    reason: str = Field(default="", max_length=100)
    mapping_hash: str = Field(default="", max_length=64)
    received_at: int = Field(sa_type=BigInteger)
    at: int | None = Field(default=None, sa_type=BigInteger)
    source_id: str | None = Field(default=None, max_length=255)
    duplicates: int = 0  # later bodies that came under this id
    revision: int = 0  # 0 on first apply, else the replay run's ordinal
    warnings: str = Field(default="[]", sa_type=Text)  # JSON
    run_id: str | None = Field(default=None, max_length=26)
    body: bytes | None = None  # behind what counts read; kept for replay, when quarantined until resolved
    schema_hash: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": ""})
    """Of the metadata schemas that were in force; empty where there was none."""
    headers: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": ""})
    """Of its request, those that may be kept: JSON. Empty where there was none; they go with the body."""


class InboxPositionRow(SQLModel, table=True):
    """How far the queue has been applied, where the queue is not in this database."""

    __tablename__ = "inbox_position"

    name: str = Field(primary_key=True, max_length=100)
    request_id: int = Field(sa_type=BigInteger)
    total: int = Field(sa_type=BigInteger)
