"""Claiming: which deliveries are due, and the one transaction that hands them to an attempt.

A claim reads what is due, lets the connector build it outside of any transaction, then starts it in a short one that
checks everything again that may forbid sending: state, profile in flight, pause, consent, erasure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import Connection

from hub.core.bulk import ask, insert_many, run
from hub.core.clock import Micros
from hub.ledger.store import finish_attempts, start_attempts
from hub.ledger.values import AttemptEnd, AttemptStart
from hub.outbox.tables import IS_OPEN, PUSHED
from hub.outbox.values import ERASED_PREFIX, Held, People, Row
from hub.sdk.json import loads
from hub.sdk.values import Operation

ACTIVE = "active"
# Only what was found is put in the order of its ids: of a whole occasion, all due at once, that would cost the database
# a sort.
_DUE_FIRST = attrgetter("due_at", "id")
ERASED_DETAIL = "The person was erased."
_COLUMNS = ", ".join([f"d.{name}" for name in Row._fields])

# The OFFSET keeps PostgreSQL from making a join of it: each row is looked up by its index, whatever the statistics say.
# A profile's calls go one at a time; consent goes before anything else of its profile, unless the vendor must know the
# profile before it takes a consent; a job under way is waited for by deliveries of its own kind, which it might
# overwrite; an erasure follows whatever is under way.
_FREE = f"""NOT EXISTS (SELECT 1 FROM delivery o
    WHERE o.connection_id = d.connection_id AND o.source_id = d.source_id AND o.{IS_OPEN}
    AND (o.state = 'sending'
         OR (o.operation = 'consent' AND d.operation <> 'consent'
             AND NOT (d.operation = 'profiles' AND o.state = 'waiting' AND o.reason = 'after'))
         OR (o.state = 'pending' AND (o.operation = d.operation OR d.operation = 'erase')))
    LIMIT 1 OFFSET 0)"""

_DUE = f"""SELECT {_COLUMNS} FROM delivery d
    WHERE d.connection_id = ? AND d.state = 'waiting' AND d.rank = ? AND d.due_at <= ? AND NOT d.route AMONG ?
    AND {_FREE}
    ORDER BY d.due_at LIMIT ?"""

_NEXT_DUE = """SELECT c.id,
    (SELECT min(d.due_at) FROM delivery d WHERE d.connection_id = c.id AND d.state = 'waiting' AND d.rank = 0),
    (SELECT min(d.due_at) FROM delivery d WHERE d.connection_id = c.id AND d.state = 'waiting' AND d.rank = 1)
    FROM connection c WHERE c.id AMONG ?"""

_STILL_FREE = f"""SELECT d.id, d.source_id, d.operation, d.consent FROM delivery d WHERE d.id AMONG ? AND d.state = 'waiting' AND {_FREE}
    ORDER BY d.id {{locked}} SKIP LOCKED"""

_GATE = "SELECT status, version, paused_routes FROM connection WHERE id = ? {locked}"

_START = """UPDATE delivery SET state = 'sending', reason = '', attempt_id = ?, route = ?, repeat = ?,
    repeat_until = coalesce(repeat_until, ?), updated_at = ? WHERE id AMONG ?"""

_END = "UPDATE delivery SET state = ?, reason = ?, detail = ?, updated_at = ? WHERE id AMONG ?"
_RELEASE = "UPDATE delivery SET state = 'waiting', updated_at = ? WHERE attempt_id AMONG ? AND state = 'sending'"
_ATTEMPTS = "SELECT id FROM attempt WHERE id AMONG ?"
_ROUTE = "UPDATE delivery SET route = ? WHERE id AMONG ? AND state = 'waiting'"
_DEFER = "UPDATE delivery SET due_at = ?, route = ?, reason = 'after' WHERE id AMONG ? AND state = 'waiting'"
_KNOWN = "SELECT source_id, fields FROM pushed WHERE connection_id = ? AND source_id AMONG ?"
_REPLACE = "ON CONFLICT (connection_id, source_id) DO UPDATE SET fields = excluded.fields"
_REMEMBERED = "SELECT source_id, ids FROM remembered WHERE connection_id = ? AND source_id AMONG ?"
_OPEN = f"""SELECT source_id, operation, id FROM delivery
    WHERE connection_id = ? AND source_id AMONG ? AND {IS_OPEN}"""
_JOBS = """SELECT connection_id, token, min(route), min(due_at) FROM delivery
    WHERE state = 'pending' AND connection_id AMONG ?
    GROUP BY connection_id, token ORDER BY min(due_at) LIMIT ?"""
_JOB = """SELECT id, operation, attempts, waited_us, repeat, repeat_until, give_up_at, find_by, source_id, pushing
    FROM delivery WHERE connection_id = ? AND token = ? AND state = 'pending' ORDER BY id"""


class Launch(NamedTuple):
    """One batch to start: its attempt and the deliveries in it. `window_us` bounds the vendor's deduplication."""

    attempt: AttemptStart
    route: str  # of the items; the attempt names the one used, which may be its bulk route
    repeat: str
    window_us: Micros | None
    ids: Sequence[str]


