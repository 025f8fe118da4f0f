"""One way to open a database and to write to it, on SQLite and on PostgreSQL.

Times are integer microseconds and JSON is text in every table, so both engines hold the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.pool import StaticPool

from hub.core import wakeup
from hub.sdk.errors import ConfigurationError

SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=10000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-65536",
    "PRAGMA wal_autocheckpoint=4000",  # pages; a batch writes hundreds, and each checkpoint waits for the disk twice
)
# 40001 serialisation failure, 40P01 deadlock, 55P03 lock not available, 57P0x shutdown, 53xxx out of resources
PASSING_SQLSTATES = ("40001", "40P01", "55P03", "57P", "53", "08")

ENGINES = ("postgresql", "sqlite")
PASSING_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_NOMEM")


def parse_url(url: str) -> URL:
    """A database URL in its parts. Raises ConfigurationError, without the URL: it may hold a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is not a number
        raise ConfigurationError(
            "HUB_DATABASE_URL is not a database URL; it is written as postgresql://user:password@host/name."
        ) from None
    if parsed.get_backend_name() not in ENGINES:
        raise ConfigurationError(
            f"HUB_DATABASE_URL names {parsed.get_backend_name()}; the hub keeps its state in PostgreSQL"
            " (postgresql://user:password@host/name) or, where it is empty, in SQLite."
        )
    return parsed


def open_database(url: str) -> Engine:
    """An engine for a URL such as `sqlite:///path` or `postgresql://user@host/name`. Raises ConfigurationError for others."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=10, hide_parameters=True
        )
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    # hide_parameters: an error's text reaches logs, and bound values are people's data
    connect_args = {"check_same_thread": False, "timeout": 10}
    engine = create_engine(parsed, connect_args=connect_args, pool_size=10, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def open_in_memory() -> Engine:
    """An empty SQLite database that lives as long as its engine, for one thread."""
    connect_args = {"check_same_thread": False}
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args=connect_args, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own; _begin_sqlite does
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns into a writer fails at once under contention; an immediate one waits its turn.
    writes = connection.get_execution_options().get("hub_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write: committed at the end, rolled back on any exception.

    Once it is committed, those are woken for whom it has noted work (`hub.core.wakeup`).
    """
    with engine.connect().execution_options(hub_writes=True, **wakeup.options()) as connection:
        with connection.begin():
            yield connection
        wakeup.send_noted(connection)


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """One consistent snapshot. Keep it short: on SQLite it holds back the checkpoint."""
    with engine.connect() as connection:
        if is_postgres(connection):
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def insert(connection: Connection, table: Table) -> Any:
    """The engine's own INSERT, which knows ON CONFLICT."""
    return postgresql.insert(table) if is_postgres(connection) else sqlite.insert(table)


def is_unfit(error: BaseException) -> bool:
    """Whether a value does not fit its column: too long, too large, or a text with characters that no column takes."""
    return isinstance(error, DataError | UnicodeEncodeError | OverflowError)


def is_passing(error: BaseException) -> bool:
    """Whether the same transaction may succeed if repeated: locked, full, deadlocked or lost; never a matter of data."""
    if not isinstance(error, DBAPIError) or isinstance(error, IntegrityError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(PASSING_SQLSTATES)
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return str(name).startswith(PASSING_SQLITE)
    return isinstance(error, OperationalError)  # a connection that could not be made has no code of its own
