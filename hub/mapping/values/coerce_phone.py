"""Phone numbers to E.164.

Numbers that begin with `+` are checked against the lengths of their country (a microsecond); everything else, and what
fails there, is asked of libphonenumber (20 microseconds), whose answers are remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from hub.mapping.model import Json
from hub.mapping.values.text import NO_CONTEXT, Failed

_MAX_CHARACTERS = 64
_MAX_DIGITS = 15  # E.164
_MIN_DIGITS = 5
_PUNCTUATION = str.maketrans("", "", " \t-.()/\u00a0\u2010\u2011\u2012\u2013\u202f")
_FAILED = Failed("invalid_phone", "the text is not a phone number of its region, or has neither `+` nor a region")


class Phone:
    """Called with a value and a context that may hold `region`: one candidate or a list of them, first valid wins."""

    def __init__(self, regions: Json = None) -> None:
        self._region = _first_region(regions)

    def __call__(self, value: Json, context: Mapping[str, Json] = NO_CONTEXT) -> str | Failed:
        if type(value) is int and 0 < value < 10**_MAX_DIGITS:
            value = str(value)
        if not isinstance(value, str) or len(value) > _MAX_CHARACTERS:
            return _FAILED
        region = self._region
        if "region" in context:
            region = _first_region(context["region"]) or region
        return _phone(value, region) or _FAILED


@lru_cache(maxsize=16_384)
def _phone(text: str, region: str | None) -> str | None:
    text = text.strip()
    return (_by_length(text) if text[:1] == "+" else None) or _by_library(text, region)


def _by_length(text: str) -> str | None:
    digits = text.replace("(0)", "").translate(_PUNCTUATION)[1:]
    if not (_MIN_DIGITS <= len(digits) <= _MAX_DIGITS and digits.isascii() and digits.isdigit()):
        return None
    for size in (1, 2, 3):  # country codes are prefix-free
        lengths = _lengths(digits[:size])
        if lengths is not None:
            # A leading zero is mostly a trunk prefix that does not belong here: libphonenumber knows where it does.
            return f"+{digits}" if len(digits) - size in lengths and digits[size] != "0" else None
    return None


def _by_library(text: str, region: str | None) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@lru_cache(maxsize=2048)
def _lengths(country_code: str) -> frozenset[int] | None:
    """The lengths of a number after this country code; None if there is no such code."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    code = int(country_code)
    regions = COUNTRY_CODE_TO_REGION_CODE.get(code)
    if regions is None or country_code[0] == "0":
        return None
    if regions == ("001",):
        metadata = PhoneMetadata.metadata_for_nongeo_region(code, None)
    else:
        metadata = PhoneMetadata.metadata_for_region(regions[0], None)
    if metadata is None or metadata.general_desc is None:
        return None
    return frozenset(metadata.general_desc.possible_length)


def _first_region(candidates: Json) -> str | None:
    """The first candidate that is a region: a code (`GB`, `gb`) or a country by name (`United Kingdom`)."""
    listed: Iterable[Json] = candidates if isinstance(candidates, list | tuple) else (candidates,)
    return next((region for text in listed if isinstance(text, str) and (region := _region(text))), None)


@lru_cache(maxsize=1024)
def _region(text: str) -> str | None:
    from phonenumbers import SUPPORTED_REGIONS

    from hub.mapping.values.coerce_place import country

    code = text.strip().upper()
    if code in SUPPORTED_REGIONS:
        return code
    named = country(text)
    return named if isinstance(named, str) and named in SUPPORTED_REGIONS else None
