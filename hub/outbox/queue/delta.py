"""What differs from what a vendor last accepted of a profile, by the hash of each mapped field.

A field whose target is a container is compared key by key, under `container.key`. A removal has a hash of its own.
Names beginning with `@` are not fields: the addresses last accepted, and the options under which a profile was accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2s
from typing import Any, NamedTuple

import orjson

from hub.sdk.json import dumps

Json = Any
GONE = "-"  # the hash of a removal
ADDRESSES = ("email", "phone")
_NO_HASHES: Mapping[str, str] = {}
_HASHER = blake2s(digest_size=8)  # copied for each value, which takes half the time of making one


class Difference(NamedTuple):
    """`sending` are the hashes that the vendor will hold once it accepts; `saved` counts fields not sent again."""

    changed: dict[str, Json]
    unset: tuple[str, ...]
    sending: dict[str, str]
    saved: int

    @property
    def is_empty(self) -> bool:
        return not self.sending


def difference(
    fields: Mapping[str, Json],
    unset: tuple[str, ...],
    containers: frozenset[str],
    known: Mapping[str, str],
    options: str = "{}",
    *,
    is_forced: bool = False,
) -> Difference:
    """What to send of a mapped profile, given the hashes last accepted. `options` is their JSON text."""
    before = _NO_HASHES if is_forced else known
    changed: dict[str, Json] = {}
    sending: dict[str, str] = {}
    saved = 0
    for name, value in fields.items():
        if type(value) is dict and name in containers:
            inner = _container(name, value, before, sending)
            saved += len(value) - len(inner)
            if inner:
                changed[name] = inner
            continue
        hashed = _hash(value)
        if before and before.get(name) == hashed:
            saved += 1
            continue
        changed[name] = value
        sending[name] = hashed
    removed = []
    for name in unset:
        if name in fields:
            if name in sending:
                removed.append(name)
        elif before.get(name) != GONE:
            sending[name] = GONE
            removed.append(name)
        else:
            saved += 1
    if options != "{}":
        mark = "@options." + _hash(options)
        if mark not in before:
            sending[mark] = "1"
    return Difference(changed, tuple(removed), sending, saved)


def cleared(known: Mapping[str, str], sending: Mapping[str, str]) -> dict[str, str]:
    """The hashes while an attempt is under way: those of the fields it sends are unknown."""
    return {name: value for name, value in known.items() if name not in sending}


def accepted(known: Mapping[str, str], sending: Mapping[str, str], addresses: Mapping[str, str | None]) -> str:
    """The JSON to keep once the vendor accepted."""
    kept = {**known, **sending}
    for name in ADDRESSES:
        value = addresses.get(name)
        if value:
            kept["@" + name] = value
    return orjson.dumps(kept).decode()


def previous(known: Mapping[str, str], current: Mapping[str, str | None]) -> dict[str, str]:
    """The addresses last accepted, where they differ from the present ones."""
    found = {}
    for name in ADDRESSES:
        old = known.get("@" + name)
        if old is not None and old != current.get(name):
            found[name] = old
    return found


def _container(
    name: str, value: Mapping[str, Json], before: Mapping[str, str], sending: dict[str, str]
) -> dict[str, Json]:
    inner: dict[str, Json] = {}
    for key, item in value.items():
        hashed = _hash(item)
        path = f"{name}.{key}"
        if before.get(path) != hashed:
            inner[key] = item
            sending[path] = hashed
    return inner


def _hash(value: Json) -> str:
    return _hash_of_text(value) if type(value) is str else _hash_of(value)


def _hash_of(value: Json) -> str:
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        text = dumps(value)
    hasher = _HASHER.copy()
    hasher.update(text)
    return hasher.hexdigest()


# Countries, tiers and languages come again and again. Only text is kept: 1, 1.0 and True are the same key.
_hash_of_text = lru_cache(maxsize=4096)(_hash_of)
