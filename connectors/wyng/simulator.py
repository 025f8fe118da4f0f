"""A Wyng account over HTTP, after the assumed contract in docs/connectors/wyng.md; it validates against a data model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from connectors.wyng.model import DEFAULT, DataModel
from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json, Operation

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
MOST_BYTES = 65_536


class WyngSimulator(Simulator):
    sandbox_place: ClassVar[int] = 14
    kept: ClassVar = ("profiles",)
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"email": "ada{n}@example.com", "first_name": "Ada", "dob": "1990-05-01"},
        Operation.AUDIENCE: {"value": "vip"},
        Operation.CONSENT: {"field": "consent_email"},
        Operation.ERASE: {},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {Operation.PROFILES: {"email": "not an address"}}
    keys: ClassVar = ("email", "phone", "customer_id")
    """Key fields by priority; the first is the strong id, by which profiles merge."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.model: Mapping[str, str] = {**DataModel.read(DEFAULT).kinds, "favourite": "text", "points": "num"}
        self.values: dict[str, frozenset[str]] = {"gender": frozenset({"female", "male", "other"})}
        self._count = 0

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {
            "base_url": "https://profiles.example.com/api/v1/consumer",
            "access_token": "private-simulator-0123456789",
            "data_model": f"{DEFAULT} favourite:text points:num",
        }

    def refuse(self, request: SimRequest) -> SimResponse | None:
        if request.headers.get("x-access-token") == self.example_settings()["access_token"]:
            return None
        return _said(401, "unauthorized", "The access token is not valid.")

    def error(self, status: int, retry_after_s: float | None) -> SimResponse:
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
        return SimResponse(status, {"error": {"code": "error", "message": f"Simulated {status}."}}, headers)

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        found = [one for one in self.profiles.values() if one["keys"].get("customer_id") == source_id]
        if operation is Operation.AUDIENCE:
            return any("vip" in one["fields"].get("segments", ()) for one in found)
        if operation is Operation.CONSENT:
            return any("consent_email" in one["fields"] for one in found)
        return bool(found) is (operation is not Operation.ERASE)

    @route("POST", "/api/v1/consumer/profiles/upsert")
    def upsert(self, request: SimRequest) -> SimResponse:
        told = request.json()
        if not isinstance(told, dict) or len(request.body) > MOST_BYTES:
            raise Refused(_said(400, "invalid_body", "The body is not a profile."))
        unknown = sorted(set(told) - {"keys", "fields", "sets"})
        if unknown:
            raise Refused(_said(400, "invalid_body", f"{unknown[0]} is not part of a profile.", unknown[0]))
        keys, fields, sets = (told.get(name) or {} for name in ("keys", "fields", "sets"))
        self._check(keys, fields, sets)
        profile_id, is_new = self._profile_of(keys)
        profile = self.profiles[profile_id]
        profile["keys"].update(keys)
        for name, value in fields.items():
            if value is None:
                profile["fields"].pop(name, None)
                profile["keys"].pop(name, None)
            else:
                profile["fields"][name] = value
        for name, change in sets.items():
            kept = [one for one in profile["fields"].get(name, []) if one not in change.get("remove", ())]
            profile["fields"][name] = [*kept, *(one for one in change.get("add", ()) if one not in kept)]
        answer = {"id": profile_id, "created": is_new, "keys": profile["keys"], "fields": profile["fields"]}
        return SimResponse(200, answer)

    @route("DELETE", "/api/v1/consumer/profiles/{id}")
    def delete(self, request: SimRequest) -> SimResponse:
        if self.profiles.pop(request.params["id"], None) is None:
            return _said(404, "not_found", "There is no such profile.")
        return SimResponse(204)

    def _profile_of(self, keys: Mapping[str, str]) -> tuple[str, bool]:
        """The profile that a key names, by priority; several that are named become the first of them."""
        found = [
            one
            for name in self.keys
            if keys.get(name)
            for one, profile in self.profiles.items()
            if str(profile["keys"].get(name, "")).casefold() == keys[name].casefold()
        ]
        if found:
            return found[0], False
        self._count += 1
        profile_id = f"wp-{self._count:06d}"
        self.profiles[profile_id] = {"keys": {}, "fields": {}}
        return profile_id, True

    def _check(self, keys: Mapping[str, Json], fields: Mapping[str, Json], sets: Mapping[str, Json]) -> None:
        if not keys or not all(isinstance(value, str) and value for value in keys.values()):
            raise Refused(_said(422, "missing_key", "At least one key is required."))
        for name in keys:
            if name not in self.keys:
                raise Refused(_said(422, "unknown_key", f"{name} is not a key of the data model.", name))
        if "email" in keys and not _EMAIL.fullmatch(keys["email"]):
            raise Refused(_said(422, "invalid_value", "email is not an address.", "email"))
        for name, value in fields.items():
            self._check_value(name, value)
        for name, change in sets.items():
            if self.model.get(name) != "set" or not isinstance(change, dict) or not change.keys() <= {"add", "remove"}:
                raise Refused(_said(422, "invalid_value", f"{name} is not a set, or not changed as one.", name))

    def _check_value(self, name: str, value: Json) -> None:
        kind = self.model.get(name)
        if kind is None:
            raise Refused(_said(422, "unknown_field", f"{name} is not in the data model.", name))
        if value is not None and not _is_of(value, kind):
            raise Refused(_said(422, "invalid_value", f"{name} must be of type {kind}.", name))
        if name in self.values and value is not None and value not in self.values[name]:
            raise Refused(_said(422, "invalid_value", f"{value} is not among the values of {name}.", name))


def _is_of(value: Json, kind: str) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "date":
            return isinstance(value, str) and _INSTANT.fullmatch(value) is not None
        case "bool":
            return isinstance(value, bool)
        case "num":
            return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _said(status: int, code: str, message: str, field: str = "") -> SimResponse:
    error = {"code": code, "message": message, **({"field": field} if field else {})}
    return SimResponse(status, {"error": error})
