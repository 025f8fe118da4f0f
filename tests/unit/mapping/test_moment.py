"""The time of a message is a function of its body, its receipt and nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.clock import DAY, HOUR, MINUTE, SECOND
from hub.mapping.values.coerce_time import to_text
from hub.mapping.values.moment import message_time
from tests.unit.mapping.odd_values import JSON

RECEIVED = 1_773_478_800 * SECOND  # 2026-03-14T09:00:00Z


def text(at):
    return to_text(at)


def test_a_time_that_the_sender_s_servers_corrected_stands():
    body = {"receivedAt": text(RECEIVED), "sentAt": text(RECEIVED - DAY)}
    assert message_time(body, RECEIVED, text(RECEIVED - HOUR)) == (RECEIVED - HOUR, None)


def test_a_clock_that_is_a_day_behind_is_moved_by_that_day():
    body = {"sentAt": text(RECEIVED - DAY)}
    assert message_time(body, RECEIVED, text(RECEIVED - DAY - HOUR)) == (RECEIVED - HOUR, None)


def test_a_clock_that_is_a_day_ahead_is_moved_back():
    body = {"sentAt": text(RECEIVED + DAY)}
    assert message_time(body, RECEIVED, text(RECEIVED + DAY - HOUR)) == (RECEIVED - HOUR, None)


def test_a_difference_of_five_minutes_is_the_network_not_the_clock():
    at = text(RECEIVED - HOUR)
    for difference in (0, 5 * MINUTE, -5 * MINUTE):
        assert message_time({"sentAt": text(RECEIVED - difference)}, RECEIVED, at) == (RECEIVED - HOUR, None)
    moved, _ = message_time({"sentAt": text(RECEIVED - 5 * MINUTE - 1)}, RECEIVED, at)
    assert moved == RECEIVED - HOUR + 5 * MINUTE + 1


def test_no_message_is_later_than_its_receipt():
    assert message_time({}, RECEIVED, text(RECEIVED + SECOND)) == (RECEIVED, None)
    assert message_time({}, RECEIVED, text(RECEIVED + DAY)) == (RECEIVED, "time_in_future")


def test_without_a_readable_time_receipt_stands_in():
    assert message_time({}, RECEIVED, None) == (RECEIVED, None)
    assert message_time({}, RECEIVED, "yesterday") == (RECEIVED, "invalid_time")
    assert message_time({}, RECEIVED, "99999-01-01T00:00:00Z") == (RECEIVED, "invalid_time")


def test_an_unreadable_receivedat_or_sentat_is_as_if_it_were_not_there():
    at, sent = text(RECEIVED - DAY - HOUR), text(RECEIVED - DAY)
    assert message_time({"receivedAt": "soon", "sentAt": sent}, RECEIVED, at) == (RECEIVED - HOUR, None)
    assert message_time({"sentAt": None}, RECEIVED, at) == (RECEIVED - DAY - HOUR, None)


def test_epoch_numbers_are_times_too():
    assert message_time({}, RECEIVED, (RECEIVED - HOUR) // 1000) == (RECEIVED - HOUR, None)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["receivedAt", "sentAt", "x"]), JSON) | JSON, JSON)
def test_any_body_gives_a_time_not_later_than_receipt_and_always_the_same(body, at):
    moment, warning = message_time(body, RECEIVED, at)
    assert type(moment) is int
    assert to_text(moment) <= to_text(RECEIVED)
    assert message_time(body, RECEIVED, at) == (moment, warning)
