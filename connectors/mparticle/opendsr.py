"""OpenDSR v3, as a processor: discovery, erasure requests and their receipt (opengdpr/OpenDSR, specification.md)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.mparticle.messages import decode, text
from hub.sdk.errors import PayloadInvalid
from hub.sdk.values import InboundRequest, Json, RawMessage, Received, Reply

API_VERSION: Final = "3.0"
EXTENSION: Final = "opendsr.mparticle.com"
DUE: Final = timedelta(days=30)
"""What is promised; the hub erases within minutes, and passes on what its destinations support."""
IDENTITIES: Final = (
    "controller_customer_id", "email", "mobile_number", "phone_number_2", "phone_number_3", "mpid", "other",
    *(f"other{number}" for number in range(2, 11)),
)  # fmt: skip


def receive(request: InboundRequest, path: str, domain: str) -> Received:
    """Raises PayloadInvalid for what OpenDSR does not know."""
    if request.method == "GET" and path == "discovery":
        return Received((), Reply(200, _discovery(domain)))
    if request.method != "POST" or path.rstrip("/") != "requests":
        raise PayloadInvalid(
            "OpenDSR has GET discovery and POST requests here; ask `hub profiles show` for the state of one."
        )
    value, encode = decode(request.body)
    if not isinstance(value, dict):
        raise PayloadInvalid("The request is no JSON object.")
    kind, request_id = value.get("subject_request_type"), value.get("subject_request_id")
    if kind != "erasure":
        raise PayloadInvalid(
            f"The hub takes requests of the type erasure, not {kind!r}; use its API for access and export."
        )
    if not isinstance(request_id, str) or not request_id:
        raise PayloadInvalid("The request has no subject_request_id.")
    if not _names_somebody(value):
        raise PayloadInvalid(
            'The request names nobody; subject_identities is an object such as {"email": {"value": ..., "encoding": "raw"}}, '
            "and a hashed value finds no one here."
        )
    message = RawMessage(encode({**value, "type": "opendsr_request"}), f"opendsr.{request_id}")
    return Received([message], Reply(201, _receipt(request, value, domain)))


def _names_somebody(value: dict[str, Any]) -> bool:
    """Whether there is a raw identity, at the top or in mParticle's extension. Earlier versions of OpenDSR have a list of
    identities: such a request must be refused, since a receipt for it would promise what nobody does."""
    extensions = value.get("extensions")
    extension = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
    inner = extension.get("subject_identities") if isinstance(extension, dict) else None
    found = [
        one for part in (value.get("subject_identities"), inner) if isinstance(part, dict) for one in part.values()
    ]
    return any(isinstance(one, dict) and one.get("encoding") == "raw" and text(one.get("value")) for one in found)


def _discovery(domain: str) -> Json:
    return {
        "api_version": API_VERSION,
        "supported_identities": [{"identity_type": kind, "identity_format": "raw"} for kind in IDENTITIES],
        "supported_subject_request_types": ["erasure"],
        "processor_domain": domain,
    }


def _receipt(request: InboundRequest, value: dict[str, Any], domain: str) -> Json:
    received = request.received_at
    return {
        "controller_id": value.get("controller_id") or domain,
        "subject_request_id": value["subject_request_id"],
        "received_time": _iso(received),
        "expected_completion_time": _iso(received + DUE),
        "encoded_request": base64.b64encode(request.body).decode(),
    }


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
