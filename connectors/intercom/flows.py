"""What each operation asks of Intercom. One record at a time: the stable versions have no call for several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.intercom import moments
from connectors.intercom.answers import Stopped, identifier, listed, status_of
from connectors.intercom.calls import Calls
from connectors.intercom.contacts import (
    REMEMBERED,
    Written,
    absent,
    at_least,
    find,
    find_all,
    on_contact,
    write,
    write_anew,
)
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent, Retryable
from hub.sdk.values import (
    Accepted,
    Again,
    AnyPush,
    AudienceChange,
    ConsentChange,
    ErasePush,
    EventPush,
    MessagePush,
    ProfilePush,
    Progress,
    Rejected,
)

METADATA_KEYS: Final = 10
NEW_CONTACT_S: Final = 60.0
WANTED: Final = {"granted": "opt_in", "denied": "opt_out"}


def profile(calls: Calls, push: ProfilePush) -> Flow:
    """What changed; null clears a field or an attribute."""
    fields = {name: dict(value) if isinstance(value, Mapping) else value for name, value in push.changed.items()}
    for name in push.unset:
        container, _, key = name.partition(".")
        if not key:
            fields[name] = None
        else:
            fields.setdefault(container, {})[key] = None
    return _accepted(push, (yield from write(calls, push, fields, whole=push.fields)))


def event(calls: Calls, push: EventPush, *, may_create: bool) -> Flow:
    """An event; a person Intercom does not know is created first."""
    metadata, notices = _first_keys(push.fields.get("metadata") or {}, push.options.metadata_keys)
    return (yield from _tell(calls, push, push.name, metadata, notices, may_create=may_create))


def message(calls: Calls, push: MessagePush, *, may_create: bool) -> Flow:
    """The code as attributes first, then the event whose workflow sends it."""
    attributes = {push.options.code_attribute: push.code} if push.code is not None else {}
    fields = {"custom_attributes": {**attributes, **(push.fields.get("custom_attributes") or {})}}
    if may_create or (yield from _is_known(calls, push)):
        written = yield from write(calls, push, fields)
    else:
        raise Stopped(absent(push))
    metadata = {"distribution_id": push.distribution_id, **attributes, **(push.fields.get("metadata") or {})}
    kept, notices = _first_keys(metadata, [push.options.code_attribute])
    told = yield from _tell(calls, push, push.options.event_name, kept, notices, may_create=False)
    return Accepted(
        told.delivery_id, {**told.remember, REMEMBERED: written.contact_id}, [*written.notices, *told.notices]
    )


def _is_known(calls: Calls, push: AnyPush) -> Flow:
    return bool(push.person.remembered.get(REMEMBERED) or (yield from find(calls, push)))


def _tell(
    calls: Calls,
    push: EventPush | MessagePush,
    name: str,
    metadata: Mapping[str, Any],
    notices: list[str],
    *,
    may_create: bool,
) -> Flow:
    created_at = moments.second(push, name)
    remember: dict[str, str] = moments.remember(push, name, created_at)
    body = {"event_name": name, "created_at": created_at, "user_id": push.person.source_id}
    if metadata:
        body["metadata"] = metadata
    stamp = Progress(push.delivery_id, {"created_at": created_at}, remember)
    if created_at != moments.natural(push):
        yield [stamp]
    try:
        created = yield from _post(calls, push, body, may_create=may_create)
    except Retryable as error:
        if error.unknown:  # the second may be taken: a repeat keeps it, another event keeps off it
            yield [stamp]
        raise
    return Accepted(push.delivery_id, {**remember, **created}, notices)


def _post(calls: Calls, push: AnyPush, body: Mapping[str, Any], *, may_create: bool) -> Flow:
    """POST the event; returns what to remember of a contact made for it."""
    try:
        yield calls.event(body)
        return {}
    except Permanent as refusal:
        if status_of(refusal) != 404:
            raise
    if not may_create:
        if isinstance(push, MessagePush):
            raise Stopped(Again(push.delivery_id, "Intercom does not know the new contact yet.", NEW_CONTACT_S))
        raise Stopped(absent(push))
    written = yield from write_anew(calls, push)
    try:
        yield calls.event(body)
    except Permanent as refusal:
        if status_of(refusal) != 404:
            raise
        waiting = Again(push.delivery_id, "Intercom does not know the new contact yet.", NEW_CONTACT_S)
        raise Stopped(waiting) from refusal
    return {REMEMBERED: written.contact_id}


def _first_keys(metadata: Mapping[str, Any], first: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Ten keys; Intercom drops what comes after, without a word (events, metadata)."""
    order = [name for name in first if name in metadata]
    order += [name for name in metadata if name not in order]
    left_out = order[METADATA_KEYS:]
    notices = [f"Intercom keeps {METADATA_KEYS} metadata keys; left out: {', '.join(left_out)}."] if left_out else []
    return {name: metadata[name] for name in order[:METADATA_KEYS]}, notices


