"""OpenDSR as a processor: discovery, requests to erase with their receipt, status, withdrawal and callbacks.

Shapes: opengdpr/OpenDSR, specification.md (read 2026-11), and mParticle's version 3 of it (developers/dsr-api/v3).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.mparticle.messages import decode, text
from connectors.mparticle.settings import MParticleSettings
from connectors.mparticle.signing import Signer
from hub.sdk.errors import InboundError, PayloadInvalid
from hub.sdk.json import dumps
from hub.sdk.values import (
    Erasure,
    ErasureRequest,
    ErasureStatus,
    InboundRequest,
    Json,
    Question,
    RawMessage,
    Received,
    Reply,
    Request,
)

API_VERSION: Final = "3.0"
EXTENSION: Final = "opendsr.mparticle.com"
DUE: Final = timedelta(days=30)
"""What is promised; the hub erases within minutes unless it is told to wait, and passes on what its destinations support."""
MOST_CALLBACKS: Final = 10
LONGEST_URL: Final = 2_048
LONGEST_ID: Final = 255
IDENTITIES: Final = (
    "controller_customer_id", "email", "mobile_number", "phone_number_2", "phone_number_3", "mpid", "other",
    *(f"other{number}" for number in range(2, 11)),
)  # fmt: skip
_VERSION: Final = re.compile(r"v\d+/")


class UnknownRequest(PayloadInvalid):
    """No request with this subject_request_id was received here."""

    status = 404
    key = "unknown_request"


class Processor:
    """The OpenDSR door of one source."""

    def __init__(self, settings: MParticleSettings) -> None:
        self._settings = settings
        key = settings.opendsr_private_key
        self._signer = Signer(settings.opendsr_domain, key.get_secret_value() if key else "")
        self._controller = settings.opendsr_controller_id or settings.opendsr_domain

    def public(self, request: InboundRequest, path: str) -> Received | None:
        """What anybody may read: discovery, and the certificate that answers are signed with."""
        if request.method != "GET":
            return None
        name = _VERSION.sub("", path, count=1)
        if name == "discovery":
            return Received((), self._signed(200, self._discovery()))
        if name == "certificate" and self._settings.opendsr_certificate:
            headers = {"Content-Type": "application/x-pem-file"}
            return Received((), Reply(200, headers=headers, body=self._settings.opendsr_certificate.encode()))
        return None

    def receive(self, request: InboundRequest, path: str) -> Received:
        """Raises PayloadInvalid for what OpenDSR does not know."""
        name, _, request_id = _VERSION.sub("", path, count=1).partition("/")
        if name != "requests" or request.method not in ("POST", "GET", "DELETE"):
            raise PayloadInvalid("OpenDSR has discovery, requests and requests/<subject_request_id> here.")
        if request.method == "POST":
            return self._request(request)
        if not 0 < len(request_id) <= LONGEST_ID:
            raise PayloadInvalid("Name the request: requests/<subject_request_id>.")
        unknown = self.refuse(UnknownRequest())
        return Received((), unknown, question=Question(request_id, withdraw=request.method == "DELETE"))

    def answer(self, request: InboundRequest, erasure: Erasure) -> Reply:
        """A status, or what came of a withdrawal. Raises PayloadInvalid where it came too late."""
        if request.method != "DELETE":
            return self._signed(200, self._status(erasure) | {"api_version": API_VERSION})
        if erasure.status is not ErasureStatus.CANCELLED:
            raise PayloadInvalid(f"The request is {erasure.status}; only a pending one can be cancelled.")
        receipt: Json = {
            "controller_id": self._controller,
            "received_time": _iso(request.received_at),
            "subject_request_id": erasure.request_id,
            "api_version": API_VERSION,
        }
        return self._signed(202, receipt)

    def callback(self, erasure: Erasure, url: str) -> Request:
        body = dumps(self._status(erasure) | {"status_callback_url": url})
        return Request("POST", "", headers=self._signer.headers(body), body=body)

    def refuse(self, error: InboundError) -> Reply:
        """OpenDSR's own error object (specification.md, section 7.6)."""
        detail = {"domain": "Validation", "reason": error.key, "message": str(error)}
        return Reply(error.status, {"error": {"code": error.status, "message": str(error), "errors": [detail]}})

    def _request(self, request: InboundRequest) -> Received:
        value, encode = decode(request.body)
        if not isinstance(value, dict):
            raise PayloadInvalid("The request is no JSON object.")
        request_id = _checked_id(value)
        named = _identities(value.get("subject_identities"))
        if not any(map(_is_raw, [*named.values(), *_extension(value).values()])):
            raise PayloadInvalid(
                'The request names nobody; subject_identities is an object such as {"email": {"value": ..., "encoding": "raw"}}, '
                "and a hashed value finds no one here."
            )
        wait = timedelta() if _skips_waiting(value) else timedelta(hours=self._settings.opendsr_wait_hours)
        erasure = ErasureRequest(request_id, self._callbacks(value), wait.total_seconds(), DUE.total_seconds())
        message = {**value, "type": "opendsr_request", "subject_identities": named}
        return Received(
            [RawMessage(encode(message), f"opendsr.{request_id}")], self._receipt(request, request_id), erasure
        )

    def _callbacks(self, value: Mapping[str, Any]) -> tuple[str, ...]:
        """Where to tell of changes. What cannot be told is refused now, when the sender can still correct it."""
        urls = value.get("status_callback_urls") or []
        if not isinstance(urls, list) or len(urls) > MOST_CALLBACKS:
            raise PayloadInvalid(f"status_callback_urls is a list of at most {MOST_CALLBACKS} URLs.")
        allowed = self._settings.opendsr_callback_origins
        for url in urls:
            origin = _origin(url)
            if origin is None or not (origin in allowed if allowed else origin.startswith("https://")):
                raise PayloadInvalid(
                    "A status callback goes to an https URL"
                    + (" of one of the origins in opendsr_callback_origins" if allowed else "")
                    + "; correct status_callback_urls."
                )
        return tuple(dict.fromkeys(urls))

    def _discovery(self) -> Json:
        found: dict[str, Json] = {
            "api_version": API_VERSION,
            "supported_identities": [{"identity_type": kind, "identity_format": "raw"} for kind in IDENTITIES],
            "supported_subject_request_types": ["erasure"],
            "processor_domain": self._settings.opendsr_domain,
        }
        if self._settings.opendsr_certificate_url:
            found["processor_certificate"] = self._settings.opendsr_certificate_url
        return found

    def _receipt(self, request: InboundRequest, request_id: str) -> Reply:
        receipt: Json = {
            "controller_id": self._controller,
            "subject_request_id": request_id,
            "received_time": _iso(request.received_at),
            "expected_completion_time": _iso(request.received_at + DUE),
            "encoded_request": base64.b64encode(request.body).decode(),
        }
        return self._signed(201, receipt)

    def _status(self, erasure: Erasure) -> dict[str, Json]:
        return {
            "controller_id": self._controller,
            "expected_completion_time": _iso(erasure.expected_at),
            "subject_request_id": erasure.request_id,
            "request_status": erasure.status.value,
        }

    def _signed(self, status: int, value: Json) -> Reply:
        body = dumps(value)
        return Reply(status, headers=self._signer.headers(body), body=body)


