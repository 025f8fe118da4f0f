"""What the hub pushes, in Iterable's shapes (api.iterable.com/api/docs; how users are identified: support.iterable.com
29156459027348)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.iterable.settings import IterableSettings
from hub.sdk.values import EventPush, MessagePush, ProfilePush, Push

EMAIL: Final = "email"
CREDIT: Final = ("campaignId", "templateId")
NO_METADATA: Final = frozenset({"sms", "in_app"})  # only email/target and push/target take `metadata`


def address(push: Push) -> str:
    """The e-mail address the mapping made, which is the identifier in an e-mail-based project."""
    mapped = push.fields.get(EMAIL) if isinstance(push, ProfilePush) else None
    return str(mapped or push.person.email or "")


def who(settings: IterableSettings, push: Push) -> dict[str, Any]:
    """The one identifier of the project: the address in an e-mail-based one, if the person has any, else the userId."""
    if settings.project_type == EMAIL and address(push):
        return {"email": address(push)}
    return {"userId": push.person.source_id}


def user(settings: IterableSettings, push: Push) -> dict[str, Any]:
    """The same for calls that may create the user; e-mail-based projects keep the userId beside the address, and without
    an address make a placeholder for it."""
    found = who(settings, push)
    if settings.project_type == EMAIL:
        found |= {"userId": push.person.source_id, "preferUserId": True}
    return found


def profile(settings: IterableSettings, push: ProfilePush) -> dict[str, Any]:
    """What changed; null clears a field. In an e-mail-based project the address identifies and is not a field."""
    fields = {**push.changed, **{name: None for name in push.unset if name not in push.changed}}
    if settings.project_type == EMAIL:
        fields.pop(EMAIL, None)
    made = {**user(settings, push), "dataFields": fields}
    return {**made, "mergeNestedObjects": True} if settings.merge_nested_objects else made


def event(settings: IterableSettings, push: EventPush) -> dict[str, Any]:
    made = _event(settings, push, push.name, int(push.at.timestamp()), push.fields.get("dataFields") or {})
    return {**made, **_credit(push)}


def message_event(settings: IterableSettings, push: MessagePush) -> dict[str, Any]:
    """The event whose journey sends the message, stamped when sent."""
    return _event(settings, push, push.options.event_name, int(push.now.timestamp()), message_fields(push))


def _event(
    settings: IterableSettings, push: Push, name: str, created_at: int, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Iterable updates the event whose `id` it knows, so a repeat is not a second event."""
    return {
        "id": push.vendor_key,
        **who(settings, push),
        "eventName": name,
        "createdAt": created_at,
        "dataFields": dict(fields),
        "createNewFields": settings.create_new_fields,
    }


def purchase(settings: IterableSettings, push: EventPush) -> dict[str, Any]:
    """An order. The mapping may give it the order's own id, so that a later event corrects it."""
    made: dict[str, Any] = {
        "id": push.fields.get("id") or push.vendor_key,
        "user": user(settings, push),
        "items": list(push.fields["items"]),
        "total": float(push.fields.get("total") or 0),
        "createdAt": int(push.at.timestamp()),
    }
    fields = push.fields.get("dataFields")
    made |= _credit(push)
    return {**made, "dataFields": dict(fields)} if fields else made


def _credit(push: EventPush) -> dict[str, Any]:
    """The campaign and the template that Iterable counts the event for."""
    return {name: push.fields[name] for name in CREDIT if push.fields.get(name) is not None}


def target(settings: IterableSettings, push: MessagePush) -> dict[str, Any]:
    """A campaign for one person. `metadata` comes back in Iterable's webhooks."""
    named = who(settings, push)
    recipient = {"recipientEmail": named["email"]} if "email" in named else {"recipientUserId": named["userId"]}
    made = {
        "campaignId": push.options.campaign_id,
        **recipient,
        "allowRepeatMarketingSends": push.options.allow_repeats,
        "dataFields": message_fields(push),
    }
    if push.options.via in NO_METADATA:
        return made
    return {**made, "metadata": {"distributionId": push.distribution_id, "deliveryId": push.vendor_key}}


def trigger(settings: IterableSettings, push: MessagePush) -> dict[str, Any]:
    return {"workflowId": push.options.workflow_id, **who(settings, push), "dataFields": message_fields(push)}


def message_fields(push: MessagePush) -> dict[str, Any]:
    """The mapped fields; the code stands in even where a mapping forgets it."""
    code = {push.options.code_attribute: push.code} if push.code is not None else {}
    return {**code, **(push.fields.get("dataFields") or {})}
