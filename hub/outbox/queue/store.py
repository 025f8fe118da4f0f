"""The queue itself: inserting, listing, counting. Claims are in claim.py, outcomes in finish.py, orders in operate.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Select, func, select

from hub.core.bulk import ask, insert_many, run
from hub.core.clock import HOUR, Micros, iso
from hub.core.ids import TIME_CHARS, new_id
from hub.core.narrowing import conditions
from hub.core.wakeup import DELIVERIES, wake_after_commit
from hub.ledger.values import Page
from hub.outbox.queue.fresh import lock_fresh
from hub.outbox.rules import goes_first, is_fresh, public_status
from hub.outbox.tables import DELIVERY, IS_FRESH, IS_WAITING
from hub.outbox.values import Filters, Inserted, NewDelivery
from hub.sdk.json import canonical, loads
from hub.sdk.values import Operation

SUPERSEDED = "A newer delivery of the same profile took its place."
_SUPERSEDE = f"""UPDATE delivery SET state = 'skipped', reason = 'superseded', detail = ?, updated_at = ?
    WHERE connection_id = ? AND operation = ? AND topic = ? AND source_id AMONG ? AND {IS_FRESH}"""
_KNOWN = """SELECT occasion_id, source_id, connection_id FROM delivery
    WHERE occasion_id IS NOT NULL AND occasion_id AMONG ? AND source_id AMONG ?"""
_NOT_SENT = "SELECT state, connection_id FROM delivery WHERE id AMONG ? AND state <> 'sent'"
_WAITING = (
    f"""SELECT count(*) FROM (SELECT 1 FROM delivery WHERE connection_id = ? AND {IS_WAITING} LIMIT ?) AS waiting"""
)
_FRESH = f"SELECT connection_id, source_id, operation, topic FROM delivery WHERE {IS_FRESH} AND source_id AMONG ?"
Key = tuple[str, str, str]
_SELECTED = ("connection_id", "operation", "source_id", "distribution_id", "occasion_id", "reason")
_EQUAL = {name: DELIVERY.c[name] for name in _SELECTED}
_TOLD = (DELIVERY.c.id, DELIVERY.c.reason, DELIVERY.c.detail, DELIVERY.c.receipt)


def insert(connection: Connection, deliveries: Sequence[NewDelivery], now: Micros) -> Inserted:
    """Put decided deliveries into the queue, in the transaction that decided them.

    A fresh one (profile, audience, consent) supersedes the older one that waits for the same thing; of several in one
    call the last stays. One whose (occasion, source_id, connection) is there already is left out.
    """
    wanted = _unknown_ones(connection, deliveries)
    topics = [topic_of(new) for new in wanted]
    latest = {
        (new.connection_id, new.operation.value, topic, new.source_id): place
        for place, (new, topic) in enumerate(zip(wanted, topics, strict=True))
        if is_fresh(new.operation) and not new.skip
    }
    lock_fresh(connection, [(key[0], key[3]) for key in latest])
    superseded = _supersede(connection, list(latest), now)
    rows = [_row(new, topic, now) for new, topic in zip(wanted, topics, strict=True)]
    for place, (new, topic) in enumerate(zip(wanted, topics, strict=True)):
        key = (new.connection_id, new.operation.value, topic, new.source_id)
        if not new.skip and latest.get(key, place) != place:
            rows[place].update(state="skipped", reason="superseded", detail=SUPERSEDED)
            superseded += 1
    rows.sort(key=_by_id)
    insert_many(connection, DELIVERY, rows)
    if rows:
        wake_after_commit(connection, DELIVERIES)
    return Inserted(len(rows), superseded, len(deliveries) - len(wanted))


def unfinished(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """Of these deliveries those that are not sent: state -> connections they are bound for. Pruned ones had ended."""
    found: dict[str, list[str]] = {}
    for state, connection_id in ask(connection, _NOT_SENT, sorted(ids)):
        found.setdefault(state, []).append(connection_id)
    return found


def topic_of(new: NewDelivery) -> str:
    """What must be the same for a newer profile push to stand for an older one: the code it carries and its options."""
    if new.topic or new.operation != Operation.PROFILES or isinstance(new.record, str):
        return new.topic
    parts = [new.distribution_id or new.id] if "code" in new.record else []
    if new.options:
        parts.append(blake2b(canonical(dict(new.options)), digest_size=8).hexdigest())
    return ".".join(parts)


def waiting_count(connection: Connection, connection_id: str, most: int) -> int:
    """How many deliveries of a connection wait, counted up to `most`."""
    return int(ask(connection, _WAITING, connection_id, most)[0][0])


def not_waiting(connection: Connection, deliveries: Sequence[NewDelivery]) -> list[NewDelivery]:
    """Fresh ones for which none waits already, in the transaction that inserts them: a quiet one must not take the place
    of one that somebody is to notice."""
    lock_fresh(connection, [(new.connection_id, new.source_id) for new in deliveries])
    people = sorted({new.source_id for new in deliveries})
    waiting = set(ask(connection, _FRESH, people)) if people else set()
    return [
        new
        for new in deliveries
        if (new.connection_id, new.source_id, new.operation.value, topic_of(new)) not in waiting
    ]


def _unknown_ones(connection: Connection, deliveries: Sequence[NewDelivery]) -> list[NewDelivery]:
    occasions = sorted({new.occasion_id for new in deliveries if new.occasion_id})
    seen: set[tuple[Any, ...]] = set()
    if occasions:
        people = sorted({new.source_id for new in deliveries if new.occasion_id})
        seen = set(ask(connection, _KNOWN, occasions, people))
    wanted = []
    for new in deliveries:
        key = (new.occasion_id, new.source_id, new.connection_id)
        if new.occasion_id is None or key not in seen:
            wanted.append(new)
            seen.add(key)
    return wanted


def _supersede(connection: Connection, keys: Sequence[tuple[str, str, str, str]], now: Micros) -> int:
    groups: dict[Key, list[str]] = {}
    for connection_id, operation, topic, source_id in keys:
        groups.setdefault((connection_id, operation, topic), []).append(source_id)
    count = 0
    for (connection_id, operation, topic), people in sorted(groups.items()):
        count += run(connection, _SUPERSEDE, SUPERSEDED, now, connection_id, operation, topic, sorted(people)).rowcount
    return count


def _row(new: NewDelivery, topic: str, now: Micros) -> dict[str, Any]:
    record = new.record
    return {
        "id": new.id or new_id(now // 1000),
        "connection_id": new.connection_id,
        "operation": new.operation.value,
        "source_id": new.source_id,
        "topic": topic,
        "consent": new.consent,
        "distribution_id": new.distribution_id,
        "occasion_id": new.occasion_id,
        "publication_id": new.publication_id,
        "record": record if isinstance(record, str) else canonical(record).decode() if record else "{}",
        "options": canonical(dict(new.options)).decode() if new.options else "{}",
        "mapping_hash": new.mapping_hash,
        "at": new.at,
        "state": "skipped" if new.skip else "waiting",
        "reason": new.skip,
        "detail": "",
        "rank": 1 if new.is_quiet else goes_first(new.operation),  # everybody's consents must not hold up all else
        "due_at": now if new.due_at is None else new.due_at,
        "is_quiet": new.is_quiet,
        "is_forced": new.is_forced,
        "created_at": now,
        "updated_at": now,
    }


def _by_id(row: Mapping[str, Any]) -> str:
    return str(row["id"])


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def deliveries(
    connection: Connection, filters: Filters | None = None, cursor: str | None = None, limit: int = 50
) -> Page[dict[str, Any]]:
    """A page of deliveries as operators see them, newest first. `cursor` is the last page's, or any delivery's id."""
    query = matching(select(DELIVERY), filters or Filters())
    if cursor:
        query = query.where(DELIVERY.c.id < cursor)
    rows = connection.execute(query.order_by(DELIVERY.c.id.desc()).limit(limit + 1)).mappings().all()
    shown = rows[:limit]
    return Page([shown_delivery(row) for row in shown], str(shown[-1]["id"]) if len(rows) > limit else None)


def decided_at(connection: Connection, source_ids: Sequence[str], at: Micros) -> list[tuple[dict[str, Any], Any]]:
    """What was decided for these people at one instant, which is that of a batch: each with its record, oldest first."""
    query = select(DELIVERY).where(DELIVERY.c.source_id.in_(sorted(source_ids)), DELIVERY.c.created_at == at)
    rows = connection.execute(query.order_by(DELIVERY.c.id)).mappings()
    return [(shown_delivery(row), row["record"]) for row in rows]


def delivery(connection: Connection, delivery_id: str) -> dict[str, Any] | None:
    """One delivery as operators see it."""
    row = connection.execute(select(DELIVERY).where(DELIVERY.c.id == delivery_id)).mappings().one_or_none()
    return shown_delivery(row) if row else None


def matching(query: Select[Any], filters: Filters) -> Select[Any]:
    """`query` over the delivery table, narrowed to what the filters name."""
    columns = DELIVERY.c
    query = query.where(*conditions(filters, _EQUAL, columns.created_at, _TOLD))
    if filters.status == "waiting":
        query = query.where(columns.state.in_(["waiting", "sending", "pending"]))
    elif filters.status is not None:
        query = query.where(columns.state == filters.status)
    if filters.ids:
        query = query.where(columns.id.in_(filters.ids))
    if filters.since is not None:  # ids begin with their time: so the primary key bounds the search
        query = query.where(columns.id >= new_id(max(filters.since - HOUR, 0) // 1000)[:TIME_CHARS])
    return query


def shown_delivery(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The public form of a delivery row; times as ISO text. Its record is shown apart, as it holds personal data."""
    return {
        "id": row["id"],
        "connection_id": row["connection_id"],
        "operation": row["operation"],
        "source_id": row["source_id"],
        "topic": row["topic"] or None,
        "distribution_id": row["distribution_id"],
        "occasion_id": row["occasion_id"],
        "publication_id": row["publication_id"],
        "status": public_status(row["state"]),
        "state": row["state"],
        "reason": row["reason"] or None,
        "detail": row["detail"] or None,
        "attempts": row["attempts"],
        "route": row["route"] or None,
        "replay": row["replay"],
        "is_manual": bool(row["is_manual"]),
        "due_at": iso(row["due_at"]) if public_status(row["state"]) == "waiting" else None,
        "receipt": row["receipt"] or None,
        "notices": loads(row["notices"]) if row["notices"] else [],
        "mapping_hash": row["mapping_hash"] or None,
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
        "sent_at": iso(row["sent_at"]) if row["sent_at"] is not None else None,
    }


