"""Paths: `traits.email`, `traits."First Name"`, `traits.~first_name`."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Final, NamedTuple

from hub.mapping.model import Json

_SEGMENT = re.compile(r'(~?)(?:([\w$-]+)|("(?:[^"\\]|\\.)+"))')
_MAX_SHAPES: Final = 4096
_MAX_SHAPE_KEYS: Final = 200
_MAX_REMEMBERED: Final = 200  # characters of a text whose folding is worth keeping


class _Absent:
    """No value: no such key, or a path through something that is not an object. Not null."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent()


class PathStep(NamedTuple):
    """One key. `fold` is set where the key is found by folding (`~key`) when the exact spelling is not there."""

    key: str
    fold: str | None


class Path(NamedTuple):
    """Where a value stands. `root` is what the first step reads: `message`, `hub`, `options`, or a name bound by
    `let` or `each` (`let:name`, `item:name`)."""

    root: str
    steps: tuple[PathStep, ...]
    text: str


def parse_path(text: str) -> tuple[PathStep, ...] | None:
    """The steps of a plain path; None for anything else, which is then JMESPath."""
    steps = []
    position = 0
    while True:
        match = _SEGMENT.match(text, position)
        if match is None:
            return None
        key = match[2] if match[2] is not None else _unquoted(match[3])
        if key is None:
            return None
        steps.append(PathStep(key, fold(key) if match[1] else None))
        position = match.end()
        if position == len(text):
            return tuple(steps)
        if text[position] != ".":
            return None
        position += 1


def _unquoted(text: str) -> str | None:
    try:
        key = json.loads(text)
    except ValueError:
        return None
    return key if isinstance(key, str) else None


def fold(text: str) -> str:
    """Letters and digits only, case folded: `First Name`, `first_name` and `firstName` are the same. Text without
    any letter or digit stays as it is."""
    return _fold_remembered(text) if len(text) <= _MAX_REMEMBERED else _fold(text)


def _fold(text: str) -> str:
    folded = text.casefold()
    return "".join([character for character in folded if character.isalnum()]) or folded


_fold_remembered = lru_cache(maxsize=16_384)(_fold)


def step_into(value: Json, step: PathStep) -> Json:
    """One step down, or ABSENT. The exact spelling wins, then document order among keys that fold alike."""
    if not isinstance(value, dict):
        return ABSENT
    found = value.get(step.key, ABSENT)
    return found_by_fold(value, step.fold) if found is ABSENT and step.fold is not None else found


def walk(value: Json, steps: tuple[PathStep, ...]) -> Json:
    """The value at the end of the steps, or ABSENT."""
    for step in steps:
        value = step_into(value, step)
        if value is ABSENT:
            return ABSENT
    return value


def found_by_fold(value: dict[str, Json], folded: str) -> Json:
    """The first value whose key folds to `folded`, or ABSENT."""
    key = folded_keys(value).get(folded)
    return ABSENT if key is None else value[key]


_shapes: dict[tuple[str, ...], dict[str, str]] = {}


def folded_keys(value: dict[str, Json]) -> dict[str, str]:
    """Folded key -> first key as written. Remembered by the set of keys: senders repeat their shapes endlessly."""
    shape = tuple(value)
    known = _shapes.get(shape)
    if known is not None:
        return known
    keys: dict[str, str] = {}
    for key in shape:
        keys.setdefault(fold(key), key)
    if len(shape) <= _MAX_SHAPE_KEYS and sum(map(len, shape)) <= 20 * _MAX_SHAPE_KEYS:
        if len(_shapes) >= _MAX_SHAPES:
            _shapes.clear()
        _shapes[shape] = keys
    return keys
