"""A vendor's naming and typing rules, stated once in the `dialect` section of an outbound mapping.

    dialect:
      case: snake                 keep, lower, upper, snake, camel, pascal, kebab
      replace: {'.': _, ' ': _}   text in keys -> its replacement, in this order
      others: _                   what stands for every character that is not an ASCII letter, digit or `_`
      max_key: 128                longer keys are cut
      reserved: {time: time_, event_name: null}    key -> other name; null drops the field
      max_text: 255               longer texts are cut
      lists: keep                 keep, json, join (`a, b`), texts (every element as text), drop
      objects: flatten            keep, json, flatten (`address_city`), drop
      separator: _                between the parts of a flattened key
      booleans: {tag: tags, untag: tags_removed}   or keep, text, number
      dates: {format: iso_seconds, suffix: _at}    canonical dates and instants; `prefix` and `suffix` are added to their
                                  key; `days: keep` leaves dates without a time as they are
      max_items: 25               longer lists are cut

Every rule is optional. Key rules apply to field names (and the parts of flattened ones), value rules at every depth.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Final

from hub.mapping import model
from hub.mapping.language.dialect_names import Names
from hub.mapping.language.dialect_schema import SCHEMA
from hub.mapping.model import Json
from hub.mapping.values.coerce import coercion, scalar_text
from hub.mapping.values.text import Failed
from hub.sdk.json import dumps

__all__ = ["SCHEMA", "Dialect"]

_MAX_DEPTH = 32
_DAY_CHARS = len("2026-03-14")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?Z)?", re.ASCII)
_WORDS: Final = {
    "key_dropped": "the vendor has no place for a field of this name",
    "key_cut": "the name was cut to the length the vendor takes",
    "key_collision": "an earlier field has the same name at the vendor; this one was left out",
    "text_cut": "the text was cut to the length the vendor takes",
    "text_dropped": "the value does not fit into a text of the length the vendor takes",
    "items_cut": "the list was cut to the number of items the vendor takes",
    "list_dropped": "the vendor takes no lists",
    "object_dropped": "the vendor takes no objects",
    "too_deep": "the value nests deeper than any vendor takes",
}


class _Dropped:
    """What is left of a value that the vendor has no place for."""


_DROPPED: Final = _Dropped()


class Dialect:
    """Built from a `dialect` section that follows SCHEMA. Raises ValueError for a date format that is none."""

    def __init__(self, section: Mapping[str, Json]) -> None:
        self._names = Names(section)
        self.max_text: int | None = section.get("max_text")
        self.max_items: int | None = section.get("max_items")
        self.lists: str = section.get("lists", "keep")
        self.objects: str = section.get("objects", "keep")
        booleans = section.get("booleans", "keep")
        self.tags: Mapping[str, str] | None = booleans if isinstance(booleans, Mapping) else None
        self.booleans: str = "keep" if self.tags else booleans
        dates = section.get("dates") or {}
        self.prefix: str = dates.get("prefix", "")
        self.suffix: str = dates.get("suffix", "")
        self.keeps_days: bool = dates.get("days") == "keep"
        self.write_date = coercion("format", {"format": dates["format"]}) if "format" in dates else None
        # What most fields are: values that no rule changes, so that only their key is looked at.
        self._untouched = frozenset({int, float} | ({bool} if self.booleans == "keep" and not self.tags else set()))
        is_dated = self.prefix or self.suffix or self.write_date
        self._longest = 0 if is_dated else self.max_text or sys.maxsize

    def name(self, key: str) -> str | None:
        """The vendor's name of a field, or None where it can have none (reserved, or nothing is left of it)."""
        return self._names.of((key,)).text

    def apply(self, fields: Mapping[str, Json]) -> tuple[dict[str, Json], list[model.Warning]]:
        """The fields as the vendor takes them. The first writer of a key wins; every loss is a warning."""
        run = _Run(self, self._names)
        made, name_of = run.fields, self._names.of
        for key, value in fields.items():
            kind = value.__class__
            if kind in self._untouched or (kind is str and len(value) <= self._longest):
                name, lost = name_of((key,))
                if lost is None and name is not None and name not in made:
                    made[name] = value
                    continue
            run.add((key,), value)
        return run.fields, run.warnings


