"""Times as people write them in filters."""

from __future__ import annotations

import pytest

from hub.core.clock import DAY, HOUR, MINUTE, SECOND, from_datetime, iso, to_datetime
from hub.core.filters import read_moment

NOW = from_datetime(to_datetime(0).replace(year=2026, month=12, day=1, hour=9, minute=30))


@pytest.mark.parametrize(
    ("text", "ago"),
    [("now", 0), ("90s", 90 * SECOND), ("15m", 15 * MINUTE), ("2h", 2 * HOUR), ("1D", DAY), (" 2w ", 14 * DAY)],
)
def test_a_span_is_counted_back_from_now(text: str, ago: int) -> None:
    assert read_moment(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("today", "2026-12-01T00:00:00.000Z"),
        ("yesterday", "2026-11-30T00:00:00.000Z"),
        ("2026-11-02", "2026-11-02T00:00:00.000Z"),
        ("2026-11-02T09:00", "2026-11-02T09:00:00.000Z"),
        ("2026-11-02T09:00:01.5+01:00", "2026-11-02T08:00:01.500Z"),
    ],
)
def test_a_day_or_an_instant_is_utc_unless_it_says_otherwise(text: str, meant: str) -> None:
    assert iso(read_moment(text, NOW)) == meant


@pytest.mark.parametrize("text", ["", "soon", "2 months", "-1h", "1999999999h", "2026-13-01"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        read_moment(text, NOW)
