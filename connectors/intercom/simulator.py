"""An Intercom workspace over HTTP. It validates what Intercom validates and answers in its words.

Search knows a contact only `index_delay_s` after it was made. Attributes may be written without having been defined, so
that a preview shows every call; `refuses_unknown_attributes` makes it as strict as Intercom. Sources: docs/connectors/
intercom.md; where Intercom documents no words, ours are used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final

from connectors.intercom.workspace import TEXT, Workspace, error_list, refusal
from hub.sdk.kit.simulator.base import SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json, Operation

WINDOW_S: Final = 10
LIMIT: Final = 1_666


class IntercomSimulator(Simulator):
    sandbox_place: ClassVar[int] = 7
    kept: ClassVar = ("profiles", "events", "messages", "tags", "attributes", "deleted")
    failing_body: ClassVar[Json] = {
        "type": "error.list",
        "errors": [{"code": "server_error", "message": "Something went wrong"}],
    }
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {
            "email": "ada{n}@example.com",
            "name": "Ada Lovelace",
            "signed_up_at": 1735689600,
            "custom_attributes": {"tier": "gold", "loyalty_points": 1250},
        },
        Operation.EVENTS: {"metadata": {"order_id": "order-{n}", "value": {"amount": 2850, "currency": "eur"}}},
        Operation.MESSAGES: {
            "custom_attributes": {"incentive_code": "SPRING-{n}"},
            "metadata": {"incentive_code": "SPRING-{n}"},
        },
        Operation.AUDIENCE: {},
        Operation.CONSENT: {},
        Operation.ERASE: {},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"email": "not an address"},
        Operation.EVENTS: {"metadata": {"nested": {"too": {"deep": True}}}},
        Operation.MESSAGES: {"custom_attributes": {"nested": {"a": 1}}},
    }

    def __init__(self, *, index_delay_s: float = 0, is_throttling: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.workspace = Workspace(self.profiles, self.events)
        self.tags, self.attributes = self.workspace.tags, self.workspace.attributes
        self.deleted: list[str] = []
        self.versions: list[str] = []
        self.workflows = {"received-incentive-code"}
        self.subscription_types = {"37846": "opt_out", "37850": "opt_in"}
        self.index_delay_s = index_delay_s
        self.is_throttling = is_throttling
        self._windows: Counter[int] = Counter()

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {"access_token": "dG9rOnNpbXVsYXRvcl9pbnRlcmNvbQ", "region": "us"}

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:
        place = "metadata" if operation is Operation.EVENTS else "custom_attributes"
        if operation in (Operation.AUDIENCE, Operation.CONSENT, Operation.ERASE):
            return dict(fields)
        return {**fields, place: {**fields.get(place, {}), name: value}}

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        found = self.workspace.by_external_id(source_id)
        match operation:
            case Operation.EVENTS:
                return any(one["external_id"] == source_id for one in self.events)
            case Operation.MESSAGES:
                return any(one["external_id"] == source_id for one in self.messages)
            case Operation.AUDIENCE:
                return any(one["tags"] for one in found)
            case Operation.ERASE:
                return not found
        return bool(found)

    # ── what stands before every endpoint ────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        if request.headers.get("authorization") != f"Bearer {self.example_settings()['access_token']}":
            return error_list(401, "unauthorized", "Access Token Invalid")
        version = request.headers.get("intercom-version", "")
        if version not in self.versions:
            self.versions.append(version)
        window = self._window()
        self._windows[window] += 1
        if self.is_throttling and self._windows[window] > LIMIT:
            return self.error(429, None)
        return None

    def _window(self) -> int:
        return int(self.clock().timestamp()) // WINDOW_S

    def headers(self, request: SimRequest) -> Mapping[str, str]:
        window = self._window()
        return {
            "X-RateLimit-Limit": str(LIMIT),
            "X-RateLimit-Remaining": str(max(0, LIMIT - self._windows[window])),
            "X-RateLimit-Reset": str((window + 1) * WINDOW_S),
        }

    def error(self, status: int, retry_after_s: float | None) -> SimResponse:
        if status != 429:
            return error_list(status, "server_error" if status >= 500 else "client_error", f"Simulated {status}.")
        words = f"Exceeded rate limit of {LIMIT} in {WINDOW_S}_seconds"
        answer = error_list(429, "rate_limit_exceeded", words)
        if retry_after_s is None:
            return answer
        reset = int(self.clock().timestamp() + retry_after_s)
        return SimResponse(429, answer.json, {"X-RateLimit-Reset": str(reset)})

    @route("GET", "/me")
    def me(self, request: SimRequest) -> SimResponse:
        app = {"type": "app", "id_code": "sandbox1", "name": "Sandbox", "region": "US"}
        return SimResponse(200, {"type": "admin", "id": "394051", "email": "admin@example.com", "app": app})

    # ── contacts ─────────────────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/contacts")
    def create(self, request: SimRequest) -> SimResponse:
        contact = self.workspace.create(request.json())
        visible_at = self.clock() + timedelta(seconds=self.index_delay_s)
        self.workspace.searchable_at[str(contact["id"])] = visible_at
        return SimResponse(200, self._shown(contact))

    @route("POST", "/contacts/search")
    def search(self, request: SimRequest) -> SimResponse:
        wanted = self._wanted(request.json())
        found = [
            self._shown(one)
            for one in self.profiles.values()
            if one["external_id"] in wanted and self.workspace.searchable_at[str(one["id"])] <= self.clock()
        ]
        pages = {"type": "pages", "page": 1, "per_page": 50, "total_pages": 1}
        return SimResponse(200, {"type": "list", "data": found, "total_count": len(found), "pages": pages})

    def _wanted(self, body: Json) -> list[Json]:
        query = body.get("query") if isinstance(body, dict) else None
        filters = query.get("value") if isinstance(query, dict) and query.get("operator") == "AND" else None
        if not isinstance(filters, list) or not 1 <= len(filters) <= 15:
            raise refusal(400, "parameter_invalid", "query is invalid")
        one = filters[0]
        if one.get("field") != "external_id" or one.get("operator") not in ("=", "IN"):
            raise refusal(400, "parameter_invalid", "query is invalid")
        return one["value"] if one["operator"] == "IN" else [one["value"]]

    @route("GET", "/contacts/find_by_external_id/{external_id}")
    def find(self, request: SimRequest) -> SimResponse:
        version = request.headers.get("intercom-version", "2.16")  # without the header, the app's own version
        minor = int(version.partition(".")[2])
        found = self.workspace.by_external_id(request.params["external_id"]) if minor >= 13 else []
        if not found:
            raise refusal(404, "not_found", "User Not Found")
        return SimResponse(200, self._shown(found[0]))

    @route("GET", "/contacts/{id}")
    def contact(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, self._shown(self.workspace.known(request.params["id"])))

    @route("PUT", "/contacts/{id}")
    def update(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, self._shown(self.workspace.update(request.params["id"], request.json())))

    @route("DELETE", "/contacts/{id}")
    def delete(self, request: SimRequest) -> SimResponse:
        contact = self.workspace.known(request.params["id"])
        self.deleted.append(str(contact["id"]))
        del self.profiles[str(contact["id"])]
        shown = {"type": "contact", "id": contact["id"], "external_id": contact["external_id"], "deleted": True}
        return SimResponse(200, shown)

    @route("POST", "/contacts/{id}/archive")
    def archive(self, request: SimRequest) -> SimResponse:
        contact = self.workspace.known(request.params["id"])
        self.workspace.archived[str(contact["id"])] = self.profiles.pop(str(contact["id"]))
        return SimResponse(200, {"type": "contact", "id": contact["id"], "archived": True})

    def _shown(self, contact: Mapping[str, Json]) -> dict[str, Json]:
        tags = [{"id": one, "type": "tag"} for one in contact["tags"]]
        shown = {name: value for name, value in contact.items() if name != "subscriptions"}
        return {**shown, "tags": {"type": "list", "data": tags, "total_count": len(tags), "has_more": False}}

    # ── tags and subscription types ──────────────────────────────────────────────────────────────────────────────

    @route("POST", "/tags")
    def tag(self, request: SimRequest) -> SimResponse:
        name = (request.json() or {}).get("name")
        if not isinstance(name, str) or not name or len(name) > TEXT:
            raise refusal(400, "parameter_invalid", "invalid tag parameters")
        known = next((tag_id for tag_id, one in self.tags.items() if one == name), None)
        tag_id = known or str(100 + len(self.tags))
        self.tags[tag_id] = name
        return SimResponse(200, self._tag(tag_id))

    @route("POST", "/contacts/{id}/tags")
    def add_tag(self, request: SimRequest) -> SimResponse:
        contact, tag_id = self.workspace.known(request.params["id"]), str((request.json() or {}).get("id"))
        shown = self._tag(tag_id)
        if tag_id not in contact["tags"]:
            contact["tags"].append(tag_id)
        return SimResponse(200, shown)

    @route("DELETE", "/contacts/{id}/tags/{tag_id}")
    def remove_tag(self, request: SimRequest) -> SimResponse:
        contact, tag_id = self.workspace.known(request.params["id"]), request.params["tag_id"]
        if tag_id not in contact["tags"]:
            raise refusal(404, "not_found", "Resource Not Found")
        contact["tags"].remove(tag_id)
        return SimResponse(200, self._tag(tag_id))

    def _tag(self, tag_id: str) -> dict[str, Json]:
        if tag_id not in self.tags:
            raise refusal(404, "not_found", "Resource Not Found")
        return {"type": "tag", "id": tag_id, "name": self.tags[tag_id]}

    @route("GET", "/subscription_types")
    def types(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, {"type": "list", "data": [self._type(one) for one in self.subscription_types]})

    @route("POST", "/contacts/{id}/subscriptions")
    def attach(self, request: SimRequest) -> SimResponse:
        contact, body = self.workspace.known(request.params["id"]), request.json() or {}
        if body.get("consent_type") not in ("opt_in", "opt_out"):
            raise refusal(400, "parameter_invalid", "consent_type must be opt_in or opt_out")
        shown = self._type(str(body.get("id")))
        contact["subscriptions"][shown["id"]] = body["consent_type"]
        return SimResponse(200, shown)

    @route("DELETE", "/contacts/{id}/subscriptions/{type_id}")
    def detach(self, request: SimRequest) -> SimResponse:
        contact, type_id = self.workspace.known(request.params["id"]), request.params["type_id"]
        if contact["subscriptions"].pop(type_id, None) is None:
            raise refusal(404, "not_found", "Resource Not Found")
        return SimResponse(200, self._type(type_id))

    def _type(self, type_id: str) -> dict[str, Json]:
        if type_id not in self.subscription_types:
            raise refusal(404, "not_found", "Resource Not Found")
        kind = self.subscription_types[type_id]
        return {"type": "subscription", "id": type_id, "state": "live", "consent_type": kind}

    # ── attributes and events ────────────────────────────────────────────────────────────────────────────────────

    @route("GET", "/data_attributes")
    def data_attributes(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, {"type": "list", "data": list(self.attributes.values())})

    @route("POST", "/data_attributes")
    def define(self, request: SimRequest) -> SimResponse:
        body = request.json() or {}
        return SimResponse(200, self.workspace.define(body.get("name"), body.get("data_type")))

    @route("POST", "/events")
    def track(self, request: SimRequest) -> SimResponse:
        event = self.workspace.record(request.json())
        if event and event["event_name"] in self.workflows:
            self.messages.append({"external_id": event["external_id"], "metadata": event["metadata"]})
        return SimResponse(202)
