"""One member of the audience: who they are, what they are written with, and how an address changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from connectors.mailchimp.answers import field_errors, status_of, text_of, title_of
from connectors.mailchimp.calls import Calls, subscriber_hash
from connectors.mailchimp.settings import MailchimpSettings
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent
from hub.sdk.values import AnyPush, Person, ProfilePush

REMEMBERED: Final = "member"
"""The hash under which Mailchimp knows the person; erasure needs it after an address was removed."""


class Written(NamedTuple):
    member: str
    notices: tuple[str, ...] = ()


def address(push: AnyPush) -> str:
    """The e-mail that names the member; empty if there is none."""
    return str(push.fields.get("email_address") or push.person.email or "").strip()


def status_if_new(settings: MailchimpSettings, person: Person) -> str:
    """What somebody becomes who is not in the audience yet. Members keep the status they have."""
    told = person.consents.get("email")
    match told.get("status") if isinstance(told, Mapping) else None:
        case "granted":
            return subscribing(settings)
        case "denied":
            return "unsubscribed"
    return settings.status_without_consent


def subscribing(settings: MailchimpSettings) -> str:
    return "pending" if settings.double_opt_in else "subscribed"


def body_of(settings: MailchimpSettings, push: AnyPush, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The member resource. `status` is never among it: it would resubscribe people who left (api/list-members)."""
    merge_fields = {**(fields.get("merge_fields") or {}), settings.source_id_tag: push.person.source_id}
    return {
        **fields,
        "email_address": address(push),
        "status_if_new": status_if_new(settings, push.person),
        "merge_fields": {name: value for name, value in merge_fields.items() if value is not None},
    }


def profile_body(settings: MailchimpSettings, push: ProfilePush) -> dict[str, Any]:
    """What changed; an empty text clears a merge field."""
    fields = {name: dict(value) if isinstance(value, Mapping) else value for name, value in push.changed.items()}
    for name in push.unset:
        container, _, key = name.partition(".")
        if key:
            fields.setdefault(container, {})[key] = "" if container == "merge_fields" else False
        elif name != "email_address":
            fields[name] = ""
    return body_of(settings, push, fields)


def former(push: AnyPush) -> str | None:
    """The member of an earlier address, if the address changed."""
    now = subscriber_hash(address(push))
    old = push.person.previous.get("email")
    before = subscriber_hash(old) if old else push.person.remembered.get(REMEMBERED)
    return before if before and before != now else None


def candidates(push: AnyPush) -> list[str]:
    """The members the person may be: that of the address, and that of the one before, while it has not moved yet."""
    old = former(push)
    return [subscriber_hash(address(push)), *([old] if old else [])]


def write(calls: Calls, push: AnyPush, body: Mapping[str, Any], whole: Mapping[str, Any] | None = None) -> Flow:
    """Create or update the member; returns Written. A changed address goes to the member of the old one.

    `whole`: what the member of a new address gets where there is no old one, if `body` holds only what changed.
    """
    notices: list[str] = []
    old = former(push)
    if old:
        moved, notice = yield from _move(calls, old, body, notices)
        if moved:
            return Written(moved, tuple(notices))
        notices += [notice] if notice else []
        body = body if whole is None else whole
    member = subscriber_hash(str(body["email_address"]))
    response = yield from _sent(calls.put, member, body, notices)
    return Written(text_of(response, "id"), tuple(notices))


def _move(calls: Calls, old: str, body: Mapping[str, Any], notices: list[str]) -> Flow:
    """Change the address of the old member, which keeps its history; returns (its new hash or None, notice)."""
    change = {name: value for name, value in body.items() if name != "status_if_new"}
    try:
        response = yield from _sent(calls.patch, old, change, notices)
    except Permanent as refusal:
        if status_of(refusal) in (404, 405):
            return None, ""
        if title_of(refusal) != "member exists":
            raise
        return None, "The new address was in the audience already; the member of the old address stays beside it."
    return text_of(response, "id"), ""


def _sent(call: Any, member: str, body: Mapping[str, Any], notices: list[str]) -> Flow:
    """One bad merge value fails a whole member, so what Mailchimp names is left out and the rest is sent again."""
    try:
        return (yield call(member, body))
    except Permanent as refusal:
        given = body.get("merge_fields") or {}
        named = [(field.removeprefix("merge_fields."), words) for field, words in field_errors(refusal.response)]
        if not named or any(tag.partition(".")[0] not in given for tag, _ in named):
            raise
        notices += [f"Sent without {tag}: {words}" for tag, words in named]
        bad = {tag.partition(".")[0] for tag, _ in named}
        kept = {name: value for name, value in given.items() if name not in bad}
    return (yield call(member, {**body, "merge_fields": kept}))
