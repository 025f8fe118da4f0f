"""Tables of distributions. That nobody gets anything twice is a matter of their constraints."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

KEY_CHARS = 255


def _key() -> Any:
    # Both engines and Python must sort source_ids alike (by code point), whatever locale PostgreSQL was made with.
    return String(KEY_CHARS).with_variant(String(KEY_CHARS, collation="C"), "postgresql")


class DistributionRow(SQLModel, table=True):
    """A standing instruction. A removed one stays for its occasions, under a name that is free again."""

    __tablename__ = "distribution"
    __table_args__ = (CheckConstraint("missed IN ('skip', 'once')"),)

    id: str = Field(primary_key=True, max_length=26)
    name: str = Field(unique=True, max_length=160)
    is_enabled: bool = True
    is_removed: bool = False
    audience: str = Field(sa_type=Text)  # JSON: {"all": true} or {"source_ids": [...]}
    trigger: str = Field(sa_type=Text)  # JSON: {"kind": "cron", "expression": "0 9 * * *", "timezone": "Europe/Oslo"}
    missed: str = Field(default="skip", max_length=8)
    consent: str = Field(default="", max_length=100)  # the topic a person must have granted; empty: none
    campaign_id: str | None = Field(default=None, max_length=26, foreign_key="campaign.id")
    planned_at: int = Field(sa_type=BigInteger)  # every instant up to this one is dealt with
    version: int = 1  # grows with every change; the scheduler watches it
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)


class DistributionTargetRow(SQLModel, table=True):
    """Where a distribution goes: one operation per connection, since an occasion makes one delivery per connection."""

    __tablename__ = "distribution_target"
    __table_args__ = (
        CheckConstraint("operation IN ('profiles', 'events', 'messages')"),
        Index("distribution_target_by_connection", "connection_id"),
    )

    distribution_id: str = Field(primary_key=True, max_length=26, foreign_key="distribution.id")
    connection_id: str = Field(primary_key=True, max_length=26, foreign_key="connection.id")
    operation: str = Field(max_length=16)
    options: str = Field(default="{}", sa_type=Text)  # JSON


class OccasionRow(SQLModel, table=True):
    """One run of a distribution, decided in chunks: everybody up to `cursor` has been decided."""

    __tablename__ = "occasion"
    __table_args__ = (
        UniqueConstraint("distribution_id", "trigger_key"),
        CheckConstraint("state IN ('open', 'done')"),
        Index("occasion_open", "id", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
    )

    id: str = Field(primary_key=True, max_length=26)
    distribution_id: str = Field(max_length=26, foreign_key="distribution.id")
    trigger_key: str = Field(max_length=100)
    planned_at: int = Field(sa_type=BigInteger)
    opened_at: int = Field(sa_type=BigInteger)
    audience: str = Field(sa_type=Text)  # JSON, as it was when the occasion opened
    state: str = Field(default="open", max_length=8)
    cursor: str = Field(default="", sa_type=_key())
    chunk_count: int = 0  # grows with every chunk; a chunk moves it by compare-and-set
    counts: str = Field(default="{}", sa_type=Text)  # JSON: name -> number


class PublicationRow(SQLModel, table=True):
    """One person's part in one occasion, with their code if the distribution has a campaign."""

    __tablename__ = "publication"
    __table_args__ = (
        UniqueConstraint("occasion_id", "source_id"),
        Index("publication_by_person", "source_id"),
        Index("publication_by_distribution", "distribution_id", "id"),
        Index("publication_by_code", "code"),
    )

    id: str = Field(primary_key=True, max_length=26)
    occasion_id: str = Field(max_length=26, foreign_key="occasion.id")
    source_id: str = Field(sa_type=_key())
    distribution_id: str = Field(max_length=26)
    campaign_id: str | None = Field(default=None, max_length=26)
    code: str | None = Field(default=None, max_length=100)
    published_at: int = Field(sa_type=BigInteger)


class SyncRow(SQLModel, table=True):
    """A connection kept in step with what comes in, without a schedule; goes with its connection."""

    __tablename__ = "sync"
    __table_args__ = (CheckConstraint("operation IN ('profiles', 'events', 'audience', 'consent')"),)

    connection_id: str = Field(primary_key=True, max_length=26, foreign_key="connection.id", ondelete="CASCADE")
    operation: str = Field(primary_key=True, max_length=16)
    options: str = Field(default="{}", sa_type=Text)  # JSON
    event_keys: str = Field(default="[]", sa_type=Text)  # JSON list of keys or names; [] passes every event on
    created_at: int = Field(sa_type=BigInteger)


class BackfillRow(SQLModel, table=True):
    """A sync made good for everybody who was there before it: worked off in chunks up to `cursor`. Goes with its sync."""

    __tablename__ = "backfill"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'done')"),
        ForeignKeyConstraint(
            ["connection_id", "operation"], ["sync.connection_id", "sync.operation"], ondelete="CASCADE"
        ),
        Index(
            "backfill_open",
            "connection_id",
            "operation",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: str = Field(primary_key=True, max_length=26)
    connection_id: str = Field(max_length=26)
    operation: str = Field(max_length=16)
    state: str = Field(default="open", max_length=8)
    cursor: str = Field(default="", sa_type=_key())
    counts: str = Field(default="{}", sa_type=Text)  # JSON: name -> number
    opened_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)


DISTRIBUTION = SQLModel.metadata.tables["distribution"]
TARGET = SQLModel.metadata.tables["distribution_target"]
OCCASION = SQLModel.metadata.tables["occasion"]
PUBLICATION = SQLModel.metadata.tables["publication"]
SYNC = SQLModel.metadata.tables["sync"]
BACKFILL = SQLModel.metadata.tables["backfill"]
