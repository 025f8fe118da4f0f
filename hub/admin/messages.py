"""One message as operators read it: what came, what it means, what it caused, and what it would send now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection as Database

from hub.admin.bodies import masked_canonical, shown_body
from hub.admin.filters import connection_id
from hub.admin.sync_log import completed, everyone, shown_messages, shown_runs
from hub.admin.views import with_times
from hub.core.clock import Micros
from hub.core.database import read
from hub.core.filters import RecordFilter
from hub.distributions import syncs
from hub.distributions.values import Sync
from hub.inbox import seen
from hub.inbox.queue import Inbox
from hub.inbox.refused import KEPT
from hub.inbox.seen import Key
from hub.inbox.values import Message, StoredMessage
from hub.ledger import store as ledger
from hub.ledger.values import Run
from hub.mapping.check import preview as canonical_of
from hub.mapping.inbound import compile_inbound
from hub.mapping.language.document import Node
from hub.mapping.versions.store import load
from hub.mapping.versions.version import resolve
from hub.outbox.queue import store as outbox
from hub.preview.preview import HOSTS, Wish, follow
from hub.profiles import reading, schema_store
from hub.profiles.rules.schemas import NO_SCHEMAS, Schemas
from hub.registry import store as registry
from hub.registry.values import Connection
from hub.runtime.apply.batch import prepare
from hub.runtime.apply.mappers import Versioned
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError, MappingInvalid
from hub.sdk.json import loads
from hub.sdk.values import Operation


def message_page(hub: Installation, database: Database, key: Key, now: Micros) -> dict[str, Any]:
    """Everything that is known of a message that is there. `canonical` is what its mapping made of it, with the lineage
    of each field; None with a sentence in `canonical_missing` where that cannot be told."""
    stored = _stored(database, key)
    source = registry.find(database, hub.vault, "source", stored.connection_id)
    secrets = source.secrets.values() if source else ()
    is_masked = hub.settings.mask_bodies
    shown = shown_messages(database, [stored])[0]
    shown["body"] = shown_body(stored.body, secrets, is_masked=is_masked)
    canonical, missing = _canonical(hub, database, stored, source)
    if canonical is not None and is_masked:
        canonical = masked_canonical(canonical)
    return {
        **shown,
        "is_masked": is_masked,
        "canonical": canonical,
        "canonical_missing": missing,
        "caused": _caused(database, stored, now),
    }


def preview_message(hub: Installation, key: Key, destination: str | None = None) -> dict[str, Any]:
    """What a message would send if it came now, to one destination or to each that has a sync: {requests, notes}, each
    request with its `destination` and `operation`. Nothing is sent. Raises ConfigurationError."""
    if hub.settings.mask_bodies:
        raise ConfigurationError("Bodies are masked here (HUB_MASK_BODIES), and a request would show one.")
    with read(hub.engine) as database:
        stored = _stored(database, key)
        source = registry.find(database, hub.vault, "source", stored.connection_id)
        if source is None or not source.mapping_hash:
            raise ConfigurationError("Its source was removed or has no valid mapping, so it would send nothing.")
        mapping = _mapping_of_now(database, source)
        wanted = _destinations(hub, database, destination)
        documents = {each.id: load(database, each.mapping_hash) for each, _ in wanted}
    requests: list[dict[str, Any]] = []
    notes: list[str] = []
    if not _is_applied(stored, mapping):
        return {"requests": requests, "notes": ["It would change nothing: its body is gone, or it is not applied."]}
    for connection, sync in wanted:
        one = follow(
            hub,
            _wish(connection, sync),
            mapping,
            [_received(stored)],
            stored.received_at,
            documents[connection.id],
        )
        place = {"destination": connection.name, "operation": str(sync.operation)}
        requests += [place | request for request in one.requests]
        notes += [f"{connection.name}: {note}" for note in one.notes]
    if not wanted:
        notes.append("No destination has a sync, so nothing follows from any message; see `hub destinations sync`.")
    return {"requests": requests, "notes": list(dict.fromkeys(notes))}


def refused_requests(
    hub: Installation, database: Database, inbox: Inbox, wanted: RecordFilter, limit: int, now: Micros
) -> list[dict[str, Any]]:
    """Refused requests that are kept still, newest first: why, which headers, and the body up to a bound. They are not
    authentic: whoever knows the URL may have sent them."""
    sources = {each.id: each for each in registry.every(database, hub.vault, "source")}
    horizon = max(now - KEPT, wanted.since or 0)
    shown = []
    for request in inbox.refused(replace(wanted, since=horizon), limit):
        source = sources.get(request.connection_id)
        secrets = source.secrets.values() if source else ()
        body = shown_body(request.body, secrets, is_masked=hub.settings.mask_bodies)
        row = with_times(request._asdict()) | {"headers": loads(request.headers), "body": body}
        shown.append({**row, "connection": source.name if source else request.connection_id})
    return shown


def _stored(database: Database, key: Key) -> StoredMessage:
    found = seen.get(database, key)
    if found is None:
        raise ConfigurationError(f"There is no message {key[1]!r} any more.")
    return found


def _canonical(
    hub: Installation, database: Database, stored: StoredMessage, source: Connection | None
) -> tuple[dict[str, Any] | None, str | None]:
    if stored.body is None:
        return None, "Its body is no longer kept (see HUB_REPLAY_DAYS), or was never kept."
    try:
        message = loads(stored.body)
    except ValueError:
        return None, "Its body is not JSON."
    hash_ = stored.mapping_hash or (source.mapping_hash if source else "")
    if not hash_:
        return None, "Its source had no valid mapping, and has none now."
    schemas = _schemas(database, stored.schema_hash)
    try:
        made = canonical_of(
            _document(hub, database, hash_, source),
            message,
            message_id=stored.message_id,
            received_at=stored.received_at,
            options=_options(source),
            connection_id=stored.connection_id,
            behind=schemas.filter,
        )
    except Exception as error:  # noqa: BLE001 - a mapping that fails is what the operator wants to see
        return None, f"Its mapping fails on it with {type(error).__name__}."
    is_of_now = source is not None and source.mapping_hash == hash_
    return {**made, "mapping_hash": hash_, "schema_hash": schemas.hash, "is_mapping_of_now": is_of_now}, None


def _document(hub: Installation, database: Database, hash_: str, source: Connection | None) -> Node:
    """A mapping version; from its file where that still says the same, so that lineage can name lines."""
    if source is not None:
        try:
            resolved = resolve(source.mapping or source.connector, source.mapping_patch, hub.folders)
        except MappingInvalid:
            return load(database, hash_)
        if resolved.hash == hash_:
            return resolved.document
    return load(database, hash_)


def _schemas(database: Database, hash_: str) -> Schemas:
    found = schema_store.versions(database, hash_) if hash_ else []
    return Schemas(found[0]["documents"]) if found else NO_SCHEMAS


def _options(source: Connection | None) -> Mapping[str, Any]:
    return {**source.settings, "currency": source.currency} if source else {}


def _caused(database: Database, stored: StoredMessage, now: Micros) -> dict[str, Any]:
    """The sync run of its batch, its events, and the deliveries that its batch decided for its person: of events only
    its own; a profile, membership or consent may also follow from that person's other messages of the batch."""
    run = ledger.run(database, stored.run_id) if stored.run_id else None
    (shown,) = shown_runs(database, [run]) if run else (None,)
    if stored.source_id is None or stored.state != "applied":
        return {"sync_run": shown, "events": [], "deliveries": []}
    events = reading.events_of_message(database, stored.source_id, stored.connection_id, stored.message_id)
    return {
        "sync_run": shown,
        "events": [with_times(event) for event in events],
        "deliveries": completed(database, _deliveries(database, stored, run, events), now) if run else [],
    }


