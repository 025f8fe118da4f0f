"""Sources, destinations, keys, campaigns, distributions: each command's JSON shape and its refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.core.database import read
from hub.ledger import store as ledger
from hub.registry.discovery import discover, get
from tests.unit.cli.conftest import Shell

BRAZE = ("--no-check", "--set", "base_url=https://rest.example.com", "--set", "api_key=the-api-key")


@pytest.fixture
def ready(shell: Shell) -> Shell:
    shell.text("destinations", "add", "braze", "--name", "crm", *BRAZE)
    shell.text("campaigns", "add", "--name", "spring", "--pattern", "SPRING-######")
    return shell


def test_adding_a_source_prints_what_to_enter_at_the_vendor(shell: Shell) -> None:
    added = shell.json("sources", "add", "segment", "--name", "web")

    assert added["webhook_url"].startswith("https://hub.example.com/in/")
    assert len(added["id"]) == 26
    assert added["secret"]
    assert added["write_key"]
    assert set(added) >= {"id", "name", "connector", "webhook_url", "secret", "write_key"}
    assert "the secrets are shown" not in shell.text("sources", "show", "web")


def test_lists_are_arrays_and_show_no_secret(ready: Shell) -> None:
    added = ready.json("sources", "add", "segment", "--name", "web")
    (listed,) = ready.json("sources", "list")
    shown = ready.json("sources", "show", "web")

    assert {key: shown[key] for key in listed} == listed
    assert listed["secrets"] == ["shared_secret", "write_key"]
    everything = "".join(
        ready.text(group, verb, *name)
        for group, thing in (("sources", "web"), ("destinations", "crm"))
        for verb, *name in (("list",), ("list", "--json"), ("show", thing), ("show", thing, "--json"))
    )
    for secret in (added["secret"], added["write_key"], "the-api-key"):
        assert secret not in everything
    assert ready.json("campaigns", "list")[0]["name"] == "spring"
    for group in ("distributions", "keys"):
        assert ready.json(group, "list") == []
        assert f"`hub {group} add" in ready.run(group, "list").stderr, "an empty list says what to do next"


@pytest.mark.parametrize("group", ["sources", "destinations"])
def test_pause_resume_set_and_remove(ready: Shell, group: str) -> None:
    ready.text("sources", "add", "segment", "--name", "crm")
    setting = {"sources": "hub_secret=another", "destinations": "objects_per_call=50"}[group]

    paused = ready.json(group, "pause", "crm", "--reason", "a look")
    assert (paused["status"], paused["paused_reason"]) == ("paused", "a look")
    assert ready.json(group, "resume", "crm")["status"] == "active"
    changed = ready.json(group, "set", "crm", "--set", setting)
    assert "hub_secret" in changed["secrets"] or changed["settings"]["objects_per_call"] == "50"
    assert "another" not in str(changed)
    assert ready.json(group, "remove", "crm", "--yes") == {"removed": "crm", "deliveries_skipped": 0}
    assert ready.json(group, "list") == []


def test_removal_asks_first(ready: Shell) -> None:
    result = ready.run("destinations", "remove", "crm", given="n\n")

    assert result.exit_code == 1
    assert "Remove the destination 'crm'?" in result.stdout
    assert len(ready.json("destinations", "list")) == 1


def test_a_key_is_shown_once_and_can_be_revoked(shell: Shell) -> None:
    added = shell.json("keys", "add", "--name", "grafana")
    assert set(added) == {"id", "key"}

    (listed,) = shell.json("keys", "list")
    assert (listed["name"], listed["revoked_at"]) == ("grafana", None)
    assert added["key"] not in shell.text("keys", "list", "--json")
    shell.text("keys", "revoke", added["id"])
    assert shell.json("keys", "list")[0]["revoked_at"].endswith("Z")
    assert "no key" in shell.error("keys", "revoke", "nothing")


def test_codes_come_from_a_file_or_standard_input(shell: Shell, tmp_path: Path) -> None:
    shell.text("campaigns", "add", "--name", "bought", "--imported", "--value", '{"percent_off": 10}')
    (tmp_path / "codes.txt").write_bytes(b"A-1\nA-2\n\n  A-3  \nA-1\n\xff\xfe\n")

    done = shell.json("campaigns", "import", "bought", str(tmp_path / "codes.txt"))
    assert (done["added"], done["rejected"]) == (3, 2)
    assert shell.json("campaigns", "import", "bought", "-", given="A-1\nB-1\n")["added"] == 1
    shown = shell.json("campaigns", "show", "bought")
    assert (shown["free"], shown["value"]) == (4, {"percent_off": 10})


def test_campaigns_and_codes_are_retired_and_removed(ready: Shell) -> None:
    ready.text("campaigns", "add", "--name", "bought", "--imported")
    ready.text("campaigns", "import", "bought", "-", given="A-1\nA-2\nA-3\nA-4\n")
    ready.text("distributions", "add", "--name", "mail", "--campaign", "bought", "--to", "crm:profiles")

    assert "distribution 'mail'" in ready.error("campaigns", "remove", "bought", "--yes")
    assert ready.json("campaigns", "codes", "retire", "bought", "A-1") == {"codes_retired": 1}
    assert ready.json("campaigns", "codes", "remove", "bought", "A-2") == {"codes_removed": 1}
    assert "no code 'A-2'" in ready.error("campaigns", "codes", "remove", "bought", "A-2")
    assert "--all-free" in ready.error("campaigns", "codes", "remove", "bought")
    assert [one["code"] for one in ready.json("campaigns", "codes", "list", "bought", "--state", "free")] == [
        "A-3",
        "A-4",
    ]
    assert ready.json("campaigns", "retire", "bought", "--yes") == {"retired": "bought", "codes_retired": 2}
    shown = ready.json("campaigns", "show", "bought")
    assert (shown["free"], shown["retired"]) == (0, 3)
    assert shown["retired_at"].endswith("Z")

    ready.text("distributions", "remove", "mail", "--yes")
    assert ready.json("campaigns", "remove", "bought", "--yes") == {"removed": "bought", "codes_removed": 3}
    assert "The books balance." in ready.text("ledger", "check")


def test_a_distribution_is_added_run_and_removed(ready: Shell) -> None:
    added = ready.json(
        "distributions", "add", "--name", "spring mail", "--campaign", "spring", "--to", "crm:messages:campaign_id=42",
        "--cron", "0 9 * * mon-fri", "--timezone", "Europe/Oslo", "--missed", "once", "--consent", "email",
    )  # fmt: skip
    assert added["targets"] == [{"connection": "crm", "operation": "messages", "options": {"campaign_id": "42"}}]
    assert added["trigger"] == {"kind": "cron", "expression": "0 9 * * mon-fri", "timezone": "Europe/Oslo"}
    assert ready.json("distributions", "list") == [added] == [ready.json("distributions", "show", "spring mail")]

    first = ready.json("distributions", "run", "spring mail", "--key", "once")
    assert (first["is_new"], ready.json("distributions", "run", "spring mail", "--key", "once")["is_new"]) == (
        True,
        False,
    )
    assert ready.json("distributions", "pause", "spring mail")["is_enabled"] is False
    assert "paused" in ready.error("distributions", "run", "spring mail")
    assert ready.json("distributions", "resume", "spring mail")["is_enabled"] is True
    assert "distribution 'spring mail'" in ready.error("destinations", "remove", "crm", "--yes")
    ready.text("distributions", "remove", "spring mail", "--yes")
    assert ready.json("distributions", "list") == []
    assert ready.json("destinations", "remove", "crm", "--yes")["removed"] == "crm"


@pytest.mark.parametrize(
    ("options", "trigger"),
    [
        ((), {"kind": "manual"}),
        (("--every", "90s"), {"kind": "interval", "every_s": 90}),
        (("--every", "6h"), {"kind": "interval", "every_s": 21_600}),
        (("--at", "2090-01-01T09:00", "--timezone", "Europe/Oslo"),
         {"kind": "at", "at": "2090-01-01T09:00", "timezone": "Europe/Oslo"}),
    ],
)  # fmt: skip
def test_triggers(ready: Shell, options: tuple[str, ...], trigger: dict[str, Any]) -> None:
    added = ready.json("distributions", "add", "--name", "x", "--to", "crm:profiles", *options)
    assert added["trigger"] == trigger


WRONG: list[tuple[str, str]] = [
    ("sources add nobody --name x", "no connector 'nobody'"),
    ("sources add braze --name x", "is not a source"),
    ("sources add segment --name a/b", "'/'"),
    ("sources add segment --name x --set colour=red", "no setting 'colour'"),
    ("sources add segment --name x --set nonsense", "key=value"),
    ("sources show nobody", "no source 'nobody'"),
    ("sources set nobody --set a=b", "no source 'nobody'"),
    ("sources remove nobody --yes", "no source 'nobody'"),
    ("destinations add braze --name x", "api_key is missing"),
    ("destinations add segment --name x", "is not a destination"),
    ("destinations add braze --name crm --set base_url=https://x.example --set api_key=k", "already"),
    ("destinations set crm", "--set KEY=VALUE"),
    ("destinations set crm --set hosts.nowhere=https://x.example", "nowhere"),
    ("destinations set crm --set api_key=", "api_key is missing"),
    ("destinations check nobody", "no destination 'nobody'"),
    ("campaigns add --name spring", "already"),
    ("campaigns add --name x --pattern AB", "'#'"),
    ("campaigns add --name x --value {", "not JSON"),
    ("campaigns add --name x --expires never", "--expires"),
    ("campaigns add --name x --expires 2001-01-01", "past"),
    ("campaigns show nobody", "no campaign 'nobody'"),
    ("campaigns import spring -", "makes its own codes"),
    ("distributions add --name x --to crm", "it can do"),
    ("distributions add --name x --to nobody:profiles", "'nobody'"),
    ("distributions add --name x --to crm:messages", "campaign_id"),
    ("distributions add --name x --to crm:profiles --campaign nobody", "'nobody'"),
    ("distributions add --name x --to crm:profiles --cron 9", "five"),
    ("distributions add --name x --to crm:profiles --every soon", "interval"),
    ("distributions add --name x --to crm:profiles --every 1h --at 2090-01-01", "one of"),
    ("distributions add --name x --to crm:profiles --timezone Mars/Base --cron @daily", "time zone"),
    ("distributions add --name x --to crm:profiles --all --source-id ada", "either"),
    ("distributions run nobody", "no distribution 'nobody'"),
    ("distributions remove nobody --yes", "no distribution 'nobody'"),
    ("profiles show nobody", "Nobody is known"),
    ("erase nobody --lift", "not been erased"),
    ("deliveries show nothing", "no delivery 'nothing'"),
    ("deliveries cancel nothing", "no delivery 'nothing'"),
    ("deliveries list --connection nobody", "no destination 'nobody'"),
    ("replay deliveries --connection nobody", "no destination 'nobody'"),
    ("log --source-id ada --follow", "about runs"),
    ("mappings check nobody", "no mapping 'nobody'"),
    ("mappings preview nobody", "no mapping 'nobody'"),
    ("mappings preview segment", "not JSON"),
    ("connectors check nobody", "no connector 'nobody'"),
    ("connectors new X", "lower-case"),
]


def test_every_mistake_is_one_sentence(ready: Shell) -> None:
    for line, sentence in WRONG:
        told = ready.error(*line.split(), given="{\n")
        assert sentence in told, f"hub {line}: {told}"
    assert [each["name"] for each in ready.json("campaigns", "list")] == ["spring"]
    assert ready.json("sources", "list") == []


def test_what_is_done_stands_in_the_audit(ready: Shell) -> None:
    ready.text("destinations", "pause", "crm")
    ready.text("keys", "add")

    with read(ready.installation.engine) as database:
        entries = ledger.audits(database).items
    assert {entry.actor for entry in entries} == {"cli"}
    assert [entry.action for entry in entries] == [
        "key.added", "destination.paused", "campaign.added", "destination.added",
    ]  # fmt: skip


def test_credentials_are_checked_with_the_vendors_harmless_call(shell: Shell) -> None:
    simulator = get(discover(), "braze").subject().simulator_class()
    with simulator.serving() as url:
        settings = {**simulator.example_settings(), **{f"hosts.{k}": v for k, v in simulator.base_urls(url).items()}}
        for name, key in (("good", settings["api_key"]), ("bad", "not-the-key")):
            pairs = [f"--set={field}={value}" for field, value in {**settings, "api_key": key}.items()]
            shell.text("destinations", "add", "braze", "--name", name, "--no-check", *pairs)
        shell.environment["HUB_ALLOW_PRIVATE_HOSTS"] = "1"

        assert [finding["level"] for finding in shell.json("destinations", "check", "good")] == ["ok"]
        refused = shell.run("destinations", "check", "bad")
        assert (refused.exit_code, "error:" in refused.stdout) == (1, True)
        assert "not-the-key" not in refused.output
    gone = shell.run("destinations", "check", "good")
    assert (gone.exit_code, "error:" in gone.stdout) == (1, True)
