"""Replays an operator orders: counted before they run, audited, safe to repeat."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hub.core.clock import Micros
from hub.core.database import read, write
from hub.inbox import seen
from hub.inbox.values import MessageFilter
from hub.ledger.store import record_audit
from hub.outbox.queue import operate
from hub.outbox.values import Filters
from hub.runtime.apply.replay import next_revision, replay
from hub.runtime.process.installation import Installation

PAGE = 1_000


def replay_messages(
    hub: Installation, wanted: MessageFilter, now: Micros, actor: str, *, is_dry: bool
) -> dict[str, int]:
    """Apply the stored messages that match again; counts by their new state. Dry: how many match."""
    from hub.runtime.apply.mappers import hooks_of, mapper_of

    with read(hub.engine) as database:
        matching = seen.count(database, wanted)
    if is_dry or not matching:
        return {"matching": matching}
    with write(hub.engine) as database:
        revision = next_revision(database, now)
        record_audit(database, now, actor, "messages.replayed", f"revision {revision}", {"matching": matching})
    return {"matching": matching, **replay(hub.engine, wanted, mapper_of(hub), hooks_of(hub), revision, now)}


def replay_deliveries(
    hub: Installation,
    filters: Filters,
    now: Micros,
    actor: str,
    *,
    per_s: float | None = None,
    is_quiet: bool = False,
    is_forced: bool = False,
    is_dry: bool = False,
) -> dict[str, int]:
    """Send the deliveries that match again. Dry: how many match."""
    with read(hub.engine) as database:
        matching = operate.replayable(database, filters)
    if is_dry or not matching:
        return {"matching": matching}
    with write(hub.engine) as database:
        record_audit(database, now, actor, "deliveries.replayed", filters.status or "dead", _told(filters, matching))
    done, after = 0, ""
    while True:
        with write(hub.engine) as database:
            count, following = operate.replay(
                database,
                filters,
                now,
                per_s=per_s,
                is_quiet=is_quiet,
                is_forced=is_forced,
                after=after,
                limit=PAGE,
                first=done,
            )
        done += count
        if following is None:
            return {"matching": matching, "replayed": done}
        after = following


def _told(filters: Filters, matching: int) -> dict[str, Any]:
    """What the audit keeps of an order: its filters, but nobody's source_id."""
    personal = ("source_id", "text")
    kept = {name: value for name, value in asdict(filters).items() if value and name not in personal}
    return {"matching": matching, "is_of_one_person": filters.source_id is not None, **kept}
