"""What a message is remembered by, and how requests become rows."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.inbox.codec import MAX_ID, ROW_MESSAGES, bounded_id, decode, encode, identify
from hub.inbox.values import AcceptedRequest
from hub.sdk.values import RawMessage

TIMED = b'{"type":"delete","userId":"u","timestamp":"2026-03-14T09:00:00Z"}'
UNTIMED = b'{"type":"track","userId":"u","event":"Seen"}'


def test_the_senders_id_is_kept_exactly():
    assert identify("c", RawMessage(b"{}", "ajs-next-1")) == ("ajs-next-1", False)


def test_without_an_id_the_same_timed_body_is_the_same_message():
    assert identify("c", RawMessage(TIMED)) == identify("c", RawMessage(TIMED))
    assert identify("c", RawMessage(TIMED))[1] is False
    assert identify("c", RawMessage(TIMED))[0] != identify("other", RawMessage(TIMED))[0]
    assert identify("c", RawMessage(TIMED))[0] != identify("c", RawMessage(TIMED + b" "))[0]


@pytest.mark.parametrize("name", ["timestamp", "originalTimestamp", "timestamp_ms", "timestamp_unixtime_ms", "time"])
def test_a_time_is_known_by_the_names_that_senders_give_it(name):
    body = json.dumps({"userId": "u", name: 1_773_480_000_000}).encode()
    assert identify("c", RawMessage(body)) == identify("c", RawMessage(body))


def test_without_an_id_and_a_time_every_body_is_a_message_of_its_own():
    first, second = identify("c", RawMessage(UNTIMED)), identify("c", RawMessage(UNTIMED))
    assert first[0] != second[0]
    assert first[1] is second[1] is True


def test_what_the_batch_stamped_on_a_message_does_not_make_it_another():
    """A client that sends a batch again writes a new time on the batch, which is copied into each body."""
    first = RawMessage(TIMED[:-1] + b',"sentAt":"1"}', element=TIMED)
    again = RawMessage(TIMED[:-1] + b',"sentAt":"2"}', element=TIMED)
    assert identify("c", first) == identify("c", again)


def test_the_time_of_the_batch_is_not_the_messages_own():
    assert identify("c", RawMessage(UNTIMED[:-1] + b',"timestamp":"1"}', element=UNTIMED))[1] is True


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"7", b'"text"', b"{", b'{"timestamp":null}', b'{"timestamp":""}', b"\xff"]
)
def test_bodies_without_a_time_get_fresh_ids_whatever_they_are(body):
    assert identify("c", RawMessage(body))[1] is True


def test_an_empty_id_is_no_id():
    assert identify("c", RawMessage(TIMED, ""))[0].startswith("body:")


@pytest.mark.parametrize("message_id", ["x" * (MAX_ID + 1), "a\0b", "\ud800", "ü" * 10_000])
def test_ids_a_database_refuses_are_stored_as_hashes(message_id):
    stored = bounded_id(message_id)
    assert stored.startswith("hash:")
    assert len(stored) <= MAX_ID
    assert stored == bounded_id(message_id) != bounded_id(message_id + "!")


@pytest.mark.parametrize("message_id", ["a", "x" * MAX_ID, "zoë", "😀", " spaced "])
def test_other_ids_are_stored_as_they_are(message_id):
    assert bounded_id(message_id) == message_id


@given(
    st.lists(
        st.builds(
            RawMessage,
            st.binary(max_size=50),
            st.text(st.characters(), min_size=1, max_size=20),
            st.none() | st.text(max_size=10),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_row_is_decoded_to_what_was_encoded(messages):
    (row,) = encode(AcceptedRequest("c", 7, messages))
    found = list(decode("c", 7, row.heads, row.bodies))
    assert row.message_count == len(messages)
    assert [(m.message_id, m.body, m.profile_hint, m.is_authentic, m.received_at) for m in found] == [
        (bounded_id(m.dedup_key), m.body, m.profile_hint, m.authentic, 7) for m in messages
    ]


def test_reading_a_row_again_gives_the_same_ids_made_up_ones_included():
    (row,) = encode(AcceptedRequest("c", 7, [RawMessage(UNTIMED), RawMessage(UNTIMED)]))
    assert list(decode("c", 7, row.heads, row.bodies)) == list(decode("c", 7, row.heads, row.bodies))


def test_a_large_request_becomes_several_rows_with_every_message_once():
    messages = [RawMessage(b"%d" % number, f"m{number}") for number in range(2 * ROW_MESSAGES + 1)]
    rows = encode(AcceptedRequest("c", 7, messages))
    assert [row.message_count for row in rows] == [ROW_MESSAGES, ROW_MESSAGES, 1]
    found = [message for row in rows for message in decode("c", 7, row.heads, row.bodies)]
    assert [message.body for message in found] == [message.body for message in messages]
