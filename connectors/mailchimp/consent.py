"""Consent as Mailchimp keeps it: the member's status, marketing permissions and interests.

Nobody is resubscribed by mistake: who left comes back only by confirming Mailchimp's own mail (status `pending`).
"""

from __future__ import annotations

from typing import Any, Final

from connectors.mailchimp.answers import Stopped, text_of
from connectors.mailchimp.calls import Calls
from connectors.mailchimp.flows import NOT_A_MEMBER, accepted, on_member
from connectors.mailchimp.members import Written, address, subscribing
from connectors.mailchimp.settings import MailchimpSettings
from hub.sdk.contract import Flow
from hub.sdk.values import ConsentChange, Rejected

EMAIL: Final = "email"
LEFT: Final = ("unsubscribed", "archived")


def no_place(push: ConsentChange) -> str:
    """Why Mailchimp cannot hold this consent; empty if it can."""
    topic, status = str(push.consent.get("topic")), push.consent.get("status")
    if status not in ("granted", "denied"):
        return f"Mailchimp has no place for the status {status} of {topic}; nobody is subscribed or unsubscribed."
    if topic != EMAIL and _place(push) is None:
        return (
            f"Mailchimp has no place for the consent {topic}; name a marketing permission or an interest of the "
            "audience for it."
        )
    return ""


def change(calls: Calls, settings: MailchimpSettings, push: ConsentChange) -> Flow:
    is_granted = push.consent["status"] == "granted"
    place = _place(push)

    def act(member: str) -> Flow:
        if place is not None:
            yield calls.patch(member, place)
        elif not is_granted:
            yield calls.patch(member, {"status": "unsubscribed"})
        else:
            notices.extend((yield from _subscribe(calls, settings, push, member)))

    notices: list[str] = []
    may_create = settings.create_missing and is_granted
    missing = "" if is_granted else NOT_A_MEMBER
    written = yield from on_member(calls, settings, push, act, may_create=may_create, missing=missing)
    return accepted(push, Written(written.member, (*written.notices, *notices)))


def _place(push: ConsentChange) -> dict[str, Any] | None:
    """What a topic changes in the member; None where it has no place of its own."""
    topic, is_granted = str(push.consent.get("topic")), push.consent.get("status") == "granted"
    permission = push.options.marketing_permissions.get(topic)
    if permission:
        return {"marketing_permissions": [{"marketing_permission_id": permission, "enabled": is_granted}]}
    interest = push.options.interests.get(topic)
    return {"interests": {interest: is_granted}} if interest else None


def _subscribe(calls: Calls, settings: MailchimpSettings, push: ConsentChange, member: str) -> Flow:
    """Change the status of a member where that is allowed; returns notices."""
    status = text_of((yield calls.member(member)), "status")
    if status == "subscribed":
        return ()
    if status == "cleaned":
        words = "Mails to this address bounced, so Mailchimp sends to it no more."
        raise Stopped(Rejected(push.delivery_id, words, code="suppressed"))
    wanted = "pending" if status in LEFT else subscribing(settings)
    if status != wanted:
        proof = {"timestamp_opt": push.consent["at"]} if push.consent.get("at") else {}
        if status == "archived":  # answers 405 to PATCH
            who = {"email_address": address(push), "status_if_new": wanted}
            yield calls.put(member, {**who, "status": wanted, **proof})
        else:
            yield calls.patch(member, {"status": wanted, **proof})
    return ("Mailchimp asks the person by mail to confirm.",) if wanted == "pending" else ()
