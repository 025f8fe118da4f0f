"""Time inside the hub: integer microseconds since 1970, UTC. `now` is an argument everywhere; processes pass this."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

Micros = int
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE
DAY: Micros = 24 * HOUR
LATEST: Micros = 253_402_300_799 * SECOND  # the end of the year 9999: no calendar here goes further
_MICRO = timedelta(microseconds=1)


def now() -> Micros:
    """The present instant. Only processes call it; everything below takes `now` as an argument."""
    return time.time_ns() // 1000


def to_datetime(at: Micros) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def from_datetime(at: datetime) -> Micros:
    """Exact, without a float in between."""
    return (at - EPOCH) // _MICRO


def iso(at: Micros) -> str:
    """`2026-03-14T09:00:00.120Z`: milliseconds, the form API answers and logs use."""
    return to_datetime(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
