"""Whether a row gives what its place takes: built-in fields hold what their name says, whatever a file writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hub.mapping.values.coerce import OUTBOUND, Coercion, Failed
from hub.mapping.model import Json
from hub.mapping.language.rows import EachItem, Items, Pick, Row

INSTANT: Final = "instant"  # our own kind: a time as microseconds
_TEXTS = frozenset(
    {"string", "id", "email", "phone", "date", "datetime", "country", "language", "region", "digits", "slug"}
)
_AS_GOOD: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(_TEXTS, _TEXTS),
    "number": frozenset({"number", "integer"}),
    "integer": frozenset({"integer"}),
    "money": frozenset({"money", "integer"}),
    "boolean": frozenset({"boolean"}),
    INSTANT: frozenset({INSTANT, "datetime", "date"}),
}
_NEEDS_CONTEXT: Final[Mapping[str, tuple[type, ...]]] = {"money": (int,), "major": (int, float)}


def coerced_as(wanted: str | None, own: str | None) -> tuple[str | None, str | None]:
    """The coercion of a row whose place wants one and which may name another; second: what is wrong with that."""
    if own is None or wanted is None:
        return own or wanted, None
    if own not in OUTBOUND or own in _AS_GOOD.get(wanted, frozenset({own})):  # what does not exist is told elsewhere
        return (INSTANT if wanted == INSTANT else own), None
    return wanted, f"this field is {_ARTICLES.get(wanted, wanted)}; `as: {own}` would make something else of it"


def misfit(row: Row, kind: str | None, shape: str) -> str | None:
    """Why a row cannot stand in its place; None if it can."""
    if kind is not None and kind in _AS_GOOD and not isinstance(row, Pick):
        return f"this field is {_ARTICLES.get(kind, kind)}; the row makes a list or an object"
    if shape in {"object", "record"}:
        if isinstance(row, Items | EachItem):
            return "this is an object; the row makes a list"
        if isinstance(row, Pick) and row.kind not in {None, "json"}:
            return f"this is an object; `as: {row.kind}` would make something else of it"
    if shape == "items" and not isinstance(row, Items | EachItem | Pick):
        return "this is a list of objects; the row makes an object"
    return None


def fixed(value: Json, kind: str | None, coerce: Coercion | None, shape: str) -> tuple[Json, str | None]:
    """A `default` or `const` as its place takes it; second: what is wrong with it."""
    if value is None:
        return None, None
    if kind is not None and kind in _NEEDS_CONTEXT:
        is_right = isinstance(value, _NEEDS_CONTEXT[kind]) and not isinstance(value, bool)
        return value, None if is_right else "a fixed amount is a number (money in minor units)"
    if coerce is not None:
        checked = coerce(value)
        return (None, checked.text) if isinstance(checked, Failed) else (checked, None)
    if shape in {"object", "record"} and not isinstance(value, dict):
        return None, "this is an object"
    if shape == "items" and not isinstance(value, list):
        return None, "this is a list of objects"
    return value, None


_ARTICLES: Final[Mapping[str, str]] = {
    **dict.fromkeys(_TEXTS, "text"), "number": "a number", "integer": "a number", "money": "an amount", "boolean": "true or false",
    INSTANT: "a time",
}  # fmt: skip
