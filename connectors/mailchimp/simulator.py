"""A Mailchimp audience over HTTP. It validates what Mailchimp validates and answers in its words.

Batches advance by the number of polls. The limit of ten calls at once is scripted (`next(status=403, body="")`), since
one simulator answers one call at a time. Sources: docs/connectors/mailchimp.md; where Mailchimp documents no words, ours are used.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from connectors.mailchimp.audience import EVENT_NAME, Audience, hash_of, invalid, missing, problem
from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json, Operation

LIST: Final = "/lists/{list_id}"
MEMBER: Final = LIST + "/members/{member}"
OPERATIONS: Final = 1_000
OPEN_BATCHES: Final = 500


class MailchimpSimulator(Simulator):
    sandbox_place: ClassVar[int] = 11
    kept: ClassVar = ("profiles", "events", "messages", "fields", "forgotten", "batches")
    failing_body: ClassVar[Json] = {"title": "Internal Server Error", "status": 500, "detail": "An error occurred."}
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {
            "email_address": "ada{n}@example.com",
            "merge_fields": {"FNAME": "Ada", "LNAME": "Lovelace", "POINTS": 1250},
        },
        Operation.EVENTS: {"properties": {"order_id": "order-{n}", "total": 28.5}},
        Operation.MESSAGES: {
            "merge_fields": {"VOUCHER": "SPRING-{n}"},
            "properties": {"voucher": "SPRING-{n}"},
        },
        Operation.AUDIENCE: {},
        Operation.CONSENT: {},
        Operation.ERASE: {},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"email_address": "not an address"}
    }

    def __init__(self, *, polls_until_done: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.audience = Audience(self.profiles)
        self.fields, self.forgotten = self.audience.fields, self.audience.forgotten
        self.fields.update({"SOURCE_ID": "text", "VOUCHER": "text", "POINTS": "number", "FAVOURITE": "text"})
        self.batches: dict[str, dict[str, Json]] = {}
        self.journeys = {"8": "42"}
        self.flows = {"incentive_assigned"}
        self.polls_until_done = polls_until_done

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {"api_key": "0123456789abcdef0123456789abcdef-us19", "list_id": "a6b5da1054"}

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:
        if operation is Operation.EVENTS:
            return {**fields, "properties": {**fields.get("properties", {}), name: value}}
        if operation in (Operation.PROFILES, Operation.MESSAGES):
            return {**fields, "merge_fields": {**fields.get("merge_fields", {}), name.upper(): value}}
        return dict(fields)

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        members = [one for one in self.profiles.values() if one["merge_fields"].get("SOURCE_ID") == source_id]
        ids = {one["id"] for one in members}
        match operation:
            case Operation.EVENTS:
                return any(one["member"] in ids for one in self.events)
            case Operation.MESSAGES:
                return any(one["member"] in ids for one in self.messages)
            case Operation.AUDIENCE:
                return any(one["tags"] for one in members)
            case Operation.CONSENT:
                return any(one["status"] != "transactional" for one in members)
            case Operation.ERASE:
                return not members
        return bool(members)

    # ── what stands before every endpoint ────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        if _password(request) == self.example_settings()["api_key"]:
            return None
        words = "Your API key may be invalid, or you've attempted to access the wrong datacenter."
        return problem(401, words)

    def error(self, status: int, retry_after_s: float | None) -> SimResponse:
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
        words = (
            "You have exceeded the limit of 10 simultaneous connections." if status == 429 else f"Simulated {status}."
        )
        return problem(status, words, headers=headers)

    @route("GET", "/ping")
    def ping(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, {"health_status": "Everything's Chimpy!"})

    @route("GET", LIST)
    def show(self, request: SimRequest) -> SimResponse:
        self._list(request)
        return SimResponse(200, {"id": request.params["list_id"], "name": "Newsletter"})

    def _list(self, request: SimRequest) -> None:
        if request.params["list_id"] != self.example_settings()["list_id"]:
            raise missing()

    # ── members ──────────────────────────────────────────────────────────────────────────────────────────────────

    @route("PUT", MEMBER)
    def put(self, request: SimRequest) -> SimResponse:
        self._list(request)
        return SimResponse(200, _shown(self.audience.put(request.params["member"], request.json())))

    @route("PATCH", MEMBER)
    def patch(self, request: SimRequest) -> SimResponse:
        self._list(request)
        return SimResponse(200, _shown(self.audience.patch(request.params["member"], request.json())))

    @route("GET", MEMBER)
    def member(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, _shown(self._member(request)))

    @route("DELETE", MEMBER)
    def archive(self, request: SimRequest) -> SimResponse:
        self.audience.archive(str(self._member(request)["id"]))
        return SimResponse(204)

    @route("POST", MEMBER + "/actions/delete-permanent")
    def delete(self, request: SimRequest) -> SimResponse:
        member = str(self._member(request)["id"])
        del self.profiles[member]
        self.forgotten.append(member)
        return SimResponse(204)

    @route("POST", MEMBER + "/tags")
    def tag(self, request: SimRequest) -> SimResponse:
        member, body = self._member(request), request.json() or {}
        tags = body.get("tags")
        if not isinstance(tags, list) or not tags:
            raise invalid("tags", "This value should not be blank.")
        for one in tags:
            if not one.get("name") or one.get("status") not in ("active", "inactive"):
                raise invalid("tags", "Each tag has a name and the status active or inactive.")
            kept = [name for name in member["tags"] if name != one["name"]]
            member["tags"] = [*kept, one["name"]] if one["status"] == "active" else kept
        return SimResponse(204)

    def _member(self, request: SimRequest) -> dict[str, Json]:
        self._list(request)
        return self.audience.known(request.params["member"])

    # ── events and journeys ──────────────────────────────────────────────────────────────────────────────────────

    @route("POST", MEMBER + "/events")
    def event(self, request: SimRequest) -> SimResponse:
        member, body = self._member(request), request.json() or {}
        name, properties = body.get("name"), body.get("properties", {})
        if not isinstance(name, str) or not EVENT_NAME.fullmatch(name):
            raise invalid("name", "Event names have 2 to 30 characters: letters, digits, _ and -.")
        for key, value in properties.items():
            if not isinstance(value, str):
                raise invalid(f"properties.{key}", "Schema describes string, another type found instead")
        kept = {"member": member["id"], "name": name, "properties": properties, "is_syncing": body.get("is_syncing")}
        self.events.append({**kept, "occurred_at": body.get("occurred_at")})
        if name in self.flows and not body.get("is_syncing"):
            self._mail(member, properties)
        return SimResponse(204)

    @route("POST", "/customer-journeys/journeys/{journey}/steps/{step}/actions/trigger")
    def trigger(self, request: SimRequest) -> SimResponse:
        if self.journeys.get(request.params["journey"]) != request.params["step"]:
            raise missing()
        email = str((request.json() or {}).get("email_address"))
        member = self.profiles.get(hash_of(email))
        if member is None or member["status"] != "subscribed":
            raise Refused(problem(400, "The contact is not subscribed to the audience of this journey."))
        self._mail(member, {})
        return SimResponse(204)

    def _mail(self, member: Mapping[str, Json], properties: Mapping[str, Json]) -> None:
        sent = {"member": member["id"], "to": member["email_address"], "properties": dict(properties)}
        self.messages.append({**sent, "merge_fields": dict(member["merge_fields"])})

    # ── merge fields and batches ─────────────────────────────────────────────────────────────────────────────────

    @route("GET", LIST + "/merge-fields")
    def merge_fields(self, request: SimRequest) -> SimResponse:
        self._list(request)
        return SimResponse(200, {"merge_fields": [{"tag": tag, "type": kind} for tag, kind in self.fields.items()]})

    @route("POST", LIST + "/merge-fields")
    def define(self, request: SimRequest) -> SimResponse:
        self._list(request)
        return SimResponse(200, self.audience.define(request.json()))

    @route("POST", "/batches")
    def start_batch(self, request: SimRequest) -> SimResponse:
        operations = (request.json() or {}).get("operations")
        if not isinstance(operations, list) or not 1 <= len(operations) <= OPERATIONS:
            raise invalid("operations", f"A batch has 1 to {OPERATIONS} operations.")
        if sum(one["status"] != "finished" for one in self.batches.values()) >= OPEN_BATCHES:
            words = f"You may have {OPEN_BATCHES} pending batches."
            raise Refused(problem(429, words))
        batch_id = f"batch{len(self.batches):05d}"
        self.batches[batch_id] = {"status": "pending", "polls": 0, "operations": operations, "errored": 0}
        return SimResponse(200, self._batch(batch_id))

    @route("GET", "/batches/{batch_id}")
    def batch(self, request: SimRequest) -> SimResponse:
        batch_id = request.params["batch_id"]
        found = self.batches.get(batch_id)
        if found is None:
            raise missing()
        found["polls"] += 1
        if found["status"] != "finished":
            is_done = found["polls"] >= self.polls_until_done
            found["status"] = "finished" if is_done else "started"
            if is_done:
                found["errored"] = sum(self._operate(request, one) >= 300 for one in found["operations"])
        return SimResponse(200, self._batch(batch_id))

    def _operate(self, request: SimRequest, one: Mapping[str, Json]) -> int:
        body = str(one.get("body", "")).encode("utf-8", "replace")
        call = SimRequest(str(one["method"]), str(one["path"]), headers=request.headers, body=body)
        return self._answer(call).status

    def _batch(self, batch_id: str) -> dict[str, Json]:
        found = self.batches[batch_id]
        total = len(found["operations"])
        is_done = found["status"] == "finished"
        return {
            "id": batch_id,
            "status": found["status"],
            "total_operations": total,
            "finished_operations": total if is_done else 0,
            "errored_operations": found["errored"],
            "submitted_at": self.clock().isoformat(),
            "completed_at": self.clock().isoformat() if is_done else "",
            "response_body_url": "https://archive.example.com/results.tar.gz" if is_done else "",
        }


def _shown(member: Mapping[str, Json]) -> dict[str, Json]:
    tags = [{"id": number, "name": name} for number, name in enumerate(member["tags"], 1)]
    return {**member, "tags": tags, "tags_count": len(tags)}


def _password(request: SimRequest) -> str:
    """The API key: the password of HTTP Basic, whatever the user is called."""
    scheme, _, told = request.headers.get("authorization", "").partition(" ")
    if scheme == "Bearer":
        return told
    try:
        return base64.b64decode(told, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
