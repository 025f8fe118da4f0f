"""Numbers and money. Integers never pass through a float, so 64-bit ids stay what they were."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Final

from hub.mapping.model import Json
from hub.mapping.values.text import NO_CONTEXT, Failed

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**64 - 1  # unsigned ids exist; JSON writers take both ranges
MONEY_MAX: Final = 2**63 - 1
_MAX_CHARACTERS = 100
_EXACT = Context(prec=1200)  # more digits than any text that passes _DECIMAL can ask for
_INTEGER = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)

# ISO 4217, list one (six-group.com, "current currency & funds"): minor units other than two. Metals, funds and test
# codes have none: the list says "N.A.".
_MINOR_DIGITS: tuple[tuple[int | None, str], ...] = (
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
    (None, "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX"),
)


def integer(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> int | Failed:
    """A whole number of at most 64 bits, from a number or from ASCII decimal text (`17`, `17.0`)."""
    if type(value) is int:
        whole = value
    elif isinstance(value, float):
        if not value.is_integer():
            return Failed("invalid_integer", "the number is not whole or not finite")
        whole = int(value)
    elif isinstance(value, str):
        read = _whole(value.strip())
        if read is None:
            return Failed("invalid_integer", "the text is not a whole decimal number")
        whole = read
    else:
        return Failed("invalid_integer", f"{kind_of(value)} is not a number")
    if not INT_MIN <= whole <= INT_MAX:
        return Failed("invalid_integer", "the number needs more than 64 bits")
    return whole


def number(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> int | float | Failed:
    """A finite number, from a number or from ASCII decimal text; whole numbers without a point stay integers."""
    if type(value) is int:
        return value if INT_MIN <= value <= INT_MAX else _large(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else Failed("invalid_number", "the number is not finite")
    if not isinstance(value, str):
        return Failed("invalid_number", f"{kind_of(value)} is not a number")
    text = value.strip()
    if _INTEGER.fullmatch(text):
        return number(int(text))
    if len(text) > _MAX_CHARACTERS or not _DECIMAL.fullmatch(text):
        return Failed("invalid_number", "the text is not a decimal number")
    return number(float(text))


class Money:
    """Integer minor units of a currency, half-up. The context's `currency` beats the row's.

    Called with a value in major units (`36`, `36.0`, `"36.00"`) and a context that may name the currency.
    """

    def __init__(self, currency: str | None) -> None:
        self._default = currency

    def __call__(self, value: Json, context: Mapping[str, Json] = NO_CONTEXT) -> int | Failed:
        digits = minor_digits(context.get("currency") or self._default)
        if digits is None:
            return Failed("invalid_currency", "the amount has no ISO 4217 currency with minor units")
        amount = _minor_units(value, digits)
        if amount is None:
            return Failed("invalid_money", "the amount is not a finite decimal number")
        if abs(amount) > MONEY_MAX:
            return Failed("invalid_money", "the amount needs more than 64 bits")
        return amount


class Major:
    """The reverse of Money: minor units to the number vendors write (28345 GBP -> 283.45)."""

    def __init__(self, currency: str | None) -> None:
        self._default = currency

    def __call__(self, value: Json, context: Mapping[str, Json] = NO_CONTEXT) -> int | float | Failed:
        digits = minor_digits(context.get("currency") or self._default)
        if digits is None:
            return Failed("invalid_currency", "the amount has no ISO 4217 currency with minor units")
        minor = integer(value)
        if isinstance(minor, Failed):
            return Failed("invalid_money", "the amount is not a whole number of minor units")
        return minor / 10**digits if digits else minor


def currency_code(value: Json) -> str | None:
    """The ISO 4217 code in capitals, or None if there is no such currency."""
    return _known_currency(value) if isinstance(value, str) and len(value) < 10 else None


def minor_digits(currency: Json) -> int | None:
    """How many decimal digits the currency has; None if it is unknown or has no minor units."""
    if not isinstance(currency, str) or len(currency) > 10:
        return None
    return _digits(currency)


def kind_of(value: Json) -> str:
    """What a JSON value is, in words for a warning."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else "a number"


@lru_cache(maxsize=1024)
def _digits(currency: str) -> int | None:
    code = _known_currency(currency)
    if code is None:
        return None
    return next((count for count, codes in _MINOR_DIGITS if code in codes), 2)


@lru_cache(maxsize=1024)
def _known_currency(text: str) -> str | None:
    import pycountry

    code = text.strip().upper()
    return code if pycountry.currencies.get(alpha_3=code) is not None else None


def _whole(text: str) -> int | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    if len(text) > _MAX_CHARACTERS or not _DECIMAL.fullmatch(text):
        return None
    exact = Decimal(text)
    return int(exact) if exact == exact.to_integral_value() else None


def _large(value: int) -> float | Failed:
    try:
        return float(value)
    except OverflowError:
        return Failed("invalid_number", "the number is not finite")


def _minor_units(value: Json, digits: int) -> int | None:
    if type(value) is int:
        return int(value) * int(10**digits)
    if isinstance(value, float):
        text = repr(value)
    elif isinstance(value, str):
        text = value.strip()
    else:
        return None
    if len(text) > _MAX_CHARACTERS or not _DECIMAL.fullmatch(text):
        return None
    whole, _, fraction = text.partition(".")
    if len(fraction) <= digits and whole.isdigit() and (not fraction or fraction.isdigit()):
        return int(whole + fraction.ljust(digits, "0"))  # the common form, three times faster than Decimal
    return int(Decimal(text).scaleb(digits, _EXACT).quantize(Decimal(1), rounding=ROUND_HALF_UP, context=_EXACT))