def _checked_id(value: Mapping[str, Any]) -> str:
    kind, request_id = value.get("subject_request_type"), value.get("subject_request_id")
    if kind != "erasure":
        raise PayloadInvalid(
            f"The hub takes requests of the type erasure, not {kind!r}; use its API for access and export."
        )
    if not isinstance(request_id, str) or not 0 < len(request_id) <= LONGEST_ID or "/" in request_id:
        raise PayloadInvalid(f"subject_request_id is a text of 1 to {LONGEST_ID} characters, best a UUID.")
    return request_id


def _identities(given: Json) -> dict[str, Json]:
    """By type. Versions 1 and 2 of OpenDSR have a list, which may not name two of a type: one would be lost."""
    if not isinstance(given, list):
        return given if isinstance(given, dict) else {}
    found: dict[str, Json] = {}
    for one in given:
        kind = text(one.get("identity_type")) if isinstance(one, dict) else None
        if kind is None:
            continue
        if kind in found:
            raise PayloadInvalid(f"The request names two identities of the type {kind}; send a request for each.")
        found[kind] = {"value": one.get("identity_value"), "encoding": one.get("identity_format")}
    return found


def _extension(value: Mapping[str, Any]) -> Mapping[str, Any]:
    extensions = value.get("extensions")
    extension = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
    inner = extension.get("subject_identities") if isinstance(extension, dict) else None
    return inner if isinstance(inner, dict) else {}


def _is_raw(identity: Json) -> bool:
    return isinstance(identity, dict) and identity.get("encoding") == "raw" and text(identity.get("value")) is not None


def _skips_waiting(value: Mapping[str, Any]) -> bool:
    """The documentation has it at the top, its example in the extension."""
    extensions = value.get("extensions")
    extension = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
    return any(isinstance(one, dict) and one.get("skip_waiting_period") is True for one in (value, extension))


def _origin(url: Json) -> str | None:
    """`https://host:port` of a URL that can be called; None for any other."""
    if not isinstance(url, str) or len(url) > LONGEST_URL or not url.isascii() or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or " " in url:
        return None
    return f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port else "")


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