def audience(calls: Calls, push: AudienceChange, *, may_create: bool) -> Flow:
    """A tag on the contact, or its removal. Segments cannot be written by API."""
    name = push.fields.get("tag") or push.options.tag or push.audience

    def act(contact_id: str, turn: int) -> Flow:
        tag_id = identifier((yield calls.tag(name, is_fresh=turn > 1)))
        yield (calls.add_tag if push.member else calls.remove_tag)(contact_id, tag_id)

    missing = "" if push.member else "Intercom has no such contact, or it did not carry the tag."
    written = yield from on_contact(calls, push, act, may_create=may_create and push.member, missing=missing)
    return _accepted(push, written)


def consent(calls: Calls, push: ConsentChange, *, may_create: bool) -> Flow:
    """The e-mail switch of the contact, or a subscription type. What has neither was refused by `items`."""
    status = str(push.consent["status"])
    type_id = subscription_type(push)
    if type_id is None:
        fields: dict[str, Any] = {"unsubscribed_from_emails": status == "denied"}
        known = push.person.remembered.get(REMEMBERED) or (yield from find(calls, push))
        if not known and not may_create:
            raise Stopped(absent(push))
        return _accepted(push, (yield from write(calls, push, fields if known else {**at_least(push), **fields})))
    kinds = {str(one.get("id")): one.get("consent_type") for one in listed((yield calls.subscription_types()))}
    if type_id not in kinds:
        words = f"Intercom has no subscription type {type_id}; its types are {', '.join(sorted(kinds)) or 'none'}."
        raise Stopped(Rejected(push.delivery_id, words, code="unknown_subscription_type"))

    def act(contact_id: str, _turn: int) -> Flow:
        if kinds[type_id] == WANTED[status]:
            yield calls.attach(contact_id, type_id, WANTED[status])
        else:  # the opposite choice, if there is one, is taken back: that leaves the type's default
            yield from _detach(calls, contact_id, type_id)

    return _accepted(push, (yield from on_contact(calls, push, act, may_create=may_create)))


def subscription_type(push: ConsentChange) -> str | None:
    found = push.fields.get("subscription_type") or push.options.subscription_types.get(push.consent["topic"])
    return str(found) if found else None


def _detach(calls: Calls, contact_id: str, type_id: str) -> Flow:
    try:
        yield calls.detach(contact_id, type_id)
    except Permanent as refusal:
        if status_of(refusal) != 404:
            raise
        yield calls.contact(contact_id)  # a 404 here is about the contact, else there was no such choice


def erase(calls: Calls, push: ErasePush) -> Flow:
    """Delete every contact of the person, for good."""
    known = push.person.remembered.get(REMEMBERED)
    found = yield from find_all(calls, push.person.source_id)
    ids = dict.fromkeys([*([known] if known else []), *found])
    if not ids and calls.is_search_late and push.attempt == 1:
        words = "Intercom's search knows no contact of this person; asked again when its index has caught up."
        raise Stopped(Again(push.delivery_id, words, after_s=300.0, counts=True))
    deleted = 0
    for contact_id in ids:
        try:
            yield calls.delete(contact_id)
        except Permanent as refusal:
            if status_of(refusal) != 404:
                raise
        else:
            deleted += 1
    notices = [] if deleted else ["Intercom knows no contact of this person."]
    return Accepted(push.delivery_id, {REMEMBERED: None, moments.REMEMBERED: None}, notices)


def _accepted(push: AnyPush, written: Written) -> Accepted:
    remember = {REMEMBERED: written.contact_id} if written.contact_id else {}
    return Accepted(push.delivery_id, remember, written.notices, receipt=written.contact_id or None)
