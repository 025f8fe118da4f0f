from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.ledger.rules import kept


@given(st.text(st.characters(exclude_categories=()), max_size=40), st.integers(1, 50))
def test_kept_text_is_storable_on_both_engines_and_bounded(text: str, limit: int):
    stored = kept(text, limit)
    assert "\0" not in stored
    stored.encode("utf-8")
    assert len(stored) <= limit + len("… (40 more characters)")


def test_ordinary_text_is_kept_as_it_is():
    assert kept("Žluťoučký kůň 🐴") == "Žluťoučký kůň 🐴"
