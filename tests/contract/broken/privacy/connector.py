"""Privacy, an imaginary tool that asks to erase people and wants to be told what became of it."""

from __future__ import annotations

import hmac

from pydantic import BaseModel, Field, SecretStr

from hub.sdk.contract import Source
from hub.sdk.errors import PayloadInvalid, SignatureInvalid, SignatureMissing
from hub.sdk.json import depth_exceeds, loads
from hub.sdk.values import (
    Erasure,
    ErasureRequest,
    ErasureStatus,
    InboundRequest,
    Question,
    RawMessage,
    Received,
    Reply,
    Request,
)

UNKNOWN = Reply(404, {"key": "unknown"})


class PrivacySettings(BaseModel):
    secret: SecretStr = Field(description="What it sends with each request.", examples=["sandbox-privacy-key"])
    previous_secret: SecretStr | None = Field(
        default=None, description="What it sent before.", examples=["sandbox-privacy-old"]
    )


class Privacy(Source):
    name = "privacy"
    title = "Privacy"
    Settings = PrivacySettings

    def receive(self, request: InboundRequest) -> Received:
        if "x-secret" not in request.headers:
            raise SignatureMissing
        if not self._is_known(request.headers.get("x-secret", "")):
            raise SignatureInvalid
        if request.method != "POST":
            return Received(
                (), UNKNOWN, question=Question(request.path.strip("/"), withdraw=request.method == "DELETE")
            )
        try:
            value = loads(request.body)
        except ValueError as error:
            raise PayloadInvalid("The body is not JSON.") from error
        if depth_exceeds(value):
            raise PayloadInvalid("The body nests too deep.")
        found = value if isinstance(value, dict) else {}
        key = found.get("id") if isinstance(found.get("id"), str) else None
        message = RawMessage(request.body, key)
        if found.get("kind") != "erasure" or not key:
            return Received([message], Reply(200))
        return Received([message], Reply(201), ErasureRequest(key, [found["callback"]]))

    def answer(self, request: InboundRequest, erasure: Erasure) -> Reply:
        if request.method == "DELETE" and erasure.status is not ErasureStatus.CANCELLED:
            raise PayloadInvalid("It is too late to take that back.")
        return Reply(200, {"status": erasure.status})

    def callback(self, erasure: Erasure, url: str) -> Request:
        return Request("POST", "", json={"id": erasure.request_id, "status": erasure.status, "url": url})

    def _is_known(self, given: str) -> bool:
        secrets = [one.get_secret_value() for one in (self.settings.secret, self.settings.previous_secret) if one]
        return True in [hmac.compare_digest(given.encode(), one.encode()) for one in secrets if one]
