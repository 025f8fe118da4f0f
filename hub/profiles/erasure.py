"""Erasing a person: every row of the cluster goes, keyed hashes of its source_ids stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, delete, func, select, update

from hub.core.bulk import select_by, table
from hub.core.clock import Micros
from hub.core.database import insert, is_postgres
from hub.mapping.anonymous import is_anonymous
from hub.profiles.links import circle
from hub.profiles.rules.stamps import address_subject, matched
from hub.profiles.rules.views import addresses_of
from hub.profiles.tables import (
    ConsentRow,
    CustomerOrderRow,
    EventRow,
    IdentityRow,
    ProfileLinkRow,
    ProfileRow,
    TombstoneRow,
)
from hub.profiles.values import Erased
from hub.sdk.json import loads

_TOMBSTONE = table(TombstoneRow)
_IDENTITY = table(IdentityRow)
_CONSENT = table(ConsentRow)
_LINK = table(ProfileLinkRow)
_ERASURE_LOCK = 0x4855_0002  # of PostgreSQL's advisory locks: batches share it, an erasure has it alone

_OWNED = tuple(table(row) for row in (EventRow, CustomerOrderRow, IdentityRow, ProfileRow))

Digest = Callable[[str], str]


def erased(connection: Connection, source_ids: Iterable[str], digest: Digest) -> set[str]:
    """Those of `source_ids` that were erased. On PostgreSQL no erasure can begin until the transaction ends."""
    if is_postgres(connection):
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock_shared(%s)", (_ERASURE_LOCK,))
    standing = _TOMBSTONE.c.lifted_at.is_(None)
    if connection.execute(select(_TOMBSTONE.c.hash).where(standing).limit(1)).first() is None:
        return set()
    hashes = {digest(source_id): source_id for source_id in source_ids}
    rows = select_by(connection, "SELECT hash FROM tombstone WHERE lifted_at IS NULL AND hash", sorted(hashes))
    return {hashes[row[0]] for row in rows}


def latest(connection: Connection) -> Micros | None:
    """When somebody was erased last."""
    found: Micros | None = connection.scalar(select(func.max(_TOMBSTONE.c.at)))
    return found


def erase(connection: Connection, source_id: str, now: Micros, digest: Digest) -> Erased:
    """Remove a person, with everyone merged with them; leaves a tombstone for each source_id, known or not.

    Anonymous ids linked to the person go too, also those that others share: what came under them may be the person's.
    Consents of an address that another profile holds too stay: they are that person's word. Message bodies, deliveries
    and attempts are erased by their own rooms, from the source_ids this returns.
    """
    if is_postgres(connection):
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_ERASURE_LOCK,))
    around = circle(connection, source_id)
    members = sorted(around.people | around.anonymous)
    identifiers = _identifiers(connection, members)
    for owned in _OWNED:
        connection.execute(delete(owned).where(owned.c.source_id.in_(members)))
    connection.execute(delete(_CONSENT).where(_CONSENT.c.kind == "profile", _CONSENT.c.subject.in_(members)))
    _forget_addresses(connection, identifiers)
    connection.execute(delete(_LINK).where(_LINK.c.loser.in_(members) | _LINK.c.survivor.in_(members)))
    tombstones = sorted(digest(member) for member in members)
    statement = insert(connection, _TOMBSTONE)
    renewed = statement.on_conflict_do_update(index_elements=["hash"], set_={"at": now, "lifted_at": None})
    connection.execute(renewed, [{"hash": hashed, "at": now, "lifted_at": None} for hashed in tombstones])
    return Erased(tuple(members), around.survivor, identifiers, tuple(tombstones))


def everyone(connection: Connection, source_id: str) -> list[str]:
    """Every id of the person behind one, which may be unknown."""
    around = circle(connection, source_id)
    return sorted(around.people | around.anonymous)


def is_known(connection: Connection, source_ids: list[str]) -> bool:
    """Whether a row tells of one of these people."""
    owned = [select(row.c.source_id).where(row.c.source_id.in_(source_ids)) for row in _OWNED]
    consents = select(_CONSENT.c.subject).where(_CONSENT.c.kind == "profile", _CONSENT.c.subject.in_(source_ids))
    links = select(_LINK.c.loser).where(_LINK.c.loser.in_(source_ids) | _LINK.c.survivor.in_(source_ids))
    return any(connection.execute(one.limit(1)).first() for one in (*owned, consents, links))


def lift(connection: Connection, source_id: str, now: Micros, digest: Digest) -> bool:
    """Let messages of an erased source_id in again; whether there was a tombstone standing."""
    standing = _TOMBSTONE.c.hash == digest(source_id), _TOMBSTONE.c.lifted_at.is_(None)
    return connection.execute(update(_TOMBSTONE).where(*standing).values(lifted_at=now)).rowcount > 0


def _identifiers(connection: Connection, members: list[str]) -> dict[str, list[str]]:
    """Everything the person is known by: identities as sent, present e-mail and phone, source_ids."""
    people = {member for member in members if not is_anonymous(member)}
    found: dict[str, set[str]] = {"source_id": people} if people else {}
    query = "SELECT type, coalesce(shown, value) FROM identity WHERE source_id"
    for kind, value in select_by(connection, query, members):
        found.setdefault(kind, set()).add(value)
    for row in select_by(connection, "SELECT fields FROM profile WHERE source_id", members):
        for kind, value in addresses_of(loads(row[0])).items():
            found.setdefault(kind, set()).add(value)
    return {kind: sorted(values) for kind, values in sorted(found.items())}


def _forget_addresses(connection: Connection, identifiers: dict[str, list[str]]) -> None:
    """Runs when the person's own identities are gone: what is found still belongs to others."""
    for kind in ("email", "phone"):
        subjects = {address_subject(address) for address in identifiers.get(kind, [])}
        held = select(_IDENTITY.c.value).where(_IDENTITY.c.type == kind, _IDENTITY.c.value.in_(sorted(subjects)))
        free = sorted(subjects - {matched(kind, value) for value in connection.scalars(held)})
        connection.execute(delete(_CONSENT).where(_CONSENT.c.kind == "address", _CONSENT.c.subject.in_(free)))
