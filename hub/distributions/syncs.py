"""The SQL of syncs: connections kept in step with what comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, select

from hub.core.clock import Micros
from hub.core.database import insert
from hub.distributions.tables import SYNC
from hub.distributions.values import Json, Sync
from hub.registry.tables import ConnectionRow
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps, loads
from hub.sdk.values import Operation

OPERATIONS = (Operation.PROFILES, Operation.EVENTS, Operation.AUDIENCE, Operation.CONSENT)
MAX_EVENT_KEYS, MAX_EVENT_KEY = 1_000, 300
_CONNECTION = ConnectionRow.metadata.tables["connection"]


def add(
    connection: Connection,
    now: Micros,
    *,
    connection_id: str,
    operation: str,
    options: Mapping[str, Json],
    event_keys: Json = (),
) -> Sync:
    """Keep a destination in step from now on, in place of what it had for this operation. Raises ConfigurationError."""
    if operation not in OPERATIONS:
        raise ConfigurationError(
            f"A sync is of {', '.join(OPERATIONS[:-1])} or {OPERATIONS[-1]}, not of {operation!r}."
        )
    keys = _checked_keys(operation, event_keys)
    role = connection.scalar(select(_CONNECTION.c.role).where(_CONNECTION.c.id == connection_id))
    if role != "destination":
        raise ConfigurationError(f"There is no destination with the id {connection_id!r}.")
    given = {
        "options": dumps(dict(options)).decode(),
        "event_keys": dumps(keys).decode(),
        "created_at": now,
    }
    statement = insert(connection, SYNC).values(connection_id=connection_id, operation=str(operation), **given)
    connection.execute(statement.on_conflict_do_update(index_elements=["connection_id", "operation"], set_=given))
    return next(sync for sync in for_connection(connection, connection_id) if sync.operation == operation)


def remove(connection: Connection, connection_id: str, operation: str) -> bool:
    """Whether there was one; its backfill ends with it. What it had put into the outbox is still sent."""
    gone = delete(SYNC).where(SYNC.c.connection_id == connection_id, SYNC.c.operation == operation)
    return connection.execute(gone).rowcount > 0


def every(connection: Connection) -> list[Sync]:
    """All syncs, by connection and operation; those of paused connections too, since their deliveries wait."""
    return [_sync(row) for row in connection.execute(_query()).mappings()]


def for_connection(connection: Connection, connection_id: str) -> list[Sync]:
    """The syncs of one connection, by operation."""
    query = _query().where(SYNC.c.connection_id == connection_id)
    return [_sync(row) for row in connection.execute(query).mappings()]


def _query() -> Select[Any]:
    query = select(SYNC, _CONNECTION.c.mapping_hash).join(_CONNECTION, _CONNECTION.c.id == SYNC.c.connection_id)
    return query.order_by(SYNC.c.connection_id, SYNC.c.operation)


def _sync(row: RowMapping) -> Sync:
    return Sync(
        row["connection_id"],
        row["operation"],
        loads(row["options"]),
        loads(row["event_keys"]),
        row["created_at"],
        row["mapping_hash"],
    )


def _checked_keys(operation: str, event_keys: Json) -> Sequence[str]:
    if not isinstance(event_keys, list | tuple) or not all(
        isinstance(key, str) and 0 < len(key) <= MAX_EVENT_KEY and key.isprintable() for key in event_keys
    ):
        raise ConfigurationError(f"Events are named by a list of texts, each of 1 to {MAX_EVENT_KEY} characters.")
    if event_keys and operation != Operation.EVENTS:
        raise ConfigurationError("Only a sync of events can be narrowed to named events.")
    if len(event_keys) > MAX_EVENT_KEYS:
        raise ConfigurationError(f"A sync can name at most {MAX_EVENT_KEYS} events; without names it takes all.")
    return sorted(set(event_keys))
