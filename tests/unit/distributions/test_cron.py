from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.clock import DAY, HOUR, MINUTE, from_datetime, iso
from hub.distributions.cron import Cron, cron
from hub.sdk.errors import ConfigurationError


def utc(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def instants(expression: str, start: str, count: int, zone: str = "Europe/Prague") -> list[str]:
    """The next instants after `start` (UTC), as `25 00:30` in UTC."""
    schedule, at, found = Cron(expression, zone), utc(start), []
    for _ in range(count):
        at = schedule.next(at)
        assert at is not None
        found.append(iso(at)[8:16].replace("T", " "))
    return found


def test_a_fixed_hour_in_the_spring_gap_runs_once_after_it():
    assert instants("30 2 * * *", "2026-03-27T12:00", 3) == ["28 01:30", "29 01:00", "30 00:30"]


def test_a_restart_in_the_hour_after_the_gap_finds_the_same_instants():
    assert instants("30 2 * * *", "2026-03-29T00:59", 1) == ["29 01:00"]
    assert instants("30 2 * * *", "2026-03-29T01:00", 1) == ["30 00:30"]
    assert instants("30 2 * * *", "2026-03-29T01:10", 1) == ["30 00:30"]


def test_a_fixed_hour_that_comes_twice_in_autumn_runs_once():
    assert instants("30 2 * * *", "2026-10-23T12:00", 4) == ["24 00:30", "25 00:30", "26 01:30", "27 01:30"]
    assert instants("30 2 * * *", "2026-10-25T00:30", 1) == ["26 01:30"]


def test_a_job_of_every_half_hour_runs_in_both_autumn_hours_and_skips_no_time_in_spring():
    autumn = instants("*/30 * * * *", "2026-10-24T23:40", 6)
    assert autumn == ["25 00:00", "25 00:30", "25 01:00", "25 01:30", "25 02:00", "25 02:30"]
    assert instants("*/30 * * * *", "2026-03-29T00:10", 3) == ["29 00:30", "29 01:00", "29 01:30"]


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 9 * * 1", ["Mon", "Mon"]),
        ("0 9 * * 0", ["Sun", "Sun"]),
        ("0 9 * * 7", ["Sun", "Sun"]),
        ("0 9 * * 1-5", ["Mon", "Tue", "Wed", "Thu", "Fri", "Mon"]),
        ("0 9 * * mon-fri", ["Mon", "Tue", "Wed", "Thu", "Fri", "Mon"]),
        ("0 9 * * SAT,sun", ["Sat", "Sun", "Sat"]),
        ("0 9 * * 6-1", ["Mon", "Sat", "Sun", "Mon"]),
        ("0 9 * * 5-7", ["Fri", "Sat", "Sun", "Fri"]),
        ("0 9 * * */3", ["Wed", "Sat", "Sun", "Wed"]),
        ("@weekly", ["Sun", "Sun"]),
    ],
)
def test_week_days_are_numbered_from_sunday_as_cron_does(expression: str, days: list[str]):
    schedule, at = Cron(expression, "UTC"), utc("2026-06-01T08:00")  # a Monday
    found = []
    for _ in days:
        at = schedule.next(at)
        assert at is not None
        found.append(datetime.fromisoformat(iso(at)).strftime("%a"))
    assert found == days


def test_where_both_day_fields_are_given_either_may_match():
    assert instants("0 9 13 * fri", "2026-06-01T10:00", 4, "UTC") == ["05 09:00", "12 09:00", "13 09:00", "19 09:00"]


@pytest.mark.parametrize(
    "expression",
    ["* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "0 0 * * 8", "0 0 * * noday", "x * * * *", "@often"],
)
def test_what_is_no_cron_expression_is_refused_with_a_sentence(expression: str):
    with pytest.raises(ConfigurationError, match="cron expression"):
        Cron(expression, "UTC")


def test_an_expression_that_never_matches_has_no_instants():
    schedule = Cron("0 0 30 2 *", "UTC")
    assert schedule.next(0) is None
    assert schedule.latest(0, 100 * DAY) is None


def test_the_latest_instant_of_a_long_outage_is_found_without_walking_through_it():
    every_minute = Cron("* * * * *", "UTC")
    assert every_minute.latest(utc("1990-01-01T00:00"), utc("2026-01-01T00:00:30")) == utc("2026-01-01T00:00")
    leap_day = Cron("0 0 29 2 *", "UTC")
    assert leap_day.latest(utc("2019-01-01T00:00"), utc("2027-01-01T00:00")) == utc("2024-02-29T00:00")


@settings(max_examples=40, deadline=None)
@given(
    expression=st.sampled_from(
        ["*/7 * * * *", "30 2 * * *", "0 */5 * * *", "15 1-3 * * *", "0 0 * * 0", "59 23 31 * *"]
    ),
    start=st.integers(utc("2026-01-01T00:00"), utc("2026-12-01T00:00")),
    length=st.sampled_from([10 * MINUTE, HOUR, DAY, 3 * DAY]),
    zone=st.sampled_from(["UTC", "Europe/Prague", "America/New_York", "Australia/Lord_Howe"]),
)
def test_the_latest_instant_is_the_last_of_those_that_follow_one_another(expression, start, length, zone):
    schedule, until, at, walked = cron(expression, zone), start + length, start, None
    while True:
        following = schedule.next(at)
        if following is None or following > until:
            break
        assert following > at
        at = walked = following
    assert schedule.latest(start, until) == walked
