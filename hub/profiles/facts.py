"""Rows that need no reading before they are written: identities, events, consents. The database compares the stamps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete

from hub.core.bulk import Values, insert_rows, select_by, table
from hub.core.database import is_postgres
from hub.profiles.rules.stamps import (
    STATUS,
    address_subject,
    bounded,
    consent_stamp,
    consent_wins,
    matched,
    short_hash,
    stamp_time,
)
from hub.profiles.tables import ConsentRow, EventRow, IdentityRow
from hub.profiles.values import AppliedChange
from hub.sdk.json import dumps
from hub.sdk.text import storable

_IDENTITY = table(IdentityRow)
_EVENT = table(EventRow)
_CONSENT = table(ConsentRow)
ConsentKey = tuple[str, str, str]
"""Kind (profile or address), subject, topic."""
ConsentStamp = tuple[int, int, str, int]

_EARLIEST = (
    "ON CONFLICT (source_id, type, value) DO UPDATE SET shown = excluded.shown, at = excluded.at, "
    "message_key = excluded.message_key, revision = excluded.revision "
    "WHERE (excluded.at, excluded.message_key) < (identity.at, identity.message_key)"
)
_LATEST_EVENT = (
    "ON CONFLICT (id) DO UPDATE SET "
    + ", ".join([f"{column.name} = excluded.{column.name}" for column in _EVENT.columns if column.name != "id"])
    + " WHERE (excluded.at, excluded.connection_id, excluded.message_id, excluded.position)"
    " > (event.at, event.connection_id, event.message_id, event.position)"
)
_LATEST_CONSENT = (
    "ON CONFLICT (kind, subject, topic) DO UPDATE SET "
    + ", ".join([f"{column.name} = excluded.{column.name}" for column in _CONSENT.columns if not column.primary_key])
    + " WHERE CASE WHEN excluded.message_key = consent.message_key AND excluded.revision <> consent.revision"
    " THEN excluded.revision > consent.revision"
    " ELSE (excluded.at, excluded.refusal, excluded.message_key) > (consent.at, consent.refusal, consent.message_key)"
    " END"
)


def write_identities(connection: Connection, changes: Sequence[AppliedChange]) -> int:
    """Link identifiers to profiles. The earliest stamp stays, so that a known identifier costs no write."""
    rows: dict[tuple[str, str, str], Values] = {}
    for applied in changes:
        change = applied.change
        if change.source_id is None:
            continue
        for kind, sent, at in change.identities:
            value = matched(kind, sent)
            key = (change.source_id, bounded(kind, 64), value)
            sent_as = None if sent == value else storable(sent)
            row = (sent_as, stamp_time(at, applied.received_at), applied.message_key, applied.revision)
            if row is not (old := rows.setdefault(key, row)) and row[1:] < old[1:]:
                rows[key] = row
    insert_rows(connection, _IDENTITY, [(*key, *row) for key, row in sorted(rows.items())], _EARLIEST)
    return len(rows)


def write_events(connection: Connection, changes: Sequence[AppliedChange]) -> int:
    """Store events once. Of two messages that tell of one event id, the later message counts."""
    rows: dict[str, Values] = {}
    for applied in changes:
        source_id = applied.change.source_id
        if source_id is None:
            continue
        at = stamp_time(applied.change.at, applied.received_at)
        for event in applied.change.events:
            row = _event_row(applied, source_id, at, event)
            old = rows.get(row[0])
            if old is None or _event_stamp(row) > _event_stamp(old):
                rows[row[0]] = row
    insert_rows(connection, _EVENT, [rows[key] for key in sorted(rows)], _LATEST_EVENT)
    return len(rows)


def _event_row(applied: AppliedChange, source_id: str, at: int, event: Any) -> Values:
    position, event_id, kind, name, key, occurred_at, properties, code, order_id = event
    return (
        f"{applied.message_key}.{position}"
        if event_id is None
        else short_hash(f"{applied.connection_id}\0e\0{event_id}"),
        source_id,
        applied.connection_id,
        applied.message_id,
        position,
        at,
        event_id and storable(event_id),
        storable(kind),
        storable(name),
        bounded(key, 255),
        occurred_at,
        dumps(properties).decode() if properties else "{}",
        code and storable(code),
        order_id and storable(order_id),
    )


def _event_stamp(row: Values) -> Values:
    """At, connection, message, position."""
    return row[5], row[2], row[3], row[4]


class Consents(NamedTuple):
    """How many there were, and of which (kind, subject, topic) the status is another now."""

    stored: int
    changed: Sequence[ConsentKey]

    def of(self, kind: str) -> tuple[tuple[str, str], ...]:
        """(subject, topic) of the changed ones of this kind."""
        return tuple((subject, topic) for one, subject, topic in self.changed if one == kind)


def write_consents(connection: Connection, changes: Sequence[AppliedChange]) -> Consents:
    """Store consents of the profile and, where the message names one, of the address."""
    rows: dict[ConsentKey, tuple[ConsentStamp, Values]] = {}
    for applied in changes:
        for consent in applied.change.consents:
            stamp = consent_stamp(consent, applied.message_key, applied.revision, applied.received_at)
            proof = None if consent.proof is None else dumps(consent.proof).decode()
            row = (STATUS[consent.granted], *stamp, consent.source and storable(consent.source), proof)
            for kind, subject in _subjects(applied.change.source_id, consent.address):
                key = (kind, subject, bounded(consent.topic, 255))
                if key not in rows or consent_wins(stamp, rows[key][0]):
                    rows[key] = (stamp, row)
    if not rows:
        return Consents(0, ())
    before = _consents_before(connection, rows)
    insert_rows(connection, _CONSENT, [(*key, *row) for key, (_, row) in sorted(rows.items())], _LATEST_CONSENT)
    return Consents(len(rows), sorted(key for key, new in rows.items() if _differs(before.get(key), *new)))


def _consents_before(connection: Connection, keys: Iterable[ConsentKey]) -> dict[ConsentKey, tuple[str, ConsentStamp]]:
    """Status and stamp of what is stored, locked in the order in which it is written: of two who write the same
    consent, the second sees what the first made of it."""
    suffix = "ORDER BY subject, topic FOR UPDATE" if is_postgres(connection) else ""
    found: dict[ConsentKey, tuple[str, ConsentStamp]] = {}
    query = (
        "SELECT topic, status, at, refusal, message_key, revision, subject FROM consent WHERE kind = '{}' AND subject"
    )
    subjects: dict[str, set[str]] = {}
    for kind, subject, _ in keys:
        subjects.setdefault(kind, set()).add(subject)
    for kind in sorted(subjects):
        for topic, status, *stamp, subject in select_by(connection, query.format(kind), sorted(subjects[kind]), suffix):
            found[kind, subject, topic] = (status, (stamp[0], stamp[1], stamp[2], stamp[3]))
    return found


def _differs(old: tuple[str, ConsentStamp] | None, stamp: ConsentStamp, row: Values) -> bool:
    return old is None or (old[0] != row[0] and consent_wins(stamp, old[1]))


def _subjects(source_id: str | None, address: str | None) -> list[tuple[str, str]]:
    subjects = [("profile", source_id)] if source_id is not None else []
    return [*subjects, ("address", address_subject(address))] if address else subjects


def withdraw_facts(connection: Connection, reapplied: Sequence[AppliedChange]) -> None:
    """Delete what earlier revisions of these messages told; what they tell now is written next."""
    if not reapplied:
        return
    held = [(owner, applied) for applied in reapplied for owner in sorted(owners(applied))]
    if held:
        gone = _IDENTITY.c.source_id == bindparam("owner"), _IDENTITY.c.message_key == bindparam("message")
        parameters = [{"owner": owner, "message": applied.message_key} for owner, applied in held]
        connection.execute(delete(_IDENTITY).where(*gone), parameters)
        of_message = _EVENT.c.connection_id == bindparam("source"), _EVENT.c.message_id == bindparam("message")
        parameters = [
            {"owner": owner, "source": applied.connection_id, "message": applied.message_id} for owner, applied in held
        ]
        connection.execute(delete(_EVENT).where(_EVENT.c.source_id == bindparam("owner"), *of_message), parameters)
    keys = sorted({applied.message_key for applied in reapplied})
    connection.execute(delete(_CONSENT).where(_CONSENT.c.message_key.in_(keys)))


def owners(applied: AppliedChange) -> set[str]:
    """The profiles a message speaks of: now, and before it was re-applied."""
    return {owner for owner in (applied.change.source_id, applied.previous) if owner is not None}
