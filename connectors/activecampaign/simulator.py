"""An ActiveCampaign account over HTTP. It validates what ActiveCampaign validates and answers in its words.

Imports advance by polls, rate windows by the clock. Where the vendor documents no words or status, ours are used; what is
assumed is switchable (`knows_any_event`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from connectors.activecampaign.account import FIELD_TYPES, Account, custom_values, not_found, refusal
from connectors.activecampaign.tracking import TrackingEndpoints, page, told_in
from hub.sdk.kit.simulator.base import SimRequest, SimResponse, route
from hub.sdk.values import Json, Operation

CALLS_PER_S: Final = 5


class ActiveCampaignSimulator(TrackingEndpoints):
    sandbox_place: ClassVar[int] = 1
    hosts: ClassVar = ("api", "events")
    kept: ClassVar = ("profiles", "events", "messages", "tags", "imports", "automated")
    failing_body: ClassVar[Json] = {"success": 0, "message": "This could not be done."}
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {
            "email": "ada{n}@example.com",
            "firstName": "Ada",
            "phone": "+48500000000",
            "SOURCE_ID": "person-{n}",
            "LOYALTY_TIER": "gold",
        },
        Operation.EVENTS: {"eventdata": {"order_id": "order-{n}"}},
        Operation.MESSAGES: {"INCENTIVE_CODE": "SPRING-{n}"},
        Operation.AUDIENCE: {"tag": "segment:vip"},
        Operation.CONSENT: {"status": "1"},
        Operation.ERASE: {},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {Operation.PROFILES: {"email": "not an address"}}

    def __init__(
        self,
        *,
        polls_until_done: int = 2,
        is_throttling: bool = False,
        knows_any_event: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.account = Account(contacts=self.profiles)
        self.tags = self.account.tags
        self.imports, self.automated = {}, []
        self.automations = {"42": "Spring codes"}
        self.polls_until_done, self.is_throttling = polls_until_done, is_throttling
        self.knows_any_event = knows_any_event
        self.tracking = True
        self._calls: Counter[int] = Counter()

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {
            "api_token": "simulator-token-0123456789abcdef",
            "event_actid": "25123456",
            "event_key": "simulator-event-key-0123456789",
            "default_list_id": "4",
        }

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:
        if operation is Operation.EVENTS:
            return {"eventdata": {**fields["eventdata"], name: value}}
        if operation in (Operation.PROFILES, Operation.MESSAGES):
            return {**fields, name.upper(): value}
        return dict(fields)

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        """A contact says in a custom field whose it is."""
        ids = [one for one in self.profiles if self.account.value(one, "SOURCE_ID") == source_id]
        if operation is Operation.AUDIENCE:
            return any(contact in ids for contact, _ in self.account.contact_tags.values())
        if operation is Operation.CONSENT:
            return any("4" in self.profiles[one]["lists"] for one in ids)
        if operation in (Operation.EVENTS, Operation.MESSAGES):
            kept = self.events if operation is Operation.EVENTS else self.messages
            return any(entry["contact"] in ids for entry in kept)
        return bool(ids) is (operation is not Operation.ERASE)

    # ── what stands before every endpoint ────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        if request.host == "events":
            return None
        if request.headers.get("api-token") != self.example_settings()["api_token"]:
            return SimResponse(403, {"message": "You are not authorized to access this resource."})
        second = int(self.clock().timestamp())
        self._calls[second] += 1
        return self.error(429, 1) if self.is_throttling and self._calls[second] > CALLS_PER_S else None

    def headers(self, request: SimRequest) -> Mapping[str, str]:
        if request.host == "events":
            return {}
        left = max(0, CALLS_PER_S - self._calls[int(self.clock().timestamp())])
        return {"RateLimit-Limit": str(CALLS_PER_S), "RateLimit-Remaining": str(left)}

    # ── the account and its contacts ─────────────────────────────────────────────────────────────────────────────

    @route("GET", "/api/3/users/me")
    def me(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, {"user": {"id": "1", "username": "admin", "email": "admin@example.com"}})

    @route("POST", "/api/3/contact/sync")
    def sync(self, request: SimRequest) -> SimResponse:
        told = told_in(request, "contact")
        contact_id, is_new = self.account.upsert(told, custom_values(told.get("fieldValues"), "field"))
        return SimResponse(201 if is_new else 200, {"fieldValues": [], "contact": self._shown(contact_id)})

    @route("PUT", "/api/3/contacts/{id}")
    def update(self, request: SimRequest) -> SimResponse:
        contact_id = self._known(request.params["id"])
        told = {**self.profiles[contact_id], **told_in(request, "contact")}
        self.account.check(told)
        if self.account.find(told["email"]) not in (None, contact_id):
            words = "Email address already exists in the system"
            raise refusal(422, words, "duplicate", "/data/attributes/email")
        self.account.write(contact_id, told, custom_values(told.get("fieldValues"), "field"))
        return SimResponse(200, {"fieldValues": [], "contact": self._shown(contact_id)})

    @route("GET", "/api/3/contacts")
    def contacts(self, request: SimRequest) -> SimResponse:
        found = self.account.find(request.query.get("email", ""))
        return SimResponse(200, page(request, "contacts", [self._shown(found)] if found else []))

    @route("DELETE", "/api/3/contacts/{id}")
    def delete(self, request: SimRequest) -> SimResponse:
        contact_id = request.params["id"]
        if contact_id not in self.profiles:
            return SimResponse(404, {"message": f"No result found for contact with id {contact_id}"})
        self.account.delete(contact_id)
        return SimResponse(200, {})

    def _shown(self, contact_id: str) -> dict[str, Json]:
        return {name: value for name, value in self.profiles[contact_id].items() if isinstance(value, str)}

    def _known(self, contact_id: str) -> str:
        if contact_id not in self.profiles:
            raise not_found("Contact not found")
        return contact_id

    # ── custom fields ────────────────────────────────────────────────────────────────────────────────────────────

    @route("GET", "/api/3/fields")
    def fields(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, page(request, "fields", self.account.fields.values()))

    @route("POST", "/api/3/fields")
    def create_field(self, request: SimRequest) -> SimResponse:
        told = told_in(request, "field")
        title, perstag, kind = (str(told.get(name) or "") for name in ("title", "perstag", "type"))
        if not title or kind not in FIELD_TYPES:
            raise refusal(422, "A field needs a title and a known type.", "invalid")
        if any(one["title"].casefold() == title.casefold() for one in self.account.fields.values()):
            raise refusal(422, "There is already a field with this title", "duplicate")
        number = str(1 + max(int(one) for one in self.account.fields))
        return SimResponse(201, {"field": self.account.add_field(number, title, perstag.upper(), kind)})

    @route("POST", "/api/3/fieldRels")
    def show_field(self, request: SimRequest) -> SimResponse:
        told = told_in(request, "fieldRel")
        if str(told.get("field")) not in self.account.fields:
            raise not_found("Field not found")
        self.account.fields[str(told["field"])]["relid"] = told.get("relid")
        return SimResponse(201, {"fieldRel": {"id": "1", **told}})

    # ── tags, lists, automations ─────────────────────────────────────────────────────────────────────────────────

    @route("GET", "/api/3/tags")
    def all_tags(self, request: SimRequest) -> SimResponse:
        wanted = request.query.get("search", "").casefold()
        found = [_tag(one, name) for one, name in self.tags.items() if wanted in name.casefold()]
        return SimResponse(200, page(request, "tags", found))

    @route("POST", "/api/3/tags")
    def create_tag(self, request: SimRequest) -> SimResponse:
        name = str(told_in(request, "tag").get("tag") or "")
        if not name:
            raise refusal(422, "A tag needs a name.", "field_missing", "/data/attributes/tag")
        if self.account.tag(name):
            words = f"Duplicate entry 'contact-{name}' for key 'typetag'"
            return SimResponse(422, {"message": "Could not process request", "error": words})
        return SimResponse(201, {"tag": _tag(self.account.tag_named(name), name)})

    @route("POST", "/api/3/contactTags")
    def add_tag(self, request: SimRequest) -> SimResponse:
        told = told_in(request, "contactTag")
        contact_id, tag_id = self._known(str(told.get("contact"))), str(told.get("tag"))
        if tag_id not in self.tags:
            raise not_found("Tag not found")
        made = self.account.put_tag(contact_id, tag_id)
        return SimResponse(201, {"contactTag": {"id": made, "contact": contact_id, "tag": tag_id}})

    @route("GET", "/api/3/contacts/{id}/contactTags")
    def tags_of(self, request: SimRequest) -> SimResponse:
        contact_id = self._known(request.params["id"])
        carried = [
            {"id": one, "contact": contact, "tag": tag}
            for one, (contact, tag) in self.account.contact_tags.items()
            if contact == contact_id
        ]
        return SimResponse(200, page(request, "contactTags", carried))

    @route("DELETE", "/api/3/contactTags/{id}")
    def remove_tag(self, request: SimRequest) -> SimResponse:
        if self.account.contact_tags.pop(request.params["id"], None) is None:
            return SimResponse(404, {"message": f"No result found for contactTag with id {request.params['id']}"})
        return SimResponse(200, {})

    @route("GET", "/api/3/contacts/{id}/contactLists")
    def lists_of(self, request: SimRequest) -> SimResponse:
        contact_id = self._known(request.params["id"])
        lists = self.profiles[contact_id]["lists"]
        return SimResponse(
            200, page(request, "contactLists", [{"list": one, "status": status} for one, status in lists.items()])
        )

    @route("POST", "/api/3/contactLists")
    def set_list(self, request: SimRequest) -> SimResponse:
        told = told_in(request, "contactList")
        contact_id, list_id, status = self._known(str(told.get("contact"))), str(told.get("list")), told.get("status")
        if list_id not in self.account.lists or str(status) not in ("1", "2"):
            return SimResponse(400, {})
        made = self.account.subscribe(contact_id, list_id, str(status))
        told = {"id": made, "list": list_id, "contact": contact_id, "status": int(str(status))}
        return SimResponse(200, {"contacts": [self._shown(contact_id)], "contactList": told})

    @route("POST", "/api/3/contactAutomations")
    def start_automation(self, request: SimRequest) -> SimResponse:
        told = told_in(request, "contactAutomation")
        contact_id, automation = self._known(str(told.get("contact"))), str(told.get("automation"))
        if automation not in self.automations:
            return SimResponse(403, {"message": "Could not create SubscriberSeries"})
        contact = self.profiles[contact_id]
        self.messages.append({"contact": contact_id, "automation": automation, "fields": dict(contact["fields"])})
        made = str(len(self.messages))
        return SimResponse(201, {"contactAutomation": {"id": made, "seriesid": automation, "status": "1"}})


def _tag(tag_id: str, name: str) -> dict[str, Json]:
    return {"id": tag_id, "tag": name, "tagType": "contact", "description": ""}
