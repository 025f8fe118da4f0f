from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.campaigns import rules
from hub.sdk.errors import ConfigurationError

CHARSETS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=2, max_size=40)


@settings(max_examples=60)
@given(CHARSETS, st.integers(2, 8), st.integers(0, 2**32))
def test_drawn_codes_differ_and_fit_the_pattern(letters: str, slots: int, seed: int):
    charset = rules.clean_charset(letters)
    pattern = rules.full_pattern("", slots, "A-", "-Z")
    count = min(50, rules.usable(pattern, charset))
    codes = rules.draw_distinct(pattern, charset, count, random.Random(seed))
    assert len(set(codes)) == count
    for code in codes:
        assert code.startswith("A-")
        assert code.endswith("-Z")
        assert len(code) == slots + 4
        assert set(code[2:-2]) <= set(charset)


def test_every_code_of_a_small_space_can_be_drawn():
    source = random.Random(1)
    drawn = {rules.draw("x##", "ab", source) for _ in range(200)}
    assert drawn == {"xaa", "xab", "xba", "xbb"}


def test_the_default_charset_has_no_look_alikes():
    assert not set(rules.DEFAULT_CHARSET) & set("0O1IL")
    assert rules.clean_charset("") == rules.DEFAULT_CHARSET
    assert rules.clean_charset("abca") == "abc"


def test_a_pattern_wins_over_a_length():
    assert rules.full_pattern("##-##", 9, "P", "S") == "P##-##S"
    assert rules.full_pattern("", 3, "P", "") == "P###"


@pytest.mark.parametrize(
    ("pattern", "charset", "expected", "words"),
    [
        ("SUMMER", "ABC", 0, "every code would be the same"),
        ("##", "ABC", 0, "allows 4 codes"),
        ("####", rules.DEFAULT_CHARSET, 1_000_000, "1000000 are needed"),
        ("####", "AB#", 0, "leave it out"),
        ("## ##", "ABC", 0, "spaces"),
        ("####\0", "ABC", 0, "control characters"),
        ("#" * 101, "ABC", 0, "too long"),
    ],
)
def test_a_pattern_that_cannot_serve_is_refused_with_a_sentence(pattern: str, charset: str, expected: int, words: str):
    with pytest.raises(ConfigurationError, match=words):
        rules.check_pattern(pattern, charset, expected)


def test_a_slot_mark_in_the_prefix_is_refused():
    with pytest.raises(ConfigurationError, match="Prefix and postfix"):
        rules.full_pattern("", 8, "#1-", "")


def test_an_imported_list_is_sorted_out_with_a_sentence_per_bad_code():
    good, bad = rules.sort_out([" A1 ", "B2", "A1", "", "x" * 101, "C\0", "C\ud800"])
    assert good == ["A1", "B2"]
    assert len(bad) == 4
    assert "more than once" in bad["A1"]


@pytest.mark.parametrize(
    ("expires_at", "valid_s", "ends"),
    [(None, None, None), (50_000_000, None, 50_000_000), (None, 10, 15_000_000), (12_000_000, 10, 12_000_000)],
)
def test_a_code_ends_with_its_campaign_or_after_its_own_time(expires_at, valid_s, ends):
    assert rules.expiry(expires_at, valid_s, 5_000_000) == ends
