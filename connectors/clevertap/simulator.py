"""A CleverTap account in memory. It checks what CleverTap checks and answers in its words.

Facts: the pages named in docs/connectors/clevertap.md. Where CleverTap documents no words, ours are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from connectors.clevertap import validation
from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json, Operation

ACCOUNT, PASSCODE = "SANDBOX-CLEVERTAP", "sandbox-clevertap-passcode"
MAX_RECORDS: Final = 1_000
MAX_DELETED: Final = 100
MAX_VALUES: Final = 100
LIVE_S: Final = (-120, 7_200)  # how far an event may lie in the future and in the past to start a live campaign
LIMITS: Final = {"/1/upload": 15}  # requests under way at once; 3 elsewhere
TOO_MANY: Final = "Too many concurrent requests"


class CleverTapSimulator(Simulator):
    sandbox_place: ClassVar[int] = 6
    kept = ("profiles", "events", "messages", "subscriptions", "skipped")
    failing_body: ClassVar[Json] = {"status": "fail", "processed": 0, "unprocessed": []}
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {
            "Name": "Ada Nowak",
            "Email": "ada{n}@example.com",
            "Gender": "F",
            "DOB": "$D_641520000",
            "MSG-email": True,
            "loyalty_tier": "gold",
        },
        Operation.EVENTS: {"evtData": {"order_id": "order-{n}", "total": 25.5}},
        Operation.MESSAGES: {"evtData": {"incentive_code": "SPRING-{n}"}},
        Operation.AUDIENCE: {"attribute": "hub_segments", "value": "vip"},
        Operation.CONSENT: {"type": "email", "value": "ada{n}@example.com", "flag": "MSG-email"},
        Operation.ERASE: {},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"Email": "not an address"},
        Operation.EVENTS: {"evtData": {"where": {"city": "Gdynia"}}},
        Operation.MESSAGES: {"evtData": {"where": {"city": "Gdynia"}}},
        Operation.CONSENT: {"value": "not an address"},
    }

    def __init__(self, *, hides_reasons: bool = False, max_attributes: int = 256, **given: Any) -> None:
        """`hides_reasons`: an upload with a bad record fails as a whole and names none. `max_attributes`: names of
        custom attributes the account has room for; later ones are left out."""
        super().__init__(**given)
        self.hides_reasons, self.max_attributes = hides_reasons, max_attributes
        self.live_campaigns = {"Incentive Assigned"}
        self.under_way: dict[str, int] = {}  # requests of others, by path
        self.broken: set[str] = set()  # identities on which CleverTap's own servers fail
        self.subscriptions: dict[str, Json] = {}
        self.skipped: list[str] = []  # whom an external trigger did not find
        self._names: set[str] = set()

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {"region": "eu1", "account_id": ACCOUNT, "passcode": PASSCODE}

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:
        if operation in (Operation.EVENTS, Operation.MESSAGES):
            return {**fields, "evtData": {**fields.get("evtData", {}), name: value}}
        return {**fields, name: value} if operation is Operation.PROFILES else dict(fields)

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        if operation is Operation.AUDIENCE:
            return "vip" in self.profiles.get(source_id, {}).get("hub_segments", [])
        return super().holds(operation, source_id)

    # ── every call ───────────────────────────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        known = (request.headers.get("x-clevertap-account-id"), request.headers.get("x-clevertap-passcode"))
        if known != (ACCOUNT, PASSCODE):
            return _fail(401, "Invalid Credentials")
        if self.under_way.get(request.path, 0) >= LIMITS.get(request.path, 3):
            return _fail(429, TOO_MANY)
        return None

    def error(self, status: int, retry_after_s: float | None) -> SimResponse:
        """CleverTap documents no Retry-After; one is honoured where it comes."""
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
        words = {429: TOO_MANY, 500: "Internal server error"}.get(status, f"Simulated {status}")
        return SimResponse(status, {"status": "fail", "error": words, "code": status}, headers)

    # ── uploads ──────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/1/upload")
    def upload(self, request: SimRequest) -> SimResponse:
        records = _records(request)
        faults = [(one, 555 if self._is_broken(one) else validation.fault(one)) for one in records]
        unprocessed = [_entry(one, code, number) for number, (one, code) in enumerate(faults, 1) if code]
        if unprocessed and self.hides_reasons:
            return SimResponse(200, self.failing_body)
        if request.query.get("dryRun") != "1":
            for one in [one for one, code in faults if not code]:
                self._take(one)
        return _uploaded(len(records), unprocessed)

    def _is_broken(self, record: Any) -> bool:
        return isinstance(record, dict) and record.get("identity") in self.broken

    def _take(self, record: Mapping[str, Any]) -> None:
        who = str(next(record[name] for name in validation.IDENTIFIERS if record.get(name)))
        profile = self.profiles.setdefault(who, {})
        if record["type"] == "profile":
            for name, value in record["profileData"].items():
                self._write(profile, name, value)
            return
        self.events.append({**record, "identity": who})
        age = self.clock().timestamp() - record.get("ts", self.clock().timestamp())
        if record["evtName"] in self.live_campaigns and LIVE_S[0] <= age <= LIVE_S[1]:
            self.messages.append({"identity": who, **record.get("evtData", {})})

    def _write(self, profile: dict[str, Json], name: str, value: Json) -> None:
        """Operators change what is there; a multi-value attribute keeps its latest hundred."""
        if name not in self._names and len(self._names) >= self.max_attributes:
            return
        self._names.add(name)
        if not isinstance(value, dict) or name.startswith("category-"):
            profile[name] = value[-MAX_VALUES:] if isinstance(value, list) else value
            return
        ((operator, operand),) = value.items()
        if operator == "$delete":
            profile.pop(name, None)
        elif operator in ("$incr", "$decr"):
            profile[name] = profile.get(name, 0) + (operand if operator == "$incr" else -operand)
        else:
            kept = [one for one in profile.get(name, []) if one not in operand]
            profile[name] = [*kept, *(operand if operator == "$add" else [])][-MAX_VALUES:]

    @route("GET", "/1/profile.json")
    def profile(self, request: SimRequest) -> SimResponse:
        found = self.profiles.get(request.query.get("identity", ""))
        if found is None:
            return SimResponse(200, {"status": "fail", "error": "Profile not found"})
        return SimResponse(200, {"status": "success", "record": {"profileData": found}})

    # ── subscriptions, deletions, external triggers ──────────────────────────────────────────────────────────────

    @route("POST", "/1/subscribe")
    def subscribe(self, request: SimRequest) -> SimResponse:
        unprocessed = []
        for number, one in enumerate(_records(request), 1):
            code = _subscription_fault(one)
            if code:
                unprocessed.append(_entry(one, code, number))
            else:
                self.subscriptions[f"{one['type']}:{one['value']}"] = one["status"]
        return _uploaded(len(_records(request)), unprocessed)

    @route("POST", "/1/delete/profiles.json")
    def delete(self, request: SimRequest) -> SimResponse:
        body = request.json()
        if not isinstance(body, dict) or ("identity" in body) == ("guid" in body):
            return _fail(400, "Pass either identity or guid")
        identities = body.get("identity", [])
        listed = [identities] if isinstance(identities, str) else identities
        if not isinstance(listed, list) or not all(listed) or len(listed) > MAX_DELETED:
            return _fail(400, f"Pass at most {MAX_DELETED} values")
        for one in listed:
            self.profiles.pop(one, None)
        return SimResponse(200, {"status": "success"})

    @route("POST", "/1/send/externaltrigger.json")
    def trigger(self, request: SimRequest) -> SimResponse:
        """All recipients of a call share its values, which are texts."""
        body = request.json()
        values = body.get("ExternalTrigger", {}) if isinstance(body, dict) else None
        people = body.get("to", {}).get("identity") if isinstance(body, dict) else None
        if not isinstance(people, list) or not people or not body.get("campaign_id"):
            return _fail(400, "to and campaign_id are mandatory")
        if not isinstance(values, dict) or not all(isinstance(one, str) for one in values.values()):
            return _fail(400, "ExternalTrigger holds texts")
        for one in people:
            if one in self.profiles:
                self.messages.append({"identity": one, "campaign_id": body["campaign_id"], **values})
            else:
                self.skipped.append(one)
        return SimResponse(200, {"status": "success"})


def _records(request: SimRequest) -> list[Any]:
    body = request.json()
    records = body.get("d") if isinstance(body, dict) else None
    if not isinstance(records, list) or not records:
        raise Refused(_fail(400, "Request body is not valid JSON, or lacks d"))
    if len(records) > MAX_RECORDS:
        raise Refused(_fail(400, f"More than {MAX_RECORDS} records"))
    return records


def _subscription_fault(one: Any) -> int:
    if not isinstance(one, dict) or one.get("type") not in ("email", "phone", "whatsapp"):
        return 524
    if one.get("status") not in ("Unsubscribe", "Resubscribe"):
        return 512
    name = "Email" if one["type"] == "email" else "Phone"
    record = {"type": "profile", "identity": "x", "profileData": {name: one.get("value")}}
    return validation.fault(record)


def _entry(record: Any, code: int, number: int) -> dict[str, Json]:
    words = validation.WORDS.get(code, "Miscellaneous server error")
    text = f"ErrorCode: {code} - {words}. Skipped record number : {number}"
    return {"status": "fail", "code": code, "error": text, "record": record}


def _uploaded(count: int, unprocessed: list[dict[str, Json]]) -> SimResponse:
    status = "success" if not unprocessed else "partial" if len(unprocessed) < count else "fail"
    return SimResponse(200, {"status": status, "processed": count - len(unprocessed), "unprocessed": unprocessed})


def _fail(status: int, words: str) -> SimResponse:
    return SimResponse(status, {"status": "fail", "error": words, "code": status})
