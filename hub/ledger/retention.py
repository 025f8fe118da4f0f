"""Forgetting: what retention removes is carried as totals, what erasure removes is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table, delete, func, select, update
from sqlalchemy.sql.elements import ColumnElement

from hub.core.clock import Micros
from hub.core.database import insert
from hub.ledger.rules import ERASED
from hub.ledger.tables import ATTEMPT, AUDIT, RECORD, RUN, TOTAL
from hub.ledger.values import OPEN

_KEYS_AT_ONCE = 500  # bound parameters of one statement


def carry(connection: Connection, counts: Mapping[tuple[str, str], int]) -> None:
    """Add to the carried totals: (term, reason) to how many rows are being removed in this transaction.

    A room that prunes rows counted by an equation of the books calls this beside its DELETE, with the equation's term.
    """
    rows = [
        {"term": term, "reason": reason, "count": count} for (term, reason), count in sorted(counts.items()) if count
    ]
    if not rows:
        return
    statement = insert(connection, TOTAL)
    statement = statement.on_conflict_do_update(
        index_elements=["term", "reason"], set_={"count": TOTAL.c.count + statement.excluded.count}
    )
    connection.execute(statement, rows)


def totals(connection: Connection) -> dict[str, dict[str, int]]:
    """Carried totals: term to reason to count. A term without reasons has the reason ''."""
    carried: dict[str, dict[str, int]] = {}
    for term, reason, count in connection.execute(select(TOTAL.c.term, TOTAL.c.reason, TOTAL.c.count)):
        carried.setdefault(term, {})[reason] = count
    return carried


def prune(connection: Connection, older_than: Micros, limit: int = 1_000) -> int:
    """Remove up to `limit` each of the oldest runs, attempts and audits before `older_than`; how many went.

    Their numbers are carried (terms `runs`, `attempts`, `audits`). An open attempt stays, and so does a run that a
    younger attempt names. Repeat until it returns 0, a transaction each.
    """
    attempts = _oldest(connection, ATTEMPT, ATTEMPT.c.started_at < older_than, ATTEMPT.c.outcome != OPEN, limit=limit)
    for keys in _portions(attempts):
        _carry_groups(connection, "attempts", ATTEMPT, ATTEMPT.c.outcome, keys)
        connection.execute(delete(RECORD).where(RECORD.c.attempt_id.in_(keys)))
        connection.execute(delete(ATTEMPT).where(ATTEMPT.c.id.in_(keys)))
    unnamed = ~select(ATTEMPT.c.id).where(ATTEMPT.c.run_id == RUN.c.id).exists()
    runs = _oldest(connection, RUN, RUN.c.started_at < older_than, unnamed, limit=limit)
    for keys in _portions(runs):
        _carry_groups(connection, "runs", RUN, RUN.c.kind + "." + RUN.c.result, keys)
        connection.execute(delete(RUN).where(RUN.c.id.in_(keys)))
    audits = _oldest(connection, AUDIT, AUDIT.c.at < older_than, limit=limit)
    for keys in _portions(audits):
        _carry_groups(connection, "audits", AUDIT, AUDIT.c.action, keys)
        connection.execute(delete(AUDIT).where(AUDIT.c.id.in_(keys)))
    return len(attempts) + len(runs) + len(audits)


def erase(connection: Connection, delivery_ids: Sequence[str]) -> int:
    """Remove personal data from every attempt that carried one of these deliveries; how many attempts.

    A batch's request, answer and reasons may name any of its people, so they go whole; states and times stay.
    """
    touched: set[str] = set()
    for keys in _portions(sorted(delivery_ids)):
        touched.update(connection.scalars(select(RECORD.c.attempt_id).where(RECORD.c.delivery_id.in_(keys))))
    for keys in _portions(sorted(touched)):
        connection.execute(update(ATTEMPT).where(ATTEMPT.c.id.in_(keys)).values(request=ERASED, response=ERASED))
        has_reason = RECORD.c.reason != ""
        connection.execute(update(RECORD).where(RECORD.c.attempt_id.in_(keys), has_reason).values(reason=ERASED))
    return len(touched)


def _oldest(connection: Connection, table: Table, *conditions: ColumnElement[bool], limit: int) -> list[str]:
    query = select(table.c.id).where(*conditions).order_by(table.c.id).limit(limit)
    return list(connection.scalars(query))


def _carry_groups(
    connection: Connection, term: str, table: Table, reason: ColumnElement[str], keys: Sequence[str]
) -> None:
    query = select(reason, func.count()).where(table.c.id.in_(keys)).group_by(reason)
    carry(connection, {(term, name): count for name, count in connection.execute(query)})


def _portions(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + _KEYS_AT_ONCE] for start in range(0, len(keys), _KEYS_AT_ONCE)]
