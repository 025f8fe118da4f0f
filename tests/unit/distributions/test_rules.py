from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.clock import SECOND, from_datetime, to_datetime
from hub.distributions import rules, timing
from hub.distributions.gates import gate
from hub.distributions.values import Audience, Recipient
from hub.sdk.errors import ConfigurationError

PRAGUE = ZoneInfo("Europe/Prague")


def utc(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({}, "needs a kind"),
        ("cron", "needs a kind"),
        ({"kind": "weekly"}, "needs a kind"),
        ({"kind": "manual", "at": "2026-01-01"}, "has no 'at'"),
        ({"kind": "at"}, "is a time such as"),
        ({"kind": "at", "at": "tomorrow"}, "is a time such as"),
        ({"kind": "at", "at": 17}, "is a time such as"),
        ({"kind": "at", "at": "2026-01-01T09:00", "timezone": "Prague"}, "no time zone 'Prague'"),
        ({"kind": "at", "at": "2026-01-01T09:00", "timezone": "../etc/passwd"}, "no time zone"),
        ({"kind": "at", "at": "2026-01-01T09:00", "timezone": 3}, "no time zone"),
        ({"kind": "interval"}, "every_s"),
        ({"kind": "interval", "every_s": 0}, "every_s"),
        ({"kind": "interval", "every_s": True}, "every_s"),
        ({"kind": "interval", "every_s": 1.5}, "every_s"),
        ({"kind": "cron"}, "needs an expression"),
        ({"kind": "cron", "expression": " "}, "needs an expression"),
    ],
)
def test_a_trigger_that_is_none_is_refused_with_a_sentence(given_, words: str):
    with pytest.raises(ConfigurationError, match=words):
        rules.trigger_of(given_)


@pytest.mark.parametrize(
    "given_", [None, {}, {"all": False}, {"all": True, "source_ids": []}, {"source_ids": "ann"}, {"source_ids": [""]},
               {"source_ids": [1]}, {"source_ids": ["x" * 256]}, {"source_ids": ["a\0"]}, {"source_ids": ["\ud800"]}],
)  # fmt: skip
def test_an_audience_that_is_none_is_refused(given_):
    with pytest.raises(ConfigurationError, match="An audience is"):
        rules.audience_of(given_)


def test_an_audience_is_sorted_and_names_nobody_twice():
    assert rules.audience_of({"source_ids": ["b", "a", "b"]}) == Audience(["a", "b"])
    assert rules.audience_of({"all": True}) == Audience(None)


def test_a_local_time_is_read_in_its_zone_and_an_offset_wins_over_the_zone():
    local = rules.trigger_of({"kind": "at", "at": "2026-07-01T09:00", "timezone": "Europe/Prague"})
    offset = rules.trigger_of({"kind": "at", "at": "2026-07-01T09:00+00:00", "timezone": "Europe/Prague"})
    assert local.at == utc("2026-07-01T07:00")
    assert offset.at == utc("2026-07-01T09:00")


def test_a_time_that_never_comes_is_the_first_instant_after_the_gap():
    for minute in (0, 1, 30, 59):
        assert rules.instant(datetime(2026, 3, 29, 2, minute), PRAGUE) == utc("2026-03-29T01:00")  # noqa: DTZ001 - a wall-clock time
    assert rules.instant(datetime(2026, 3, 29, 3, 0), PRAGUE) == utc("2026-03-29T01:00")  # noqa: DTZ001 - as above


def test_a_time_that_comes_twice_is_its_first_coming():
    assert rules.instant(datetime(2026, 10, 25, 2, 30), PRAGUE) == utc("2026-10-25T00:30")  # noqa: DTZ001 - a wall-clock time


