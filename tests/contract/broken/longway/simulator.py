"""Longway in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json, Operation

API_KEY = "sandbox-longway-key"


class LongwaySimulator(Simulator):
    kept = ("profiles", "events", "messages", "fields", "tags")
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"email": "ada{n}@example.com", "first_name": "Ada"},
        Operation.EVENTS: {"plan": "team"},
        Operation.MESSAGES: {"code": "SPRING-{n}"},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"email": "not an address"},
        Operation.EVENTS: {"plan": "forbidden"},
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.fields: list[str] = []
        self.tags: dict[str, str] = {}
        self.people: dict[str, str] = {}  # id to ref
        self.jobs: dict[str, dict[str, Any]] = {}

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {"api_key": API_KEY}

    def refuse(self, request: SimRequest) -> SimResponse | None:
        return None if request.headers.get("x-key") == API_KEY else SimResponse(401, {"error": "unknown key"})

    @route("GET", "/me")
    def me(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, {"name": "sandbox"})

    @route("GET", "/people")
    def find(self, request: SimRequest) -> SimResponse:
        found = [{"id": one} for one, ref in self.people.items() if ref == request.query.get("ref")]
        return SimResponse(200, {"people": found})

    @route("POST", "/people")
    def create(self, request: SimRequest) -> SimResponse:
        body = _object(request)
        if body["ref"] in self.profiles:
            return SimResponse(409, {"error": "there is such a person"})
        person_id = f"p{len(self.people) + 1}"
        self._write(body)
        self.people[person_id] = body["ref"]
        return SimResponse(201, {"id": person_id})

    @route("PATCH", "/people/{id}")
    def change(self, request: SimRequest) -> SimResponse:
        if request.params["id"] not in self.people:
            return SimResponse(404, {"error": "no such person"})
        self._write({**_object(request), "ref": self.people[request.params["id"]]})
        return SimResponse(200, {})

    def _write(self, body: dict[str, Any]) -> None:
        email = body["fields"].get("email")
        if email is not None and "@" not in str(email):
            raise Refused(SimResponse(400, {"error": "email is not an address"}))
        self.profiles.setdefault(body["ref"], {}).update(body["fields"])

    @route("POST", "/jobs")
    def start(self, request: SimRequest) -> SimResponse:
        events = _object(request).get("events")
        if not isinstance(events, list) or not 1 <= len(events) <= 20:
            raise Refused(SimResponse(400, {"error": "events must be a list of 1 to 20"}))
        errors = {one["id"]: "this plan is forbidden" for one in events if one["fields"].get("plan") == "forbidden"}
        known = {one["id"] for one in self.events}
        self.events += [one for one in events if one["id"] not in errors and one["id"] not in known]
        job = f"j{len(self.jobs) + 1}"
        self.jobs[job] = {"polls": 0, "errors": errors}
        return SimResponse(202, {"job": job})

    @route("GET", "/jobs/{id}")
    def job(self, request: SimRequest) -> SimResponse:
        """Done when asked for the second time."""
        job = self.jobs[request.params["id"]]
        job["polls"] += 1
        return SimResponse(200, {"done": job["polls"] > 1, "errors": job["errors"]})

    @route("POST", "/messages")
    def send(self, request: SimRequest) -> SimResponse:
        self.messages.append(_object(request))
        return SimResponse(202, {})

    @route("POST", "/tags")
    def tag(self, request: SimRequest) -> SimResponse:
        body = _object(request)
        self.tags[body["ref"]] = body["tag"]
        return SimResponse(200, {})

    @route("GET", "/fields")
    def list_fields(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, {"names": self.fields})

    @route("POST", "/fields")
    def create_field(self, request: SimRequest) -> SimResponse:
        name = _object(request)["name"]
        if name in self.fields:
            return SimResponse(409, {"error": "there is such a field"})
        self.fields.append(name)
        return SimResponse(201, {})

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        held = {Operation.EVENTS: self.events, Operation.MESSAGES: self.messages}.get(operation)
        return source_id in self.profiles if held is None else any(one["ref"] == source_id for one in held)


def _object(request: SimRequest) -> dict[str, Any]:
    body = request.json()
    if not isinstance(body, dict):
        raise Refused(SimResponse(400, {"error": "no object"}))
    return body
