"""Requests to erase: what was asked, where each stands, and which of its callbacks are due. The SQL of it.

A request is registered when it is received or when it is carried out, whichever comes first. Its status moves by
compare-and-set, so that a withdrawal and the erasure itself never both happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, text, update

from hub.core.bulk import table
from hub.core.clock import DAY, HOUR, Micros, iso
from hub.core.database import insert
from hub.core.ids import new_id
from hub.core.wakeup import ERASURES, wake_after_commit
from hub.profiles.rules.stamps import bounded
from hub.profiles.tables import IS_OPEN, IS_WAITING, KEY_CHARS, ErasureCallbackRow, ErasureRow
from hub.profiles.values import DueCallback, ErasureRecord
from hub.sdk.json import dumps, loads
from hub.sdk.text import storable
from hub.sdk.values import ErasureStatus

EXPECTED: Micros = 30 * DAY
"""By when an erasure is expected to be complete, unless its source says otherwise: within a month (GDPR, article 12)."""
DETAIL_CHARS = 1_000
LATE: Micros = HOUR  # an erasure takes seconds: one that is pending for so long is stuck
WEEK: Micros = 7 * DAY
NEWER = "A later change of status is told instead."

_ERASURE = table(ErasureRow)
_CALLBACK = table(ErasureCallbackRow)
_IN_ORDER = (_CALLBACK.c.changed_at, _CALLBACK.c.id)


def register(
    connection: Connection,
    connection_id: str,
    request_id: str,
    now: Micros,
    *,
    regulation: str = "",
    expected_at: Micros | None = None,
    acts_at: Micros | None = None,
    callbacks: str = "",
    callback_count: int = 0,
) -> ErasureRecord:
    """The request, new and pending unless it is known already: then it stays as it is."""
    row = {
        "id": new_id(now // 1000),
        "connection_id": connection_id,
        "request_id": bounded(request_id, KEY_CHARS),
        "regulation": storable(regulation, 32),
        "status": ErasureStatus.PENDING,
        "received_at": now,
        "expected_at": now + EXPECTED if expected_at is None else expected_at,
        "acts_at": now if acts_at is None else acts_at,
        "changed_at": now,
        "sealed": "",
        "profiles": 0,
        "deliveries": "[]",
        "untold": "[]",
        "queue": "",
        "callbacks": callbacks,
        "callback_count": callback_count,
    }
    statement = insert(connection, _ERASURE).values(row)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["connection_id", "request_id"]))
    wake_after_commit(connection, ERASURES)
    found = find(connection, connection_id, request_id)
    assert found is not None, "it was there, or is now"
    return found


def find(connection: Connection, connection_id: str, request_id: str) -> ErasureRecord | None:
    """A source's request by the sender's own id."""
    mine = _ERASURE.c.connection_id == connection_id, _ERASURE.c.request_id == bounded(request_id, KEY_CHARS)
    return _one(connection, *mine)


def get(connection: Connection, which: str) -> ErasureRecord | None:
    """A request by the hub's id, or by the sender's where only one source has it."""
    found = _one(connection, _ERASURE.c.id == which)
    if found is not None:
        return found
    query = select(_ERASURE).where(_ERASURE.c.request_id == bounded(which, KEY_CHARS)).limit(2)
    rows = connection.execute(query).mappings().all()
    return _record(rows[0]) if len(rows) == 1 else None


def page(
    connection: Connection, status: str | None = None, before: str | None = None, limit: int = 50
) -> list[ErasureRecord]:
    """Requests, the newest first; `before` is the id that the page before this one ended with."""
    query = select(_ERASURE).order_by(_ERASURE.c.id.desc()).limit(limit)
    if status is not None:
        query = query.where(_ERASURE.c.status == status)
    if before is not None:
        query = query.where(_ERASURE.c.id < before)
    return [_record(row) for row in connection.execute(query).mappings()]


def open_ones(connection: Connection, status: ErasureStatus) -> list[ErasureRecord]:
    """Every request that is pending, or in progress, oldest first."""
    query = select(_ERASURE).where(text(IS_OPEN), _ERASURE.c.status == status).order_by(_ERASURE.c.id)
    return [_record(row) for row in connection.execute(query).mappings()]


def troubles(connection: Connection, now: Micros) -> list[str]:
    """What an operator must look at, as sentences: late requests, destinations and callbacks that failed."""
    found = []
    for status in (ErasureStatus.PENDING, ErasureStatus.IN_PROGRESS):
        for record in open_ones(connection, status):
            name = f"The request to erase {record.request_id!r}"
            if record.untold:
                found.append(
                    f"{name} was not confirmed by {', '.join(record.untold)}: erase the person there by hand, then run"
                    f" `hub erasures complete {record.id}`."
                )
            elif now > record.expected_at:
                found.append(f"{name} should have been complete by {iso(record.expected_at)} and is {status}.")
            elif status is ErasureStatus.PENDING and now > record.acts_at + LATE:
                found.append(f"{name} has not been carried out yet; see whether its message waits or is quarantined.")
    lately = _CALLBACK.c.state == "dead", _CALLBACK.c.changed_at >= now - WEEK
    dead = connection.scalar(select(func.count()).select_from(_CALLBACK).where(*lately))
    if dead:
        found.append(f"{dead} status callbacks of this week could not be told; see `hub erasures list` and `show`.")
    return found


# ── what becomes of one ──────────────────────────────────────────────────────────────────────────────────────────


def keep_sealed(connection: Connection, record: ErasureRecord, sealed: str) -> bool:
    """Remember whom a request means until it is carried out; whether it still waits for that."""
    whole = f"{record.sealed}\n{sealed}" if record.sealed else sealed
    waits = _ERASURE.c.id == record.id, _ERASURE.c.status == ErasureStatus.PENDING
    wake_after_commit(connection, ERASURES)
    return connection.execute(update(_ERASURE).where(*waits).values(sealed=whole)).rowcount > 0


def withdraw(connection: Connection, record: ErasureRecord, now: Micros) -> bool:
    """Cancel a request that is pending; whether it was."""
    if not _move(connection, record, ErasureStatus.PENDING, ErasureStatus.CANCELLED, now, sealed=""):
        return False
    _tell(connection, record, ErasureStatus.CANCELLED, now)
    return True


def begin(connection: Connection, record: ErasureRecord, now: Micros) -> bool:
    """Take a pending request, to be carried out in this transaction; False if it was withdrawn or another took it."""
    return _move(connection, record, ErasureStatus.PENDING, ErasureStatus.IN_PROGRESS, now)


def carried_out(
    connection: Connection, which: str, profiles: int, deliveries: Sequence[str], now: Micros, *, is_complete: bool
) -> None:
    """The people are erased here, and `deliveries` tell destinations; in addition to what was done for it before."""
    record = _one(connection, _ERASURE.c.id == which)
    assert record is not None, "requests are never removed"
    status = ErasureStatus.COMPLETED if is_complete and not record.deliveries else ErasureStatus.IN_PROGRESS
    values = {
        "status": status,
        "changed_at": now,
        "sealed": "",
        "profiles": record.profiles + profiles,
        "deliveries": dumps([*record.deliveries, *deliveries]).decode(),
        "untold": "[]",
        "queue": "",
    }
    connection.execute(update(_ERASURE).where(_ERASURE.c.id == which).values(**values))
    _tell(connection, record, status, now)


def note(connection: Connection, record: ErasureRecord, **values: Any) -> None:
    """Keep what was found out about a request in progress: `untold` or `queue`, as JSON."""
    texts = {name: dumps(value).decode() for name, value in values.items()}
    connection.execute(update(_ERASURE).where(_ERASURE.c.id == record.id).values(**texts))


def complete(connection: Connection, record: ErasureRecord, now: Micros) -> bool:
    """Nothing is left to do; whether it was in progress."""
    if not _move(connection, record, ErasureStatus.IN_PROGRESS, ErasureStatus.COMPLETED, now):
        return False
    _tell(connection, record, ErasureStatus.COMPLETED, now)
    return True


def _move(
    connection: Connection, record: ErasureRecord, old: ErasureStatus, new: ErasureStatus, now: Micros, **values: Any
) -> bool:
    """Change the status if it is still `old`; whether it was."""
    at = _ERASURE.c.id == record.id, _ERASURE.c.status == old
    return connection.execute(update(_ERASURE).where(*at).values(status=new, changed_at=now, **values)).rowcount > 0


# ── callbacks ────────────────────────────────────────────────────────────────────────────────────────────────────


def _tell(connection: Connection, record: ErasureRecord, status: ErasureStatus, now: Micros) -> None:
    """Each callback of a request is to hear of this status."""
    wake_after_commit(connection, ERASURES)
    rows = [
        {
            "id": new_id(now // 1000),
            "erasure_id": record.id,
            "position": position,
            "status": status,
            "changed_at": now,
            "state": "waiting",
            "attempts": 0,
            "due_at": now,
            "detail": "",
        }
        for position in range(record.callback_count)
    ]
    if rows:
        connection.execute(_CALLBACK.insert(), rows)


def due_callbacks(connection: Connection, now: Micros) -> list[DueCallback]:
    """Callbacks whose time has come: of each request and URL the oldest that waits, so that they are told in order."""
    query = select(_CALLBACK).where(text(IS_WAITING)).order_by(*_IN_ORDER)
    oldest: dict[tuple[str, int], RowMapping] = {}
    for row in connection.execute(query).mappings():
        oldest.setdefault((row["erasure_id"], row["position"]), row)
    return [_due(connection, row) for row in oldest.values() if row["due_at"] <= now]


def lease(connection: Connection, callback: DueCallback, until: Micros) -> bool:
    """Keep a callback from others until it is told or that time has come; whether it was still to be had."""
    mine = _CALLBACK.c.id == callback.id, text(IS_WAITING), _CALLBACK.c.due_at == callback.due_at
    values = {"due_at": until, "attempts": callback.attempts + 1}
    return connection.execute(update(_CALLBACK).where(*mine).values(**values)).rowcount > 0


def end_callback(connection: Connection, callback: DueCallback, state: str, detail: str = "") -> None:
    """It was told (`sent`), cannot be (`dead`), or need not be any more (`skipped`)."""
    connection.execute(
        update(_CALLBACK)
        .where(_CALLBACK.c.id == callback.id)
        .values(state=state, detail=storable(detail, DETAIL_CHARS))
    )


def put_off(connection: Connection, callback: DueCallback, due_at: Micros, detail: str) -> None:
    """It could not be told; a later change of the same request takes its place, else it is tried again."""
    mine = _CALLBACK.c.erasure_id == callback.erasure.id, _CALLBACK.c.position == callback.position
    newer = select(_CALLBACK.c.id).where(*mine, _CALLBACK.c.changed_at > callback.changed_at).limit(1)
    if connection.execute(newer).first() is not None:
        end_callback(connection, callback, "skipped", NEWER)
        return
    values = {"due_at": due_at, "detail": storable(detail, DETAIL_CHARS)}
    connection.execute(update(_CALLBACK).where(_CALLBACK.c.id == callback.id, text(IS_WAITING)).values(**values))


def callbacks_of(connection: Connection, erasure_id: str) -> list[RowMapping]:
    """What its callbacks were told, oldest first."""
    query = select(_CALLBACK).where(_CALLBACK.c.erasure_id == erasure_id).order_by(*_IN_ORDER)
    return list(connection.execute(query).mappings())


def _due(connection: Connection, row: RowMapping) -> DueCallback:
    erasure = _one(connection, _ERASURE.c.id == row["erasure_id"])
    assert erasure is not None, "a foreign key holds it"
    told = ErasureStatus(row["status"])
    return DueCallback(row["id"], erasure, row["position"], told, row["changed_at"], row["attempts"], row["due_at"])


def _one(connection: Connection, *where: Any) -> ErasureRecord | None:
    row = connection.execute(select(_ERASURE).where(*where)).mappings().one_or_none()
    return None if row is None else _record(row)


def _record(row: RowMapping) -> ErasureRecord:
    return ErasureRecord(
        **{
            **dict(row),
            "status": ErasureStatus(row["status"]),
            "deliveries": tuple(loads(row["deliveries"])),
            "untold": tuple(loads(row["untold"])),
            "queue": loads(row["queue"]) if row["queue"] else None,
        }
    )
