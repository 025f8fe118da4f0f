"""Writing and reading the sync log. Batches in, batches out; the caller owns the transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, bindparam, select, update

from hub.core.bulk import insert_many
from hub.core.clock import Micros
from hub.core.ids import new_id
from hub.core.narrowing import conditions
from hub.ledger.rules import KEPT_REASON_CHARS, kept
from hub.ledger.tables import ATTEMPT, AUDIT, RECORD, RUN
from hub.ledger.values import (
    OPEN,
    Attempt,
    AttemptEnd,
    AttemptRecord,
    AttemptStart,
    Audit,
    Page,
    Run,
    RunFilter,
)
from hub.sdk.json import dumps, loads

_EQUAL = {"status": RUN.c.result, **{name: RUN.c[name] for name in ("kind", "connection_id", "distribution_id")}}
_TOLD = (RUN.c.id, RUN.c.detail)
# A later report of the same attempt about a delivery replaces an earlier one: pending, then accepted.
_REPLACE = """ON CONFLICT (attempt_id, delivery_id)
    DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason"""
_FINISH = (
    update(ATTEMPT)
    .where(ATTEMPT.c.id == bindparam("attempt"))
    .values({name: bindparam(name) for name in ("ended_at", "status", "outcome", "request", "response", "run_id")})
)


def record_run(connection: Connection, run: Run) -> None:
    """One entry of the sync log, in the transaction of the work it tells of."""
    record_runs(connection, [run])


def record_runs(connection: Connection, runs: Sequence[Run]) -> None:
    """Several entries at once."""
    rows = [
        {
            "id": run.id,
            "kind": run.kind,
            "connection_id": run.connection_id,
            "distribution_id": run.distribution_id,
            "started_at": run.started_at,
            "duration_us": run.duration_us,
            "counts": dumps(dict(run.counts)).decode(),
            "result": run.result,
            "detail": kept(run.detail, KEPT_REASON_CHARS),
        }
        for run in runs
    ]
    if rows:
        connection.execute(RUN.insert(), rows)


def start_attempts(connection: Connection, attempts: Sequence[AttemptStart]) -> None:
    """Open attempts. Commit before sending, so that a crash leaves a trace of a call that may have happened."""
    rows = [{**attempt._asdict(), "outcome": OPEN, "request": "", "response": ""} for attempt in attempts]
    if rows:
        connection.execute(ATTEMPT.insert(), rows)


def finish_attempts(
    connection: Connection, attempts: Sequence[AttemptEnd], records: Sequence[AttemptRecord] = ()
) -> None:
    """Close attempts and say what they meant for each delivery. `records` may also come before the end, step by step."""
    ends = [
        {
            "attempt": end.id,
            "ended_at": end.ended_at,
            "status": end.status,
            "outcome": end.outcome,
            "request": kept(end.request),
            "response": kept(end.response),
            "run_id": end.run_id,
        }
        for end in sorted(attempts)
    ]
    if ends:
        connection.execute(_FINISH, ends)
    rows = [
        {
            "attempt_id": record.attempt_id,
            "delivery_id": record.delivery_id,
            "outcome": record.outcome,
            "reason": kept(record.reason, KEPT_REASON_CHARS),
        }
        for record in sorted(records)
    ]
    insert_many(connection, RECORD, rows, _REPLACE)


def record_audit(
    connection: Connection,
    at: Micros,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
) -> str:
    """Who did what to which thing; its id. `subject` and `detail` name no person (a tombstone's hash instead)."""
    row = {
        "id": new_id(at // 1000),
        "at": at,
        "actor": kept(actor, 64),
        "action": kept(action, 64),
        "subject": kept(subject, 250),
        "detail": kept(dumps(dict(detail or {})).decode()),
    }
    connection.execute(AUDIT.insert(), row)
    return str(row["id"])


def runs(
    connection: Connection,
    filters: RunFilter | None = None,
    cursor: str | None = None,
    limit: int = 50,
    *,
    oldest_first: bool = False,
) -> Page[Run]:
    """A page of the sync log, newest first. `cursor` is the last page's `next_cursor`, or any run's id.

    With `oldest_first` the page continues after `cursor` towards the present, as `--follow` reads it.
    """
    query = _matching(select(RUN), filters or RunFilter())
    return _page(connection, query, RUN.c.id, _run, cursor, limit, oldest_first)


def run(connection: Connection, run_id: str) -> Run | None:
    """One entry of the sync log."""
    row = connection.execute(select(RUN).where(RUN.c.id == run_id)).mappings().one_or_none()
    return _run(row) if row else None


def attempts_of(connection: Connection, delivery_id: str, cursor: str | None = None, limit: int = 50) -> Page[Attempt]:
    """What was tried for one delivery, oldest first, each with what it meant for this delivery."""
    query = select(ATTEMPT, RECORD.c.outcome.label("record_outcome"), RECORD.c.reason.label("record_reason"))
    query = query.join(RECORD, RECORD.c.attempt_id == ATTEMPT.c.id).where(RECORD.c.delivery_id == delivery_id)
    return _page(connection, query, RECORD.c.attempt_id, _attempt, cursor, limit, oldest_first=True)


def attempts_of_run(connection: Connection, run_id: str, cursor: str | None = None, limit: int = 50) -> Page[Attempt]:
    """The calls of one sync run, oldest first."""
    query = select(ATTEMPT).where(ATTEMPT.c.run_id == run_id)
    return _page(connection, query, ATTEMPT.c.id, _attempt, cursor, limit, oldest_first=True)


def records_of(
    connection: Connection, attempt_id: str, cursor: str | None = None, limit: int = 500
) -> Page[AttemptRecord]:
    """What one attempt meant for each of its deliveries, by delivery id."""
    query = select(RECORD).where(RECORD.c.attempt_id == attempt_id)
    return _page(connection, query, RECORD.c.delivery_id, _record, cursor, limit, oldest_first=True)


def open_attempts(connection: Connection) -> list[Attempt]:
    """Attempts without an end: under way now, or cut off by a crash and so of unknown result."""
    rows = connection.execute(select(ATTEMPT).where(ATTEMPT.c.outcome == OPEN).order_by(ATTEMPT.c.id)).mappings()
    return [_attempt(row) for row in rows]


def audits(connection: Connection, cursor: str | None = None, limit: int = 50) -> Page[Audit]:
    """Who did what, newest first."""
    return _page(connection, select(AUDIT), AUDIT.c.id, _audit, cursor, limit, oldest_first=False)


def _page(
    connection: Connection,
    query: Select[Any],
    key: Any,
    build: Any,
    cursor: str | None,
    limit: int,
    oldest_first: bool,
) -> Page[Any]:
    if cursor:
        query = query.where(key > cursor if oldest_first else key < cursor)
    query = query.order_by(key if oldest_first else key.desc()).limit(limit + 1)
    rows = connection.execute(query).mappings().all()
    shown = rows[:limit]
    more = len(rows) > limit
    return Page([build(row) for row in shown], str(shown[-1][key.name]) if more else None)


def _matching(query: Select[Any], filters: RunFilter) -> Select[Any]:
    return query.where(*conditions(filters, _EQUAL, RUN.c.started_at, _TOLD))


def _run(row: RowMapping) -> Run:
    return Run(**{**row, "counts": loads(row["counts"])})


def _attempt(row: RowMapping) -> Attempt:
    return Attempt(**row)


def _record(row: RowMapping) -> AttemptRecord:
    return AttemptRecord(**row)


def _audit(row: RowMapping) -> Audit:
    return Audit(**{**row, "detail": loads(row["detail"])})
