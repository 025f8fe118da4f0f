"""What the hub pushes, in CleverTap's shapes.

Pages: developer.clevertap.com/docs/ (upload-user-profiles-api, upload-events-api, events-object, external-trigger-api,
subscribe-api, delete-user-profile-api).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from hub.sdk.values import AudienceChange, ConsentChange, EventPush, Item, Json, MessagePush, ProfilePush, Push

MAX_BYTES: Final = 512  # of a text value; names have 120
NAME_BYTES: Final = 120
DELETE: Final = {"$delete": 1}
_FORBIDDEN: Final = str.maketrans(dict.fromkeys("%><!|&.:;$'\"\\", "_"))
_STATUS: Final = {"granted": "Resubscribe", "denied": "Unsubscribe"}


def profile(push: ProfilePush) -> Item:
    """What changed, and an operator for each attribute to remove, since null removes nothing."""
    removed = {name: DELETE for name in push.unset if name not in push.changed}
    return _profile(push, {**fitted(push.changed), **removed})


def audience(push: AudienceChange) -> Item:
    name = push.fields.get("attribute") or push.options.attribute
    value = push.fields.get("value") or push.audience
    return _profile(push, {name: {"$add" if push.member else "$remove": [value]}})


def event(push: EventPush) -> Item:
    """A backfill is marked as such: CleverTap has no quiet way to add an event, though it starts no live campaign for one
    that is older than two hours."""
    quiet = {"is_backfill": True} if push.quiet else {}
    return _event(push, push.name, push.at, {**(push.fields.get("evtData") or {}), **quiet})


def message(push: MessagePush) -> Item:
    """Stamped when sent: a live campaign ignores what is older than two hours."""
    return _event(push, push.options.event, push.now, _coded(push, "evtData"))


def trigger(push: MessagePush) -> Item:
    """What it carries is shared by all recipients of a call, hence one call per code; its values are texts."""
    values = {name: _text(value) for name, value in _coded(push, "ExternalTrigger").items() if value is not None}
    to = {"identity": [push.person.source_id]}
    return Item(
        push.delivery_id, "trigger", {"to": to, "campaign_id": push.options.campaign_id, "ExternalTrigger": values}
    )


def consent(push: ConsentChange) -> Item | None:
    """A category of a channel, an address, or the flag of this profile alone; None where CleverTap has no place for it."""
    status, fields = push.consent.get("status"), push.fields
    if status not in _STATUS:
        return None
    is_granted = status == "granted"
    if fields.get("category"):
        return _profile(push, {f"category-{_STATUS[status].lower()}": fields["category"]})
    if push.options.by == "address" and fields.get("type") and fields.get("value"):
        told = {"type": fields["type"], "value": fields["value"], "status": _STATUS[status]}
        return Item(push.delivery_id, "subscribe", told)
    return _profile(push, {fields["flag"]: is_granted}) if fields.get("flag") else None


def fitted(fields: Mapping[str, Json]) -> dict[str, Json]:
    """The fields without nulls, texts cut to what CleverTap holds. It counts bytes, a mapping's dialect characters."""
    return {name: _cut(value, MAX_BYTES) for name, value in fields.items() if value is not None}


def cut_names(fields: Mapping[str, Json]) -> Sequence[str]:
    """The fields that `fitted` cuts."""
    return [name for name, value in fields.items() if value is not None and _cut(value, MAX_BYTES) != value]


def _profile(push: Push, data: Mapping[str, Json]) -> Item:
    return _upload(push, "profile", push.now, {"profileData": dict(data)})


def _event(push: Push, name: str, at: datetime, data: Mapping[str, Json]) -> Item:
    clean = _cut(name.translate(_FORBIDDEN), NAME_BYTES)
    return _upload(push, "event", at, {"evtName": clean, "evtData": fitted(data)})


def _upload(push: Push, kind: str, at: datetime, rest: Mapping[str, Json]) -> Item:
    record = {"type": kind, "identity": push.person.source_id, "ts": int(at.timestamp() // 1), **rest}
    return Item(push.delivery_id, "upload", record)


def _coded(push: MessagePush, container: str) -> dict[str, Any]:
    code = {} if push.code is None else {push.options.code_attribute: push.code}
    return {**code, **(push.fields.get(container) or {})}


def _cut(value: Json, most: int) -> Json:
    if not isinstance(value, str) or len(value) <= most // 4:
        return value
    raw = value.encode("utf-8", "replace")
    return value if len(raw) <= most else raw[:most].decode("utf-8", "ignore")


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