def _deliveries(
    database: Database, stored: StoredMessage, run: Run, events: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    own = {event["event_id"] or f"{stored.message_id}.{event['position']}" for event in events}
    decided = outbox.decided_at(database, everyone(database, str(stored.source_id)), run.started_at)
    return [row for row, record in decided if row["operation"] != Operation.EVENTS or _event_id(record) in own]


def _event_id(record: str) -> Any:
    event = loads(record).get("event") if record.startswith("{") else None
    return event.get("id") if isinstance(event, dict) else None


def _mapping_of_now(database: Database, source: Connection) -> Versioned:
    document = load(database, source.mapping_hash)
    inbound = compile_inbound(document, connection_id=source.id, options=_options(source))
    return Versioned(source.mapping_hash, inbound, Schemas(schema_store.every(database)))


def _received(stored: StoredMessage) -> Message:
    return Message(
        stored.connection_id,
        stored.message_id,
        stored.received_at,
        is_authentic=True,
        profile_hint=None,
        has_fresh_id=False,
        body=stored.body or b"",
    )


def _is_applied(stored: StoredMessage, mapping: Versioned) -> bool:
    """Whether the mapping of now makes something of it that others hear of."""
    entry = prepare(_received(stored), lambda _connection_id: mapping)
    change = entry.change
    return entry.state == "applied" and change is not None and not (change.is_test or change.is_replay)


def _destinations(hub: Installation, database: Database, name: str | None) -> list[tuple[Connection, Sync]]:
    only = connection_id(hub, database, name, "destination") if name is not None else None
    known = {each.id: each for each in registry.every(database, hub.vault, "destination") if each.mapping_hash}
    return [
        (known[sync.connection_id], sync)
        for sync in syncs.every(database)
        if sync.connection_id in known and only in (None, sync.connection_id)
    ]


def _wish(connection: Connection, sync: Sync) -> Wish:
    settings = dict(connection.settings) | {f"{HOSTS}{name}": url for name, url in connection.hosts.items()}
    return Wish("", connection.connector, [Operation(sync.operation)], settings, dict(sync.options), sync.event_keys)
