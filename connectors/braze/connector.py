"""Braze as a destination.

Profiles, events and purchases share one endpoint, which reports failures per object inside a success; messages go to
API-triggered campaigns and Canvases. Pages cited below: github.com/braze-inc/braze-docs, `_docs/_api/` (read 2026-08).
Set-up for operators: docs/connectors/braze.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.braze.answers import SUCCESS, bad_request, failures, outcome, places, reset
from connectors.braze.settings import OPTIONS, TARGETS, BrazeSettings
from hub.sdk.contract import Destination, Flow, by_status, secret
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Split, Unreadable
from hub.sdk.values import (
    AnyPush,
    Auth,
    Batch,
    Bearer,
    ErasePush,
    EventPush,
    Finding,
    Item,
    Json,
    MessagePush,
    Operation,
    Outcome,
    Pool,
    ProfilePush,
    Rate,
    Rejected,
    Request,
    Response,
    Route,
)

LIMITS: Final = "https://www.braze.com/docs/api/api_limits"
TRACK: Final = "https://www.braze.com/docs/api/endpoints/user_data/post_user_track"
SEND: Final = "https://www.braze.com/docs/api/endpoints/messaging/send_messages/post_send_triggered_campaigns"
DELETE: Final = "https://www.braze.com/docs/api/endpoints/user_data/post_user_delete"

SEND_PATHS: Final = {"campaign": "/campaigns/trigger/send", "canvas": "/canvas/trigger/send"}
PROPERTIES: Final = {"campaign": "trigger_properties", "canvas": "context"}

CHECK_FAILED: Final = {
    401: "Braze does not know this API key on this instance; compare the key and base_url with the dashboard.",
    403: "The API key lacks the permission users.track, or its allowlist leaves this address out.",
}


class Braze(Destination):
    name = "braze"
    title = "Braze"
    docs_url = "https://www.braze.com/docs/api/basics"
    Settings: ClassVar[type[BaseModel]] = BrazeSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS

    def hosts(self) -> Mapping[str, str]:
        return {"api": self.settings.base_url.rstrip("/")}

    def auth(self) -> Mapping[str, Auth]:
        return {"api": Bearer(secret(self.settings.api_key))}

    def account(self) -> str:
        """Limits are per workspace; a key belongs to one, so connections with the same key share them."""
        key = self.settings.api_key.get_secret_value()
        return hashlib.sha256(f"{self.settings.base_url} {key}".encode()).hexdigest()[:16]

    def pools(self) -> Mapping[str, Pool]:
        return {
            "track": Pool([Rate(3_000, 3)], source=LIMITS),
            "messages": Pool([Rate(250_000, 3_600, burst=2_000)], source=LIMITS),
            "delete": Pool([Rate(20_000, 60, burst=1_000)], source=LIMITS),
        }

    def routes(self) -> Mapping[str, Route]:
        """Braze drops no repeated event or message; attributes and deletions may be repeated."""
        return {
            "track": Route(TRACK, ["track"], items=self.settings.objects_per_call, bytes=2_000_000),
            "messages": Route(SEND, ["messages"], items=50, bytes=2_000_000),
            "delete": Route(DELETE, ["delete"], items=50, repeat="safe"),
        }

    # ── values into requests ─────────────────────────────────────────────────────────────────────────────────────

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        who = push.person.source_id
        match push:
            case ProfilePush():
                removed = {name: None for name in push.unset if name not in push.changed}
                body = {"external_id": who, **self._existing_only(), **push.changed, **removed}
                return [Item(push.delivery_id, "track", body, part="attributes")]
            case EventPush():
                return self._event(push)
            case MessagePush():
                return [self._recipient(push)]
            case ErasePush() if who:
                return [Item(push.delivery_id, "delete", who)]
        return Rejected(push.delivery_id, "This connector does not carry this operation to Braze.", code="unsupported")

    def _event(self, push: EventPush) -> list[Item]:
        """One event, or one purchase per line of an order; Braze counts each object against the limit of a call."""
        app = {"app_id": self.settings.app_id} if self.settings.app_id else {}
        common = {"external_id": push.person.source_id, **self._existing_only(), **app, "time": _iso(push.at)}
        purchases = push.fields.get("purchases") or []
        items = [
            Item(push.delivery_id, "track", {**common, **line}, part=f"purchases/{n}")
            for n, line in enumerate(purchases)
        ]
        if "properties" in push.fields or not purchases:
            properties = push.fields.get("properties") or {}
            event = {**common, "name": push.name, "properties": properties}
            items.insert(0, Item(push.delivery_id, "track", event, part="events"))
        return items

    def _recipient(self, push: MessagePush) -> Item:
        """Braze leaves out recipients it does not know, without a word, unless they come with attributes
        (post_send_triggered_campaigns.md)."""
        kind = "canvas" if push.options.is_canvas else "campaign"
        known = {"email": push.person.email, "phone": push.person.phone} if push.options.create_missing else {}
        attributes = {name: value for name, value in known.items() if value} | push.fields.get("attributes", {})
        body = {"external_user_id": push.person.source_id, PROPERTIES[kind]: push.fields.get("trigger_properties", {})}
        if attributes:
            body |= {"attributes": attributes, "send_to_existing_only": not push.options.create_missing}
        return Item(push.delivery_id, "messages", body, group=f"{kind}:{push.options.campaign_id}")

    def _existing_only(self) -> dict[str, Json]:
        return {"_update_existing_only": True} if self.settings.update_existing_only else {}

    def request(self, batch: Batch) -> Request:
        if batch.route == "delete":
            return Request("POST", "/users/delete", json={"external_ids": [item.body for item in batch.items]})
        if batch.route == "track":
            body: dict[str, list[Json]] = {}
            for array, _, item in places(batch):
                body.setdefault(array, []).append(item.body)
            return Request("POST", "/users/track", json=body)
        kind, _, identifier = batch.group.partition(":")
        message = {f"{kind}_id": identifier, "broadcast": False, "recipients": [item.body for item in batch.items]}
        return Request("POST", SEND_PATHS[kind], json=message)

    # ── answers into outcomes ────────────────────────────────────────────────────────────────────────────────────

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        if response.status == 429:
            return RateLimited("Braze asked to slow down.", until=reset(response), response=response)
        if response.status == 400:
            return bad_request(response)
        if response.status >= 300:
            return by_status(response)
        body = response.json()
        if not isinstance(body, dict) or "message" not in body:
            return Unreadable("Braze answered something that is not its API's.", response=response, unknown=True)
        return None

    def outcomes(self, batch: Batch, response: Response) -> Sequence[Outcome]:
        """Failures stand inside a success, by array and index; a message other than `success` fails the rest too."""
        body = response.json()
        failed, unnamed = failures(batch, body)
        if unnamed and len(batch.records) > 1 and all(item.part == "attributes" for item in batch.items):
            raise Split(f"Braze refused an object without saying which: {unnamed[0]}", response=response)
        if unnamed and len(batch.records) == 1:
            failed.setdefault(batch.records[0].delivery_id, unnamed[0])
        notices = [*unnamed, *([str(body["notice"])] if body.get("notice") else [])]
        overall = "" if body["message"] in SUCCESS else str(body["message"])
        return [
            outcome(record.delivery_id, failed.get(record.delivery_id, overall), notices, body.get("dispatch_id"))
            for record in batch.records
        ]

    def check(self) -> Flow:
        """An empty call changes nothing: a good key is told that data is missing, a bad one is turned away."""
        try:
            yield Request("POST", "/users/track", json={"attributes": []})
        except AuthFailed as error:
            status = error.response.status if error.response else 401
            return [Finding("error", CHECK_FAILED[status])]
        except (Permanent, Split):
            pass  # the 400 about missing data that only a good key gets to see
        return [Finding("ok", "Braze knows the API key, and it may write users.")]


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
