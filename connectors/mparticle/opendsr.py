"""OpenDSR as a processor: discovery, requests to erase with their receipt, status, withdrawal and callbacks.

Shapes: opengdpr/OpenDSR, specification.md (read 2026-11), and mParticle's version 3 of it (developers/dsr-api/v3).
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.mparticle.messages import decode
from connectors.mparticle.opendsr_request import CALLBACKS, LONGEST_ID, callbacks, checked_id, named, skips_waiting
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
DUE: Final = timedelta(days=30)
"""What is promised; the hub erases within minutes unless it is told to wait, and passes on what its destinations support."""
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
            raise PayloadInvalid("The request is not a JSON object.")
        request_id = checked_id(value)
        message = {**value, "type": "opendsr_request", "subject_identities": named(value)}
        message.pop(CALLBACKS, None)  # the hub keeps them apart, encrypted
        wait = timedelta() if skips_waiting(value) else timedelta(hours=self._settings.opendsr_wait_hours)
        urls = callbacks(value, self._settings.opendsr_callback_origins)
        erasure = ErasureRequest(request_id, urls, wait.total_seconds(), DUE.total_seconds())
        raw = RawMessage(encode(message), f"opendsr.{request_id}")
        return Received([raw], self._receipt(request, request_id), erasure)

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


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
