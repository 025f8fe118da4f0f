"""The Firehose dialect: mParticle's partner endpoint. Each request has a type, and an answer of the matching type.

Shapes: mParticle/mparticle-firehose-java-sdk 3.2.0, examples/json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.mparticle.messages import Encode, decode, dedup_key, hint, memberships, text
from hub.sdk.errors import PayloadInvalid
from hub.sdk.values import Json, RawMessage, Received, Reply

REGISTRATION: Final = "module_registration_request"
EVENTS: Final = "event_processing_request"
SUBSCRIPTION: Final = "audience_subscription_request"
MEMBERSHIP: Final = "audience_membership_change_request"
ERASURE: Final = "dsr_processing_request"
TYPES: Final = frozenset({REGISTRATION, EVENTS, SUBSCRIPTION, MEMBERSHIP, ERASURE})
SECRETS: Final = ("account",)
"""Holds the account's settings, API keys among them; nothing may store it."""


def is_firehose(value: Json) -> bool:
    return isinstance(value, dict) and text(value.get("type")) in TYPES


def is_registration(body: bytes) -> bool:
    """Whether this is the one request that is answered before anybody has signed in; it stores nothing."""
    if len(body) > 65_536 or REGISTRATION.encode() not in body:
        return False
    value, _ = decode(body)
    return isinstance(value, dict) and value.get("type") == REGISTRATION


def receive(value: Json, encode: Encode) -> Received:
    """The messages of a request, and the answer mParticle waits for."""
    if not is_firehose(value):
        raise PayloadInvalid("The body is not a Firehose request; nothing of it was kept.")
    kind = value["type"].strip()
    reply = Reply(200, _answer(value, kind))
    if kind == MEMBERSHIP:
        return Received(memberships(value, encode), reply)
    if kind in (EVENTS, ERASURE):
        message = {name: one for name, one in value.items() if name not in SECRETS}
        return Received([RawMessage(encode(message), dedup_key(value), hint(message))], reply)
    return Received((), reply)


def _answer(value: Mapping[str, Any], kind: str) -> Json:
    answer: dict[str, Json] = {
        "type": kind.replace("_request", "_response"),
        "id": value.get("id"),
        "timestamp_ms": value.get("timestamp_ms"),
        "firehose_version": value.get("firehose_version", "3.2.0"),
    }
    if kind == REGISTRATION:
        answer |= _REGISTRATION
    if kind == SUBSCRIPTION:
        answer["audience_subscription_settings"] = value.get("audience_subscription_settings") or {}
    return answer


_REGISTRATION: Final[dict[str, Json]] = {
    "name": "Switchboard",
    "version": "1.0",
    "description": "Profiles, events, audiences and erasures for the hub.",
    "permissions": {
        "user_identities": [
            {"type": kind, "encoding": "raw", "required": False} for kind in ("customer", "email", "mobile_number", "other")
        ],
        "device_identities": [],
        "allow_access_mpid": True,
        "allow_user_attributes": True,
    },
    "event_processing_registration": {
        "supported_runtime_environments": [
            {"type": kind} for kind in ("android", "ios", "mobileweb", "unknown", "tvos", "roku", "firetv")
        ],
        "supported_event_types": [
            "custom_event", "screen_view", "product_action", "promotion_action", "impression", "user_attribute_change",
            "user_identity_change", "session_start", "session_end", "privacy_setting_change",
        ],
        "max_data_age_hours": 24,
    },
    "audience_processing_registration": {"account_settings": [], "audience_connection_settings": []},
    "dsr_processing_registration": {"account_settings": [], "supported_dsr_types": ["erasure"]},
}  # fmt: skip
