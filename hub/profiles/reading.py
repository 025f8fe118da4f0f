"""Reading profiles: through redirects, joined over everyone merged with them, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from hub.core.bulk import select_by
from hub.core.clock import iso
from hub.mapping.anonymous import MARK, is_anonymous
from hub.profiles.links import links_of, stored_redirects
from hub.profiles.products import with_products
from hub.profiles.rules.stamps import Document, address_subject, join, matched
from hub.profiles.rules.views import (
    ConsentStatement,
    addresses_of,
    channel_trait,
    consents_of,
    public,
    public_order,
    view,
)
from hub.profiles.values import ConsentState, View
from hub.sdk.json import loads

_MARKED = f"substr(source_id, 1, {len(MARK)})"


class _Person(NamedTuple):
    """A survivor with everyone merged into it, in source_id order."""

    members: list[str]
    document: Document


def views(connection: Connection, source_ids: Iterable[str]) -> dict[str, View]:
    """The profiles behind these source_ids as outbound mappings read them; unknown ids are left out.

    A merged source_id gives the view of its survivor, whose `source_id` stands in it. Removed fields are REMOVED.
    """
    roots, people = _read(connection, source_ids)
    built = _views(connection, people, removed=True)
    return {source_id: built[root] for source_id, root in roots.items()}


def show(connection: Connection, source_id: str) -> dict[str, Any] | None:
    """One profile's public JSON, through its redirect; None if nobody is known by this source_id.

    `redirected_from` is there where another's source_id was asked for.
    """
    roots, people = _read(connection, [source_id])
    root = roots.get(source_id)
    if root is None:
        return None
    members = people[root].members
    counting = "SELECT key, count(*) FROM event WHERE source_id"
    counts: dict[str, int] = dict(map(tuple, select_by(connection, counting, members, "GROUP BY key")))
    merged = [member for member in members if member != root]
    profile = public(_views(connection, people, removed=False)[root], counts, _orders(connection, members), merged)
    profile["links"] = links(connection, root)
    return profile if root == source_id else {**profile, "redirected_from": source_id}


def links(connection: Connection, source_id: str) -> list[dict[str, Any]]:
    """The links of the person behind an id, which may be unknown: {loser, survivor, at, is_followed}."""
    return [{**link, "at": iso(link["at"])} for link in links_of(connection, source_id)]


def redirects(connection: Connection, source_ids: Iterable[str]) -> dict[str, str]:
    """Each known source_id to the one it is read through: itself, unless it was merged."""
    return stored_redirects(connection, source_ids)


def addressees(connection: Connection, source_ids: Iterable[str]) -> dict[str, str]:
    """As `redirects`, without those read as anonymous: nothing is sent to a person of whom no source_id is known."""
    return {one: root for one, root in redirects(connection, source_ids).items() if not is_anonymous(root)}


def audience(connection: Connection, after: str | None, limit: int) -> list[str]:
    """A page of everyone: source_ids of profiles that are not merged into another, in order, after `after`."""
    return _page(connection, "<>", after, limit)


def anonymous(connection: Connection, after: str | None, limit: int) -> list[str]:
    """A page of those who were kept under an anonymous id that no link claims."""
    return _page(connection, "=", after, limit)


def _page(connection: Connection, sort: str, after: str | None, limit: int) -> list[str]:
    marker = "%s" if connection.dialect.name == "postgresql" else "?"
    query = (
        f"SELECT source_id FROM profile WHERE source_id > {marker} AND survivor IS NULL AND {_MARKED} {sort} '{MARK}'"
    )
    rows = connection.exec_driver_sql(f"{query} ORDER BY source_id LIMIT {marker}", (after or "", limit))
    return [row[0] for row in rows]


def latest(connection: Connection, limit: int) -> list[str]:
    """The source_ids of the profiles that changed last, those merged into another left out."""
    marker = "%s" if connection.dialect.name == "postgresql" else "?"
    query = f"SELECT source_id FROM profile WHERE survivor IS NULL AND {_MARKED} <> '{MARK}'"
    query = f"{query} ORDER BY updated_at DESC, source_id LIMIT {marker}"
    return [row[0] for row in connection.exec_driver_sql(query, (limit,))]


def recent_events(connection: Connection, source_ids: Iterable[str], limit: int) -> list[tuple[str, dict[str, Any]]]:
    """(source_id, event) of the latest events of these profiles, as their rows hold them; properties are JSON text."""
    names = ("id", "kind", "name", "key", "occurred_at", "properties", "code", "order_id")
    query = f"SELECT source_id, {', '.join(names)} FROM event WHERE source_id"
    rows = select_by(connection, query, sorted(set(source_ids)), f"ORDER BY at DESC, id LIMIT {int(limit)}")
    return [(row[0], dict(zip(names, row[1:], strict=True))) for row in rows]


def events_of_message(
    connection: Connection, source_id: str, connection_id: str, message_id: str
) -> list[dict[str, Any]]:
    """The events that a message of this profile told of, as their rows hold them, without their properties."""
    names = ("event_id", "position", "kind", "name", "key", "occurred_at")
    query = f"SELECT connection_id, message_id, {', '.join(names)} FROM event WHERE source_id"
    rows = select_by(connection, query, [source_id], "ORDER BY position")
    key = (connection_id, message_id)
    return [dict(zip(names, row[2:], strict=True)) for row in rows if tuple(row[:2]) == key]


def find(connection: Connection, identity_type: str, value: str) -> list[str]:
    """The source_ids an identifier is linked to, in order."""
    marker = "%s" if connection.dialect.name == "postgresql" else "?"
    rows = connection.exec_driver_sql(
        f"SELECT source_id FROM identity WHERE type = {marker} AND value = {marker} ORDER BY source_id",
        (identity_type, matched(identity_type, value)),
    )
    return [row[0] for row in rows]


def holders(connection: Connection, addresses: Iterable[str]) -> dict[str, set[str]]:
    """Address, as consents know it, to the source_ids of those whose present e-mail or phone it is."""
    subjects = sorted(set(addresses))
    found: set[str] = set()
    for kind in ("email", "phone"):
        query = f"SELECT source_id FROM identity WHERE type = '{kind}' AND value"
        found.update(row[0] for row in select_by(connection, query, subjects))
    _, people = _read(connection, found)
    held = _holders(people)
    return {address: {root for root, _ in held.get(address, ())} for address in subjects}


def consent_for(
    connection: Connection, source_ids: Iterable[str], topics: Sequence[str]
) -> dict[str, dict[str, ConsentState]]:
    """By source_id and topic, the stricter of what the profile said and what its present address said.

    A topic such as `email.news` is also denied where its channel, `email`, is. Unknown source_ids are left out.
    """
    roots, people = _read(connection, source_ids)
    consents = _consents(connection, people)
    states = {root: {topic: _state(topic, consents[root]) for topic in topics} for root in people}
    return {source_id: states[root] for source_id, root in roots.items()}


def terms(connection: Connection) -> dict[str, int]:
    """How much is stored: profiles, those of them that are merged into another, events, orders, erased source_ids."""
    counting = {
        "profiles": "profile",
        "merged": "profile WHERE survivor IS NOT NULL",
        "events": "event",
        "orders": "customer_order",
        "erased": "tombstone WHERE lifted_at IS NULL",
    }
    return {
        term: connection.exec_driver_sql(f"SELECT count(*) FROM {rows}").scalar_one() for term, rows in counting.items()
    }


def _state(topic: str, consents: Sequence[ConsentStatement]) -> ConsentState:
    channel = topic.partition(".")[0]
    of_topic = consents_of(consent for consent in consents if consent.topic == topic).get(topic)
    of_channel = consents_of(consent for consent in consents if consent.topic == channel).get(channel)
    deciding = of_topic
    if of_channel is not None and (of_topic is None or of_channel["status"] == "denied"):
        deciding = of_channel
    if deciding is None:
        return ConsentState(topic, None)
    granted = {"granted": True, "denied": False}.get(deciding["status"])
    return ConsentState(topic, granted, deciding["at"], deciding.get("source"))


def _read(connection: Connection, source_ids: Iterable[str]) -> tuple[dict[str, str], dict[str, _Person]]:
    """Each known source_id to its survivor, and the survivors with everyone merged into them."""
    query = "SELECT source_id, survivor, fields FROM profile WHERE source_id"
    rows = select_by(connection, query, sorted(set(source_ids)))
    roots = {source_id: survivor or source_id for source_id, survivor, _ in rows}
    known = {source_id: fields for source_id, _, fields in rows}
    survivors = sorted(set(roots.values()))
    absent = [root for root in survivors if root not in known]
    known.update([(row[0], row[2]) for row in select_by(connection, query, absent)])
    merged: dict[str, list[tuple[str, str]]] = {}
    query = "SELECT survivor, source_id, fields FROM profile WHERE survivor"
    for root, source_id, fields in select_by(connection, query, survivors):
        merged.setdefault(root, [(root, known[root])]).append((source_id, fields))
    people = {root: _joined(merged[root]) if root in merged else _alone(root, known[root]) for root in survivors}
    return roots, people


def _alone(source_id: str, fields: str) -> _Person:
    return _Person([source_id], loads(fields))


def _joined(members: list[tuple[str, str]]) -> _Person:
    members.sort()
    return _Person([source_id for source_id, _ in members], join(loads(fields) for _, fields in members))


def _views(connection: Connection, people: dict[str, _Person], *, removed: bool) -> dict[str, View]:
    identities = _identities(connection, people)
    consents = _consents(connection, people)
    return {
        root: view(root, person.document, identities.get(root, ()), consents[root], removed=removed)
        for root, person in people.items()
    }


def _identities(connection: Connection, people: dict[str, _Person]) -> dict[str, list[tuple[str, str]]]:
    """By survivor, type and value, those first heard of most recently in front."""
    owner = {member: root for root, person in people.items() for member in person.members}
    query = "SELECT source_id, at, message_key, type, coalesce(shown, value) FROM identity WHERE source_id"
    grouped: dict[str, list[tuple[int, str, str, str]]] = {}
    for source_id, at, message_key, kind, value in select_by(connection, query, owner):
        grouped.setdefault(owner[source_id], []).append((-at, message_key, kind, value))
    return {root: [(row[2], row[3]) for row in sorted(rows)] for root, rows in grouped.items()}


def _consents(connection: Connection, people: dict[str, _Person]) -> dict[str, list[ConsentStatement]]:
    """By survivor, the latest word of each topic over all its members, and the words about its present addresses."""
    owner = {member: root for root, person in people.items() for member in person.members}
    query = "SELECT subject, topic, status, at, source, refusal, message_key FROM consent WHERE kind = '{}' AND subject"
    latest: dict[tuple[str, str], tuple[Any, ConsentStatement]] = {}
    for subject, topic, status, at, source, refusal, key in select_by(connection, query.format("profile"), owner):
        place, stamp = (owner[subject], topic), (at, refusal, key)
        if place not in latest or stamp > latest[place][0]:
            latest[place] = (stamp, ConsentStatement(topic, status, at, source))
    consents: dict[str, list[ConsentStatement]] = {root: [] for root in people}
    for (root, _), (_, consent) in latest.items():
        consents[root].append(consent)
    holders = _holders(people)
    for subject, topic, status, at, source, _, _ in select_by(connection, query.format("address"), sorted(holders)):
        for root, trait in holders[subject]:
            if channel_trait(topic) in (trait, None):
                consents[root].append(ConsentStatement(topic, status, at, source))
    return consents


def _holders(people: dict[str, _Person]) -> dict[str, list[tuple[str, str]]]:
    """Address to the people whose present address it is, with the trait that says so."""
    holders: dict[str, list[tuple[str, str]]] = {}
    for root, person in people.items():
        for trait, address in addresses_of(person.document).items():
            holders.setdefault(address_subject(address), []).append((root, trait))
    return holders


def _orders(connection: Connection, members: Sequence[str]) -> list[dict[str, Any]]:
    query = (
        "SELECT order_id, coalesce(shown_id, order_id), fields, refunds, source_id FROM customer_order WHERE source_id"
    )
    grouped: dict[str, list[tuple[str, str, Any, Any]]] = {}
    for order_id, shown, fields, refunds, source_id in select_by(connection, query, members):
        grouped.setdefault(order_id, []).append((source_id, shown, loads(fields), loads(refunds)))
    shown_orders = []
    for order_id in sorted(grouped):
        rows = sorted(grouped[order_id], key=lambda row: row[0])
        fields, refunds = join(row[2] for row in rows), join(row[3] for row in rows)
        shown_orders.append(public_order(rows[0][1], fields, refunds))
    return with_products(connection, shown_orders)
