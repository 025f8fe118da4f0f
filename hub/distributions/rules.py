"""When a distribution runs. Cron expressions are in cron.py, what may keep a person from getting it in gates.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.distributions.values import Audience, Micros, Trigger
from hub.sdk.errors import ConfigurationError
from hub.sdk.text import is_storable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Micros = 1_000_000
ON_TIME: Micros = 60 * SECOND
"""How late an instant may be dealt with and still count as on time: a restart is not an outage."""
MAX_ID_CHARS = 255
MISSED_POLICIES = ("skip", "once")

_FIELDS = {
    "manual": set[str](),
    "at": {"at", "timezone"},
    "interval": {"every_s", "start_at", "timezone"},
    "cron": {"expression", "timezone"},
}


def audience_of(given: Any) -> Audience:
    """Read an audience. Raises ConfigurationError.

    >>> audience_of({"source_ids": ["b", "a", "b"]})
    Audience(source_ids=['a', 'b'])
    """
    if isinstance(given, Mapping) and len(given) == 1:
        if given.get("all") is True:
            return Audience()
        ids = given.get("source_ids")
        if isinstance(ids, list) and all(_is_id(one) for one in ids):
            return Audience(sorted(set(ids)))
    raise ConfigurationError(
        'An audience is {"all": true} or {"source_ids": ["...", ...]} with ids of 1 to 255 characters.'
    )


def trigger_of(given: Any) -> Trigger:
    """Read a trigger. Raises ConfigurationError, a sentence each.

    >>> trigger_of({"kind": "interval", "every_s": 3600})
    Trigger(kind='interval', at=None, every_s=3600, start_at=None, expression='', timezone='UTC')
    """
    if not isinstance(given, Mapping) or given.get("kind") not in _FIELDS:
        raise ConfigurationError(f"A trigger needs a kind, one of {', '.join(_FIELDS)}.")
    kind = given["kind"]
    unknown = sorted(given.keys() - _FIELDS[kind] - {"kind"})
    if unknown:
        raise ConfigurationError(f"A trigger of kind {kind!r} has no {', '.join(map(repr, unknown))}.")
    zone = zone_of(given.get("timezone", "UTC"))
    if kind == "at":
        return Trigger(kind, at=_moment(given.get("at"), zone, "at"), timezone=zone.key)
    if kind == "interval":
        start = given.get("start_at")
        start_at = None if start is None else _moment(start, zone, "start_at")
        return Trigger(kind, every_s=_every(given.get("every_s")), start_at=start_at, timezone=zone.key)
    if kind == "cron":
        expression = given.get("expression")
        if not isinstance(expression, str) or not expression.strip():
            raise ConfigurationError("A cron trigger needs an expression of five fields, such as '0 9 * * mon-fri'.")
        return Trigger(kind, expression=" ".join(expression.split()), timezone=zone.key)
    return Trigger(kind)


def zone_of(name: Any) -> ZoneInfo:
    """A time zone by its IANA name. Raises ConfigurationError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ConfigurationError(f"There is no time zone {name!r}; use an IANA name such as 'Europe/Prague'.") from None


def instant(wall: datetime, zone: ZoneInfo) -> Micros:
    """The instant of a wall-clock time without zone. A time that comes twice (autumn) is its first coming; a time that
    never comes (spring) is the first instant after the gap."""
    first = wall.replace(tzinfo=zone, fold=0)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall:
        return _micros(first)
    # In a gap fold=1 reads the clock with the later offset, which is an instant before the change, fold=0 one after.
    before, after = _micros(wall.replace(tzinfo=zone, fold=1)), _micros(first)
    late_offset = _offset(after, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == late_offset:
            after = middle
        else:
            before = middle
    return after


def latest_interval(trigger: Trigger, created_at: Micros, now: Micros) -> Micros | None:
    """The last instant of an interval up to `now`; the first one is `every_s` after its start, or the start if given."""
    every, start = _step(trigger, created_at)
    return start + (now - start) // every * every if now >= start else None


def next_interval(trigger: Trigger, created_at: Micros, after: Micros) -> Micros:
    """The first instant of an interval later than `after`."""
    every, start = _step(trigger, created_at)
    return start if after < start else start + ((after - start) // every + 1) * every


def is_due(latest: Micros, now: Micros, missed: str) -> bool:
    """Whether an instant that has come is run: when it is on time, or when the policy runs missed ones once."""
    return now - latest <= ON_TIME or missed == "once"


def trigger_key(at: Micros) -> str:
    """The key of a scheduled occasion: its UTC instant, so the same instant is never run twice."""
    return f"at:{(EPOCH + timedelta(microseconds=at)).isoformat()}"


def manual_key(idempotency_key: str) -> str:
    """The key of a manual run. Raises ConfigurationError if it cannot be one."""
    if not 0 < len(idempotency_key) <= 80 or not idempotency_key.isprintable():
        raise ConfigurationError("The idempotency key of a run has 1 to 80 printable characters.")
    return f"manual:{idempotency_key}"


def event_key(name: str) -> str:
    """A name as events are counted under: `Spring mail-out` is `spring_mail_out`."""
    return re.sub(r"\W+", "_", name).strip("_").lower() or "distribution"


def summary(counts: Mapping[str, int]) -> str:
    """What an occasion came to, as a sentence."""
    skipped = {name.removeprefix("skipped."): count for name, count in counts.items() if name.startswith("skipped.")}
    told = f"{counts.get('people', 0)} people were looked at, {counts.get('published', 0)} get something"
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))
    return f"{told}; skipped: {reasons}." if reasons else f"{told}."


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value != "" and is_storable(value, MAX_ID_CHARS)


def _step(trigger: Trigger, created_at: Micros) -> tuple[Micros, Micros]:
    assert trigger.every_s is not None, "an interval has a length"
    every = trigger.every_s * SECOND
    return every, trigger.start_at if trigger.start_at is not None else created_at + every


def _every(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 366 * 86_400:
        raise ConfigurationError("An interval needs every_s, a whole number of seconds from 1 to one year.")
    return value


def _moment(value: Any, zone: ZoneInfo, name: str) -> Micros:
    try:
        read = datetime.fromisoformat(value)
        return instant(read, zone) if read.tzinfo is None else _micros(read)
    except (TypeError, ValueError, OverflowError):
        raise ConfigurationError(
            f"The trigger's {name!r} is a time such as '2026-12-01T09:00', read in its time zone, or with an offset."
        ) from None


def _micros(at: datetime) -> Micros:
    return (at - EPOCH) // timedelta(microseconds=1)


def _offset(at: Micros, zone: ZoneInfo) -> timedelta | None:
    return (EPOCH + timedelta(microseconds=at)).astimezone(zone).utcoffset()
