"""`hub destinations sync` and `unsync`, as an operator types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli import hub
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import Finding


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("HUB_DATABASE_URL", raising=False)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(hub, list(arguments))

    settings = ("--set", "base_url=https://rest.fra-01.braze.eu", "--set", "api_key=k")
    assert run("destinations", "add", "braze", "--name", "crm", "--no-check", *settings).exit_code == 0
    return run


def syncs(cli: Any) -> list[dict[str, Any]]:
    return json.loads(cli("destinations", "show", "crm", "--json").stdout)["syncs"]


def test_a_sync_is_set_replaced_shown_and_removed(cli):
    assert syncs(cli) == []
    assert cli("destinations", "sync", "crm", "profiles").exit_code == 0
    assert cli("destinations", "sync", "crm", "events", "--event", "seen").exit_code == 0
    assert cli("destinations", "sync", "crm", "events", "--event", "b", "--event", "a").exit_code == 0
    assert [(one["operation"], one.get("events")) for one in syncs(cli)] == [("events", ["a", "b"]), ("profiles", None)]
    assert cli("destinations", "unsync", "crm", "events").exit_code == 0
    assert [one["operation"] for one in syncs(cli)] == ["profiles"]


def test_a_backfill_is_counted_then_started_and_shown(cli):
    counted = cli("destinations", "sync", "crm", "profiles", "--backfill", "--dry-run", "--json")
    assert json.loads(counted.stdout) == {"people": 0, "deliveries": 0}
    assert syncs(cli) == []
    started = cli("destinations", "sync", "crm", "profiles", "--backfill", "--json")
    assert json.loads(started.stdout)["backfill"]["state"] == "open"
    assert syncs(cli)[0]["backfill"]["id"] == json.loads(started.stdout)["backfill"]["id"]


def test_everybody_is_sent_only_after_they_were_counted_and_that_was_confirmed(cli, monkeypatch):
    counts = {"people": 2, "deliveries": 3}
    monkeypatch.setattr("hub.admin.syncs.count_backfill", lambda *_, **__: counts)
    refused = cli("destinations", "sync", "crm", "profiles", "--backfill")
    assert refused.exit_code == 1
    assert "This would send 3 deliveries to 2 people who are there already; give --yes" in refused.stderr
    assert syncs(cli) == []
    assert cli("destinations", "sync", "crm", "profiles", "--backfill", "--yes").exit_code == 0
    assert syncs(cli)[0]["backfill"]["state"] == "open"


def test_a_destination_that_needs_nothing_prepared_says_so(cli):
    done = cli("destinations", "prepare", "crm")
    assert (done.exit_code, done.stdout[:4]) == (0, "ok: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("destinations", "sync", "crm", "profiles", "--json"),
        ("destinations", "set", "crm", "--set", "api_key=new", "--json"),
        ("distributions", "add", "--name", "mail", "--to", "crm:profiles", "--json"),
    ],
)
def test_what_preparing_found_after_a_change_stands_beside_the_answer_and_never_in_its_way(cli, monkeypatch, arguments):
    warning = Finding("warning", "The field plan must be made in the dashboard.")
    monkeypatch.setattr("hub.admin.prepare.prepare_after", lambda *_: [warning])
    done = cli(*arguments)
    assert (done.exit_code, done.stderr) == (0, f"warning: {warning.text}\n")
    assert json.loads(done.stdout)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sync", "crm", "events", "--backfill"), "no backfill of events"),
        (("sync", "crm", "events", "--backfill", "--dry-run"), "no backfill of events"),
        (("sync", "crm", "profiles", "--dry-run"), "give both"),
        (("prepare", "nobody"), "There is no destination 'nobody'"),
        (("sync", "crm", "profiles", "--event", "seen"), "Only a sync of events"),
        (("sync", "crm", "events", "--set", "colour=red"), "has no option 'colour'"),
        (("sync", "nobody", "events"), "There is no destination 'nobody'"),
        (("unsync", "crm", "events"), "has no sync of events"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(cli, arguments, words):
    done = cli("destinations", *arguments)
    assert done.exit_code != 0
    assert isinstance(done.exception, ConfigurationError | SystemExit)
    assert words in f"{done.output}{done.exception}"
    assert syncs(cli) == []
