"""Applying stored messages again, with the mapping of now: quarantined ones, or applied ones whose mapping changed.

A message comes back under a higher revision, so it replaces its own contribution and nobody else's; its row moves to
the new state, and the books stay balanced. Newest first: what a message no longer says is withdrawn before older ones
are read again, whose values may then return.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, select, tuple_

from hub.core.clock import MINUTE, Micros
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.inbox import seen
from hub.inbox.seen import MESSAGE
from hub.inbox.values import Cursor, Message, MessageFilter, Settled, StoredMessage
from hub.ledger.store import record_run
from hub.ledger.values import Run
from hub.mapping.model import Change, Verdict
from hub.profiles.values import AppliedChange
from hub.runtime.apply.batch import (
    DEFECT,
    NO_MESSAGE_ID,
    NOT_SIGNED,
    Hooks,
    Mapper,
    Prepared,
    applied_change,
    merge_or_halve,
    prepare,
    unstorable,
    without_erased,
)

BATCH = 200
_DEFECTS = frozenset({DEFECT, "no_mapping"})
_NOTHING = Change(
    verdict=Verdict.APPLY,
    reason=None,
    source_id=None,
    at=0,
    is_test=False,
    is_replay=True,
    identities=(),
    fields={},
    defaults=frozenset(),
    field_times={},
    events=(),
    orders=(),
    consents=(),
    links=(),
    erasures=(),
    rules=(),
    ignored_items=0,
    warnings=(),
)
"""Applied under a higher revision, it only withdraws what its message said before."""


class _Again(NamedTuple):
    prepared: Prepared
    was_applied: bool
    previous: str | None


def next_revision(state: Connection, now: Micros) -> int:
    """The ordinal of a replay run that begins now: above every earlier one, also those whose messages are pruned."""
    last: int = state.scalar(select(func.max(MESSAGE.c.revision))) or 0
    return max(last + 1, now // MINUTE)


def replay(
    engine: Engine, filters: MessageFilter, mapper: Mapper, hooks: Hooks, revision: int, now: Micros
) -> dict[str, int]:
    """Apply the stored messages that match again; how many ended in which state.

    Resumable: with the same `revision` those already done are passed over (`unchanged`), as are messages whose body is
    no longer kept (`no_body`). An applied message on which mapping or store fails stays as it is (`failed`).
    """
    total: Counter[str] = Counter()
    for page in _pages(engine, filters):
        started = time.perf_counter()
        bodies = [stored for stored in page if stored.body and stored.revision < revision]
        prepared = [prepare(_message(stored), mapper) for stored in bodies]
        with write(engine) as state:
            counts = _apply_again(state, prepared, hooks, revision, now, started)
        counts["no_body"] += sum(not stored.body for stored in page)
        counts["unchanged"] += sum(bool(stored.body) and stored.revision >= revision for stored in page)
        total += counts
    return dict(total)


def _pages(engine: Engine, filters: MessageFilter) -> Iterator[Sequence[StoredMessage]]:
    after: Cursor | None = None
    while True:
        with read(engine) as state:
            page = seen.page(state, filters, after, BATCH, newest_first=True)
        if not page:
            return
        yield page
        after = page[-1].cursor


def _message(stored: StoredMessage) -> Message:
    """The message as it was claimed; what acceptance knew of it stands in its warnings."""
    is_signed = NOT_SIGNED not in stored.warnings
    has_fresh_id = NO_MESSAGE_ID in stored.warnings
    return Message(
        stored.connection_id, stored.message_id, stored.received_at, is_signed, None, has_fresh_id, stored.body or b""
    )


def _apply_again(
    state: Connection, prepared: Sequence[Prepared], hooks: Hooks, revision: int, now: Micros, started: float
) -> Counter[str]:
    run_id = new_id(now // 1000)
    counts: Counter[str] = Counter()
    current = _locked(state, [entry.message[:2] for entry in prepared])
    again: dict[tuple[str, str], _Again] = {}
    for entry in without_erased(state, prepared, hooks.digest):
        key = entry.message[:2]
        was_applied, previous, stored_revision = current.get(key, (False, None, revision))
        if stored_revision >= revision:  # done meanwhile, erased or pruned
            counts["unchanged"] += 1
        elif was_applied and entry.reason in _DEFECTS:
            counts["failed"] += 1
        else:
            again[key] = _Again(entry, was_applied, previous)
    changes = [change for one in again.values() if (change := _change(one, revision)) is not None]
    merged, refused = merge_or_halve(state, changes, now, hooks)
    failed = {(change.connection_id, change.message_id) for change in refused}
    settled = []
    for key, one in again.items():
        if key not in failed:
            settled.append(_settled(one.prepared, revision, run_id))
        elif one.was_applied:
            counts["failed"] += 1
        else:
            settled.append(unstorable(one.prepared, run_id, revision))
    seen.settle(state, settled)
    counts.update(row.state for row in settled)
    if again:
        shown = {name: count for name, count in sorted((counts + merged).items()) if count}
        duration_us = int((time.perf_counter() - started) * 1_000_000)
        run = Run(run_id, "apply", now, duration_us, {"messages": len(prepared), **shown}, detail=f"Replay {revision}.")
        record_run(state, run)
    return counts


def _locked(state: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[bool, str | None, int]]:
    """Of messages that still have a body: whether they are applied, to whom, and their revision. Locked until commit."""
    columns = [MESSAGE.c[name] for name in ("connection_id", "message_id", "state", "source_id", "revision")]
    query = select(*columns).where(
        tuple_(MESSAGE.c.connection_id, MESSAGE.c.message_id).in_(keys), MESSAGE.c.body.is_not(None)
    )
    rows = state.execute(query.order_by(MESSAGE.c.connection_id, MESSAGE.c.message_id).with_for_update())
    return {(row[0], row[1]): (row[2] == "applied", row[3], row[4]) for row in rows}


def _change(again: _Again, revision: int) -> AppliedChange | None:
    """What goes to the profiles: the message's new word, or only the withdrawal of its old one."""
    entry = again.prepared
    if entry.state == "applied":
        return applied_change(entry, revision, again.previous if again.was_applied else None)
    if not again.was_applied:
        return None
    return applied_change(entry._replace(change=_NOTHING), revision, again.previous)


def _settled(entry: Prepared, revision: int, run_id: str) -> Settled:
    connection_id, message_id = entry.message[:2]
    change = entry.change
    at, source_id = (change.at, change.source_id) if change else (None, None)
    return Settled(
        connection_id,
        message_id,
        entry.state,
        entry.reason,
        entry.mapping_hash,
        entry.schema_hash,
        at,
        source_id,
        revision,
        entry.warnings,
        run_id,
    )
