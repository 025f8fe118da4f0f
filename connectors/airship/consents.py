"""Consent at Airship: opt-in dates of channels, and subscription lists (operations/email, sms, subscription-lists)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.airship import bodies
from hub.sdk.values import ConsentChange, Item, Json, Rejected

KINDS: Final = {
    "email": "commercial",
    "email.commercial": "commercial",
    "email.transactional": "transactional",
    "email.click_tracking": "click_tracking",
    "email.open_tracking": "open_tracking",
}
"""Topic → kind of an e-mail channel's opt-in. Any other `email.<name>` is the subscription list of that name."""


def items(push: ConsentChange, sms_sender: str) -> Sequence[Item] | Rejected:
    """The one call of a consent, or why Airship has no place for it."""
    topic, granted = str(push.consent.get("topic", "")), push.consent.get("status")
    if granted not in bodies.OPTED:
        return _unsupported(
            push, "Airship knows opt-in and opt-out, and nothing in between; an unknown consent is kept here only."
        )
    channel, _, name = topic.partition(".")
    if channel == "sms" and not name:
        return _sms(push, sms_sender, is_granted=granted == "granted")
    if channel != "email":
        return _unsupported(
            push, f"Airship's API has no place for the consent {topic!r} of a person; push is opted into on the device."
        )
    address = push.consent.get("address") or push.person.email
    if not address:
        return _unsupported(push, f"The consent {topic!r} needs an e-mail address, and this person has none.")
    if topic not in KINDS:
        action = "subscribe" if granted == "granted" else "unsubscribe"
        body = {"audience": {"email_address": address}, "subscription_lists": {"action": action, "list_id": name}}
        return _call(push, "/api/channels/subscription_lists", body)
    decided = {f"{KINDS[topic]}_opted_{bodies.OPTED[granted]}": _at(push)}
    return _call(push, "/api/channels/email", {"channel": {"type": "email", "address": address, **decided}})


def _sms(push: ConsentChange, sender: str, *, is_granted: bool) -> Sequence[Item] | Rejected:
    phone = push.consent.get("address") or push.person.phone
    if not sender or not phone:
        lacking = "a phone number" if sender else "a sender (the setting `sms_sender`)"
        return _unsupported(push, f"A consent to text messages needs {lacking}.")
    body = {"msisdn": bodies.digits(phone), "sender": sender}
    if not is_granted:
        return _call(push, "/api/channels/sms/opt-out", body)
    return _call(push, "/api/channels/sms", {**body, "opted_in": _at(push)})


def _at(push: ConsentChange) -> Json:
    """When the person decided."""
    return push.fields.get("at") or bodies.instant(push.at)


def _call(push: ConsentChange, path: str, body: Json) -> Sequence[Item]:
    return [Item(push.delivery_id, "consent", {"path": path, "json": body})]


def _unsupported(push: ConsentChange, why: str) -> Rejected:
    return Rejected(push.delivery_id, why, code="unsupported")
