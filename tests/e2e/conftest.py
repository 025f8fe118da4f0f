"""A running hub, on each engine: one of its own for a test, or one that the stories of a module share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import new_postgres
from tests.harness import RunningHub, SharedHub


@pytest.fixture
def hub(tmp_path: Path, database_url: str) -> Iterator[RunningHub]:
    """`hub serve`, ready; on SQLite and on PostgreSQL."""
    with RunningHub(tmp_path / "hub", database_url) as running:
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def running_hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedHub]:
    """One for the module and engine: starting one takes longer than most stories."""
    folder = tmp_path_factory.mktemp("shared")
    if request.param == "sqlite":
        with SharedHub(folder / "hub") as running:
            yield running
        return
    with (
        new_postgres(request.getfixturevalue("postgres_url")) as url,
        SharedHub(folder / "hub", url) as running,
    ):
        yield running


@pytest.fixture
def shared_hub(running_hub: SharedHub) -> SharedHub:
    """The module's hub. Its ledger begins with the test; names and people are for the test to choose apart."""
    running_hub.begin()
    return running_hub
