"""What a simulated Intercom workspace keeps, and the rules for it (Intercom-OpenAPI; help articles 179 and 5245634)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hub.sdk.kit.simulator.base import Refused, SimResponse
from hub.sdk.values import Json

ATTRIBUTES: Final = 250
EVENT_NAMES: Final = 120
METADATA_KEYS: Final = 10
TEXT: Final = 255
KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str, int, float),
    "integer": (int,),
    "float": (int, float),
    "boolean": (bool,),
    "date": (int, float),
    "datetime": (int, float),
}
_WRITABLE: Final[Mapping[str, tuple[type, ...]]] = {
    "role": (str,),
    "external_id": (str,),
    "email": (str,),
    "phone": (str,),
    "name": (str,),
    "avatar": (str,),
    "signed_up_at": (int,),
    "last_seen_at": (int,),
    "owner_id": (int,),
    "unsubscribed_from_emails": (bool,),
    "custom_attributes": (dict,),
}
_BAD_NAME: Final = re.compile(r"""[.$`~!@#%^&*'{}|\\"\x00]""")


def refusal(status: int, code: str, message: str, field: str | None = None) -> Refused:
    return Refused(error_list(status, code, message, field))


def error_list(status: int, code: str, message: str, field: str | None = None) -> SimResponse:
    error = {"code": code, "message": message, "field": field}
    return SimResponse(status, {"type": "error.list", "request_id": "b2c0simulated00000001", "errors": [error]})


class Workspace:
    """Contacts by their Intercom id, and what stands around them."""

    def __init__(self, contacts: dict[str, dict[str, Json]], events: list[dict[str, Json]]) -> None:
        self.contacts = contacts
        self.events = events
        self.archived: dict[str, dict[str, Json]] = {}
        self.searchable_at: dict[str, datetime] = {}
        self.tags: dict[str, str] = {}
        self.attributes: dict[str, dict[str, Json]] = {}
        self.refuses_unknown_attributes = False
        self._count = 0

    def new_id(self) -> str:
        self._count += 1
        return f"667d60{self._count:018x}"

    # ── contacts ─────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, body: Json) -> dict[str, Json]:
        fields = self._checked(body)
        if not {"email", "external_id", "role"} & fields.keys():
            raise refusal(400, "parameter_not_found", "Contact must have at least one of email, external_id or role.")
        self._free(fields, "")
        contact: dict[str, Json] = {
            "type": "contact",
            "id": self.new_id(),
            "role": "user" if fields.get("external_id") else "lead",
            "external_id": None,
            "email": None,
            "unsubscribed_from_emails": False,
            "custom_attributes": {},
            "tags": [],
            "subscriptions": {},
        }
        self.contacts[str(contact["id"])] = contact
        return self._laid_over(contact, fields)

    def update(self, contact_id: str, body: Json) -> dict[str, Json]:
        contact = self.known(contact_id)
        fields = self._checked(body)
        self._free(fields, contact_id)
        return self._laid_over(contact, fields)

    def known(self, contact_id: str) -> dict[str, Json]:
        contact = self.contacts.get(contact_id)
        if contact is None:
            raise refusal(404, "not_found", "User Not Found")
        return contact

    def by_external_id(self, source_id: str) -> list[dict[str, Json]]:
        return [one for one in self.contacts.values() if one["external_id"] == source_id]

    def _laid_over(self, contact: dict[str, Json], fields: Mapping[str, Json]) -> dict[str, Json]:
        attributes = {**contact["custom_attributes"], **(fields.get("custom_attributes") or {})}
        contact.update(fields)
        contact["custom_attributes"] = {name: value for name, value in attributes.items() if value is not None}
        return contact

    def _free(self, fields: Mapping[str, Json], own_id: str) -> None:
        """external_id, and among users the e-mail, belong to one contact, archived ones included."""
        for is_archived, contacts in ((False, self.contacts), (True, self.archived)):
            for other_id, other in contacts.items():
                if other_id == own_id or not _meet(fields, other):
                    continue
                kind = "An archived contact" if is_archived else "A contact"
                words = f"{kind} matching those details already exists with id={other_id}"
                raise refusal(409, "conflict", words)

    def _checked(self, body: Json) -> dict[str, Json]:
        if not isinstance(body, dict):
            raise refusal(400, "bad_request", "The body is not a JSON object.")
        for name, value in body.items():
            if name not in _WRITABLE:
                raise refusal(400, "parameter_invalid", f"{name} is not a writable field of a contact", name)
            if value is not None and not _is(value, _WRITABLE[name]):
                raise refusal(400, "parameter_invalid", f"{name} has the wrong type", name)
        if body.get("role") not in (None, "user", "lead"):
            raise refusal(400, "parameter_invalid", "role must be user or lead", "role")
        if body.get("role") == "lead" and body.get("external_id"):
            raise refusal(400, "parameter_invalid", "external_id can not be set for a lead", "external_id")
        email = body.get("email")
        if email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", str(email)):
            raise refusal(400, "parameter_invalid", "Email is invalid", "email")
        for name, value in (body.get("custom_attributes") or {}).items():
            self._attribute(name, value)
        return dict(body)

    def _attribute(self, name: str, value: Json) -> None:
        known = self.attributes.get(name)
        if known is None and self.refuses_unknown_attributes:
            raise refusal(400, "parameter_invalid", f"Custom attribute '{name}' does not exist", name)
        if isinstance(value, list | dict):
            words = f"{name} is not of type Numeric, String or Boolean"
            raise refusal(400, "parameter_invalid", words, name)
        if known is not None and value is not None and not _is(value, KINDS[str(known["data_type"])]):
            raise refusal(400, "parameter_invalid", f"{name} is not of type {known['data_type']}", name)

    # ── attributes and events ────────────────────────────────────────────────────────────────────────────────────

    def define(self, name: Json, data_type: Json) -> dict[str, Json]:
        if not isinstance(name, str) or not name or _BAD_NAME.search(name):
            words = "Name must only contain alphanumeric characters, currency symbols, and hyphens"
            raise refusal(400, "parameter_invalid", words)
        if name in self.attributes:
            raise refusal(400, "parameter_invalid", f"You already have '{name}' in your people data.")
        if data_type not in KINDS:
            raise refusal(400, "parameter_invalid", "data_type is invalid")
        if len(self.attributes) >= ATTRIBUTES:
            raise refusal(422, "data_invalid", f"You can not have more than {ATTRIBUTES} custom attributes.")
        made: dict[str, Json] = {
            "type": "data_attribute",
            "id": len(self.attributes) + 1,
            "name": name,
            "full_name": f"custom_attributes.{name}",
            "data_type": data_type,
            "model": "contact",
            "custom": True,
            "archived": False,
            "api_writable": True,
        }
        self.attributes[name] = made
        return made

    def record(self, body: Json) -> dict[str, Json] | None:
        """The event kept, or None if Intercom has one of this contact, name and second."""
        event = dict(body) if isinstance(body, dict) else {}
        name = str(event.get("event_name") or "").lower().replace(".", "-").replace("$", "-")
        if not name or not isinstance(event.get("created_at"), int):
            raise refusal(400, "parameter_not_found", "event_name and created_at are required")
        contact = self._whose(event)
        if name not in {one["event_name"] for one in self.events}:
            names = {one["event_name"] for one in self.events}
            if len(names) >= EVENT_NAMES:
                raise refusal(422, "data_invalid", f"You can not track more than {EVENT_NAMES} active event names.")
        metadata = event.get("metadata") or {}
        for key, value in metadata.items():
            if isinstance(value, list) or (isinstance(value, dict) and not _is_rich(value)):
                raise refusal(400, "parameter_invalid", f"metadata.{key} can not be nested", key)
        kept = {
            "contact_id": contact["id"],
            "external_id": contact["external_id"],
            "event_name": name,
            "created_at": event["created_at"],
            "metadata": dict(list(metadata.items())[:METADATA_KEYS]),
        }
        same = ("contact_id", "event_name", "created_at")
        if any(all(one[key] == kept[key] for key in same) for one in self.events):
            return None
        self.events.append(kept)
        return kept

    def _whose(self, event: Mapping[str, Json]) -> dict[str, Json]:
        if event.get("user_id"):
            found = self.by_external_id(str(event["user_id"]))
        elif event.get("id"):
            found = [self.known(str(event["id"]))]
        elif event.get("email"):
            found = [one for one in self.contacts.values() if one["email"] == event["email"]]
        else:
            raise refusal(400, "parameter_not_found", "One of user_id, id or email is required")
        if not found:
            raise refusal(404, "not_found", "User Not Found")
        return found[0]


def _meet(fields: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    if fields.get("external_id") and fields["external_id"] == other["external_id"]:
        return True
    email = str(fields.get("email") or "").lower()
    return bool(email) and fields.get("role") != "lead" and email == str(other["email"] or "").lower()


def _is(value: Json, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds)


def _is_rich(value: Mapping[str, Any]) -> bool:
    return value.keys() in ({"url", "value"}, {"amount", "currency"})
