"""The seen rows: what became of every message, decided in the batch transaction. Rows are written sorted by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, tuple_, update

from hub.core.database import is_postgres
from hub.core.narrowing import conditions
from hub.core.prefixes import NAMED
from hub.inbox.codec import bounded_id
from hub.inbox.tables import IS_WARNED, NOT_APPLIED, MessageRow
from hub.inbox.values import Cursor, MessageFilter, SeenRow, SeenTerms, Settled, StoredMessage

MESSAGE: Any = MessageRow.__table__  # type: ignore[attr-defined]
"""Typed loosely: SQLModel declares its table only at run time."""

Key = tuple[str, str]

_EQUAL = {
    "status": MESSAGE.c.state,
    **{name: MESSAGE.c[name] for name in ("connection_id", "message_id", "reason", "source_id")},
}
_TOLD = (MESSAGE.c.message_id, MESSAGE.c.reason, MESSAGE.c.warnings)
DISMISSED = "dismissed"
"""Why a message is ignored that an operator took out of quarantine without applying it."""
LAST_CHARACTER = "\U0010ffff"
_OPEN_STATES = frozenset({"ignored", "quarantined"})

_ARRAY_TYPES = {"received_at": "bigint", "at": "bigint", "revision": "int", "body": "bytea"}
_NAMES = ", ".join(SeenRow._fields)
_UNLESS_SEEN = "ON CONFLICT (connection_id, message_id) DO NOTHING"
_SQLITE_INSERT = (
    f"INSERT INTO message ({_NAMES}, duplicates) VALUES ({', '.join('?' * len(SeenRow._fields))}, 0) {_UNLESS_SEEN}"
)
_SQLITE_NEW = "SELECT connection_id, message_id FROM message WHERE rowid > ?"
_COLUMNS = [MESSAGE.c[name] for name in StoredMessage._fields]


def record(state: Connection, rows: Sequence[SeenRow]) -> list[int]:
    """Insert the rows whose (connection_id, message_id) was never seen; their places in `rows`, ascending.

    Every other row is a duplicate, of an earlier transaction or of an earlier place in `rows`: it is counted on the
    row that came first, and nothing else of it is kept.
    """
    if not rows:
        return []
    first: dict[Key, int] = {}
    repeated: Counter[Key] = Counter()
    for place, row in enumerate(rows):
        key = row[:2]
        if first.setdefault(key, place) != place:
            repeated[key] += 1
    fresh = _insert(state, [rows[first[key]] for key in sorted(first)])
    if len(fresh) < len(rows):
        repeated.update(first.keys() - fresh)
        _count_duplicates(state, repeated)
    return sorted(first[key] for key in fresh)


def settle(state: Connection, rows: Sequence[Settled]) -> None:
    """Write the outcome of messages that were applied again, or were decided late in their batch."""
    if not rows:
        return
    names = Settled._fields[2:]
    statement = _one_message().values({name: bindparam(f"new_{name}") for name in names})
    state.execute(
        statement,
        [
            {"connection": row[0], "message": row[1], **{f"new_{name}": getattr(row, name) for name in names}}
            for row in sorted(rows, key=lambda row: row[:2])
        ],
    )


def page(
    state: Connection, wanted: MessageFilter, after: Cursor | None, limit: int, *, newest_first: bool = False
) -> list[StoredMessage]:
    """Messages in the order they were received, from after a cursor on. Bodies included: replays read these too."""
    keys = (MESSAGE.c.received_at, MESSAGE.c.connection_id, MESSAGE.c.message_id)
    order = [key.desc() if newest_first else key for key in keys]
    query = select(*_COLUMNS).where(*_conditions(wanted)).order_by(*order).limit(limit)
    if after is not None:
        query = query.where(tuple_(*keys) < tuple_(*after) if newest_first else tuple_(*keys) > tuple_(*after))
    return [StoredMessage(*row) for row in state.execute(query)]


def get(state: Connection, key: Key) -> StoredMessage | None:
    """One message."""
    found = page(state, MessageFilter(keys=(key,)), None, 1)
    return found[0] if found else None


def dismiss(state: Connection, wanted: MessageFilter, run_id: str, limit: int) -> Counter[str]:
    """Up to `limit` quarantined messages that match become ignored(dismissed); how many there were by their reason. Their
    bodies stay as long as those of other ignored messages, so a replay can still take it back."""
    columns = (MESSAGE.c.connection_id, MESSAGE.c.message_id, MESSAGE.c.reason)
    query = select(*columns).where(*_conditions(replace(wanted, status="quarantined")))
    rows = state.execute(query.order_by(*columns[:2]).limit(limit).with_for_update()).all()
    changed = {"state": "ignored", "reason": DISMISSED, "run_id": run_id}
    keys = [(row[0], row[1]) for row in rows]
    state.execute(update(MESSAGE).where(tuple_(*columns[:2]).in_(keys)).values(**changed))
    return Counter(row[2] for row in rows)


def count(state: Connection, wanted: MessageFilter) -> int:
    """How many messages a replay would touch."""
    return state.scalar(select(func.count()).select_from(MESSAGE).where(*_conditions(wanted))) or 0


def keys_beginning(state: Connection, text: str, connection_id: str | None = None, most: int = NAMED + 1) -> list[Key]:
    """Keys of messages with this id, whatever their source; where there is none, of those whose id begins so. Each
    source is looked at in the index of the primary key."""
    whole = bounded_id(text)
    sources = _sources(state) if connection_id is None else [connection_id]
    columns = select(MESSAGE.c.connection_id, MESSAGE.c.message_id)
    exact = columns.where(MESSAGE.c.connection_id.in_(sources), MESSAGE.c.message_id == whole)
    found = [tuple(row) for row in state.execute(exact)]
    if found or whole != text or not text:
        return found
    for source in sources:
        begins = (MESSAGE.c.message_id >= text, MESSAGE.c.message_id < text + LAST_CHARACTER)
        query = columns.where(MESSAGE.c.connection_id == source, *begins).order_by(MESSAGE.c.message_id)
        found += [tuple(row) for row in state.execute(query.limit(most))]
    return found[:most]


def _sources(state: Connection) -> list[str]:
    """Every source that messages came from, also removed ones: one step in the index each."""
    found: list[str] = []
    column = MESSAGE.c.connection_id
    query = select(func.min(column))
    following = state.scalar(query)
    while following is not None:
        found.append(following)
        following = state.scalar(query.where(column > following))
    return found


def terms(state: Connection) -> SeenTerms:
    """Counts per state and reason, for the ledger; pruned rows are in its carried totals."""
    query = select(MESSAGE.c.state, MESSAGE.c.reason, func.count(), func.sum(MESSAGE.c.duplicates))
    by_state: dict[str, dict[str, int]] = {"applied": {}, "ignored": {}, "quarantined": {}}
    duplicate = 0
    for name, reason, number, duplicates in state.execute(query.group_by(MESSAGE.c.state, MESSAGE.c.reason)):
        by_state[name][reason] = number
        duplicate += int(duplicates)
    return SeenTerms(sum(by_state["applied"].values()), by_state["ignored"], by_state["quarantined"], duplicate)


def _conditions(wanted: MessageFilter) -> list[Any]:
    found: list[Any] = conditions(wanted, _EQUAL, MESSAGE.c.received_at, _TOLD)
    if wanted.status in _OPEN_STATES:
        found.append(NOT_APPLIED)  # as the index of these says it: SQLite uses it for nothing else
    if wanted.keys:
        found.append(tuple_(MESSAGE.c.connection_id, MESSAGE.c.message_id).in_(wanted.keys))
    if wanted.is_warned:
        found.append(IS_WARNED)
    return found


def _one_message() -> Any:
    return update(MESSAGE).where(
        MESSAGE.c.connection_id == bindparam("connection"), MESSAGE.c.message_id == bindparam("message")
    )


def _count_duplicates(state: Connection, repeated: Mapping[Key, int]) -> None:
    statement = _one_message().values(duplicates=MESSAGE.c.duplicates + bindparam("more"))
    state.execute(
        statement,
        [{"connection": key[0], "message": key[1], "more": more} for key, more in sorted(repeated.items())],
    )


def _insert(state: Connection, rows: Sequence[SeenRow]) -> set[Key]:
    """The keys of the rows that were not there. This is the hot path: so each engine has its own way."""
    if is_postgres(state):
        columns = tuple([list(column) for column in zip(*rows, strict=True)])
        found = state.exec_driver_sql(_postgres_insert(), columns)
        return {(connection_id, message_id) for connection_id, message_id in found}
    # There is one writer at a time, so the rows above the last are ours; mostly that is all, and nothing is read.
    last = state.exec_driver_sql("SELECT coalesce(max(rowid), 0) FROM message").scalar()
    keys = {row[:2] for row in rows}
    if state.exec_driver_sql(_SQLITE_INSERT, list(rows)).rowcount == len(keys):
        return keys
    return {tuple(key) for key in state.exec_driver_sql(_SQLITE_NEW, (last,))}


@cache
def _postgres_insert() -> str:
    # Binary parameters (%b): as text every byte of a body would be escaped first.
    arrays = ", ".join(f"%b::{_ARRAY_TYPES.get(name, 'text')}[]" for name in SeenRow._fields)
    returned = "RETURNING connection_id, message_id"
    return f"INSERT INTO message ({_NAMES}, duplicates) SELECT *, 0 FROM unnest({arrays}) {_UNLESS_SEEN} {returned}"
