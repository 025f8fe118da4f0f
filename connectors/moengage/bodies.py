"""What the hub pushes, in MoEngage's shapes (www.moengage.com/docs/api, read 2026-08)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from hub.sdk.values import AudienceChange, EventPush, Json, MessagePush, ProfilePush

BAD_IDS: Final = frozenset(
    [
        "unknown",
        "guest",
        "null",
        "0",
        "1",
        "true",
        "false",
        "user_attribute_unique_id",
        "(empty)",
        "na",
        "n/a",
        '""',
        "dummy_seller_code",
        "user_id",
        "id",
        "customer_id",
        "uid",
        "userid",
        "none",
        "-2",
        "-1",
        "2",
    ]
)
"""Values of customer_id that MoEngage forbids; what it does with them no page says (Track User)."""
NOT_IN_A_NAME: Final = re.compile(r'^\.|[|*?\\:<>=$"]')
"""What a cohort's name may not hold (cohort sync)."""


def is_bad_id(source_id: str) -> bool:
    """Whether MoEngage forbids this customer_id; one character is too short."""
    return len(source_id) < 2 or source_id.lower() in BAD_IDS


def instant(at: datetime) -> str:
    """MoEngage reads times without fractions; anything else becomes text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def customer(source_id: str, attributes: Mapping[str, Json], **more: Json) -> Json:
    return {"type": "customer", "customer_id": source_id, "attributes": dict(attributes), **more}


def profile(push: ProfilePush, removal: str) -> Json:
    """What changed. A removed trait is blanked, or named in `unset_attributes`."""
    gone = [name for name in push.unset if name not in push.changed]
    if removal == "blank" or not gone:
        return customer(push.person.source_id, {**push.changed, **dict.fromkeys(gone, "")})
    unset = [{"type": "equals", "attr": name, "case_sensitive": True} for name in gone]
    return customer(push.person.source_id, push.changed, unset_attributes=unset)


def event(push: EventPush) -> Json:
    return _event(push, push.name, push.at, push.fields.get("attributes") or {})


def message_event(push: MessagePush) -> Json:
    """Stamped when sent, so that no flow finds it too old."""
    return _event(push, push.options.event, push.now, attributes(push))


def _event(push: EventPush | MessagePush, name: str, at: datetime, said: Mapping[str, Json]) -> Json:
    """`event_id` lets reports count a repeated event once: MoEngage itself does not. No platform: a wrong one misleads."""
    action = {"action": name, "current_time": instant(at), "attributes": {"event_id": push.vendor_key, **said}}
    return {"type": "event", "customer_id": push.person.source_id, "actions": [action]}


def attributes(push: MessagePush) -> dict[str, Json]:
    """What the message shows, the code included."""
    said = dict(push.fields.get("attributes") or {})
    if push.code is not None:
        said.setdefault(push.options.code_attribute, push.code)
    return said


def alert(push: MessagePush) -> dict[str, Json] | None:
    """An Inform alert to the channels for which an address is known; None if there is none.

    `transaction_id` has at most 50 characters and is remembered for five minutes.
    """
    mobile = re.sub(r"\D", "", push.fields.get("mobile") or push.person.phone or "")
    email = push.fields.get("email") or push.person.email
    known = {channel: email if channel == "EMAIL" else mobile for channel in push.options.channels}
    said = attributes(push)
    payloads = {
        channel: {"recipient": address, "personalized_attributes": said}
        for channel, address in known.items()
        if address
    }
    if not payloads:
        return None
    return {
        "alert_reference_name": push.options.alert,
        "user_id": push.person.source_id,
        "transaction_id": push.vendor_key,
        "payloads": payloads,
    }


def notification(push: MessagePush) -> dict[str, Json]:
    """A call of the Push API but for its signature."""
    options, said = push.options, attributes(push)
    shown = {"title": _filled(options.title, said), "message": _filled(options.message, said)}
    who = {
        "attribute": "USER_ATTRIBUTE_UNIQUE_ID",
        "comparisonParameter": "is",
        "attributeValue": push.person.source_id,
    }
    return {
        "campaignName": options.campaign,
        "requestType": "push",
        "targetPlatform": list(options.platforms),
        "targetAudience": "User",
        "targetUserAttributes": who,
        "payload": dict.fromkeys(options.platforms, shown),
        "campaignDelivery": {"type": "soon"},
    }


def _filled(text: str, said: Mapping[str, Json]) -> str:
    """`Your code: {incentive_code}` with the values; a name that has none vanishes."""
    return re.sub(r"\{(\w+)\}", lambda found: str(said.get(found[1], "")), text)


def cohort(push: AudienceChange) -> dict[str, Any]:
    """Which cohort a change is about."""
    name = push.options.cohort_name or push.fields.get("cohort_name") or push.audience
    return {
        "cohort_id": push.options.cohort_id or push.audience,
        "cohort_name": NOT_IN_A_NAME.sub("_", name),
        "cohort_description": "",
    }
