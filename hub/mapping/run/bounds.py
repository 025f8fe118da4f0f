"""What is taken of a message at all, and how much of an output is kept.

`tidy` makes a message safe to work on: no NUL, no lone surrogates, no NaN, no number beyond 64 bits. `bounded` keeps an
output within 1,000 keys, 10 levels and 256 KiB. Both look at the serialised size first, so that ordinary messages pass
in a microsecond.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from hub.mapping.language.paths import ABSENT
from hub.mapping.model import REMOVED, Json, Warning
from hub.mapping.values.text import clean_text

MAX_KEYS: Final = 1000
MAX_DEPTH: Final = 10
MAX_BYTES: Final = 262_144
SHALLOW: Final = 5  # levels of a value that fit into any output
MAX_LEVELS: Final = 64  # of a message; deeper parts are dropped
FLAT: Final = frozenset({str, int, bool, type(None)})  # what neither nests nor can be infinite
_MAX_WARNINGS: Final = 20
_SMALL: Final = 2900  # bytes that cannot hold 500 keys: an output may read a small message twice
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


Tidy = tuple[dict[str, Json], bool, list[Warning]]
"""The message; whether it has too few bytes for an output that exceeds the number of keys or the size; warnings."""

_NO_WARNINGS: list[Warning] = []


def tidy(message: dict[str, Json]) -> Tidy:
    """The message as rows may see it. Unchanged, and not copied, where nothing is wrong with it.

    Numbers that are not finite serialise as null, so they are found where they are read: `solid`.
    """
    try:
        text = orjson.dumps(message)
    except TypeError:
        return _cleaned(message)
    if b"\\" in text and b"\\u0000" in text:
        return _cleaned(message)
    return message, len(text) < _SMALL, _NO_WARNINGS


def levels(value: Json) -> int:
    """How deep objects and lists nest, at most; -1 where a number in them is not finite. Exact where it matters."""
    try:
        text = orjson.dumps(value)
    except TypeError:  # deeper than any output may be
        return _levels(value)
    count = text.count(b"{") + text.count(b"[")
    return count if b"null" not in text and count <= SHALLOW else _levels(value)


def _levels(value: Json) -> int:
    depth = 0
    level = [value]
    while level:
        depth += 1
        below = []
        for node in level:
            for child in node.values() if node.__class__ is dict else node:
                kind = child.__class__
                if kind is dict or kind is list:
                    below.append(child)
                elif kind is float and child - child != 0:
                    return -1
        level = below
    return depth


def finite(value: Json, path: str, warnings: list[Warning]) -> Json:
    """Without the numbers that are not finite, each with a warning; ABSENT where nothing is left."""
    return _clean(value, path, 0, warnings)


def _cleaned(message: dict[str, Json]) -> Tidy:
    warnings: list[Warning] = []
    cleaned = _clean(message, "", 0, warnings)
    message = cleaned if isinstance(cleaned, dict) else {}
    return message, False, warnings[:_MAX_WARNINGS]


def _clean(value: Json, path: str, depth: int, warnings: list[Warning]) -> Json:
    if isinstance(value, str):
        text, changed = clean_text(value)
        if changed:
            warnings.append(Warning("unclean_text", path, "NUL or a lone surrogate became U+FFFD"))
        return text
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if _INT_MIN <= value <= _INT_MAX else _clean_number(_float(value), path, warnings)
    if isinstance(value, float):
        return _clean_number(value, path, warnings)
    if not isinstance(value, dict | list):
        return ABSENT
    if depth >= MAX_LEVELS:
        warnings.append(
            Warning("too_deep", path[:200], f"the message nests deeper than {MAX_LEVELS}; the rest was dropped")
        )
        return ABSENT
    if isinstance(value, list):
        items = [_clean(child, f"{path}[{index}]", depth + 1, warnings) for index, child in enumerate(value)]
        return [None if item is ABSENT else item for item in items]  # places in a list keep their meaning
    made: dict[str, Json] = {}
    for key, child in value.items():
        name = clean_text(str(key))[0]
        kept = _clean(child, f"{path}.{name}" if path else name, depth + 1, warnings)
        if kept is not ABSENT:
            made.setdefault(name, kept)
    return made


def _clean_number(value: float, path: str, warnings: list[Warning]) -> Json:
    if value - value == 0:
        return value
    warnings.append(Warning("not_finite", path, "NaN and infinite numbers read as absent"))
    return ABSENT


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def bounded(value: dict[str, Json], path: str, warnings: list[Warning]) -> dict[str, Json]:
    """The output within its bounds; what does not fit is dropped, with a warning."""
    try:
        text = orjson.dumps(value, default=_as_null)
    except TypeError:
        cleaned = _clean(_without_removed(value), path, 0, warnings)
        kept = {key: value[key] if value[key] is REMOVED else cleaned[key] for key in value if key in cleaned}
        return bounded(kept, path, warnings)
    if len(text) < _SMALL and text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return value
    return _Bounds(path, warnings).cut(value)


def _as_null(_value: Any) -> None:
    return None


def _without_removed(value: dict[str, Json]) -> dict[str, Json]:
    return {key: None if child is REMOVED else child for key, child in value.items()}


class _Bounds:
    """One cutting of an output: keys are counted in document order, at every level."""

    def __init__(self, path: str, warnings: list[Warning]) -> None:
        self._path = path
        self._warnings = warnings
        self._keys = 0
        self._said: set[str] = set()

    def cut(self, value: dict[str, Json]) -> dict[str, Json]:
        size = 2
        made: dict[str, Json] = {}
        for key, child in value.items():
            if self._keys >= MAX_KEYS:
                self._say("too_many_keys", f"an output holds at most {MAX_KEYS} keys; the rest was dropped")
                break
            self._keys += 1
            kept = self._value(child, 2)
            if kept is ABSENT:
                continue
            length = len(key.encode("utf-8", "replace")) + 4 + len(orjson.dumps(kept, default=_as_null))
            if size + length > MAX_BYTES:
                self._say("too_large", f"an output holds at most {MAX_BYTES} bytes; {key[:100]!r} was dropped")
                continue
            size += length
            made[key] = kept
        return made

    def _value(self, value: Json, depth: int) -> Json:
        if not isinstance(value, dict | list):
            return value
        if depth > MAX_DEPTH:
            self._say("too_deep", f"an output nests at most {MAX_DEPTH} deep; the rest was dropped")
            return ABSENT
        if isinstance(value, list):
            items = (self._value(child, depth + 1) for child in value)
            return [item for item in items if item is not ABSENT]
        made = {}
        for key, child in value.items():
            if self._keys >= MAX_KEYS:
                self._say("too_many_keys", f"an output holds at most {MAX_KEYS} keys; the rest was dropped")
                break
            self._keys += 1
            kept = self._value(child, depth + 1)
            if kept is not ABSENT:
                made[key] = kept
        return made

    def _say(self, code: str, text: str) -> None:
        if code not in self._said:
            self._said.add(code)
            self._warnings.append(Warning(code, self._path, text))
