"""Dialects: a vendor's naming and typing rules, applied to a field map."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from hub.mapping.language.dialect import SCHEMA, Dialect
from hub.mapping.model import REMOVED
from tests.unit.mapping.odd_values import JSON


def applied(fields, **section):
    Draft202012Validator(SCHEMA).validate(section)
    result, warnings = Dialect(section).apply(fields)
    return result, [(warning.code, warning.path) for warning in warnings]


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("keep", "Loyalty tierID"), ("lower", "loyalty tierid"), ("upper", "LOYALTY TIERID"), ("snake", "loyalty_tier_id"),
        ("camel", "loyaltyTierId"), ("pascal", "LoyaltyTierId"), ("kebab", "loyalty-tier-id"),
    ],
)  # fmt: skip
def test_key_case(case, name):
    assert Dialect({"case": case}).name("Loyalty tierID") == name


def test_an_empty_dialect_changes_nothing():
    fields = {"a b.c": [1, {"x": True}], "$d": None, "e": "2026-03-14", "gone": REMOVED}
    assert applied(fields) == (fields, [])


def test_replaced_characters_and_others():
    assert Dialect({"replace": {".": "_", "$": ""}}).name("$cart.total") == "cart_total"
    assert Dialect({"others": "_"}).name("größe in cm") == "gr__e_in_cm"
    assert Dialect({"replace": {" ": "-"}, "others": ""}).name("a b") == "ab"


def test_long_names_are_cut_with_a_warning():
    assert applied({"abcdef": 1, "ab": 2}, max_key=4) == ({"abcd": 1, "ab": 2}, [("key_cut", "abcdef")])


def test_reserved_names_are_renamed_or_dropped():
    fields, warnings = applied({"time": 1, "event_name": 2, "ok": 3}, reserved={"time": "time_", "event_name": None})
    assert fields == {"time_": 1, "ok": 3}
    assert warnings == [("key_dropped", "event_name")]


def test_a_name_of_which_nothing_is_left_is_dropped():
    assert applied({"$": 1, "日本": 2, "a": 3}, replace={"$": ""}, others="") == (
        {"a": 3},
        [("key_dropped", "$"), ("key_dropped", "日本")],
    )


def test_of_two_fields_with_one_name_the_first_wins():
    assert applied({"First Name": 1, "first_name": 2}, case="snake") == (
        {"first_name": 1},
        [("key_collision", "first_name")],
    )


def test_long_texts_are_cut_at_every_depth():
    fields, warnings = applied({"a": "abcdef", "b": ["abcdef", {"c": "abcdef"}]}, max_text=3)
    assert fields == {"a": "abc", "b": ["abc", {"c": "abc"}]}
    assert warnings == [("text_cut", "a"), ("text_cut", "b"), ("text_cut", "b.c")]


@pytest.mark.parametrize(
    ("lists", "value"),
    [("keep", [1, "a", None]), ("json", '[1,"a",null]'), ("join", "1, a, null"), ("texts", ["1", "a", "null"])],
)
def test_lists(lists, value):
    assert applied({"x": [1, "a", None]}, lists=lists) == ({"x": value}, [])


def test_lists_are_dropped_or_cut_with_a_warning():
    assert applied({"x": [1], "y": 2}, lists="drop") == ({"y": 2}, [("list_dropped", "x")])
    assert applied({"x": [1, 2, 3]}, max_items=2) == ({"x": [1, 2]}, [("items_cut", "x")])


def test_objects_flatten_into_names_of_their_own():
    fields = {"address": {"City": "Bristol", "geo": {"lat": 1}, "none": {}}, "address_city": "Bath"}
    result, warnings = applied(fields, objects="flatten", case="snake")
    assert result == {"address_city": "Bristol", "address_geo_lat": 1}
    assert warnings == [("key_collision", "address_city")]
    assert applied({"a": {"b": 1}}, objects="flatten", separator=".")[0] == {"a.b": 1}


def test_objects_as_json_or_dropped():
    assert applied({"x": {"b": [1]}}, objects="json") == ({"x": '{"b":[1]}'}, [])
    assert applied({"x": {"b": 1}, "y": [{"c": 1}, 2]}, objects="drop") == (
        {"y": [2]},
        [("object_dropped", "x"), ("object_dropped", "y")],
    )


def test_half_a_json_text_is_dropped_rather_than_cut():
    assert applied({"x": {"b": "long text"}}, objects="json", max_text=8) == ({}, [("text_dropped", "x")])


def test_booleans_as_text_number_or_tag():
    flags = {"vip": True, "trial": False}
    assert applied(flags, booleans="text")[0] == {"vip": "true", "trial": "false"}
    assert applied(flags, booleans="number")[0] == {"vip": 1, "trial": 0}
    assert applied(flags, booleans={"tag": "tags"})[0] == {"tags": ["vip"]}
    assert applied({"tags": ["old"]} | flags, booleans={"tag": "tags", "untag": "out"})[0] == {
        "tags": ["old", "vip"],
        "out": ["trial"],
    }


def test_dates_take_their_format_and_a_typed_key():
    fields = {
        "signup": "2026-03-14T09:00:00.120000Z",
        "born_at": "1988-11-02",
        "note": "2026-03-14 or so",
        "days": ["1988-11-02"],
    }
    result, warnings = applied(fields, dates={"format": "unix", "suffix": "_at"})
    assert result == {"signup_at": 1773478800, "born_at": 594432000, "note": "2026-03-14 or so", "days": [594432000]}
    assert warnings == []


def test_a_typed_suffix_is_never_cut_off():
    fields, _ = applied({"subscription_end": "1988-11-02"}, dates={"suffix": "_at"}, max_key=10)
    assert fields == {"subscrip_at"[:7] + "_at": "1988-11-02"}


def test_null_and_removed_stand_whatever_the_rules():
    section = {"lists": "drop", "objects": "drop", "booleans": "text", "max_text": 1}
    assert applied({"a": None, "b": REMOVED}, **section) == ({"a": None, "b": REMOVED}, [])


def test_a_date_format_that_is_none_is_named_at_once():
    with pytest.raises(ValueError, match="strftime"):
        Dialect({"dates": {"format": "unixx"}})


SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "case": st.sampled_from(["keep", "lower", "upper", "snake", "camel", "pascal", "kebab"]),
        "replace": st.dictionaries(st.sampled_from([".", " ", "$", "ab"]), st.sampled_from(["", "_", "x"])),
        "others": st.sampled_from(["", "_"]),
        "max_key": st.integers(1, 6),
        "reserved": st.dictionaries(st.sampled_from(["a", "time"]), st.sampled_from([None, "t_", "longer name"])),
        "max_text": st.integers(1, 5),
        "lists": st.sampled_from(["keep", "json", "join", "texts", "drop"]),
        "objects": st.sampled_from(["keep", "json", "flatten", "drop"]),
        "booleans": st.sampled_from(["keep", "text", "number", {"tag": "tags"}]),
        "dates": st.sampled_from([{"format": "unix"}, {"suffix": "_at"}, {"format": "%Y", "suffix": "_y"}]),
        "max_items": st.integers(1, 2),
    },
)


@settings(max_examples=200, deadline=None)
@given(SECTIONS, st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_any_dialect_takes_any_fields_and_keeps_its_own_limits(section, fields):
    Draft202012Validator(SCHEMA).validate(section)
    dialect = Dialect(section)
    result, warnings = dialect.apply(fields)
    assert dialect.apply(fields) == (result, warnings) or "nan" in repr(result)
    assert all(warning.code and warning.text for warning in warnings)
    for name, value in result.items():
        assert name
        if "max_key" in section and name != "tags":
            assert len(name) <= max(section["max_key"], 1 + len(section.get("dates", {}).get("suffix", "")))
        if isinstance(value, str) and "max_text" in section and "dates" not in section:
            assert len(value) <= section["max_text"]
        orjson.dumps(name)
