"""The SQL of occasions and publications."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from hub.core.bulk import insert_many
from hub.core.clock import Micros
from hub.core.database import insert
from hub.core.ids import new_id
from hub.core.wakeup import OCCASIONS, wake_after_commit
from hub.distributions.tables import OCCASION, PUBLICATION
from hub.distributions.values import Distribution, Occasion, Publication
from hub.ledger.values import Page
from hub.sdk.json import dumps, loads

_AT_ONCE = 500  # bound parameters of one statement


class Superseded(Exception):
    """Another process decided this chunk already; the transaction must be rolled back."""


def open_occasion(
    connection: Connection, distribution: Distribution, trigger_key: str, planned_at: Micros, now: Micros
) -> tuple[Occasion, bool]:
    """The occasion of this trigger key, and whether it is new. Any number of callers at once make one."""
    row = {
        "id": new_id(now // 1000),
        "distribution_id": distribution.id,
        "trigger_key": trigger_key,
        "planned_at": planned_at,
        "opened_at": now,
        "audience": dumps(distribution.audience).decode(),
        "state": "open",
        "cursor": "",
        "chunk_count": 0,
        "counts": "{}",
    }
    statement = insert(connection, OCCASION).on_conflict_do_nothing(index_elements=["distribution_id", "trigger_key"])
    connection.execute(statement, row)
    wake_after_commit(connection, OCCASIONS)
    same = (OCCASION.c.distribution_id == distribution.id) & (OCCASION.c.trigger_key == trigger_key)
    occasion = _occasion(connection.execute(select(OCCASION).where(same)).mappings().one())
    return occasion, occasion.id == row["id"]


def open_ids(connection: Connection) -> list[str]:
    """Occasions that are not decided to the end, oldest first."""
    query = select(OCCASION.c.id).where(OCCASION.c.state == "open").order_by(OCCASION.c.id)
    return list(connection.scalars(query))


def get(connection: Connection, occasion_id: str) -> Occasion:
    """One occasion; it must exist."""
    return _occasion(connection.execute(select(OCCASION).where(OCCASION.c.id == occasion_id)).mappings().one())


def lock(connection: Connection, occasion_id: str) -> Occasion:
    """One occasion, held until the transaction ends, so that its chunks are decided one after another."""
    query = select(OCCASION).where(OCCASION.c.id == occasion_id).with_for_update()
    return _occasion(connection.execute(query).mappings().one())


def of_distribution(
    connection: Connection, distribution_id: str, cursor: str | None = None, limit: int = 50
) -> Page[Occasion]:
    """A distribution's occasions, newest first."""
    query = select(OCCASION).where(OCCASION.c.distribution_id == distribution_id)
    if cursor:
        query = query.where(OCCASION.c.id < cursor)
    rows = connection.execute(query.order_by(OCCASION.c.id.desc()).limit(limit + 1)).mappings().all()
    shown = [_occasion(row) for row in rows[:limit]]
    return Page(shown, shown[-1].id if len(rows) > limit else None)


def advance(
    connection: Connection, occasion: Occasion, cursor: str, counts: Mapping[str, int], is_done: bool
) -> Occasion:
    """Move an occasion past a chunk, in that chunk's transaction. Raises Superseded if it is not where it was read."""
    total = dict(sorted((Counter(occasion.counts) + Counter(counts)).items()))
    unmoved = (OCCASION.c.id == occasion.id) & (OCCASION.c.chunk_count == occasion.chunk_count)
    moved = update(OCCASION).where(unmoved, OCCASION.c.state == "open")
    kept = "" if is_done else cursor  # a cursor is somebody's source_id: it is not kept longer than needed
    values: dict[str, Any] = {"cursor": kept, "chunk_count": occasion.chunk_count + 1}
    values |= {"counts": dumps(total).decode(), "state": "done" if is_done else "open"}
    if connection.execute(moved.values(**values)).rowcount != 1:
        raise Superseded
    return get(connection, occasion.id)


def add_publications(connection: Connection, publications: Sequence[Publication]) -> None:
    """Store publications; the database refuses a second one of a person in an occasion."""
    by_person = sorted(publications, key=lambda one: (one.occasion_id, one.source_id))
    insert_many(connection, PUBLICATION, [one._asdict() for one in by_person])


def reached(connection: Connection, occasion_id: str, source_ids: Sequence[str]) -> set[str]:
    """Those of `source_ids` that have a publication in this occasion."""
    found: set[str] = set()
    for portion in _portions(source_ids):
        query = select(PUBLICATION.c.source_id).where(PUBLICATION.c.occasion_id == occasion_id)
        found.update(connection.scalars(query.where(PUBLICATION.c.source_id.in_(portion))))
    return found


def publications(
    connection: Connection,
    *,
    distribution_id: str | None = None,
    occasion_id: str | None = None,
    source_ids: Sequence[str] | None = None,
    code: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Publication]:
    """Publications, newest first. For a merged person give all their source_ids: publications never move."""
    query = select(PUBLICATION).order_by(PUBLICATION.c.id.desc()).limit(limit + 1)
    wanted = {"distribution_id": distribution_id, "occasion_id": occasion_id, "code": code}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(PUBLICATION.c[name] == value)
    if source_ids is not None:
        query = query.where(PUBLICATION.c.source_id.in_(source_ids))
    if cursor:
        query = query.where(PUBLICATION.c.id < cursor)
    rows = [Publication(**row) for row in connection.execute(query).mappings()]
    return Page(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)


def erase(connection: Connection, erased: Mapping[str, str]) -> int:
    """Put a tombstone's name in place of each erased source_id, in publications and in audiences under way."""
    changed = 0
    for source_id, name in sorted(erased.items()):
        mine = update(PUBLICATION).where(PUBLICATION.c.source_id == source_id)
        changed += connection.execute(mine.values(source_id=name)).rowcount
    named = select(OCCASION.c.id, OCCASION.c.audience).where(OCCASION.c.audience.like('{"source_ids"%'))
    for row in connection.execute(named).mappings().all():
        people = loads(row["audience"])["source_ids"]
        if erased.keys().isdisjoint(people):
            continue
        left = dumps({"source_ids": [one for one in people if one not in erased]}).decode()
        connection.execute(update(OCCASION).where(OCCASION.c.id == row["id"]).values(audience=left))
    return changed


def _occasion(row: RowMapping) -> Occasion:
    return Occasion(**{**row, "audience": loads(row["audience"]), "counts": loads(row["counts"])})


def _portions(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)]
