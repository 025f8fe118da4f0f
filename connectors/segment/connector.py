"""Segment as a source. Two doors:

- the webhook URL itself, for the destinations Webhooks, Webhooks (Actions) and Extensible Webhook: signed messages;
- SDK paths below it (`/v1/batch`, `/v1/identify`, ...), for client libraries pointed at the hub: write key.

Facts and set-up: docs/connectors/segment.md.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import ClassVar, Final

from pydantic import BaseModel, Field, SecretStr

from connectors.segment.messages import decode, sdk_batch, sdk_message, text, webhook_messages
from connectors.segment.signature import is_signed, matches
from hub.sdk.contract import Source
from hub.sdk.errors import (
    Busy,
    InboundError,
    MethodNotAllowed,
    Overloaded,
    PayloadInvalid,
    SignatureInvalid,
    SignatureMissing,
)
from hub.sdk.values import InboundRequest, Json, RawMessage, Received, Reply

TYPES: Final = ("identify", "track", "page", "screen", "group", "alias")
SINGLE: Final = {name: kind for kind in TYPES for name in (kind, kind[0])}
"""Below `/v1/`: the full name (HTTP API, server libraries) or its first letter (browser library)."""
BATCHES: Final = frozenset({"batch", "import", "b"})
"""`import` is the default path of the Java and Ruby libraries, `b` of the browser library in batching mode."""
METRICS: Final = "m"
"""The browser library's own telemetry: answered, not kept."""

WRITES: Final = ("POST", "PUT", "PATCH")
SUCCESS: Final = {"success": True}
SLOW_DOWN: Final = 429
CROSS_ORIGIN: Final = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
"""Without these a browser reports every event as failed and sends it again."""


class UnknownPath(PayloadInvalid):
    """This source has nothing at that path; the webhook URL has no path of its own, client libraries use /v1/batch."""

    status = 404
    key = "unknown_path"


class SegmentSettings(BaseModel):
    """The secrets of both doors. Each has a predecessor, so that it can be changed without losing a message."""

    shared_secret: SecretStr | None = Field(
        default=None,
        description="The shared secret entered in Segment's webhook destination; it signs every webhook.",
        examples=["example-shared-secret"],
        json_schema_extra={"generate": True},
    )
    previous_shared_secret: SecretStr | None = Field(
        default=None,
        description="The shared secret before the last change; keep it until Segment uses the new one.",
        examples=["old-shared-secret"],
    )
    hub_secret: SecretStr | None = Field(
        default=None,
        description="A second secret, sent as header X-Hub-Secret, as Bearer token or as ?secret= in the URL. Segment "
        "signs only the first message of a batch: set this where batching is on.",
        examples=["example-hub-secret"],
    )
    previous_hub_secret: SecretStr | None = Field(
        default=None,
        description="The second secret before the last change; keep it until Segment uses the new one.",
        examples=["old-hub-secret"],
    )
    write_key: SecretStr | None = Field(
        default=None,
        description="The write key that client libraries pointed at the hub use.",
        examples=["example-write-key"],
        json_schema_extra={"generate": True},
    )
    previous_write_key: SecretStr | None = Field(
        default=None,
        description="The write key before the last change; keep it until every client uses the new one.",
        examples=["old-write-key"],
    )


