"""Fixtures that every test folder shares. The same room tests run on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hub.core.database import open_database
from tests import databases
from tests.databases import Kept
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


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL of this test session (each xdist worker has its own)."""
    with databases.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def kept_postgres(postgres_url: str) -> Callable[[str], Kept]:
    """The kept database of a name, made when it is first asked for."""
    return cache(partial(Kept, postgres_url))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once per engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/hub.db"
        return
    with databases.new_postgres(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine with every state table made, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        opened = open_database(databases.new_sqlite(tmp_path / "hub.db"))
        yield opened
        opened.dispose()
        return
    kept: Kept = request.getfixturevalue("kept_postgres")("engine")
    opened = open_database(kept.url)
    yield opened
    opened.dispose()
    kept.empty()
