"""Cron expressions, as cron reads them, on top of APScheduler's fields.

Three things differ from APScheduler's own reading of a crontab line, and are put right here: numbers of week days start
at Sunday; where both day fields are restricted either may match; and a fixed hour that comes twice in an autumn night
runs once, while an hour field that starts with `*` runs in both.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from hub.core.clock import DAY, HOUR, MINUTE, Micros, from_datetime, to_datetime
from hub.distributions.rules import instant, zone_of
from hub.sdk.errors import ConfigurationError

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WINDOWS = (MINUTE, HOUR, DAY, 31 * DAY, 366 * DAY, 9 * 366 * DAY)  # 29 February may be eight years apart
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class Cron:
    """A cron expression in a time zone. Raises ConfigurationError if it is none."""

    def __init__(self, expression: str, timezone: str) -> None:
        fields = _ALIASES.get(expression.lower(), expression).split()
        if len(fields) != 5:
            raise ConfigurationError(
                f"The cron expression {expression!r} has {len(fields)} fields; it needs five: minute, hour, day of the"
                " month, month, day of the week."
            )
        minute, hour, day, month, weekday = fields
        self._zone: ZoneInfo = zone_of(timezone)
        self._every_hour = hour.startswith("*")
        days = [(day, "*")] if weekday == "*" else [("*", _weekdays(weekday, expression))]
        if day != "*" and weekday != "*":
            days.append((day, "*"))
        try:
            self._triggers = [
                CronTrigger(minute=minute, hour=hour, day=one, month=month, day_of_week=week, timezone=self._zone)
                for one, week in days
            ]
        except ValueError as error:
            raise ConfigurationError(f"The cron expression {expression!r} is not valid: {error}.") from error

    def next(self, after: Micros) -> Micros | None:
        """The first instant later than `after`, or None if there is none."""
        found = [at for at in (self._next(trigger, after) for trigger in self._triggers) if at is not None]
        return min(found, default=None)

    def latest(self, after: Micros, until: Micros) -> Micros | None:
        """The last instant later than `after` and not later than `until`, or None. Looks back in growing windows."""
        for window in _WINDOWS:
            start = max(after, until - window)
            found = None
            at = self.next(start)
            while at is not None and at <= until:
                found, at = at, self.next(at)
            if found is not None or start == after:
                return found
        return None

    def _next(self, trigger: CronTrigger, after: Micros) -> Micros | None:
        start = to_datetime(after + 1).astimezone(self._zone)
        while True:
            found: datetime | None = trigger.get_next_fire_time(None, start)
            if found is None:
                return None
            at = from_datetime(found)
            wall = found.replace(tzinfo=None, fold=0)
            first = instant(wall, self._zone)
            if first == at or (found.fold and self._every_hour):
                return at
            if first > after:  # the wall time stands in a spring gap: the first instant after it
                return first
            start = to_datetime(at + 1).astimezone(self._zone)  # the second coming of an autumn hour


@lru_cache(maxsize=512)
def cron(expression: str, timezone: str) -> Cron:
    """A parsed expression, kept. Raises ConfigurationError."""
    return Cron(expression, timezone)


def _weekdays(field: str, expression: str) -> str:
    """A week-day field as names, which mean the same to everybody: `1-5` is mon to fri, `0` and `7` are Sunday."""
    chosen: set[int] = set()
    for part in field.lower().split(","):
        match = re.fullmatch(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]+))?", part)
        if not match:
            raise ConfigurationError(f"{part!r} in the cron expression {expression!r} is not a day of the week.")
        first, last, step = match.groups()
        low, high = (0, 6) if first == "*" else (_weekday(first, expression), _weekday(last or first, expression))
        if first != "*" and step and not last:
            high = 6
        if high < low:
            high += 7  # sat-mon, fri-0
        chosen.update(day % 7 for day in range(low, high + 1, max(1, int(step or 1))))
    return ",".join(_DAYS[day] for day in sorted(chosen))


def _weekday(text: str, expression: str) -> int:
    if text.isdigit() and int(text) <= 7:
        return int(text)
    if text in _DAYS:
        return _DAYS.index(text)
    raise ConfigurationError(f"{text!r} in the cron expression {expression!r} is not a day of the week (0-7, sun-sat).")
