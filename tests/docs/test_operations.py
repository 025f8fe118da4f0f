"""docs/operations.md explains every reason the code gives, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.core.settings import Settings
from tests.docs.reasons import reasons

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
HEADINGS = {
    "refused": "Refused requests", "ignored": "Ignored messages", "quarantined": "Quarantined messages",
    "waiting": "Waiting deliveries", "skipped": "Skipped deliveries", "dead": "Dead letters",
}  # fmt: skip


def explained(state: str) -> set[str]:
    """The first column of the table under the state's heading."""
    section = PAGE.split(f"### {HEADINGS[state]}\n", 1)[1].split("\n#", 1)[0]
    return {reason.replace("NNN", "{}") for reason in re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)}


@pytest.mark.parametrize("state", HEADINGS)
def test_every_reason_of_the_code_is_explained(state: str) -> None:
    given = {reason for found, reason in reasons() if found == state}
    assert given, "the reader of the code finds none: it has lost its way"
    assert given - explained(state) == set()


@pytest.mark.parametrize("state", ["refused", "ignored", "quarantined", "skipped", "dead"])
def test_no_reason_is_explained_that_the_code_does_not_give(state: str) -> None:
    assert explained(state) - {reason for found, reason in reasons() if found == state} == set()


def test_the_settings_it_names_exist() -> None:
    known = {f"HUB_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bHUB_[A-Z_]+\b", PAGE)) <= known


def test_the_retention_it_tells_is_the_default() -> None:
    for name in ("replay_days", "seen_days", "history_days"):
        row = re.search(rf"^\| `HUB_{name.upper()}` \|.*\| (\d+) \|$", PAGE, re.MULTILINE)
        assert row is not None
        assert int(row[1]) == Settings.model_fields[name].default


def test_the_gauges_it_names_are_the_ones_exposed() -> None:
    from hub.api import health
    from hub.core import counters

    source = Path(health.__file__).read_text() + Path(counters.__file__).read_text()
    for name in re.findall(r"`hub_([a-z_]+)[{`]", PAGE):
        assert name in source, name
