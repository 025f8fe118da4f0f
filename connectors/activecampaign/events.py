"""Tracked events, and codes: the code goes onto the contact, then something starts the message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors.activecampaign import calls, fields
from connectors.activecampaign.answers import all_rows, body, certain, id_in, is_duplicate, refused
from connectors.activecampaign.contacts import CONTACT_ID, address_of
from connectors.activecampaign.members import add_tag
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent, Unreadable
from hub.sdk.json import dumps
from hub.sdk.values import Accepted, Batch, EventPush, Json, MessagePush, Response, Secret

NAME_CHARS: Final = 32
"""Longest name of an event (track-event)."""


@dataclass(frozen=True, slots=True)
class Tracker:
    """Where events go: the account number, and the event key."""

    actid: str
    key: Secret

    @property
    def is_set(self) -> bool:
        return bool(self.actid and self.key.reveal())


def eventdata(properties: Json, most: int) -> tuple[str, list[str]]:
    """One text for all properties, and the names of those that were left out to keep it short.

    A value by itself goes as it is; properties go as JSON, the last left out first.
    """
    if not isinstance(properties, Mapping):
        whole = fields.text(properties)
        return (whole, []) if len(whole) <= most else ("", ["the value"])
    kept = dict(properties)
    left_out: list[str] = []
    while kept:
        written = dumps(kept).decode()
        if len(written) <= most:
            return written, left_out
        left_out.append(str(kept.popitem()[0]))
    return "", left_out


def track(tracker: Tracker, batch: Batch) -> Flow:
    """One event. ActiveCampaign takes those it has a name of, so a new name is made known first."""
    push = batch.records[0]
    assert isinstance(push, EventPush)
    name, notices = push.name[:NAME_CHARS].rstrip(), []
    if name != push.name:
        notices.append(f"The name of the event was cut to {NAME_CHARS} characters: {name!r}.")
    written, left_out = eventdata(push.fields.get("eventdata"), push.options.eventdata_chars)
    if left_out:
        shown = ", ".join(reversed(left_out[-5:]))
        notices.append(f"{len(left_out)} properties did not fit into eventdata, among them {shown}.")
    try:
        yield from certain(make_known(name))
        yield from fire(tracker, name, written, address_of(push))
    except Permanent as refusal:
        yield [refused(push.delivery_id, refusal)]
        return
    yield [Accepted(push.delivery_id, notices=notices)]


def make_known(name: str) -> Flow:
    """Put a name on the account's list of events, unless it stands there."""
    listed = yield from all_rows(calls.event_names, "eventTrackingEvents")
    if any(str(one.get("name")) == name for one in listed):
        return
    try:
        yield calls.create_event(name, calls.pages("events", len(listed)))
    except Permanent as refusal:
        if not is_duplicate(refusal):
            raise


def fire(tracker: Tracker, name: str, written: str, email: str) -> Flow:
    """The event itself; `success` decides, whatever the status (track-event)."""
    response: Response = yield calls.track(tracker.actid, tracker.key, name, written, email)
    if body(response).get("success") not in (1, "1", True):
        raise Unreadable("Event tracking did not say whether it took the event.", response=response, unknown=True)


def required_field(push: MessagePush) -> str:
    """The field without which a message would come without its code; empty if there is no code."""
    return str(push.options.code_attribute) if push.code is not None else ""


def code_fields(push: MessagePush) -> dict[str, Json]:
    """The mapped fields, and the code even where the mapping leaves it out."""
    base = required_field(push)
    return {**({base: push.code} if base else {}), **push.fields}


def how_started(push: MessagePush) -> tuple[str, str]:
    """The word and the name in `automation:42`, `tag:spring`, `event:code_assigned` or `field`."""
    how, _, named = str(push.options.start).partition(":")
    return how, named


def send(tracker: Tracker, batch: Batch) -> Flow:
    """The code onto the contact first: only when it stands there may anything start."""
    push = batch.records[0]
    assert isinstance(push, MessagePush)
    told = code_fields(push)
    try:
        known = yield from certain(fields.known())
        contact = fields.contact_of(address_of(push), told, known)
        if required_field(push) in contact.missing:
            yield [fields.no_place(push.delivery_id, required_field(push))]
            return
        contact_id = yield from certain(_synced(contact))
        receipt = yield from _start(tracker, push, contact_id)
    except Permanent as refusal:
        yield [refused(push.delivery_id, refusal)]
        return
    yield [Accepted(push.delivery_id, {CONTACT_ID: contact_id}, contact.notices(), receipt=receipt)]


def _synced(contact: fields.Contact) -> Flow:
    return id_in((yield calls.sync(contact.single())), "contact")


def _start(tracker: Tracker, push: MessagePush, contact_id: str) -> Flow:
    """What sets the automation going; the vendor's reference of it, if there is one."""
    how, named = how_started(push)
    match how:
        case "automation":
            response: Response = yield calls.start_automation(contact_id, named)
            return id_in(response, "contactAutomation")
        case "tag":
            return (yield from add_tag(contact_id, named))
        case "event":
            yield from certain(make_known(named))
            yield from fire(tracker, named, push.code or "", address_of(push))
    return None
