"""The other end of the webhook: what Webhooks (Actions) posts, signed as Segment signs it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hub.sdk.kit.simulator.source import SimulatedSource, post
from hub.sdk.values import InboundRequest, Json


class SimulatedSegment(SimulatedSource):
    @classmethod
    def settings(cls, secret: str, previous: str | None = None) -> dict[str, Any]:
        return {"shared_secret": secret, "previous_shared_secret": previous}

    @classmethod
    def example_messages(cls) -> Sequence[Json]:
        common = {"userId": "cust_1001", "timestamp": "2026-03-14T09:00:00.120Z", "version": 2, "integrations": {}}
        return [
            {"type": "identify", "messageId": "sim-1", **common, "traits": {"email": "ada@example.com", "points": 120}},
            {"type": "track", "messageId": "sim-2", **common, "event": "Signed Up", "properties": {"plan": "team"}},
            {"type": "page", "messageId": "sim-3", **common, "name": "Tents", "properties": {"path": "/tents"}},
        ]

    def traits(self, message_id: str, source_id: str, at: datetime, traits: Mapping[str, Json]) -> Json:
        return {"type": "identify", **_common(message_id, source_id, at), "traits": dict(traits)}

    def event(self, message_id: str, source_id: str, at: datetime, name: str, properties: Mapping[str, Json]) -> Json:
        return {"type": "track", **_common(message_id, source_id, at), "event": name, "properties": dict(properties)}

    def sample_ids(self, number: str) -> Mapping[str, str]:
        return {"sim-1": number, "cust_1001": number}

    def signed(self, body: bytes, secret: str, now: datetime) -> InboundRequest:
        signature = hmac.new(secret.encode(), _signed_text(body), hashlib.sha1).hexdigest()
        return post(body, {"user-agent": "Segment (Actions)", "x-signature": signature}, now)


def _common(message_id: str, source_id: str, at: datetime) -> dict[str, Json]:
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"messageId": message_id, "userId": source_id, "timestamp": moment, "version": 2, "integrations": {}}


def _signed_text(body: bytes) -> bytes:
    """JSON.stringify of the event, or of the first one of a batch, made anew rather than cut out of the body."""
    if not body.startswith(b"["):
        return body
    try:
        first = json.loads(body)[0]
        return json.dumps(first, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, IndexError, RecursionError):
        return body
