"""The suite is sensitive: each of these broken connectors fails the check that is there for it."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Literal

import pytest

from hub.check import IN_THE_HUB, checks, run
from hub.registry.discovery import discover
from hub.registry.scaffold import scaffold
from hub.sdk.json import loads
from hub.sdk.kit.suite.runner import (
    EVERY_CONNECTOR,
    EVERY_DESTINATION,
    EVERY_SOURCE,
    FAILING_BODIES,
    FOLLOWED_ERASURES,
    JSON_VENDORS,
    READING_SOURCE,
    verdict,
)

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("mutations", HERE / "mutations.py")
mutations = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(mutations)

Base = Literal["destination", "source", "longway", "stream", "privacy"]
SLIPS = [
    (base, slip)
    for base, slips in (
        ("destination", mutations.DESTINATION),
        ("source", mutations.SOURCE),
        ("longway", mutations.LONGWAY),
        ("stream", mutations.STREAM),
        ("privacy", mutations.PRIVACY),
    )
    for slip in slips
]


def _unbroken(base: Base, folder: Path) -> str:
    """The working connector in a folder of its own; its name."""
    if base in ("longway", "stream", "privacy"):
        shutil.copytree(HERE / base, folder / base, ignore=shutil.ignore_patterns("__pycache__"))
        return base
    scaffold("acme", folder, base)
    return "acme"


def _with_names(text: str, file: str) -> str:
    """With imports that slips need: a slip must fail for what it does, not for a name that is missing."""
    names = "from hub.sdk.errors import AuthFailed, Permanent, Retryable\nfrom hub.sdk.values import Again\n"
    start = "from __future__ import annotations\n"
    return text.replace(start, start + names, 1) if file == "connector.py" else text


def _problem(base: Base, folder: Path, slip: mutations.Slip) -> str:
    name = _unbroken(base, folder)
    path = folder / name / slip.file
    text = path.read_text("utf-8")
    assert slip.old in text, "the slip no longer fits the connector"
    assert slip.also[0] in text
    path.write_text(_with_names(text.replace(slip.old, slip.new, 1).replace(*slip.also, 1), slip.file), "utf-8")
    found = discover(str(folder))[name]
    assert found.error == ""
    named = {check.name: check for check in checks(found)}
    return verdict(named[slip.check]).problem


@pytest.mark.parametrize(("base", "slip"), SLIPS, ids=[f"{base} that {slip.what}" for base, slip in SLIPS])
def test_a_broken_connector_fails_its_check(tmp_path, base, slip):
    problem = _problem(base, tmp_path, slip)
    assert problem != ""
    assert "NameError" not in problem
    assert "SyntaxError" not in problem


@pytest.mark.parametrize("base", ["destination", "source", "longway", "stream", "privacy"])
def test_the_unbroken_one_passes_every_check(tmp_path, base):
    name = _unbroken(base, tmp_path)
    assert [f"{one.check.name}: {one.problem}" for one in run(discover(str(tmp_path))[name]) if one.problem] == []


def test_every_check_has_a_broken_connector_that_fails_it():
    tables = [
        *EVERY_CONNECTOR,
        *EVERY_DESTINATION,
        *JSON_VENDORS,
        *FAILING_BODIES,
        *EVERY_SOURCE,
        *READING_SOURCE,
        *FOLLOWED_ERASURES,
        *IN_THE_HUB,
    ]
    noticed = {slip.check for _, slip in SLIPS}

    assert [name for name, _, _ in tables if name not in noticed] == []
    assert {"has-a-mapping", "maps: messages", "arrives: profiles"} <= noticed


def test_a_hub_that_stores_what_it_is_told_fails_the_check_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr("hub.outbox.engine.workers.storable_reports", lambda reports: reports)
    monkeypatch.setattr("hub.sdk.json.loads_storable", loads)
    name = _unbroken("longway", tmp_path)
    named = {check.name: check for check in checks(discover(str(tmp_path))[name])}
    problem = verdict(named["poisoned-answers"]).problem
    assert "could not be stored" in problem


def test_slips_are_told_apart_by_the_problem_that_is_found(tmp_path):
    """A message names what is wrong, in a sentence an author can act on."""
    slip = next(one for one in mutations.LONGWAY if one.what == "forgets how far it came")
    assert "messages, a 500 at call 2: after carrying on the vendor has 3 messages in place of 2" in _problem(
        "longway", tmp_path, slip
    )
