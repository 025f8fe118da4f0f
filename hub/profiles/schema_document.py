"""Schemas as people write them, checked and brought into one form.

    profile:
      allow_defined_only: false
      properties:
        loyalty_tier: string                          # short for {type: string}
        destinations: {type: string, array: true}
        home: {type: geopoint, optional: false}
        companions: {type: object, array: true, properties: {name: string, age: number}}

Kinds are `profile`, `order`, `item` (of an order), `event` (every event) and `event.<key>` (that one alone, instead).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from hub.mapping.values.text import snake
from hub.profiles.rules.schema_types import TYPES
from hub.profiles.rules.schemas import KINDS, OF_EVENT
from hub.sdk.errors import ConfigurationError

MAX_KEYS: Final = 100  # of one schema or object, as in the reference model
MAX_NESTING: Final = 5
MAX_KEY_CHARS: Final = 255
_UNUSABLE = re.compile("[\\s\0\ud800-\udfff]")
_MAX_EVENT_KEY = 200
_SCHEMA_FIELDS = ("properties", "allow_defined_only")
_KEY_FIELDS = ("type", "array", "optional", *_SCHEMA_FIELDS)
_SHOWN = ("kind", "hash", "updated_at")  # what a schema has besides where it is shown


def checked_kind(kind: str) -> str:
    """The kind, if there is such. Raises ConfigurationError."""
    key = kind.removeprefix(OF_EVENT)
    if kind in KINDS or (key != kind and _is_event_key(key)):
        return kind
    meant = OF_EVENT + snake(key) if key != kind and snake(key) else f"{OF_EVENT}order_completed"
    raise ConfigurationError(
        f"There is no schema of {kind[:100]!r}; there are {', '.join(KINDS)} and event.<key>, the event's name in snake"
        f" case: {meant[:100]}."
    )


def _is_event_key(key: str) -> bool:
    """Whether events can have it. A letter such as `İ` is two characters in lower case, which snake case would part."""
    if not 0 < len(key) <= _MAX_EVENT_KEY or key != key.lower() or _UNUSABLE.search(key):
        return False
    return snake(key) == key or not key.isascii()


def by_kind(given: Any, name: str) -> dict[str, Any]:
    """The schemas in a file, kind by kind: such an object, or the list that `hub schema show --json` prints.

    Raises ConfigurationError naming the file.
    """
    if isinstance(given, list) and all(isinstance(each, Mapping) and "kind" in each for each in given):
        given = {str(each["kind"]): without_shown(each) for each in given}
    if isinstance(given, Mapping) and given:
        return {str(kind): each for kind, each in given.items()}
    raise ConfigurationError(f"{name} holds no schema; it maps kinds, such as profile, to their schemas.")


def without_shown(given: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as it is shown, without what is not part of its definition, so that it can be given back."""
    return {field: value for field, value in given.items() if field not in _SHOWN}


def checked(kind: str, given: Any) -> dict[str, Any]:
    """A schema in full: {allow_defined_only, properties}. Raises ConfigurationError naming what does not fit."""
    checked_kind(kind)
    return _sheet(given, f"The schema of {kind!r}", MAX_NESTING)


def checked_key(kind: str, name: str, given: Any) -> dict[str, Any]:
    """One key's definition in full: {type, array, optional}, and {properties, allow_defined_only} of an object."""
    where = f"The schema of {checked_kind(kind)!r}"
    return _key(_name(name, where), given, where, MAX_NESTING)


def _sheet(given: Any, where: str, levels: int) -> dict[str, Any]:
    fields = _object(given, where, _SCHEMA_FIELDS)
    properties = fields.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise ConfigurationError(f"{where}: `properties` is an object of keys, such as {{loyalty_tier: string}}.")
    if len(properties) > MAX_KEYS:
        raise ConfigurationError(f"{where} has {len(properties)} keys; at most {MAX_KEYS} are possible.")
    return {
        "allow_defined_only": _flag(fields, "allow_defined_only", where, default=False),
        "properties": {_name(name, where): _key(str(name), each, where, levels) for name, each in properties.items()},
    }


def _key(name: str, given: Any, where: str, levels: int) -> dict[str, Any]:
    here = f"{where}, key {name!r}"
    fields = {"type": given} if isinstance(given, str) else _object(given, here, _KEY_FIELDS)
    kind = fields.get("type")
    if kind not in TYPES:
        raise ConfigurationError(f"{here}: its `type` is one of {', '.join(TYPES)}.")
    made = {
        "type": kind,
        "array": _flag(fields, "array", here, default=False),
        "optional": _flag(fields, "optional", here, default=True),
    }
    nested = {name: fields[name] for name in _SCHEMA_FIELDS if name in fields}
    if kind != "object":
        if nested:
            raise ConfigurationError(f"{here}: only an object has `{next(iter(nested))}`.")
        return made
    if levels == 0:
        raise ConfigurationError(f"{here}: objects nest at most {MAX_NESTING} deep.")
    return made | _sheet(nested, here, levels - 1)


def _name(name: Any, where: str) -> str:
    if isinstance(name, str) and 0 < len(name) <= MAX_KEY_CHARS and not _UNUSABLE.search(name):
        return name
    raise ConfigurationError(
        f"{where}: {str(name)[:100]!r} cannot be a key; a key is text of 1 to {MAX_KEY_CHARS} characters without white"
        " space."
    )


def _object(given: Any, where: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{where} is an object of {', '.join(known)}.")
    unknown = sorted(str(name) for name in given if name not in known)
    if unknown:
        raise ConfigurationError(f"{where} has no {unknown[0][:100]!r}; it has {', '.join(known)}.")
    return given


def _flag(fields: Mapping[str, Any], name: str, where: str, *, default: bool) -> bool:
    value = fields.get(name, default)
    if isinstance(value, bool):
        return value
    raise ConfigurationError(f"{where}: `{name}` is true or false.")
