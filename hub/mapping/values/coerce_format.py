"""Outbound forms of text and time: digits, slug, and the `format` of a date or an instant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta

from hub.core.clock import EPOCH
from hub.mapping.model import Json
from hub.mapping.values.coerce_time import calendar_day, read_instant
from hub.mapping.values.text import NO_CONTEXT, Failed, words

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SAMPLE = datetime(2026, 3, 14, 9, tzinfo=UTC)


def digits(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> str | Failed:
    """The ASCII digits of a text, in order: `+44 20 7946` -> `44207946`."""
    if type(value) is int and 0 <= value < 10**30:
        return str(value)
    found = "".join(re.findall(r"[0-9]+", value)) if isinstance(value, str) else ""
    return found or Failed("invalid_digits", "the value has no digits")


def slug(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> str | Failed:
    """Lower-case ASCII words joined by `-`: `Crème Brûlée No. 5` -> `creme-brulee-no-5`."""
    text = str(value) if type(value) is int and abs(value) < 10**30 else value
    if not isinstance(text, str):
        return Failed("invalid_slug", "the value is not text")
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "-".join(words(plain)).lower() or Failed("invalid_slug", "the text has no ASCII letter and no digit")


def formatted(form: str) -> Callable[..., Json | Failed]:
    """A writer of dates and instants.

    `iso` 2026-03-14T09:00:00.120+00:00, `iso_z` 2026-03-14T09:00:00.120Z, `iso_seconds` 2026-03-14T09:00:00Z, `unix`
    and `unix_ms` integers rounded down, else a strftime pattern with at least one `%`, in UTC. A date without a time is
    its midnight. Raises ValueError for any other form.
    """
    write = _NAMED.get(form) or _pattern(form)

    def coerce(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> Json | Failed:
        at = _moment(value)
        return at if isinstance(at, Failed) else write(at)

    return coerce


def _moment(value: Json) -> datetime | Failed:
    if isinstance(value, str) and _DAY.fullmatch(value):  # a birthday may lie before the years of instants
        day = calendar_day(value)
        return day if isinstance(day, Failed) else datetime.combine(date.fromisoformat(day), time(), UTC)
    at = read_instant(value)
    return at if isinstance(at, Failed) else EPOCH + timedelta(microseconds=at)


def _unix(at: datetime) -> int:
    return (at - EPOCH) // timedelta(seconds=1)


def _pattern(form: str) -> Callable[[datetime], str]:
    if "%" not in form:
        raise ValueError(f"format must be {', '.join(_NAMED)} or a strftime pattern such as %Y-%m-%d, not {form!r}")

    def write(at: datetime) -> str:
        # %s is the C library's and means local time; here it is UTC like all the rest.
        return at.strftime(form.replace("%s", str(_unix(at))))

    try:
        write(_SAMPLE)
    except ValueError as error:
        raise ValueError(f"format {form!r} is not a strftime pattern") from error
    return write


_NAMED: Mapping[str, Callable[[datetime], Json]] = {
    "iso": lambda at: at.isoformat(timespec="milliseconds"),
    "iso_z": lambda at: at.isoformat(timespec="milliseconds")[:-6] + "Z",
    "iso_seconds": lambda at: at.isoformat(timespec="seconds")[:-6] + "Z",
    "unix": _unix,
    "unix_ms": lambda at: (at - EPOCH) // timedelta(milliseconds=1),
}
