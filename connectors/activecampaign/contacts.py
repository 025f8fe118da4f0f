"""Contacts one by one: written, found, under a new address, deleted."""

from __future__ import annotations

from typing import Any, Final

from connectors.activecampaign import calls, fields
from connectors.activecampaign.answers import (
    id_in,
    is_duplicate,
    is_status,
    refused,
    rows,
)
from connectors.activecampaign.fields import Contact
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent
from hub.sdk.values import Accepted, Again, AnyPush, Batch, Progress, Report, Response

CONTACT_ID: Final = "contact_id"
MERGE: Final = (
    "ActiveCampaign has another contact with the new e-mail; that one was written. "
    "Merge the contact with the old e-mail into it in ActiveCampaign."
)


def address_of(push: AnyPush) -> str:
    """The e-mail, which is the key of a contact; empty if there is none."""
    return str(push.fields.get("email") or push.person.email or "")


def find(email: str) -> Flow:
    """The id of the contact with this e-mail, or None."""
    response: Response = yield calls.find(email)
    wanted = email.casefold()
    return next((str(one["id"]) for one in rows(response, "contacts") if _email(one) == wanted and "id" in one), None)


def _email(contact: Any) -> str:
    return str(contact.get("email") or "").casefold()


def found_or_made(push: AnyPush, *, is_made: bool) -> Flow:
    """The id of the person's contact: remembered, looked up, or new; None where it is none of these."""
    remembered = push.person.remembered.get(CONTACT_ID)
    if remembered:
        return remembered
    email = push.person.email or ""
    for address in filter(None, (email, push.person.previous.get("email"))):
        found = yield from find(address)
        if found:
            return found
    if not is_made:
        return None
    return id_in((yield calls.sync({"email": email})), "contact")


def gone(push: AnyPush, refusal: Permanent) -> list[Report]:
    """What follows when ActiveCampaign refuses a call about a contact: a remembered id may belong to a deleted one."""
    remembered = push.person.remembered.get(CONTACT_ID)
    if not is_status(refusal, 404) or not remembered:
        return [refused(push.delivery_id, refusal)]
    why = f"ActiveCampaign no longer knows contact {remembered}; it is looked up again by its e-mail."
    return [Progress(push.delivery_id, push.progress, {CONTACT_ID: None}), Again(push.delivery_id, why, counts=False)]


def sync_one(batch: Batch) -> Flow:
    """One contact; under its new address if that changed since ActiveCampaign last had it."""
    push, told = batch.records[0], batch.items[0].body
    known = (yield from fields.known()) if fields.needs_ids({**push.fields, **told["fields"]}) else {}
    contact = fields.contact_of(told["email"], told["fields"], known)
    notices: list[str] = []
    try:
        contact_id = None
        old = push.person.previous.get("email")
        if old:
            contact_id = yield from _move(push, old, contact, notices)
            if contact_id is None:  # another contact, which does not have what the old one has
                contact = fields.contact_of(told["email"], {**push.fields, **told["fields"]}, known)
        if contact_id is None:
            contact_id = id_in((yield calls.sync(contact.single())), "contact")
    except Permanent as refusal:
        yield [refused(push.delivery_id, refusal)]
        return
    notices += contact.notices()
    yield [Accepted(push.delivery_id, {CONTACT_ID: contact_id}, notices, receipt=contact_id)]


def _move(push: AnyPush, old: str, contact: Contact, notices: list[str]) -> Flow:
    """Write the contact that has the old address; its id, or None if there is none or the new address is taken."""
    remembered = push.person.remembered.get(CONTACT_ID)
    contact_id = remembered or (yield from find(old))
    while contact_id:
        try:
            yield calls.update(contact_id, contact.single())
            return contact_id
        except Permanent as refusal:
            if is_duplicate(refusal):
                notices.append(MERGE)
                return None
            if not is_status(refusal, 404):
                raise
        contact_id = (yield from find(old)) if contact_id == remembered else None
        remembered = None
    return None


def erase(batch: Batch) -> Flow:
    """Delete every contact that the remembered id or an address of the person leads to."""
    push = batch.records[0]
    ids = dict.fromkeys(filter(None, [push.person.remembered.get(CONTACT_ID)]))
    for email in addresses(push):
        found = yield from find(email)
        if found:
            ids[found] = None
    deleted = 0
    for contact_id in ids:
        try:
            yield calls.delete_contact(contact_id)
            deleted += 1
        except Permanent as refusal:
            if not is_status(refusal, 404):
                yield [refused(push.delivery_id, refusal)]
                return
    forgotten = dict.fromkeys([CONTACT_ID, *push.person.remembered])
    notices = () if deleted else ["ActiveCampaign has no contact with this person's e-mail."]
    yield [Accepted(push.delivery_id, forgotten, notices)]


def addresses(push: AnyPush) -> list[str]:
    """Every e-mail of the person, each once."""
    listed = [push.person.email, *(push.fields.get("emails") or ())]
    return list({str(one).casefold(): str(one) for one in listed if one}.values())
