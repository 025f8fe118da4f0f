"""What differs from what the vendor last accepted."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.outbox.queue.delta import accepted, cleared, difference, previous

NONE = frozenset[str]()
SOME = frozenset({"properties"})
VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3)
FIELDS = st.dictionaries(st.sampled_from("abcdef"), VALUES) | st.dictionaries(
    st.sampled_from(["properties", "a"]), st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3)
)


def accept(known: dict[str, str], fields: dict, unset: tuple[str, ...] = ()) -> dict[str, str]:
    return json.loads(accepted(known, difference(fields, unset, SOME, known).sending, {}))


@settings(max_examples=100, deadline=None)
@given(history=st.lists(FIELDS, min_size=1, max_size=5))
def test_a_vendor_that_merges_what_is_sent_ends_with_what_was_mapped(history: list[dict]):
    vendor: dict = {}
    known: dict[str, str] = {}
    mapped: dict = {}
    for fields in history:
        found = difference(fields, (), SOME, known)
        for name, value in found.changed.items():
            if name in SOME and isinstance(value, dict):
                held = vendor.get(name)
                vendor[name] = {**(held if isinstance(held, dict) else {}), **value}
            else:
                vendor[name] = value
        for name, value in fields.items():
            if name in SOME and isinstance(value, dict):
                mapped[name] = {**(mapped[name] if isinstance(mapped.get(name), dict) else {}), **value}
            else:
                mapped[name] = value
        known = json.loads(accepted(known, found.sending, {}))
    assert {name: value for name, value in vendor.items() if value != {}} == {
        name: value for name, value in mapped.items() if value != {}
    }


def test_nothing_is_sent_twice():
    known = accept({}, {"a": 1, "properties": {"x": 1, "y": 2}})
    again = difference({"a": 1, "properties": {"x": 1, "y": 2}}, (), SOME, known)
    assert again.is_empty
    assert again.saved == 3


def test_a_container_is_compared_key_by_key():
    known = accept({}, {"properties": {"x": 1, "y": 2}})
    found = difference({"properties": {"x": 1, "y": 3}}, (), SOME, known)
    assert found.changed == {"properties": {"y": 3}}
    whole = difference({"properties": {"x": 1, "y": 3}}, (), NONE, {})
    assert whole.changed == {"properties": {"x": 1, "y": 3}}


def test_a_removal_is_sent_until_accepted_and_a_value_after_it_again():
    known = accept({}, {"a": 1})
    gone = difference({}, ("a",), NONE, known)
    assert gone.unset == ("a",)
    known = json.loads(accepted(known, gone.sending, {}))
    assert difference({}, ("a",), NONE, known).is_empty
    assert difference({"a": 1}, (), NONE, known).changed == {"a": 1}


def test_a_removal_that_writes_null_stands_in_both():
    found = difference({"a": None}, ("a",), NONE, {})
    assert (found.changed, found.unset) == ({"a": None}, ("a",))
    known = json.loads(accepted({}, found.sending, {}))
    assert difference({"a": None}, ("a",), NONE, known).is_empty


def test_hashes_of_fields_under_way_are_unknown():
    known = accept({}, {"a": 1, "b": 2})
    found = difference({"a": 5, "b": 2}, (), NONE, known)
    assert set(cleared(known, found.sending)) == {"b"}


def test_equal_values_are_equal_whatever_the_order_of_their_keys():
    known = accept({}, {"a": {"x": 1, "y": 2}})
    assert difference({"a": {"y": 2, "x": 1}}, (), NONE, known).is_empty


def test_addresses_are_kept_for_vendors_that_know_people_by_them():
    known = json.loads(accepted({}, {"a": "1"}, {"email": "old@x.org", "phone": None}))
    assert previous(known, {"email": "new@x.org"}) == {"email": "old@x.org"}
    assert previous(known, {"email": "old@x.org"}) == {}


def test_forcing_sends_everything():
    known = accept({}, {"a": 1})
    assert difference({"a": 1}, (), NONE, known, is_forced=True).changed == {"a": 1}


def test_values_that_json_cannot_hold_exactly_are_still_hashed():
    assert not difference({"a": 2**70, "b": "\ud800"}, (), NONE, {}).is_empty
