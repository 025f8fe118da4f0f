"""A MoEngage workspace in memory. It checks what MoEngage checks, drops what MoEngage drops, and answers in its words.

Facts: the pages named in docs/connectors/moengage.md. Of a bulk call, faults of structure fail all of it, and an element
that is wrong otherwise vanishes behind a 200.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from connectors.moengage import validation
from connectors.moengage.validation import Invalid, body_of, failure, flat
from hub.sdk.kit.simulator.base import SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json, Operation

WORKSPACE = "8SIW681S80Z08KSHQFSTIZ8T"
KEYS: Mapping[str, str] = {"api": "sandbox-data-key", "inform": "sandbox-inform-key", "push": "sandbox-push-key"}
BULK_BYTES = 100 * 1024
CALL_BYTES = 128 * 1024
REMEMBERED = timedelta(minutes=5)
ACCEPTED = "Your request has been accepted and will be processed soon."


class MoEngageSimulator(Simulator):
    sandbox_place: ClassVar[int] = 12
    hosts = ("api", "inform", "push")
    kept = ("profiles", "events", "messages", "cohorts", "erasures", "dropped")
    failing_body: ClassVar[Json] = {
        "status": "fail",
        "error": {"type": "ServerError", "message": "Could not process", "request_id": "r"},
    }
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"u_em": "ada{n}@example.com", "u_fn": "Ada", "points": 120},
        Operation.EVENTS: {"attributes": {"order_id": "order-{n}", "total": 12.5}},
        Operation.MESSAGES: {"email": "ada{n}@example.com", "attributes": {"incentive_code": "SPRING-{n}"}},
        Operation.AUDIENCE: {"cohort_name": "VIP"},
        Operation.CONSENT: {},
        Operation.ERASE: {},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.MESSAGES: {"email": "not an address"},
    }

    def __init__(self, *, calls_per_minute: int = 0, **given: Any) -> None:
        """`calls_per_minute`: answer 429 to more; 0 counts and lets pass."""
        super().__init__(**given)
        self.calls_per_minute = calls_per_minute
        self.cohorts: dict[str, list[str]] = {}
        self.erasures: list[str] = []
        self.dropped: list[str] = []  # why elements of bulk calls vanished
        self.categories = {"Offers"}
        self._transactions: dict[str, datetime] = {}
        self._minutes: Counter[int] = Counter()
        self._answers = 0

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        keys = {"data_key": KEYS["api"], "inform_key": KEYS["inform"], "push_key": KEYS["push"]}
        return {"workspace_id": WORKSPACE, **keys}

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:
        if operation is Operation.PROFILES:
            return {**fields, name: value}
        if operation in (Operation.EVENTS, Operation.MESSAGES):
            return {**fields, "attributes": {**fields.get("attributes", {}), name: value}}
        return dict(fields)

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        if operation is Operation.AUDIENCE:
            return any(source_id in members for members in self.cohorts.values())
        if operation is Operation.CONSENT:
            return "moe_unsubscribe" in self.profiles.get(source_id, {})
        return super().holds(operation, source_id)

    # ── every call ───────────────────────────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        self._minutes[self._minute()] += 1
        if 0 < self.calls_per_minute < self._minutes[self._minute()]:
            return self.error(429, None, request.host)
        family = "inform" if request.path.startswith("/v1.0/alerts") else request.host
        if family != "push" and (refusal := self._credentials(request, family)) is not None:
            return refusal
        if "json" not in request.headers.get("content-type", ""):
            return failure(415, "MediaTypeError", "Unsupported media type")
        limit = BULK_BYTES if request.path.startswith("/v1/transition") else CALL_BYTES
        return failure(413, "PayloadTooLarge", "Payload too large") if len(request.body) > limit else None

    def _credentials(self, request: SimRequest, family: str) -> SimResponse | None:
        wanted = base64.b64encode(f"{WORKSPACE}:{KEYS[family]}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {wanted}":
            if family == "inform":
                return flat(401, "UNAUTHORIZED", 120001)
            return failure(401, "Authentication required", "Authentication is required")
        named = request.headers.get("moe-appkey", "")
        needs_name = not request.path.startswith(("/v1/transition", "/v1/customers", "/v1/opengdpr"))
        if needs_name and named != WORKSPACE:
            return failure(409, "Authentication Mismatch", "MOE-APPKEY differs from the Basic user")
        return None

    def headers(self, request: SimRequest) -> Mapping[str, str]:
        limit = self.calls_per_minute or 10_000
        left = max(0, limit - self._minutes[self._minute()])
        reset = 60 - int(self.clock().timestamp()) % 60
        return {
            "x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(left), "x-ratelimit-reset": str(reset)
        }  # fmt: skip

    def error(self, status: int, retry_after_s: float | None, host: str = "api") -> SimResponse:
        """No Retry-After; the reset header tells. The Push API throttles with an empty body."""
        headers = {} if retry_after_s is None else {"x-ratelimit-reset": f"{retry_after_s:g}"}
        if status == 429 and host == "push":
            return SimResponse(429, headers={**headers, "x-envoy-ratelimited": "true"})
        kinds = {429: "Rate Limits Exceeded", 500: "ServerError"}
        return failure(status, kinds.get(status, "Error"), f"Simulated {status}.", headers)

    def _minute(self) -> int:
        return int(self.clock().timestamp()) // 60

    def _accepted(self) -> SimResponse:
        self._answers += 1
        return SimResponse(200, {"status": "success", "message": ACCEPTED, "request_id": f"req{self._answers:05d}"})

    # ── data ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/v1/transition/{workspace}")
    def transition(self, request: SimRequest) -> SimResponse:
        self._own(request)
        elements = validation.elements(body_of(request))
        for element in elements:
            problem = validation.why_dropped(element)
            if problem:
                self.dropped.append(problem)
            elif element["type"] == "customer":
                self._write(element)
            else:
                self._happen(element)
        return self._accepted()

    def _write(self, element: Mapping[str, Any]) -> None:
        known = element["customer_id"] in self.profiles
        profile = self.profiles.setdefault(element["customer_id"], {})
        for name, value in element.get("attributes", {}).items():
            if known and name in validation.CREATE_ONLY:
                continue
            profile[name] = value[:512] if isinstance(value, str) else value
        for one in element.get("unset_attributes", ()):
            profile.pop(one["attr"], None)

    def _happen(self, element: Mapping[str, Any]) -> None:
        """An event makes its person, and nothing keeps it from being there twice."""
        self.profiles.setdefault(element["customer_id"], {})
        for action in element["actions"]:
            said = dict(list(action.get("attributes", {}).items())[:100])
            name = action["action"].replace(".", " ")
            self.events.append({"customer_id": element["customer_id"], **action, "action": name, "attributes": said})

    @route("POST", "/v1/customers/export")
    def export(self, request: SimRequest) -> SimResponse:
        asked = body_of(request).get("data")
        identifiers = asked.get("identifiers") if isinstance(asked, dict) else None
        if not isinstance(identifiers, list) or not 1 <= len(identifiers) <= 20:
            raise Invalid("ParamsRequired", "1 to 20 identifiers are required", "identifiers")
        names = [one.get("identifier") for one in identifiers]
        users = [{"user_attributes": self.profiles[name]} for name in names if name in self.profiles]
        missing = [name for name in names if name not in self.profiles]
        found = {"users": users, "users_not_found": missing}
        return SimResponse(200, {"status": "success", "type": "export_users", "data": found})

    @route("POST", "/v1/integrations/cohortsync")
    def cohort_sync(self, request: SimRequest) -> SimResponse:
        """Only people that are known are matched; nobody says who was not."""
        body = body_of(request)
        parameters, ids = validation.cohort(body)
        members = self.cohorts.setdefault(parameters["cohort_id"], [])
        for one in ids:
            if one not in self.profiles:
                self.dropped.append(f"{one} is not known")
            elif body["action"] == "remove_members" and one in members:
                members.remove(one)
            elif body["action"] == "add_members" and one not in members:
                members.append(one)
        return self._accepted()

    @route("POST", "/v1/category-subscription/user-preferences")
    def preferences(self, request: SimRequest) -> SimResponse:
        body = body_of(request)
        given = body.get("user_preferences")
        if not isinstance(given, list) or not 1 <= len(given) <= 50:
            words = {"title": "Payload Limit Exceeded", "description": "Payload limit is set to 50"}
            return SimResponse(400, words)
        for one in given:
            unknown = sorted(set(one.get("categories", ())) - self.categories)
            if body.get("channel") != "email" or unknown:
                words = {"title": "Invalid Category", "description": f"No such category: {', '.join(unknown)}"}
                return SimResponse(400, words)
        for one in given:
            held = self.profiles.setdefault(one["customer_id"], {}).setdefault("moe_categories", {})
            held.update(one["categories"])
        return self._accepted()

    @route("POST", "/v1/opengdpr_requests/{workspace}")
    def erase(self, request: SimRequest) -> SimResponse:
        self._own(request)
        who = validation.erased(body_of(request))
        if who not in self.profiles:
            raise Invalid("Not Found", "No user with this identity", "identity_value")
        del self.profiles[who]
        self.erasures.append(who)
        return self._accepted()

    def _own(self, request: SimRequest) -> None:
        if request.params["workspace"] != WORKSPACE:
            raise Invalid("Authentication Mismatch", "The path names another workspace", "app_id", status=409)

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/v1.0/alerts/send")
    def alert(self, request: SimRequest) -> SimResponse:
        body = body_of(request)
        problem = validation.why_no_alert(body)
        if problem:
            return flat(400, problem, 120002)
        transaction, now = body["transaction_id"], self.clock()
        if now - self._transactions.get(transaction, now - REMEMBERED) < REMEMBERED:
            return flat(409, "DUPLICATE_REQUEST_RECEIVED", 120105)
        self._transactions[transaction] = now
        for channel, one in body["payloads"].items():
            sent = {"user_id": body["user_id"], "channel": channel, "to": one["recipient"]}
            self.messages.append({**sent, "attributes": one.get("personalized_attributes", {})})
        self._answers += 1
        return SimResponse(200, {"message": "Successfully Received", "request_id": f"req{self._answers:05d}"})

    @route("POST", "/v2.1/transaction/sendpush")
    def push(self, request: SimRequest) -> SimResponse:
        body = body_of(request)
        text = f"{body.get('appId')}|{body.get('campaignName')}|{KEYS['push']}"
        signature = hashlib.sha256(text.encode()).hexdigest()
        if signature not in (body.get("signature"), "") or request.headers.get("x-moe-pushapi-signature") != signature:
            return SimResponse(401, {"status": "Failure", "message": "Signature does not match"})
        problem = validation.why_no_push(body, request.headers.get("x-moe-query-type", ""))
        if problem:
            return SimResponse(400, {"status": "Failure", "message": problem})
        who = body["targetUserAttributes"]["attributeValue"]
        self.messages.append({"user_id": who, "channel": "PUSH", "payload": body["payload"]})
        self._answers += 1
        return SimResponse(200, {"status": "Success", "request_id": f"req{self._answers:05d}"})
