"""The suite is sensitive: each of these broken connectors fails the check that is there for it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from hub.registry.discovery import discover
from hub.registry.scaffold import Kind, scaffold
from hub.sdk.kit.suite import (
    EVERY_CONNECTOR,
    EVERY_DESTINATION,
    EVERY_SOURCE,
    FAILING_BODIES,
    JSON_VENDORS,
    checks_for,
    verdict,
)

_spec = importlib.util.spec_from_file_location("mutations", Path(__file__).with_name("mutations.py"))
mutations = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(mutations)

SLIPS = [("destination", slip) for slip in mutations.DESTINATION] + [("source", slip) for slip in mutations.SOURCE]


def _problem(kind: Kind, folder: Path, slip: mutations.Slip) -> str:
    scaffold("acme", folder, kind)
    path = folder / "acme" / slip.file
    text = path.read_text("utf-8")
    assert slip.old in text, "the slip no longer fits the scaffold"
    assert slip.also[0] in text
    path.write_text(text.replace(slip.old, slip.new, 1).replace(*slip.also, 1), "utf-8")
    found = discover(str(folder))["acme"]
    assert found.error == ""
    checks = {check.name: check for check in checks_for(found.subject())}
    return verdict(checks[slip.check]).problem


@pytest.mark.parametrize(("kind", "slip"), SLIPS, ids=[f"{kind} that {slip.what}" for kind, slip in SLIPS])
def test_a_broken_connector_fails_its_check(tmp_path, kind, slip):
    assert _problem(kind, tmp_path, slip) != ""


def test_every_check_has_a_broken_connector_that_fails_it():
    tables = [*EVERY_CONNECTOR, *EVERY_DESTINATION, *JSON_VENDORS, *FAILING_BODIES, *EVERY_SOURCE]
    noticed = {slip.check for _, slip in SLIPS}

    assert [name for name, _, _ in tables if name not in noticed] == []
