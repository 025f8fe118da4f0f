"""Setting up syncs: what CLI and API both do."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection as Database

from hub.admin.distributions import checked_options
from hub.admin.views import with_times
from hub.core.clock import Micros
from hub.distributions import backfills, syncs
from hub.distributions.values import Backfill, Sync
from hub.ledger.store import record_audit
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.runtime.sync.backfill import counted
from hub.sdk.errors import ConfigurationError


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
    """Keep a destination in step with an operation, in place of an earlier sync of the same one.

    Raises ConfigurationError with a sentence for whatever does not fit.
    """
    checked = checked_options(hub, connection, operation, options or {})
    added = syncs.add(
        database, now, connection_id=connection.id, operation=operation, options=checked, event_keys=events
    )
    record_audit(database, now, actor, "sync.added", connection.name, sync_json(added) | {"id": connection.id})
    return added


def count_backfill(
    hub: Installation, now: Micros, connection: Connection, operation: str, *, options: Any = None
) -> dict[str, int]:
    """How many people a backfill would look at and how many deliveries it would make. Raises ConfigurationError."""
    checked = checked_options(hub, connection, operation, options or {})
    if operation not in backfills.OPERATIONS:
        raise ConfigurationError(backfills.NOT_OFFERED.format(operation))
    return counted(hub.engine, Sync(connection.id, operation, checked, (), now, connection.mapping_hash), now)


def start_backfill(database: Database, now: Micros, connection: Connection, sync: Sync, actor: str) -> Backfill:
    """Make a sync good for everybody who is there already; the schedule role does it. One under way goes on.

    Raises ConfigurationError for a sync of events.
    """
    opened, is_new = backfills.open_backfill(database, sync, now)
    detail = {"operation": sync.operation, "backfill": opened.id, "is_new": is_new, "id": connection.id}
    record_audit(database, now, actor, "sync.backfilled", connection.name, detail)
    return opened


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
    """All syncs of a destination, each with its latest backfill."""
    filled = backfills.latest(database, connection.id)
    return [
        sync_json(sync) | ({"backfill": backfill_json(filled[sync.operation])} if sync.operation in filled else {})
        for sync in syncs.for_connection(database, connection.id)
    ]


def backfill_json(backfill: Backfill) -> dict[str, Any]:
    """A backfill as CLI and API show it; its cursor names somebody and stays inside."""
    shown = {"id": backfill.id, "state": backfill.state, **backfill.counts}
    return with_times(shown | {"opened_at": backfill.opened_at, "updated_at": backfill.updated_at})
