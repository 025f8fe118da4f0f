"""The SQL of backfills: syncs made good for everybody who was there before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import Connection, RowMapping, select, update

from hub.core.clock import Micros
from hub.core.ids import new_id
from hub.core.wakeup import OCCASIONS, wake_after_commit
from hub.distributions.tables import BACKFILL
from hub.distributions.values import Backfill, Sync
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps, loads
from hub.sdk.values import Operation

OPERATIONS = (Operation.PROFILES, Operation.AUDIENCE, Operation.CONSENT)
"""What a profile is now. Events are what it did once: their time is over."""
NOT_OFFERED = f"There is no backfill of {{}}: only of {', '.join(OPERATIONS)}, which say how things stand."


def open_backfill(connection: Connection, sync: Sync, now: Micros) -> tuple[Backfill, bool]:
    """The open backfill of a sync, and whether it is new: one under way goes on. Raises ConfigurationError."""
    if sync.operation not in OPERATIONS:
        raise ConfigurationError(NOT_OFFERED.format(sync.operation))
    mine = (BACKFILL.c.connection_id == sync.connection_id) & (BACKFILL.c.operation == sync.operation)
    under_way = connection.execute(select(BACKFILL).where(mine, BACKFILL.c.state == "open")).mappings().one_or_none()
    if under_way is not None:
        return _backfill(under_way), False
    backfill_id = new_id(now // 1000)
    row = {
        "id": backfill_id,
        "connection_id": sync.connection_id,
        "operation": sync.operation,
        "state": "open",
        "cursor": "",
        "counts": "{}",
        "opened_at": now,
        "updated_at": now,
    }
    connection.execute(BACKFILL.insert(), row)
    wake_after_commit(connection, OCCASIONS)
    return lock(connection, backfill_id), True


def open_ids(connection: Connection) -> list[str]:
    """Backfills that are not at their end, oldest first."""
    query = select(BACKFILL.c.id).where(BACKFILL.c.state == "open").order_by(BACKFILL.c.id)
    return list(connection.scalars(query))


def lock(connection: Connection, backfill_id: str) -> Backfill:
    """One backfill, held until the transaction ends. Raises ConfigurationError if it went with its sync."""
    query = select(BACKFILL).where(BACKFILL.c.id == backfill_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise ConfigurationError("The sync of this backfill was removed, and the backfill with it.")
    return _backfill(row)


def latest(connection: Connection, connection_id: str) -> dict[str, Backfill]:
    """The latest backfill of each operation of a connection."""
    query = select(BACKFILL).where(BACKFILL.c.connection_id == connection_id).order_by(BACKFILL.c.id)
    return {row["operation"]: _backfill(row) for row in connection.execute(query).mappings()}


def advance(
    connection: Connection, backfill: Backfill, cursor: str, counts: Mapping[str, int], now: Micros, *, is_done: bool
) -> Backfill:
    """Move a locked backfill past a chunk, in that chunk's transaction."""
    total = dict(sorted((Counter(backfill.counts) + Counter(counts)).items()))
    kept = "" if is_done else cursor  # a cursor is somebody's source_id: it is not kept longer than needed
    values = {"cursor": kept, "counts": dumps(total).decode(), "state": "done" if is_done else "open"}
    connection.execute(update(BACKFILL).where(BACKFILL.c.id == backfill.id).values(**values, updated_at=now))
    return lock(connection, backfill.id)


def _backfill(row: RowMapping) -> Backfill:
    return Backfill(**{**row, "counts": loads(row["counts"])})
