"""Tables of the outbox.

The partial indexes name their states as literals, and so do the queries: SQLite uses a partial index only where the
query repeats its condition word for word.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, String, Text, text
from sqlmodel import Field, SQLModel

IS_WAITING = "state = 'waiting'"
IS_PENDING = "state = 'pending'"
IS_OPEN = "state IN ('waiting', 'sending', 'pending')"
IS_DECIDED = "occasion_id IS NOT NULL"
IS_FRESH = "state = 'waiting' AND operation IN ('profiles', 'audience', 'consent')"


def _partial(name: str, *columns: str, where: str, **options: Any) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where), **options)


def _key(length: int = 255) -> Any:
    # Compared byte by byte on both engines, whatever locale PostgreSQL was made with.
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _set(default: str | int | bool, **options: Any) -> Any:
    # The database alone fills these in, so that an insert names only what was decided.
    literal = f"'{default}'" if isinstance(default, str) else str(default).lower()
    return Field(default=default, sa_column_kwargs={"default": None, "server_default": text(literal)}, **options)


class DeliveryRow(SQLModel, table=True):
    """One publication or profile push bound for one connection; its id never changes."""

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sending', 'pending', 'sent', 'skipped', 'dead')"),
        CheckConstraint("operation IN ('profiles', 'events', 'messages', 'audience', 'consent', 'erase')"),
        CheckConstraint("state <> 'sending' OR attempt_id IS NOT NULL"),
        CheckConstraint("state NOT IN ('skipped', 'dead') OR reason <> ''"),
        _partial("delivery_due", "connection_id", "rank", "due_at", where=IS_WAITING),
        _partial("delivery_open", "connection_id", "source_id", where=IS_OPEN),
        _partial("delivery_job", "connection_id", "token", where=IS_PENDING),
        _partial("delivery_fresh", "connection_id", "source_id", "operation", "topic", where=IS_FRESH, unique=True),
        _partial("delivery_once", "occasion_id", "source_id", "connection_id", where=IS_DECIDED, unique=True),
        Index("delivery_of_person", "source_id"),
    )

    id: str = Field(primary_key=True, sa_type=_key(26))
    connection_id: str = Field(sa_type=_key(26))
    operation: str = Field(max_length=16)
    source_id: str = Field(sa_type=_key())  # as decided; merged profiles are read through the redirect
    topic: str = _set("", sa_type=_key())  # the consent topic or audience of a fresh delivery
    consent: str = _set("", max_length=255)  # the topic whose refusal forbids this delivery
    distribution_id: str | None = Field(default=None, max_length=26)
    occasion_id: str | None = Field(default=None, max_length=26)
    publication_id: str | None = Field(default=None, max_length=26)
    record: str = Field(default="{}", sa_type=Text)  # JSON: scope names (event, order, code, ...); sealed for an erase
    options: str = Field(default="{}", sa_type=Text)  # JSON: the operation's Options
    mapping_hash: str = Field(default="", max_length=64)  # of a frozen record; empty: the connection's active one
    at: int = Field(sa_type=BigInteger)  # when the thing happened

    state: str = _set("waiting", max_length=16)
    reason: str = _set("", max_length=100)
    detail: str = _set("", sa_type=Text)
    rank: int = _set(1)  # 0 goes before everything else: consent, unless of a backfill
    due_at: int = Field(sa_type=BigInteger)
    route: str = _set("", max_length=100)  # the last known one, so that a paused route is not looked at
    cohort: str = _set("", max_length=40)  # the half of a split batch this delivery goes with
    attempts: int = _set(0)  # counted ones
    waited_us: int = _set(0, sa_type=BigInteger)  # its own back-off so far; the horizon is measured on this
    attempt_id: str | None = Field(default=None, sa_type=_key(26))
    repeat: str = _set("duplicates", max_length=16)  # of the route last used
    repeat_until: int | None = Field(default=None, sa_type=BigInteger)  # the vendor deduplicates until then
    is_unknown: bool = _set(default=False)  # an earlier attempt may have reached the vendor
    replay: int = _set(0)  # forced replays of an accepted delivery; part of the vendor's key
    is_manual: bool = _set(default=False)
    is_quiet: bool = _set(default=False)
    is_forced: bool = _set(default=False)  # the delta is ignored

    token: str = _set("", max_length=255)  # the vendor's job
    find_by: str = _set("", sa_type=Text)
    give_up_at: int | None = Field(default=None, sa_type=BigInteger)
    pushing: str = _set("", sa_type=Text)  # JSON: what to remember once a pending profile is accepted
    progress: str = _set("", sa_type=Text)  # JSON, of a flow
    notices: str = _set("", sa_type=Text)  # JSON list
    receipt: str = _set("", sa_type=Text)
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    sent_at: int | None = Field(default=None, sa_type=BigInteger)


class PushedRow(SQLModel, table=True):
    """What a connection last accepted of a profile: hashes by mapped field, never values, except the two addresses a
    vendor may know a person by (`@email`, `@phone`)."""

    __tablename__ = "pushed"
    __table_args__ = ({"sqlite_with_rowid": False},)

    connection_id: str = Field(primary_key=True, sa_type=_key(26))
    source_id: str = Field(primary_key=True, sa_type=_key())
    fields: str = Field(default="{}", sa_type=Text)  # JSON: field -> hash


class RememberedRow(SQLModel, table=True):
    """Vendor ids the hub keeps for a connector."""

    __tablename__ = "remembered"
    __table_args__ = ({"sqlite_with_rowid": False},)

    connection_id: str = Field(primary_key=True, sa_type=_key(26))
    source_id: str = Field(primary_key=True, sa_type=_key())
    ids: str = Field(default="{}", sa_type=Text)  # JSON: name -> vendor id


DELIVERY = SQLModel.metadata.tables["delivery"]
PUSHED = SQLModel.metadata.tables["pushed"]
REMEMBERED = SQLModel.metadata.tables["remembered"]
