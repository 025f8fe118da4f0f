"""Why a delivery waits: every one that does has a reason, and this is where an operator reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.admin.running import RunningHub
from hub.core.clock import Micros, iso
from hub.registry.values import Connection


def why_waiting(row: Mapping[str, Any], connection: Connection | None, hub: RunningHub, now: Micros) -> str:
    """A sentence for a delivery that waits, empty for one that does not. `row` is the delivery as lists show it."""
    if row["status"] != "waiting":
        return ""
    if row["state"] == "sending":
        return "A call that carries it is under way."
    if connection is None:
        return "Its connection is gone."
    return _held(row, connection, hub) or _due(row, hub, now)


def _held(row: Mapping[str, Any], connection: Connection, hub: RunningHub) -> str:
    """What holds back the whole connection."""
    if connection.status == "paused":
        return f"The destination is paused: {connection.paused_reason or 'no reason given'}"
    if row["route"] in connection.paused_routes:
        return f"Its route {row['route']!r} is paused: {connection.paused_routes[row['route']]}"
    deliver = hub.roles.get("deliver")
    if deliver is None or not deliver.alive:
        return "The deliver role is not running; see `hub doctor`."
    if lacking := hub.lacks(connection):
        return lacking
    if not connection.mapping_hash:
        return "The destination has no valid mapping; see `hub mappings check`."
    return ""


def _due(row: Mapping[str, Any], hub: RunningHub, now: Micros) -> str:
    if row["state"] == "pending":
        return f"The vendor works on it; it is asked again at {row['due_at']}."
    why, until = hub.waits.get(row["connection_id"], ("", None))
    if why:
        return f"{why[0].upper()}{why[1:]}{f', until {iso(until)}' if until else ''}."
    if row["due_at"] > iso(now):
        return f"It is tried again at {row['due_at']}." if row["attempt_count"] else f"It is due at {row['due_at']}."
    return "It waits for its turn: others of its connection, or calls for the same person, go first."
