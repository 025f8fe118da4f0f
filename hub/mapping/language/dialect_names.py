"""Field names as a vendor writes them: case, replaced characters, length, reserved words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from hub.mapping.model import Json
from hub.mapping.values.text import clean_text, snake, words

_REMEMBERED = 4096  # senders invent keys without end
_OTHERS = re.compile(r"[^A-Za-z0-9_]")


def _pascal(key: str) -> str:
    return "".join(word[:1].upper() + word[1:].lower() for word in words(key))


def _camel(key: str) -> str:
    joined = _pascal(key)
    first = words(key)[:1]
    return "".join(first).lower() + joined[len("".join(first)) :]


def _kebab(key: str) -> str:
    return "-".join(words(key)).lower()


CASES: Final[Mapping[str, Callable[[str], str]]] = {
    "keep": str,
    "lower": str.lower,
    "upper": str.upper,
    "snake": snake,
    "camel": _camel,
    "pascal": _pascal,
    "kebab": _kebab,
}


class Name(NamedTuple):
    """`text` is None where the field can have no name; `warning` is the code of what was lost on the way."""

    text: str | None
    warning: str | None


class Names:
    """The key rules of one dialect. `path` is the field's key, or the keys down to it where objects are flattened."""

    def __init__(self, section: Mapping[str, Json]) -> None:
        self._case = CASES[section.get("case", "keep")]
        self._replace: tuple[tuple[str, str], ...] = tuple((section.get("replace") or {}).items())
        self._others: str | None = section.get("others")
        self._max_key: int | None = section.get("max_key")
        self._reserved: Mapping[str, str | None] = section.get("reserved") or {}
        self._separator: str = section.get("separator", "_")
        self._known: dict[tuple[tuple[str, ...], str], Name] = {}

    def of(self, path: tuple[str, ...], suffix: str = "") -> Name:
        """The name of a field; a typed `suffix` is added unless the name has it, and is never cut off."""
        known = self._known.get((path, suffix))
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[path, suffix] = self._make(path, suffix)
        return known

    def _make(self, path: tuple[str, ...], suffix: str) -> Name:
        name: str | None = self._separator.join(part for part in map(self._part, path) if part)
        name = self._reserved.get(name or "", name)
        if not name:
            return Name(None, "key_dropped")
        suffix = "" if name.endswith(suffix) else suffix
        if self._max_key is None or len(name) + len(suffix) <= self._max_key:
            return Name(name + suffix, None)
        return Name(name[: max(1, self._max_key - len(suffix))] + suffix, "key_cut")

    def _part(self, key: str) -> str:
        for old, new in self._replace:
            key = key.replace(old, new)
        key = self._case(clean_text(key)[0])
        return key if self._others is None else _OTHERS.sub(lambda _: self._others or "", key)
