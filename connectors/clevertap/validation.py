"""What CleverTap checks of a record, for the simulator: codes and words of developer.clevertap.com/docs/api-errors.

Where CleverTap documents no code for a rule (forbidden characters, sizes, nesting), 512 is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from hub.sdk.values import Json

FORBIDDEN: Final = frozenset("%><!|&.:;$'\"\\")
RESTRICTED: Final = frozenset(
    {
        "Notification Sent",
        "Notification Viewed",
        "Notification Clicked",
        "Notification Delivered",
        "Notification Replied",
        "UTM Visited",
        "App Launched",
        "App Uninstalled",
        "App Version Changed",
        "Stayed",
        "Reply Sent",
        "Experiment Rendered",
        "Reachable By",
        "Identity Set",
        "Identity Reset",
        "Identity Error",
    }
)
IDENTIFIERS: Final = ("identity", "objectId", "FBID", "GPID")
OPERATORS: Final = frozenset({"$add", "$remove", "$incr", "$decr", "$delete"})
ENUMS: Final[Mapping[str, tuple[int, frozenset[str]]]] = {
    "Gender": (514, frozenset({"M", "F"})),
    "Employed": (517, frozenset({"Y", "N"})),
    "Education": (518, frozenset({"School", "College", "Graduate"})),
    "Married": (519, frozenset({"Y", "N"})),
}
WORDS: Final = {
    509: "Event name is mandatory",
    512: "Invalid event structure",
    513: "Restricted system event",
    514: "Gender is incorrect",
    515: "Email is incorrect",
    516: "Phone is incorrect",
    517: "Employment is incorrect",
    518: "Education is incorrect",
    519: "Marital status is incorrect",
    520: "Age is incorrect",
    522: "Too many event properties",
    523: "Identity is mandatory",
    524: "Record is neither an event nor a profile",
    525: "ts is not an epoch",
}
MAX_PROPERTIES: Final = 100
MAX_ITEMS: Final = 256
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+\d{7,15}", re.ASCII)
_LATEST = 4_102_444_800  # the year 2100: later is milliseconds


def fault(record: Any) -> int:
    """The code of what is wrong with a record, 0 if nothing."""
    if not isinstance(record, dict) or record.get("type") not in ("profile", "event"):
        return 524
    if not any(record.get(name) for name in IDENTIFIERS):
        return 523
    stamp = record.get("ts", 0)
    if not isinstance(stamp, int) or isinstance(stamp, bool) or not 0 <= stamp < _LATEST:
        return 525
    return _profile(record.get("profileData")) if record["type"] == "profile" else _event(record)


def _profile(data: Json) -> int:
    if not isinstance(data, dict) or not all(_is_name(name) and "#" not in name for name in data):
        return 512
    for name, (code, allowed) in ENUMS.items():
        if name in data and data[name] not in allowed and not _is_operation(data[name]):
            return code
    for name, code, pattern in (("Email", 515, _EMAIL), ("Phone", 516, _PHONE)):
        value = data.get(name, "")
        if name in data and not _is_operation(value) and not (isinstance(value, str) and pattern.fullmatch(value)):
            return code
    if isinstance(data.get("Age", 0), bool) or not isinstance(data.get("Age", 0), int | float):
        return 520
    return 0 if all(_is_attribute(name, value) for name, value in data.items()) else 512


def _event(record: Mapping[str, Any]) -> int:
    name, data = record.get("evtName"), record.get("evtData", {})
    if not isinstance(name, str) or not name:
        return 509
    if name in RESTRICTED:
        return 513
    if not isinstance(data, dict) or not _is_name(name) or not all(map(_is_name, data)):
        return 512
    if len(data) > MAX_PROPERTIES:
        return 522
    plain = {key: value for key, value in data.items() if not (name == "Charged" and key == "Items")}
    if not all(map(_is_scalar, plain.values())):
        return 512
    return 0 if "Items" in plain or _are_items(data.get("Items", [])) else 512


def _are_items(items: Json) -> bool:
    """Flat objects, of an event `Charged` only."""
    if not isinstance(items, list) or len(items) > MAX_ITEMS:
        return False
    return all(isinstance(one, dict) and all(map(_is_scalar, one.values())) for one in items)


def _is_name(name: str) -> bool:
    return 0 < len(name.encode("utf-8", "replace")) <= 120 and not FORBIDDEN & set(name)


def _is_scalar(value: Json) -> bool:
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace")) <= 512
    return isinstance(value, bool | int | float)


def _is_operation(value: Json) -> bool:
    return isinstance(value, dict) and len(value) == 1 and set(value) <= OPERATORS


def _is_attribute(name: str, value: Json) -> bool:
    if name.startswith("category-"):
        return isinstance(value, dict)
    if isinstance(value, list):
        return all(isinstance(one, str) and _is_scalar(one) for one in value)
    return _is_operation(value) or _is_scalar(value)
