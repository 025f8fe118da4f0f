"""The types of a metadata schema: what each takes as it is, what it reads into its form, what it refuses.

A type only changes a value where nothing of it is lost: the text `12` is a number, `12 items` is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from hub.mapping.language.paths import ABSENT
from hub.mapping.model import REMOVED, Json
from hub.mapping.values.coerce import Failed, boolean, coercion, scalar_text
from hub.mapping.values.coerce_number import kind_of, number
from hub.mapping.values.coerce_time import calendar_day

TYPES: Final = ("string", "number", "boolean", "date", "datetime", "geopoint", "object", "image_url")
UNKNOWN_KEY: Final = "schema_unknown_key"
WRONG_TYPE: Final = "schema_wrong_type"

Warn = Callable[[str, str, str], None]
"""Called with code, path and sentence of whatever is dropped."""

_ALWAYS: Final = (type(None), type(REMOVED))  # undefined, null, removed or a value: only values have a type
_SHORTEST_EPOCH = 10**8  # a smaller number is not a time that anybody meant
_LATITUDE, _LONGITUDE = ("lat", "latitude"), ("lng", "lon", "longitude")
_datetime = coercion("datetime")
_POINT = re.compile(
    r"(?:0|-?[1-9]\d?|-?0(?=\.))(?:\.\d{0,9}[1-9])?,(?:0|-?[1-9]\d{0,2}|-?0(?=\.))(?:\.\d{0,9}[1-9])?", re.ASCII
)


class Key(NamedTuple):
    """One defined key. Values whose class is in `takes` stay as they are; `read` gives the others' form or ABSENT."""

    takes: frozenset[type]
    read: Callable[[Json, str, Warn], Json]


class Sheet(NamedTuple):
    """The keys of one schema or of one object in it. `prefix` stands before each of them where they are looked up."""

    keys: Mapping[str, Key]
    is_closed: bool
    prefix: str = ""


def filtered(values: dict[str, Json], sheet: Sheet, where: str, warn: Warn) -> dict[str, Json]:
    """The values that the sheet lets through, each in its form; the same object where all pass as they are."""
    keys, is_closed, prefix = sheet
    kept: dict[str, Json] | None = None
    for name, value in values.items():
        key = keys.get(name)
        if key is None:
            if not is_closed or value is REMOVED or not name.startswith(prefix):
                continue
            warn(UNKNOWN_KEY, where + name, "the schema does not define this key")
            read = ABSENT
        elif value.__class__ in key.takes:
            continue
        else:
            read = key.read(value, where + name, warn)
            if read is value:
                continue
        if kept is None:
            kept = dict(values)
        if read is ABSENT:
            del kept[name]
        else:
            kept[name] = read
    return values if kept is None else kept


def key_of(definition: Mapping[str, Any]) -> Key:
    """The key of a checked definition: {type, array, optional} and, for an object, {properties, allow_defined_only}."""
    made = _object(definition) if definition["type"] == "object" else _SCALARS[definition["type"]]
    return _list_of(made) if definition["array"] else made


def keys_of(definition: Mapping[str, Any], prefix: str = "") -> Sheet:
    """The sheet of a checked schema or object."""
    keys = {prefix + name: key_of(each) for name, each in definition["properties"].items()}
    return Sheet(keys, definition["allow_defined_only"], prefix)


def _object(definition: Mapping[str, Any]) -> Key:
    sheet = keys_of(definition)

    def read(value: Json, path: str, warn: Warn) -> Json:
        if value.__class__ is not dict:
            return _refused("an object", value, path, warn)
        return filtered(value, sheet, f"{path}.", warn)

    return Key(frozenset(_ALWAYS), read)


