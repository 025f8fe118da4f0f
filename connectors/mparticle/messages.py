"""Bodies into messages. One batch is one message; a Firehose membership request is one message per profile."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from hub.sdk.errors import PayloadInvalid
from hub.sdk.json import MAX_DEPTH, depth_exceeds, loads
from hub.sdk.values import Json, RawMessage

Encode = Callable[[Any], bytes]
HINTS: Final = ("customer_id", "customerid", "customer", "email")
FORBIDDEN: Final = ("api_key", "api_keys")
"""Credentials that older SDKs put into a batch; nothing may store them."""


def decode(body: bytes) -> tuple[Json, Encode]:
    """The parsed body, and how to write a part of it so that it reads back the same.

    Raises PayloadInvalid for an empty body, text that is not JSON in UTF-8, or one that nests too deep.
    """
    if not body.strip():
        raise PayloadInvalid("The body is empty; a batch is a JSON object.")
    encode: Encode = orjson.dumps
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value, encode = _odd(body), _exact
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and depth_exceeds(value):
        raise PayloadInvalid(f"The body nests deeper than {MAX_DEPTH} levels; nothing of it was kept.")
    return value, encode


def batch(value: Json, body: bytes, encode: Encode) -> RawMessage:
    """One batch as it came; what is not an object is taken all the same and ends in quarantine."""
    if not isinstance(value, dict):
        return RawMessage(body)
    if any(name in value for name in FORBIDDEN):
        value = {name: one for name, one in value.items() if name not in FORBIDDEN}
        body = encode(value)
    return RawMessage(body, dedup_key(value), hint(value))


def batches(value: Json, encode: Encode) -> list[RawMessage]:
    """The batches of a bulk call."""
    if not isinstance(value, list) or not value:
        raise PayloadInvalid("The body is not a list of batches; nothing of it was kept.")
    return [batch(one, encode(one), encode) for one in value]


def memberships(value: Mapping[str, Any], encode: Encode) -> list[RawMessage]:
    """One message per profile of a membership request; a heartbeat, which has none, gives none."""
    profiles = value.get("user_profiles")
    if not isinstance(profiles, list):
        return []
    shared = {name: value[name] for name in ("type", "id", "timestamp_ms", "firehose_version") if name in value}
    request_id = text(value.get("id"))
    messages = []
    for index, profile in enumerate(profiles):
        message = {**profile, **shared} if isinstance(profile, dict) else profile
        key = f"{request_id}.{index}" if request_id and isinstance(profile, dict) else None
        messages.append(RawMessage(encode(message), key, hint(message)))
    return messages


def dedup_key(value: Mapping[str, Any]) -> str | None:
    """The batch's own id, wherever this output prints it. Never `batch_id` alone: by default each event is a request of its
    own, and several may share one."""
    for name in ("message_id", "source_request_id", "id", "request_id", "subject_request_id"):
        if found := text(value.get(name)):
            return found
    events = value.get("events")
    if isinstance(events, list) and len(events) == 1 and isinstance(events[0], dict):
        first = events[0]
        data = first.get("data")
        data = data if isinstance(data, dict) else {}
        return text(first.get("message_id")) or text(data.get("event_id")) or text(data.get("source_message_id"))
    return None


def hint(value: Json) -> str | None:
    """Something that tells people apart, for routing only."""
    if not isinstance(value, dict):
        return None
    identities = value.get("user_identities")
    if isinstance(identities, list):
        pairs = {text(one.get("identity_type") or one.get("type")): one for one in identities if isinstance(one, dict)}
        identities = {name: one.get("identity") or one.get("value") for name, one in pairs.items()}
    known: Mapping[Any, Any] = identities if isinstance(identities, dict) else {}
    for name in HINTS:
        if found := text(known.get(name)):
            return found
    return text(value.get("mpid"))


def text(value: Json) -> str | None:
    """An id as text: trimmed, integers in digits; None for what cannot be one."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _odd(body: bytes) -> Json:
    try:
        return loads(body)
    except ValueError as error:
        raise PayloadInvalid("The body is not JSON in UTF-8; nothing of it was kept.") from error


def _exact(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
