"""Stamps: which of two words about one thing counts."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mapping.model import REMOVED, Consent
from hub.profiles.rules.stamps import (
    address_subject,
    bounded,
    consent_stamp,
    consent_wins,
    contribution,
    join,
    matched,
    merge,
    message_key,
    short_hash,
    stricter,
    value_of,
    wins,
    withdraw,
)
from tests.rooms.profiles.people import NOW, SECOND, change

ENTRIES = st.builds(
    lambda at, key, value: [at, key, 0] if value is None else [at, key, 0, value],
    st.integers(0, 4),
    st.sampled_from("ABC"),
    st.sampled_from([None, 1, "x", [1]]),
)


def said(**fields):
    return {name: list(entry) for name, entry in fields.items()}


def test_the_later_word_wins_and_ties_go_to_the_greater_message_key():
    assert wins([2, "A", 0, "new"], [1, "B", 0, "old"])
    assert not wins([1, "B", 0, "old"], [2, "A", 0, "new"])
    assert wins([1, "B", 0, 1], [1, "A", 0, 2])
    assert not wins([1, "A", 0, 2], [1, "B", 0, 1])


def test_a_message_that_is_applied_again_wins_over_itself_even_with_an_earlier_time():
    assert wins([1, "A", 1, "corrected"], [9, "A", 0, "first"])
    assert not wins([9, "A", 0, "first"], [1, "A", 1, "corrected"])


def test_the_same_word_twice_changes_nothing():
    document = said(email=[1, "A", 0, "a@b.c"])
    assert not merge(document, said(email=[1, "A", 0, "a@b.c"]))


@given(st.lists(ENTRIES, max_size=4))
def test_merging_first_words_depends_on_no_order(entries):
    results = set()
    for order in permutations(entries):
        document = {}
        for entry in order:
            merge(document, {"f": list(entry)})
        results.add(repr(document))
    assert len(results) == 1


def test_a_removed_trait_stays_removed_when_older_values_arrive_late():
    document = said(email=[5, "B", 0])
    assert not merge(document, said(email=[4, "A", 0, "late@b.c"]))
    assert value_of(document["email"]) is REMOVED
    assert merge(document, said(email=[6, "A", 0, "newer@b.c"]))


def test_a_default_fills_but_never_overwrites_whenever_it_comes():
    filling = contribution(change(at=900, fields={"locale": "en"}, defaults={"locale"}), "K", 0, NOW)
    document = {}
    merge(document, filling)
    assert value_of(document["locale"]) == "en"
    merge(document, contribution(change(at=1, fields={"locale": "de"}), "J", 0, NOW))
    merge(document, contribution(change(at=999, fields={"locale": "fr"}, defaults={"locale"}), "L", 0, NOW))
    assert value_of(document["locale"]) == "de"


def test_a_value_from_before_1970_still_beats_a_default():
    ancient = change(fields={"name": "Ada"})._replace(at=-5 * SECOND)
    document = contribution(ancient, "A", 0, NOW)
    merge(document, contribution(change(fields={"name": "?"}, defaults={"name"}), "Z", 0, NOW))
    assert value_of(document["name"]) == "Ada"


def test_a_field_with_its_own_time_is_stamped_with_it_but_never_beyond_receipt():
    own = contribution(change(at=10, fields={"a": 1, "b": 2}, field_times={"a": 5, "b": 10**9}), "K", 0, NOW)
    assert own["a"][0] == NOW - 1_000_000 * SECOND + 5 * SECOND
    assert own["b"][0] == NOW


def test_withdrawing_marks_only_what_that_message_said_before():
    document = said(email=[5, "A", 0, "a@b.c"], name=[4, "B", 0, "Ada"], phone=[5, "A", 2, "+1"])
    assert withdraw(document, "A", 2)
    assert value_of(document["email"]) is REMOVED
    assert value_of(document["name"]) == "Ada"
    assert value_of(document["phone"]) == "+1"


def test_an_older_value_returns_over_a_withdrawn_one_only_when_it_is_applied_again():
    document = said(email=[5, "A", 0, "a@b.c"])
    withdraw(document, "A", 3)
    assert not merge(document, said(email=[4, "B", 0, "late@b.c"]))
    assert merge(document, said(email=[4, "B", 3, "replayed@b.c"]))
    assert value_of(document["email"]) == "replayed@b.c"


def test_an_explicit_removal_by_a_replayed_message_is_no_withdrawal():
    document = said(email=[5, "A", 3])
    assert not merge(document, said(email=[4, "B", 3, "older@b.c"]))


def test_an_id_that_returns_years_later_with_another_body_still_ends_the_same():
    words = [[1, "A", 0, {"b": 1, "a": 2}], [1, "A", 0, {"a": 3}], [1, "A", 0], [2, "A", 0, "z"]]
    ends = set()
    for order in permutations(words):
        document = {}
        for word in order:
            merge(document, {"f": list(word)})
        ends.add(repr(document))
    assert len(ends) == 1


def test_joining_rows_of_one_person_takes_the_latest_word_of_all():
    joined = join([said(email=[1, "A", 0, "old"], name=[3, "A", 0, "Ada"]), said(email=[2, "B", 0])])
    assert value_of(joined["email"]) is REMOVED
    assert value_of(joined["name"]) == "Ada"


def test_a_refusal_at_the_same_moment_wins_whatever_the_message_keys():
    yes = consent_stamp(Consent("email", True, 5 * SECOND), "Z", 0, NOW)
    no = consent_stamp(Consent("email", False, 5 * SECOND), "A", 0, NOW)
    assert consent_wins(no, yes)
    assert not consent_wins(yes, no)
    later = consent_stamp(Consent("email", True, 6 * SECOND), "A", 0, NOW)
    assert consent_wins(later, no)


def test_a_corrected_mapping_may_turn_a_refusal_of_the_same_message_into_a_grant():
    no = consent_stamp(Consent("email", False, 5 * SECOND), "A", 0, NOW)
    yes = consent_stamp(Consent("email", True, 5 * SECOND), "A", 1, NOW)
    assert consent_wins(yes, no)
    assert not consent_wins(no, yes)


def test_the_stricter_word_counts():
    assert stricter(["granted", "denied"]) == "denied"
    assert stricter(["granted", "unknown"]) == "granted"
    assert stricter([]) == "unknown"


def test_keys_are_bounded_stored_by_both_engines_and_never_confused():
    assert bounded("a\0b", 10) == "a\ufffdb"
    assert bounded("\ud800", 10) == "\ufffd"
    assert len(bounded("x" * 5_000, 255)) <= 255
    assert bounded("x" * 5_000, 255) != bounded("x" * 5_001, 255)
    assert matched("email", "Ada@B.c") == "ada@b.c"
    assert matched("anonymous_id", "AbC") == "AbC"


def test_message_keys_are_16_characters_for_ever_the_same():
    assert message_key("c", "m") == message_key("c", "m") == short_hash("c\0m")
    assert len(message_key("c", "m")) == 16
    assert message_key("cm", "") != message_key("c", "m")


@pytest.mark.parametrize(
    ("told", "subject"),
    [
        ("Ada@Example.com ", "ada@example.com"),
        ("+48 500-000-001", "+48500000001"),
        ("48500000001", "+48500000001"),
        ("0048500000001", "+48500000001"),
        ("A-token", "A-token"),
        ("12", "12"),
        ("+48 500 call me", "+48 500 call me"),
    ],
)
def test_an_address_is_known_however_it_is_written(told, subject):
    assert address_subject(told) == subject
