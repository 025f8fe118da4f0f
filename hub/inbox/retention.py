"""Forgetting: bodies after the replay retention, rows after that of seen ids, and a person at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, delete, select, tuple_, update

from hub.core.clock import Micros
from hub.inbox.seen import MESSAGE

Carry = Callable[[Connection, Mapping[tuple[str, str], int]], None]
"""Adds (term, reason) to count to the ledger's carried totals, in the caller's transaction."""

ERASED = "erased"
_KEY = (MESSAGE.c.connection_id, MESSAGE.c.message_id)
_SETTLED = MESSAGE.c.state != "quarantined"
_IDS_AT_ONCE = 500


def strip_bodies(state: Connection, received_before: Micros, limit: int) -> int:
    """Remove up to `limit` bodies received before a time; how many. Quarantined messages keep theirs."""
    oldest = (
        select(*_KEY)
        .where(_SETTLED, MESSAGE.c.body.is_not(None), MESSAGE.c.received_at < received_before)
        .order_by(MESSAGE.c.received_at)
        .limit(limit)
    )
    return state.execute(update(MESSAGE).where(tuple_(*_KEY).in_(oldest)).values(body=None, headers="")).rowcount


def prune(state: Connection, received_before: Micros, limit: int, carry: Carry) -> int:
    """Delete up to `limit` rows received before a time and carry their counts; how many. Their ids are then unknown:
    a message that old comes in as a new one. Quarantined messages stay until an operator resolves them."""
    oldest = (
        select(*_KEY)
        .where(_SETTLED, MESSAGE.c.received_at < received_before)
        .order_by(MESSAGE.c.received_at)
        .limit(limit)
    )
    statement = delete(MESSAGE).where(tuple_(*_KEY).in_(oldest))
    counts: Counter[tuple[str, str]] = Counter()
    gone = state.execute(statement.returning(MESSAGE.c.state, MESSAGE.c.reason, MESSAGE.c.duplicates)).all()
    for name, reason, duplicates in gone:
        counts[name, reason] += 1
        counts["duplicate", ""] += duplicates
    carry(state, +counts)
    return len(gone)


def is_known(state: Connection, source_ids: Sequence[str]) -> bool:
    """Whether a stored message is about one of these people."""
    return (
        state.execute(select(MESSAGE.c.message_id).where(MESSAGE.c.source_id.in_(source_ids)).limit(1)).first()
        is not None
    )


def erase(state: Connection, source_ids: Sequence[str]) -> int:
    """Remove these people from their messages; how many messages. A quarantined one becomes ignored(erased): without
    its body it can never be applied."""
    ordered = sorted(source_ids)
    touched = 0
    for start in range(0, len(ordered), _IDS_AT_ONCE):
        theirs = MESSAGE.c.source_id.in_(ordered[start : start + _IDS_AT_ONCE])
        ignored = update(MESSAGE).where(theirs, MESSAGE.c.state == "quarantined")
        state.execute(ignored.values(state="ignored", reason=ERASED))
        touched += state.execute(
            update(MESSAGE).where(theirs).values(body=None, headers="", source_id=None, warnings="[]")
        ).rowcount
    return touched
