"""What the simulated workspace checks of a body, and how it writes attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse
from hub.sdk.values import Json

IDENTIFIERS = ("external_id", "user_alias", "braze_id", "email", "phone")
MISSING_ID = "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"


def body_of(request: SimRequest) -> dict[str, Any]:
    body = request.json()
    if not isinstance(body, dict):
        raise Refused(SimResponse(400, {"message": "Bad Request"}))
    return body


def array_of(body: Mapping[str, Any], name: str) -> Sequence[Any]:
    array = body.get(name)
    if not isinstance(array, list):
        raise Refused(SimResponse(400, {"message": f"'{name}' must be an array"}))
    return array


def bad_identity(one: Any) -> str | None:
    if not isinstance(one, dict) or not any(one.get(name) for name in IDENTIFIERS):
        return MISSING_ID
    key = one.get("external_id", "")
    if not isinstance(key, str):
        return "'external_id' must be a string"
    return "'external_id' must be fewer than 988 bytes" if len(key.encode("utf-8", "replace")) >= 988 else None


def write(profile: dict[str, Any], name: str, value: Json) -> None:
    """Null removes; `inc`, `add` and `remove` change what is there (user_attributes_object.md)."""
    if value is None:
        profile.pop(name, None)
    elif isinstance(value, dict) and set(value) == {"inc"}:
        profile[name] = profile.get(name, 0) + value["inc"]
    elif isinstance(value, dict) and value and set(value) <= {"add", "remove"}:
        kept = [one for one in profile.get(name, []) if one not in value.get("remove", [])]
        profile[name] = kept + [one for one in value.get("add", []) if one not in kept]
    else:
        profile[name] = value
