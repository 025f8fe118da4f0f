"""Requests as Segment and its client libraries make them, and the source that takes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.segment.connector import Segment, SegmentSettings
from hub.sdk.json import loads
from hub.sdk.values import InboundRequest, RawMessage

SAMPLES = Path(__file__).parents[2] / "samples" / "segment"
SECRET = "example-shared-secret"
KEY = "example-write-key"
NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
SOURCE = Segment(
    SegmentSettings.model_validate({"shared_secret": SECRET, "write_key": KEY, "previous_write_key": "old-write-key"})
)


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:".encode()).decode()


def webhook(body: bytes, method: str = "POST") -> InboundRequest:
    headers = {"x-signature": hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()}
    return InboundRequest(method, "", {}, headers, body, body, "203.0.113.9", NOW)


def sdk(path: str, body: Any, authorization: str = basic(KEY), method: str = "POST") -> InboundRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"authorization": authorization} if authorization else {}
    return InboundRequest(method, path, {}, headers, raw, raw, "203.0.113.9", NOW)


def messages(request: InboundRequest) -> list[RawMessage]:
    received = SOURCE.receive(request)
    assert received.reply.status == 200
    assert received.reply.json == {"success": True}
    return list(received.messages)


def bodies(request: InboundRequest) -> list[Any]:
    return [loads(message.body) for message in messages(request)]
