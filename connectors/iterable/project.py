"""An Iterable project in memory, as the simulator keeps it: users, types of fields, events, lists, the forgotten."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.iterable.settings import READ_ONLY
from hub.sdk.kit.simulator.base import Refused, SimResponse
from hub.sdk.values import Json

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_USER_ID: Final = re.compile(r"[ -~]{0,51}[!-~]")  # support.iterable.com 9216719179796: 52 characters, printable ASCII
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d \+00:00)?")
TEXT_LIMIT: Final = 32_000
FIELD_LIMIT: Final = 1_000


class Refusal(Refused):
    """An answer that refuses, in Iterable's envelope."""

    def __init__(self, status: int, code: str, msg: str, params: Json = None) -> None:
        super().__init__(SimResponse(status, {"msg": msg, "code": code, "params": params}))


class Failed(Exception):
    """One user of a bulk call failed: the kind and the identifier that the answer names."""

    def __init__(self, kind: str, name: str, value: str) -> None:
        super().__init__(kind)
        self.list_name = kind + ("Emails" if name == "email" else "UserIds")
        self.value = value


@dataclass
class Project:
    kind: str
    users: dict[str, dict[str, Json]]
    types: dict[str, str] = field(default_factory=lambda: {"loyaltyPoints": "long", "signupDate": "date"})
    event_types: dict[tuple[str, str], str] = field(default_factory=lambda: {("Order Shipped", "total"): "double"})
    forgotten: set[str] = field(default_factory=set)

    def named(self, one: Mapping[str, Any]) -> tuple[str, str]:
        """Which identifier counts, and its value. Raises Failed where it is malformed or forgotten."""
        name = "email" if one.get("email") and (self.kind == "email" or not one.get("userId")) else "userId"
        value = str(one.get(name) or "")
        if name == "email":
            value = value.lower()
        if not (_EMAIL if name == "email" else _USER_ID).fullmatch(value):
            raise Failed("invalid", name, str(one.get(name)))
        if value in self.forgotten:
            raise Failed("forgotten", name, value)
        return name, value

    def find(self, one: Mapping[str, Any]) -> str | None:
        """The key of the user this names, if there is one. Users are kept by userId where they have one."""
        name, value = self.named(one)
        if name == "userId" and value in self.users:
            return value
        return next((key for key, user in self.users.items() if str(user.get(name, "")).lower() == value.lower()), None)

    def upsert(self, one: Mapping[str, Any]) -> str:
        """Raises Failed."""
        name, value = self.named(one)
        fields = dict(one.get("dataFields") or {})
        if fields.get("email") and not _EMAIL.fullmatch(str(fields["email"])):
            raise Failed("invalid", "email", str(fields["email"]))
        found = self.find(one)
        if found is None and name == "userId" and self.kind == "email" and not one.get("preferUserId"):
            raise Failed("notFound", name, value)
        self._check_values(name, value, fields)
        if self.kind == "email":
            fields |= {key: one[key] for key in ("email", "userId") if one.get(key)}
        key = found or str(one.get("userId") or value)
        user = self.users.setdefault(key, {name: value})
        for field_name, new in fields.items():
            if new is None:
                user.pop(field_name, None)
            elif one.get("mergeNestedObjects") and isinstance(new, dict) and isinstance(user.get(field_name), dict):
                user[field_name] = {**user[field_name], **new}
            else:
                user[field_name] = new
        return key

    def _check_values(self, name: str, value: str, fields: Mapping[str, Any]) -> None:
        if any(one in READ_ONLY for one in fields) or any(
            isinstance(new, str) and len(new) > TEXT_LIMIT for new in fields.values()
        ):
            raise Failed("invalidData", name, value)

    def learn(self, known: dict[Any, str], fields: Mapping[str, Json], place: str = "") -> dict[str, Json]:
        """Fixes the type of each new field; gives what is wrong with others, as `validationErrors` names it."""
        errors: dict[str, Json] = {}
        for name, value in fields.items():
            if value is None:
                continue
            key = (place, name) if place else name
            incoming, expected = _type(value), known.setdefault(key, _type(value))
            if expected == incoming or (expected, incoming) in {("double", "long"), ("string", "date")}:
                continue
            errors[name] = {
                "incomingTypes": [incoming],
                "expectedType": expected,
                "category": "event" if place else "user",
                "offendingValue": value,
                "_type": "UnexpectedType",
            }
        if len(known) > FIELD_LIMIT:
            raise Refusal(400, "UniqueFieldsLimitExceeded", "Too many unique fields in this project")
        return errors


def _type(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "date" if _DATE.fullmatch(value) else "string"
    if isinstance(value, list):
        return "array"
    if isinstance(value, dict):
        return "object"
    return "long" if isinstance(value, int) else "double"
