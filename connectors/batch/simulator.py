"""Batch over HTTP: a project's profiles, and two apps. It validates what Batch validates and answers in its words.

Facts: doc.batch.com/developer/api; where Batch documents no words, ours are used. Removal requests advance by polls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from connectors.batch.project import Project
from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json, Operation

REST_KEY: Final = "sandbox-batch-rest-key-0000000000"
PROJECT: Final = "project_sandbox"
APPS: Final = ("5A0000000000IOS", "5A000000ANDROID")
VERSION: Final = "2.11"
PER_S, BURST = 300, 1_000


class BatchSimulator(Simulator):
    sandbox_place: ClassVar[int] = 3
    hosts: ClassVar = ("api", "apps")
    kept: ClassVar = ("profiles", "events", "messages", "removals")
    failing_body: ClassVar[Json] = {"error_code": "BAD_REQUEST", "error_message": "Could not process the request"}
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {
            "$email_address": "ada{n}@example.com",
            "$language": "pl",
            "firstname": "Ada",
            "date(birthdate)": "1990-05-01T00:00:00Z",
            "loyalty_tier": "gold",
        },
        Operation.EVENTS: {"attributes": {"order_id": "order-{n}", "total": 12.5}},
        Operation.MESSAGES: {"attributes": {"incentive_code": "SPRING-{n}", "$label": "Spring"}},
        Operation.AUDIENCE: {"segments": ["vip"]},
        Operation.CONSENT: {"$email_marketing": "subscribed", "$email_address": "ada{n}@example.com"},
        Operation.ERASE: {},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"$email_address": "not an address"},
        Operation.EVENTS: {"attributes": {"Bad Name": 1}},
        Operation.MESSAGES: {"attributes": {"code": "x" * 301}},
        Operation.AUDIENCE: {"segments": ["x" * 301]},
        Operation.CONSENT: {"$email_address": "not an address"},
    }

    def __init__(self, *, polls_until_done: int = 2, is_throttling: bool = False, **given: Any) -> None:
        super().__init__(**given)
        self.project = Project(self.profiles, self.events)
        self.polls_until_done = polls_until_done
        self.is_throttling = is_throttling
        self.removals: dict[str, dict[str, Json]] = {}
        self.entry_event = "incentive_distributed"
        self._tokens, self._filled_at = float(BURST), self.clock().timestamp()

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {"rest_key": REST_KEY, "project_key": PROJECT, "app_keys": ",".join(APPS)}

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:
        if operation in (Operation.EVENTS, Operation.MESSAGES):
            return {**fields, "attributes": {**fields.get("attributes", {}), name: value}}
        return {**fields, name: value} if operation is Operation.PROFILES else dict(fields)

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        profile = self.profiles.get(source_id, {})
        if operation is Operation.AUDIENCE:
            return "vip" in profile.get("segments", [])
        if operation is Operation.CONSENT:
            return profile.get("$email_marketing") == "subscribed"
        return super().holds(operation, source_id)

    # ── every call ───────────────────────────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        is_app = request.host == "apps"
        given = request.headers.get("x-authorization" if is_app else "authorization", "")
        if given != (REST_KEY if is_app else f"Bearer {REST_KEY}"):
            return _error(401, "AUTHENTICATION_INVALID", "The REST API key is invalid")
        if not is_app and request.headers.get("x-batch-project") != PROJECT:
            return _error(403, "PROJECT_FORBIDDEN", "The key has no access to this project")
        return None

    def error(self, status: int, retry_after_s: float | None) -> SimResponse:
        """Whether Batch sends Retry-After is unconfirmed; the hub honours it."""
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
        codes = {401: "AUTHENTICATION_INVALID", 429: "TOO_MANY_REQUESTS", 500: "SERVER_ERROR", 503: "MAINTENANCE_ERROR"}
        body = {"error_code": codes.get(status, "BAD_REQUEST"), "error_message": f"Simulated {status}."}
        return SimResponse(status, body, headers)

    # ── profiles ─────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/{version}/profiles/update")
    def update(self, request: SimRequest) -> SimResponse:
        return self._edit(request, 200)

    @route("POST", "/{version}/profiles/mass-update")
    def mass_update(self, request: SimRequest) -> SimResponse:
        return self._edit(request, 10_000)

    def _edit(self, request: SimRequest, most: int) -> SimResponse:
        """One bad attribute or event is left out; a body that is not a list of edits is refused as a whole."""
        if request.params["version"] != VERSION:
            raise Refused(_error(404, "ROUTE_NOT_FOUND", "Route not found"))
        edits = request.json()
        if not isinstance(edits, list) or not 1 <= len(edits) <= most:
            raise Refused(_error(400, "MALFORMED_PARAMETER", f"The body must be an array of 1 to {most} edits"))
        ids = [_custom_id(one) for one in edits]
        if len(set(ids)) < len(ids):
            raise Refused(_error(400, "MALFORMED_PARAMETER", "A custom_id must not be repeated"))
        if self.is_throttling and not self._spend(len(ids)):
            return self.error(429, None)
        before, errors = len(self.events), []
        for index, one in enumerate(edits):
            errors += self.project.apply(one, index, self.clock())
        self._automate(self.events[before:])
        if errors:
            return SimResponse(202, {"code": "SUCCESS_WITH_PARTIAL_ERRORS", "errors": errors})
        return SimResponse(202, {"code": "SUCCESS"})

    def _spend(self, count: int) -> bool:
        """A token bucket of profiles: 300 a second, 1,000 at once."""
        now = self.clock().timestamp()
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * PER_S)
        self._filled_at = now
        if count > self._tokens:
            return False
        self._tokens -= count
        return True

    def _automate(self, events: list[dict[str, Json]]) -> None:
        """A trigger automation on the entry event sends its message."""
        for event in events:
            if event["name"] == self.entry_event:
                self.messages.append({"custom_id": event["custom_id"], "attributes": event.get("attributes")})

    # ── apps ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/1.1/{app}/transactional/send")
    def send(self, request: SimRequest) -> SimResponse:
        self._known_app(request)
        body = _object(request)
        ids = (body.get("recipients") or {}).get("custom_ids")
        message = body.get("message") or {}
        if not body.get("group_id") or not ids or not message.get("title") or not message.get("body"):
            raise Refused(_error(400, "MISSING_PARAMETER", "group_id, recipients and message are required"))
        for one in ids:
            self.messages.append({"custom_id": one, "app": request.params["app"], "message": message})
        return SimResponse(201, {"token": f"token-{len(self.messages)}"})

    @route("POST", "/1.0/{app}/gdpr/request")
    def remove(self, request: SimRequest) -> SimResponse:
        self._known_app(request)
        body = _object(request)
        named = body.get("id") or {}
        if body.get("request_type") not in ("review", "remove") or named.get("type") != "custom_id":
            raise Refused(_error(400, "MALFORMED_PARAMETER", "request_type and id are required"))
        person, request_id = str(named.get("value")), f"gdpr-{len(self.removals) + 1}"
        was_known = any(one["is_known"] for one in self.removals.values() if one["custom_id"] == person)
        is_known = self.profiles.pop(person, None) is not None or was_known  # the other app may have asked before
        self.removals[request_id] = {
            "custom_id": person,
            "app": request.params["app"],
            "is_known": is_known,
            "polls": 0,
        }
        return SimResponse(200, {"request_id": request_id})

    @route("GET", "/1.0/{app}/gdpr/request/{request_id}")
    def removal(self, request: SimRequest) -> SimResponse:
        self._known_app(request)
        found = self.removals.get(request.params["request_id"])
        if found is None or found["app"] != request.params["app"]:
            raise Refused(_error(404, "NOT_FOUND", "There is no such request"))
        found["polls"] += 1
        if found["polls"] < self.polls_until_done:
            return SimResponse(200, {"status": "pending"})
        return SimResponse(200, {"status": "done", **({} if found["is_known"] else {"error": "user not found"})})

    def _known_app(self, request: SimRequest) -> None:
        if request.params["app"] not in APPS:
            raise Refused(_error(404, "ROUTE_NOT_FOUND", "Unknown API key"))


def _error(status: int, code: str, message: str) -> SimResponse:
    return SimResponse(status, {"error_code": code, "error_message": message})


def _object(request: SimRequest) -> dict[str, Any]:
    body = request.json()
    if not isinstance(body, dict):
        raise Refused(_error(400, "MALFORMED_JSON_BODY", "The body must be an object"))
    return body


def _custom_id(edit: Any) -> str:
    identifiers = edit.get("identifiers") if isinstance(edit, dict) else None
    found = identifiers.get("custom_id") if isinstance(identifiers, dict) and len(identifiers) == 1 else None
    if not isinstance(found, str) or not found:
        raise Refused(_error(400, "MALFORMED_PARAMETER", "identifiers must hold exactly a custom_id"))
    return found
