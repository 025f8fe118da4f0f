"""Statements as text and many rows in one statement, once for both engines: the hot paths pay nothing for building them.

`?` is a value and `AMONG ?` a list of texts, which travels as one value: an array on PostgreSQL, JSON on SQLite. Rows to
write travel as one array per column on PostgreSQL; SQLite is fastest with one prepared statement run per row. Names come
from our own tables, and values are always bound. Whoever writes many rows sorts them by key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import BigInteger, Boolean, Connection, CursorResult, Integer, Table
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlmodel import SQLModel

from hub.core.database import is_postgres

Values = tuple[Any, ...]
Named = Mapping[str, Any]


def table(row: type[SQLModel]) -> Table:
    """The table of a row class."""
    return SQLModel.metadata.tables[str(row.__tablename__)]


# ── reading, and single statements ───────────────────────────────────────────────────────────────────────────────


def run(connection: Connection, statement: str, *values: Any) -> CursorResult[*tuple[Any, ...]]:
    """Execute a statement written with `?` and `AMONG ?`."""
    if is_postgres(connection):
        return connection.exec_driver_sql(_postgres(statement), values)
    given = tuple([orjson.dumps(value).decode() if isinstance(value, list) else value for value in values])
    return connection.exec_driver_sql(_sqlite(statement), given)


def ask(connection: Connection, statement: str, *values: Any) -> list[Values]:
    """The rows of a query as plain tuples, which the driver makes several times faster than named ones."""
    result = run(connection, statement, *values)
    cursor = result.cursor
    rows: Any = cursor.fetchall() if cursor is not None else []
    result.close()
    return list(rows)


def select_by(connection: Connection, select: str, keys: Iterable[str], suffix: str = "") -> list[Values]:
    """Rows of `select`, which ends in the name of the column that must be among `keys`; then `suffix`."""
    listed = list(keys)
    return ask(connection, f"{select} AMONG ? {suffix}", listed) if listed else []


def select_pairs(
    connection: Connection, target: Table, names: Sequence[str], keys: tuple[str, str], pairs: Sequence[tuple[str, str]]
) -> list[Values]:
    """Columns `names` of the rows whose two `keys` are among `pairs`."""
    if not pairs:
        return []
    columns = ", ".join([f"t.{name}" for name in names])
    match = f"t.{keys[0]} = k.first AND t.{keys[1]} = k.second"
    if is_postgres(connection):
        given = "unnest(?::text[], ?::text[]) AS k(first, second)"
        return ask(connection, f"SELECT {columns} FROM {given} JOIN {target.name} t ON {match}", *_arrays(pairs))
    given = "(SELECT value ->> 0 AS first, value ->> 1 AS second FROM json_each(?)) k"
    return ask(connection, f"SELECT {columns} FROM {given} CROSS JOIN {target.name} t ON {match}", list(pairs))


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


# ── writing many rows ────────────────────────────────────────────────────────────────────────────────────────────


def insert_rows(
    connection: Connection,
    target: Table,
    rows: Sequence[Values],
    on_conflict: str = "",
    columns: tuple[str, ...] | None = None,
) -> None:
    """Insert rows whose values stand in the order of `columns`, or of the table's. `on_conflict`: that clause."""
    if not rows:
        return
    names = columns or _names(target)
    if is_postgres(connection):
        connection.exec_driver_sql(f"{_insert_arrays(target, names)} {on_conflict}", _arrays(rows))
        return
    connection.exec_driver_sql(f"{_insert_values(target, names)} {on_conflict}", list(rows))


def insert_many(connection: Connection, target: Table, rows: Sequence[Named], on_conflict: str = "") -> None:
    """Insert rows that all have the same keys; a column left out gets its default.

    >>> insert_many(connection, CODE, [{"code": "A1", "state": "free"}], "ON CONFLICT DO NOTHING")
    """
    if not rows:
        return
    given = tuple(rows[0])
    defaults = _defaults(target, given)
    values = _values(rows, given)
    if defaults:
        rest = tuple(defaults.values())
        values = [(*row, *rest) for row in values]
    insert_rows(connection, target, values, on_conflict, (*given, *defaults))


