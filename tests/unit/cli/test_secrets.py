"""Secrets of sources: made by the hub, changed with an overlap, shown again on demand, each once."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from hub.core import clock
from hub.core.clock import DAY
from hub.core.database import read, write
from hub.inbox.sql import open_inbox
from hub.ledger.tables import AUDIT
from hub.registry import store
from hub.runtime.upkeep.housekeeping import tidy
from tests.unit.cli.conftest import Shell


def test_a_rotated_secret_and_its_predecessor_are_both_taken_for_a_time(shell: Shell) -> None:
    old = shell.json("sources", "add", "segment", "--name", "web")["secret"]

    done = shell.json("sources", "rotate", "web", "--keep", "24h")
    until = datetime.fromisoformat(done["old_one_taken_until"])
    assert timedelta(hours=23) < until - datetime.now(until.tzinfo) <= timedelta(hours=24)
    assert done["secret"] == "shared_secret"
    shown = shell.json("sources", "reveal", "web")
    assert (shown["shared_secret"], shown["previous_shared_secret"]) == (done["value"], old)
    assert shell.json("sources", "show", "web")["previous_secrets_until"] == done["old_one_taken_until"]

    _tidy(shell, later=DAY - 1_000_000_000)
    assert "previous_shared_secret" in shell.json("sources", "reveal", "web")
    _tidy(shell, later=DAY)
    shown = shell.json("sources", "show", "web")
    assert (shown["secrets"], shown["previous_secrets_until"]) == (["shared_secret", "write_key"], None)


def test_another_secret_is_rotated_at_once_if_that_is_said(shell: Shell) -> None:
    old = shell.json("sources", "add", "segment", "--name", "web")
    done = shell.json("sources", "rotate", "web", "--secret", "write_key", "--keep", "0")

    assert done["old_one_taken_until"] is None
    shown = shell.json("sources", "reveal", "web")
    assert shown["write_key"] == done["value"] != old["write_key"]
    assert shown["shared_secret"] == old["secret"]
    assert "previous_write_key" not in shown
    assert "it has shared_secret, write_key" in shell.error("sources", "rotate", "web", "--secret", "hub_secret")
    assert shell.run("sources", "rotate", "web", "--keep", "soon").exit_code == 2


def test_what_stands_in_front_of_a_secret_stays(shell: Shell) -> None:
    shell.text("sources", "add", "mparticle", "--name", "mp", "--set", "authorization=Bearer old")
    assert shell.json("sources", "rotate", "mp")["value"].startswith("Bearer ")
    shell.text(
        "sources",
        "add",
        "webhook",
        "--name",
        "hooks",
        "--set",
        "verify=standard_webhooks",
        "--set",
        "secret=whsec_b2xk",
    )
    assert shell.json("sources", "rotate", "hooks")["value"].startswith("whsec_")
    shell.text("sources", "add", "segment", "--name", "open")
    shell.text("sources", "set", "open", "--set", "shared_secret=", "--set", "write_key=")
    assert "no secret that can be rotated" in shell.error("sources", "rotate", "open")


def test_rotating_and_revealing_are_audited_without_the_secrets(shell: Shell) -> None:
    shell.text("sources", "add", "segment", "--name", "web")
    value = shell.json("sources", "rotate", "web")["value"]
    assert value in shell.text("sources", "reveal", "web")

    with read(shell.installation.engine) as database:
        rows = database.execute(select(AUDIT.c.action, AUDIT.c.detail).order_by(AUDIT.c.id)).all()
    assert {"source.secret_rotated", "source.revealed"} < {row.action for row in rows}
    assert value not in str(rows)


def test_a_new_sources_secrets_are_shown_once_each(shell: Shell) -> None:
    shown = shell.text("sources", "add", "segment", "--name", "web")
    secrets = shell.json("sources", "reveal", "web")

    assert [shown.count(secrets[name]) for name in ("shared_secret", "write_key", "webhook_url")] == [1, 1, 1]
    assert "write key" not in shell.text("sources", "add", "csv", "--name", "files"), "what there is not is not shown"


def test_a_sample_without_a_hub_says_so(shell: Shell) -> None:
    shell.text("sources", "add", "segment", "--name", "web")
    assert "No hub answers at http://127.0.0.1:1 " in shell.error(
        "sources", "test", "web", "--url", "http://127.0.0.1:1"
    )


def _tidy(shell: Shell, later: int) -> None:
    hub = shell.installation
    inbox = open_inbox(hub.settings, hub.engine)
    tidy(hub, inbox, clock.now() + later)
    inbox.close()
    with write(hub.engine) as database:
        assert store.drop_previous(database, hub.vault, clock.now()) == [], "tidying did it, or it is too early"
