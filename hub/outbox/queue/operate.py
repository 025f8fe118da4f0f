"""What operators order: cancel, replay, erase; and what a start of the deliver role has to put right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, delete, func, select

from hub.core.bulk import ask, run
from hub.core.clock import Micros
from hub.core.secrets import Vault
from hub.core.wakeup import DELIVERIES, wake_after_commit
from hub.ledger.retention import carry
from hub.ledger.retention import erase as erase_attempts
from hub.ledger.store import finish_attempts, open_attempts
from hub.ledger.values import AttemptEnd
from hub.outbox.queue.finish import Ending, Move, finish
from hub.outbox.queue.fresh import lock_fresh
from hub.outbox.queue.store import SUPERSEDED, matching
from hub.outbox.rules import after_unknown, public_status
from hub.outbox.tables import DELIVERY, IS_FRESH, IS_OPEN, PUSHED, REMEMBERED
from hub.outbox.values import ERASED_PREFIX, FRESH, Filters, Held, Policy
from hub.sdk.json import dumps, loads

CRASHED = "The hub stopped while this call was under way; whether the vendor acted is unknown."
_PAGE = 500
_SENDING = f"""SELECT id, operation, attempts, waited_us, repeat, repeat_until, give_up_at, connection_id, source_id,
    attempt_id FROM delivery WHERE {IS_OPEN} AND state = 'sending' ORDER BY id"""
_CANCEL = """UPDATE delivery SET state = 'skipped', reason = 'cancelled', detail = ?, updated_at = ?
    WHERE id AMONG ? AND state = 'waiting'"""
_REPLAY = """UPDATE delivery SET state = 'waiting', reason = 'replay', detail = '', due_at = ?, attempts = 0,
    waited_us = 0, cohort = '', repeat_until = NULL, is_unknown = FALSE, token = '', give_up_at = NULL, progress = '', notices = '',
    replay = replay + ?, is_manual = TRUE, is_quiet = (is_quiet OR ?), is_forced = (is_forced OR ?), sent_at = NULL,
    updated_at = ? WHERE id AMONG ? AND state = ?"""
_REMAP = "UPDATE delivery SET mapping_hash = ? WHERE id AMONG ?"
_REFRESH = f"SELECT connection_id, source_id, operation, topic FROM delivery WHERE {IS_FRESH} AND source_id AMONG ?"
_SUPERSEDE = """UPDATE delivery SET state = 'skipped', reason = 'superseded', detail = ?, updated_at = ?
    WHERE id AMONG ? AND state = ?"""
_PERSON = "SELECT id, connection_id, state, operation FROM delivery WHERE source_id AMONG ? ORDER BY id {locked}"
_SKIP = """UPDATE delivery SET state = 'skipped', reason = 'erased', updated_at = ?
    WHERE id AMONG ? AND state = 'waiting'"""
_STRIP = """UPDATE delivery SET source_id = ?, record = CASE WHEN operation = 'erase' THEN record ELSE '{}' END,
    detail = '', progress = '', notices = '', receipt = '', pushing = '',
    find_by = CASE WHEN state = 'pending' THEN find_by ELSE '' END WHERE source_id = ?"""


def recover(
    connection: Connection, retry_unknown: Mapping[str, bool], now: Micros, policy: Policy | None = None
) -> int:
    """Deliveries found under way when the role starts: their calls' results are unknown (contract rule 6); how many.

    `retry_unknown` is by connection. Run before the first claim, while no other deliver process works.
    """
    endings: dict[str, list[Move]] = {}
    owners: dict[str, str] = {}
    for row in run(connection, _SENDING).fetchall():
        allowed = retry_unknown.get(row.connection_id, False)
        to = after_unknown(
            Held._make(row[:7]), now, 0.0, policy or Policy(), retry_unknown=allowed, detail=CRASHED, wait=False
        )
        endings.setdefault(row.attempt_id, []).append(Move(row.id, row.source_id, to, "unknown"))
        owners[row.attempt_id] = row.connection_id
    ends = {one: AttemptEnd(one, now, None, "unknown", "", CRASHED) for one in endings}
    finish(connection, [Ending(owners[one], one, moves, end=ends[one]) for one, moves in endings.items()], now)
    _close_left_open(connection, now)
    return sum(len(moves) for moves in endings.values())


def _close_left_open(connection: Connection, now: Micros) -> None:
    left = [AttemptEnd(one.id, now, None, "unknown", "", CRASHED) for one in open_attempts(connection)]
    finish_attempts(connection, left)


def cancel(connection: Connection, delivery_ids: Sequence[str], now: Micros, why: str = "") -> int:
    """Skip deliveries that wait; how many. One that is under way is not called back."""
    detail = why or "An operator cancelled it."
    wake_after_commit(connection, DELIVERIES)  # others may have waited for these
    return sum(run(connection, _CANCEL, detail, now, page).rowcount for page in _pages(sorted(delivery_ids)))


def abandon(connection: Connection, connection_id: str, now: Micros) -> int:
    """Skip everything that waits for a connection that is removed; how many. Run it in the transaction of the removal."""
    columns = DELIVERY.c
    open_ones = columns.connection_id == connection_id, columns.state.in_(["waiting", "pending"])
    ended = {"state": "skipped", "reason": "connection_removed", "updated_at": now}
    gone = connection.execute(DELIVERY.update().where(*open_ones).values(**ended)).rowcount
    connection.execute(delete(PUSHED).where(PUSHED.c.connection_id == connection_id))
    connection.execute(delete(REMEMBERED).where(REMEMBERED.c.connection_id == connection_id))
    return gone


def replayable(connection: Connection, filters: Filters) -> int:
    """How many deliveries a replay of these filters would send again. Only dead and sent ones can be replayed."""
    query = matching(select(func.count()).select_from(DELIVERY), _finished(filters))
    return connection.scalar(query) or 0


def replay(
    connection: Connection,
    filters: Filters,
    now: Micros,
    *,
    mapping_hash: str | None = None,
    per_s: float | None = None,
    is_quiet: bool = False,
    is_forced: bool = False,
    after: str = "",
    limit: int = 1_000,
    first: int = 0,
) -> tuple[int, str | None]:
    """Send dead letters again (with status `sent`: accepted ones, under a replay number in the vendor's key).

    One page of at most `limit` in id order; returns how many, and the id to continue `after` (None at the end), so a
    replay can be resumed. `per_s` spreads them over time, counting on from the `first` of earlier pages. `mapping_hash`
    maps frozen records with another mapping ("" for the connection's present one). Where a newer fresh delivery waits
    already, the old one becomes skipped(superseded).
    """
    state = _finished(filters).status
    columns = DELIVERY.c
    query = select(columns.id, columns.connection_id, columns.source_id, columns.operation, columns.topic)
    query = matching(query, _finished(filters)).where(columns.id > after, ~columns.source_id.startswith(ERASED_PREFIX))
    rows = connection.execute(query.order_by(columns.id).limit(limit + 1)).all()
    page = rows[:limit]
    lock_fresh(connection, [(row.connection_id, row.source_id) for row in page if row.operation in FRESH])
    waiting = set(ask(connection, _REFRESH, sorted({row.source_id for row in page})))
    again: list[str] = []
    old: list[str] = []
    for row in reversed(page):  # of several old ones for the same thing the youngest stands for all
        key = (row.connection_id, row.source_id, row.operation, row.topic)
        (old if key in waiting else again).append(row.id)
        if row.operation in FRESH:
            waiting.add(key)
    again.sort()
    replays = 1 if state == "sent" else 0
    step = round(1_000_000 / per_s) if per_s else 0
    for place, ids in enumerate(_pages(again) if not step else ([one] for one in again)):
        due_at = now + (first + place) * step
        run(connection, _REPLAY, due_at, replays, is_quiet, is_forced or bool(replays), now, ids, state)
    wake_after_commit(connection, DELIVERIES)
    if mapping_hash is not None and again:
        run(connection, _REMAP, mapping_hash, again)
    if old and state == "dead":
        run(connection, _SUPERSEDE, SUPERSEDED, now, sorted(old), state)
    return len(again), page[-1].id if len(rows) > limit else None


def _finished(filters: Filters) -> Filters:
    return filters if filters.status in ("sent", "dead") else replace(filters, status="dead")


@dataclass(frozen=True, slots=True)
class ErasedDeliveries:
    """What an erasure found in the outbox. `remembered`: connection -> source_id -> vendor ids, for erase deliveries;
    `connections` ever had something of the person."""

    skipped: int
    remembered: Mapping[str, Mapping[str, Mapping[str, str]]] = field(repr=False)
    connections: tuple[str, ...]


def erase(connection: Connection, tombstones: Mapping[str, str], now: Micros) -> ErasedDeliveries:
    """Remove a person: source_id -> tombstone hash. What waits is skipped(erased), what is under way is let end and not
    repeated, records, vendor words and attempts lose what is personal, and rows keep the tombstone for a source_id.

    Erase deliveries come after this, with `erased_source_id(hash)` as their source_id, so that they follow those under way.
    """
    people = sorted(tombstones)
    rows = run(connection, _PERSON, people).fetchall()
    waiting = sorted([row.id for row in rows if row.state == "waiting"])
    wake_after_commit(connection, DELIVERIES)  # as above
    skipped = run(connection, _SKIP, now, waiting).rowcount if waiting else 0
    for source_id in people:
        run(connection, _STRIP, erased_source_id(tombstones[source_id]), source_id)
    erase_attempts(connection, [row.id for row in rows])
    ids: dict[str, dict[str, Mapping[str, str]]] = {}
    found = select(REMEMBERED).where(REMEMBERED.c.source_id.in_(people))
    for kept in connection.execute(found):
        ids.setdefault(kept.connection_id, {})[kept.source_id] = loads(kept.ids)
    owners = set(connection.scalars(select(PUSHED.c.connection_id).where(PUSHED.c.source_id.in_(people))))
    connection.execute(delete(REMEMBERED).where(REMEMBERED.c.source_id.in_(people)))
    connection.execute(delete(PUSHED).where(PUSHED.c.source_id.in_(people)))
    return ErasedDeliveries(skipped, ids, tuple(sorted(owners | set(ids) | {row.connection_id for row in rows})))


def erased_source_id(tombstone: str) -> str:
    """What stands for the source_id of an erased person: `erased:<hash>`."""
    return ERASED_PREFIX + tombstone


def sealed_erasure(
    vault: Vault,
    source_id: str,
    identifiers: Mapping[str, Sequence[str]],
    remembered: Mapping[str, str],
    request_id: str,
) -> str:
    """The record of an erase delivery: whom to erase, readable by the sender only. It is emptied at the final state."""
    content = {
        "source_id": source_id,
        "identifiers": {kind: list(values) for kind, values in identifiers.items()},
        "remembered": dict(remembered),
        "request_id": request_id,
    }
    return vault.seal(dumps(content).decode())


def prune(connection: Connection, older_than: Micros, limit: int = 1_000) -> int:
    """Remove up to `limit` ended deliveries last changed before `older_than`; how many. Their counts are carried.

    Terms: `sent`, `skipped` and `dead`, with their reasons. Repeat until it returns 0, a transaction each.
    """
    columns = DELIVERY.c
    ended = columns.state.in_(["sent", "skipped", "dead"])
    query = select(columns.id, columns.state, columns.reason).where(ended, columns.updated_at < older_than)
    rows = connection.execute(query.order_by(columns.id).limit(limit)).all()
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (public_status(row.state), row.reason)
        counts[key] = counts.get(key, 0) + 1
    carry(connection, counts)
    for page in _pages([row.id for row in rows]):
        connection.execute(delete(DELIVERY).where(columns.id.in_(page)))
    return len(rows)


def _pages(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _PAGE):
        yield list(ids[start : start + _PAGE])