def insert_new(connection: Connection, target: Table, key: str, rows: Sequence[Values]) -> set[str]:
    """Insert rows whose `key`, the first column, is not there yet; the keys that were."""
    if not rows:
        return set()
    if is_postgres(connection):
        statement = f"{_insert_arrays(target, _names(target))} ON CONFLICT ({key}) DO NOTHING RETURNING {key}"
        return {row[0] for row in connection.exec_driver_sql(statement, _arrays(rows))}
    there = {row[0] for row in select_by(connection, f"SELECT {key} FROM {target.name} WHERE {key}", _firsts(rows))}
    fresh = [row for row in rows if row[0] not in there]
    insert_rows(connection, target, fresh)
    return set(_firsts(fresh))


def update_rows(
    connection: Connection, target: Table, keys: Sequence[str], names: Sequence[str], rows: Sequence[Values]
) -> None:
    """Update rows by key. Each row holds the new values of `names`, then the key's; nothing says how many matched."""
    if not rows:
        return
    if is_postgres(connection):
        connection.exec_driver_sql(_update_arrays(target, tuple(keys), tuple(names)), _arrays(rows))
        return
    changes = ", ".join([f"{name} = ?" for name in names])
    condition = " AND ".join([f"{key} = ?" for key in keys])
    connection.exec_driver_sql(f"UPDATE {target.name} SET {changes} WHERE {condition}", list(rows))


def update_many(connection: Connection, target: Table, keys: Sequence[str], rows: Sequence[Named]) -> None:
    """Set each row's other columns where its `keys` columns match. All rows have the same keys."""
    if not rows:
        return
    names = [name for name in rows[0] if name not in keys]
    update_rows(connection, target, keys, names, _values(rows, (*names, *keys)))


def _values(rows: Sequence[Named], columns: Sequence[str]) -> list[Values]:
    if len(columns) == 1:
        return [(row[columns[0]],) for row in rows]
    return list(map(itemgetter(*columns), rows))


def _firsts(rows: Iterable[Values]) -> list[str]:
    return [row[0] for row in rows]


def _arrays(rows: Sequence[Values]) -> tuple[list[Any], ...]:
    return tuple(map(list, zip(*rows, strict=True)))


@cache
def _names(target: Table) -> tuple[str, ...]:
    return tuple([column.name for column in target.columns])


@cache
def _defaults(target: Table, given: tuple[str, ...]) -> dict[str, Any]:
    """Plain values for the columns that are not given and have one."""
    others = [column for column in target.columns if column.name not in given]
    return {one.name: one.default.arg for one in others if isinstance(one.default, ScalarElementColumnDefault)}


@cache
def _insert_values(target: Table, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {target.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


@cache
def _insert_arrays(target: Table, names: tuple[str, ...]) -> str:
    arrays = ", ".join([f"%b::{_array(target, name)}" for name in names])
    return f"INSERT INTO {target.name} ({', '.join(names)}) SELECT * FROM unnest({arrays}) AS given"


@cache
def _update_arrays(target: Table, keys: tuple[str, ...], names: tuple[str, ...]) -> str:
    arrays = ", ".join([f"%b::{_array(target, name)}" for name in (*names, *keys)])
    changes = ", ".join([f"{name} = given.{name}" for name in names])
    condition = " AND ".join([f"{target.name}.{key} = given.{key}" for key in keys])
    given = ", ".join([*names, *keys])
    return f"UPDATE {target.name} SET {changes} FROM unnest({arrays}) AS given({given}) WHERE {condition}"


def _array(target: Table, name: str) -> str:
    kind = target.columns[name].type
    if isinstance(kind, Boolean):
        return "boolean[]"
    return "bigint[]" if isinstance(kind, BigInteger) else "integer[]" if isinstance(kind, Integer) else "text[]"