class Ended(NamedTuple):
    """A delivery that ends without being sent: skipped, or dead because it cannot be built."""

    id: str
    state: str
    reason: str
    detail: str


class ClaimPlan(NamedTuple):
    """What one claim wants to do with the deliveries of one connection."""

    connection_id: str
    version: int
    launches: Sequence[Launch]
    ended: Sequence[Ended] = ()
    routes: Mapping[str, str] = {}  # delivery -> its route, for those that must wait a little
    deferred: Mapping[str, tuple[Micros, str]] = {}  # delivery -> when to look again, route
    cleared: Sequence[tuple[str, str, str]] = ()  # delivery, profile, hashes without those of the fields it sends


class Free(NamedTuple):
    """A delivery that may be started, as the transaction of the start sees it."""

    id: str
    source_id: str
    operation: str
    consent: str


class PollJob(NamedTuple):
    """A vendor's job to ask after, with everything that waits for it."""

    connection_id: str
    token: str
    route: str
    due_at: Micros


class PendingRow(NamedTuple):
    """A delivery that waits for a vendor's job; `pushing` is what to remember of a profile once it is accepted."""

    held: Held
    find_by: str
    source_id: str
    pushing: str


def due(
    connection: Connection, connection_id: str, now: Micros, limit: int, closed_routes: Sequence[str] = ()
) -> list[Row]:
    """Deliveries that may be sent now, consent first, then by the time they became due."""
    closed = sorted(closed_routes)
    rows: list[Row] = []
    for rank in (0, 1):
        if len(rows) < limit:
            found = ask(connection, _DUE, connection_id, rank, now, closed, limit - len(rows))
            rows.extend(sorted(map(Row._make, found), key=_DUE_FIRST))
    return rows


def next_due(connection: Connection, connection_ids: Sequence[str]) -> dict[str, Micros]:
    """By connection, when its next delivery is due, whether or not it will be free to go; none where nothing waits."""
    found = ask(connection, _NEXT_DUE, list(connection_ids))
    return {one: min(due) for one, *ranks in found if (due := [at for at in ranks if at is not None])}


def pushed(connection: Connection, connection_id: str, people: Iterable[str]) -> dict[str, dict[str, str]]:
    """source_id to the hashes last accepted."""
    return {row[0]: loads(row[1]) for row in ask(connection, _KNOWN, connection_id, sorted(people))}


def remembered(connection: Connection, connection_id: str, people: Iterable[str]) -> dict[str, dict[str, str]]:
    """source_id to the vendor ids kept for it."""
    return {row[0]: loads(row[1]) for row in ask(connection, _REMEMBERED, connection_id, sorted(people))}


def open_operations(connection: Connection, connection_id: str, people: Iterable[str]) -> dict[str, set[str]]:
    """source_id to the operations that wait, are sent or are pending for it."""
    found: dict[str, set[str]] = {}
    for source_id, operation, _ in ask(connection, _OPEN, connection_id, sorted(people)):
        found.setdefault(source_id, set()).add(operation)
    return found


