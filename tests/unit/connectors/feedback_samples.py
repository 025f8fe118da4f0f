"""Feedback of engagement platforms as requests, each signed as its vendor signs, set up as docs/feedback.md says."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.webhook.connector import WebhookSource
from hub.sdk.declared import build
from hub.sdk.json import loads
from hub.sdk.values import InboundRequest, RawMessage

FOLDER = Path(__file__).parents[2] / "samples" / "feedback"
SAMPLES = sorted([*FOLDER.glob("[!c]*/*.json"), *FOLDER.glob("[!c]*/*.form")])
AT = datetime(2026, 3, 14, 8, tzinfo=UTC)
RECEIVED_AT = 1_773_475_200_000_000
SECRET = "example-shared-secret"
HTTP_DATE = "Sat, 14 Mar 2026 08:00:01 GMT"

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "iterable": {"verify": "header", "time_path": "dataFields.createdAt"},
    "mailchimp": {"verify": "url", "time_path": "fired_at"},
    "intercom": {"signature_header": "X-Hub-Signature", "signature_format": "sha1={signature}", "signature_algorithm": "sha1",
                 "message_id": "id"},
    "klaviyo": {"signature_header": "Klaviyo-Signature", "signed_content": "{body}{timestamp}",
                "timestamp_header": "Klaviyo-Timestamp", "messages_path": "data", "message_id": "external_id"},
    "braze": {"verify": "header", "messages_path": "events", "message_id": "id"},
}  # fmt: skip


def source(vendor: str, **settings: Any) -> WebhookSource:
    return build(WebhookSource, {"secret": SECRET, **SETTINGS[vendor], **settings}, {})


def _digest(content: bytes, algorithm: str) -> str:
    return hmac.digest(SECRET.encode(), content, algorithm).hex()


PROOFS: Mapping[str, Callable[[bytes], tuple[dict[str, str], dict[str, str]]]] = {
    "iterable": lambda body: ({"authorization": SECRET}, {}),
    "mailchimp": lambda body: ({"content-type": "application/x-www-form-urlencoded"}, {"secret": SECRET}),
    "intercom": lambda body: ({"x-hub-signature": "sha1=" + _digest(body, "sha1")}, {}),
    "klaviyo": lambda body: (
        {"klaviyo-signature": _digest(body + HTTP_DATE.encode(), "sha256"), "klaviyo-timestamp": HTTP_DATE},
        {},
    ),
    "braze": lambda body: ({"authorization": f"Bearer {SECRET}"}, {}),
}
"""Headers and query by which a vendor proves a body."""


def request(vendor: str, body: bytes) -> InboundRequest:
    headers, query = PROOFS[vendor](body)
    return InboundRequest(
        "POST", "", query, {"content-type": "application/json", **headers}, body, body, "203.0.113.9", AT
    )


def received(path: Path) -> Sequence[RawMessage]:
    vendor = path.parent.name
    return source(vendor).receive(request(vendor, path.read_bytes())).messages


def messages_of(path: Path) -> Sequence[tuple[str, Any]]:
    """(message id, message) of each, as the hub hands them to the mapping."""
    return [(one.dedup_key or f"m{number}", loads(one.body)) for number, one in enumerate(received(path))]
