"""A Braze workspace in memory. It checks what Braze checks and answers in its words.

Facts: github.com/braze-inc/braze-docs, `_docs/_api/` (read 2026-08); texts of refusals as seen by others' integrations.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from connectors.braze.validation import array_of, bad_identity, body_of, write
from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json, Operation

API_KEY = "sandbox-braze-key"
WINDOW_S = 3
ARRAYS = ("attributes", "events", "purchases")
RESERVED = frozenset({"time", "event_name"})  # property names that fail an event (objects_filters/event_object.md)
BAD_EMAIL = "The value provided for the 'email' field is not a valid email."
NO_DATA = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
TOO_MANY = "Max Input Length Exceeded"


class BrazeSimulator(Simulator):
    sandbox_place: ClassVar[int] = 5
    kept = ("profiles", "events", "purchases", "messages", "skipped", "groups")
    failing_body: ClassVar[Json] = {"message": "Your request could not be processed"}
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {
            "email": "ada{n}@example.com",
            "first_name": "Ada",
            "country": "PL",
            "loyalty_tier": "gold",
        },
        Operation.EVENTS: {"properties": {"order_id": "order-{n}", "total": 12.5}},
        Operation.MESSAGES: {"trigger_properties": {"incentive_code": "SPRING-{n}"}},
        Operation.AUDIENCE: {"vip": True},
        Operation.CONSENT: {"email_subscribe": "opted_in"},
        Operation.ERASE: {},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"email": "not an address"},
        Operation.EVENTS: {"properties": {"time": "reserved"}},
    }

    def __init__(self, *, max_objects: int = 75, calls_per_window: int | None = None, **given: Any) -> None:
        """`max_objects`: of one /users/track call, in total. `calls_per_window`: answer 429 to more in three seconds."""
        super().__init__(**given)
        self.max_objects = max_objects
        self.calls_per_window = calls_per_window
        self.permissions = {
            "users.track", "users.track.bulk", "users.delete", "campaigns.trigger.send", "canvas.trigger.send",
            "transactional.send", "subscription.status.set",
        }  # fmt: skip
        self.paused_canvases: set[str] = set()
        self.purchases: list[dict[str, Json]] = []
        self.groups: dict[str, dict[str, str]] = {}  # subscription group -> person -> state
        self._sends: dict[str, dict[str, Json]] = {}  # external_send_id -> answer; Braze keeps them for 24 hours
        self.skipped: list[str] = []  # recipients unknown to Braze, left out of a message without a word
        self._window, self._calls, self._dispatches = 0, 0, 0

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {"base_url": "https://rest.fra-01.braze.eu", "api_key": API_KEY}

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:
        inside = {Operation.EVENTS: "properties", Operation.MESSAGES: "trigger_properties"}.get(operation)
        if inside is None:
            return {**fields, name: value}
        return {**fields, inside: {**fields.get(inside, {}), name: value}}

    # ── every call ───────────────────────────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return SimResponse(401, {"code": 401, "message": "Invalid API Key"})
        window = int(self.clock().timestamp()) // WINDOW_S
        self._calls = self._calls + 1 if window == self._window else 1
        self._window = window
        if self.calls_per_window is not None and self._calls > self.calls_per_window:
            return self.error(429, None)
        return None

    def headers(self, request: SimRequest) -> Mapping[str, str]:
        limit = self.calls_per_window or 3_000
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(0, limit - self._calls)),
            "x-ratelimit-reset": str((int(self.clock().timestamp()) // WINDOW_S + 1) * WINDOW_S),
        }

    def error(self, status: int, retry_after_s: float | None) -> SimResponse:
        """Braze documents no Retry-After; the reset header tells (api_limits.md)."""
        headers = {}
        if retry_after_s is not None:
            headers["x-ratelimit-reset"] = str(int(self.clock().timestamp() + retry_after_s))
        words = {429: "Rate Limit Exceeded", 500: "Internal Server Error"}.get(status, "An error occurred")
        return SimResponse(status, {"message": words}, headers)

    # ── users ────────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/users/track")
    def track(self, request: SimRequest) -> SimResponse:
        """Attributes, then events, then purchases; a bad object is named and the others are taken."""
        return self._track(request, "users.track", self.max_objects)

    @route("POST", "/users/track/bulk")
    def track_bulk(self, request: SimRequest) -> SimResponse:
        """The same answers for up to 1,000 objects, 100 of them of one person (post_user_track_bulk.md)."""
        arrays = [array_of(body_of(request), name) for name in ARRAYS if name in body_of(request)]
        people = Counter(str(one.get("external_id")) for array in arrays for one in array if isinstance(one, dict))
        if people and max(people.values()) > 100:
            raise Refused(SimResponse(400, {"message": TOO_MANY}))
        return self._track(request, "users.track.bulk", 1_000)

    def _track(self, request: SimRequest, permission: str, most: int) -> SimResponse:
        self._permit(permission)
        body = body_of(request)
        arrays = {name: array_of(body, name) for name in ARRAYS if name in body}
        objects = sum(map(len, arrays.values()))
        if objects > most:
            raise Refused(SimResponse(400, {"message": TOO_MANY}))
        takers: Mapping[str, Callable[[dict[str, Any]], str | None]] = {
            "attributes": self._take_attributes,
            "events": self._take_event,
            "purchases": self._take_purchase,
        }
        errors = [
            {"type": problem, "input_array": name, "index": index}
            for name, array in arrays.items()
            for index, one in enumerate(array)
            if (problem := bad_identity(one) or takers[name](one))
        ]
        if len(errors) == objects:
            return SimResponse(400, {"message": NO_DATA, "errors": errors})
        counts = {f"{name}_processed": len(array) for name, array in arrays.items()}
        for error in errors:
            counts[f"{error['input_array']}_processed"] -= 1
        return SimResponse(201, {**counts, "message": "success", **({"errors": errors} if errors else {})})

    def _take_attributes(self, one: dict[str, Any]) -> str | None:
        email = one.get("email")
        if email is not None and not (isinstance(email, str) and "@" in email and " " not in email):
            return BAD_EMAIL
        profile = self._profile(one)
        if profile is not None:
            for name, value in one.items():
                if name not in ("external_id", "_update_existing_only"):
                    write(profile, name, value)
        return None

    def _take_event(self, one: dict[str, Any]) -> str | None:
        if not isinstance(one.get("name"), str) or not one["name"]:
            return "'name' is required"
        properties = one.get("properties", {})
        if not one.get("time") or not isinstance(properties, dict):
            return "'time' is required" if not one.get("time") else "'properties' is not valid"
        bad = [name for name in properties if not name or len(name) > 255 or name[0] == "$" or name in RESERVED]
        if bad:
            return f"'{bad[0]}' is not a valid property name"
        if self._profile(one) is not None:
            self.events.append(one)
        return None

    def _take_purchase(self, one: dict[str, Any]) -> str | None:
        missing = [name for name in ("product_id", "currency", "price", "time") if one.get(name) in (None, "")]
        if missing:
            return f"'{missing[0]}' is required"
        if not isinstance(one["price"], int | float) or isinstance(one["price"], bool):
            return "'price' is not valid"
        quantity = one.get("quantity", 1)
        if not isinstance(quantity, int) or not 1 <= quantity <= 100:
            return "'quantity' is not valid"
        if self._profile(one) is not None:
            self.purchases.append(one)
        return None

    def _profile(self, one: Mapping[str, Any]) -> dict[str, Any] | None:
        """The profile an object is about, made if need be; None if it may not be made."""
        key = str(one.get("external_id") or one.get("email") or one.get("phone"))
        if one.get("_update_existing_only") and key not in self.profiles:
            return None
        return self.profiles.setdefault(key, {})

    @route("POST", "/users/delete")
    def delete(self, request: SimRequest) -> SimResponse:
        self._permit("users.delete")
        ids = array_of(body_of(request), "external_ids")
        if not ids or len(ids) > 50 or not all(isinstance(one, str) and one for one in ids):
            raise Refused(SimResponse(400, {"message": "The max number of ids per request is 50"}))
        deleted = [one for one in ids if self.profiles.pop(one, None) is not None]
        return SimResponse(201, {"deleted": len(deleted), "message": "success"})

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/campaigns/trigger/send")
    def trigger_campaign(self, request: SimRequest) -> SimResponse:
        return self._send(request, "campaign", "trigger_properties")

    @route("POST", "/canvas/trigger/send")
    def trigger_canvas(self, request: SimRequest) -> SimResponse:
        return self._send(request, "canvas", "context")

    def _send(self, request: SimRequest, kind: str, properties: str) -> SimResponse:
        self._permit(f"{'campaigns' if kind == 'campaign' else kind}.trigger.send")
        body = body_of(request)
        target = body.get(f"{kind}_id")
        if not isinstance(target, str) or not target:
            raise Refused(SimResponse(400, {"message": f"Invalid {kind.title()} ID"}))
        recipients = array_of(body, "recipients")
        if not recipients or body.get("broadcast"):
            raise Refused(SimResponse(400, {"message": "No Recipients"}))
        if len(recipients) > 50:
            raise Refused(SimResponse(400, {"message": TOO_MANY}))
        for one in recipients:
            self._check_recipient(one, properties)
        self._dispatches += 1
        answer: dict[str, Json] = {"dispatch_id": str(uuid.UUID(int=self._dispatches)), "message": "success"}
        if target in self.paused_canvases:
            # Seen on paused and archived Canvases: a success that sends nothing (post_send_triggered_canvases.md).
            return SimResponse(201, {**answer, "notice": "The Canvas is paused. No messages were sent."})
        for one in recipients:
            self._deliver(one, {f"{kind}_id": target, "dispatch_id": answer["dispatch_id"]}, properties)
        return SimResponse(201, answer)

    @route("POST", "/transactional/v1/campaigns/{campaign_id}/send")
    def send_transactional(self, request: SimRequest) -> SimResponse:
        """One recipient; a repeated `external_send_id` is the same message (post_send_transactional_message.md)."""
        self._permit("transactional.send")
        body = body_of(request)
        send_id = body.get("external_send_id")
        if send_id is not None and not (isinstance(send_id, str) and re.fullmatch(r"[a-zA-Z0-9\-_+/=]+", send_id)):
            raise Refused(SimResponse(400, {"message": "'external_send_id' is not valid"}))
        if send_id in self._sends:
            return SimResponse(201, self._sends[send_id])
        recipient = body.get("recipient") or {}
        self._check_recipient(recipient, "trigger_properties")
        self._dispatches += 1
        answer: dict[str, Json] = {
            "dispatch_id": str(uuid.UUID(int=self._dispatches)),
            "status": "sent",
            "metadata": {},
        }
        message = {"campaign_id": request.params["campaign_id"], "dispatch_id": answer["dispatch_id"]}
        given = {"trigger_properties": body.get("trigger_properties", {})}
        self._deliver({**recipient, **given}, message, "trigger_properties")
        if send_id is not None:
            self._sends[send_id] = answer
        return SimResponse(201, answer)

    @route("POST", "/v2/subscription/status/set")
    def set_subscriptions(self, request: SimRequest) -> SimResponse:
        self._permit("subscription.status.set")
        for group in array_of(body_of(request), "subscription_groups"):
            ids = array_of(group, "external_ids")
            state = group.get("subscription_state")
            if not group.get("subscription_group_id") or state not in ("subscribed", "unsubscribed"):
                raise Refused(SimResponse(400, {"message": "Bad Request"}))
            if not 0 < len(ids) <= 50:
                raise Refused(SimResponse(400, {"message": "The max number of ids per request is 50"}))
            members = self.groups.setdefault(group["subscription_group_id"], {})
            members.update(dict.fromkeys(map(str, ids), state))
        return SimResponse(201, {"message": "success"})

    def _check_recipient(self, one: Any, properties: str) -> None:
        if not isinstance(one, dict) or not one.get("external_user_id"):
            raise Refused(SimResponse(400, {"message": "Each recipient needs exactly one identifier"}))
        unknown = set(one) - {"external_user_id", "attributes", "send_to_existing_only", properties}
        if unknown or not isinstance(one.get(properties, {}), dict):
            raise Refused(SimResponse(400, {"message": "Bad Request"}))
        if one.get("send_to_existing_only") is False and not one.get("attributes"):
            raise Refused(SimResponse(400, {"message": "'attributes' is required to create a user"}))

    def _deliver(self, one: Mapping[str, Any], message: Mapping[str, Json], properties: str) -> None:
        who = one["external_user_id"]
        if who not in self.profiles and one.get("send_to_existing_only", True):
            self.skipped.append(who)
            return
        self.profiles.setdefault(who, {}).update(one.get("attributes", {}))
        self.messages.append({**message, "external_id": who, "properties": one.get(properties, {})})

    def _permit(self, permission: str) -> None:
        if permission not in self.permissions:
            raise Refused(SimResponse(403, {"message": f"The API key lacks the permission {permission}"}))
