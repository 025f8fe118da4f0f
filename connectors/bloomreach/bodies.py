"""What the hub pushes, as Bloomreach's commands and calls.

Pages: documentation.bloomreach.com/engagement/reference/ (batch-commands-2, update-customer-properties-2, add-event,
transactional-email-2) and docs/consent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hub.sdk.values import AudienceChange, ConsentChange, EventPush, Item, Json, MessagePush, ProfilePush, Push

PLACEHOLDERS: Final = frozenset({"", "0", "null", "none", "undefined", "nan"})
"""Not identifiers but traces of a defect at the sender. As a hard ID they would glue strangers together, for good."""
ACTIONS: Final = {"granted": "accept", "denied": "reject"}

Ids = Mapping[str, str]


def profile(push: ProfilePush, ids: Ids) -> Item:
    removed = {name: None for name in push.unset if name not in push.changed}
    return _customer(push, ids, {**push.changed, **removed})


def audience(push: AudienceChange, ids: Ids) -> Item:
    """There is no list to join or leave: a property holds all audiences of the person, and is written whole."""
    others = {one for one in push.person.audiences if one != push.audience}
    members = sorted({*others, push.audience} if push.member else others)
    return _customer(push, ids, {push.fields.get("attribute") or push.options.attribute: members})


def event(push: EventPush, ids: Ids) -> Item:
    """`is_backfill` lets a scenario leave replays out: Bloomreach itself has no quiet way to add an event."""
    quiet = {"is_backfill": True} if push.quiet else {}
    return _event(push, ids, push.name, seconds(push.at), {**_properties(push), **quiet, "event_id": push.vendor_key})


def message(push: MessagePush, ids: Ids) -> Item:
    properties = {**_coded(push, "properties"), "event_id": push.vendor_key}
    return _event(push, ids, push.options.event, seconds(push.now), properties)


def consent(push: ConsentChange, ids: Ids) -> Item:
    """A consent is an event of its own kind; `valid_until` belongs to a grant only."""
    granted = push.consent["status"] == "granted"
    kept = ("category", "valid_until", "source") if granted else ("category", "source")
    said = {name: push.fields[name] for name in kept if push.fields.get(name) is not None}
    properties = {"action": ACTIONS[push.consent["status"]], **said}
    at = push.fields.get("timestamp")
    return _event(push, ids, "consent", seconds(push.at) if at is None else at, properties)


def email(push: MessagePush, ids: Ids) -> Item:
    """One recipient per call. An address the hub does not know is left to the customer's profile."""
    recipient: dict[str, Json] = {"customer_ids": dict(ids)}
    if push.person.email:
        recipient["email"] = push.person.email
    content = {"template_id": push.options.template_id, "params": _coded(push, "params")}
    body: dict[str, Json] = {
        "campaign_name": push.options.campaign_name,
        "recipient": recipient,
        "email_content": content,
    }
    if push.options.integration_id:
        body["integration_id"] = push.options.integration_id
    return Item(push.delivery_id, "emails", body)


def seconds(at: datetime) -> float:
    """Unix seconds with milliseconds: properties written twice within a second keep their order."""
    return round(at.timestamp(), 3)


def _coded(push: MessagePush, container: str) -> dict[str, Any]:
    code = {} if push.code is None else {push.options.code_attribute: push.code}
    return {**code, **(push.fields.get(container) or {})}


def _properties(push: Push) -> dict[str, Any]:
    return dict(push.fields.get("properties") or {})


def _customer(push: Push, ids: Ids, properties: Mapping[str, Json]) -> Item:
    data = {"customer_ids": dict(ids), "update_timestamp": seconds(push.now), "properties": dict(properties)}
    return _command(push, "customers", data)


def _event(push: Push, ids: Ids, name: str, timestamp: float, properties: Mapping[str, Json]) -> Item:
    data = {"customer_ids": dict(ids), "event_type": name, "timestamp": timestamp, "properties": dict(properties)}
    return _command(push, "customers/events", data)


def _command(push: Push, name: str, data: Mapping[str, Json]) -> Item:
    return Item(push.delivery_id, "commands", {"name": name, "command_id": push.delivery_id, "data": data})
