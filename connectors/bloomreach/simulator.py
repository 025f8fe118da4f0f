"""A project of Bloomreach Engagement in memory. It checks what Bloomreach checks and answers in its words.

Facts: the pages named in docs/connectors/bloomreach.md. Where Bloomreach documents no words, ours are used.
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from connectors.bloomreach import validation
from connectors.bloomreach.validation import Invalid
from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json, Operation

PROJECT: Final = "6f1c2b9e-sandbox"
KEY_ID, SECRET = "sandbox-bloomreach-key-id", "sandbox-bloomreach-secret"
PRIVATE: Final = frozenset({"email", "phone", "first_name", "last_name", "birthday"})
SCENARIO_EVENT: Final = "incentive_distributed"
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class BloomreachSimulator(Simulator):
    sandbox_place: ClassVar[int] = 4
    kept = ("profiles", "events", "messages", "consents", "consent_events", "anonymous")
    failing_body: ClassVar[Json] = {"success": False, "errors": ["At least one id should be specified."]}
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {
            "email": "ada{n}@example.com",
            "first_name": "Ada",
            "city": "Gdynia",
            "birthday": 641520000,
            "interests": ["running", "yoga"],
        },
        Operation.EVENTS: {"properties": {"order_id": "order-{n}", "total_price": 59.9}},
        Operation.MESSAGES: {"properties": {"incentive_code": "SPRING-{n}"}},
        Operation.AUDIENCE: {"attribute": "hub_segments"},
        Operation.CONSENT: {"category": "newsletter", "valid_until": "unlimited", "source": "hub"},
        Operation.ERASE: {},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"biography": "x" * 16_385},
        Operation.EVENTS: {"properties": {"note": "x" * 16_385}},
        Operation.MESSAGES: {"properties": {"note": "x" * 16_385}},
        Operation.CONSENT: {"source": "x" * 16_385},
    }

    def __init__(
        self,
        *,
        seed: int = 1,
        calls_per_s: int | None = None,
        max_properties: int = 1_024,
        reads_numbers: bool = False,
        **given: Any,
    ) -> None:
        """`seed` of the order in which commands run. `calls_per_s`: drop what comes faster, with 429. `reads_numbers`:
        store quoted numbers as numbers. Beyond `max_properties` names, new ones vanish without a word."""
        super().__init__(**given)
        self.calls_per_s, self.max_properties, self.reads_numbers = calls_per_s, max_properties, reads_numbers
        self.permissions = {"customers", "customers/events", "anonymize", "email"}
        self.consents: dict[str, dict[str, Json]] = {}  # what the events of their kind come to
        self.consent_events: list[dict[str, Json]] = []
        self.anonymous: list[dict[str, Json]] = []  # what is left of the people who were anonymised
        self.is_legacy = False  # older deployments tell of a missing permission under 200
        self._order = random.Random(seed)  # noqa: S311 - an order of commands is not a secret
        self._stamps: dict[tuple[str, str], float] = {}
        self._names: set[str] = set()
        self._second, self._calls = 0, 0

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {
            "base_url": "https://api-engagement.bloomreach.com",
            "project_token": PROJECT,
            "api_key_id": KEY_ID,
            "api_secret": SECRET,
            "hard_id": "registered",
        }

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:
        if operation in (Operation.EVENTS, Operation.MESSAGES):
            return {**fields, "properties": {**fields.get("properties", {}), name: value}}
        return {**fields, name: value} if operation is Operation.PROFILES else dict(fields)

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        if operation is Operation.AUDIENCE:
            return "vip" in self.profiles.get(source_id, {}).get("hub_segments", [])
        if operation is Operation.CONSENT:
            return self.is_consented(source_id, "newsletter")
        return super().holds(operation, source_id)

    def is_consented(self, source_id: str, category: str) -> bool:
        """An expired consent counts as revoked, without an event."""
        found = self.consents.get(source_id, {}).get(category)
        if not found or found["action"] != "accept":
            return False
        until = found.get("valid_until")
        return until == "unlimited" or (isinstance(until, int | float) and until > self.clock().timestamp())

    # ── every call ───────────────────────────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        if self._is_too_fast():
            return self.error(429, None)
        pair = base64.b64encode(f"{KEY_ID}:{SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return SimResponse(400, {"success": False, "error": "Could not authenticate"})
        if f"/projects/{PROJECT}/" not in request.path:
            return SimResponse(400, {"success": False, "error": "Invalid project id"})
        return None

    def _is_too_fast(self) -> bool:
        """Per sending address, and there is one here."""
        second = int(self.clock().timestamp())
        self._calls = self._calls + 1 if second == self._second else 1
        self._second = second
        return self.calls_per_s is not None and self._calls > self.calls_per_s

    def headers(self, request: SimRequest) -> Mapping[str, str]:
        return {"x-request-id": f"sandbox-{len(self.received)}"}

    def error(self, status: int, retry_after_s: float | None) -> SimResponse:
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
        words = {429: "Too many requests", 500: "Internal server error"}.get(status, f"Simulated {status}")
        return SimResponse(status, {"success": False, "errors": [words]}, headers)

    def _permit(self, permission: str) -> None:
        if permission not in self.permissions:
            words = f"API key has no permission for {permission}"
            raise Refused(SimResponse(200, body=words.encode()) if self.is_legacy else _failed(403, words))

    # ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────

    @route("GET", "/track/v2/projects/{token}/system/time")
    def time(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, {"success": True, "time": self.clock().timestamp()})

    @route("POST", "/track/v2/projects/{token}/batch")
    def batch(self, request: SimRequest) -> SimResponse:
        """Validated in the order of the array, run in any order."""
        commands = validation.commands(request.json())
        began = self.clock().timestamp()
        results = [self._result(one) for one in commands]
        todo = [one for one, result in zip(commands, results, strict=True) if result["success"]]
        self._order.shuffle(todo)
        for one in todo:
            self._run(one["name"], one["data"])
        return SimResponse(200, {"success": True, "start_time": began, "end_time": began, "results": results})

    def _result(self, command: Any) -> dict[str, Json]:
        shown = {"command_id": command["command_id"]} if isinstance(command, dict) and "command_id" in command else {}
        try:
            name = validation.command(command)
        except Invalid as invalid:
            return {"success": False, "errors": [str(invalid)], **shown}
        if name not in self.permissions:
            return {"success": False, "errors": [f"API key has no permission for {name}"], **shown}
        return {"success": True, **shown}

    def _run(self, name: str, data: Mapping[str, Any]) -> None:
        who = data["customer_ids"]["registered"]
        profile = self.profiles.setdefault(who, {})
        if name == "customers":
            self._update(who, profile, data)
            return
        event = {**data, "customer": who}
        if data["event_type"] == "consent":
            self.consent_events.append(event)
            self._consent(who, data["properties"], data.get("timestamp", self.clock().timestamp()))
            return
        self.events.append(event)
        if data["event_type"] == SCENARIO_EVENT:
            self.messages.append({"customer": who, **data["properties"]})

    def _update(self, who: str, profile: dict[str, Json], data: Mapping[str, Any]) -> None:
        """Only properties whose stored update is older are overwritten (docs/customer-properties-synchronization)."""
        stamp = data.get("update_timestamp", self.clock().timestamp())
        for name, value in data["properties"].items():
            if self._stamps.get((who, name), float("-inf")) > stamp:
                continue
            if name not in self._names and len(self._names) >= self.max_properties:
                continue
            self._names.add(name)
            self._stamps[who, name] = stamp
            if value is None:
                profile.pop(name, None)
            else:
                profile[name] = self._read(value)

    def _read(self, value: Json) -> Json:
        is_number = self.reads_numbers and isinstance(value, str) and _NUMBER.fullmatch(value)
        return float(value) if is_number else value

    def _consent(self, who: str, properties: Mapping[str, Json], at: float) -> None:
        """Other spellings are kept as events and mean nothing."""
        if properties.get("action") not in ("accept", "reject") or not properties.get("category"):
            return
        known = self.consents.setdefault(who, {})
        if known.get(properties["category"], {}).get("at", float("-inf")) <= at:
            known[properties["category"]] = {**properties, "at": at}

    # ── e-mail and anonymisation ─────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/email/v2/projects/{token}/sync")
    def send_email(self, request: SimRequest) -> SimResponse:
        self._permit("email")
        try:
            who, content = validation.email(request.json())
        except Invalid as invalid:
            return _failed(400, str(invalid))
        self.messages.append({"customer": who, **content})
        return SimResponse(200, {"message": "Email was sent successfully.", "success": True})

    @route("POST", "/data/v2/projects/{token}/customers/anonymize")
    def anonymize(self, request: SimRequest) -> SimResponse:
        """External ids and private properties go; events and all other properties stay."""
        self._permit("anonymize")
        body = request.json()
        try:
            who = validation.identified(body if isinstance(body, dict) else {})
        except Invalid as invalid:
            return _failed(400, str(invalid))
        if who not in self.profiles:
            return _failed(404, "Customer does not exist")
        profile = self.profiles.pop(who)
        self.anonymous.append({name: value for name, value in profile.items() if name not in PRIVATE})
        for event in [*self.events, *self.consent_events]:
            if event["customer"] == who:
                event.update({"customer": "", "customer_ids": {}})
        self.consents.pop(who, None)
        return SimResponse(200, {"success": True})


def _failed(status: int, words: str) -> SimResponse:
    return SimResponse(status, {"success": False, "errors": [words]})
