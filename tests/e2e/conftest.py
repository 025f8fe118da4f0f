"""A running hub per test, on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import RunningHub


@pytest.fixture
def hub(tmp_path: Path, database_url: str) -> Iterator[RunningHub]:
    """`hub serve`, ready; on SQLite and on PostgreSQL."""
    with RunningHub(tmp_path / "hub", database_url) as running:
        yield running
