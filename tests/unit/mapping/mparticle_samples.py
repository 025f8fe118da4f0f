"""The mParticle samples as requests, and the messages that the connector makes of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.mparticle.connector import MParticle
from hub.sdk.declared import build
from hub.sdk.json import loads
from hub.sdk.values import InboundRequest, Received

FOLDER = Path(__file__).parents[2] / "samples" / "mparticle"
SAMPLES = sorted(FOLDER.glob("*.json"))
AT = datetime(2026, 4, 2, 7, tzinfo=UTC)
RECEIVED_AT = 1_775_113_200_000_000
SECRETS = {"authorization": "Bearer example-token", "api_secret": "example-secret"}
PATHS = {"11": "/v2/events", "12": "/v2/bulkevents", "18": "/opendsr/requests"}
BASIC = "Basic " + base64.b64encode(b"example-key:example-secret").decode()


def source(**settings: Any) -> MParticle:
    return build(MParticle, {"api_key": "example-key", **settings}, SECRETS)


def request(body: bytes, path: str = "", method: str = "POST", **changes: Any) -> InboundRequest:
    """A request with the credentials of its door, unless others are given."""
    headers = {"authorization": BASIC if path.strip("/").startswith("v2") else SECRETS["authorization"]}
    given: dict[str, Any] = {
        "query": {},
        "headers": headers,
        "remote_addr": "203.0.113.9",
        "received_at": AT,
        **changes,
    }
    return InboundRequest(method, path, given["query"], given["headers"], body, body, given["remote_addr"], AT)


def received(path: Path) -> Received:
    return source().receive(request(path.read_bytes(), PATHS.get(path.stem[:2], "")))


def messages_of(path: Path) -> Sequence[tuple[str, Any]]:
    """(message id, message) of each, as the hub hands them to the mapping."""
    return [(one.dedup_key or f"m{number}", loads(one.body)) for number, one in enumerate(received(path).messages)]
