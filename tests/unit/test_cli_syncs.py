"""`hub destinations sync` and `unsync`, as an operator types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli import hub
from hub.sdk.errors import ConfigurationError


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("HUB_DATABASE_URL", raising=False)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(hub, list(arguments))

    settings = ("--set", "base_url=https://rest.fra-01.braze.eu", "--set", "api_key=k")
    assert run("destinations", "add", "braze", "--name", "crm", *settings).exit_code == 0
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
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
