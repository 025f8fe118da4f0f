"""Commands that read what happened and do it again: log, deliveries, replay, ledger, profiles, erase."""

from __future__ import annotations

from typing import Any

import pytest

from hub.admin.sync_log import new_runs
from hub.core import clock
from hub.core.clock import SECOND
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.inbox import seen
from hub.inbox.refused import kept_request
from hub.inbox.sql import open_inbox
from hub.inbox.values import AcceptedRequest, SeenRow
from hub.ledger import store as ledger
from hub.ledger.values import Run, RunFilter
from hub.outbox.queue import store as outbox
from hub.outbox.tables import DELIVERY
from hub.outbox.values import NewDelivery
from hub.profiles import store as profiles
from hub.sdk.json import dumps
from hub.sdk.values import Operation, RawMessage
from tests.rooms.profiles.people import applied, change
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_things import BRAZE

NOW = clock.now()


@pytest.fixture
def busy(shell: Shell) -> Shell:
    """Two people; ada was merged from lov, and has a message and a dead letter."""
    crm = shell.json("destinations", "add", "braze", "--name", "crm", *BRAZE)
    hub = shell.installation
    with write(hub.engine) as database:
        changes = [
            applied(change("ada", fields={"email": "ada@example.com"}, links=[("lov", "ada")]), "m1"),
            applied(change("bob"), "m2"),
        ]
        profiles.merge(database, changes, NOW, hub.vault.digest)
        rows = [
            SeenRow("C" * 26, "m1", "applied", "", "", "", NOW, NOW, "ada", 0, b"{}", "[]", None),
            SeenRow(
                "C" * 26, "m3", "quarantined", "missing_required", "", "", NOW - 1, None, "lov", 0, b"{}", "[]", None
            ),
        ]
        seen.record(database, rows)
        new = [NewDelivery(crm["id"], Operation.EVENTS, who, NOW, {}) for who in ("ada", "bob")]
        outbox.insert(database, new, NOW)
        database.execute(DELIVERY.update().where(DELIVERY.c.source_id == "ada").values(state="dead", reason="rejected"))
        for place, kind in enumerate(("apply", "occasion", "request")):
            result = "partial" if kind == "apply" else "ok"
            of = crm["id"] if kind == "request" else None
            run = Run(new_id((NOW // 1000) + place), kind, NOW + place, 1500, {"n": 1}, result, connection_id=of)
            ledger.record_run(database, run)
    return shell


def test_the_log_prints_one_object_a_line_oldest_first(busy: Shell) -> None:
    assert [row["kind"] for row in busy.lines("log")] == ["apply", "occasion", "request"]
    assert [row["kind"] for row in busy.lines("log", "--limit", "2")] == ["occasion", "request"]
    assert [row["kind"] for row in busy.lines("log", "--kind", "request")] == ["request"]
    assert [row["kind"] for row in busy.lines("log", "--result", "partial")] == ["apply"]
    assert len(busy.text("log").splitlines()) == 3


def test_a_run_names_its_connection_and_can_be_asked_for_by_it(busy: Shell) -> None:
    (row,) = busy.lines("log", "--connection", "crm")
    assert (row["kind"], row["connection"], row["distribution"]) == ("request", "crm", None)
    assert " crm " in busy.text("log", "--connection", "crm")
    assert "no connection" in busy.error("log", "--connection", "nothing")
    assert [row["kind"] for row in busy.lines("log", "--connection", "crm", "--source-id", "ada")] == ["delivery"]


def test_the_log_of_a_person_is_that_of_everyone_merged_with_them(busy: Shell) -> None:
    for who in ("ada", "lov"):
        rows = busy.lines("log", "--source-id", who)
        assert {(row["kind"], row.get("message_id")) for row in rows} == {
            ("message", "m1"), ("message", "m3"), ("delivery", None),
        }  # fmt: skip
    assert [row["kind"] for row in busy.lines("log", "--source-id", "bob")] == ["delivery"]
    assert busy.lines("log", "--source-id", "nobody") == []


def test_the_log_tells_what_was_dropped_and_under_which_schema(busy: Shell) -> None:
    warning = {"code": "schema_wrong_type", "path": "metadata.points", "text": "the schema has a number here"}
    other = {"code": "not_signed", "path": "", "text": "The signature does not cover it."}
    with write(busy.installation.engine) as state:
        row = SeenRow("C" * 26, "m9", "applied", "", "m" * 64, "5" * 64, NOW, NOW, "ada", 0, b"{}", "[]", None)
        seen.record(state, [row._replace(warnings=dumps([warning, other]).decode())])

    told = busy.text("log", "--source-id", "ada")
    assert "    metadata.points: the schema has a number here (schema_wrong_type, schema 555555555555)\n" in told
    assert "    The signature does not cover it. (not_signed)\n" in told
    [shown] = [row for row in busy.lines("log", "--source-id", "ada") if row.get("message_id") == "m9"]
    assert (shown["mapping_hash"], shown["schema_hash"]) == ("m" * 64, "5" * 64)
    assert shown["warnings"] == [warning, other]
    assert [row["message_id"] for row in busy.lines("log", "--warned")] == ["m9"]
    assert busy.lines("log", "--warned", "--status", "quarantined") == []
    assert "'sent' is a state of deliveries" in busy.error("log", "--warned", "--status", "sent")
    assert "are about runs" in busy.error("log", "--warned", "--follow")
    count = busy.json("replay", "messages", "--state", "applied", "--warned", "--dry-run")
    assert count["matching"] == 1


def test_the_log_by_state(busy: Shell) -> None:
    assert [row["reason"] for row in busy.lines("log", "--status", "quarantined")] == ["missing_required"]
    assert [row["source_id"] for row in busy.lines("log", "--status", "dead")] == ["ada"]
    assert busy.run("log", "--status", "no-such").exit_code == 2


def test_following_misses_no_run_however_late_it_commits(busy: Shell) -> None:
    hub = busy.installation
    told: set[str] = set()

    def look(now: int) -> list[str]:
        with read(hub.engine) as database:
            return [run.id for run in new_runs(database, RunFilter(), told, now)]

    def add(at: int) -> str:
        run = Run(new_id(at // 1000), "apply", at, 1, {})
        with write(hub.engine) as database:
            ledger.record_run(database, run)
        return run.id

    assert len(look(NOW)) == 3
    late = add(NOW + 20 * SECOND)
    assert look(NOW + 20 * SECOND) == [late]
    early = add(NOW + 10 * SECOND)  # it began before, and commits after
    assert look(NOW + 21 * SECOND) == [early]
    assert look(NOW + 22 * SECOND) == []
    assert look(NOW + 200 * SECOND) == []
    assert not told, "what is out of reach need not be remembered"


def test_deliveries_are_listed_shown_and_cancelled(busy: Shell) -> None:
    rows = busy.json("deliveries", "list")
    assert {row["source_id"]: row["status"] for row in rows} == {"ada": "dead", "bob": "waiting"}
    assert [row["source_id"] for row in busy.json("deliveries", "list", "--status", "dead", "--connection", "crm")] == [
        "ada"
    ]
    assert busy.json("deliveries", "list", "--reason", "unknown") == []

    waits = next(row["id"] for row in rows if row["status"] == "waiting")
    shown = busy.json("deliveries", "show", waits)
    assert (shown["connection"], shown["attempt_count"], shown["attempts"]) == ("crm", 0, [])
    assert "crm" in busy.text("deliveries", "show", waits)
    busy.text("deliveries", "cancel", waits)
    assert "skipped" in busy.error("deliveries", "cancel", waits)


def test_dead_letters_are_replayed_after_a_dry_run(busy: Shell) -> None:
    assert busy.json("replay", "deliveries", "--dry-run") == {"matching": 1}
    assert busy.json("replay", "deliveries", "--connection", "crm", "--yes") == {"matching": 1, "replayed": 1}
    assert busy.json("replay", "deliveries") == {"matching": 0}
    assert busy.run("replay", "deliveries", "--per-second", "0").exit_code == 2


def test_every_list_narrows_by_the_same_filters(busy: Shell) -> None:
    apply, *_ = busy.lines("log")
    assert [row["id"] for row in busy.lines("log", "--status", "partial")] == [apply["id"]]
    assert [row["id"] for row in busy.lines("log", "--text", apply["id"][:20].lower())] == [apply["id"]]
    for command in (["log"], ["log", "--source-id", "ada"], ["deliveries", "list"], ["ledger", "refusals"]):
        late = ["--since", "1m", "--until", "yesterday", "--connection", "crm", "--text", "x"]
        if "refusals" in command:
            late[5] = "C" * 26
        assert busy.text(*command, *late, "--json").strip() in ("", "[]")
    assert [row["source_id"] for row in busy.json("deliveries", "list", "--since", "1h", "--text", "JECT")] == ["ada"]
    assert [row["kind"] for row in busy.lines("log", "--reason", "rejected", "--since", "today")] == ["delivery"]
    assert busy.json("deliveries", "list", "--until", "1h") == []
    assert busy.json("replay", "messages", "--dry-run", "--since", "1h", "--text", "MISSING") == {"matching": 1}
    assert "yesteryear" in busy.run("log", "--since", "yesteryear").stderr


def test_every_line_shows_an_id_that_every_command_takes_back(busy: Shell) -> None:
    rows = busy.json("deliveries", "list")
    for row, line in zip(rows, busy.text("deliveries", "list").splitlines(), strict=True):
        shown = line.split()[1]
        assert row["id"].startswith(shown)
        assert len(shown) < len(row["id"])
        assert busy.json("deliveries", "show", shown.lower())["id"] == row["id"]
    told = busy.error("deliveries", "show", rows[0]["id"][:6])
    assert all(row["id"] in told for row in rows), "those that are meant are named"
    assert "There is no delivery 'x'" in busy.error("deliveries", "show", "x")
    for run, line in zip(busy.lines("log"), busy.text("log").splitlines(), strict=True):
        assert run["id"].startswith(line.split()[1])
    waits = next(row["id"] for row in rows if row["status"] == "waiting")
    assert busy.json("deliveries", "cancel", waits[:16]) == {"cancelled": waits}


def test_nothing_is_sent_again_unasked(busy: Shell) -> None:
    told = busy.error("replay", "deliveries")
    assert told == "This would send 1 delivery (dead) again; give --yes to do it, or --dry-run to count only."
    (dead,) = busy.json("deliveries", "list", "--status", "dead")
    waits = next(row["id"] for row in busy.json("deliveries", "list", "--status", "waiting"))
    assert busy.json("replay", "deliveries", waits[:16], "--yes") == {"matching": 0}
    assert busy.json("replay", "deliveries", dead["id"][:16], "--yes") == {"matching": 1, "replayed": 1}


def test_messages_are_listed_shown_dismissed_and_replayed(busy: Shell) -> None:
    listed = busy.text("messages", "list", "--status", "quarantined", "--since", "1h")
    assert listed.split()[1:6] == ["m3", "message", "quarantined", "C" * 26, "missing_required"]
    assert [row["message_id"] for row in busy.json("messages", "list", "--text", "M3")] == ["m3"]
    assert "several messages: m1, m3" in busy.error("messages", "show", "m")
    assert "There is no message 'x'" in busy.error("messages", "show", "x")
    shown = busy.text("messages", "show", "m3")
    assert "reason       missing_required" in shown
    assert "no valid mapping" in shown
    assert busy.json("messages", "show", "m3", "--connection", "C" * 26)["body"] == {}
    assert "removed" in busy.error("messages", "preview", "m3")

    assert "give a filter" in busy.error("messages", "dismiss", "--because", "A test.")
    assert busy.run("messages", "dismiss", "m3").exit_code == 2
    assert busy.json("messages", "dismiss", "m3", "--because", "A test.", "--dry-run") == {"matching": 1}
    assert busy.json("messages", "dismiss", "m3", "--because", "A test.") == {"matching": 1, "dismissed": 1}
    assert [row["reason"] for row in busy.json("messages", "list", "--status", "ignored")] == ["dismissed"]
    assert "only those can be dismissed" in busy.run("messages", "dismiss", "m1", "--because", "x").stderr
    assert busy.json("messages", "replay", "m3") == {"matching": 1, "quarantined": 1}
    assert busy.run("messages", "dismiss", "--reason", "no_mapping", "--because", "x", given="n\n").exit_code == 1
    dismissed = busy.json("messages", "dismiss", "--reason", "no_mapping", "--because", "x", "--yes")
    assert dismissed == {"matching": 1, "dismissed": 1}


def test_refused_requests_are_shown_with_what_was_sent(busy: Shell) -> None:
    hub = busy.installation
    inbox = open_inbox(hub.settings, hub.engine)
    headers = {"content-type": "text/plain", "x-signature": "s"}
    sent = kept_request("C" * 26, "signature_invalid", "/v1", headers, b"no json", clock.now())
    inbox.refuse("C" * 26, "signature_invalid", clock.now(), lambda: sent)
    inbox.close()
    told = busy.text("messages", "refused", "--reason", "signature_invalid", "--since", "1h")
    assert told.splitlines()[0].endswith(f"{sent.id[:16]}  {'C' * 26}  signature_invalid  /v1")
    assert "  content-type: text/plain\n  x-signature: ***\n\nbody (7 bytes):\n  no json\n" in told
    assert busy.json("messages", "refused", "--until", "1h") == []
    assert "None." in busy.run("messages", "refused", "--text", "other").stderr


def test_a_replay_that_matches_nothing_says_where_it_looked(busy: Shell) -> None:
    told = busy.run("replay", "deliveries", "--status", "sent").stderr
    assert told == "No delivery matches among those that are sent; --status dead looks at others.\n"
    told = busy.run("replay", "messages", "--reason", "other").stderr
    assert "among those that are quarantined" in told
    assert "--status applied" in told


def test_quarantined_messages_are_counted_before_a_replay(busy: Shell) -> None:
    assert busy.json("replay", "messages", "--dry-run") == {"matching": 1}
    assert busy.json("replay", "messages", "--dry-run", "--reason", "other") == {"matching": 0}


def test_the_books_are_top_level_integers_and_the_exit_code_tells_a_difference(busy: Shell) -> None:
    hub = busy.installation
    inbox = open_inbox(hub.settings, hub.engine)
    inbox.append(AcceptedRequest("C" * 26, NOW, [RawMessage(b"{}", "m9")]))
    inbox.close()

    result = busy.run("ledger", "check", "--json")
    import json

    books: dict[str, Any] = json.loads(result.stdout)
    terms = (
        "accepted",
        "waiting",
        "applied",
        "ignored",
        "duplicate",
        "quarantined",
        "decided",
        "sent",
        "skipped",
        "dead",
    )
    assert all(type(books[term]) is int for term in terms)
    assert books["quarantined_reasons"] == {"missing_required": 1}
    assert (books["accepted"], books["applied"], books["waiting"]) == (1, 1, 1)
    assert books["balanced"] is False  # two rows were written past the inbox
    assert result.exit_code == 1
    told = busy.run("ledger", "check")
    assert (told.exit_code, "too many" in told.stdout) == (1, True)


def test_an_empty_hub_balances(shell: Shell) -> None:
    assert shell.json("ledger", "check")["balanced"] is True
    assert "The books balance." in shell.text("ledger", "check")
    assert shell.json("ledger", "refusals") == []


def test_profiles_are_shown_listed_and_found(busy: Shell) -> None:
    shown = busy.json("profiles", "show", "lov")
    assert (shown["source_id"], shown["merged"], shown["events"]) == ("ada", ["lov"], {})
    assert shown["traits"]["email"] == "ada@example.com"
    assert set(shown) >= {"source_id", "traits", "metadata", "identities", "consents", "segments", "events"}
    assert busy.json("profiles", "list") == [{"source_id": "ada"}, {"source_id": "bob"}]
    assert [row["source_id"] for row in busy.json("profiles", "list", "--after", "ada", "--full")] == ["bob"]
    assert busy.json("profiles", "find", "email", "nobody@example.com") == []
    assert "ada@example.com" in busy.text("profiles", "show", "ada")


def test_erasing_asks_erases_and_can_be_lifted(busy: Shell) -> None:
    assert busy.run("erase", "ada", given="n\n").exit_code == 1
    assert busy.json("profiles", "show", "ada")

    done = busy.json("erase", "ada", "--yes")
    assert (done["profiles"], done["messages"], done["destinations"]) == (2, 2, ["crm"])
    assert "ada" not in str(done)
    assert "Nobody" in busy.error("profiles", "show", "lov")
    kinds = {(row["kind"], row.get("operation")) for row in busy.lines("log", "--source-id", "ada")}
    assert kinds == {("delivery", "events"), ("delivery", "erase")}
    assert busy.json("erase", "ada", "--lift") == {"lifted": True}
    assert "not been erased" in busy.error("erase", "ada", "--lift")


def test_follow_ends_at_ctrl_c(busy: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.cli import log

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(log.time, "sleep", interrupt)
    assert len(busy.lines("log", "--follow")) == 3


# ── what no row can hold ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arguments", [("campaigns", "add", "--name", "a\udcff"), ("log", "--source-id", "\udcff\0")])
def test_an_argument_that_is_not_text_is_refused_before_anything_is_done(shell: Shell, arguments: tuple[str, ...]):
    result = shell.run(*arguments)
    assert result.exit_code == 2
    assert "is not text in UTF-8" in result.stderr
    result.stderr.encode()


def test_json_in_an_argument_is_stored_as_far_as_it_can_be(shell: Shell):
    shell.text("campaigns", "add", "--name", "Spring", "--value", r'{"a\u0000": "\ud800"}')
    [campaign] = shell.json("campaigns", "list")
    assert campaign["value"] == {"a\ufffd": "\ufffd"}


def test_a_value_that_does_not_fit_is_told_in_a_sentence():
    from hub.cli.failures import sentence

    assert "too long or too large" in str(sentence(OverflowError("Python int too large to convert to SQLite INTEGER")))
    assert "no database stores" in str(sentence(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")))
