"""What Airship needs several calls for: a profile (channels, association, attributes) and an erasure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from connectors.airship import bodies
from connectors.airship.answers import channel_id, refused, status, warnings
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent
from hub.sdk.values import EMPTY, Accepted, ErasePush, Json, ProfilePush, Progress, Request, Response

EMAIL: Final = "email_channel"
SMS: Final = "sms_channel"
"""Names of the channel ids that are remembered once the channel belongs to the named user."""


class Calls:
    """Airship's calls, as requests. Every call asks for version 3 (406 without) and names the project."""

    def __init__(self, app_key: str, sms_sender: str) -> None:
        self.sms_sender = sms_sender
        self._headers = {"Accept": "application/vnd.urbanairship+json; version=3", "X-UA-Appkey": app_key}

    def post(self, path: str, body: Json) -> Request:
        return Request("POST", path, headers=self._headers, json=body)

    def find(self, source_id: str) -> Request:
        return Request("GET", "/api/named_users", query={"id": source_id}, headers=self._headers)

    def register_email(self, channel: Mapping[str, Json]) -> Request:
        return self.post("/api/channels/email", {"channel": {"type": "email", **channel}})

    def replace_email(self, old: str, channel: Mapping[str, Json]) -> Request:
        path = f"/api/channels/email/replace/{quote(old, safe='')}"
        return self.post(path, {"channel": {"type": "email", **channel}})

    def register_sms(self, channel: Mapping[str, Json]) -> Request:
        body = {**channel, "msisdn": bodies.digits(channel["msisdn"]), "sender": self.sms_sender}
        return self.post("/api/channels/sms", body)

    def associate(self, source_id: str, address: str, *, way: str = "associate") -> Request:
        return self.post(f"/api/named_users/{way}", {"email_address": address, "named_user_id": source_id})

    def update(self, source_id: str, body: Mapping[str, Json]) -> Request:
        return self.post(f"/api/named_users/{quote(source_id, safe='')}", body)


def sync_profile(calls: Calls, push: ProfilePush) -> Flow:
    """Channels first, since a named user without one cannot be messaged; then attributes and tags.

    Each step can be repeated: registering a known address answers its channel id, associating again changes nothing.
    """
    one, notices = push.delivery_id, []
    remember: dict[str, str | None] = {}
    try:
        known: str | None = yield from _email(calls, push)
        if known != push.person.remembered.get(EMAIL):
            yield [Progress(one, None, {EMAIL: known})]
        associate, disassociate, remember = yield from _sms(calls, push)
        for body in bodies.updates(push, associate, disassociate):
            response, more = yield from _update(calls, push, body)
            notices += [*warnings(response), *more]
    except Permanent as refusal:
        yield [refused(one, refusal)]
        return
    yield [Accepted(one, remember, notices)]


def _email(calls: Calls, push: ProfilePush) -> Flow:
    """The id of the e-mail channel that belongs to the named user in the end."""
    person = push.person
    known, before = person.remembered.get(EMAIL), person.previous.get("email")
    channel = push.fields.get(EMAIL) or EMPTY
    address = channel.get("address")
    if not address:
        if known is None or before is None:
            return known
        yield from _unless_gone(calls.associate(person.source_id, before, way="disassociate"))
        return None
    if known and EMAIL not in push.changed:
        return known
    found = None
    if known and before and before.lower() != str(address).lower():
        # Without `replace` the old address would stay attached, and be messaged (operations/email).
        response: Response | None = yield from _unless_gone(calls.replace_email(known, channel))
        found = channel_id(response) if response is not None else None
    if found is None:
        found = channel_id((yield calls.register_email(channel)))
    if found != known:
        yield calls.associate(person.source_id, address)
    return found


def _sms(calls: Calls, push: ProfilePush) -> Flow:
    """(associate, disassociate, remember) of the SMS channel.

    Registered only with the date of a consent: without one, each registration texts a request to opt in.
    """
    known, before = push.person.remembered.get(SMS), push.person.previous.get("phone")
    channel = push.fields.get(SMS) or EMPTY
    msisdn = channel.get("msisdn")
    is_left = not msisdn or (before is not None and bodies.digits(before) != bodies.digits(msisdn))
    found = None if is_left else known
    if calls.sms_sender and msisdn and channel.get("opted_in") and (SMS in push.changed or not known):
        found = channel_id((yield calls.register_sms(channel)))
    if found == known:
        return [], [], {}
    associate = [{"channel_id": found, "device_type": "sms"}] if found else []
    disassociate = [{"channel_id": known, "device_type": "sms"}] if known else []
    return associate, disassociate, {SMS: found}


def _update(calls: Calls, push: ProfilePush, body: dict[str, Any]) -> Flow:
    """(answer, notices). Where an attribute to remove is none that Airship knows, the rest goes without it."""
    source_id = push.person.source_id
    try:
        return (yield calls.update(source_id, body)), []
    except Permanent as refusal:
        entries = body.get("attributes") or []
        rest = {name: value for name, value in body.items() if name != "attributes"}
        if status(refusal) != 400 or not rest or not entries or any(entry["action"] == "set" for entry in entries):
            raise
    names = ", ".join(entry["key"] for entry in entries)
    return (yield calls.update(source_id, rest)), [f"Airship has no attribute {names}, so there was none to remove."]


def erase(calls: Calls, push: ErasePush) -> Flow:
    """The named user with all its channels; then addresses that stand alone, as create-and-send makes them."""
    person = push.person
    steps = [calls.post("/api/named_users/uninstall", {"named_user_id": [person.source_id]})]
    emails = dict.fromkeys([*filter(None, [person.email]), *(push.fields.get("emails") or ())])
    steps += [calls.post("/api/channels/email/uninstall", {"email_address": email}) for email in emails]
    phones = dict.fromkeys([*filter(None, [person.phone]), *(push.fields.get("phones") or ())])
    if calls.sms_sender:
        sender = {"sender": calls.sms_sender}
        steps += [
            calls.post("/api/channels/sms/uninstall", {"msisdn": bodies.digits(phone), **sender}) for phone in phones
        ]
    is_known = False
    for step in steps:
        try:
            is_known |= (yield from _unless_gone(step)) is not None
        except Permanent as refusal:
            yield [refused(push.delivery_id, refusal)]
            return
    notices = [] if is_known else ["Airship knows neither this person nor their addresses."]
    yield [Accepted(push.delivery_id, {EMAIL: None, SMS: None}, notices)]


def _unless_gone(request: Request) -> Flow:
    """The answer, or None where Airship knows no such channel or named user (404)."""
    try:
        return (yield request)
    except Permanent as refusal:
        if status(refusal) != 404:
            raise
        return None
