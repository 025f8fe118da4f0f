"""JSON in and out: tolerant of what official clients send, exact where it matters, never a crash."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.sdk.json import canonical, depth_exceeds, dumps, loads, loads_storable, storable_json
from hub.sdk.text import is_storable, storable

TEXT = st.text(st.characters(exclude_categories=[]), max_size=8)  # lone surrogates too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def nested(levels):
    return "[" * levels + "]" * levels


def test_bare_nan_and_infinity_are_read():
    read = loads(b'{"a": NaN, "b": [Infinity, -Infinity], "c": 1}')
    assert math.isnan(read["a"])
    assert read["b"] == [math.inf, -math.inf]
    assert read["c"] == 1


def test_lone_surrogates_are_read():
    assert loads(rb'{"a": "x\ud83d"}') == {"a": "x\ud83d"}
    assert loads('"\\udc00"') == "\udc00"


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 9007199254740993, 0])
def test_64_bit_integers_are_exact_with_and_without_a_nan_beside_them(number):
    for text in (f"[{number}]", f"[{number}, NaN]"):
        assert loads(text)[0] == number
        assert type(loads(text)[0]) is int


@pytest.mark.parametrize("digits", [str(2**64), str(-(2**63) - 1), "9" * 300, "9" * 5000])
def test_larger_integers_are_floats_on_either_way(digits):
    alone, beside = loads(f"[{digits}]")[0], loads(f"[{digits}, NaN]")[0]
    assert type(alone) is float
    assert alone == beside == float(digits)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b'{"a": }', b"nul", b"\xff\xfe", b'"\xff"', b'{"a": NaN, "b": "\xff"}', b"\xef\xbb\xbf{}", "'a'", "[1,]", "{a: 1}", b"1 2", b"\0"],
)  # fmt: skip
def test_what_is_no_json_raises_valueerror(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the caller answers 400 whatever the parser's words
        loads(text)


@pytest.mark.parametrize("levels", [1000, 1100, 100_000])
@pytest.mark.parametrize("tail", ["", "NaN"])
def test_deep_nesting_is_read_or_refused_but_never_a_crash(levels, tail):
    text = "[" * levels + tail + "]" * levels
    try:
        read = loads(text)
    except ValueError:
        return
    assert depth_exceeds(read)


def test_what_json_cannot_hold_is_replaced():
    assert dumps({"a": math.nan, "b": math.inf}) == b'{"a":null,"b":null}'
    assert dumps("x\ud800") == '"x\ufffd"'.encode()
    assert dumps({"\ud800": [math.nan, "\udfff", {"a": 1e16}]}) == '{"\ufffd":[null,"\ufffd",{"a":1e+16}]}'.encode()
    assert dumps([2**64, math.nan, 10**400]) == b"[1.8446744073709552e+19,null,null]"
    assert dumps(2**64 - 1) == b"18446744073709551615"


def test_what_nests_too_deep_to_write_raises_valueerror():
    for levels in (300, 5000):
        value = []
        for _ in range(levels):
            value = [value]
        with pytest.raises(ValueError, match="too deep"):
            dumps(value)


def test_an_object_that_is_no_json_raises_typeerror():
    with pytest.raises(TypeError):
        dumps({"a": object()})


def test_canonical_json_sorts_keys_also_where_something_was_replaced():
    assert canonical({"b": 1, "a": {"d": 2, "c": 3}}) == b'{"a":{"c":3,"d":2},"b":1}'
    assert canonical({"b": "\ud800", "a": 2**70}) == '{"a":1.1805916207174113e+21,"b":"\ufffd"}'.encode()


def test_depth_counts_objects_and_lists():
    assert not depth_exceeds("text", 1)
    assert not depth_exceeds([1, {}], 2)
    assert depth_exceeds([1, {}], 1)
    assert depth_exceeds({"a": {"b": {"c": []}}}, 3)
    assert not depth_exceeds(json.loads(nested(64)))
    assert depth_exceeds(json.loads(nested(65)))


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_whatever_is_written_is_read_and_written_again_as_the_same_bytes(value):
    for write in (dumps, canonical):
        written = write(value)
        json.loads(written, parse_constant=pytest.fail)  # no NaN, which strict readers refuse
        assert write(loads(written)) == written


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_what_a_lenient_client_writes_is_read(value):
    read = loads(json.dumps(value))
    assert dumps(read) == dumps(value)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=30) | st.text(max_size=30))
def test_any_bytes_are_json_or_a_valueerror(text):
    try:
        read = loads(text)
    except ValueError:
        return
    dumps(read)


# ── what a row can hold ──────────────────────────────────────────────────────────────────────────────────────────


def texts(value):
    """Every text and key of a JSON value."""
    if isinstance(value, dict):
        return [text for key, child in value.items() for text in (key, *texts(child))]
    if isinstance(value, list):
        return [text for child in value for text in texts(child)]
    return [value] if isinstance(value, str) else []


@given(TEXT)
def test_text_is_made_storable_without_another_change(text):
    made = storable(text)
    assert is_storable(made)
    assert "\0" not in made
    made.encode()
    assert len(made) == len(text)
    assert (made == text) is is_storable(text)


def test_what_no_row_can_hold_becomes_a_replacement_character():
    assert storable("a\0b\ud800c\udfffd") == "a\ufffdb\ufffdc\ufffdd"
    assert storable("żółć 💥") == "żółć 💥"
    assert storable("abc\0def", 4) == "abc\ufffd"


@given(JSON)
def test_a_json_value_is_made_storable_in_its_depth(value):
    made = storable_json(value)
    assert all(map(is_storable, texts(made)))
    assert loads(dumps(made)) == made, "numbers too: nothing is infinite, and no integer is beyond 64 bits"


@given(JSON)
def test_what_a_vendor_says_is_read_as_rows_can_hold_it(value):
    assert loads_storable(json.dumps(value)) == storable_json(loads(json.dumps(value)))
    assert loads_storable(json.dumps(value).encode()) == storable_json(loads(json.dumps(value)))


def test_an_answer_that_nests_too_deep_is_a_value_error():
    with pytest.raises(ValueError, match="deep"):
        loads_storable('{"a": ' * 900 + '"\\u0000"' + "}" * 900)
