"""Setting up syncs: what CLI and API both do."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection as Database

from hub.core.clock import Micros
from hub.distributions import syncs
from hub.distributions.values import Sync
from hub.ledger.store import record_audit
from hub.registry.values import Connection
from hub.runtime.distributing import checked_options
from hub.runtime.installation import Installation
from hub.runtime.shown import with_times


def add_sync(
    hub: Installation,
    database: Database,
    now: Micros,
    connection: Connection,
    operation: str,
    actor: str,
    *,
    options: Any = None,
    events: Any = (),
) -> Sync:
    """Keep a destination in step with profiles or events, in place of an earlier sync of the same operation.

    Raises ConfigurationError with a sentence for whatever does not fit.
    """
    checked = checked_options(hub, connection, operation, options or {})
    added = syncs.add(
        database, now, connection_id=connection.id, operation=operation, options=checked, event_keys=events
    )
    record_audit(database, now, actor, "sync.added", connection.name, sync_json(added) | {"id": connection.id})
    return added


def remove_sync(database: Database, now: Micros, connection: Connection, operation: str, actor: str) -> bool:
    """Stop keeping a destination in step; whether there was such a sync."""
    is_gone = syncs.remove(database, connection.id, operation)
    if is_gone:
        record_audit(database, now, actor, "sync.removed", connection.name, {"operation": operation})
    return is_gone


def sync_json(sync: Sync) -> dict[str, Any]:
    """A sync as CLI and API show it; `events` is empty where every event is passed on."""
    shown = {"operation": sync.operation, "options": dict(sync.options), "created_at": sync.created_at}
    return with_times(shown | ({"events": list(sync.event_keys)} if sync.operation == "events" else {}))


def syncs_json(database: Database, connection: Connection) -> list[dict[str, Any]]:
    """All syncs of a destination."""
    return [sync_json(sync) for sync in syncs.for_connection(database, connection.id)]
