"""A delivery that waits always has a reason, and it is the one that holds it back at this moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub.admin.running import RunningHub
from hub.admin.waiting import why_waiting
from hub.core.clock import SECOND, iso
from hub.registry.values import Connection
from hub.runtime.process.heartbeat import RoleHealth

NOW = 1_800_000_000 * SECOND
CRM = Connection(
    id="c1", role="destination", connector="acme", name="crm", source_key=None, settings={}, secrets={}, hosts={},
    mapping="acme", mapping_patch="", mapping_hash="abc", currency="EUR", retry_unknown=False, status="active",
    paused_reason="", paused_routes={}, version=1,
)  # fmt: skip
ROW = {
    "status": "waiting", "state": "waiting", "connection_id": "c1", "route": "track", "attempt_count": 0,
    "due_at": iso(NOW - SECOND),
}  # fmt: skip


def hub(*, alive: int = 1, **report: Any) -> RunningHub:
    whole = {"connectors": ["acme"], "missing_folders": [], "broken": {}, **report}
    return RunningHub({"deliver": RoleHealth(alive, 0, 0, is_settled=True, started_at=NOW, report=whole)})


@pytest.mark.parametrize(
    ("row", "connection", "running", "why"),
    [
        ({"state": "sending"}, {}, hub(), "A call that carries it is under way."),
        ({}, {"status": "paused", "paused_reason": "401: no such key"}, hub(), "The destination is paused: 401: no such key"),
        ({}, {"paused_routes": {"track": "403"}}, hub(), "Its route 'track' is paused: 403"),
        ({}, {}, RunningHub({}), "The deliver role is not running; see `hub doctor`."),
        ({}, {}, hub(alive=0), "The deliver role is not running; see `hub doctor`."),
        ({}, {}, hub(connectors=["other"]), "The destination 'crm' needs the connector 'acme', which the role deliver cannot use; see the connectors."),
        ({}, {"mapping_hash": ""}, hub(), "The destination has no valid mapping; see `hub mappings check`."),
        ({"state": "pending"}, {}, hub(), f"The vendor works on it; it is asked again at {iso(NOW - SECOND)}."),
        ({}, {}, hub(lanes={"c1": ["the vendor asked to slow down", NOW]}), f"The vendor asked to slow down, until {iso(NOW)}."),
        ({}, {}, hub(lanes={"c1": ["it was stopped until its pause is stored", None]}), "It was stopped until its pause is stored."),
        ({"due_at": iso(NOW + SECOND)}, {}, hub(), f"It is due at {iso(NOW + SECOND)}."),
        ({"due_at": iso(NOW + SECOND), "attempt_count": 2}, {}, hub(), f"It is tried again at {iso(NOW + SECOND)}."),
        ({}, {}, hub(lanes={"another": ["the vendor asked to slow down", NOW]}), "It waits for its turn: others of its connection, or calls for the same person, go first."),
        ({"status": "sent", "state": "sent"}, {}, hub(), ""),
    ],
)  # fmt: skip
def test_the_reason_is_what_holds_it_back(row: Any, connection: Any, running: RunningHub, why: str) -> None:
    assert why_waiting({**ROW, **row}, replace(CRM, **connection), running, NOW) == why


def test_a_connection_that_is_gone_is_a_reason() -> None:
    assert why_waiting(ROW, None, hub(), NOW) == "Its connection is gone."
