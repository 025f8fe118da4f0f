"""Replays that an operator orders: counted, audited, safe to repeat, and never sending what nobody asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from hub.admin import replays
from hub.admin.replays import replay_deliveries, replay_messages
from hub.core import clock
from hub.core.clock import DAY
from hub.core.database import read
from hub.inbox.values import MessageFilter
from hub.ledger import store as ledger
from hub.ledger.values import RunFilter
from hub.mapping.versions.watch import Mappings
from hub.outbox.values import Filters
from hub.runtime.live.mappings import MappingWatch
from hub.runtime.upkeep.housekeeping import tidy
from tests.rooms.whole import Whole

QUARANTINED = MessageFilter(status="quarantined")


def replay(whole: Whole, wanted: MessageFilter = QUARANTINED, *, is_dry: bool = False) -> dict[str, int]:
    return replay_messages(whole.hub, wanted, clock.now(), "tests", is_dry=is_dry)


def correct(whole: Whole, folder: Path, text: str) -> None:
    """Put a mapping file in place, and have it followed."""
    (folder / "segment.yaml").write_text(text)
    MappingWatch(whole.hub, Mappings(whole.engine, whole.hub.folders)).look()


STRICT = """
connector: segment
who: {source_id: userId}
message: {at: timestamp}
rules:
  - id: identify
    match: {type: identify}
    profile:
      email: {from: traits.email, as: email, required: true}
      metadata: {spread: traits, rest: true}
"""
LENIENT = STRICT.replace(", required: true", "")


def strict_hub(engine: Engine, tmp_path: Path) -> tuple[Whole, Path]:
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "segment.yaml").write_text(STRICT)
    return Whole(engine, tmp_path / "hub", mappings_path=str(folder)), folder


def test_a_broken_mapping_file_is_named_once_in_the_sync_log(empty_engine: Engine, tmp_path: Path) -> None:
    whole, folder = strict_hub(empty_engine, tmp_path)
    watch = MappingWatch(whole.hub, Mappings(whole.engine, whole.hub.folders))
    (folder / "segment.yaml").write_text(STRICT.replace("profile:", "profiel:"))
    for _ in range(2):
        watch.look()

    with read(whole.engine) as database:
        (run,) = ledger.runs(database, RunFilter(kind="mapping")).items
    assert (run.result, run.connection_id) == ("failed", whole.web.id)
    assert "segment.yaml:8:5: rules.identify: there is no 'profiel' here; did you mean 'profile'?" in run.detail
    assert whole.web.id in watch.broken()
    whole.close()


def test_a_corrected_mapping_cures_the_quarantine(empty_engine: Engine, tmp_path: Path) -> None:
    whole, folder = strict_hub(empty_engine, tmp_path)
    (bad,) = whole.receives({"type": "identify", "userId": "ada", "traits": {"plan": "pro"}})
    whole.applies()
    assert whole.messages()[bad] == ("quarantined", "missing_required")
    assert replay(whole, is_dry=True) == {"matching": 1}
    assert replay(whole)["quarantined"] == 1, "without a correction it stays where it is"

    correct(whole, folder, LENIENT)
    assert replay(whole) == {"matching": 1, "applied": 1}

    assert whole.messages()[bad] == ("applied", "")
    assert replay(whole) == {"matching": 0}
    profile = whole.profile("ada")
    assert profile is not None
    assert profile["metadata"]["plan"] == "pro"
    books = whole.books()
    assert (books.terms["applied"], books.terms["quarantined"]) == (1, 0)
    whole.close()


def test_an_order_is_audited_before_it_runs_and_names_nobody(whole: Whole) -> None:
    whole.connect("crm", "profiles")
    whole.identifies("ada", email="ada@example.com")
    replay(whole, MessageFilter(source_id="ada", status="applied"))
    whole.delivers()
    order = Filters(status="sent", source_id="ada")
    assert replay_deliveries(whole.hub, order, clock.now(), "tests", is_dry=True) == {"matching": 1}
    assert replay_deliveries(whole.hub, order, clock.now(), "tests") == {"matching": 1, "replayed": 1}

    with read(whole.engine) as database:
        entries = ledger.audits(database).items
    told = {entry.action: dict(entry.detail) for entry in entries}
    assert told["messages.replayed"]["matching"] == 1
    assert told["deliveries.replayed"] == {"matching": 1, "is_of_one_person": True, "status": "sent"}
    assert not any("ada" in str(entry) for entry in entries)


def test_replayed_messages_change_the_profile_and_send_nothing(whole: Whole) -> None:
    whole.connect("crm", "profiles", "events")
    whole.receives({"type": "track", "userId": "ada", "event": "Signed Up", "timestamp": "2026-03-14T09:00:00Z"})
    whole.identifies("ada", email="ada@example.com")
    before, sent = whole.profile("ada"), len(whole.deliveries())

    done = replay(whole, MessageFilter(status="applied"))

    assert done == {"matching": 2, "applied": 2}
    assert whole.profile("ada") == before
    assert len(whole.deliveries()) == sent
    whole.books()


def test_what_was_accepted_is_sent_again_only_when_asked_for(whole: Whole) -> None:
    whole.connect("crm", "profiles")
    whole.identifies("ada", email="ada@example.com")
    whole.delivers()
    calls = len(whole.simulators["crm"].calls())

    assert replay_deliveries(whole.hub, Filters(status="dead"), clock.now(), "tests") == {"matching": 0}
    whole.delivers()
    assert len(whole.simulators["crm"].calls()) == calls

    assert replay_deliveries(whole.hub, Filters(status="sent"), clock.now(), "tests")["replayed"] == 1
    whole.delivers()
    assert len(whole.simulators["crm"].calls()) == calls + 1
    (row,) = whole.deliveries()
    assert (row["status"], row["replay"], row["is_manual"]) == ("sent", 1, True)
    whole.books()


def test_many_dead_letters_are_spread_over_time_page_by_page(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    whole.connect("crm", "profiles")
    for number in range(5):
        whole.identifies(f"p{number}", email=f"p{number}@example.com")
    for _ in range(12):  # the call, and every half of it
        whole.simulators["crm"].next(status=400, body={"message": "no"})
    whole.delivers()
    assert {row["status"] for row in whole.deliveries()} == {"dead"}
    monkeypatch.setattr(replays, "PAGE", 2)

    done = replay_deliveries(whole.hub, Filters(), clock.now(), "tests", per_s=0.1)

    assert done == {"matching": 5, "replayed": 5}
    due = sorted(row["due_at"] for row in whole.deliveries())
    assert len(set(due)) == 5, "ten seconds apart, across the pages too"
    whole.books()


def test_messages_whose_body_is_gone_are_counted_and_left_alone(whole: Whole) -> None:
    whole.identifies("ada", email="ada@example.com")
    tidy(whole.hub, whole.inbox, clock.now() + (whole.hub.settings.replay_days + 1) * DAY)

    assert replay(whole, MessageFilter(status="applied")) == {"matching": 1, "no_body": 1}
    assert whole.profile("ada") is not None
