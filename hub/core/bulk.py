"""Many rows in one statement, at the speed each engine can give.

SQLite is fastest with one prepared statement run per row, fed without SQLAlchemy's work per parameter. PostgreSQL pays a
message per row for that, and psycopg much for quoting arrays, so there the rows travel as one JSON text. Statements are
made once per table, columns and `adapt`: give a function of a module for that, not a new one each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Integer,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.database import is_postgres
from hub.sdk.json import dumps

Adapt = Callable[[Any], Any]
Row = Mapping[str, Any]


def insert_many(connection: Connection, table: Table, rows: Sequence[Row], adapt: Adapt | None = None) -> None:
    """Insert rows that all have the same keys: text, numbers, booleans and None. `adapt` adds an ON CONFLICT clause.

    >>> insert_many(connection, CODE, [{"code": "A1", "state": "free"}], unless_taken)
    """
    if not rows:
        return
    columns = tuple(rows[0])
    if is_postgres(connection):
        connection.execute(_postgres_insert(table, columns, adapt), {"rows": _json(rows)})
        return
    sql, values_of = _sqlite_insert(table, columns, adapt)
    connection.exec_driver_sql(sql, [values_of(row) for row in rows])


def update_many(connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[Row]) -> None:
    """Set each row's other columns where its `keys` columns match. All rows have the same keys; nothing says how many
    matched."""
    if not rows:
        return
    columns = tuple(rows[0])
    if is_postgres(connection):
        connection.execute(_postgres_update(table, columns, tuple(keys)), {"rows": _json(rows)})
        return
    sql, values_of = _sqlite_update(table, columns, tuple(keys))
    connection.exec_driver_sql(sql, [values_of(row) for row in rows])


@lru_cache(maxsize=256)
def _sqlite_insert(table: Table, columns: tuple[str, ...], adapt: Adapt | None) -> tuple[str, Callable[[Row], Any]]:
    statement = sqlite.insert(table)
    return _plain(adapt(statement) if adapt else statement, table, columns)


@lru_cache(maxsize=256)
def _sqlite_update(table: Table, columns: tuple[str, ...], keys: tuple[str, ...]) -> tuple[str, Callable[[Row], Any]]:
    same = and_(*[table.c[name] == bindparam(f"{_ROW}{name}") for name in keys])
    changed: dict[str, Any] = {name: bindparam(f"{_ROW}{name}") for name in columns if name not in keys}
    return _plain(update(table).where(same).values(changed), table, columns)


@lru_cache(maxsize=256)
def _postgres_insert(table: Table, columns: tuple[str, ...], adapt: Adapt | None) -> Any:
    source = _rows(table, columns)
    given = select(*[source.c[name] for name in columns])
    statement = postgresql.insert(table).from_select(list(columns), given)
    return adapt(statement) if adapt else statement


@lru_cache(maxsize=256)
def _postgres_update(table: Table, columns: tuple[str, ...], keys: tuple[str, ...]) -> Any:
    source = _rows(table, columns)
    same = and_(*[table.c[name] == source.c[name] for name in keys])
    return update(table).where(same).values({name: source.c[name] for name in columns if name not in keys})


_ROW = "of_row_"  # SQLAlchemy keeps the columns' own names for itself in an UPDATE


def _plain(statement: Any, table: Table, columns: tuple[str, ...]) -> tuple[str, Callable[[Row], Any]]:
    """SQL for the driver, and the function that takes a row's values in the order of its question marks."""
    given = list(columns) if statement.is_insert else None
    compiled = statement.compile(dialect=sqlite.dialect(), column_keys=given)
    names = [name.removeprefix(_ROW) for name in compiled.positiontup]
    defaults = {name: table.c[name].default.arg for name in names if name not in columns}
    if defaults:
        return str(compiled), lambda row: tuple(row.get(name, defaults.get(name)) for name in names)
    if len(names) == 1:
        return str(compiled), lambda row: (row[names[0]],)
    return str(compiled), itemgetter(*names)


def _rows(table: Table, columns: Sequence[str]) -> Any:
    """The JSON text as a table: (SELECT ... FROM json_to_recordset(:rows) AS given (id text, at bigint, ...))."""
    typed = [column(name, _transport(table.c[name].type)) for name in columns]
    given = func.json_to_recordset(cast(bindparam("rows", type_=Text), postgresql.JSON))
    return given.table_valued(*typed).render_derived(name="given", with_types=True)


def _transport(kind: Any) -> Any:
    return kind if isinstance(kind, BigInteger | Integer | Boolean) else Text()


def _json(rows: Sequence[Row]) -> str:
    return dumps(rows if isinstance(rows[0], dict) else [dict(row) for row in rows]).decode()
