"""The survivor of linked source_ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.profiles.rules.clusters import survivors

PAIRS = st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from("abcdefg")), max_size=10)


def test_a_chain_ends_at_the_one_who_is_nobodys_loser():
    assert survivors([("a", "b"), ("b", "c")]) == {"a": "c", "b": "c", "c": "c"}


def test_of_two_ends_the_smallest_survives():
    assert set(survivors([("b", "y"), ("b", "x")]).values()) == {"x"}


def test_in_a_circle_the_smallest_survives():
    assert set(survivors([("b", "c"), ("c", "a"), ("a", "b")]).values()) == {"a"}


def test_a_link_to_oneself_says_nothing():
    assert survivors([("a", "a")]) == {}
    assert survivors([("a", "a"), ("a", "b")]) == {"a": "b", "b": "b"}


def test_strangers_stay_strangers():
    assert survivors([("a", "b"), ("x", "y")]) == {"a": "b", "b": "b", "x": "y", "y": "y"}


@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_and_repetition_of_links_change_nothing(pairs, random):
    again = pairs + pairs[:3]
    random.shuffle(again)
    assert survivors(again) == survivors(pairs)


@given(PAIRS)
def test_every_cluster_has_one_survivor_who_is_its_own(pairs):
    chosen = survivors(pairs)
    for loser, survivor in pairs:
        if loser != survivor:
            assert chosen[loser] == chosen[survivor]
    assert all(chosen[survivor] == survivor for survivor in chosen.values())
