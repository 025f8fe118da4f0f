"""Fresh deliveries enter the queue one transaction at a time, so that the newest of a profile supersedes the others."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from sqlalchemy import Connection

from hub.core.database import is_postgres

_LOCK_CLASS = 0x0B0  # of PostgreSQL's advisory locks: one bucket of (connection, profile)
_BUCKETS = 256


def lock_fresh(connection: Connection, keys: Sequence[tuple[str, str]]) -> None:
    """Keep others from putting fresh deliveries of these (connection, source_id) into the queue until the end.

    SQLite has one writer anyway. PostgreSQL locks buckets of them, in order, so that two never wait for each other.
    """
    if not keys or not is_postgres(connection):
        return
    buckets = sorted({crc32(f"{one}\0{other}".encode()) % _BUCKETS for one, other in keys})
    statement = "SELECT pg_advisory_xact_lock(%s, b) FROM unnest(%s::int[]) AS b"
    connection.exec_driver_sql(statement, (_LOCK_CLASS, buckets))