class _Run:
    """One application of a dialect: collects fields and warnings."""

    def __init__(self, dialect: Dialect, names: Names) -> None:
        self.fields: dict[str, Json] = {}
        self.warnings: list[model.Warning] = []
        self._rules = dialect
        self._names = names

    def add(self, path: tuple[str, ...], value: Json) -> None:
        if isinstance(value, dict) and self._rules.objects == "flatten":
            return self._flatten(path, value)
        is_dated = bool(self._rules.prefix or self._rules.suffix) and _is_date(value)
        name, lost = self._names.of(path, self._rules.suffix if is_dated else "")
        if lost:
            self._warn(lost, path)
        if name is None:
            return None
        if is_dated and not name.startswith(self._rules.prefix):
            name = self._rules.prefix + name
        if isinstance(value, bool) and self._rules.tags is not None:
            return self._tag(name, self._rules.tags.get("tag" if value else "untag"))
        written = self._written(value, path)
        if written is _DROPPED:
            return None
        if name in self.fields:
            return self._warn("key_collision", path)
        self.fields[name] = written
        return None

    def _flatten(self, path: tuple[str, ...], value: dict[str, Json]) -> None:
        if len(path) > _MAX_DEPTH:
            return self._warn("too_deep", path)
        for key, child in value.items():
            self.add((*path, key), child)
        return None

    def _tag(self, name: str, field: str | None) -> None:
        """True: the name joins the list of tags; false: the list of tags to take away, if the vendor has one."""
        if field is None:
            return
        tags = self.fields.setdefault(field, [])
        if isinstance(tags, list) and name not in tags:
            self.fields[field] = [*tags, name]

    def _written(self, value: Json, path: tuple[str, ...], depth: int = 0) -> Json:
        """A value by the value rules. Null and removals stand as they are: they are not values."""
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, bool):
            return {"keep": value, "text": scalar_text(value), "number": int(value)}[self._rules.booleans]
        if not isinstance(value, list | dict):
            return value
        if depth > _MAX_DEPTH:
            self._warn("too_deep", path)
            return _DROPPED
        return self._list(value, path, depth) if isinstance(value, list) else self._object(value, path, depth)

    def _text(self, text: str, path: tuple[str, ...]) -> Json:
        is_kept = self._rules.keeps_days and len(text) == _DAY_CHARS
        if self._rules.write_date is not None and not is_kept and _is_date(text):
            written = self._rules.write_date(text)
            if not isinstance(written, Failed):
                return written
        if self._rules.max_text is None or len(text) <= self._rules.max_text:
            return text
        self._warn("text_cut", path)
        return text[: self._rules.max_text]

    def _list(self, items: list[Json], path: tuple[str, ...], depth: int) -> Json:
        if self._rules.lists == "drop":
            self._warn("list_dropped", path)
            return _DROPPED
        if self._rules.max_items is not None and len(items) > self._rules.max_items:
            self._warn("items_cut", path)
            items = items[: self._rules.max_items]
        if self._rules.lists == "json":
            return self._json(items, path)
        if self._rules.lists == "join":
            return self._text(", ".join(map(_as_text, items)), path)
        if self._rules.lists == "texts":
            return [self._text(_as_text(item), path) for item in items]
        written = (self._written(item, path, depth + 1) for item in items)
        return [item for item in written if item is not _DROPPED]

    def _object(self, value: dict[str, Json], path: tuple[str, ...], depth: int) -> Json:
        if self._rules.objects == "drop":
            self._warn("object_dropped", path)
            return _DROPPED
        if self._rules.objects == "json":
            return self._json(value, path)
        written = {key: self._written(child, (*path, key), depth + 1) for key, child in value.items()}
        return {key: child for key, child in written.items() if child is not _DROPPED}

    def _json(self, value: Json, path: tuple[str, ...]) -> Json:
        text = dumps(value).decode()
        if self._rules.max_text is None or len(text) <= self._rules.max_text:
            return text
        self._warn("text_dropped", path)  # half a JSON text is none
        return _DROPPED

    def _warn(self, code: str, path: tuple[str, ...]) -> None:
        self.warnings.append(model.Warning(code, ".".join(path), _WORDS[code]))


def _is_date(value: Json) -> bool:
    """Canonical dates and instants are the only texts of this form."""
    return isinstance(value, str) and 10 <= len(value) <= 27 and _DATE.fullmatch(value) is not None


def _as_text(value: Json) -> str:
    text = scalar_text(value)
    return dumps(value).decode() if text is None else text
