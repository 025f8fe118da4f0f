"""Countries and languages in the codes that vendors ask for (outbound only; inbound keeps them as sent)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache

from hub.mapping.model import Json
from hub.mapping.values.text import NO_CONTEXT, Failed

_MAX_CHARACTERS = 100
_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?(?:[-_.@].*)?", re.DOTALL)
# What people write and ISO 3166 does not list as a name.
_ALSO = {
    "uk": "GB", "greatbritain": "GB", "britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB",
    "northernireland": "GB", "usa": "US", "america": "US", "russia": "RU", "southkorea": "KR", "korea": "KR",
    "northkorea": "KP", "turkey": "TR", "ivorycoast": "CI", "vatican": "VA", "macedonia": "MK", "swaziland": "SZ",
    "capeverde": "CV", "burma": "MM", "laos": "LA", "syria": "SY", "brunei": "BN", "holland": "NL",
}  # fmt: skip


def country(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> str | Failed:
    """ISO 3166-1 alpha-2 of a code or of an English name: `gb`, `GBR`, `United Kingdom` -> `GB`."""
    code = _country(value) if isinstance(value, str) and len(value) <= _MAX_CHARACTERS else None
    return code or Failed("invalid_country", "the value names no country of ISO 3166")


def language(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> str | Failed:
    """ISO 639-1 of a locale, a code or an English name: `en-GB`, `eng`, `English` -> `en`."""
    code = _language(value) if isinstance(value, str) and len(value) <= _MAX_CHARACTERS else None
    return code or Failed("invalid_language", "the value names no language of ISO 639-1")


def region(value: Json, _context: Mapping[str, Json] = NO_CONTEXT) -> str | Failed:
    """The country of a locale: `en-GB`, `zh_Hant_TW` -> `GB`, `TW`. Two capitals alone are a country already."""
    code = _locale_country(value) if isinstance(value, str) and len(value) <= _MAX_CHARACTERS else None
    return code or Failed("invalid_region", "the value is not a locale with a country")


@lru_cache(maxsize=1024)
def _country(text: str) -> str | None:
    return _countries().get(_folded(text))


@lru_cache(maxsize=1024)
def _language(text: str) -> str | None:
    import pycountry

    match = _LOCALE.fullmatch(text.strip())
    code = match[1].lower() if match else ""
    found = (
        pycountry.languages.get(alpha_2=code)
        or pycountry.languages.get(alpha_3=code)
        or pycountry.languages.get(bibliographic=code)
        or pycountry.languages.get(name=text.strip().title())
    )
    return getattr(found, "alpha_2", None)


@lru_cache(maxsize=1024)
def _locale_country(text: str) -> str | None:
    text = text.strip()
    match = _LOCALE.fullmatch(text)
    code = (match[3] or "").upper() if match else ""
    if not code and len(text) == 2 and text.isupper():
        code = text
    return code if code in _alpha_2() else None


@cache
def _countries() -> Mapping[str, str]:
    """Folded code or name -> alpha-2."""
    import pycountry

    known: dict[str, str] = dict(_ALSO)
    for entry in pycountry.countries:
        for name in ("alpha_2", "alpha_3", "name", "official_name", "common_name"):
            spelling = getattr(entry, name, None)
            if spelling:
                known.setdefault(_folded(spelling), entry.alpha_2)
    return known


@cache
def _alpha_2() -> frozenset[str]:
    return frozenset(_countries().values())


def _folded(text: str) -> str:
    """Letters only, without accents and case: `Côte d'Ivoire` -> `cotedivoire`."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if letter.isalpha())
