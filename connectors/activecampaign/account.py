"""An ActiveCampaign account in memory, as the simulator keeps it: contacts, custom fields, tags, lists, events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.sdk.kit.simulator.base import Refused, SimResponse
from hub.sdk.values import Json

STANDARD = ("email", "firstName", "lastName", "phone")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
FIELDS = (
    "SOURCE_ID", "BIRTHDATE", "GENDER", "LOCALE", "TIMEZONE", "ADDRESS_1", "ADDRESS_2", "CITY", "STATE", "COUNTRY", "ZIP",
    "CREATED_AT", "INCENTIVE_CODE", "INCENTIVE_CODE_VALUE", "INCENTIVE_CODE_BALANCE", "INCENTIVE_CODE_EXPIRES_AT",
    "INCENTIVE_CODE_PUBLISHED_AT", "LOYALTY_TIER", "POINTS", "VIP", "TAGS",
    "FAVOURITE",
)  # fmt: skip
"""Custom fields of the example account; their ids begin at 7."""
TYPES = {"BIRTHDATE": "date", "CREATED_AT": "datetime", "INCENTIVE_CODE_EXPIRES_AT": "datetime", "POINTS": "number"}
FIELD_TYPES = frozenset(
    ["text", "textarea", "date", "datetime", "dropdown", "radio", "checkbox", "listbox", "hidden", "number"]
)


def refusal(status: int, title: str, code: str = "", pointer: str = "") -> Refused:
    """An answer in the form of most of this API's errors."""
    error: dict[str, Json] = {"title": title}
    if code:
        error["code"] = code
    if pointer:
        error["source"] = {"pointer": pointer}
    return Refused(SimResponse(status, {"errors": [error]}))


def not_found(detail: str) -> Refused:
    return Refused(SimResponse(404, {"errors": [{"status": 404, "title": "Not Found", "detail": detail}]}))


@dataclass
class Account:
    """Ids are texts, as this vendor writes them."""

    contacts: dict[str, dict[str, Json]] = field(default_factory=dict)
    fields: dict[str, dict[str, Json]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    contact_tags: dict[str, tuple[str, str]] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=lambda: {"4": "Newsletter", "7": "Product news"})
    event_names: list[str] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        for place, perstag in enumerate(FIELDS, 7):
            self.add_field(str(place), perstag.replace("_", " ").title(), perstag, TYPES.get(perstag, "text"))

    def new_id(self) -> str:
        self._count += 1
        return str(self._count)

    def add_field(self, field_id: str, title: str, perstag: str, kind: str) -> dict[str, Json]:
        made = {"id": field_id, "title": title, "perstag": perstag, "type": kind, "isrequired": "0"}
        self.fields[field_id] = made
        return made

    def find(self, email: str) -> str | None:
        wanted = email.casefold()
        return next((one for one, contact in self.contacts.items() if contact["email"].casefold() == wanted), None)

    def value(self, contact_id: str, perstag: str) -> Json:
        """The value of a custom field."""
        return self.contacts[contact_id]["fields"].get(perstag)

    def check(self, told: Mapping[str, Any]) -> None:
        """What fails a contact; the fields of the two ways of writing one are called alike here."""
        email = told.get("email")
        if not isinstance(email, str) or not email:
            raise refusal(422, "Email address is required.", "field_missing", "/data/attributes/email")
        if not is_mailbox(email):
            raise refusal(422, "Email address is not valid.", "email_invalid", "/data/attributes/email")
        for name in STANDARD[1:]:
            if name in told and not isinstance(told[name], str):
                raise refusal(422, f"{name} must be a string.", "invalid", f"/data/attributes/{name}")

    def write(self, contact_id: str, told: Mapping[str, Any], values: Mapping[str, str]) -> None:
        """Attributes and custom fields (id → value); what is left out is kept, an unknown field is ignored."""
        blank: dict[str, Json] = {"email": "", "firstName": "", "lastName": "", "phone": "", "fields": {}, "lists": {}}
        contact = self.contacts.setdefault(contact_id, {"id": contact_id, **blank})
        contact.update({name: told[name] for name in STANDARD if name in told})
        for field_id, value in values.items():
            if field_id not in self.fields:
                continue
            perstag = self.fields[field_id]["perstag"]
            if value:
                contact["fields"][perstag] = value
            else:
                contact["fields"].pop(perstag, None)

    def upsert(self, told: Mapping[str, Any], values: Mapping[str, str]) -> tuple[str, bool]:
        """The contact's id, and whether it is new."""
        self.check(told)
        found = self.find(told["email"])
        contact_id = found or self.new_id()
        self.write(contact_id, told, values)
        return contact_id, found is None

    def delete(self, contact_id: str) -> None:
        del self.contacts[contact_id]
        self.contact_tags = {one: pair for one, pair in self.contact_tags.items() if pair[0] != contact_id}

    def tag(self, name: str) -> str | None:
        wanted = name.casefold()
        return next((one for one, known in self.tags.items() if known.casefold() == wanted), None)

    def tag_named(self, name: str) -> str:
        """The tag's id; an import makes tags that are missing."""
        found = self.tag(name)
        if found is None:
            found = self.new_id()
            self.tags[found] = name
        return found

    def put_tag(self, contact_id: str, tag_id: str) -> str:
        """The id of the contactTag; one that exists is given again."""
        for one, pair in self.contact_tags.items():
            if pair == (contact_id, tag_id):
                return one
        made = self.new_id()
        self.contact_tags[made] = (contact_id, tag_id)
        return made

    def subscribe(self, contact_id: str, list_id: str, status: str, *, is_import: bool = False) -> str:
        """The id of the contactList. An import does not revive whoever has unsubscribed; the other call does."""
        lists = self.contacts[contact_id]["lists"]
        if is_import and status == "1" and lists.get(list_id) == "2":
            return f"{contact_id}{list_id}"
        lists[list_id] = status
        return f"{contact_id}{list_id}"


def is_mailbox(email: str) -> bool:
    """What passes the form, and has a domain that exists: `someone@invaliddomain` passes an import's form only."""
    return EMAIL.fullmatch(email) is not None and "." in email.rpartition("@")[2]


def custom_values(entries: Any, name: str) -> dict[str, str]:
    """Field id → value of `fieldValues` or of an import's `fields`. Raises Refused for another shape."""
    if entries is None:
        return {}
    if not isinstance(entries, list) or not all(isinstance(one, dict) and name in one for one in entries):
        raise refusal(422, "Custom fields must be a list of ids and values.", "invalid", "/data/attributes/fieldValues")
    if not all(isinstance(one.get("value"), str) for one in entries):
        raise refusal(422, "The value of a field must be a string.", "invalid", "/data/attributes/fieldValues")
    return {str(one[name]): one["value"] for one in entries}
