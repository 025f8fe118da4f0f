"""New connectors without a restart of the hub: the roles end one after the other, and whoever started them starts them again.

The wish is a row among the heartbeats, so it reaches roles in other containers too. A role that is older than the
wish, and is not waiting for its turn, ends in good order; its next process finds the folders that are there by then.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select

from hub.core.clock import SECOND, Micros
from hub.ledger.store import record_audit
from hub.runtime.tables import HEARTBEAT

WISH = "reload"
ORDER = ("web", "apply", "deliver", "schedule")
ALIVE_WITHIN: Micros = 10 * SECOND


def ask(connection: Connection, now: Micros, actor: str) -> list[str]:
    """Ask all running roles to start again; which they are, in their turn."""
    connection.execute(delete(HEARTBEAT).where(HEARTBEAT.c.id == WISH))
    connection.execute(HEARTBEAT.insert(), {"id": WISH, "role": WISH, "started_at": now, "at": now, "report": "{}"})
    record_audit(connection, now, actor, "connectors.reload", "", {})
    oldest = _oldest(connection, now)
    return [role for role in ORDER if role in oldest]


def is_due(connection: Connection, role: str, started_at: Micros, now: Micros) -> bool:
    """Whether a process of this role is to start again now: it is older than the wish, and no earlier role is."""
    wished_at = connection.scalar(select(HEARTBEAT.c.started_at).where(HEARTBEAT.c.id == WISH))
    if wished_at is None or started_at > wished_at:
        return False
    oldest = _oldest(connection, now)
    before = ORDER[: ORDER.index(role)] if role in ORDER else ()
    return not any(oldest.get(other, now) <= wished_at for other in before)


def waiting(connection: Connection, now: Micros) -> list[str]:
    """The roles that have not started again since the last wish."""
    wished_at = connection.scalar(select(HEARTBEAT.c.started_at).where(HEARTBEAT.c.id == WISH))
    if wished_at is None:
        return []
    oldest = _oldest(connection, now)
    return [role for role in ORDER if oldest.get(role, now) <= wished_at]


def _oldest(connection: Connection, now: Micros) -> Mapping[str, Micros]:
    """When the oldest living process of each role started."""
    query = select(HEARTBEAT.c.role, HEARTBEAT.c.started_at).where(
        HEARTBEAT.c.id != WISH, HEARTBEAT.c.at >= now - ALIVE_WITHIN
    )
    found: dict[str, Micros] = {}
    for role, started_at in connection.execute(query):
        found[role] = min(started_at, found.get(role, started_at))
    return found
