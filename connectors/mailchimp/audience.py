"""What a simulated Mailchimp audience keeps, and the rules for it (api/list-members, docs/merge-fields, docs/errors)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from hub.sdk.kit.simulator.base import Refused, SimResponse
from hub.sdk.values import EMPTY, Json

PROBLEM: Final = "application/problem+json; charset=utf-8"
TITLES: Final = {
    400: "Bad Request",
    401: "API Key Invalid",
    403: "Forbidden",
    404: "Resource Not Found",
    405: "Method Not Allowed",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
STATUSES: Final = frozenset({"subscribed", "unsubscribed", "cleaned", "pending", "transactional"})
FIELDS: Final = 80
EVENT_NAME: Final = re.compile(r"[A-Za-z0-9_-]{2,30}")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
_PARTS: Final = ("addr1", "city", "state", "zip")
_BIRTHDAY: Final = re.compile(r"(0[1-9]|1[0-2])/(0[1-9]|[12]\d|3[01])")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def problem(
    status: int, detail: str, title: str = "", errors: Mapping[str, str] = EMPTY, headers: Mapping[str, str] = EMPTY
) -> SimResponse:
    body: dict[str, Json] = {
        "type": "https://mailchimp.com/developer/marketing/docs/errors/",
        "title": title or TITLES.get(status, "Bad Request"),
        "status": status,
        "detail": detail,
        "instance": "00000000-0000-4000-8000-000000000001",
    }
    if errors:
        body["errors"] = [{"field": field, "message": message} for field, message in errors.items()]
    return SimResponse(status, body, {"content-type": PROBLEM, **headers})


def invalid(field: str, message: str) -> Refused:
    """The answer to a value that Mailchimp does not take; it fails the whole member."""
    words = "The resource submitted could not be validated. For field-specific details, see the 'errors' array."
    return Refused(problem(400, words, "Invalid Resource", {field: message}))


def missing() -> Refused:
    return Refused(problem(404, "The requested resource could not be found."))


def hash_of(email: str) -> str:
    return hashlib.md5(email.lower().encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


class Audience:
    """Members by hash of their address, and what stands around them."""

    def __init__(self, members: dict[str, dict[str, Json]]) -> None:
        self.members = members
        self.forgotten: list[str] = []
        self.fields: dict[str, str] = {
            "FNAME": "text",
            "LNAME": "text",
            "ADDRESS": "address",
            "PHONE": "phone",
            "BIRTHDAY": "birthday",
        }
        self.permissions = {"c1d2e3f4a5"}
        self.interests = {"9f8e7d6c5b"}

    def known(self, member: str) -> dict[str, Json]:
        found = self.members.get(member)
        if found is None:
            raise missing()
        return found

    def put(self, member: str, body: Json) -> dict[str, Json]:
        fields = _object(body)
        if member in self.members:
            return self._change(member, {name: value for name, value in fields.items() if name != "status_if_new"})
        status = fields.pop("status_if_new", None)
        status = fields.pop("status", None) or status
        email = _email(fields.get("email_address"))
        if status not in STATUSES:
            raise invalid("status_if_new", "Data presented is not one of the accepted values: subscribed, pending, …")
        if hash_of(email) != member:
            raise invalid("email_address", "The email address does not fit the subscriber hash.")
        if member in self.forgotten:
            words = f"{email} was permanently deleted and cannot be re-imported. The contact must re-subscribe."
            raise Refused(problem(400, words, "Forgotten Email Not Subscribed"))
        made: dict[str, Json] = {
            "id": member,
            "email_address": email,
            "unique_email_id": member[:10],
            "contact_id": member[::-1],
            "status": status,
            "merge_fields": {},
            "interests": {},
            "marketing_permissions": [],
            "tags": [],
        }
        checked = self._checked(fields)
        self.members[member] = made
        return self._laid_over(made, checked)

    def patch(self, member: str, body: Json) -> dict[str, Json]:
        if self.known(member)["status"] == "archived":
            raise Refused(problem(405, "This list member cannot be changed.", headers={"allow": "GET, PUT"}))
        return self._change(member, body)

    def archive(self, member: str) -> None:
        found = self.known(member)
        if found["status"] in ("cleaned", "pending", "archived"):
            words = "This list member cannot be removed. Can not archive a contact that is bounced, pending or archived"
            raise Refused(problem(405, words, headers={"allow": "GET, PUT"}))
        found["status"] = "archived"

    def _change(self, member: str, body: Json) -> dict[str, Json]:
        found = self.known(member)
        fields = self._checked(_object(body))
        status = fields.get("status")
        if status == "subscribed" and found["status"] in ("unsubscribed", "cleaned"):
            words = (
                f"{found['email_address']} is already a list member in compliance state due to unsubscribe, bounce, or "
                "compliance review and cannot be subscribed."
            )
            raise Refused(problem(400, words, "Member In Compliance State"))
        email = fields.get("email_address")
        if email:
            moved = hash_of(_email(email))
            if moved != member and moved in self.members:
                words = f"{email} is already a list member. Use PUT to insert or update list members."
                raise Refused(problem(400, words, "Member Exists"))
            del self.members[member]
            self.members[moved] = found
            found["id"] = moved
        return self._laid_over(found, fields)

    def _laid_over(self, found: dict[str, Json], fields: Mapping[str, Json]) -> dict[str, Json]:
        merged = {**found["merge_fields"], **fields.get("merge_fields", {})}
        interests = {**found["interests"], **fields.get("interests", {})}
        permissions = {one["marketing_permission_id"]: one["enabled"] for one in found["marketing_permissions"]}
        for one in fields.get("marketing_permissions", []):
            permissions[one["marketing_permission_id"]] = one["enabled"]
        found.update(fields)
        found["merge_fields"] = {tag: value for tag, value in merged.items() if value != ""}
        found["interests"] = interests
        found["marketing_permissions"] = [
            {"marketing_permission_id": one, "enabled": enabled} for one, enabled in permissions.items()
        ]
        return found

    def _checked(self, body: Mapping[str, Json]) -> dict[str, Json]:
        """Raises what Mailchimp refuses; merge tags it does not know are dropped without a word."""
        if "email_address" in body:
            _email(body["email_address"])
        if "status" in body and body["status"] not in STATUSES:
            raise invalid("status", "Data presented is not one of the accepted values: subscribed, pending, …")
        kept = dict(body)
        given = body.get("merge_fields") or {}
        if not isinstance(given, Mapping):
            raise invalid("merge_fields", "Data presented is not an object.")
        kept["merge_fields"] = {tag: value for tag, value in given.items() if tag in self.fields}
        for tag, value in kept["merge_fields"].items():
            if value != "" and not _fits(self.fields[tag], value):
                raise invalid(f"merge_fields.{tag}", _words(self.fields[tag]))
        for one in body.get("marketing_permissions", []):
            if one.get("marketing_permission_id") not in self.permissions:
                raise invalid("marketing_permissions", "Invalid marketing permission ID.")
        for one in body.get("interests") or {}:
            if one not in self.interests:
                raise invalid("interests", f"Invalid interest ID: '{one}'.")
        return kept

    def define(self, body: Json) -> dict[str, Json]:
        fields = _object(body)
        tag, kind = fields.get("tag"), fields.get("type")
        if not isinstance(tag, str) or not re.fullmatch(r"[A-Z0-9_]{1,10}", tag):
            raise invalid("tag", "Merge tags have up to ten characters: A-Z, 0-9 and _.")
        if tag in self.fields:
            raise Refused(problem(400, f'A Merge Field with the tag "{tag}" already exists for this list.'))
        if kind not in {"text", "number", "address", "phone", "date", "url", "imageurl", "birthday", "zip"}:
            raise invalid("type", "Data presented is not one of the accepted values.")
        if len(self.fields) >= FIELDS:
            raise Refused(problem(400, f"This list already has {FIELDS} merge fields."))
        self.fields[tag] = str(kind)
        return {"merge_id": len(self.fields), "tag": tag, "name": str(fields.get("name") or tag), "type": str(kind)}


def _object(body: Json) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Refused(problem(400, "We encountered an unspecified JSON parsing error.", "JSON Parse Error"))
    return dict(body)


def _email(value: Json) -> str:
    if not isinstance(value, str) or not _EMAIL.fullmatch(value):
        raise invalid("email address", "This value should be a valid email.")
    return value


def _fits(kind: str, value: Json) -> bool:
    match kind:
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "address":
            return isinstance(value, dict) and all(value.get(part) for part in _PARTS)
        case "birthday":
            return isinstance(value, str) and bool(_BIRTHDAY.fullmatch(value))
        case "date":
            return isinstance(value, str) and bool(_DATE.match(value))
        case "imageurl" | "url":
            return isinstance(value, str) and value.startswith(("http://", "https://"))
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _words(kind: str) -> str:
    return {
        "address": "Please enter a complete address.",
        "number": "Please enter a number.",
        "birthday": "Please enter the month and day, MM/DD.",
        "date": "Please enter the date.",
    }.get(kind, "Data presented is not a valid value.")
