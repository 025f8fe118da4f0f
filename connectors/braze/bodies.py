"""What one delivery becomes in Braze's shapes (`_docs/_api/objects_filters/`, read 2026-08)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from connectors.braze.settings import BrazeSettings
from hub.sdk.values import ConsentChange, EventPush, Item, Json, MessagePush, ProfilePush, Push, Rejected


def attributes(push: Push, settings: BrazeSettings) -> Item:
    """One attributes object: what changed, and null for what was removed."""
    changed = push.changed if isinstance(push, ProfilePush) else push.fields
    unset = push.unset if isinstance(push, ProfilePush) else ()
    removed = {name: None for name in unset if name not in changed}
    body = {"external_id": push.person.source_id, **_existing_only(settings), **changed, **removed}
    return Item(push.delivery_id, "track", body, part="attributes")


def events(push: EventPush, settings: BrazeSettings) -> list[Item]:
    """One event, or one purchase per line of an order; Braze counts each object against the limit of a call."""
    app = {"app_id": settings.app_id} if settings.app_id else {}
    common = {"external_id": push.person.source_id, **_existing_only(settings), **app, "time": _iso(push.at)}
    purchases = push.fields.get("purchases") or []
    items = [
        Item(push.delivery_id, "track", {**common, **line}, part=f"purchases/{n}") for n, line in enumerate(purchases)
    ]
    if "properties" in push.fields or not purchases:
        event = {**common, "name": push.name, "properties": push.fields.get("properties") or {}}
        items.insert(0, Item(push.delivery_id, "track", event, part="events"))
    return items


def message(push: MessagePush) -> Item:
    """A recipient. Braze leaves out recipients it does not know, without a word, unless they come with attributes
    (post_send_triggered_campaigns.md)."""
    options = push.options
    known = {"email": push.person.email, "phone": push.person.phone} if options.create_missing else {}
    written = {name: value for name, value in known.items() if value} | push.fields.get("attributes", {})
    properties = push.fields.get("trigger_properties", {})
    recipient: dict[str, Json] = {"external_user_id": push.person.source_id}
    if written:
        recipient |= {"attributes": written, "send_to_existing_only": not options.create_missing}
    if options.kind == "transactional":
        body = {"external_send_id": push.vendor_key, "trigger_properties": properties, "recipient": recipient}
        return Item(push.delivery_id, "transactional", body, group=options.campaign_id)
    name = "context" if options.kind == "canvas" else "trigger_properties"
    return Item(
        push.delivery_id, "messages", {**recipient, name: properties}, group=f"{options.kind}:{options.campaign_id}"
    )


def consent(push: ConsentChange, settings: BrazeSettings) -> Item | Rejected:
    """The global state of a channel is an attribute; any other topic needs a subscription group to stand for it."""
    topic = push.consent.get("topic")
    state = push.fields.get("subscription_state")
    if push.fields.keys() - {"subscription_state"}:
        return attributes(push, settings)
    group = push.options.groups.get(topic)
    if group is None:
        return Rejected(
            push.delivery_id,
            f"Braze has no place for the consent {topic!r}; name a subscription group for it in the option `groups`.",
            code="unsupported",
        )
    if state not in ("subscribed", "unsubscribed"):
        return Rejected(
            push.delivery_id,
            f"A subscription group is either subscribed or unsubscribed; the consent {topic!r} is neither.",
            code="unsupported",
        )
    return Item(push.delivery_id, "subscriptions", push.person.source_id, group=f"{state}:{group}")


def by_array(items: Sequence[Item]) -> dict[str, list[Json]]:
    """The arrays of a /users/track call."""
    arrays: dict[str, list[Json]] = {}
    for item in items:
        arrays.setdefault(item.part.partition("/")[0], []).append(item.body)
    return arrays


def _existing_only(settings: BrazeSettings) -> dict[str, Json]:
    return {"_update_existing_only": True} if settings.update_existing_only else {}


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