def terms(connection: Connection) -> dict[str, Any]:
    """The outbox's side of the books: decided, waiting, sent, skipped and dead, with their reasons.

    Every row is in exactly one state, so what was decided is what is stored; totals of pruned rows are the ledger's.
    """
    counts = {"waiting": 0, "sent": 0, "skipped": 0, "dead": 0}
    reasons: dict[str, dict[str, int]] = {"skipped": {}, "dead": {}}
    query = select(DELIVERY.c.state, DELIVERY.c.reason, func.count()).group_by(DELIVERY.c.state, DELIVERY.c.reason)
    for state, reason, count in connection.execute(query):
        status = public_status(state)
        counts[status] += count
        if status in reasons:
            reasons[status][reason] = reasons[status].get(reason, 0) + count
    return {
        "decided": sum(counts.values()),
        **counts,
        "skipped_reasons": dict(sorted(reasons["skipped"].items())),
        "dead_reasons": dict(sorted(reasons["dead"].items())),
    }


def oldest_waiting(connection: Connection) -> Micros | None:
    """When the oldest delivery was decided that is neither accepted nor ended; None if nothing waits."""
    query = select(func.min(DELIVERY.c.created_at)).where(DELIVERY.c.state.in_(["waiting", "sending", "pending"]))
    found: Micros | None = connection.scalar(query)
    return found
