"""Audiences as tags, consent as list subscriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.activecampaign import calls
from connectors.activecampaign.answers import all_rows, id_in, is_duplicate, is_status
from connectors.activecampaign.contacts import CONTACT_ID, found_or_made, gone
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent
from hub.sdk.values import Accepted, AudienceChange, Batch, ConsentChange, Rejected, Response

SUBSCRIBED: Final = "1"
UNSUBSCRIBED: Final = "2"
NO_CONTACT: Final = "ActiveCampaign has no contact with this e-mail, so there was nothing to take away."


def tag_name(push: AudienceChange) -> str:
    return str(push.options.tag or push.fields.get("tag") or f"segment:{push.audience}")


def tag_id(name: str, *, is_made: bool) -> Flow:
    """The id of the tag with this name, made if there is none; None if there is none and none is to be made."""
    listed = yield from all_rows(lambda offset: calls.tags(name, offset), "tags")
    found = _named(name, listed)
    if found or not is_made:
        return found
    try:
        return id_in((yield calls.create_tag(name, calls.pages(calls.tags_key(name), len(listed)))), "tag")
    except Permanent as refusal:
        if not is_duplicate(refusal):
            raise
        # It was made since the list was read: the error is "Duplicate entry", whatever the case of the name.
        listed = yield from all_rows(lambda offset: calls.tags(name, offset, is_fresh=True), "tags")
        found = _named(name, listed)
        if not found:
            raise
        return found


def _named(name: str, listed: Sequence[Mapping[str, Any]]) -> str | None:
    """ActiveCampaign compares the names of tags whatever their case."""
    wanted = name.casefold()
    return next((str(one["id"]) for one in listed if str(one.get("tag") or "").casefold() == wanted), None)


def add_tag(contact_id: str, name: str) -> Flow:
    """The id of the contactTag, which is needed to take the tag away again."""
    tag = yield from tag_id(name, is_made=True)
    return id_in((yield calls.add_tag(contact_id, tag)), "contactTag")


def change_audience(batch: Batch) -> Flow:
    """The tag of the audience, put on the contact or taken away."""
    push = batch.records[0]
    assert isinstance(push, AudienceChange)
    name, member = tag_name(push), push.member
    key = f"contact_tag:{name.casefold()}"
    try:
        if not member and (yield from _is_removed(push.person.remembered.get(key))):
            yield [Accepted(push.delivery_id, {key: None})]
            return
        contact_id = yield from found_or_made(push, is_made=member)
        if contact_id is None:
            yield [Accepted(push.delivery_id, {key: None}, [NO_CONTACT])]
            return
        if member:
            contact_tag = yield from add_tag(contact_id, name)
            yield [Accepted(push.delivery_id, {CONTACT_ID: contact_id, key: contact_tag}, receipt=contact_tag)]
            return
        yield from _take_away(contact_id, name)
    except Permanent as refusal:
        yield gone(push, refusal)
        return
    yield [Accepted(push.delivery_id, {CONTACT_ID: contact_id, key: None})]


def _is_removed(contact_tag: str | None) -> Flow:
    """Whether the remembered contactTag was there to remove; an old one may have been replaced in ActiveCampaign."""
    if not contact_tag:
        return False
    try:
        yield calls.remove_tag(contact_tag)
    except Permanent as refusal:
        if not is_status(refusal, 404):
            raise
        return False
    return True


def _take_away(contact_id: str, name: str) -> Flow:
    """Find the contactTag, whose id removal needs, and delete it; nothing to do where the contact lacks the tag."""
    tag = yield from tag_id(name, is_made=False)
    if tag is None:
        return
    carried = yield from all_rows(lambda offset: calls.tags_of(contact_id, offset), "contactTags")
    for one in carried:
        if str(one.get("tag")) == tag:
            yield from _is_removed(str(one.get("id")))


def list_of(push: ConsentChange, default: str) -> str:
    """The list that stands for this consent; empty if there is none.

    The mapping may name one for any topic; the list of the options, or of the connection, stands for `email`.
    """
    mapped = push.fields.get("list_id")
    if mapped:
        return str(mapped)
    return str(push.options.list_id or default) if push.consent.get("topic") == "email" else ""


def change_consent(batch: Batch, default_list: str) -> Flow:
    """Subscribe to the list, or unsubscribe from it.

    Status 1 would revive somebody who unsubscribed by hand, so the present state is read first (section 6 of the sheet
    behind docs/connectors/activecampaign.md; update-list-status-for-contact).
    """
    push = batch.records[0]
    assert isinstance(push, ConsentChange)
    list_id, is_granted = list_of(push, default_list), push.consent.get("status") == "granted"
    try:
        contact_id = yield from found_or_made(push, is_made=is_granted)
        if contact_id is None:
            yield [Accepted(push.delivery_id, notices=[NO_CONTACT])]
            return
        present = (yield from _status(contact_id, list_id)) if is_granted else None
        if present == UNSUBSCRIBED and not push.options.resubscribe:
            words = (
                f"The contact unsubscribed from list {list_id} in ActiveCampaign; it is not subscribed again. "
                "Set the option resubscribe if the new consent is meant to undo that."
            )
            yield [Rejected(push.delivery_id, words, code="unsubscribed")]
            return
        if present != SUBSCRIBED:
            status = SUBSCRIBED if is_granted else UNSUBSCRIBED
            response: Response = yield calls.set_list(contact_id, list_id, status, is_again=present == UNSUBSCRIBED)
            id_in(response, "contactList")
    except Permanent as refusal:
        yield gone(push, refusal)
        return
    yield [Accepted(push.delivery_id, {CONTACT_ID: contact_id})]


def _status(contact_id: str, list_id: str) -> Flow:
    """The contact's status on the list as text, or None."""
    listed = yield from all_rows(lambda offset: calls.lists_of(contact_id, offset), "contactLists")
    return next((str(one.get("status")) for one in listed if str(one.get("list")) == list_id), None)


def is_unknown(push: ConsentChange) -> bool:
    return push.consent.get("status") not in ("granted", "denied")
