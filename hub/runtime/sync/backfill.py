"""One chunk of a backfill, one transaction: quiet deliveries for people who were there before their sync.

A crash leaves the chunk whole or absent. No more is put into the queue than it can take, so that what happens meanwhile
never waits behind everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from hub.core.clock import Micros
from hub.core.database import read
from hub.core.ids import new_id
from hub.distributions import backfills, syncs
from hub.distributions.values import Backfill, Sync
from hub.ledger.store import record_run
from hub.ledger.values import Run
from hub.outbox.queue import store as outbox
from hub.outbox.values import NewDelivery
from hub.profiles import store as profiles
from hub.runtime.sync.audiences import States, audiences_of, consents_of, state_deliveries
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import Operation

MOST_WAITING = 5_000
COUNT_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Filled:
    """What one transaction came to. `is_held`: the connection's queue is full, look again later."""

    backfill: Backfill
    people: int
    is_held: bool = False

    @property
    def is_last(self) -> bool:
        return self.backfill.state == "done"


def fill_chunk(database: Connection, backfill_id: str, limit: int, now: Micros, digest: Callable[[str], str]) -> Filled:
    """Deliveries for the next `limit` people, in the caller's write transaction. Raises ConfigurationError."""
    backfill = backfills.lock(database, backfill_id)
    if backfill.state == "done":
        return Filled(backfill, 0)
    if outbox.waiting_count(database, backfill.connection_id, MOST_WAITING) >= MOST_WAITING:
        return Filled(backfill, 0, is_held=True)
    sync = _sync_of(database, backfill)
    people = profiles.audience(database, backfill.cursor or None, limit)
    profiles.erased(database, people, digest)  # on PostgreSQL no erasure can begin until this chunk is committed
    candidates = _deliveries(database, sync, people, now)
    fresh = outbox.not_waiting(database, candidates)
    outbox.insert(database, fresh, now)
    counts = {"people": len(people), "deliveries": len(fresh), "waiting_already": len(candidates) - len(fresh)}
    cursor = people[-1] if people else backfill.cursor
    moved = backfills.advance(database, backfill, cursor, counts, now, is_done=len(people) < limit)
    if moved.state == "done":
        record_run(database, finished_run(moved, now))
    return Filled(moved, len(people))


def counted(engine: Engine, sync: Sync, now: Micros) -> dict[str, int]:
    """How many people a backfill would look at, and how many deliveries it would make: from what is there now.

    A transaction for each page, since a long one would hold up SQLite's checkpoints.
    """
    counts = {"people": 0, "deliveries": 0}
    after: str | None = None
    while True:
        with read(engine) as database:
            people = profiles.audience(database, after, COUNT_PAGE)
            deliveries = len(_deliveries(database, sync, people, now))
        if not people:
            return counts
        counts["people"] += len(people)
        counts["deliveries"] += deliveries
        after = people[-1]


def finished_run(backfill: Backfill, now: Micros) -> Run:
    """The sync log's entry of a backfill that came to its end."""
    people, deliveries = backfill.counts.get("people", 0), backfill.counts.get("deliveries", 0)
    summary = f"{people} people were looked at, {deliveries} deliveries made"
    return _run(
        backfill, backfill.opened_at, now, "ok", f"The backfill of {backfill.operation} is complete: {summary}."
    )


def failed_run(backfill: Backfill, now: Micros, why: str) -> Run:
    """The sync log's entry of a chunk that cannot be made."""
    return _run(backfill, now, now, "failed", f"The backfill of {backfill.operation} stands: {why} It is tried again.")


def _run(backfill: Backfill, started_at: Micros, now: Micros, result: str, detail: str) -> Run:
    return Run(
        id=new_id(now // 1000),
        kind="occasion",
        started_at=started_at,
        duration_us=max(0, now - started_at),
        counts={name: count for name, count in backfill.counts.items() if count},
        result=result,
        detail=detail,
        connection_id=backfill.connection_id,
    )


def _sync_of(database: Connection, backfill: Backfill) -> Sync:
    """Its sync as it is now: the foreign key keeps it there as long as the backfill."""
    every = syncs.for_connection(database, backfill.connection_id)
    found = next((sync for sync in every if sync.operation == backfill.operation), None)
    if found is None:
        raise ConfigurationError("The sync of this backfill was removed, and the backfill with it.")
    return found


def _deliveries(database: Connection, sync: Sync, people: Sequence[str], now: Micros) -> list[NewDelivery]:
    if sync.operation == Operation.PROFILES:
        return [
            NewDelivery(sync.connection_id, Operation.PROFILES, one, now, options=sync.options, is_quiet=True)
            for one in people
        ]
    views = profiles.views(database, people)
    states = States()
    for one in people:
        view = views.get(one, {})
        if sync.operation == Operation.AUDIENCE:
            states.memberships.update({(one, key): now for key in audiences_of(view)})
        else:
            states.consents.update({(one, topic): now for topic in consents_of(view)})
    roots = {one: one for one in people}
    return list(state_deliveries(sync, states, roots, is_quiet=True))