class Segment(Source):
    name = "segment"
    title = "Segment"
    docs_url = "https://segment.com/docs/connections/destinations/catalog/actions-webhook/"
    Settings: ClassVar[type[BaseModel]] = SegmentSettings

    def __init__(self, settings: SegmentSettings) -> None:
        super().__init__(settings)
        self._shared_secrets = _set(settings.shared_secret, settings.previous_shared_secret)
        self._hub_secrets = _set(settings.hub_secret, settings.previous_hub_secret)
        self._write_keys = _set(settings.write_key, settings.previous_write_key)

    def receive(self, request: InboundRequest) -> Received:
        name = request.path.strip("/").removeprefix("v1/")
        if not name:
            return Received(self._webhook(request), Reply(200, SUCCESS))
        if name not in SINGLE and name not in BATCHES and name != METRICS:
            raise UnknownPath
        if request.method == "OPTIONS":
            return Received((), Reply(204, None, CROSS_ORIGIN))
        return Received(self._sdk(request, name), Reply(200, SUCCESS, CROSS_ORIGIN))

    def refuse(self, request: InboundRequest, error: InboundError) -> Reply:
        """The Python library reads `code` and `message`; `invalid_json` is what Segment's own API answers.

        Libraries that are told to slow down (429) wait without counting that as a try; a classic webhook would be lost by it.
        """
        is_client = bool(request.path.strip("/"))
        code = "invalid_json" if error.key == PayloadInvalid.key else error.key
        headers = dict(CROSS_ORIGIN) if is_client else {}
        if isinstance(error, Busy):
            headers["Retry-After"] = str(max(1, error.retry_after_s))
        status = SLOW_DOWN if is_client and isinstance(error, Overloaded) else error.status
        return Reply(status, {"code": code, "message": str(error)}, headers)

    # ── webhooks ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _webhook(self, request: InboundRequest) -> list[RawMessage]:
        if request.method not in WRITES:
            raise MethodNotAllowed(
                "Messages come by POST, or by PUT and PATCH where Segment's destination is set up so.", allow=WRITES
            )
        knows_us = bool(self._hub_secrets) and self._has_hub_secret(request)
        if self._shared_secrets:
            signature = request.headers.get("x-signature", "").strip()
            if not signature:
                raise SignatureMissing(
                    "The header X-Signature is missing; enter this source's shared secret in Segment."
                )
            if not is_signed(request.body, signature, self._shared_secrets):
                raise SignatureInvalid
        elif not knows_us:
            raise SignatureInvalid(
                "This source has no shared secret, and the request did not present its second secret; "
                "set shared_secret here and in Segment's webhook destination."
            )
        return webhook_messages(request.body, all_authentic=knows_us)

    def _has_hub_secret(self, request: InboundRequest) -> bool:
        """Extensible Webhook can send a Bearer token; the others a header of one's own or a query in the URL."""
        headers = request.headers
        given = headers.get("x-hub-secret") or _token(headers, "bearer") or request.query.get("secret", "")
        return matches(given, self._hub_secrets)

    # ── client libraries ─────────────────────────────────────────────────────────────────────────────────────────

    def _sdk(self, request: InboundRequest, name: str) -> list[RawMessage]:
        if request.method != "POST":
            raise MethodNotAllowed
        value, encode = decode(request.body)
        self._check_write_key(request.headers, value)
        if name == METRICS:
            return []
        if not isinstance(value, dict):
            raise PayloadInvalid("The body is not a JSON object; nothing of it was kept.")
        if name in BATCHES:
            return sdk_batch(value, encode)
        return [sdk_message(value, SINGLE[name], request.body, encode)]

    def _check_write_key(self, headers: Mapping[str, str], value: Json) -> None:
        """The key is the Basic user name or the body's `writeKey`. A Bearer token is not looked at: it comes with a
        `writeKey` (connections/sources/catalog/libraries/server/http-api)."""
        in_header = _basic_user(headers)
        in_body = text(value.get("writeKey")) if isinstance(value, dict) else None
        if in_header and in_body and in_header != in_body:
            raise SignatureInvalid("The write key in the header and the one in the body differ; send one of them.")
        given = in_header or in_body
        if not given:
            raise SignatureMissing("The write key is missing; `hub sources reveal` shows the one of this source.")
        if not matches(given, self._write_keys):
            raise SignatureInvalid(
                "The write key is not that of this source; `hub sources reveal` shows the right one."
            )


def _set(*secrets: SecretStr | None) -> tuple[bytes, ...]:
    """Those secrets that are set, as bytes; an empty one would let everybody in."""
    revealed = (secret.get_secret_value().strip() for secret in secrets if secret is not None)
    return tuple(value.encode() for value in revealed if value)


def _token(headers: Mapping[str, str], scheme: str) -> str:
    """What stands behind `Bearer` or `Basic` in the Authorization header, else nothing."""
    given, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if given.lower() == scheme else ""


def _basic_user(headers: Mapping[str, str]) -> str:
    """The user name of Basic authentication; libraries send `<write key>:` with an empty password."""
    try:
        decoded = base64.b64decode(_token(headers, "basic"), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    user, _, _ = decoded.partition(":")
    return user.strip()
