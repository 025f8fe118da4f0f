"""Merging a batch of changes into the profiles, within the caller's transaction.

Tables are written in one order (links, profiles, identities, events, orders, consents) and each sorted by key, so that
workers wait for each other instead of deadlocking. Everything that is compared is a stamp, so what comes out does not
depend on the order in which batches are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from hub.core.bulk import Values, insert_new, select_by, table, update_rows
from hub.core.clock import Micros
from hub.core.database import is_postgres
from hub.mapping.anonymous import is_anonymous
from hub.profiles.erasure import erase, erased, lift
from hub.profiles.facts import withdraw_facts, write_consents, write_events, write_identities
from hub.profiles.links import ends, hold_for_new, redraw, with_rows, write_links
from hub.profiles.orders import write_orders
from hub.profiles.reading import audience, consent_for, find, redirects, show, terms, views
from hub.profiles.rules.stamps import ADDRESSES, AUDIENCE, Document, contribution, shown_value, withdraw
from hub.profiles.rules.stamps import merge as merge_documents
from hub.profiles.tables import ProfileRow
from hub.profiles.values import AppliedChange, MergeResult
from hub.sdk.json import canonical, loads

__all__ = ["audience", "consent_for", "erase", "erased", "find", "lift", "merge", "redirects", "show", "terms", "views"]

_PROFILE = table(ProfileRow)
Digest = Callable[[str], str]


def merge(connection: Connection, changes: Sequence[AppliedChange], now: Micros, digest: Digest) -> MergeResult:
    """Merge changes that the mapping wants applied and whose source_id is not erased.

    A change with a revision above 0 first takes back what its message said before; one without any output does only
    that. `digest` is the keyed hash of tombstones: a link to an erased source_id is left out.
    """
    linked = ends(changes)
    gone = erased(connection, linked, digest) if linked else set()
    links, relinked = write_links(connection, changes, gone)
    hold_for_new(connection, changes)
    created, changed, changed_fields = _merge_profiles(connection, changes, with_rows(changes) - gone, now)
    joined = redraw(connection, relinked | {one for one in created if is_anonymous(one)})
    withdraw_facts(connection, [applied for applied in changes if applied.revision])
    write_identities(connection, changes)
    events = write_events(connection, changes)
    orders = write_orders(connection, changes, now)
    consents = write_consents(connection, changes)
    return MergeResult(
        tuple(sorted(created)),
        tuple(sorted(changed)),
        events,
        orders,
        consents.stored,
        links,
        memberships=tuple(
            sorted((one, name[len(AUDIENCE) :]) for one, name in changed_fields if name.startswith(AUDIENCE))
        ),
        readdressed=tuple(sorted((one, name) for one, name in changed_fields if name in ADDRESSES)),
        consented=consents.of("profile"),
        addressed=consents.of("address"),
        joined=tuple(sorted(joined)),
    )


def _merge_profiles(
    connection: Connection, changes: Sequence[AppliedChange], linked: set[str], now: Micros
) -> tuple[set[str], set[str], set[tuple[str, str]]]:
    """Write the profile rows; which are new, of which the fields differ now, and which watched values differ."""
    by_profile: dict[str, list[AppliedChange]] = {}
    bare = set(linked)
    for applied in changes:
        change = applied.change
        if change.source_id is not None:
            if change.fields or change.orders or applied.revision:
                by_profile.setdefault(change.source_id, []).append(applied)
            else:
                bare.add(change.source_id)
        if applied.previous is not None and applied.previous != change.source_id:
            by_profile.setdefault(applied.previous, []).append(applied)
    created: set[str] = set()
    changed: set[str] = set()
    changed_fields: dict[str, set[str]] = {}
    waiting = set(by_profile)
    while waiting:  # once, unless another worker makes the same profile at this moment
        stored = _read_locked(connection, waiting)
        new, rewritten = _merged(by_profile, waiting, stored, now, changed_fields)
        update_rows(connection, _PROFILE, ["source_id"], ["fields", "updated_at", "version"], rewritten)
        created |= insert_new(connection, _PROFILE, "source_id", new)
        changed |= {row[-1] for row in rewritten}
        waiting = {row[0] for row in new} - created
    changed |= created
    rows: list[Values] = [(source_id, "{}", None, now, now, 1) for source_id in sorted(bare - by_profile.keys())]
    pairs = {(source_id, name) for source_id, names in changed_fields.items() for name in names}
    return created | insert_new(connection, _PROFILE, "source_id", rows), changed, pairs


def _read_locked(connection: Connection, source_ids: set[str]) -> dict[str, tuple[str, int]]:
    """Fields (as text) and version of these rows, which stay locked until the transaction ends."""
    suffix = "ORDER BY source_id FOR UPDATE" if is_postgres(connection) else ""
    query = "SELECT source_id, fields, version FROM profile WHERE source_id"
    return {row[0]: (row[1], row[2]) for row in select_by(connection, query, sorted(source_ids), suffix)}


def _merged(
    by_profile: dict[str, list[AppliedChange]],
    source_ids: set[str],
    stored: dict[str, tuple[str, int]],
    now: Micros,
    changed_fields: dict[str, set[str]],
) -> tuple[list[Values], list[Values]]:
    """Rows to insert and rows to update. A profile that a message only spoke of before is never made anew.

    `changed_fields` gets the watched fields of each profile whose values differ.
    """
    new: list[Values] = []
    rewritten: list[Values] = []
    for source_id in sorted(source_ids):
        text, version = stored.get(source_id, ("{}", 0))
        document: Document = loads(text) if len(text) > 2 else {}
        watched = _watched(by_profile[source_id])
        before = {name: shown_value(document, name) for name in watched}
        is_spoken_of, has_changed = _apply(document, source_id, by_profile[source_id])
        changed_fields[source_id] = {name for name in watched if shown_value(document, name) != before[name]}
        if version and has_changed:
            rewritten.append((canonical(document).decode(), now, version + 1, source_id))
        elif not version and is_spoken_of:
            new.append((source_id, canonical(document).decode(), None, now, now, 1))
    return new, rewritten


def _watched(changes: Sequence[AppliedChange]) -> set[str]:
    """Fields of which others must hear what exactly changed: memberships and addresses."""
    return {
        name for applied in changes for name in applied.change.fields if name in ADDRESSES or name.startswith(AUDIENCE)
    }


def _apply(document: Document, source_id: str, changes: Sequence[AppliedChange]) -> tuple[bool, bool]:
    """Merge changes in place; whether any of them is about this profile now, and whether the document changed."""
    is_spoken_of = has_changed = False
    for applied in changes:
        if applied.revision:
            has_changed |= withdraw(document, applied.message_key, applied.revision)
    for applied in changes:
        change = applied.change
        if change.source_id == source_id:
            is_spoken_of = True
            if change.fields:
                contributed = contribution(change, applied.message_key, applied.revision, applied.received_at)
                has_changed |= merge_documents(document, contributed)
    return is_spoken_of, has_changed