def _list_of(item: Key) -> Key:
    """A list of this; a value alone becomes a list of one. Items that do not fit are dropped one by one."""

    def read(value: Json, path: str, warn: Warn) -> Json:
        if value.__class__ is not list:
            read = _item(value, path, warn)
            return ABSENT if read is ABSENT else [read]
        if all(map(item.takes.__contains__, map(type, value))) and None not in value:
            return value
        items = [_item(each, f"{path}[{place}]", warn) for place, each in enumerate(value)]
        kept = [each for each in items if each is not ABSENT]
        if not kept:
            return ABSENT
        is_same = len(kept) == len(value) and all(new is old for new, old in zip(kept, value, strict=True))
        return value if is_same else kept

    def _item(value: Json, path: str, warn: Warn) -> Json:
        if value is None:
            warn(WRONG_TYPE, path, "a list holds no null")
            return ABSENT
        return value if value.__class__ in item.takes else item.read(value, path, warn)

    return Key(frozenset(_ALWAYS), read)


def _scalar(name: str, takes: tuple[type, ...], coerce: Callable[[Json], Json | Failed]) -> Key:
    def read(value: Json, path: str, warn: Warn) -> Json:
        made = coerce(value)
        return _refused(name, value, path, warn) if isinstance(made, Failed) else made

    return Key(frozenset((*takes, *_ALWAYS)), read)


def _refused(name: str, value: Json, path: str, warn: Warn) -> Json:
    warn(WRONG_TYPE, path, f"the schema has {name} here, not {kind_of(value)} like this")
    return ABSENT


_NO = Failed("", "")


def _text(value: Json) -> Json | Failed:
    text = scalar_text(value)
    return _NO if text is None else text


def _number(value: Json) -> Json | Failed:
    """Decimal text that a number holds to its last digit."""
    made = number(value)
    if isinstance(made, Failed) or not isinstance(value, str):
        return made
    return made if Decimal(value.strip()) == Decimal(repr(made)) else _NO


def _date(value: Json) -> Json | Failed:
    """A day; a time of day behind it must be midnight without an offset, or something would be lost."""
    day = calendar_day(value)
    if isinstance(day, Failed) or len(value) == len(day):
        return day
    text = value.strip()
    rest = text[10:] if text[4:5] == "-" else text[8:]
    return _NO if set(rest) & set("123456789") else day


def _moment(value: Json) -> Json | Failed:
    """ISO 8601 in UTC, from what the mapping language reads as a datetime; never from a small number."""
    if isinstance(value, int | float) and not isinstance(value, str) and abs(value) < _SHORTEST_EPOCH:
        return _NO
    return _datetime(value)


def _geopoint(value: Json) -> Json | Failed:
    """`lat,lon` as text, from such text or from an object of the two: the form of the reference model."""
    if value.__class__ is str and _POINT.fullmatch(value):  # its own form, ten times faster than reading it
        before, _, behind = value.partition(",")
        return value if abs(float(before)) <= 90 and abs(float(behind)) <= 180 else _NO
    if value.__class__ is dict:
        lat = [value[name] for name in _LATITUDE if name in value]
        lng = [value[name] for name in _LONGITUDE if name in value]
        parts = [*lat, *lng] if len(lat) == len(lng) == 1 and len(value) == 2 else []
    else:
        parts = value.split(",") if isinstance(value, str) and len(value) < 100 else []
    if len(parts) != 2:
        return _NO
    read = [number(part) for part in parts]
    for made, most in zip(read, (90, 180), strict=True):
        if isinstance(made, Failed) or not -most <= made <= most:
            return _NO
    return f"{scalar_text(read[0])},{scalar_text(read[1])}"


_SCALARS: Final[Mapping[str, Key]] = {
    "string": _scalar("text", (str,), _text),
    "number": _scalar("a number", (int, float), _number),
    "boolean": _scalar("a boolean", (bool,), boolean),
    "date": _scalar("a date", (), _date),
    "datetime": _scalar("a date and time", (), _moment),
    "geopoint": _scalar("a point on the map", (), _geopoint),
    "image_url": _scalar("the URL of an image", (str,), lambda _value: _NO),
}
