"""Counts of refused requests: one row per source, reason and minute, so that a forged request buys no row."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, delete, select

from hub.core.clock import Micros
from hub.core.database import insert, read
from hub.core.filters import RecordFilter
from hub.core.narrowing import conditions
from hub.inbox.tables import refusal
from hub.inbox.values import Refusal

_EQUAL = {"connection_id": refusal.c.connection_id, "reason": refusal.c.reason}


def add_refusals(connection: Connection, counts: Mapping[tuple[str, str, Micros], int]) -> None:
    """Add to the counts by (source, reason, minute), in the caller's transaction."""
    if not counts:
        return
    statement = insert(connection, refusal)
    statement = statement.on_conflict_do_update(
        index_elements=["connection_id", "reason", "minute"],
        set_={"count": refusal.c.count + statement.excluded.count},
    )
    names = ("connection_id", "reason", "minute", "count")
    connection.execute(
        statement, [dict(zip(names, (*key, count), strict=True)) for key, count in sorted(counts.items())]
    )


def list_refusals(engine: Engine, wanted: RecordFilter) -> list[Refusal]:
    """The minutes that match, oldest first."""
    columns = (refusal.c.connection_id, refusal.c.reason, refusal.c.minute, refusal.c.count)
    order = (refusal.c.minute, refusal.c.connection_id, refusal.c.reason)
    query = select(*columns).where(*conditions(wanted, _EQUAL, refusal.c.minute, (refusal.c.reason,)))
    with read(engine) as connection:
        return [Refusal(*row) for row in connection.execute(query.order_by(*order))]


def forget_refusals(connection: Connection, before: Micros) -> int:
    """Delete the minutes before `before`; how many rows."""
    return connection.execute(delete(refusal).where(refusal.c.minute < before)).rowcount
