"""What Airship refuses, in its words: the simulator's checks (operations/custom-events, email, named-users, tags)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hub.sdk.kit.simulator.base import Refused, SimResponse
from hub.sdk.values import Json

EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
MSISDN: Final = re.compile(r"[1-9]\d{0,14}")
INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z?")
KEPT: Final = timedelta(days=90)
OPT_INS: Final = ("commercial", "transactional", "click_tracking", "open_tracking")
CHANNEL_FIELDS: Final = frozenset(
    ["type", "address", "timezone", "locale_country", "locale_language"]
    + [f"{kind}_opted_{way}" for kind in OPT_INS for way in ("in", "out")]
)
ATTRIBUTES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("city", "country", "region", "zipcode", "email", "first_name", "last_name", "full_name", "gender",
         "loyalty_tier", "incentive_code", "incentive_code_value"),
        "text",
    ),
    **dict.fromkeys(("points", "age", "mobile_phone", "home_phone"), "number"),
    **dict.fromkeys(("birthdate", "account_creation", "incentive_code_expires_at"), "date"),
}  # fmt: skip
"""The attributes of the simulated project."""


class Invalid(Refused):
    """A refusal in Airship's envelope."""

    def __init__(self, path: str, error: str, *, status: int = 400, code: int = 40001) -> None:
        super().__init__(
            SimResponse(
                status,
                {
                    "ok": False,
                    "error": "Could not parse request body." if status == 400 else error,
                    "error_code": code,
                    "details": {"path": path, "error": error},
                    "operation_id": "00000000-0000-4000-8000-000000000400",
                },
            )
        )


def body_of(value: Json) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid("", "an object is expected")
    return value


def listed(value: Json, limit: int, path: str) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= limit:
        raise Invalid(path, f"must have between 1 and {limit} entries")
    return value


def named_user_id(value: Json, path: str = "named_user_id") -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 128 or value != value.strip():
        raise Invalid(path, "A named user ID has 1 to 128 characters, without leading or trailing whitespace.")
    return value


def instant(value: Json, path: str) -> datetime:
    if not isinstance(value, str) or not INSTANT.fullmatch(value):
        raise Invalid(path, "Date must be in the format YYYY-MM-DDTHH:MM:SS")
    try:
        return datetime.fromisoformat(value.rstrip("Z")).replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(path, "Date must be in the format YYYY-MM-DDTHH:MM:SS") from None


def email(value: Json, path: str) -> str:
    if not isinstance(value, str) or not EMAIL.fullmatch(value):
        raise Invalid(path, "is not a valid email address")
    return value


def msisdn(value: Json, path: str = "msisdn") -> str:
    if not isinstance(value, str) or not MSISDN.fullmatch(value):
        raise Invalid(path, "must be 1 to 15 digits without a leading zero")
    return value


def email_channel(body: Json) -> dict[str, Any]:
    """The channel of a registration."""
    channel = body_of(body_of(body).get("channel"))
    unknown = sorted(set(channel) - CHANNEL_FIELDS)
    if unknown:
        raise Invalid(f"channel.{unknown[0]}", "is not a known field")
    if channel.get("type") != "email":
        raise Invalid("channel.type", "must be email")
    email(channel.get("address"), "channel.address")
    for kind in OPT_INS:
        dates = [name for way in ("in", "out") if (name := f"{kind}_opted_{way}") in channel]
        for name in dates:
            instant(channel[name], f"channel.{name}")
        if len(dates) > 1:
            raise Invalid(f"channel.{kind}", "cannot be opted in and out in one request")
    return channel


def attributes(entries: Json, now: datetime) -> tuple[dict[str, Json], list[str]]:
    """(key → value, None to remove) of those the project has, and the keys it has not."""
    kept: dict[str, Json] = {}
    unknown: list[str] = []
    for index, entry in enumerate(listed(entries, 100, "attributes")):
        at = f"attributes[{index}]"
        action, key = body_of(entry).get("action"), entry.get("key")
        if action not in ("set", "remove") or not isinstance(key, str) or not key:
            raise Invalid(at, "needs an action, set or remove, and a key")
        if "timestamp" in entry and instant(entry["timestamp"], f"{at}.timestamp") > now + timedelta(minutes=5):
            raise Invalid(f"{at}.timestamp", "lies in the future")
        if key not in ATTRIBUTES:
            unknown.append(key)
            continue
        kept[key] = None if action == "remove" else _value(ATTRIBUTES[key], entry.get("value"), f"{at}.value")
    if unknown and not kept:
        raise Invalid("attributes", f"None of the attributes is known: {', '.join(unknown)}", code=40213)
    return kept, unknown


def _value(kind: str, value: Json, path: str) -> Json:
    if value is None or isinstance(value, bool | dict | list):
        raise Invalid(path, f"is not a {kind}")
    if kind == "date":
        instant(value, path)
    if kind == "number":
        try:
            return float(value)
        except ValueError:
            raise Invalid(path, "cannot be converted to a number") from None
    return value


def tags(value: Json) -> dict[str, dict[str, list[str]]]:
    """{"add": {group: [tag]}, "remove": …, "set": …}"""
    found: dict[str, dict[str, list[str]]] = {
        way: body_of(value[way]) for way in ("add", "remove", "set") if way in body_of(value)
    }
    if not found or ("set" in found and len(found) > 1):
        raise Invalid("tags", "needs add, remove or both, or set alone")
    for way, groups in found.items():
        for group, names in groups.items():
            for name in listed(names, 100, f"{way}.{group}"):
                if not isinstance(name, str) or not 1 <= len(name) <= 128:
                    raise Invalid(f"{way}.{group}", "a tag has 1 to 128 characters")
    for group, names in found.get("add", {}).items():
        if set(names) & set(found.get("remove", {}).get(group, ())):
            raise Invalid(f"add.{group}", "the same tag is added and removed")
    return found


def custom_event(value: Json, index: int, now: datetime) -> dict[str, Any]:
    """The event as it is stored."""
    at = f"[{index}]"
    event = body_of(value)
    who, body = body_of(event.get("user")), body_of(event.get("body"))
    if len(who) != 1 or "named_user_id" not in who:
        raise Invalid(f"{at}.user", "needs exactly one identifier")
    named_user_id(who["named_user_id"], f"{at}.user.named_user_id")
    name = body.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= 255 or name != name.lower():
        raise Invalid(f"{at}.body.name", "must not have upper-case characters")
    if not isinstance(body.get("value", 0), int | float) or isinstance(body.get("value"), bool):
        raise Invalid(f"{at}.body.value", "must be a number")
    properties = body_of(body.get("properties", {}))
    if any(len(text) > 255 for text in _texts(properties)):
        raise Invalid(f"{at}.body.properties", "a string has at most 255 characters")
    occurred = instant(event["occurred"], f"{at}.occurred") if "occurred" in event else now
    if not now - KEPT <= occurred <= now + timedelta(minutes=5):
        raise Invalid(f"{at}.occurred", "must lie within the past 90 days")
    return {**body, "named_user_id": who["named_user_id"], "occurred": event.get("occurred")}


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
