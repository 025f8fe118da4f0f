"""A whole hub for tests that cross rooms, on both engines, over tables that are emptied instead of made again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, MetaData, text
from sqlalchemy.engine import make_url

from hub.core.database import open_database, write
from hub.inbox.tables import INBOX
from hub.runtime.process.schema import create_all, metadata
from tests.rooms.whole import Whole


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def kept_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One database per module and engine: making one costs more than most tests."""
    url = f"sqlite:///{tmp_path_factory.mktemp('state')}/hub.db"
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_url")
        name = f"kept_{request.module.__name__.rpartition('.')[2]}"
        url = make_url(server).set(database=name).render_as_string(hide_password=False)
        admin = open_database(server)
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
    opened = open_database(url)
    create_all(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def empty_engine(kept_engine: Engine) -> Iterator[Engine]:
    """A database with every table, empty."""
    yield kept_engine
    empty(kept_engine, metadata())
    if kept_engine.dialect.name == "postgresql":
        INBOX.create_all(kept_engine)
        empty(kept_engine, INBOX)


def empty(engine: Engine, tables: MetaData) -> None:
    with write(engine) as connection:
        for table in reversed(tables.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture
def whole(empty_engine: Engine, tmp_path: Path) -> Iterator[Whole]:
    made = Whole(empty_engine, tmp_path / "hub")
    yield made
    made.close()
