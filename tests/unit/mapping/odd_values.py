"""JSON values as the worst sender could write them."""

from __future__ import annotations

import math

from hypothesis import strategies as st

ODD = (
    None, True, False, 0, 1, -1, 2**63, 2**64, -(2**64), 10**400, 10**4000, math.nan, math.inf, -math.inf, -0.0, 1e300,
    1e-320, 0.1, "", " ", "\0", "\ud800", "\udfff\0", "x" * 10_000, "9" * 10_000, "-" + "9" * 400, "1e999999999", "1e999",
    "0x10", "1_000", "١٢٣", "１２", "NaN", "Infinity", "2026-03-14T09:00:00.120Z", "2026-W11-6T09:00:00.120Z", "0000-01-01",
    "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00", "2026-02-30", "2026-03-14T09:00:00.12 Z",
    "2026-03-14T09:00:00.Z", "+44 20 7946 0018", "+", "+999999999999999", "+0", "+1" * 20, "tel:+442079460018", "a@b", "@",
    "a@@b", "en-GB", "GB", "gbp", "%s", [], {}, [None], {"": None}, {"a": {"b": [1, {"c": "\ud800"}]}},
)  # fmt: skip

TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(exclude_categories=[]), max_size=10),  # lone surrogates too
    st.from_regex(r"[+-]?[0-9]{1,25}([.,][0-9]{0,12})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    st.from_regex(r"[0-9]{4}-?[01][0-9]-?[0-3][0-9]([Tt ][0-2][0-9]:?[0-5][0-9](:[0-6][0-9]([.,][0-9]{1,9})?)?( ?Z|[+-][0-2][0-9]:?[0-5][0-9])?)?", fullmatch=True),
    st.from_regex(r"[+0]?[0-9][0-9 ()./-]{3,18}", fullmatch=True),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
)  # fmt: skip

SCALARS = st.one_of(st.sampled_from(ODD), st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)

JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
