"""A whole hub for tests that cross rooms, on both engines, over tables that are emptied instead of made again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, MetaData

from hub.core.database import open_database, write
from hub.inbox.tables import INBOX
from hub.runtime.process.schema import metadata
from tests.databases import Kept, new_sqlite
from tests.rooms.whole import Whole


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def kept_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One database per module and engine: making one costs more than most tests."""
    if request.param == "postgres":
        kept: Kept = request.getfixturevalue("kept_postgres")("rooms")
        url = kept.url
    else:
        url = new_sqlite(tmp_path_factory.mktemp("state") / "hub.db")
    opened = open_database(url)
    yield opened
    opened.dispose()
    if request.param == "postgres":
        kept.empty()


@pytest.fixture
def empty_engine(kept_engine: Engine) -> Iterator[Engine]:
    """A database with every table, empty."""
    yield kept_engine
    empty(kept_engine, metadata())
    if kept_engine.dialect.name == "postgresql":
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
