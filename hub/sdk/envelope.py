"""The hub's own shape of a record, for destinations that have none of their own: a generic webhook, a topic.

    {"type": "event.occurred", "id": "01J…", "timestamp": "2026-03-14T09:00:00.000Z",
     "data": {"person": {"source_id": "cust_1", "email": "ada@example.com"}, "event": {"id": "m1/0", "name": "Signed Up"}}}

`type` tells the shape of `data`; `id` stays the same when a record is sent again; `timestamp` is when it happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from hub.sdk.values import (
    AnyPush,
    AudienceChange,
    ConsentChange,
    ErasePush,
    EventPush,
    Json,
    MessagePush,
    Operation,
    Person,
    ProfilePush,
)

TYPES: Final[Mapping[Operation, tuple[str, ...]]] = {
    Operation.PROFILES: ("profile.updated",),
    Operation.EVENTS: ("event.occurred",),
    Operation.MESSAGES: ("message.requested",),
    Operation.AUDIENCE: ("audience.entered", "audience.left"),
    Operation.CONSENT: ("consent.changed",),
    Operation.ERASE: ("profile.erased",),
}
"""Every type there is, by operation."""


def envelope(push: AnyPush) -> dict[str, Json]:
    """The record of one delivery. What the mapping made stands under the record's own name in `data`."""
    data = {"person": _person(push.person), **_record(push)}
    if push.quiet:
        data["quiet"] = True  # a replay or a backfill: nobody should be woken by it
    return {"type": type_of(push), "id": push.vendor_key, "timestamp": iso(push.at), "data": data}


def type_of(push: AnyPush) -> str:
    """Such as `profile.updated`."""
    types = TYPES[push.operation]
    return types[1] if isinstance(push, AudienceChange) and not push.member else types[0]


def iso(at: datetime) -> str:
    """UTC with milliseconds: `2026-03-14T09:00:00.000Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _record(push: AnyPush) -> dict[str, Json]:
    match push:
        case ProfilePush():
            return {"profile": dict(push.fields), "changed": _names(push.changed), "removed": list(push.unset)}
        case EventPush():
            return {"event": {**push.fields, "id": push.event_id, "name": push.name}}
        case MessagePush():
            return {"message": {**push.fields, "distribution_id": push.distribution_id, "code": push.code}}
        case AudienceChange():
            audience = {**push.fields, "key": push.audience, "member": push.member}
            return {"audience": audience, "audiences": list(push.person.audiences)}
        case ConsentChange():
            return {"consent": {**push.fields, **push.consent}}
        case ErasePush():
            return {"request_id": push.request_id, "identifiers": dict(push.fields)}


def _person(person: Person) -> dict[str, Json]:
    known = {"email": person.email, "phone": person.phone, "previous": dict(person.previous)}
    return {"source_id": person.source_id, **{name: value for name, value in known.items() if value}}


def _names(changed: Mapping[str, Json]) -> list[str]:
    """Names of changed fields; those inside an object as `metadata.points`."""
    names: list[str] = []
    for name, value in changed.items():
        names += [f"{name}.{inner}" for inner in value] if isinstance(value, Mapping) and value else [name]
    return names
