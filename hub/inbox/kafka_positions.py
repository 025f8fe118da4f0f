"""How far each partition has been applied: rows of the state database that move inside the batch transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from hub.core.database import insert
from hub.inbox.tables import InboxPositionRow

POSITION: Any = InboxPositionRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it to every table class
PREFIX = "kafka:"

Offsets = Mapping[int, int]
"""By partition, the offset that comes next; as an offset is a message, also how many messages came before it."""


def stored(state: Connection, topic: str) -> dict[int, int]:
    """The partitions of which something was applied."""
    return {partition: offset for name, partition, offset in _rows(state) if name == topic}


def applied(state: Connection) -> int:
    """Messages applied from any topic: they stay accepted and applied, wherever the inbox is by now."""
    return sum(offset for _, _, offset in _rows(state))


def advance(state: Connection, topic: str, old: Offsets, new: Offsets) -> bool:
    """Move positions if nobody else did; the caller rolls back otherwise. In order, so that workers never deadlock."""
    return all(_advance_one(state, topic, one, old.get(one, 0), new[one]) for one in sorted(new))


def _advance_one(state: Connection, topic: str, partition: int, old: int, new: int) -> bool:
    if new == old:
        return True
    name = f"{PREFIX}{topic}:{partition}"
    if old == 0:
        values = {"name": name, "request_id": new, "total": new}
        statement = insert(state, POSITION).values(values).on_conflict_do_nothing().returning(POSITION.c.name)
        return state.execute(statement).first() is not None
    here = (POSITION.c.name == name, POSITION.c.request_id == old)
    return state.execute(update(POSITION).where(*here).values(request_id=new, total=new)).rowcount == 1


def _rows(state: Connection) -> Iterator[tuple[str, int, int]]:
    query = select(POSITION.c.name, POSITION.c.request_id).where(POSITION.c.name.startswith(PREFIX))
    for name, offset in state.execute(query):
        topic, _, partition = name.removeprefix(PREFIX).rpartition(":")
        yield topic, int(partition), offset
