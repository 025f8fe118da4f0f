"""The survivor of linked source_ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.mapping.anonymous import anonymous_key, is_anonymous
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


# ── anonymous ids ────────────────────────────────────────────────────────────────────────────────────────────────

A1, A2, A3 = (anonymous_key("anonymous_id", name) for name in ("1", "2", "3"))
MIXED = st.lists(st.tuples(st.sampled_from(["a", "b", "c", A1, A2, A3]), st.sampled_from(["a", "b", "c", A1, A2, A3])))


def test_an_anonymous_id_belongs_to_the_one_person_it_is_linked_to():
    assert survivors([(A1, "a")]) == {A1: "a", "a": "a"}
    assert survivors([(A1, "a"), ("a", "b"), (A1, "b")]) == {A1: "b", "a": "b", "b": "b"}


def test_a_shared_device_belongs_to_nobody_and_makes_nobody_one():
    assert survivors([(A1, "a"), (A1, "b")]) == {A1: A1, "a": "a", "b": "b"}


def test_a_shared_device_belongs_to_both_once_they_are_one_person():
    assert set(survivors([(A1, "a"), (A1, "b"), ("b", "c"), ("a", "c")]).values()) == {"c"}


def test_anonymous_ids_linked_to_each_other_belong_to_the_one_person_of_all_of_them():
    assert set(survivors([(A1, A2), (A2, A3), (A3, "a")]).values()) == {"a"}
    assert survivors([(A1, A2), (A1, "a"), (A2, "b")]) == {A1: A2, A2: A2, "a": "a", "b": "b"}


def test_an_anonymous_id_gives_way_whichever_way_round_the_link_is():
    assert survivors([("a", A1)]) == survivors([(A1, "a")])


@given(MIXED, st.randoms(use_true_random=False))
def test_links_of_anonymous_ids_never_join_people(pairs, random):
    random.shuffle(pairs)
    chosen = survivors(pairs)
    people = [pair for pair in pairs if not any(map(is_anonymous, pair))]
    alone = survivors(people)
    for one, root in chosen.items():
        if is_anonymous(one):
            reached = {chosen[end] for pair in pairs if one in pair for end in pair if not is_anonymous(end)}
            assert is_anonymous(root) or reached <= {root}
        else:
            assert root == alone.get(one, one)
