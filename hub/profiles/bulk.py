"""Multi-row statements, one round trip each: `executemany` on SQLite, arrays on PostgreSQL.

Rows are tuples in the table's column order. Statements go to the driver as text, since building them anew would cost
more than the rows; names come from our own tables and values are always bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, Integer, Table
from sqlmodel import SQLModel

from hub.core.database import is_postgres

Values = tuple[Any, ...]


def table(row: type[SQLModel]) -> Table:
    """The table of a row class."""
    return SQLModel.metadata.tables[str(row.__tablename__)]


def insert_rows(connection: Connection, target: Table, rows: Sequence[Values], on_conflict: str = "") -> None:
    """Insert rows, sorted by the caller. `on_conflict` is the clause as both engines write it."""
    if not rows:
        return
    if is_postgres(connection):
        connection.exec_driver_sql(f"{_insert_arrays(target)} {on_conflict}", _arrays(rows))
        return
    connection.exec_driver_sql(f"{_insert_values(target)} {on_conflict}", list(rows))


def insert_new(connection: Connection, target: Table, key: str, rows: Sequence[Values]) -> set[str]:
    """Insert rows whose `key`, the first column, is not there yet; the keys that were."""
    if not rows:
        return set()
    clause = f"ON CONFLICT ({key}) DO NOTHING"
    if is_postgres(connection):
        result = connection.exec_driver_sql(f"{_insert_arrays(target)} {clause} RETURNING {key}", _arrays(rows))
        return {row[0] for row in result}
    there = {row[0] for row in select_by(connection, f"SELECT {key} FROM {target.name} WHERE {key}", _firsts(rows))}
    fresh = [row for row in rows if row[0] not in there]
    insert_rows(connection, target, fresh)
    return set(_firsts(fresh))


def update_rows(
    connection: Connection, target: Table, keys: Sequence[str], names: Sequence[str], rows: Sequence[Values]
) -> None:
    """Update rows by key. Each row holds the new values of `names`, then the key's."""
    if not rows:
        return
    if is_postgres(connection):
        connection.exec_driver_sql(_update_arrays(target, tuple(keys), tuple(names)), _arrays(rows))
        return
    changes = ", ".join([f"{name} = ?" for name in names])
    condition = " AND ".join([f"{key} = ?" for key in keys])
    connection.exec_driver_sql(f"UPDATE {target.name} SET {changes} WHERE {condition}", list(rows))


def select_by(connection: Connection, select: str, keys: Iterable[str], suffix: str = "") -> Sequence[Any]:
    """Rows of `select`, which ends in the name of the column that must be among `keys`; then `suffix`."""
    values = list(keys)
    if not values:
        return []
    if is_postgres(connection):
        return connection.exec_driver_sql(f"{select} = ANY(%b::text[]) {suffix}", (values,)).fetchall()
    listed = orjson.dumps(values).decode()
    return connection.exec_driver_sql(f"{select} IN (SELECT value FROM json_each(?)) {suffix}", (listed,)).fetchall()


def select_pairs(
    connection: Connection, target: Table, names: Sequence[str], keys: tuple[str, str], pairs: Sequence[tuple[str, str]]
) -> Sequence[Any]:
    """Columns `names` of the rows whose two `keys` are among `pairs`."""
    if not pairs:
        return []
    columns = ", ".join([f"t.{name}" for name in names])
    match = f"t.{keys[0]} = k.first AND t.{keys[1]} = k.second"
    if is_postgres(connection):
        sql = (
            f"SELECT {columns} FROM unnest(%b::text[], %b::text[]) AS k(first, second) JOIN {target.name} t ON {match}"
        )
        return connection.exec_driver_sql(sql, _arrays(pairs)).fetchall()
    listed = "SELECT value ->> 0 AS first, value ->> 1 AS second FROM json_each(?)"
    sql = f"SELECT {columns} FROM ({listed}) k CROSS JOIN {target.name} t ON {match}"
    return connection.exec_driver_sql(sql, (orjson.dumps(pairs).decode(),)).fetchall()


def _firsts(rows: Iterable[Values]) -> list[str]:
    return [row[0] for row in rows]


def _arrays(rows: Sequence[Values]) -> tuple[list[Any], ...]:
    return tuple(map(list, zip(*rows, strict=True)))


@cache
def _insert_values(target: Table) -> str:
    marks = ", ".join(["?"] * len(target.columns))
    return f"INSERT INTO {target.name} ({_names(target)}) VALUES ({marks})"


@cache
def _insert_arrays(target: Table) -> str:
    arrays = ", ".join([f"%b::{_array(target, column.name)}" for column in target.columns])
    return f"INSERT INTO {target.name} ({_names(target)}) SELECT * FROM unnest({arrays}) AS given"


@cache
def _update_arrays(target: Table, keys: tuple[str, ...], names: tuple[str, ...]) -> str:
    arrays = ", ".join([f"%b::{_array(target, name)}" for name in (*names, *keys)])
    changes = ", ".join([f"{name} = given.{name}" for name in names])
    condition = " AND ".join([f"{target.name}.{key} = given.{key}" for key in keys])
    given = ", ".join([*names, *keys])
    return f"UPDATE {target.name} SET {changes} FROM unnest({arrays}) AS given({given}) WHERE {condition}"


def _names(target: Table) -> str:
    return ", ".join([column.name for column in target.columns])


def _array(target: Table, name: str) -> str:
    kind = target.columns[name].type
    return "bigint[]" if isinstance(kind, BigInteger) else "integer[]" if isinstance(kind, Integer) else "text[]"
