"""What each operation asks of Mailchimp, one member at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connectors.mailchimp import members
from connectors.mailchimp.answers import Stopped, status_of, text_of
from connectors.mailchimp.calls import Calls, subscriber_hash
from connectors.mailchimp.members import REMEMBERED, Written, address, body_of
from connectors.mailchimp.settings import MailchimpSettings
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent, Retryable
from hub.sdk.values import (
    Accepted,
    Again,
    AnyPush,
    AudienceChange,
    ErasePush,
    EventPush,
    MessagePush,
    ProfilePush,
    Rejected,
)

EVENT_NAME: Final = 30
_OTHERS: Final = re.compile(r"[^A-Za-z0-9_-]+")
"""Event names hold letters, digits, _ and - (api/list-member-events)."""
ARCHIVED: Final = (
    "Mailchimp has archived this contact and lets nobody change it by API; unarchive it there, or let the person sign "
    "up again."
)
"""Archived members answer 405 to PATCH and DELETE, and allow GET and PUT."""
NOT_A_MEMBER: Final = "The address is not in the audience, so there was nothing to take away."


def profile(calls: Calls, settings: MailchimpSettings, push: ProfilePush) -> Flow:
    body, whole = members.profile_body(settings, push), body_of(settings, push, push.fields)
    return accepted(push, (yield from members.write(calls, push, body, whole)))


def event(calls: Calls, settings: MailchimpSettings, push: EventPush) -> Flow:
    name = _OTHERS.sub("_", push.name).strip("_")
    notices = []
    if len(name) > EVENT_NAME:
        name = name[:EVENT_NAME]
        notices.append(f"Mailchimp takes event names of {EVENT_NAME} characters; sent as {name}.")
    body = event_body(name, push.fields.get("properties") or {}, push.at, is_quiet=push.quiet)

    def act(member: str) -> Flow:
        yield calls.event(member, body)

    written = yield from on_member(calls, settings, push, act, may_create=settings.create_missing)
    return accepted(push, Written(written.member, (*notices, *written.notices)))


def message(calls: Calls, settings: MailchimpSettings, push: MessagePush) -> Flow:
    """The code as merge fields, then what starts the message; never before the member was written."""
    options = push.options
    tag = options.code_attribute
    given = {**({tag: push.code} if push.code is not None else {}), **(push.fields.get("merge_fields") or {})}
    try:
        written = yield from _code(calls, settings, push, given)
    except Retryable as error:
        if not error.unknown:
            raise
        raise Stopped(Again(push.delivery_id, f"{error} Nothing had been sent to the person yet.")) from error
    if options.trigger == "journey":
        yield calls.trigger(options.journey_id, options.step_id, address(push))
    else:
        properties = {tag.lower(): push.code, "distribution_id": push.distribution_id}
        properties.update(push.fields.get("properties") or {})
        body = event_body(options.event_name, properties, push.now, is_quiet=push.quiet)
        yield calls.event(written.member, body)
    return accepted(push, written)


def _code(calls: Calls, settings: MailchimpSettings, push: MessagePush, merge_fields: Mapping[str, Any]) -> Flow:
    body = body_of(settings, push, {"merge_fields": merge_fields})
    if settings.create_missing:
        return (yield from members.write(calls, push, body))

    def act(member: str) -> Flow:
        yield calls.patch(member, {"merge_fields": body["merge_fields"]})

    return (yield from on_member(calls, settings, push, act, may_create=False))


def event_body(name: str, properties: Mapping[str, Any], at: datetime, *, is_quiet: bool) -> dict[str, Any]:
    """`is_syncing` records an event without starting automations."""
    body: dict[str, Any] = {
        "name": name,
        "occurred_at": at.astimezone(UTC).isoformat(timespec="seconds"),
        "is_syncing": is_quiet,
    }
    texts = {key: text(value) for key, value in properties.items() if value is not None}
    return {**body, "properties": texts} if texts else body


def text(value: Any) -> str:
    """Event properties are texts; anything else is refused (api/list-member-events)."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def audience(calls: Calls, settings: MailchimpSettings, push: AudienceChange) -> Flow:
    name = push.fields.get("tag") or push.options.tag or push.audience

    def act(member: str) -> Flow:
        yield calls.tags(member, str(name), "active" if push.member else "inactive", is_quiet=push.quiet)

    may_create = settings.create_missing and push.member
    missing = "" if push.member else NOT_A_MEMBER
    return accepted(push, (yield from on_member(calls, settings, push, act, may_create=may_create, missing=missing)))


def on_member(
    calls: Calls,
    settings: MailchimpSettings,
    push: AnyPush,
    act: Callable[[str], Flow],
    *,
    may_create: bool,
    missing: str = "",
) -> Flow:
    """Do something to the person's member; returns Written. Who is not in the audience is added first, once.

    `missing`: where that is as good as done, the notice that says so.
    """
    for member in members.candidates(push):
        try:
            yield from act(member)
            return Written(member)
        except Permanent as refusal:
            if status_of(refusal) == 405 and not missing:
                raise Stopped(Rejected(push.delivery_id, ARCHIVED, code="archived")) from refusal
            if status_of(refusal) not in (404, 405):
                raise
    if missing:
        return Written("", (missing,))
    if not may_create:
        words = "The address is not in the audience; send the profile first, or set create_missing."
        raise Stopped(Rejected(push.delivery_id, words, code="no_member"))
    written = yield from members.write(calls, push, body_of(settings, push, {}))
    yield from act(written.member)
    return written


def erase(calls: Calls, settings: MailchimpSettings, push: ErasePush) -> Flow:
    """Every member the person may be: the remembered one, and those of the addresses known."""
    addresses = [*(push.fields.get("emails") or []), *([push.person.email] if push.person.email else [])]
    known = push.person.remembered.get(REMEMBERED)
    hashes = dict.fromkeys([*([known] if known else []), *(subscriber_hash(one) for one in addresses)])
    gone = 0
    for member in hashes:
        try:
            yield calls.delete(member) if settings.erase_by == "delete" else calls.archive(member)
        except Permanent as refusal:
            if status_of(refusal) == 405:
                yield from _is_gone(calls, settings, push, member)
            elif status_of(refusal) != 404:
                raise
        else:
            gone += 1
    notices = [] if gone else ["Mailchimp has no member with an address of this person."]
    return Accepted(push.delivery_id, {REMEMBERED: None}, notices)


def _is_gone(calls: Calls, settings: MailchimpSettings, push: ErasePush, member: str) -> Flow:
    """After a 405, which members get that are archived already, and also those that bounced or are pending."""
    try:
        status = text_of((yield calls.member(member)), "status")
    except Permanent as refusal:
        if status_of(refusal) != 404:
            raise
        return
    if status != "archived" or settings.erase_by == "delete":
        words = f"Mailchimp removes no {status} contact by API; delete it in Mailchimp, then replay."
        raise Stopped(Rejected(push.delivery_id, words, code="not_removable"))


def accepted(push: AnyPush, written: Written) -> Accepted:
    remember = {REMEMBERED: written.member} if written.member else {}
    return Accepted(push.delivery_id, remember, written.notices, receipt=written.member or None)
