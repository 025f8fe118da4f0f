"""Dates and instants. Canonical text is `2026-03-14` and `2026-03-14T09:00:00.120000Z` (UTC; a fraction only if there
is one), canonical instants are integer microseconds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from hub.core.clock import DAY, EPOCH, HOUR, MINUTE, SECOND, Micros
from hub.mapping.model import Json
from hub.mapping.values.text import NO_CONTEXT, Failed

EARLIEST: Final[Micros] = -2_208_988_800 * SECOND  # 1900-01-01T00:00:00Z
TOO_LATE: Final[Micros] = 7_289_654_400 * SECOND  # 2201-01-01T00:00:00Z
UNITS: Final[Mapping[str, Micros]] = {"s": SECOND, "ms": 1000, "us": 1}

_EPOCH_DAY = EPOCH.toordinal()
_MAX_CHARACTERS = 64
_ISO = re.compile(
    r"(\d{4})(-?)(\d\d)\2(\d\d)"
    r"(?:[Tt ]([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d)(?:[.,](\d{1,18}))?)?"
    r" ?(?:([Zz]|UTC|GMT)|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?)?",
    re.ASCII,
)
_NUMERIC = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_SHORTEST_EPOCH = 9  # shorter digits in text are a year or a basic ISO date (20260314)
_NO_DATE = Failed("invalid_date", "the value is not a calendar day in ISO 8601")
_NO_TIME = Failed("invalid_datetime", "the value is not an ISO 8601 time nor an epoch number")
_RANGE = Failed("invalid_datetime", "the time lies outside the years 1900 to 2200")


def calendar_day(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> str | Failed:
    """`YYYY-MM-DD`: the day as written, whatever time and zone stand behind it. It must exist in the calendar."""
    if not isinstance(value, str) or len(value) > _MAX_CHARACTERS:
        return _NO_DATE
    if len(value) == 10 and value[4] == value[7] == "-":  # the common form, which the standard library checks faster
        try:
            date.fromisoformat(value)
        except ValueError:
            return _NO_DATE
        return value
    match = _ISO.fullmatch(value if len(value) == 10 else value.strip())
    if match is None:
        return _NO_DATE
    year, _, month, day = match.group(1, 2, 3, 4)
    return _NO_DATE if _day_number(int(year), int(month), int(day)) is None else f"{year}-{month}-{day}"


def datetime_us(value: Json, options: Mapping[str, Json] = NO_CONTEXT) -> Micros | Failed:
    """An instant in microseconds. `options`: `unit` (s, ms, us; else by magnitude) and `zone` (of text without one)."""
    zone = options.get("zone")
    return read_instant(value, options.get("unit"), zone_named(zone) if zone else None)


def datetime_reader(options: Mapping[str, Json]) -> Callable[[Json], Micros | Failed]:
    """`datetime_us` with its options read once. Raises ValueError for a unit or a zone that does not exist."""
    unit, zone = time_options(options)
    if unit is None and zone is None:
        return read_instant
    return lambda value: read_instant(value, unit, zone)


def time_options(options: Mapping[str, Json]) -> tuple[str | None, ZoneInfo | None]:
    """`unit` and `zone` of a row. Raises ValueError for one that does not exist."""
    unit, zone = options.get("unit"), options.get("zone")
    if unit is not None and unit not in UNITS:
        raise ValueError(f"unit must be one of s, ms, us, not {unit!r}")
    return unit, zone_named(zone) if zone else None


def zone_named(name: Json) -> ZoneInfo:
    """Raises ValueError, with a sentence, for a name that is not an IANA time zone."""
    try:
        return ZoneInfo(str(name))
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{str(name)!r} is not an IANA time zone such as Europe/Berlin") from error


def datetime_coercion(options: Mapping[str, Json]) -> Callable[..., str | Failed]:
    """The canonical text of an instant. Raises ValueError for a unit or a zone that does not exist."""
    unit, zone = time_options(options)

    def coerce(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> str | Failed:
        at = read_instant(value, unit, zone)
        if isinstance(at, Failed):
            return at
        return (_shortened(value) if type(value) is str else None) or to_text(at)

    return coerce


def _shortened(text: str) -> str | None:
    """A valid instant in the common UTC form needs only its fraction set: five times faster than formatting it."""
    if len(text) not in {20, 24} or text[7] != "-" or text[10] != "T" or text[13] != ":" or text[-1] != "Z":
        return None
    if len(text) == 20:
        return text
    if text[19] != "." or not text[20:23].isdigit():
        return None
    return text[:19] + "Z" if text[20:23] == "000" else text[:23] + "000Z"


def to_text(at: Micros) -> str:
    """The canonical text of an instant inside the years 1900 to 2200."""
    return (EPOCH + timedelta(microseconds=at)).isoformat()[:-6] + "Z"


def read_instant(value: Json, unit: str | None = None, zone: ZoneInfo | None = None) -> Micros | Failed:
    """An instant from ISO text, an epoch number, or an epoch number as text."""
    if isinstance(value, str):
        return _from_text(value, unit, zone)
    if type(value) is int:
        if not -(10**18) < value < 10**18:
            return _RANGE
        return _inside(value * (UNITS[unit] if unit else _unit_of(value)))
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) > 1e18:
            return _RANGE
        return _inside(round(value * (UNITS[unit] if unit else _unit_of(value))))
    return _NO_TIME


def _from_text(text: str, unit: str | None, zone: ZoneInfo | None) -> Micros | Failed:
    if 18 < len(text) < 33 and text[10] == "T" and text[7] == "-" and text[16] == ":":
        # The extended form, as nearly every sender writes it: the standard library reads it five times faster, and
        # with T, dash and colon at their places nothing but ISO 8601 passes it. What it refuses is tried below.
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            apart = (moment if moment.tzinfo else moment.replace(tzinfo=zone or UTC)) - EPOCH
            return _inside(apart.days * DAY + apart.seconds * SECOND + apart.microseconds)
    text = text.strip()
    if len(text) > _MAX_CHARACTERS:
        return _NO_TIME
    if _NUMERIC.fullmatch(text) and (unit is not None or len(text) >= _SHORTEST_EPOCH):
        exact = Decimal(text)
        return _inside(round(exact * (UNITS[unit] if unit else _unit_of(exact))))
    match = _ISO.fullmatch(text)
    return _from_match(match, zone) if match is not None else _NO_TIME


def _from_match(match: re.Match[str], zone: ZoneInfo | None) -> Micros | Failed:
    year, _, month, day, hour, minute, second, fraction, utc, sign, off_hour, off_minute = match.groups()
    number = _day_number(int(year), int(month), int(day))
    if number is None:
        return _NO_TIME
    if not 1899 <= int(year) <= 2201:
        return _RANGE
    wall = number * DAY + int(hour or 0) * HOUR + int(minute or 0) * MINUTE + int(second or 0) * SECOND
    if sign:
        offset = int(off_hour) * HOUR + int(off_minute or 0) * MINUTE
        wall += offset if sign == "-" else -offset
    elif zone is not None and not utc:
        wall -= _zone_offset(wall, zone)
    return _inside(wall + (int(fraction[:6].ljust(6, "0")) if fraction else 0))


def _zone_offset(wall: Micros, zone: ZoneInfo) -> Micros:
    """Of a wall clock reading; one that occurs twice means its first occurrence."""
    local = (EPOCH + timedelta(microseconds=wall)).replace(tzinfo=zone)
    offset = local.utcoffset() or timedelta()
    return offset // timedelta(microseconds=1)


def _day_number(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None


def _unit_of(value: float | Decimal) -> Micros:
    """Seconds up to the year 5138, then milliseconds, then microseconds."""
    if -100_000_000_000 < value < 100_000_000_000:
        return SECOND
    return 1000 if -100_000_000_000_000 < value < 100_000_000_000_000 else 1


def _inside(at: Micros) -> Micros | Failed:
    return at if EARLIEST <= at < TOO_LATE else _RANGE
