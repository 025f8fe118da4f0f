"""The revision that knows imports makes the sync log's table anew: its rows, and the attempts that refer to it, stay."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from hub.core.database import open_database, read, write
from hub.runtime.process.migrate import upgrade
from tests.rooms.test_migrations import upgrade_to

RUN = (
    "INSERT INTO sync_run (id, kind, connection_id, distribution_id, started_at, duration_us, counts, result, detail)"
    " VALUES (:id, :kind, 'C', 'D', 5, 7, '{}', 'partial', 'so it was')"
)
ATTEMPT = (
    "INSERT INTO attempt (id, run_id, connection_id, route, number, is_manual, started_at, outcome, request, response)"
    " VALUES ('A1', :run, 'C', 'r', 1, false, 5, 'open', '', '')"
)


def test_runs_and_their_attempts_survive_and_imports_are_allowed(database_url: str) -> None:
    engine = open_database(database_url)
    upgrade_to(engine, "0002")
    with write(engine) as connection:
        connection.execute(text(RUN), {"id": "R1", "kind": "request"})
        connection.execute(text(ATTEMPT), {"run": "R1"})
    upgrade(engine, "state")

    with read(engine) as connection:
        assert [tuple(row) for row in connection.execute(text("SELECT * FROM sync_run"))] == [
            ("R1", "request", "C", "D", 5, 7, "{}", "partial", "so it was")
        ]
        assert connection.scalar(text("SELECT run_id FROM attempt")) == "R1"
    with write(engine) as connection:
        connection.execute(text(RUN), {"id": "R2", "kind": "import"})
    for broken, values in ((RUN, {"id": "R3", "kind": "odd"}), (ATTEMPT.replace("A1", "A2"), {"run": "nothing"})):
        with pytest.raises(IntegrityError), write(engine) as connection:
            connection.execute(text(broken), values)
    engine.dispose()
