"""CONTRIBUTING names files that exist: a map of the house that is wrong is worse than none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
PLACES = sorted(set(re.findall(r"`((?:hub|tests|docs)/[\w./]+)`", TEXT)))


@pytest.mark.parametrize("place", PLACES)
def test_every_place_it_names_exists(place: str) -> None:
    assert (ROOT / place).exists()


def test_it_names_the_places_of_the_common_changes() -> None:
    assert len(PLACES) > 20
