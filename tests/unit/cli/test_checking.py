"""Credentials are checked when a destination is added, and a check that succeeds ends the pause they caused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.braze.simulator import BrazeSimulator
from hub.core.database import write
from hub.outbox.engine.lane import AUTH
from hub.registry import store
from tests.unit.cli.conftest import Shell


@pytest.fixture
def braze(monkeypatch: pytest.MonkeyPatch, shell: Shell) -> Iterator[BrazeSimulator]:
    monkeypatch.setenv("HUB_ALLOW_PRIVATE_HOSTS", "1")
    simulator = BrazeSimulator()
    with simulator.serving():
        yield simulator


def settings(braze: BrazeSimulator, **changed: str) -> list[str]:
    pairs = {**braze.example_settings(), **{f"hosts.{name}": url for name, url in braze.base_urls().items()}, **changed}
    return [part for name, value in pairs.items() for part in ("--set", f"{name}={value}")]


def test_a_destination_is_checked_when_it_is_added_unless_told_not_to(shell: Shell, braze: BrazeSimulator) -> None:
    added = shell.run("destinations", "add", "braze", "--name", "good", *settings(braze), "--json")
    assert (added.exit_code, "error" in added.stderr) == (0, False)
    assert "ok:" in added.stderr
    assert braze.received

    wrong = shell.run("destinations", "add", "braze", "--name", "wrong", *settings(braze, api_key="not-it"))
    assert wrong.exit_code == 0, "it is added all the same"
    assert "error: " in wrong.stderr
    assert "hub destinations check wrong" in wrong.stderr

    before = len(braze.received)
    shell.text("destinations", "add", "braze", "--name", "quiet", "--no-check", *settings(braze))
    assert len(braze.received) == before


def test_a_vendor_that_cannot_be_reached_stops_nothing(shell: Shell, braze: BrazeSimulator) -> None:
    gone = [one.replace(braze.url, "http://127.0.0.1:1") for one in settings(braze)]
    added = shell.run("destinations", "add", "braze", "--name", "crm", *gone)

    assert added.exit_code == 0
    assert "It was added all the same" in added.stderr
    assert [one["name"] for one in shell.json("destinations", "list")] == ["crm"]


def test_a_good_check_of_one_paused_for_its_credentials_offers_to_resume_it(
    shell: Shell, braze: BrazeSimulator
) -> None:
    crm = shell.json("destinations", "add", "braze", "--name", "crm", "--no-check", *settings(braze))
    with write(shell.installation.engine) as database:
        store.pause(database, crm["id"], f"{AUTH}401", 1)

    checked = shell.run("destinations", "check", "crm")
    assert (checked.exit_code, "`hub destinations resume crm`" in checked.stderr) == (0, True)
    shell.text("destinations", "check", "crm", "--resume")
    assert shell.json("destinations", "show", "crm")["status"] == "active"

    shell.text("destinations", "pause", "crm", "--reason", "a look")
    shell.text("destinations", "check", "crm", "--resume")
    assert shell.json("destinations", "show", "crm")["status"] == "paused", "an operator's own pause is left alone"


def test_a_patch_that_is_no_text_is_a_sentence(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "patch").write_bytes(bytes(range(256)))
    for given in (("sources", "add", "segment", "--name", "web"), ("sources", "add", "csv", "--name", "files")):
        assert "patch of the connection" in shell.error(*given, "--patch", str(tmp_path / "patch"))


def test_a_list_of_distributions_says_when_each_runs_next(shell: Shell, braze: BrazeSimulator) -> None:
    shell.text("destinations", "add", "braze", "--name", "crm", "--no-check", *settings(braze))
    for name, trigger in (("once", ("--at", "2090-01-01T09:00")), ("by hand", ())):
        shell.text("distributions", "add", "--name", name, "--to", "crm:profiles", *trigger)

    listed = {one["name"]: one["next_at"] for one in shell.json("distributions", "list")}
    assert listed == {"once": "2090-01-01T09:00:00.000Z", "by hand": None}
    assert "2090-01-01T09:00" in shell.text("distributions", "list")
    shell.text("distributions", "pause", "once")
    assert shell.json("distributions", "show", "once")["next_at"] is None
