"""How far each partition of a source was taken: rows of the state database, by connection, topic and partition."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b

from sqlalchemy import Connection, select

from hub.core.database import insert
from hub.inbox.kafka_positions import POSITION
from hub.inbox.kafka_reader import Place

LONGEST_TOPIC = 50  # characters; the name of a row is bounded


def stored(state: Connection, connection_id: str, places: Collection[Place]) -> dict[Place, int]:
    """The offset that comes next, of those places of which something was taken."""
    names = {_name(connection_id, place): place for place in places}
    query = select(POSITION.c.name, POSITION.c.request_id).where(POSITION.c.name.in_(sorted(names)))
    return {names[row.name]: int(row.request_id) for row in state.execute(query)}


def begin(state: Connection, connection_id: str, fresh: Mapping[Place, int]) -> None:
    """Where to begin. Whoever came first has decided: a second one may know of a later end only."""
    if fresh:
        state.execute(insert(state, POSITION).on_conflict_do_nothing(), _rows(connection_id, fresh))


def move(state: Connection, connection_id: str, new: Mapping[Place, int]) -> None:
    """Forward only: a reader that was fenced off moves nothing back."""
    statement = insert(state, POSITION)
    ahead = POSITION.c.request_id < statement.excluded.request_id
    values = {"request_id": statement.excluded.request_id, "total": statement.excluded.total}
    statement = statement.on_conflict_do_update(index_elements=["name"], set_=values, where=ahead)
    state.execute(statement, _rows(connection_id, new))


def _rows(connection_id: str, offsets: Mapping[Place, int]) -> list[dict[str, object]]:
    rows = sorted((_name(connection_id, place), offset) for place, offset in offsets.items())
    return [{"name": name, "request_id": offset, "total": offset} for name, offset in rows]


def _name(connection_id: str, place: Place) -> str:
    topic, partition = place
    if len(topic) > LONGEST_TOPIC:
        topic = blake2b(topic.encode(), digest_size=16).hexdigest()
    return f"source:{connection_id}:{partition}:{topic}"
