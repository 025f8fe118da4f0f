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
from hub.sdk.errors import MethodNotAllowed
from hub.sdk.values import InboundRequest, Received, Reply

PROBES = ("GET", "HEAD")
WRITES = ("POST", "PUT", "PATCH")
HERE = {
    "status": "ready",
    "message": "This is the webhook URL of a source. Messages are sent to it by POST, PUT or PATCH; this request stored nothing.",
}
"""For senders that ask for the URL before they use it: Mailchimp's webhooks want 200 (vendor sheet of 2026-11)."""


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
            return Received((), Reply(200, HERE))
        if request.method not in WRITES:
            raise MethodNotAllowed("Messages come by POST, PUT or PATCH.", allow=(*WRITES, *PROBES))
        self._guard.admit(request)
        messages = messages_of(request, self.settings)
        return Received(messages, Reply(200, {"received": len(messages)}))
