"""The sync log as operators read it: runs, and what became of single messages and deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import select

from hub.admin.filters import Asked, filter_of, roles_of
from hub.admin.running import running
from hub.admin.views import attempt_json, message_json, run_json
from hub.admin.waiting import why_waiting
from hub.core.clock import SECOND, Micros, iso
from hub.core.ids import new_id
from hub.distributions import store as distributions
from hub.distributions.tables import PUBLICATION
from hub.inbox import seen
from hub.inbox.values import UNKNOWN_SOURCE, MessageFilter, Refusal, StoredMessage
from hub.ledger import store as ledger
from hub.ledger.values import Run, RunFilter
from hub.outbox.queue import operate
from hub.outbox.queue import store as outbox
from hub.outbox.values import Filters
from hub.profiles import reading
from hub.registry import store as registry
from hub.runtime.process.installation import Installation

MESSAGE_STATES = frozenset({"applied", "ignored", "quarantined"})
DELIVERY_STATES = frozenset({"waiting", "sent", "skipped", "dead"})
RUN_KINDS = ("apply", "occasion", "request", "import", "mapping")
RUN_RESULTS = ("ok", "partial", "failed")
LATE: Micros = 60 * SECOND
"""A run's id is made when its work begins and is visible when it commits: that much later at most."""
_PAGE = 500


def shown_runs(database: Database, runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Runs with the names of their connection and distribution, None where there is none."""
    connections, plans = registry.names(database), distributions.names(database)
    return [
        {
            **run_json(run),
            "connection": connections.get(run.connection_id or "", run.connection_id),
            "distribution": plans.get(run.distribution_id or "", run.distribution_id),
        }
        for run in runs
    ]


def shown_messages(database: Database, rows: Iterable[StoredMessage]) -> list[dict[str, Any]]:
    """Messages with the name of their source."""
    names = registry.names(database)
    return [{**message_json(row), "connection": names.get(row.connection_id, row.connection_id)} for row in rows]


def refusals_json(database: Database, rows: Iterable[Refusal]) -> list[dict[str, Any]]:
    """Counts of refused requests with the name of their source; `connection` is None where the key is nobody's."""
    names = registry.names(database) | {UNKNOWN_SOURCE: None}
    return [
        {**asdict(row), "minute": iso(row.minute), "connection": names.get(row.connection_id, row.connection_id)}
        for row in rows
    ]


def delivery_page(
    database: Database, filters: Filters, cursor: str | None, limit: int, now: Micros
) -> tuple[list[dict[str, Any]], str | None]:
    """Deliveries with the name of their connection and the code they carry, newest first, and the next cursor."""
    page = outbox.deliveries(database, filters, cursor, limit)
    return completed(database, page.items, now), page.next_cursor


def delivery_json(database: Database, delivery_id: str, now: Micros) -> dict[str, Any] | None:
    """One delivery with every attempt: its masked requests and the vendor's answers."""
    found = outbox.delivery(database, delivery_id)
    if found is None:
        return None
    attempts = ledger.attempts_of(database, delivery_id, None, _PAGE).items
    return {**completed(database, [found], now)[0], "attempts": [attempt_json(each) for each in attempts]}


def records(
    hub: Installation, database: Database, asked: Asked, now: Micros, *, limit: int, is_warned: bool = False
) -> list[dict[str, Any]]:
    """Messages and deliveries that match, newest first: `kind` tells them apart. `is_warned`: only messages of which
    something was left out or altered.

    A person is everyone merged with them; of an erased one only what names nobody is left. A connection is a source to
    messages and a destination to deliveries.
    """
    wants_messages = asked.status is None or asked.status in MESSAGE_STATES
    wants_deliveries = not is_warned and (asked.status is None or asked.status in DELIVERY_STATES)
    if asked.connection is not None:
        roles = roles_of(hub, database, asked.connection)
        wants_messages, wants_deliveries = (
            wants_messages and "source" in roles,
            wants_deliveries and "destination" in roles,
        )
    people: list[str | None] = [None] if asked.source_id is None else [*everyone(database, asked.source_id)]
    found: list[dict[str, Any]] = []
    for person in people if wants_messages else ():
        of_one = replace(asked, source_id=person)
        wanted = filter_of(MessageFilter, hub, database, of_one, "source", is_warned=is_warned)
        rows = seen.page(database, wanted, None, limit, newest_first=True)
        found.extend({"kind": "message", **row} for row in shown_messages(database, rows))
    if asked.source_id is not None:
        people = [*people, operate.erased_source_id(hub.vault.digest(asked.source_id))]
    for person in people if wants_deliveries else ():
        selected = filter_of(Filters, hub, database, replace(asked, source_id=person), "destination")
        page = outbox.deliveries(database, selected, None, limit)
        found.extend({"kind": "delivery", **row} for row in completed(database, page.items, now))
    found.sort(key=lambda row: str(row.get("created_at") or row.get("received_at")), reverse=True)
    return found[:limit]


def new_runs(database: Database, filters: RunFilter, told: set[str], now: Micros) -> Iterator[Run]:
    """Runs that are not in `told`, oldest first, for a reader who looks again and again; adds them to it.

    A run that began earlier may commit after a later one, so each look goes back by LATE.
    """
    horizon = new_id(max(now - LATE, 0) // 1000)[:10]
    told -= {run_id for run_id in told if run_id < horizon}
    cursor: str | None = horizon
    while cursor is not None:
        page = ledger.runs(database, filters, cursor, _PAGE, oldest_first=True)
        for run in page.items:
            if run.id not in told:
                told.add(run.id)
                yield run
        cursor = page.next_cursor


def everyone(database: Database, source_id: str) -> list[str]:
    """Every source_id that is read as this person."""
    profile = reading.show(database, source_id)
    return [source_id] if profile is None else [profile["source_id"], *profile["merged"]]


def completed(database: Database, rows: Sequence[Mapping[str, Any]], now: Micros) -> list[dict[str, Any]]:
    """Deliveries with the name of their connection, the code they carry, and why one that waits does."""
    connections = registry.without_secrets(database)
    publications = sorted({row["publication_id"] for row in rows if row["publication_id"]})
    query = select(PUBLICATION.c.id, PUBLICATION.c.code).where(PUBLICATION.c.id.in_(publications))
    codes = {row.id: row.code for row in database.execute(query)} if publications else {}
    hub = running(database, now) if any(row["status"] == "waiting" for row in rows) else None
    completed = []
    for row in rows:
        connection = connections.get(row["connection_id"])
        shown = {
            **{key: value for key, value in row.items() if key != "attempts"},
            "attempt_count": row["attempts"],
            "connection": connection.name if connection else row["connection_id"],
            "code": codes.get(row["publication_id"]),
        }
        waits_for = why_waiting(shown, connection, hub, now) if hub else ""
        completed.append({**shown, "waits_for": waits_for or None})
    return completed
