"""The world of the outbox on both engines. The databases are made once and emptied for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from hub.core.database import open_database, write
from hub.runtime.process.schema import metadata
from tests.databases import Kept, new_sqlite
from tests.rooms.outbox.world import World


@pytest.fixture(scope="session")
def outbox_databases(
    kept_postgres: Callable[[str], Kept], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Engine]]:
    engines = {
        "sqlite": open_database(new_sqlite(tmp_path_factory.mktemp("outbox") / "hub.db")),
        "postgres": open_database(kept_postgres("outbox").url),
    }
    yield engines
    for engine in engines.values():
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, outbox_databases: dict[str, Engine]) -> Engine:
    opened = outbox_databases[request.param]
    empty(opened)
    return opened


def empty(engine: Engine) -> None:
    """Remove every row."""
    with write(engine) as connection:
        for table in reversed(metadata().sorted_tables):
            connection.execute(table.delete())


@pytest.fixture
def hub(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(engine)
    monkeypatch.setattr("hub.outbox.wire.senders.Sender", lambda *arguments, **options: world.vendor)
    yield world
    world.engine.stop(1.0)
