"""Dates, instants and the forms vendors want them in."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.clock import from_datetime
from hub.mapping.values.coerce import Failed, coercion, datetime_us
from hub.mapping.values.coerce_time import to_text

INSTANTS = st.datetimes(datetime(1900, 1, 2), datetime(2200, 12, 30))  # noqa: DTZ001 - the zone is added by the tests


def instant(value, **options):
    return coercion("datetime", options)(value)


def day(value):
    return coercion("date")(value)


def form(value, pattern):
    return coercion("format", {"format": pattern})(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-03-14T09:00:00.120Z", "2026-03-14T09:00:00.120000Z"),
        ("2026-03-14T09:00:00.000Z", "2026-03-14T09:00:00Z"),
        ("2026-03-14T09:00:00Z", "2026-03-14T09:00:00Z"),
        ("2026-03-14T09:00:00.123456789Z", "2026-03-14T09:00:00.123456Z"),
        ("2026-03-14T09:00:00,5Z", "2026-03-14T09:00:00.500000Z"),
        ("2026-03-14T09:00:00.12 Z", "2026-03-14T09:00:00.120000Z"),
        ("2026-03-14T10:00:00+01:00", "2026-03-14T09:00:00Z"),
        ("2026-03-14T04:30:00-0430", "2026-03-14T09:00:00Z"),
        ("2026-03-14T10+01", None),
        ("2026-03-14 09:00:00", "2026-03-14T09:00:00Z"),
        ("2026-03-14 09:00:00 UTC", "2026-03-14T09:00:00Z"),
        ("2026-03-14T09:00", "2026-03-14T09:00:00Z"),
        ("20260314T090000Z", "2026-03-14T09:00:00Z"),
        ("20260314", "2026-03-14T00:00:00Z"),
        ("2026-03-14", "2026-03-14T00:00:00Z"),
        (" 2026-03-14t09:00:00z ", "2026-03-14T09:00:00Z"),
        (1773478800, "2026-03-14T09:00:00Z"),
        (1773478800.25, "2026-03-14T09:00:00.250000Z"),
        (1773478800120, "2026-03-14T09:00:00.120000Z"),
        (1773478800120456, "2026-03-14T09:00:00.120456Z"),
        ("1773478800120", "2026-03-14T09:00:00.120000Z"),
        (-86400, "1969-12-31T00:00:00Z"),
        ("1900-01-01", "1900-01-01T00:00:00Z"),
        ("2200-12-31T23:59:59.999999Z", "2200-12-31T23:59:59.999999Z"),
    ],
)
def test_an_instant_is_read_from_iso_text_or_an_epoch_number(value, text):
    if text is None:
        assert isinstance(instant(value), Failed)
    else:
        assert instant(value) == text


@pytest.mark.parametrize(
    "value",
    [
        "1899-12-31T23:59:59Z", "2201-01-01", "1900-01-01T00:00:00+00:01", "2200-12-31T23:59:59-01:00", "99999-01-01",
        "2026-02-30", "2026-13-01", "2026-03-14T25:00:00Z", "2026-03-14T09:60:00Z", "2026-03-14T09:00:60Z", "14/03/2026",
        "yesterday", "2026", "2026-03", "", "17", True, None, [], {}, math.nan, math.inf, 10**30, "٢٠٢٦-03-14",
        "2026-0314", "2026-03-14T09:00:00+25:00", "Sat, 14 Mar 2026 09:00:00 GMT", 1e18,
    ],
)  # fmt: skip
def test_what_is_no_instant_between_1900_and_2200_fails(value):
    assert instant(value).code == "invalid_datetime"


def test_a_unit_beats_the_magnitude():
    assert instant(1773478800, unit="ms") == "1970-01-21T12:37:58.800000Z"
    assert instant("1773478800", unit="s") == "2026-03-14T09:00:00Z"
    assert instant("20260314", unit="s") == "1970-08-23T11:51:54Z"
    assert instant("2026-03-14", unit="s") == "2026-03-14T00:00:00Z"


def test_text_without_a_zone_is_in_the_zone_of_the_row():
    assert instant("2026-03-14 10:00:00", zone="Europe/Berlin") == "2026-03-14T09:00:00Z"
    assert instant("2026-03-14T10:00:00", zone="Europe/Berlin") == "2026-03-14T09:00:00Z"
    assert instant("2026-07-14", zone="Europe/Berlin") == "2026-07-13T22:00:00Z"
    assert instant("2026-03-14T10:00:00Z", zone="Europe/Berlin") == "2026-03-14T10:00:00Z"
    assert instant("2026-03-14 10:00:00 UTC", zone="Europe/Berlin") == "2026-03-14T10:00:00Z"


def test_a_local_time_that_occurs_twice_means_the_first():
    assert instant("2026-10-25 02:30:00", zone="Europe/Berlin") == "2026-10-25T00:30:00Z"
    assert instant("2026-10-25T02:30:00", zone="Europe/Berlin") == "2026-10-25T00:30:00Z"


@settings(max_examples=200, deadline=None)
@given(INSTANTS, st.integers(-14 * 60, 14 * 60))
def test_every_instant_reads_the_same_in_every_zone_and_spelling(at, offset):
    aware = at.replace(tzinfo=UTC)
    expected = from_datetime(aware)
    local = aware.astimezone(timezone(timedelta(minutes=offset)))
    for text in (aware.isoformat(), local.isoformat(), local.isoformat(" "), aware.strftime("%Y%m%dT%H%M%S.%fZ")):
        assert datetime_us(text) == expected
    assert datetime_us(to_text(expected)) == expected
    assert instant(aware.isoformat()) == to_text(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1988-11-02", "1988-11-02"), ("1988-11-02T23:30:00-11:00", "1988-11-02"), ("1988-11-02T00:00:00.000Z", "1988-11-02"),
        ("19881102", "1988-11-02"), ("2000-02-29", "2000-02-29"), ("1850-01-01", "1850-01-01"), (" 1988-11-02 ", "1988-11-02"),
    ],
)  # fmt: skip
def test_a_date_is_the_calendar_day_as_written(value, expected):
    assert day(value) == expected


@pytest.mark.parametrize(
    "value",
    ["1990-02-30", "1900-02-29", "0000-01-01", "1988-11-02 blah", "02.11.1988", 19881102, "1988-11", "", None, [], "1988-11-02T25:00"],
)  # fmt: skip
def test_a_day_that_is_not_in_the_calendar_is_no_date(value):
    assert day(value).code == "invalid_date"


def test_formats_that_vendors_ask_for():
    at = "2026-03-14T09:00:00.120456Z"
    assert form(at, "iso") == "2026-03-14T09:00:00.120+00:00"
    assert form(at, "iso_z") == "2026-03-14T09:00:00.120Z"
    assert form(at, "iso_seconds") == "2026-03-14T09:00:00Z"
    assert form(at, "unix") == 1773478800
    assert form(at, "unix_ms") == 1773478800120
    assert form(at, "%d/%m/%Y %H:%M") == "14/03/2026 09:00"
    assert form(at, "$D_%s") == "$D_1773478800"
    assert form("1969-12-31T23:59:59.500000Z", "unix") == -1
    assert form("1988-11-02", "%m/%d/%Y") == "11/02/1988"
    assert form("1850-11-02", "%m/%d/%Y") == "11/02/1850"
    assert coercion("date", {"format": "unix"})("1970-01-02") == 86400
    for bad in ("soon", None, {}, "1990-02-30"):
        assert isinstance(form(bad, "iso"), Failed)
