"""How a profile looks to outbound mappings and to the public."""

from __future__ import annotations

from hub.mapping.model import REMOVED
from hub.profiles.rules.views import ConsentStatement, consents_of, public, public_order, view

DOCUMENT = {
    "email": [1, "K", 0, "a@b.c"],
    "phone": [2, "K", 0],
    "address.city": [1, "K", 0, "Ghent"],
    "metadata.plan.name": [1, "K", 0, "pro"],
    "groups.g1": [1, "K", 0, {"name": "Staff"}],
    "audiences.vip": [1, "K", 0, {"member": True}],
    "last_name": [1, "K", 1, None, 1],
}


def test_flat_keys_nest_at_their_first_dot_and_removed_fields_are_named():
    shown = view("u1", DOCUMENT, [("email", "a@b.c"), ("email", "a@b.c"), ("anonymous_id", "x")], [])
    assert shown == {
        "source_id": "u1",
        "email": "a@b.c",
        "phone": REMOVED,
        "last_name": REMOVED,
        "address": {"city": "Ghent"},
        "metadata": {"plan.name": "pro"},
        "groups": {"g1": {"name": "Staff"}},
        "audiences": {"vip": {"member": True}},
        "identities": {"anonymous_id": ["x"], "email": ["a@b.c"]},
        "consents": {},
    }


def test_the_public_sees_no_removed_fields():
    shown = view("u1", DOCUMENT, [], [], removed=False)
    profile = public(shown, {"b": 2, "a": 1}, [], ["u0"])
    assert profile["traits"] == {"email": "a@b.c", "address": {"city": "Ghent"}}
    assert list(profile)[:5] == ["source_id", "traits", "metadata", "identities", "consents"]
    assert list(profile["events"]) == ["a", "b"]
    assert profile["segments"] == []
    assert profile["merged"] == ["u0"]


def test_no_field_can_take_the_place_of_the_views_own_parts():
    shown = view("u1", {"source_id": [1, "K", 0, "evil"], "metadata": [1, "K", 0, 7]}, [], [])
    assert shown["source_id"] == "u1"
    assert shown["metadata"] == {}


def test_of_all_words_about_a_topic_the_strictest_decides_and_dates_it():
    words = [
        ConsentStatement("email", "granted", 9_000_000, "page"),
        ConsentStatement("email", "denied", 5_000_000, None),
    ]
    assert consents_of(words) == {"email": {"status": "denied", "at": "1970-01-01T00:00:05.000Z"}}


def test_an_orders_removed_fields_are_left_out():
    shown = public_order("o1", {"status": [1, "K", 0, "PAID"], "code": [1, "K", 1, None, 1]}, {})
    assert shown == {"id": "o1", "status": "PAID", "refunds": {}}
