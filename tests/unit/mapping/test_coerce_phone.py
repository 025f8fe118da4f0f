"""Phone numbers: E.164 or a named failure."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.mapping.values.coerce import Failed, coercion

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)[::6]


def phone(value, **options):
    return coercion("phone", options)(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("+44 20 7946 0018", "+442079460018"), ("+442079460018", "+442079460018"), ("+44 (0)20-7946.0018", "+442079460018"),
        ("+4402079460018", "+442079460018"), ("+49 0151 23456789", "+4915123456789"), ("+39 06 698 82000", "+390669882000"),
        ("+1 (415) 555-2671", "+14155552671"), ("\u00a0+44 20 7946 0018 ", "+442079460018"), ("＋44 20 7946 0018", "+442079460018"),
        ("+800 1234 5678", "+80012345678"),
    ],
)  # fmt: skip
def test_a_number_with_its_country_needs_no_region(value, number):
    assert phone(value) == number
    assert phone(value, region="US") == number


def test_a_national_number_needs_the_first_valid_region():
    assert phone("020 7946 0018", region="GB") == "+442079460018"
    assert phone("020 7946 0018", region=["", "Atlantis", "gb", "US"]) == "+442079460018"
    assert phone("020 7946 0018", region="United Kingdom") == "+442079460018"
    assert phone(2079460018, region="GB") == "+442079460018"
    assert isinstance(phone("020 7946 0018"), Failed)
    assert isinstance(phone("020 7946 0018", region=["US", "GB"]), Failed)


def test_the_region_of_the_message_beats_the_one_of_the_row():
    row = coercion("phone", {"region": "US"})
    assert row("020 7946 0018", {"region": "GB"}) == "+442079460018"
    assert row("(415) 555-2671", {"region": "nowhere"}) == "+14155552671"
    assert row("020 7946 0018", {"region": [None, "GB"]}) == "+442079460018"


@pytest.mark.parametrize(
    "value", ["", "call me", "+", "+44", "+44 1", "+999 1234567", "+0 44 20 7946 0018", "12", None, {}, [], True, 1.5, "+1" * 99, "+442079460018" + "0" * 6]
)  # fmt: skip
def test_what_is_no_phone_number_is_dropped_by_name(value):
    assert phone(value, region="GB").code == "invalid_phone"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(REGIONS), st.sampled_from(["INTERNATIONAL", "E164", "NATIONAL", "RFC3966"]))
def test_every_country_s_example_number_is_read_in_every_spelling(region, spelling):
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        text = phonenumbers.format_number(number, getattr(phonenumbers.PhoneNumberFormat, spelling))
        expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        assert phone(text, region=region) == expected
