"""Braze as a destination.

Profiles, events and purchases share one endpoint, which reports failures per object inside a success; messages go to
API-triggered campaigns and Canvases. Pages cited below: github.com/braze-inc/braze-docs, `_docs/_api/` (read 2026-08).
Set-up for operators: docs/connectors/braze.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final
from urllib.parse import quote

from pydantic import BaseModel

from connectors.braze import bodies
from connectors.braze.answers import SUCCESS, bad_request, failures, outcome, reset
from connectors.braze.settings import OPTIONS, TARGETS, BrazeSettings
from hub.sdk.contract import Destination, Flow, by_status, secret
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Split, Unreadable
from hub.sdk.values import (
    AnyPush,
    AudienceChange,
    Auth,
    Batch,
    Bearer,
    ConsentChange,
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
BULK: Final = "https://www.braze.com/docs/api/endpoints/user_data/post_user_track_bulk"
TRANSACTIONAL: Final = (
    "https://www.braze.com/docs/api/endpoints/messaging/send_messages/post_send_transactional_message"
)
SUBSCRIPTIONS: Final = (
    "https://www.braze.com/docs/api/endpoints/subscription_groups/post_update_user_subscription_group_status_v2"
)
DELETE: Final = "https://www.braze.com/docs/api/endpoints/user_data/post_user_delete"

SEND_PATHS: Final = {"campaign": "/campaigns/trigger/send", "canvas": "/canvas/trigger/send"}
TRACK_PATHS: Final = {"track": "/users/track", "track_bulk": "/users/track/bulk"}

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
            "bulk": Pool([Rate(50, 1)], source=BULK),
            "messages": Pool([Rate(250_000, 3_600, burst=2_000)], source=LIMITS),
            "subscriptions": Pool([Rate(5_000, 60, burst=500)], source=LIMITS),
            "delete": Pool([Rate(20_000, 60, burst=1_000)], source=LIMITS),
        }

    def routes(self) -> Mapping[str, Route]:
        """Braze drops no repeated event or message, save transactional ones; the rest may be repeated."""
        routes = {
            "track": Route(TRACK, ["track"], items=self.settings.objects_per_call, bytes=2_000_000),
            "messages": Route(SEND, ["messages"], items=50, bytes=2_000_000),
            "transactional": Route(TRANSACTIONAL, ["messages"], repeat="deduplicated", repeat_window_s=86_400),
            "subscriptions": Route(SUBSCRIPTIONS, ["subscriptions"], items=50, repeat="safe"),
            "delete": Route(DELETE, ["delete"], items=50, repeat="safe"),
        }
        if self.settings.bulk:
            routes["track_bulk"] = Route(
                BULK, ["bulk"], items=1_000, bytes=2_000_000, items_per_profile=100, bulk_of="track", bulk_from=200
            )
        return routes

    # ── values into requests ─────────────────────────────────────────────────────────────────────────────────────

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        match push:
            case ProfilePush() | AudienceChange():
                return [bodies.attributes(push, self.settings)]
            case EventPush():
                return bodies.events(push, self.settings)
            case MessagePush():
                return [bodies.message(push)]
            case ConsentChange():
                made = bodies.consent(push, self.settings)
                return made if isinstance(made, Rejected) else [made]
            case ErasePush() if push.person.source_id:
                return [Item(push.delivery_id, "delete", push.person.source_id)]
        words = "Braze deletes by external_id; without one, delete this person in Braze's dashboard."
        return Rejected(push.delivery_id, words, code="unsupported")

    def request(self, batch: Batch) -> Request:
        ids = [item.body for item in batch.items]
        match batch.route:
            case "delete":
                return Request("POST", "/users/delete", json={"external_ids": ids})
            case "track" | "track_bulk":
                return Request("POST", TRACK_PATHS[batch.route], json=bodies.by_array(batch.items))
            case "transactional":
                return Request("POST", f"/transactional/v1/campaigns/{quote(batch.group, safe='')}/send", json=ids[0])
        kind, _, identifier = batch.group.partition(":")
        if batch.route == "subscriptions":
            group = {"subscription_group_id": identifier, "subscription_state": kind, "external_ids": ids}
            return Request("POST", "/v2/subscription/status/set", json={"subscription_groups": [group]})
        return Request("POST", SEND_PATHS[kind], json={f"{kind}_id": identifier, "broadcast": False, "recipients": ids})

    # ── answers into outcomes ────────────────────────────────────────────────────────────────────────────────────

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        if response.status == 429:
            return RateLimited("Braze asked to slow down.", until=reset(response), response=response)
        if response.status == 400:
            return bad_request(response)
        if response.status >= 300:
            return by_status(response)
        body = response.json()
        if not isinstance(body, dict) or not ("message" in body or "dispatch_id" in body):
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
        overall = "" if body.get("message", "success") in SUCCESS else str(body["message"])
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