@settings(max_examples=100)
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 - wall-clock times
    st.sampled_from(["Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]),
)
def test_an_instant_shows_its_wall_time_or_the_end_of_the_gap_it_fell_into(wall: datetime, name: str):
    zone = ZoneInfo(name)
    shown = to_datetime(rules.instant(wall, zone)).astimezone(zone).replace(tzinfo=None)
    assert shown >= wall
    if shown != wall:  # only the very end of a gap may be later, and nothing between exists
        before = to_datetime(rules.instant(wall, zone) - 1).astimezone(zone).replace(tzinfo=None)
        assert before < wall


def test_an_interval_counts_from_its_start_or_from_one_length_after_it_was_made():
    plain = rules.trigger_of({"kind": "interval", "every_s": 60})
    assert timing.next_at(plain, 100 * SECOND, 100 * SECOND) == 160 * SECOND
    assert timing.next_at(plain, 100 * SECOND, 160 * SECOND) == 220 * SECOND
    assert timing.latest_at(plain, 100 * SECOND, 100 * SECOND, 159 * SECOND) is None
    assert timing.latest_at(plain, 100 * SECOND, 100 * SECOND, 500 * SECOND) == 460 * SECOND
    given_ = {"kind": "interval", "every_s": 60, "start_at": "1970-01-01T00:10:00"}
    started = rules.trigger_of(given_)
    assert timing.next_at(started, 0, 0) == 600 * SECOND
    assert timing.latest_at(started, 0, 0, 600 * SECOND) == 600 * SECOND


@settings(max_examples=80)
@given(st.integers(1, 5_000), st.integers(0, 10_000), st.integers(0, 100_000))
def test_the_latest_instant_is_the_one_before_the_next(every: int, created: int, now: int):
    trigger = rules.trigger_of({"kind": "interval", "every_s": every})
    created, now = created * SECOND, now * SECOND
    latest = timing.latest_at(trigger, created, created, now)
    following = timing.next_at(trigger, created, now)
    assert following is not None
    assert following > now
    if latest is not None:
        assert following - latest == every * SECOND
        assert latest <= now


def test_a_time_fires_once_and_only_when_it_comes():
    trigger = rules.trigger_of({"kind": "at", "at": "2026-01-01T09:00"})
    at = utc("2026-01-01T09:00")
    assert timing.next_at(trigger, 0, at - 1) == at
    assert timing.next_at(trigger, 0, at) is None
    assert timing.latest_at(trigger, 0, 0, at - 1) is None
    assert timing.latest_at(trigger, 0, 0, at + 9) == at
    assert timing.latest_at(trigger, 0, at, at + 9) is None


def test_a_trigger_in_the_past_is_refused_when_it_is_set():
    with pytest.raises(ConfigurationError, match=r"2026-01-01T09:00:00\.000Z lies in the past"):
        timing.check_trigger({"kind": "at", "at": "2026-01-01T09:00"}, utc("2026-01-01T09:00"))
    with pytest.raises(ConfigurationError, match="never fire"):
        timing.check_trigger({"kind": "cron", "expression": "0 0 30 2 *"}, utc("2026-01-01T09:00"))


@pytest.mark.parametrize(
    ("late_s", "missed", "runs"),
    [(0, "skip", True), (60, "skip", True), (61, "skip", False), (9_999_999, "once", True)],
)
def test_an_instant_runs_when_on_time_and_later_by_the_policy(late_s: int, missed: str, runs: bool):
    assert rules.is_due(0, late_s * SECOND, missed) is runs


def test_the_key_of_a_scheduled_run_is_its_utc_instant():
    assert rules.trigger_key(utc("2026-01-01T09:00")) == "at:2026-01-01T09:00:00+00:00"


@pytest.mark.parametrize("key", ["", "x" * 81, "a\nb", "\0"])
def test_an_idempotency_key_must_fit_its_column(key: str):
    with pytest.raises(ConfigurationError):
        rules.manual_key(key)


@pytest.mark.parametrize(
    ("recipient", "consent", "enabled", "reason"),
    [
        (Recipient("a"), "", True, ""),
        (Recipient("a"), "", False, "disabled"),
        (Recipient("a", is_known=False), "", False, "unknown_profile"),
        (Recipient("a", is_erased=True, is_known=False), "email", True, "erased"),
        (Recipient("a"), "email", True, "no_consent"),
        (Recipient("a", consents={"email": None}), "email", True, "no_consent"),
        (Recipient("a", consents={"email": False}), "email", True, "no_consent"),
        (Recipient("a", consents={"sms": True}), "email", True, "no_consent"),
        (Recipient("a", consents={"email": True}), "email", True, ""),
    ],
)
def test_a_gate_names_why_somebody_gets_nothing(recipient: Recipient, consent: str, enabled: bool, reason: str):
    assert gate(recipient, consent, enabled) == reason


def test_an_occasion_is_told_in_a_sentence():
    counts = {"people": 5, "published": 3, "skipped.no_consent": 1, "skipped.out_of_codes": 1}
    told = "5 people were looked at, 3 get something; skipped: 1 no_consent, 1 out_of_codes."
    assert rules.summary(counts) == told
    assert rules.summary({}) == "0 people were looked at, 0 get something."
    assert rules.event_key("Spring mail-out!") == "spring_mail_out"
    assert rules.event_key("!!") == "distribution"
