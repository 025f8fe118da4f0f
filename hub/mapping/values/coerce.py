"""Coercions: what `as` and `format` of a row do to a value.

A coercion is built once per row and called once per value. It never raises, whatever JSON it is given: what does not
pass comes back as `Failed`, with a code that groups warnings and a text that never holds the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from hub.mapping.model import Json
from hub.mapping.values.coerce_format import digits, formatted, slug
from hub.mapping.values.coerce_number import Major, Money, currency_code, integer, kind_of, minor_digits, number
from hub.mapping.values.coerce_phone import Phone
from hub.mapping.values.coerce_place import country, language, region
from hub.mapping.values.coerce_time import calendar_day, datetime_coercion, datetime_us
from hub.mapping.values.text import NO_CONTEXT, Failed, clean_text, is_blank

__all__ = [
    "INBOUND", "OUTBOUND", "Coercion", "Failed", "clean_text", "coercion", "currency_code", "datetime_us", "is_blank",
    "minor_digits", "scalar_text",
]  # fmt: skip

Coercion = Callable[..., Json | Failed]
"""`f(value, context={})`; `context` may hold "currency" (money, major) and "region" (phone)."""

MAX_ID = 255
MAX_EMAIL = 320  # RFC 3696, erratum 1690: 64 + @ + 255
_LARGEST_PLAIN_FLOAT = 1e21  # up to here JavaScript writes whole numbers without an exponent, and so do we
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_BOOLEANS: Final = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def coercion(kind: str, options: Mapping[str, Json] = NO_CONTEXT) -> Coercion:
    """The coercion of a row: `kind` is its `as`, `options` its `unit`, `zone`, `currency`, `region` and `format`.

    With a `format`, the value is written in that form (`kind` is then `format`, `date` or `datetime`). Raises
    ValueError, with a sentence, for a kind, unit, zone or format that does not exist.
    """
    form = options.get("format")
    if form is not None and kind in {"format", "date", "datetime"}:
        return formatted(str(form))
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _WITH_OPTIONS:
        return _WITH_OPTIONS[kind](options)
    raise ValueError(f"there is no coercion {kind!r}; there are {', '.join(sorted(OUTBOUND))}")


def string(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> str | Failed:
    """Text as it is; numbers and booleans as JSON writes them, whole floats without `.0`; objects and lists fail."""
    if type(value) is str:
        return value if value.isascii() and "\0" not in value else clean_text(value)[0]
    text = scalar_text(value)
    return Failed("invalid_string", f"{kind_of(value)} is not text") if text is None else text


def identifier(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> str | Failed:
    """Trimmed text of 1 to 255 characters, from text or a number."""
    if isinstance(value, bool):
        return Failed("invalid_id", "a boolean is not an id")
    text = string(value)
    if isinstance(text, Failed):
        return Failed("invalid_id", f"{kind_of(value)} is not an id")
    text = text.strip()
    if 0 < len(text) <= MAX_ID:
        return text
    return Failed("invalid_id", f"an id has 1 to {MAX_ID} characters, this one {len(text)}")


def boolean(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> bool | Failed:
    """true, false, 1, 0, yes, no: as JSON values or as text in any case."""
    if type(value) is bool:
        return value
    if isinstance(value, str):
        found = _BOOLEANS.get(value.strip().lower()) if len(value) < 100 else None
    else:
        found = bool(value) if isinstance(value, int | float) and value in (0, 1) else None
    return Failed("invalid_boolean", "the value is none of true, false, 1, 0, yes, no") if found is None else found


def email(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> str | Failed:
    """One @ with text on both sides and no white space; kept as sent."""
    if isinstance(value, str) and len(value) <= MAX_EMAIL and _EMAIL.fullmatch(value):
        return value if value.isascii() and "\0" not in value else clean_text(value)[0]
    return Failed("invalid_email", "an e-mail address has one @, no spaces and at most 320 characters")


def as_list(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> Json | Failed:
    """A list as it is; any other value alone in one."""
    if isinstance(value, list):
        return value
    kept = as_json(value)
    return Failed("invalid_list", kept.text) if isinstance(kept, Failed) else [kept]


def as_json(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> Json | Failed:
    """Any value as it is, save null and numbers that are not finite."""
    if value is None:
        return Failed("invalid_json", "null is not a value")
    if isinstance(value, float) and value - value != 0:
        return Failed("invalid_json", "the number is not finite")
    return value


def scalar_text(value: Json) -> str | None:
    """A string, number or boolean as text; None for anything else and for numbers that are not finite."""
    if isinstance(value, str):
        return clean_text(value)[0]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 1024 else None
    if not isinstance(value, float) or value - value != 0:
        return None
    return str(int(value)) if value.is_integer() and abs(value) < _LARGEST_PLAIN_FLOAT else repr(value)


_PLAIN: Final[Mapping[str, Coercion]] = {
    "id": identifier, "string": string, "integer": integer, "number": number, "boolean": boolean, "date": calendar_day,
    "email": email, "list": as_list, "json": as_json, "country": country, "language": language, "region": region,
    "digits": digits, "slug": slug,
}  # fmt: skip
_WITH_OPTIONS: Final[Mapping[str, Callable[[Mapping[str, Json]], Coercion]]] = {
    "datetime": datetime_coercion,
    "money": lambda options: Money(options.get("currency")),
    "major": lambda options: Major(options.get("currency")),
    "phone": lambda options: Phone(options.get("region")),
}
_OUTBOUND_ONLY = frozenset({"country", "language", "region", "digits", "slug", "major"})

OUTBOUND: Final = frozenset(_PLAIN) | frozenset(_WITH_OPTIONS)
INBOUND: Final = OUTBOUND - _OUTBOUND_ONLY
