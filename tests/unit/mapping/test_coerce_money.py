"""Money: decimal text to integer minor units, half-up, by ISO 4217; and back."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.mapping.values.coerce import Failed, coercion, currency_code, minor_digits

CURRENCIES = ("EUR", "JPY", "KWD", "CLF")


def money(value, currency="GBP"):
    return coercion("money")(value, {"currency": currency})


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        ("36.00", "GBP", 3600), (283.45, "GBP", 28345), (5, "GBP", 500), ("1.005", "USD", 101), (1.005, "USD", 101),
        ("-0.125", "EUR", -13), ("0.005", "EUR", 1), ("0.0049999", "EUR", 0), (100, "JPY", 100), ("99.5", "JPY", 100),
        ("1.2345", "KWD", 1235), ("1.00005", "CLF", 10001), ("  7 ", "eur", 700), ("1e3", "EUR", 100_000), (".5", "EUR", 50),
        ("5.", "EUR", 500), (1e-7, "EUR", 0), (4.35, "EUR", 435), (1.1, "EUR", 110), ("+2.5", "EUR", 250), (-3, "EUR", -300),
    ],
)  # fmt: skip
def test_money_is_rounded_half_up_to_minor_units(value, currency, minor):
    assert money(value, currency) == minor
    assert type(money(value, currency)) is int


@pytest.mark.parametrize(
    "value",
    ["1,234.50", "£5", "5 EUR", "", "NaN", math.nan, math.inf, "1e400", 10**30, True, None, {}, [], "１", "9" * 500],
)
def test_what_is_no_decimal_amount_of_64_bits_fails(value):
    assert money(value).code == "invalid_money"


@pytest.mark.parametrize("currency", [None, "", "XXX", "XAU", "POINTS", "QQQ", 5, {}, "€", "x" * 9999, "G\ud800"])
def test_an_amount_without_a_currency_that_has_minor_units_fails(currency):
    assert money("5", currency).code == "invalid_currency"


def test_the_currency_of_the_message_beats_the_one_of_the_row():
    row = coercion("money", {"currency": "EUR"})
    assert row("5") == 500
    assert row("5", {"currency": "JPY"}) == 5


def test_currencies_are_known_by_their_code_in_any_case():
    assert currency_code(" gbp ") == "GBP"
    assert currency_code("pounds") is None
    assert currency_code(None) is None
    assert [minor_digits(code) for code in ("EUR", "JPY", "TND", "UYW", "XAU", "UGX", "HUF")] == [
        2,
        0,
        3,
        4,
        None,
        0,
        2,
    ]


def test_major_is_what_vendors_write():
    assert coercion("major")(28345, {"currency": "GBP"}) == 283.45
    assert coercion("major", {"currency": "JPY"})(100) == 100
    assert isinstance(coercion("major")("x", {"currency": "GBP"}), Failed)
    assert isinstance(coercion("major")(5), Failed)


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**13), 10**13), st.sampled_from(CURRENCIES))
def test_minor_to_major_and_back_gives_the_same_amount(minor, currency):
    context = {"currency": currency}
    assert coercion("money")(coercion("major")(minor, context), context) == minor


@settings(max_examples=300, deadline=None)
@given(st.decimals(-(10**12), 10**12, allow_nan=False, places=6), st.sampled_from(CURRENCIES))
def test_the_fast_way_equals_exact_decimals(amount, currency):
    expected = int((amount * 10 ** minor_digits(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    assert money(str(amount), currency) == expected
