"""A copy of both SQLite files that belong together, taken while the hub runs.

The position of what was applied stands in one file and the queue in the other, and housekeeping deletes from the queue up
to that position: copied one after the other they could miss messages. So both are pinned at one moment, in which nobody can
move the position, and copied from there at leisure.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine

from hub.core.database import open_database, write
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError


def back_up(hub: Installation, folder: Path) -> list[Path]:
    """Write `hub.db` and `inbox.db` into a folder; their paths. Raises ConfigurationError."""
    if hub.engine.dialect.name != "sqlite":
        raise ConfigurationError("This hub keeps everything in PostgreSQL; back it up with pg_dump or a base backup.")
    copies = [folder / "hub.db", folder / "inbox.db"]
    taken = next((path for path in copies if path.exists()), None)
    if taken:
        raise ConfigurationError(f"{taken} is there already; name an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    inbox = open_database(hub.settings.inbox_url)
    try:
        with hub.engine.connect() as state, inbox.connect() as queue:
            with _position_held(hub.engine):
                _pin(state)
                _pin(queue)
            _copy(state, copies[0])
            _copy(queue, copies[1])
    finally:
        inbox.dispose()
    return copies


@contextmanager
def _position_held(engine: Engine) -> Iterator[None]:
    """Nothing is written to the state in here. Keep it short."""
    with write(engine):
        yield


def _pin(connection: Connection) -> None:
    """Begin to read: from now on this connection sees the file as it is."""
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")


def _copy(connection: Connection, target: Path) -> None:
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection), "only SQLite files are copied"
    draft = target.with_suffix(".partial")
    draft.unlink(missing_ok=True)
    copy = sqlite3.connect(draft)
    try:
        source.backup(copy)
    finally:
        copy.close()
    draft.rename(target)
