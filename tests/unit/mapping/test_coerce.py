"""Coercions: each says what passes and what it becomes, and none ever raises."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from hub.mapping.values.coerce import INBOUND, OUTBOUND, Failed, clean_text, coercion, is_blank
from tests.unit.mapping.odd_values import JSON, ODD

EVERY_KIND = sorted(OUTBOUND)
OPTIONS = {"currency": "EUR", "region": "DE", "zone": "Europe/Berlin"}
COERCIONS = {kind: coercion(kind, OPTIONS) for kind in EVERY_KIND}
CHANGES_UNIT = {"money", "major"}  # minor units are not major units: coercing again means something else


def coerced(kind, value, **options):
    return coercion(kind, options)(value)


def passes(kind, value, **options):
    return not isinstance(coerced(kind, value, **options), Failed)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Ada", "Ada"), (" Ada ", " Ada "), ("", ""), (42, "42"), (-0.0, "0"), (12.0, "12"), (12.5, "12.5"), (1e21, "1e+21"),
        (1e20, "100000000000000000000"), (True, "true"), (9007199254740993, "9007199254740993"), ("a\0b\ud800", "a\ufffdb\ufffd"),
    ],
)  # fmt: skip
def test_a_string_is_text_as_it_is_and_numbers_as_json_writes_them(value, text):
    assert coerced("string", value) == text


@pytest.mark.parametrize("value", [None, [], {}, ["a"], {"a": 1}, math.nan, math.inf, 10**4000])
def test_objects_lists_and_endless_numbers_are_no_string(value):
    assert coerced("string", value).code == "invalid_string"


def test_an_id_is_trimmed_and_bounded():
    assert coerced("id", "  cust_1\n") == "cust_1"
    assert coerced("id", 10482.0) == "10482"
    assert coerced("id", -9223372036854775808) == "-9223372036854775808"
    assert coerced("id", "x" * 255) == "x" * 255
    for bad in ("", "  ", "x" * 256, True, None, {}, [], math.nan):
        assert coerced("id", bad).code == "invalid_id"


def test_a_64_bit_id_never_passes_through_a_float():
    assert coerced("integer", "9007199254740993") == 9007199254740993
    assert coerced("integer", "18446744073709551615") == 2**64 - 1
    assert coerced("integer", "9007199254740993.0") == 9007199254740993
    assert coerced("number", "-9223372036854775807") == -9223372036854775807


@pytest.mark.parametrize(("value", "whole"), [(17, 17), (17.0, 17), (" 17 ", 17), ("17.00", 17), ("+5", 5), ("-0", 0)])
def test_an_integer_is_whole(value, whole):
    result = coerced("integer", value)
    assert result == whole
    assert type(result) is int


@pytest.mark.parametrize(
    "value",
    ["1.5", 1.5, True, "", "1_000", "0x10", "١٢", "1,000", "e5", 2**64, "1e30", math.inf, "9" * 5000, [1], None],
)
def test_what_is_no_whole_decimal_number_of_64_bits_is_no_integer(value):
    assert coerced("integer", value).code == "invalid_integer"


def test_numbers_are_ascii_decimal_and_finite():
    assert coerced("number", "17.5") == 17.5
    assert coerced("number", ".5") == 0.5
    assert coerced("number", "1e3") == 1000
    assert coerced("number", 12) == 12
    assert type(coerced("number", "17")) is int
    for bad in ("NaN", "inf", "1e999", math.nan, math.inf, "1 000", "12abc", "１２", True, None, 10**400, {}):
        assert coerced("number", bad).code == "invalid_number"


def test_booleans_are_six_words():
    for yes in (True, 1, 1.0, "1", "true", "TRUE", " Yes "):
        assert coerced("boolean", yes) is True
    for no in (False, 0, -0.0, "0", "false", "No"):
        assert coerced("boolean", no) is False
    for bad in ("on", "y", "", 2, "2", None, [], {}, math.nan, "t"):
        assert coerced("boolean", bad).code == "invalid_boolean"


def test_an_email_is_kept_as_sent():
    assert coerced("email", "Bo.Marsh@Example.com") == "Bo.Marsh@Example.com"
    assert coerced("email", "用户@例え.jp") == "用户@例え.jp"
    for bad in ("bo", "@x", "x@", "a@b@c", "a b@c", " a@b", "a@b\n", "a@\u00a0b", 5, None, "a@" + "b" * 400):
        assert coerced("email", bad).code == "invalid_email"


def test_lists_and_json_stand_as_they_are():
    value = [1, {"a": None}]
    assert coerced("list", value) is value
    assert coerced("list", "tent") == ["tent"]
    assert coerced("json", value) is value
    assert coerced("json", False) is False
    for bad in (None, math.nan):
        assert not passes("list", bad)
        assert not passes("json", bad)


@pytest.mark.parametrize(
    ("value", "country"),
    [("GB", "GB"), ("gbr", "GB"), ("United Kingdom", "GB"), ("UK", "GB"), ("Côte d'Ivoire", "CI"), ("u.s.a.", "US"), ("Germany", "DE")],
)  # fmt: skip
def test_a_country_is_found_by_code_or_english_name(value, country):
    assert coerced("country", value) == country


def test_language_and_region_come_from_a_locale():
    assert coerced("language", "en-GB") == "en"
    assert coerced("language", "pt_BR.UTF-8") == "pt"
    assert coerced("language", "German") == "de"
    assert coerced("language", "deu") == "de"
    assert coerced("region", "en-GB") == "GB"
    assert coerced("region", "zh-Hant-TW") == "TW"
    assert coerced("region", "fr_CA@euro") == "CA"
    for kind in ("country", "language", "region"):
        for bad in ("", "??", "Atlantis", None, 5, {}, "x" * 9999):
            assert coerced(kind, bad).code == f"invalid_{kind}"
    assert not passes("region", "en")
    assert not passes("region", "es-419")


def test_digits_and_slugs():
    assert coerced("digits", "+44 (20) 7946") == "44207946"
    assert coerced("digits", 42) == "42"
    assert coerced("slug", "  Crème Brûlée, No. 5!") == "creme-brulee-no-5"
    assert coerced("slug", "orderCompleted") == "order-completed"
    assert not passes("digits", "none")
    assert not passes("slug", "日本")


def test_blank_is_white_space_only():
    assert is_blank("")
    assert is_blank(" \t\u00a0\n")
    for value in ("x", None, 0, False, [], {}):
        assert not is_blank(value)


def test_clean_text_says_whether_anything_changed():
    assert clean_text("tent") == ("tent", False)
    assert clean_text("Zoë 🏕") == ("Zoë 🏕", False)
    assert clean_text("a\0\ud83dz") == ("a\ufffd\ufffdz", True)


def test_a_coercion_that_does_not_exist_is_named_when_the_row_is_built():
    with pytest.raises(ValueError, match="'phon'"):
        coercion("phon")
    with pytest.raises(ValueError, match="time zone"):
        coercion("datetime", {"zone": "Mars/Olympus"})
    with pytest.raises(ValueError, match="unit"):
        coercion("datetime", {"unit": "fortnight"})
    with pytest.raises(ValueError, match="strftime"):
        coercion("format", {"format": "isoo"})


def test_the_outbound_kinds_are_the_inbound_ones_and_six_more():
    assert {"country", "language", "region", "digits", "slug", "major"} == OUTBOUND - INBOUND
    assert {
        "id",
        "string",
        "integer",
        "number",
        "boolean",
        "date",
        "datetime",
        "email",
        "phone",
        "money",
        "list",
        "json",
    } == INBOUND


def assert_safe_and_stable(kind, value):
    result = COERCIONS[kind](value)
    if isinstance(result, Failed):
        assert result.code.startswith("invalid_")
        return
    assert result is not None
    if isinstance(result, str) and kind not in {"list", "json"}:
        result.encode()  # no lone surrogates
        assert "\0" not in result
    if kind not in CHANGES_UNIT:
        again = COERCIONS[kind](result)
        assert again == result
        assert type(again) is type(result)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_no_coercion_raises_on_odd_values_and_what_passes_passes_again_unchanged(kind):
    for value in ODD:
        assert_safe_and_stable(kind, value)


@settings(max_examples=250, deadline=None)
@given(JSON)
def test_no_coercion_raises_on_any_json_and_what_passes_passes_again_unchanged(value):
    for kind in EVERY_KIND:
        assert_safe_and_stable(kind, value)


def test_an_integer_too_long_to_print_fails_in_every_kind():
    for kind in sorted(OUTBOUND - {"list", "json"}):
        assert not passes(kind, 10**5000, **OPTIONS)


@settings(max_examples=50, deadline=None)
@given(JSON)
def test_a_failure_never_repeats_the_value(value):
    for kind in EVERY_KIND:
        result = coercion(kind)(value)
        if isinstance(result, Failed) and isinstance(value, str) and len(value) > 12:
            assert value not in result.text
