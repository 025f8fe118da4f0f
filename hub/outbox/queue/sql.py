"""Statements as text, once for both engines: the hot path pays nothing for building them.

`?` is a value and `AMONG ?` a list of texts, which travels as one value: an array on PostgreSQL, JSON on SQLite.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any
from zlib import crc32

import orjson
from sqlalchemy import Connection, CursorResult

from hub.core.database import is_postgres

_LOCK_CLASS = 0x0B0  # of PostgreSQL's advisory locks: one bucket of (connection, profile)
_BUCKETS = 256


def run(connection: Connection, statement: str, *values: Any) -> CursorResult[*tuple[Any, ...]]:
    """Execute a statement written with `?` and `AMONG ?`."""
    if is_postgres(connection):
        return connection.exec_driver_sql(_postgres(statement), values)
    given = tuple([orjson.dumps(value).decode() if isinstance(value, list) else value for value in values])
    return connection.exec_driver_sql(_sqlite(statement), given)


def ask(connection: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query as plain tuples, which the driver makes several times faster than named ones."""
    result = run(connection, statement, *values)
    cursor = result.cursor
    rows: Any = cursor.fetchall() if cursor is not None else []
    result.close()
    return list(rows)


@cache
def _postgres(statement: str) -> str:
    return statement.replace("AMONG ?", "= ANY(%b::text[])").replace("?", "%s").replace("{locked}", "FOR UPDATE")


@cache
def _sqlite(statement: str) -> str:
    return (
        statement.replace("AMONG ?", "IN (SELECT value FROM json_each(?))")
        .replace("{locked}", "")
        .replace("SKIP LOCKED", "")
    )


def lock_fresh(connection: Connection, keys: Sequence[tuple[str, str]]) -> None:
    """Keep others from putting fresh deliveries of these (connection, source_id) into the queue until the end.

    SQLite has one writer anyway. PostgreSQL locks buckets of them, in order, so that two never wait for each other.
    """
    if not keys or not is_postgres(connection):
        return
    buckets = sorted({crc32(f"{one}\0{other}".encode()) % _BUCKETS for one, other in keys})
    statement = "SELECT pg_advisory_xact_lock(%s, b) FROM unnest(%s::int[]) AS b"
    connection.exec_driver_sql(statement, (_LOCK_CLASS, buckets))
