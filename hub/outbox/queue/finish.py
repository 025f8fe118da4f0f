"""Storing what came back: states, attempts, hashes, vendor ids. Many calls in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection

from hub.core.bulk import ask, insert_many, run, update_many
from hub.core.clock import Micros
from hub.ledger.rules import ERASED
from hub.ledger.store import finish_attempts, record_runs, start_attempts
from hub.ledger.values import AttemptEnd, AttemptRecord, AttemptStart, Run
from hub.outbox.queue.claim import ERASED_DETAIL, write_pushed
from hub.outbox.queue.delta import accepted
from hub.outbox.queue.fresh import lock_fresh
from hub.outbox.queue.store import SUPERSEDED
from hub.outbox.rules import is_fresh
from hub.outbox.tables import DELIVERY, IS_FRESH, REMEMBERED
from hub.outbox.values import ERASED_PREFIX, Next
from hub.sdk.json import dumps, loads

_HELD = """SELECT id, source_id, operation, topic, state, attempt_id FROM delivery WHERE id AMONG ?
    ORDER BY id {locked}"""
_MOVE = """UPDATE delivery SET state = ?, reason = ?, detail = ?, due_at = ?, attempts = attempts + ?,
    waited_us = waited_us + ?, is_unknown = (is_unknown OR ?), cohort = ?, token = ?, give_up_at = ?,
    notices = CASE WHEN ? = '' THEN notices ELSE ? END,
    receipt = ?, sent_at = ?, updated_at = ? WHERE id AMONG ?"""
_CLEAN = "UPDATE delivery SET find_by = '', pushing = '', progress = '' WHERE id AMONG ?"
# An erasure that failed keeps its sealed record, so that an operator can send it again.
_FORGET = """UPDATE delivery SET detail = CASE WHEN operation = 'erase' THEN detail ELSE '' END, receipt = '',
    notices = '', record = CASE WHEN state = 'dead' THEN record ELSE '{}' END WHERE id AMONG ?"""
_NEWER = f"""SELECT connection_id, source_id, operation, topic FROM delivery
    WHERE connection_id = ? AND source_id AMONG ? AND {IS_FRESH}"""
_LATER = "UPDATE delivery SET due_at = ?, updated_at = ? WHERE id AMONG ? AND state = 'pending'"
_REMEMBERED = "SELECT source_id, ids FROM remembered WHERE connection_id = ? AND source_id AMONG ?"
_REPLACE = "ON CONFLICT (connection_id, source_id) DO UPDATE SET ids = excluded.ids"
_OPEN_ATTEMPTS = "SELECT id FROM attempt WHERE id AMONG ? AND outcome = 'open'"
_FINAL = frozenset({"sent", "skipped", "dead"})
_SUPERSEDED = Next("skipped", "superseded", SUPERSEDED, counted=False)
_ERASED = Next("skipped", "erased", ERASED_DETAIL, counted=False)


class HeldRow(NamedTuple):
    """A delivery as the transaction that ends its attempt sees it."""

    id: str
    source_id: str
    operation: str
    topic: str
    state: str
    attempt_id: str | None


class Push(NamedTuple):
    """What to keep of a profile push once it is accepted: the hashes before it, those it sends, the addresses."""

    person: str
    known: Mapping[str, str]
    sending: Mapping[str, str]
    addresses: Mapping[str, str | None]

    def text(self) -> str:
        """As a pending delivery keeps it."""
        return dumps({"person": self.person, "fields": self.fields()}).decode()

    def fields(self) -> str:
        return accepted(self.known, self.sending, self.addresses)


class Move(NamedTuple):
    """One delivery and where it goes. `remember` holds vendor ids (None forgets) of `person`."""

    id: str
    person: str
    next: Next
    outcome: str  # as the ledger names it
    pushed: str = ""  # JSON of hashes to store with an acceptance
    pushing: str = ""  # JSON to keep with a pending one
    find_by: str = ""  # how the result of a pending one will name it
    remember: Mapping[str, str | None] = {}


class Step(NamedTuple):
    """Progress inside a flow."""

    id: str
    person: str
    progress: Any
    remember: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Ending:
    """What one attempt has to say: some moves, and its end once there is one. `state` is the one its deliveries are in:
    sending, or pending for the answer of a job."""

    connection_id: str
    attempt_id: str
    moves: Sequence[Move] = ()
    steps: Sequence[Step] = ()
    end: AttemptEnd | None = None
    run: Run | None = None
    start: AttemptStart | None = None  # of a poll, which is worth an attempt only if it settles something
    state: str = "sending"
    postponed: Mapping[str, Micros] = field(default_factory=dict)  # pending ones to ask after later


def finish(connection: Connection, endings: Sequence[Ending], now: Micros) -> set[str]:
    """Store endings; which deliveries moved. One that is no longer held by its attempt stays as it is."""
    moves = [(ending, move) for ending in endings for move in ending.moves]
    waiting = [(e.connection_id, m) for e, m in moves if m.next.state == "waiting"]
    ids = sorted([move.id for _, move in moves] + [step.id for ending in endings for step in ending.steps])
    lock_fresh(connection, [(one, move.person) for one, move in waiting])
    held = {row[0]: HeldRow._make(row) for row in ask(connection, _HELD, ids)} if ids else {}
    valid = [(e, m) for e, m in moves if m.id in held and _is_held(held[m.id], e)]
    settled = _settle(connection, valid, held)
    _move(connection, settled, now)
    _push(connection, settled, held)
    _remember(connection, settled, held, endings)
    _progress(connection, [s for e in endings for s in e.steps if s.id in held and _is_held(held[s.id], e)])
    for ending in endings:
        for due_at in sorted(set(ending.postponed.values())):
            later = sorted([one for one, when in ending.postponed.items() if when == due_at])
            run(connection, _LATER, due_at, now, later)
    _ledger(connection, endings, settled, held)
    return {move.id for _, move in settled}


Settled = list[tuple[Ending, Move]]
Held = Mapping[str, HeldRow]


def _is_held(row: HeldRow, ending: Ending) -> bool:
    if row.state != ending.state:
        return False
    return ending.state == "pending" or row.attempt_id == ending.attempt_id


def _settle(connection: Connection, moves: Settled, held: Held) -> Settled:
    """Those that would wait again, although the person was erased or a newer delivery waits, are skipped instead."""
    newer = _newer(connection, moves, held)
    settled = []
    for ending, move in moves:
        row = held[move.id]
        if move.next.state == "waiting":
            if row.source_id.startswith(ERASED_PREFIX) and row.operation != "erase":
                move = move._replace(next=_ERASED)
            elif (ending.connection_id, row.source_id, row.operation, row.topic) in newer:
                move = move._replace(next=_SUPERSEDED)
        settled.append((ending, move))
    return settled


def _newer(connection: Connection, moves: Settled, held: Held) -> set[tuple[str, ...]]:
    people: dict[str, set[str]] = {}
    for ending, move in moves:
        row = held[move.id]
        if move.next.state == "waiting" and is_fresh(row.operation):
            people.setdefault(ending.connection_id, set()).add(row.source_id)
    found: set[tuple[str, ...]] = set()
    for connection_id, wanted in sorted(people.items()):
        found.update(row for row in ask(connection, _NEWER, connection_id, sorted(wanted)))
    return found


def _move(connection: Connection, moves: Settled, now: Micros) -> None:
    groups: dict[Next, list[str]] = {}
    named = []
    done = []
    for ending, move in moves:
        groups.setdefault(move.next, []).append(move.id)
        if move.next.state == "pending":
            named.append({"id": move.id, "find_by": move.find_by, "pushing": move.pushing})
        elif ending.state == "pending" and move.next.state in _FINAL:
            done.append(move.id)
    for to, ids in groups.items():
        run(
            connection, _MOVE, to.state, to.reason, to.detail, to.due_at, 1 if to.counted else 0, to.waited_us,
            to.is_unknown, to.cohort, to.token, to.give_up_at, to.notices, to.notices, to.receipt,
            now if to.state == "sent" else None, now, sorted(ids),
        )  # fmt: skip
    update_many(connection, DELIVERY, ["id"], sorted(named, key=_id_of))
    if done:
        run(connection, _CLEAN, sorted(done))


def _id_of(row: Mapping[str, Any]) -> str:
    return str(row["id"])


def _push(connection: Connection, moves: Settled, held: Held) -> None:
    rows = {}
    for ending, move in moves:
        if move.pushed and move.next.state == "sent" and not held[move.id].source_id.startswith(ERASED_PREFIX):
            rows[ending.connection_id, move.person] = (ending.connection_id, move.person, move.pushed)
    write_pushed(connection, list(rows.values()))


def _remember(connection: Connection, moves: Settled, held: Held, endings: Sequence[Ending]) -> None:
    changes: dict[str, dict[str, dict[str, str | None]]] = {}
    told = [(ending, move.id, move.person, move.remember) for ending, move in moves if move.remember]
    told += [(e, step.id, step.person, step.remember) for e in endings for step in e.steps if step.remember]
    for ending, one, person, remember in told:
        if one in held and not held[one].source_id.startswith(ERASED_PREFIX):
            changes.setdefault(ending.connection_id, {}).setdefault(person, {}).update(remember)
    for connection_id, people in sorted(changes.items()):
        known = {row[0]: loads(row[1]) for row in ask(connection, _REMEMBERED, connection_id, sorted(people))}
        rows = []
        for person in sorted(people):
            kept = {**known.get(person, {}), **people[person]}
            ids = {name: value for name, value in kept.items() if value is not None}
            rows.append({"connection_id": connection_id, "source_id": person, "ids": dumps(ids).decode()})
        insert_many(connection, REMEMBERED, rows, _REPLACE)


def _progress(connection: Connection, steps: Sequence[Step]) -> None:
    rows = {step.id: {"id": step.id, "progress": dumps(step.progress).decode()} for step in steps}
    update_many(connection, DELIVERY, ["id"], [rows[one] for one in sorted(rows)])


def _ledger(connection: Connection, endings: Sequence[Ending], moves: Settled, held: Held) -> None:
    gone = {row.id for row in held.values() if row.source_id.startswith(ERASED_PREFIX)}
    erased = {e.attempt_id for e in endings for m in e.moves if m.id in gone} if gone else set()
    worth = {ending.attempt_id for ending, move in moves}
    start_attempts(connection, [e.start for e in endings if e.start and e.attempt_id in worth])
    # An ending is stored once: when the commit of an earlier try went through unheard, its attempt is closed already.
    wanted = sorted({ending.attempt_id for ending in endings})
    is_open = {row[0] for row in ask(connection, _OPEN_ATTEMPTS, wanted)} if wanted else set()
    records = [
        AttemptRecord(e.attempt_id, move.id, move.outcome, ERASED if e.attempt_id in erased else move.next.detail)
        for e, move in moves
        if e.attempt_id in is_open
    ]
    runs = [e.run for e in endings if e.run and e.attempt_id in is_open]
    ends = [
        e.end._replace(request=ERASED, response=ERASED) if e.attempt_id in erased else e.end
        for e in endings
        if e.end and e.attempt_id in is_open
    ]
    record_runs(connection, [replace(one, detail="") if one.id in erased else one for one in runs])
    finish_attempts(connection, ends, records)
    over = sorted([move.id for _, move in moves if move.id in gone and move.next.state in _FINAL])
    if over:
        run(connection, _FORGET, over)
        run(connection, _CLEAN, over)
