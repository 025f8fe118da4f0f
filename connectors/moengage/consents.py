"""Consent at MoEngage: attributes, some of them the wrong way round, and categories of e-mail (subscription-categories)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.moengage.bodies import customer
from hub.sdk.values import ConsentChange, Item, Json, Rejected

POSITIVE: Final = {"whatsapp": "moe_wa_subscription", "push": "push_preference", "push.web": "moe_sub_w"}
"""Topic → boolean attribute that is true for people who may be messaged."""
INVERTED: Final = {"email": "moe_unsubscribe"}
"""Topic → boolean attribute that is true for people who may not."""


def items(push: ConsentChange, sms: tuple[str, str]) -> Sequence[Item] | Rejected:
    """The element of a consent, or why MoEngage has no place for it. `sms`: the texts for granted and denied."""
    topic, status = str(push.consent.get("topic", "")), push.consent.get("status")
    if status not in ("granted", "denied"):
        return _unsupported(push, "MoEngage knows yes and no; an unknown consent is kept in the hub only.")
    is_granted = status == "granted"
    channel, _, category = topic.partition(".")
    if channel == "email" and category:
        preference = {
            "customer_id": push.person.source_id,
            "categories": {category: is_granted},
            "unsubscribe_all": False,
        }
        return [Item(push.delivery_id, "categories", preference)]
    if topic == "sms":
        if not all(sms):
            words = "Each workspace has its own words for SMS consent; set `sms_subscribed` and `sms_unsubscribed`."
            return _unsupported(push, words)
        return _attribute(push, "moe_sms_subscription", sms[0] if is_granted else sms[1])
    if topic in INVERTED:
        return _attribute(push, INVERTED[topic], not is_granted)
    if topic in POSITIVE:
        return _attribute(push, POSITIVE[topic], is_granted)
    return _unsupported(push, f"MoEngage has no attribute for the consent {topic!r}.")


def _attribute(push: ConsentChange, name: str, value: Json) -> Sequence[Item]:
    return [Item(push.delivery_id, "users", customer(push.person.source_id, {name: value}))]


def _unsupported(push: ConsentChange, why: str) -> Rejected:
    return Rejected(push.delivery_id, why, code="unsupported")
