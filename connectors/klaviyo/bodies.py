"""What the hub pushes, in Klaviyo's JSON:API shapes (developers.klaviyo.com/en/reference, revision 2026-07-15)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from hub.sdk.values import EventPush, MessagePush, Person, ProfilePush

_TEXT: Final = {"type": ["string", "null"]}
_NUMBER: Final = {"type": ["number", "null"]}
LOCATION: Final = (
    "address1", "address2", "city", "country", "region", "zip", "latitude", "longitude", "timezone", "ip",
)  # fmt: skip
PROFILE_FIELDS: Final = (
    "email", "phone_number", "first_name", "last_name", "organization", "title", "image", "locale",
)  # fmt: skip
"""Standard attributes of create_or_update_profile; everything else belongs into `properties`."""

PROFILE_SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **dict.fromkeys(PROFILE_FIELDS, _TEXT),
        "location": {
            "type": "object",
            "additionalProperties": False,
            "properties": {key: {"type": ["string", "number", "null"]} for key in LOCATION},
        },
        "properties": {"type": "object"},
    },
}
EVENT_SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"properties": {"type": "object"}, "value": _NUMBER, "value_currency": _TEXT},
}
CONSENT_SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": dict.fromkeys(("consent", "email", "phone_number", "consented_at"), _TEXT),
}
ERASE_SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"email": _TEXT, "phone_number": _TEXT},
}


def profile(push: ProfilePush) -> dict[str, Any]:
    """The profile resource: what changed, and what to remove.

    `null` clears a standard attribute; a custom property is named in `meta.patch_properties.unset`.
    """
    attributes = {name: dict(value) if isinstance(value, Mapping) else value for name, value in push.changed.items()}
    unset = []
    for name in push.unset:
        container, _, key = name.partition(".")
        if not key:
            attributes[name] = None
        elif container == "properties":
            attributes.get(container, {}).pop(key, None)
            unset.append(key)
        else:
            attributes.setdefault(container, {})[key] = None
    resource: dict[str, Any] = {
        "type": "profile",
        "attributes": {"external_id": push.person.source_id, **attributes},
    }
    if unset:
        resource["meta"] = {"patch_properties": {"unset": unset}}
    return resource


def event(push: EventPush) -> dict[str, Any]:
    return _event(push, push.name, push.at, push.fields.get("properties") or {})


def message(push: MessagePush) -> dict[str, Any]:
    """A message is a metric event whose flow sends it: stamped when sent, so that no flow finds it too old."""
    properties: dict[str, Any] = {"distribution_id": push.distribution_id}
    if push.code is not None:
        properties[push.options.code_attribute] = push.code
    return _event(push, push.options.metric, push.now, {**properties, **(push.fields.get("properties") or {})})


def _event(push: EventPush | MessagePush, metric: str, at: datetime, properties: Mapping[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
        "properties": dict(properties),
        "time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "unique_id": push.vendor_key,
    }
    for name in ("value", "value_currency"):
        if push.fields.get(name) is not None:
            attributes[name] = push.fields[name]
    bulk: dict[str, Any] = {
        "profile": {"data": {"type": "profile", "attributes": identifiers(push.person)}},
        "events": {"data": [{"type": "event", "attributes": attributes}]},
    }
    if push.quiet:
        bulk["backfill"] = True
    return {"type": "event-bulk-create", "attributes": bulk}


def identifiers(person: Person) -> dict[str, str]:
    """The strongest identifiers: external_id with the email, else with the phone.

    All three at once would invite a 409 where email and phone belong to two profiles.
    """
    known = {"external_id": person.source_id}
    if person.email:
        known["email"] = person.email
    elif person.phone:
        known["phone_number"] = person.phone
    return known
