"""Tables of profiles.

Rows of one person are written in the transaction that writes the profile row, and erasure removes them together; so
there are no foreign keys here: on the hot path each would cost a look-up per row on both engines.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, String, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

KEY_CHARS = 255
IS_OPEN = "status IN ('pending', 'in_progress')"
IS_WAITING = "state = 'waiting'"


def _key(length: int = KEY_CHARS) -> Any:
    # Both engines and Python must sort keys alike (by code point), whatever locale PostgreSQL was made with.
    return String(length).with_variant(String(length, collation="C"), "postgresql")


class ProfileRow(SQLModel, table=True):
    """What was said under one source_id; the rows of merged profiles are joined when read."""

    __tablename__ = "profile"
    __table_args__ = (
        Index(
            "profile_by_survivor",
            "survivor",
            sqlite_where=text("survivor IS NOT NULL"),
            postgresql_where=text("survivor IS NOT NULL"),
        ),
    )

    source_id: str = Field(primary_key=True, sa_type=_key())
    fields: str = Field(default="{}", sa_type=Text)  # JSON: flat key -> entry, see rules/stamps.py
    survivor: str | None = Field(default=None, sa_type=_key())  # the source_id this one is read through
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    version: int = Field(default=1)


class IdentityRow(SQLModel, table=True):
    """Another identifier of a profile, many to many. The stamp is the earliest message that told of it."""

    __tablename__ = "identity"
    __table_args__ = (Index("identity_by_value", "type", "value"), {"sqlite_with_rowid": False})

    source_id: str = Field(primary_key=True, sa_type=_key())
    type: str = Field(primary_key=True, sa_type=_key(64))
    value: str = Field(primary_key=True, sa_type=_key())  # as matched: e-mail in lower case, a long one as its hash
    shown: str | None = Field(default=None, sa_type=Text)  # as sent, where that differs
    at: int = Field(sa_type=BigInteger)
    message_key: str = Field(sa_type=_key(16))
    revision: int = 0


class EventRow(SQLModel, table=True):
    """What a profile did, once.

    `id` is the message key and position, or the hash of connection and the sender's event id: so the primary key is
    what makes events unique per (connection, message id, position) and per (connection, event id), at half the cost.
    """

    __tablename__ = "event"
    __table_args__ = (Index("event_by_profile", "source_id", "key", "occurred_at"),)

    id: str = Field(primary_key=True, sa_type=_key(32))
    source_id: str = Field(sa_type=_key())
    connection_id: str = Field(sa_type=_key(26))
    message_id: str = Field(sa_type=_key())
    position: int
    at: int = Field(sa_type=BigInteger)  # the message's time
    event_id: str | None = Field(default=None, sa_type=Text)  # the sender's own
    kind: str = Field(max_length=64)
    name: str = Field(sa_type=Text)
    key: str = Field(sa_type=_key())
    occurred_at: int = Field(sa_type=BigInteger)
    properties: str = Field(default="{}", sa_type=Text)  # JSON
    code: str | None = Field(default=None, sa_type=Text)
    order_id: str | None = Field(default=None, sa_type=Text)


class CustomerOrderRow(SQLModel, table=True):
    """An order; last writer wins per field and per refund."""

    __tablename__ = "customer_order"

    source_id: str = Field(primary_key=True, sa_type=_key())
    order_id: str = Field(primary_key=True, sa_type=_key())
    shown_id: str | None = Field(default=None, sa_type=Text)  # as sent, where too long for a key
    fields: str = Field(default="{}", sa_type=Text)  # JSON: field -> entry
    refunds: str = Field(default="{}", sa_type=Text)  # JSON: refund id -> entry
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)


class ConsentRow(SQLModel, table=True):
    """What a profile, or whoever holds an address, allowed."""

    __tablename__ = "consent"
    __table_args__ = (
        CheckConstraint("kind IN ('profile', 'address')"),
        CheckConstraint("status IN ('granted', 'denied', 'unknown')"),
        Index("consent_by_message", "message_key"),
    )

    kind: str = Field(primary_key=True, sa_type=_key(16))
    subject: str = Field(primary_key=True, sa_type=_key())  # a source_id, or an address as matched
    topic: str = Field(primary_key=True, sa_type=_key())
    status: str = Field(max_length=16)
    at: int = Field(sa_type=BigInteger)
    refusal: int  # 2 denied, 1 unknown, 0 granted: part of the stamp
    message_key: str = Field(sa_type=_key(16))
    revision: int = 0
    source: str | None = Field(default=None, sa_type=Text)
    proof: str | None = Field(default=None, sa_type=Text)  # JSON


class ProfileLinkRow(SQLModel, table=True):
    """Two source_ids of one person. The stamp is the earliest message that told of it."""

    __tablename__ = "profile_link"
    __table_args__ = (
        Index("profile_link_by_survivor", "survivor"),
        Index("profile_link_by_message", "message_key"),
        {"sqlite_with_rowid": False},
    )

    loser: str = Field(primary_key=True, sa_type=_key())
    survivor: str = Field(primary_key=True, sa_type=_key())
    at: int = Field(sa_type=BigInteger)
    message_key: str = Field(sa_type=_key(16))
    revision: int = 0


class ProductRow(SQLModel, table=True):
    """A product of the catalogue; last writer wins per field."""

    __tablename__ = "product"

    product_id: str = Field(primary_key=True, sa_type=_key())
    fields: str = Field(default="{}", sa_type=Text)  # JSON: field -> entry
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)


class TombstoneRow(SQLModel, table=True):
    """An erased source_id, as a keyed hash: its messages are ignored until an operator lifts it."""

    __tablename__ = "tombstone"

    hash: str = Field(primary_key=True, max_length=64)
    at: int = Field(sa_type=BigInteger)
    lifted_at: int | None = Field(default=None, sa_type=BigInteger)


class MetadataSchemaRow(SQLModel, table=True):
    """Which metadata keys a kind of record has, and of which type; see schema_document.py."""

    __tablename__ = "metadata_schema"

    kind: str = Field(primary_key=True, sa_type=_key())  # profile, order, item, event, event.<key>
    content: str = Field(sa_type=Text)  # JSON: allow_defined_only, properties
    hash: str = Field(max_length=64)
    updated_at: int = Field(sa_type=BigInteger)


class MetadataSchemaVersionRow(SQLModel, table=True):
    """All schemas as they stood together, stored once by their hash, which is what messages name."""

    __tablename__ = "metadata_schema_version"

    hash: str = Field(primary_key=True, max_length=64)
    content: str = Field(sa_type=Text)  # JSON: kind -> document
    created_at: int = Field(sa_type=BigInteger)  # when they first stood so


class ErasureRow(SQLModel, table=True):
    """A request to erase, whoever made it, and where it stands. It names nobody once it is carried out."""

    __tablename__ = "erasure"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'in_progress', 'completed', 'cancelled')"),
        UniqueConstraint("connection_id", "request_id"),
        Index("erasure_open", "status", sqlite_where=text(IS_OPEN), postgresql_where=text(IS_OPEN)),
    )

    id: str = Field(primary_key=True, max_length=26)
    connection_id: str = Field(default="", sa_type=_key(26))  # of the source; empty: an operator
    request_id: str = Field(sa_type=_key())  # the sender's own, a long one as its hash
    regulation: str = Field(default="", max_length=32)
    status: str = Field(max_length=16)
    received_at: int = Field(sa_type=BigInteger)
    expected_at: int = Field(sa_type=BigInteger)
    acts_at: int = Field(sa_type=BigInteger)  # not carried out before: until then it can be withdrawn
    changed_at: int = Field(sa_type=BigInteger)
    sealed: str = Field(default="", sa_type=Text)  # whom to erase, encrypted, while it waits for acts_at
    profiles: int = 0
    deliveries: str = Field(default="[]", sa_type=Text)  # JSON: ids of erase deliveries
    untold: str = Field(default="[]", sa_type=Text)  # JSON: destinations that did not confirm, once all have ended
    queue: str = Field(default="", sa_type=Text)  # JSON: how far the inbox topic must be truncated
    callbacks: str = Field(default="", sa_type=Text)  # JSON list of URLs to tell of each change, encrypted
    callback_count: int = 0


class ErasureCallbackRow(SQLModel, table=True):
    """One change of status, told to one URL."""

    __tablename__ = "erasure_callback"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'dead', 'skipped')"),
        Index("erasure_callback_due", "due_at", sqlite_where=text(IS_WAITING), postgresql_where=text(IS_WAITING)),
        Index("erasure_callback_of", "erasure_id"),
    )

    id: str = Field(primary_key=True, max_length=26)
    erasure_id: str = Field(max_length=26, foreign_key="erasure.id")
    position: int  # which of the request's callbacks
    status: str = Field(max_length=16)  # what it tells
    changed_at: int = Field(sa_type=BigInteger)  # since when
    state: str = Field(default="waiting", max_length=16)
    attempts: int = 0
    due_at: int = Field(sa_type=BigInteger)
    detail: str = Field(default="", sa_type=Text)  # of the last attempt, a sentence
