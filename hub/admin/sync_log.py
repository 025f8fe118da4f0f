"""The sync log as operators read it: runs, and what became of single messages and deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import select

from hub.admin.views import attempt_json, message_json, run_json
from hub.core.clock import SECOND, Micros
from hub.core.ids import new_id
from hub.distributions import store as distributions
from hub.distributions.tables import PUBLICATION
from hub.inbox import seen
from hub.inbox.values import MessageFilter, StoredMessage
from hub.ledger import store as ledger
from hub.ledger.values import Run, RunFilter
from hub.outbox.queue import operate
from hub.outbox.queue import store as outbox
from hub.outbox.values import Filters
from hub.profiles import reading
from hub.registry import store as registry
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

MESSAGE_STATES = frozenset({"applied", "ignored", "quarantined"})
DELIVERY_STATES = frozenset({"waiting", "sent", "skipped", "dead"})
RUN_KINDS = ("apply", "occasion", "request", "import")
RUN_RESULTS = ("ok", "partial", "failed")
ID_CHARS = 26
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


def delivery_page(
    database: Database, filters: Filters, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Deliveries with the name of their connection and the code they carry, newest first, and the next cursor."""
    page = outbox.deliveries(database, filters, cursor, limit)
    return _completed(database, page.items), page.next_cursor


def delivery_json(database: Database, delivery_id: str) -> dict[str, Any] | None:
    """One delivery with every attempt: its masked requests and the vendor's answers."""
    found = outbox.delivery(database, delivery_id)
    if found is None:
        return None
    attempts = ledger.attempts_of(database, delivery_id, None, _PAGE).items
    return {**_completed(database, [found])[0], "attempts": [attempt_json(each) for each in attempts]}


def records(
    hub: Installation,
    database: Database,
    *,
    source_id: str | None,
    status: str | None,
    limit: int,
    is_warned: bool = False,
) -> list[dict[str, Any]]:
    """Messages and deliveries of one person, or in one state, newest first: `kind` tells them apart. `is_warned`: only
    messages of which something was left out or altered.

    A person is everyone merged with them; of an erased one only what names nobody is left.
    """
    found: list[dict[str, Any]] = []
    people = [None] if source_id is None else _everyone(database, source_id)
    for person in people if status is None or status in MESSAGE_STATES else ():
        wanted = MessageFilter(source_id=person, state=status, is_warned=is_warned)
        rows = seen.page(database, wanted, None, limit, newest_first=True)
        found.extend({"kind": "message", **row} for row in shown_messages(database, rows))
    if source_id is not None:
        people = [*people, operate.erased_source_id(hub.vault.digest(source_id))]
    for person in people if not is_warned and (status is None or status in DELIVERY_STATES) else ():
        page = outbox.deliveries(database, Filters(status=status, source_id=person), None, limit)
        found.extend({"kind": "delivery", **row} for row in _completed(database, page.items))
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


def named(hub: Installation, database: Database, filters: Filters, connection: str | None) -> Filters:
    """The filters with a connection and a distribution given by name. Raises ConfigurationError for unknown names."""
    wanted = replace(filters, distribution_id=distribution_id(database, filters.distribution_id))
    if connection is None:
        return wanted
    return replace(wanted, connection_id=connection_id(hub, database, connection, "destination"))


def connection_id(hub: Installation, database: Database, name: str, role: str | None = None) -> str:
    """The id of a connection by name or id, also of one that was removed. Raises ConfigurationError."""
    found = [each for each in registry.every(database, hub.vault, role) if name in (each.name, each.id)]
    if len(found) == 1:
        return found[0].id
    if found:
        raise ConfigurationError(f"A source and a destination are named {name!r}; give the id of the one you mean.")
    return _as_id(name, role or "connection")


def distribution_id(database: Database, name: str | None) -> str | None:
    """The id of a distribution by name or id, also of one that was removed. Raises ConfigurationError."""
    found = distributions.find(database, name) if name is not None else None
    return found.id if found else None if name is None else _as_id(name, "distribution")


def _as_id(name: str, what: str) -> str:
    if len(name) == ID_CHARS and name.isascii() and name.isalnum() and name.upper() == name:
        return name
    raise ConfigurationError(f"There is no {what} {name!r}; give its name or its id.")


def _everyone(database: Database, source_id: str) -> list[str | None]:
    """Every source_id that is read as this person."""
    profile = reading.show(database, source_id)
    return [source_id] if profile is None else [profile["source_id"], *profile["merged"]]


def _completed(database: Database, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = registry.names(database)
    publications = sorted({row["publication_id"] for row in rows if row["publication_id"]})
    query = select(PUBLICATION.c.id, PUBLICATION.c.code).where(PUBLICATION.c.id.in_(publications))
    codes = {row.id: row.code for row in database.execute(query)} if publications else {}
    return [
        {
            **{key: value for key, value in row.items() if key != "attempts"},
            "attempt_count": row["attempts"],
            "connection": names.get(row["connection_id"], row["connection_id"]),
            "code": codes.get(row["publication_id"]),
        }
        for row in rows
    ]
