"""An Iterable project over HTTP. It validates what Iterable validates and answers in its words.

Facts: api.iterable.com/api/docs; texts of refusals as seen by others' integrations, ours where none are known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from connectors.iterable.audiences import AudienceEndpoints
from connectors.iterable.project import Failed, Project, Refusal
from connectors.iterable.replies import bad_json, bulk, elements, known_user, object_, one_type_each, one_user, success
from hub.sdk.kit.simulator.base import SimRequest, SimResponse, route
from hub.sdk.values import Json, Operation

API_KEY: Final = "sandbox-iterable-key-00000000000"
BODY_BYTES: Final = 4_000_000
PER_SECOND: Final = {"/api/users/bulkUpdate": 5, "/api/events/trackBulk": 10, "/api/users/forget": 3}
GROUPS: Final = ("messageChannel", "messageType", "emailList")


class IterableSimulator(AudienceEndpoints):
    sandbox_place: ClassVar[int] = 8
    kept = ("profiles", "events", "messages", "purchases", "names", "lists", "subscriptions")
    failing_body: ClassVar[Json] = {"msg": "Email could not be queued", "code": "QueueEmailError", "params": None}
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {
            "email": "ada{n}@example.com",
            "firstName": "Ada",
            "phoneNumber": "+48500000000",
            "timeZone": "Europe/Warsaw",
            "loyaltyPoints": 120,
        },
        Operation.EVENTS: {"dataFields": {"orderId": "order-{n}", "total": 12.5}},
        Operation.MESSAGES: {"dataFields": {"incentive_code": "SPRING-{n}"}},
        Operation.AUDIENCE: {"static_list": "vip"},
        Operation.CONSENT: {"subscription": "messageChannel/101"},
        Operation.ERASE: {"emails": ["ada{n}@example.com"]},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"loyaltyPoints": "many"},
        Operation.EVENTS: {"dataFields": {"total": "a lot"}},
        Operation.CONSENT: {"subscription": "messageChannel/999"},
    }

    def __init__(self, *, project_type: str = "userid", is_throttling: bool = False, **given: Any) -> None:
        super().__init__(**given)
        self.project = Project(project_type, self.profiles)
        self.is_throttling = is_throttling
        self.purchases: list[dict[str, Json]] = []
        self.names: dict[int, str] = {1: "vip", 2: "big_spenders"}
        self.lists: dict[int, list[str]] = {}
        self.journeys = {"incentive_assigned"}
        self.disallowed: set[str] = set()
        self.groups = {"messageChannel/101", "messageChannel/102", "messageType/202", "emailList/1"}
        self.subscriptions: dict[str, dict[str, bool]] = {}
        self._calls: Counter[tuple[str, int]] = Counter()

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {"api_key": API_KEY, "project_type": "userid"}

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:
        if operation in (Operation.EVENTS, Operation.MESSAGES):
            return {**fields, "dataFields": {**fields.get("dataFields", {}), name: value}}
        return {**fields, name: value} if operation is Operation.PROFILES else dict(fields)

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        if operation is Operation.AUDIENCE:
            return source_id in self.lists.get(1, ())
        if operation is Operation.CONSENT:
            return source_id in self.subscriptions
        return super().holds(operation, source_id)

    # ── every call ───────────────────────────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        if request.headers.get("api-key") != API_KEY:
            params = {"ip": "203.0.113.9", "endpoint": request.path}
            return SimResponse(401, {"msg": "Invalid API key", "code": "BadApiKey", "params": params})
        if len(request.body) > BODY_BYTES:
            return SimResponse(413, {"msg": "Request body is too large", "code": "BatchTooLarge", "params": None})
        second = (request.path, int(self.clock().timestamp()))
        self._calls[second] += 1
        over = self._calls[second] > PER_SECOND.get(request.path, 500)
        return self._slow_down(request.path) if over and self.is_throttling else None

    def _slow_down(self, path: str) -> SimResponse:
        words = f"Exceeded rate limit for endpoint: {path}, project: 1"
        return SimResponse(429, {"msg": words, "code": "RateLimitExceeded", "params": {}})

    def error(self, status: int, retry_after_s: float | None) -> SimResponse:
        """No Retry-After is documented; the hub honours one all the same."""
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
        if status == 429:
            return SimResponse(429, self._slow_down("/api/").json, headers)
        code = {401: "BadApiKey", 500: "GenericError", 503: "DatabaseError"}.get(status, "BadParams")
        return SimResponse(status, {"msg": f"Simulated {status}.", "code": code, "params": None}, headers)

    # ── users ────────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/api/users/bulkUpdate")
    def bulk_update(self, request: SimRequest) -> SimResponse:
        users = elements(request, "users")
        for index, one in enumerate(users):
            if not isinstance(one.get("preferUserId", False), bool):
                bad_json(request, f"obj.users[{index}].preferUserId", "Boolean value expected")
        errors: dict[str, Json] = {}
        for one in users:
            errors |= self.project.learn(self.project.types, one.get("dataFields") or {})
        one_type_each(errors)
        return bulk(users, self.project.upsert)

    @route("POST", "/api/users/updateEmail")
    def update_email(self, request: SimRequest) -> SimResponse:
        body = object_(request)
        if self.project.kind != "email":
            raise Refusal(400, "BadParams", "updateEmail is for email-based projects")
        old, new = str(body.get("currentEmail", "")).lower(), str(body.get("newEmail", "")).lower()
        key = known_user(self.project, {"email": old})
        if self.project.find({"email": new}) is not None:
            raise Refusal(400, "EmailAlreadyExists", "A user with the new email already exists")
        self.profiles[key]["email"] = new
        return success()

    @route("GET", "/api/users/getFields")
    def get_fields(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, {"fields": dict(self.project.types)})

    @route("POST", "/api/users/forget")
    def forget(self, request: SimRequest) -> SimResponse:
        body = object_(request)
        wanted = {"email": {"email"}, "userid": {"userId"}, "hybrid": {"email", "userId"}}[self.project.kind]
        if len(body) != 1 or not body.keys() <= wanted:
            raise Refusal(400, "BadParams", f"This project forgets users by {' or '.join(sorted(wanted))}")
        value = str(next(iter(body.values())))
        if value in self.project.forgotten:
            return success()
        self.profiles.pop(known_user(self.project, body), None)
        self.project.forgotten.add(value)
        return success()

    @route("DELETE", "/api/users/byUserId/{userId}")
    def delete_by_id(self, request: SimRequest) -> SimResponse:
        del self.profiles[known_user(self.project, {"userId": request.params["userId"]})]
        return success()

    @route("DELETE", "/api/users/{email}")
    def delete(self, request: SimRequest) -> SimResponse:
        del self.profiles[known_user(self.project, {"email": request.params["email"]})]
        return success()

    # ── events, purchases, messages ──────────────────────────────────────────────────────────────────────────────

    @route("POST", "/api/events/trackBulk")
    def track_bulk(self, request: SimRequest) -> SimResponse:
        events = elements(request, "events")
        errors: dict[str, Json] = {}
        for index, one in enumerate(events):
            if not one.get("eventName") or not isinstance(one["eventName"], str):
                bad_json(request, f"obj.events[{index}].eventName", "String value expected")
            if not isinstance(one.get("createdAt", 0), int):
                bad_json(request, f"obj.events[{index}].createdAt", "Integer value expected")
            errors |= self.project.learn(self.project.event_types, one.get("dataFields") or {}, one["eventName"])
        one_type_each(errors)
        disallowed = sorted({one["eventName"] for one in events if one["eventName"] in self.disallowed})
        answer = bulk([one for one in events if one["eventName"] not in self.disallowed], self._record)
        count = sum(one["eventName"] in self.disallowed for one in events)
        more = {"disallowedEventNames": disallowed, "failCount": answer.json["failCount"] + count}
        return SimResponse(200, {**answer.json, **more})

    def _record(self, one: Mapping[str, Any]) -> None:
        """An event with an id that is known is updated, and starts no journey again."""
        user = self._person(one)
        name, event_id = one["eventName"], str(one.get("id") or f"made-{len(self.events)}")
        kept = {**one, "id": event_id, "userId": user}
        known = next((event for event in self.events if event["id"] == event_id), None)
        if known is not None:
            known.update(kept)
            return
        self.events.append(kept)
        if name in self.journeys:
            self.messages.append({"userId": user, "event": name, "dataFields": one.get("dataFields")})

    def _person(self, one: Mapping[str, Any]) -> str:
        """The user of an event, made if the project makes users from events."""
        found = self.project.find(one)
        if found is None and self.project.kind == "email" and "email" not in one:
            raise Failed("notFound", "userId", str(one.get("userId")))
        return found or self.project.upsert({name: one[name] for name in ("email", "userId") if name in one})

    @route("POST", "/api/commerce/trackPurchase")
    def track_purchase(self, request: SimRequest) -> SimResponse:
        body = object_(request)
        items = body.get("items")
        if not isinstance(items, list) or not isinstance(body.get("total"), int | float):
            raise Refusal(
                400, "BadJsonBody", "[/api/commerce/trackPurchase] Invalid JSON body", {"obj.total": "missing"}
            )
        for index, item in enumerate(items):
            missing = [name for name in ("id", "name", "price", "quantity") if item.get(name) is None]
            if missing or not isinstance(item["quantity"], int):
                at = f"obj.items[{index}].{(missing or ['quantity'])[0]}"
                bad_json(request, at, "error.path.missing")
        user = one_user(lambda: self.project.upsert(body.get("user") or {}))
        kept = {**body, "userId": user}
        self.purchases[:] = [one for one in self.purchases if one.get("id") != body.get("id")] + [kept]
        return success({"id": body.get("id")})

    @route("POST", "/api/email/target")
    @route("POST", "/api/sms/target")
    @route("POST", "/api/push/target")
    @route("POST", "/api/inApp/target")
    def target(self, request: SimRequest) -> SimResponse:
        body = object_(request)
        if not isinstance(body.get("campaignId"), int):
            bad_json(request, "obj.campaignId", "error.path.missing")
        who = {"email": body.get("recipientEmail"), "userId": body.get("recipientUserId")}
        user = known_user(self.project, {name: value for name, value in who.items() if value})
        sent = {
            "userId": user,
            "campaignId": body["campaignId"],
            "path": request.path,
            "dataFields": body["dataFields"],
        }
        if body.get("allowRepeatMarketingSends", True) or not any(
            (one["userId"], one.get("campaignId")) == (user, body["campaignId"]) for one in self.messages
        ):
            self.messages.append(sent)
        return success({"id": f"message-{len(self.messages)}"})

    @route("POST", "/api/workflows/triggerWorkflow")
    def trigger(self, request: SimRequest) -> SimResponse:
        body = object_(request)
        if not isinstance(body.get("workflowId"), int):
            bad_json(request, "obj.workflowId", "error.path.missing")
        user = known_user(self.project, body)
        self.messages.append({"userId": user, "workflowId": body["workflowId"], "dataFields": body.get("dataFields")})
        return success()
