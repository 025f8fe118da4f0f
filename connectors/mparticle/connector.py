"""mParticle as a source. Doors, all below the one URL of the source:

- the URL itself: webhook output (one batch per request) and Firehose requests, told apart by `type`;
- `/v2/events`, `/v2/bulkevents`, `/v2/bulkevents/historical`: the Events API for client libraries;
- `/opendsr/...`: requests to erase in the OpenDSR dialect, their status, withdrawal and callbacks.

Facts and set-up: docs/connectors/mparticle.md.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.mparticle import firehose
from connectors.mparticle.doors import Guard
from connectors.mparticle.messages import batch, batches, decode
from connectors.mparticle.opendsr import Processor
from connectors.mparticle.settings import MParticleSettings
from hub.sdk.contract import Source
from hub.sdk.errors import (
    Busy,
    Forbidden,
    InboundError,
    MethodNotAllowed,
    Overloaded,
    PayloadInvalid,
    SignatureInvalid,
    TooLarge,
)
from hub.sdk.values import Erasure, InboundRequest, Json, RawMessage, Received, Reply, Request

CODES: Final = {
    400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 413: "REQUEST_TOO_LARGE", 429: "TOO_MANY_REQUESTS", 503: "UNAVAILABLE",
}  # fmt: skip
EVENTS: Final = frozenset({"events", "bulkevents", "bulkevents/historical"})
ACCEPTED: Final = Reply(202)
OPENDSR: Final = "opendsr/"
_SLASHES: Final = re.compile("/+")


class UnknownPath(PayloadInvalid):
    """This source has nothing at that path; webhooks go to its URL, client libraries to /v2/events below it."""

    status = 404
    key = "unknown_path"


class MParticle(Source):
    name = "mparticle"
    title = "mParticle"
    docs_url = "https://docs.mparticle.com/integrations/webhook/event/"
    Settings: ClassVar[type[BaseModel]] = MParticleSettings

    def __init__(self, settings: MParticleSettings) -> None:
        super().__init__(settings)
        self._guard = Guard(settings)
        self._opendsr = Processor(settings)

    def receive(self, request: InboundRequest) -> Received:
        path = _path(request)
        if path.startswith(OPENDSR):
            return self._opendsr_request(request, path.removeprefix(OPENDSR))
        name = path.removeprefix("v2/")
        if path and name not in EVENTS:
            raise UnknownPath
        if request.method != "POST":
            raise MethodNotAllowed("Batches come by POST.")
        return self._client(request, name) if path else self._webhook(request)

    def _client(self, request: InboundRequest, name: str) -> Received:
        self._guard.admit_client(request)
        if len(request.body) > self.settings.max_bytes:
            raise TooLarge(
                f"A request of the Events API has at most {self.settings.max_bytes} bytes; send fewer batches."
            )
        value, encode = decode(request.body)
        if name != "events":
            return Received(batches(value, encode), ACCEPTED)
        if not isinstance(value, dict):
            raise PayloadInvalid(
                "The body is not a batch; /v2/events takes one JSON object, /v2/bulkevents a list of them."
            )
        return Received([batch(value, request.body, encode)], ACCEPTED)

    def _webhook(self, request: InboundRequest) -> Received:
        """Firehose registers before it has credentials; that request alone is answered without."""
        try:
            self._guard.admit_webhook(request)
        except (SignatureInvalid, Forbidden):
            if not firehose.is_registration(request.body):
                raise
        value, encode = decode(request.body)
        if firehose.is_firehose(value):
            return firehose.receive(value, encode)
        messages: list[RawMessage] = (
            batches(value, encode) if isinstance(value, list) and value else [batch(value, request.body, encode)]
        )
        return Received(messages, ACCEPTED)

    def _opendsr_request(self, request: InboundRequest, path: str) -> Received:
        public = self._opendsr.public(request, path)
        if public is not None:
            return public
        self._guard.admit_webhook(request)
        return self._opendsr.receive(request, path)

    def answer(self, request: InboundRequest, erasure: Erasure) -> Reply:
        return self._opendsr.answer(request, erasure)

    def callback(self, erasure: Erasure, url: str) -> Request:
        return self._opendsr.callback(erasure, url)

    def refuse(self, request: InboundRequest, error: InboundError) -> Reply:
        """The error shape of the Events API (developers/server/http), or of OpenDSR below its path."""
        if _path(request).startswith(OPENDSR):
            return self._opendsr.refuse(error)
        is_client = _path(request).removeprefix("v2/") in EVENTS
        status = 429 if is_client and isinstance(error, Overloaded) else error.status
        body: Json = {"errors": [{"code": CODES.get(status, error.key.upper()), "message": str(error)}]}
        headers = {"Retry-After": str(max(1, error.retry_after_s))} if isinstance(error, Busy) else {}
        return Reply(status, body, headers)


def _path(request: InboundRequest) -> str:
    """Below the source's URL, without slashes too many: the Python client doubles one (mparticle 0.16.1)."""
    return _SLASHES.sub("/", request.path).strip("/")
