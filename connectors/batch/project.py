"""A Batch project in memory, as the simulator keeps it, and what Batch refuses of an edit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.batch.settings import NATIVE
from hub.sdk.values import Json

KEY: Final = re.compile(r"[a-z0-9_]{1,30}|(?:date|url)\([a-z0-9_]{1,30}\)")
EVENT_NAME: Final = re.compile(r"[a-z0-9_]{1,30}")
DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z")
PHONE: Final = re.compile(r"\+[0-9]{1,15}")
STATES: Final = ("subscribed", "unsubscribed")
WINDOW: Final = timedelta(hours=24)
ATTRIBUTES, EVENT_ATTRIBUTES, EVENTS, TEXTS, TEXT_CHARS, URL_CHARS = 50, 20, 15, 25, 300, 2_048


@dataclass
class Project:
    profiles: dict[str, dict[str, Json]]
    events: list[dict[str, Json]]

    def apply(self, edit: Mapping[str, Any], index: int, now: datetime) -> list[dict[str, Json]]:
        """Takes what is valid of an edit and says what is not."""
        custom_id = edit["identifiers"]["custom_id"]
        if len(custom_id) > 512:
            return [_error("identifier", index, None, "custom_id is too long")]
        profile = self.profiles.setdefault(custom_id, {})
        errors = []
        for number, (name, value) in enumerate((edit.get("attributes") or {}).items()):
            why = "too many attributes" if number >= ATTRIBUTES else attribute_problem(name, value)
            if why:
                errors.append(_error("attribute", index, name, why))
            else:
                _write(profile, name, value)
        for number, event in enumerate(edit.get("events") or ()):
            why = "too many events" if number >= EVENTS else event_problem(event, now)
            if why:
                errors.append(_error("event", index, None, why) | {"event": event.get("name")})
            else:
                self.events.append({"custom_id": custom_id, **event})
        return errors


def _error(category: str, index: int, attribute: str | None, reason: str) -> dict[str, Json]:
    named = {} if attribute is None else {"attribute": attribute}
    return {"category": category, "bulk_index": index, **named, "reason": reason}


def _write(profile: dict[str, Json], name: str, value: Json) -> None:
    """Null deletes, `$add` and `$remove` change an array of texts."""
    if value is None:
        profile.pop(name, None)
    elif isinstance(value, dict):
        kept = [one for one in profile.get(name, []) if one not in value.get("$remove", [])]
        profile[name] = kept + [one for one in value.get("$add", []) if one not in kept]
    else:
        profile[name] = value


def attribute_problem(name: str, value: Json) -> str | None:
    if name.startswith("$"):
        return _native_problem(name, value)
    if not KEY.fullmatch(name):
        return "invalid attribute name"
    if value is None:
        return None
    if isinstance(value, dict):
        changes = bool(value) and set(value) <= {"$add", "$remove"}
        problems = [_texts_problem(one) for one in value.values()] if changes else ["objects are not supported"]
        return next(filter(None, problems), None)
    return _value_problem(name, value)


def _value_problem(name: str, value: Json) -> str | None:
    if name.startswith("date("):
        return None if isinstance(value, str) and DATE.fullmatch(value) else "invalid date"
    if name.startswith("url("):
        is_url = isinstance(value, str) and value.startswith(("http://", "https://")) and len(value) <= URL_CHARS
        return None if is_url else "invalid URL"
    if isinstance(value, list):
        return _texts_problem(value)
    if isinstance(value, str):
        return None if 0 < len(value) <= TEXT_CHARS else "string must have 1 to 300 characters"
    return None if isinstance(value, bool | int | float) else "unsupported type"


def _texts_problem(values: Json) -> str | None:
    if not isinstance(values, list) or len(values) > TEXTS:
        return "array must have at most 25 items"
    good = all(isinstance(one, str) and 0 < len(one) <= TEXT_CHARS for one in values)
    return None if good else "array must hold strings of 1 to 300 characters"


def _native_problem(name: str, value: Json) -> str | None:
    if name not in NATIVE:
        return "unknown native attribute"
    if value is None:
        return None
    if name in ("$email_marketing", "$sms_marketing"):
        return None if value in STATES else "invalid subscription state"
    if not isinstance(value, str) or not value:
        return "must be a string"
    if name == "$email_address":
        return None if "@" in value and " " not in value and len(value) <= 256 else "invalid email address"
    if name == "$phone_number":
        return None if PHONE.fullmatch(value) else "invalid phone number"
    return "must be a code of two letters" if name in ("$language", "$region") and len(value) != 2 else None


def event_problem(event: Mapping[str, Any], now: datetime) -> str | None:
    if not EVENT_NAME.fullmatch(str(event.get("name", ""))):
        return "invalid event name"
    if "time" in event:
        if not DATE.fullmatch(str(event["time"])):
            return "invalid event time"
        at = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
        if not now - WINDOW <= at <= now:
            return "event time must be within the last 24 hours"
    attributes = event.get("attributes") or {}
    if len(attributes) > EVENT_ATTRIBUTES:
        return "too many event attributes"
    return next(filter(None, (_event_value_problem(name, value) for name, value in attributes.items())), None)


def _event_value_problem(name: str, value: Json) -> str | None:
    """Events also take objects and lists of flat objects."""
    if name == "$label":
        return None if isinstance(value, str) and len(value) <= 200 else "invalid label"
    if name == "$tags":
        return None if isinstance(value, list) and len(value) <= 10 else "invalid tags"
    if not KEY.fullmatch(name):
        return "invalid attribute name"
    objects = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
    if objects and all(isinstance(one, dict) for one in objects):
        if len(objects) > TEXTS:
            return "array must have at most 25 items"
        problems = (_value_problem(key, inner) for one in objects for key, inner in one.items())
        return next(filter(None, problems), None)
    return _value_problem(name, value)
