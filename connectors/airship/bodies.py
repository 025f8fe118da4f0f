"""What the hub pushes, in Airship's shapes (docs.airship.com/developer/rest-api/ua, read 2026-08)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Final

from hub.sdk.values import EMPTY, EventPush, Json, MessagePush, ProfilePush

ADD: Final = "+tags"
REMOVE: Final = "-tags"
"""Under `attributes`: the names of true and of false traits (the mapping's dialect)."""
PER_CALL: Final = 100
"""Tags of one group in one call (operations/tags). For attributes no limit is published; the same is kept."""
OPTED: Final = {"granted": "in", "denied": "out"}
_SPACES: Final = re.compile(r"\s+")


def instant(at: datetime) -> str:
    """Airship takes no fractions of a second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def digits(phone: str) -> str:
    """An msisdn: digits only, without `+`."""
    return re.sub(r"\D", "", phone)


def event_name(name: str) -> str:
    """Upper-case letters fail the whole call (operations/custom-events)."""
    return _SPACES.sub("_", name.strip()).lower()


def event(push: EventPush) -> Json:
    return _event(push, push.name, push.at, push.fields)


def message_event(push: MessagePush) -> Json:
    """Stamped when sent, so that no automation finds it too old."""
    said = {"transaction": push.distribution_id, "properties": push.fields.get("properties") or _code(push)}
    return _event(push, push.options.event, push.now, said)


def _event(push: EventPush | MessagePush, name: str, at: datetime, said: Mapping[str, Json]) -> Json:
    body = {"name": event_name(name), "unique_id": push.vendor_key, "properties": {}, **said}
    return {"occurred": instant(at), "user": {"named_user_id": push.person.source_id}, "body": body}


def recipient(push: MessagePush) -> Json | None:
    """One entry of create-and-send, or None where no opted-in address is known."""
    kind = push.options.via
    known = push.fields.get(kind) or EMPTY
    address, opted_in = known.get("address" if kind == "email" else "msisdn"), known.get("opted_in")
    if not address or not opted_in:
        return None
    variables = push.fields.get("properties") or _code(push)
    if kind == "email":
        return {**variables, "ua_address": address, f"ua_{push.options.message_type}_opted_in": opted_in}
    return {**variables, "ua_msisdn": digits(address), "ua_opted_in": opted_in}


def _code(push: MessagePush) -> dict[str, Json]:
    return {} if push.code is None else {push.options.code_attribute: push.code}


def notification(options: Any) -> Json:
    """What create-and-send sends: a template, with who it comes from (schemas/create-and-send)."""
    template = {"template": {"template_id": options.template_id}}
    if options.via == "sms":
        return template
    return {
        "message_type": options.message_type,
        "sender_name": options.sender_name,
        "sender_address": options.sender_address,
        "reply_to": options.reply_to or options.sender_address,
        **template,
    }


def updates(push: ProfilePush, associate: Sequence[Json], disassociate: Sequence[Json]) -> list[dict[str, Json]]:
    """The bodies of `POST /named_users/{id}` for what changed; none if nothing of it did."""
    moves = {"associate": associate, "disassociate": disassociate}
    parts = zip_longest(*map(_chunks, (_attributes(push), *_tags(push))), fillvalue=())
    bodies: list[dict[str, Json]] = []
    for entries, add, remove in parts:
        tags = {
            way: {push.options.tag_group: list(names)} for way, names in (("add", add), ("remove", remove)) if names
        }
        bodies.append({"tags": tags, "attributes": list(entries)})
    if associate or disassociate:
        bodies[:1] = [{**moves, **(bodies[0] if bodies else {})}]
    return [{name: value for name, value in body.items() if value} for body in bodies]


def _attributes(push: ProfilePush) -> list[Json]:
    """The timestamp lets Airship drop a call that it works off after a newer one."""
    changed = push.changed.get("attributes") or EMPTY
    stamp = instant(push.now)
    entries = [
        {"action": "set", "key": name, "value": value, "timestamp": stamp}
        for name, value in changed.items()
        if value is not None and not isinstance(value, bool) and name not in (ADD, REMOVE)
    ]
    return entries + [{"action": "remove", "key": name, "timestamp": stamp} for name in _removed(push)]


def _tags(push: ProfilePush) -> tuple[list[str], list[str]]:
    """Tags to add and to remove; never the same one, which Airship refuses.

    A trait that was removed may have been true: then it is a tag, and no attribute.
    """
    changed = push.changed.get("attributes") or EMPTY
    add = [*(changed.get(ADD) or ()), *(name for name, value in changed.items() if value is True)]
    remove = [*(changed.get(REMOVE) or ()), *(name for name, value in changed.items() if value is False)]
    return add, [name for name in dict.fromkeys([*remove, *_removed(push)]) if name not in add]


def _removed(push: ProfilePush) -> list[str]:
    """Names of removed traits."""
    unset = [name.partition(".")[2] for name in push.unset if name.startswith("attributes.")]
    nulls = [name for name, value in (push.changed.get("attributes") or EMPTY).items() if value is None]
    return [name for name in dict.fromkeys([*unset, *nulls]) if name not in (ADD, REMOVE)]


def _chunks(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[start : start + PER_CALL] for start in range(0, len(values), PER_CALL)]
