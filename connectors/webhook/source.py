"""Any sender of JSON as a source: its connection says how it signs, the connection's mapping what its words mean.

Set-up, and ready mappings for the feedback of engagement platforms: docs/connectors/webhook.md, docs/feedback.md.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel

from connectors.webhook.source_doors import Guard
from connectors.webhook.source_messages import messages_of
from connectors.webhook.source_settings import SourceSettings
from hub.sdk.contract import Source
from hub.sdk.errors import PayloadInvalid
from hub.sdk.values import InboundRequest, Received, Reply

PROBES = frozenset({"GET", "HEAD"})
WRITES = frozenset({"POST", "PUT", "PATCH"})


class MethodNotAllowed(PayloadInvalid):
    """Messages come by POST, PUT or PATCH; GET and HEAD only ask whether anybody is here."""

    status = 405
    key = "method_not_allowed"


class Receiver(Source):
    """Takes any path below its URL. Senders that check a URL by GET before they use it are answered without a secret."""

    name = "webhook"
    title = "Webhook"
    docs_url = "https://www.standardwebhooks.com"
    Settings: ClassVar[type[BaseModel]] = SourceSettings

    def __init__(self, settings: SourceSettings) -> None:
        super().__init__(settings)
        self._guard = Guard(settings)

    def receive(self, request: InboundRequest) -> Received:
        if request.method in PROBES:
            return Received((), Reply(200, {"status": "ready"}))
        if request.method not in WRITES:
            raise MethodNotAllowed
        self._guard.admit(request)
        messages = messages_of(request, self.settings)
        return Received(messages, Reply(200, {"received": len(messages)}))