def start(connection: Connection, plan: ClaimPlan, people: People, now: Micros) -> dict[str, set[str]]:
    """Start the attempts of a plan; which deliveries each of them may really send.

    Everything is checked in this transaction: a connection that was paused or changed since the plan was made starts
    nothing; a refused consent and an erasure skip the delivery here, before every attempt.
    """
    gate = run(connection, _GATE, plan.connection_id).one_or_none()
    if gate is None or gate.status != ACTIVE or gate.version != plan.version:
        return {}
    paused = loads(gate.paused_routes)
    launches = [launch for launch in plan.launches if launch.route not in paused and launch.attempt.route not in paused]
    wanted = sorted([one for launch in launches for one in launch.ids] + [ended.id for ended in plan.ended])
    free = {row[0]: Free._make(row) for row in ask(connection, _STILL_FREE, wanted)} if wanted else {}
    skipped = _forbidden(connection, people, list(free.values()))
    _end(connection, [one for one in plan.ended if one.id in free and one.id not in skipped], now)
    _end(connection, list(skipped.values()), now)
    granted = {}
    for launch in launches:
        ids = {one for one in launch.ids if one in free and one not in skipped}
        if ids:
            granted[launch.attempt.id] = ids
            until = now + launch.window_us if launch.window_us is not None else None
            values = (launch.attempt.id, launch.route, launch.repeat, until, now)
            run(connection, _START, *values, sorted(ids))
    start_attempts(connection, [launch.attempt for launch in launches if launch.attempt.id in granted])
    started = set().union(*granted.values()) if granted else set()
    cleared = [(plan.connection_id, person, fields) for one, person, fields in plan.cleared if one in started]
    write_pushed(connection, cleared)
    _postpone(connection, plan, started)
    return granted


def release(connection: Connection, attempt_ids: Sequence[str], now: Micros) -> None:
    """Take back attempts of which nothing was sent, such as those whose start was committed without our hearing of it."""
    ids = sorted(attempt_ids)
    run(connection, _RELEASE, now, ids)
    known = {row[0] for row in ask(connection, _ATTEMPTS, ids)}
    finish_attempts(connection, [AttemptEnd(one, now, None, "released") for one in ids if one in known])


def write_pushed(connection: Connection, rows: Sequence[tuple[str, str, str]]) -> None:
    """Store hashes: (connection, profile, JSON)."""
    named = [{"connection_id": one, "source_id": person, "fields": fields} for one, person, fields in sorted(rows)]
    insert_many(connection, PUSHED, named, _REPLACE)


def _forbidden(connection: Connection, people: People, rows: Sequence[Free]) -> dict[str, Ended]:
    """Those that must not be sent, by the tombstones and consents of this transaction. An erasure is never forbidden."""
    found: dict[str, Ended] = {}
    others = [row for row in rows if row.operation != Operation.ERASE]
    gone = people.erased(connection, sorted({row.source_id for row in others})) if others else set()
    asked = sorted({(row.source_id, row.consent) for row in others if row.consent})
    refused = people.refused(connection, asked) if asked else {}
    for row in others:
        if row.source_id in gone or row.source_id.startswith(ERASED_PREFIX):
            found[row.id] = Ended(row.id, "skipped", "erased", ERASED_DETAIL)
        elif (row.source_id, row.consent) in refused:
            why = refused[row.source_id, row.consent]
            found[row.id] = Ended(row.id, "skipped", why, f"Consent for {row.consent!r} is refused.")
    return found


def _end(connection: Connection, ended: Sequence[Ended], now: Micros) -> None:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for one in ended:
        groups.setdefault((one.state, one.reason, one.detail), []).append(one.id)
    for (state, reason, detail), ids in sorted(groups.items()):
        run(connection, _END, state, reason, detail, now, sorted(ids))


def _postpone(connection: Connection, plan: ClaimPlan, started: set[str]) -> None:
    by_route: dict[str, list[str]] = {}
    for one, route in plan.routes.items():
        if one not in started:
            by_route.setdefault(route, []).append(one)
    for route, ids in sorted(by_route.items()):
        run(connection, _ROUTE, route, sorted(ids))
    later: dict[tuple[Micros, str], list[str]] = {}
    for one, when in plan.deferred.items():
        later.setdefault(when, []).append(one)
    for (due_at, route), ids in sorted(later.items()):
        run(connection, _DEFER, due_at, route, sorted(ids))


def next_jobs(connection: Connection, connection_ids: Sequence[str], limit: int) -> list[PollJob]:
    """Vendor jobs in the order in which they are to be asked after."""
    return [PollJob._make(row) for row in ask(connection, _JOBS, sorted(connection_ids), limit)]


def pending(connection: Connection, connection_id: str, token: str) -> list[PendingRow]:
    """What waits for a job."""
    rows = ask(connection, _JOB, connection_id, token)
    return [PendingRow(Held._make(row[:7]), row[7], row[8], row[9]) for row in rows]
