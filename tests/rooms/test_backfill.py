"""Backfills: everybody who was there before a sync, in chunks, quietly, once, and never in the way of what is new."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from hub.api.services import Services
from hub.app import build
from hub.core.database import read, write
from hub.distributions import backfills, syncs
from hub.ledger.store import audits, runs
from hub.outbox.tables import DELIVERY
from hub.registry import store as registry
from hub.runtime.erasing.person import erase_person
from hub.runtime.live.connections import LiveConnections
from hub.runtime.occasions.scheduler import ScheduleRole
from hub.runtime.sync import backfill
from hub.runtime.upkeep import ledger_check
from hub.sdk.errors import ConfigurationError
from tests.rooms.profiles.people import NOW, SECOND, digest
from tests.rooms.test_following import Hub


class Filling(Hub):
    """People who were there before any sync."""

    def backfill(self, operation: str, **options: Any) -> bool:
        self.syncs(operation, **options)
        with write(self.engine) as state:
            [sync] = [one for one in syncs.for_connection(state, self.crm) if one.operation == operation]
            return backfills.open_backfill(state, sync, NOW)[1]

    def scheduler(self, chunk: int = 2) -> ScheduleRole:
        role = ScheduleRole(self.engine, digest, random.Random(1))
        role._limit, role._adapt = chunk, lambda *_: None
        return role

    def fills(self, role: ScheduleRole | None = None) -> None:
        role = role or self.scheduler()
        while role.step(NOW):
            pass

    def made(self) -> list[tuple[str, str, str]]:
        return sorted((row.operation, row.source_id, row.topic) for row in self.rows())

    def backfills(self) -> dict[str, Any]:
        with read(self.engine) as state:
            return backfills.latest(state, self.crm)


@pytest.fixture
def hub(engine: Engine, tmp_path: Path) -> Iterator[Filling]:
    opened = Filling(engine, tmp_path)
    opened.applies(*({"id": f"m{n}", "who": f"u{n}", "set": {"name": "x"}} for n in range(5)))
    yield opened
    opened.inbox.close()


def test_everybody_is_sent_once_quietly_and_the_sync_log_tells_it(hub):
    hub.backfill("profiles", respect="all")
    hub.fills()
    assert hub.made() == [("profiles", f"u{n}", hub.rows()[0].topic) for n in range(5)]
    assert {(row.is_quiet, row.options) for row in hub.rows()} == {(True, '{"respect":"all"}')}
    with read(hub.engine) as state:
        [run] = [one for one in runs(state).items if one.kind == "occasion"]
    assert (run.counts, run.connection_id) == ({"people": 5, "deliveries": 5}, hub.crm)
    assert "5 people were looked at, 5 deliveries made" in run.detail
    done = hub.backfills()["profiles"]
    assert (done.state, done.cursor) == ("done", "")
    hub.fills()
    assert len(hub.rows()) == 5


def test_memberships_and_consents_are_sent_as_they_are_through_the_redirect(hub):
    hub.applies(
        {"id": "a", "who": "u1", "set": {"audiences.vip": {"member": True}, "audiences.old": {"member": False}}},
        {"id": "b", "who": "u2", "consents": [["email", False, None], ["sms.news", True, None]]},
        {"id": "c", "who": "u1", "links": [["u0", "u1"]]},
        {"id": "d", "who": "u0", "set": {"audiences.club": {"member": True}}},
    )
    hub.backfill("audience")
    hub.backfill("consent")
    hub.fills()
    assert hub.made() == [
        ("audience", "u1", "club"),
        ("audience", "u1", "old"),
        ("audience", "u1", "vip"),
        ("consent", "u2", "email"),
        ("consent", "u2", "sms.news"),
    ]
    assert hub.backfills()["audience"].counts == {"people": 4, "deliveries": 3}
    assert {row.rank for row in hub.rows()} == {1}, "everybody's consents must not hold up what else happens"


def test_a_backfill_goes_on_where_another_process_left_it(hub):
    hub.backfill("profiles")
    hub.scheduler().step(NOW)
    assert len(hub.rows()) == 2
    assert hub.backfills()["profiles"].cursor == "u1"
    assert not hub.backfill("profiles"), "asking again does not begin again"
    hub.fills()
    assert Counter(row.source_id for row in hub.rows()) == Counter([f"u{n}" for n in range(5)])


def test_a_crash_before_commit_leaves_no_half_chunk(hub, monkeypatch):
    hub.backfill("profiles")
    with monkeypatch.context() as broken:
        broken.setattr(backfills, "advance", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hub.scheduler().step(NOW)
    assert hub.rows() == []
    hub.fills()
    assert len(hub.rows()) == 5


def test_a_chunk_that_cannot_be_made_is_told_once_and_tried_again(hub, monkeypatch):
    hub.backfill("profiles")
    role = hub.scheduler()

    def fail(*_: Any) -> None:
        raise ConfigurationError("The store is upside down.")

    with monkeypatch.context() as broken:
        broken.setattr(backfill.outbox, "waiting_count", fail)
        assert not role.step(NOW)
        assert not role.step(NOW + 60 * SECOND)
    with read(hub.engine) as state:
        told = [one for one in runs(state).items if one.kind == "occasion"]
    assert [(one.result, "upside down" in one.detail) for one in told] == [("failed", True)]
    while role.step(NOW + 120 * SECOND):
        pass
    assert len(hub.rows()) == 5


def test_it_never_takes_the_place_of_news_that_waits(hub):
    hub.syncs("profiles")
    hub.applies({"id": "a", "who": "u3", "set": {"name": "new"}})
    hub.backfill("profiles")
    hub.fills()
    assert Counter(row.source_id for row in hub.rows()) == Counter([f"u{n}" for n in range(5)])
    assert [row.is_quiet for row in hub.rows() if row.source_id == "u3"] == [False]
    assert hub.backfills()["profiles"].counts == {"people": 5, "deliveries": 4, "waiting_already": 1}


def test_no_more_waits_than_the_queue_is_given_so_that_news_never_wait_behind_everybody(hub, monkeypatch):
    monkeypatch.setattr(backfill, "MOST_WAITING", 3)
    hub.backfill("profiles")
    role = hub.scheduler()
    hub.fills(role)
    assert len(hub.rows()) == 4
    with write(hub.engine) as state:
        state.execute(DELIVERY.update().values(state="sent"))
    hub.fills(role)
    assert len(hub.rows()) == 5


def test_an_erased_person_is_left_out_and_nothing_names_them(hub):
    hub.backfill("profiles")
    hub.scheduler().step(NOW)
    with write(hub.engine) as state:
        erase_person(hub.installation, state, "u0", NOW, "tests")
        erase_person(hub.installation, state, "u4", NOW, "tests")
    hub.fills()
    assert sorted(row.source_id for row in hub.rows() if not row.source_id.startswith("erased:")) == ["u1", "u2", "u3"]


def test_it_goes_with_its_sync_and_with_its_connection(hub):
    hub.backfill("profiles")
    with write(hub.engine) as state:
        syncs.remove(state, hub.crm, "profiles")
    hub.fills()
    assert (hub.rows(), hub.backfills()) == ([], {})
    hub.backfill("profiles")
    with write(hub.engine) as state:
        registry.remove(state, hub.crm)
    hub.fills()
    assert hub.rows() == []


def test_a_changed_sync_keeps_its_backfill_which_uses_the_new_options(hub):
    hub.backfill("profiles", respect="all")
    hub.scheduler().step(NOW)
    hub.syncs("profiles", respect="none")
    hub.fills()
    assert Counter(row.options for row in hub.rows()) == {'{"respect":"all"}': 2, '{"respect":"none"}': 3}


def test_the_books_balance(hub):
    hub.backfill("profiles")
    hub.fills()
    assert ledger_check.check(hub.engine, hub.inbox).is_balanced


def test_it_is_counted_started_and_shown_over_the_api(hub):
    with write(hub.engine) as state:
        _, key = registry.add_key(state, hub.installation.vault, "tests", NOW)
    client = build(Services(hub.installation, hub.inbox, LiveConnections(hub.installation))).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    path = "/hub/v1/destinations/crm/syncs/profiles"

    assert client.put(path, json={"backfill": True, "dry_run": True}).json == {"people": 5, "deliveries": 5}
    assert client.get(path).status_code == 404, "a dry run changes nothing"
    assert client.put(path, json={"dry_run": True}).status_code == 400
    events = "/hub/v1/destinations/crm/syncs/events"
    for dry_run in (True, False):
        refused = client.put(events, json={"backfill": True, "dry_run": dry_run})
        assert (refused.status_code, "no backfill of events" in refused.json["message"]) == (400, True)
    assert client.get(events).status_code == 404
    assert client.put(path, json={"backfill": True}).json["backfill"]["state"] == "open"
    hub.fills()
    shown = client.get(path).json["backfill"]
    assert (shown["state"], shown["people"], "cursor" in shown) == ("done", 5, False)
    with read(hub.engine) as state:
        assert "sync.backfilled" in [one.action for one in audits(state).items]
