"""A signed webhook as a destination, by Standard Webhooks 1.0.0, and any sender of JSON as a source (source.py).

Rules cited below: github.com/standard-webhooks/standard-webhooks, `spec/standard-webhooks.md` (read 2026-11).
Set-up for operators, and the shape of each record for those who write the receiver: docs/connectors/webhook.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Final
from urllib.parse import urlsplit

from pydantic import BaseModel
from standardwebhooks import Webhook as Signer

from connectors.webhook.settings import OPTIONS, TARGETS, WebhookSettings
from connectors.webhook.source import Receiver
from hub.sdk.contract import Destination, Flow, by_status, retry_after, secret
from hub.sdk.envelope import envelope, iso
from hub.sdk.errors import AuthFailed, ConfigurationError, DeliveryError, Permanent, RateLimited, Retryable, Split
from hub.sdk.json import dumps
from hub.sdk.values import (
    AnyPush,
    Batch,
    Finding,
    Item,
    Json,
    Operation,
    Pool,
    Rate,
    Rejected,
    Request,
    Response,
    Route,
)

SPEC: Final = "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"
RECEIVER: Final = "the receiver's own limits, as the connection is set"
GONE: Final = 410
BATCH_BYTES: Final = 1_000_000


class WebhookSource(Receiver):
    """Declared here, since this is where the hub looks for it."""


class Webhook(Destination):
    name = "webhook"
    title = "Webhook"
    docs_url = "https://www.standardwebhooks.com"
    Settings: ClassVar[type[BaseModel]] = WebhookSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS
    containers: ClassVar[frozenset[str]] = frozenset({"address", "metadata"})

    def hosts(self) -> Mapping[str, str]:
        parts = urlsplit(self.settings.url)
        return {"api": f"{parts.scheme}://{parts.netloc}"}

    def pools(self) -> Mapping[str, Pool]:
        rates = [Rate(self.settings.calls_per_s, 1)]
        return {"calls": Pool(rates, parallel=self.settings.parallel, scope="connection", source=RECEIVER)}

    def routes(self) -> Mapping[str, Route]:
        """Receivers use webhook-id as an idempotency key (section Verifying signatures); for how long is a setting."""
        window_s = self.settings.deduplicates_for_s
        return {
            "records": Route(
                SPEC,
                ["calls"],
                items=self.settings.records_per_call,
                bytes=BATCH_BYTES,
                repeat="deduplicated" if window_s else "duplicates",
                repeat_window_s=window_s or None,
            )
        }

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        return [Item(push.delivery_id, "records", envelope(push))]

    def request(self, batch: Batch) -> Request:
        records = [item.body for item in batch.items]
        if self.settings.records_per_call == 1:
            (record,) = records
            return self._signed(record, batch.now)
        # The same records again make the same id, so that a repeat can be told by the header alone.
        digest = hashlib.sha256(" ".join([record["id"] for record in records]).encode()).hexdigest()
        whole = {"type": "hub.batch", "id": f"batch-{digest[:32]}", "timestamp": iso(batch.now), "data": records}
        return self._signed(whole, batch.now)

    def _signed(self, body: Mapping[str, Json], now: datetime) -> Request:
        """The call whose signatures cover the very bytes that are sent; one for each secret during a change."""
        content, settings = dumps(body), self.settings
        secrets = [one for one in (settings.secret, settings.previous_secret) if one is not None]
        signatures = [Signer(one.get_secret_value()).sign(body["id"], now, content.decode()) for one in secrets]
        headers = {
            "content-type": "application/json",
            "webhook-id": body["id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
            **self._extra(),
        }
        return Request("POST", self._path(), headers=headers, body=content)

    def _extra(self) -> dict[str, Json]:
        settings = self.settings
        return {settings.header_name: secret(settings.header_value)} if settings.header_value is not None else {}

    def _path(self) -> str:
        parts = urlsplit(self.settings.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    # ── what the receiver's status means (section Delivery success and failure) ──────────────────────────────────

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        """2xx is success whatever the body says. An address that is not there concerns every record alike."""
        if response.status == 503 and "retry-after" in response.headers:
            words = "The receiver asked to be left alone for a while."
            return RateLimited(words, until=retry_after(response), response=response)
        if response.status in (404, 405):
            words = f"The receiver answered {response.status}: nothing takes webhooks at this address; it is tried again later."
            return Retryable(words, response=response)
        return by_status(response)

    def flow(self, batch: Batch) -> Flow:
        try:
            response = yield self.request(batch)
        except Permanent as error:
            _stop_if_told(error)
            if len(batch.records) > 1:
                raise Split("The receiver refused the whole batch.", response=error.response) from error
            raise
        yield self.outcomes(batch, response)

    def check(self) -> Flow:
        """Any answer to HEAD shows that somebody is there, and what time it is; a signed ping shows the rest."""
        try:
            answer: Response = yield Request("HEAD", self._path(), headers=self._extra())
        except DeliveryError as error:
            if error.response is None:
                raise
            answer = error.response
        if not self.settings.ping:
            return [Finding("unknown", "The receiver answers. Whether it knows the secret only a delivery will show.")]
        stamp = f"ping-{int(answer.received_at.timestamp())}"
        ping = {"type": "hub.ping", "id": stamp, "timestamp": iso(answer.received_at), "data": {}}
        try:
            yield self._signed(ping, answer.received_at)
        except AuthFailed:
            return [Finding("error", "The receiver refuses the signature or the header; compare both sides.")]
        except DeliveryError as error:
            status = error.response.status if error.response else "nothing"
            return [Finding("error", f"The receiver answered {status} to a signed ping; it should answer 2xx.")]
        return [Finding("ok", "The receiver took a signed ping.")]


def _stop_if_told(error: Permanent) -> None:
    """Raises ConfigurationError, which pauses the connection until an operator resumes it, where no record can ever be
    taken: after 410 a sender should disable the endpoint, and a redirect should be answered by a new address."""
    status = error.response.status if error.response else 0
    if status == GONE:
        raise ConfigurationError(
            "The receiver answered 410 Gone: it wants no more webhooks. Deliveries wait; resume the connection once it "
            "does, or remove the connection."
        ) from error
    if 300 <= status < 400:
        raise ConfigurationError(
            f"The receiver answered {status}, a redirect, which webhooks do not follow. Set url to the new address."
        ) from error
