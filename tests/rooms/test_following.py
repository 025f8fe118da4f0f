"""Connections kept in step: what a batch applies reaches the outbox in the same transaction, once, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, event, func, select

from hub.api.services import Services
from hub.app import build
from hub.core.database import read, write
from hub.core.settings import Settings
from hub.distributions import syncs
from hub.distributions.tables import SYNC
from hub.inbox.sql import open_inbox
from hub.inbox.values import AcceptedRequest, MessageFilter
from hub.ledger.store import audits
from hub.mapping.model import Change, Erase, Verdict
from hub.outbox.queue import store as outbox
from hub.outbox.tables import DELIVERY
from hub.profiles import store as profiles
from hub.registry import store as registry
from hub.runtime.apply.batch import Hooks
from hub.runtime.apply.loop import ApplyRole
from hub.runtime.apply.replay import next_revision, replay
from hub.runtime.live.connections import LiveConnections
from hub.runtime.process.installation import Installation
from hub.runtime.sync.follower import LOOK_S, Follower
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import loads
from hub.sdk.values import RawMessage
from tests.rooms.profiles.people import NOW, SECOND, SOURCE, change, digest
from tests.rooms.profiles.people import event as event_of

DAY = 86_400 * SECOND


class Mapping:
    """Bodies are in the canonical words already; `at` counts days before now."""

    hash = "1" * 64
    schema_hash = ""

    def apply(self, message: Any, *, message_id: str, received_at: int) -> Change:
        events = [event_of(key, place, message.get("event_id")) for place, key in enumerate(message.get("events", ()))]
        if message.get("unstorable"):
            events.append(event_of("bad", 9)._replace(occurred_at=2**70))
        if "order_id" in message:
            events = [one._replace(order_id=message["order_id"]) for one in events]
        made = change(
            message.get("who"),
            fields=message.get("set", {}),
            events=events,
            orders=[
                (order_id, {"amount": 900}, {"r1": {"amount": 100, "at": NOW}})
                for order_id in message.get("orders", ())
            ],
            links=[tuple(pair) for pair in message.get("links", ())],
            consents=[tuple(one) for one in message.get("consents", ())],
            identities=[tuple(one) for one in message.get("identities", ())],
            verdict=Verdict(message.get("verdict", "apply")),
            reason=message.get("reason"),
        )
        erasures = tuple(Erase(one, (), "r", "gdpr", received_at) for one in message.get("erase", ()))
        flags = {"is_test": message.get("test", False), "is_replay": message.get("replay", False)}
        at = NOW - int(message.get("days_ago", 1) * DAY)
        consents = tuple(one._replace(at=at) for one in made.consents)
        return made._replace(at=at, consents=consents, erasures=erasures, **flags)


class Hub:
    """An installation with a destination `crm`, and an apply role with its syncs."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.installation = Installation(Settings(data_dir=folder, database_url=""))
        self.installation.__dict__["engine"] = engine  # the fixture's, on either engine of the tests
        self.engine = engine
        self.inbox = open_inbox(self.installation.settings, engine)
        self.inbox.create_tables()
        self.time = 0.0
        self.follower = Follower(self.installation, clock=lambda: self.time)
        self.hooks = Hooks(digest, self.erase, self.follower.follow)
        self.crm = self.connect("crm")

    def connect(self, name: str) -> str:
        with write(self.engine) as state:
            made = registry.add(
                state,
                self.installation.vault,
                NOW,
                role="destination",
                connector="braze",
                name=name,
                settings={},
                secrets={},
                mapping_hash=f"hash-of-{name}",
            )
        return made.id

    def syncs(self, operation: str, *events: str, to: str = "", **options: Any) -> None:
        with write(self.engine) as state:
            syncs.add(
                state,
                NOW,
                connection_id=to or self.crm,
                operation=operation,
                options=options,
                event_keys=list(events),
            )
        self.time += LOOK_S

    def erase(self, state: Any, _connection_id: str, erasure: Erase, now: int) -> str:
        profiles.erase(state, erasure.source_id, now, digest)
        return "erasures"

    def role(self, **hooks: Any) -> ApplyRole:
        return ApplyRole(self.inbox, lambda _: Mapping(), self.hooks._replace(**hooks), 100, now=lambda: NOW)

    def receives(self, *messages: dict[str, Any]) -> None:
        raw = [RawMessage(orjson.dumps(body), body["id"]) for body in messages]
        self.inbox.append(AcceptedRequest(SOURCE, NOW, raw))

    def applies(self, *messages: dict[str, Any]) -> None:
        if messages:
            self.receives(*messages)
        role = self.role()
        while role.step() is not None:
            pass

    def replays(self) -> dict[str, int]:
        with read(self.engine) as state:
            revision = next_revision(state, NOW)
        return replay(self.engine, MessageFilter(), lambda _: Mapping(), self.hooks, revision, NOW)

    def rows(self) -> list[Any]:
        with read(self.engine) as state:
            return list(state.execute(select(DELIVERY).order_by(DELIVERY.c.due_at, DELIVERY.c.id)))

    def deliveries(self) -> list[tuple[str, str, str]]:
        return sorted((row.operation, row.source_id, row.state) for row in self.rows())

    def events(self) -> list[Any]:
        return [loads(row.record)["event"] for row in self.rows() if row.operation == "events"]


@pytest.fixture
def hub(engine: Engine, tmp_path: Path) -> Iterator[Hub]:
    opened = Hub(engine, tmp_path)
    yield opened
    opened.inbox.close()


# ── what is passed on ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_changed_profile_is_pushed_and_an_unchanged_one_is_not(hub):
    hub.syncs("profiles", respect="all")
    hub.applies({"id": "a", "who": "u1", "set": {"name": "Ada"}}, {"id": "b", "who": "u2"})
    with write(hub.engine) as state:
        state.exec_driver_sql("UPDATE delivery SET state = 'sent'")
    hub.applies({"id": "c", "who": "u1", "set": {"name": "Ada"}, "days_ago": 2, "events": ["seen"]})
    assert hub.deliveries() == [("profiles", "u1", "sent"), ("profiles", "u2", "sent")]
    row = hub.rows()[0]
    assert (row.record, loads(row.options), row.mapping_hash, row.consent) == ("{}", {"respect": "all"}, "", "")


def test_each_event_is_passed_on_as_it_came_under_the_mapping_of_now(hub):
    hub.syncs("events")
    hub.applies({"id": "a", "who": "u1", "events": ["first", "second"]}, {"id": "b", "who": "u2", "events": ["third"]})
    assert [row.source_id for row in hub.rows()] == ["u1", "u1", "u2"]
    assert [one["key"] for one in hub.events()] == ["first", "second", "third"]  # in the order they came
    assert hub.events()[1] == {
        "id": "a.1", "kind": "track", "name": "Second", "key": "second", "occurred_at": "2027-01-15T07:59:59.000Z",
        "properties": {}, "code": None, "order_id": None,
    }  # fmt: skip
    row = hub.rows()[0]
    assert (row.mapping_hash, row.at, row.consent, row.occasion_id) == ("hash-of-crm", NOW - SECOND, "", None)


def test_an_event_carries_the_order_that_its_message_tells_of(hub):
    hub.syncs("events")
    hub.applies(
        {"id": "a", "who": "u1", "events": ["paid"], "orders": ["o1", "o2"], "order_id": "o2"},
        {"id": "b", "who": "u1", "events": ["paid"], "orders": ["o3"]},
        {"id": "c", "who": "u1", "events": ["seen"], "order_id": "o1"},
    )
    orders = [loads(row.record).get("order") for row in hub.rows()]
    assert [order and order["id"] for order in orders] == ["o2", "o3", None]
    assert orders[0]["amount"] == 900
    assert orders[0]["refunds"] == {"r1": {"amount": 100, "at": "2027-01-15T08:00:00.000Z"}}


def test_a_sync_of_named_events_passes_on_only_those(hub):
    hub.syncs("events", "order_paid", "Seen")
    hub.applies({"id": "a", "who": "u1", "events": ["seen", "order_paid", "left"]})
    assert [one["key"] for one in hub.events()] == ["seen", "order_paid"]


def test_every_connection_gets_its_own(hub):
    mail = hub.connect("mail")
    for operation, to in (("profiles", hub.crm), ("events", hub.crm), ("events", mail)):
        hub.syncs(operation, to=to)
    hub.applies({"id": "a", "who": "u1", "events": ["seen"]})
    made = sorted((row.operation, row.connection_id, row.mapping_hash) for row in hub.rows())
    assert made == sorted([
        ("profiles", hub.crm, ""), ("events", hub.crm, "hash-of-crm"), ("events", mail, "hash-of-mail"),
    ])  # fmt: skip


# ── once ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_that_comes_twice_is_passed_on_once(hub):
    hub.syncs("profiles")
    hub.syncs("events")
    message = {"id": "a", "who": "u1", "set": {"name": "Ada"}, "events": ["seen"]}
    hub.applies(message, message)
    hub.applies(message, message | {"set": {"name": "Eve"}, "events": ["left"]})
    assert hub.deliveries() == [("events", "u1", "waiting"), ("profiles", "u1", "waiting")]


def test_an_event_under_its_senders_own_id_is_passed_on_once_however_many_messages_tell_of_it(hub):
    hub.syncs("events")
    hub.applies({"id": "a", "who": "u1", "events": ["seen"], "event_id": "e1"},
                {"id": "b", "who": "u1", "events": ["seen"], "event_id": "e1"})  # fmt: skip
    hub.applies({"id": "c", "who": "u1", "events": ["seen"], "event_id": "e1"},
                {"id": "d", "who": "u1", "events": ["seen"], "event_id": "e2"})  # fmt: skip
    assert [one["id"] for one in hub.events()] == ["e1", "e2"]


def test_roles_side_by_side_pass_every_event_on_once(hub):
    hub.syncs("profiles")
    hub.syncs("events")
    for start in range(0, 120, 10):
        bodies = [
            {"id": f"m{n}", "who": f"u{n % 5}", "set": {"name": f"N{n}"}, "events": ["x"]}
            for n in range(start, start + 10)
        ]
        hub.receives(*bodies, {"id": f"m{start}", "who": "wrong", "events": ["x"]})
    stop = threading.Event()
    threads = [threading.Thread(target=hub.role().run, args=(stop,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(2_000):
        if len(hub.events()) == 120 or stop.wait(0.01):
            break
    stop.set()
    for thread in threads:
        thread.join(timeout=10)
    assert sorted(one["id"] for one in hub.events()) == sorted(f"m{n}.0" for n in range(120))
    waiting = [row for row in hub.deliveries() if row[0] == "profiles" and row[2] == "waiting"]
    assert waiting == [("profiles", f"u{n}", "waiting") for n in range(5)]


def test_a_newer_change_takes_the_place_of_the_push_that_waits(hub):
    hub.syncs("profiles")
    hub.applies({"id": "a", "who": "u1", "set": {"name": "Ada"}}, {"id": "b", "who": "u1", "set": {"name": "Eva"}})
    assert hub.deliveries() == [("profiles", "u1", "waiting")]
    hub.applies({"id": "c", "who": "u1", "set": {"email": "ada@example.com"}})
    assert hub.deliveries() == [("profiles", "u1", "skipped"), ("profiles", "u1", "waiting")]
    with read(hub.engine) as state:
        terms = outbox.terms(state)
    assert terms["skipped_reasons"] == {"superseded": 1}
    assert terms["decided"] == terms["waiting"] + terms["skipped"]


# ── all or nothing ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_crash_before_commit_leaves_no_delivery_and_the_next_try_makes_them_once(hub):
    hub.syncs("profiles")
    hub.syncs("events")
    hub.receives({"id": "a", "who": "u1", "set": {"name": "Ada"}, "events": ["seen"]})

    class Crash(Exception):
        pass

    def follow_and_die(*arguments: Any) -> None:
        hub.follower.follow(*arguments)
        raise Crash

    with pytest.raises(Crash):
        hub.role(follow=follow_and_die).step()
    assert hub.deliveries() == []
    hub.applies()
    assert hub.deliveries() == [("events", "u1", "waiting"), ("profiles", "u1", "waiting")]


def test_what_the_store_refuses_is_not_passed_on_and_its_neighbours_are(hub):
    hub.syncs("profiles")
    hub.syncs("events")
    hub.applies(*[{"id": f"m{n}", "who": f"u{n}", "events": ["x"], "unstorable": n == 3} for n in range(8)])
    everyone = [f"u{n}" for n in range(8) if n != 3]
    assert [row[1] for row in hub.deliveries()] == everyone * 2


# ── merged and erased people ─────────────────────────────────────────────────────────────────────────────────────


def test_what_is_said_of_a_merged_profile_goes_to_its_survivor(hub):
    hub.applies({"id": "a", "who": "new", "links": [["old", "new"]]})
    hub.syncs("profiles")
    hub.syncs("events")
    hub.applies(
        {"id": "b", "who": "old", "set": {"name": "Ada"}, "events": ["seen"]},
        {"id": "c", "who": "new", "set": {"email": "ada@example.com"}},
    )
    assert hub.deliveries() == [("events", "new", "waiting"), ("profiles", "new", "waiting")]


def test_a_merge_itself_pushes_the_survivor(hub):
    hub.applies({"id": "a", "who": "old", "set": {"name": "Ada"}}, {"id": "b", "who": "new"})
    hub.syncs("profiles")
    hub.applies({"id": "c", "who": "new", "links": [["old", "new"]]})
    assert hub.deliveries() == [("profiles", "new", "waiting")]


def test_a_link_to_an_erased_person_pushes_nobody_unknown(hub):
    hub.applies({"id": "a", "who": "old", "set": {"name": "Ada"}})
    hub.applies({"id": "b", "who": "other", "erase": ["old"]})
    hub.syncs("profiles")
    hub.applies({"id": "c", "who": "new", "links": [["old", "new"]]}, {"id": "d", "who": "old", "set": {"name": "Ada"}})
    assert hub.deliveries() == [("profiles", "new", "waiting")]


# ── never ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "odd",
    [{"test": True}, {"replay": True}, {"days_ago": 31}, {"verdict": "ignore", "reason": "x"}, {"who": None}],
    ids=lambda odd: next(iter(odd)),
)
def test_tests_replays_old_ignored_and_nameless_messages_are_never_passed_on(hub, odd):
    hub.syncs("profiles")
    hub.syncs("events")
    hub.applies({"id": "a", "who": "u1", "set": {"name": "Ada"}, "events": ["seen"]} | odd)
    assert hub.deliveries() == []


def test_replaying_stored_messages_passes_nothing_on_again(hub):
    hub.syncs("profiles")
    hub.syncs("events")
    hub.applies({"id": "a", "who": "u1", "set": {"name": "Ada"}, "events": ["seen"]}, {"id": "b", "who": "u2"})
    before = hub.deliveries()
    assert hub.replays() == {"applied": 2}
    assert hub.deliveries() == before


# ── syncs themselves ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_sync_is_followed_within_the_look_and_a_removed_one_at_once(hub):
    hub.applies({"id": "a", "who": "u1", "events": ["x"]})
    hub.syncs("events")
    hub.time -= LOOK_S
    hub.applies({"id": "b", "who": "u1", "events": ["x"]})
    hub.time += LOOK_S
    hub.applies({"id": "c", "who": "u1", "events": ["x"]})
    with write(hub.engine) as state:
        assert syncs.remove(state, hub.crm, "events")
        assert not syncs.remove(state, hub.crm, "events")
    hub.applies({"id": "d", "who": "u1", "events": ["x"]})
    assert [one["id"] for one in hub.events()] == ["c.0"]


def test_without_syncs_a_batch_costs_no_query_more(hub):
    statements: list[str] = []
    event.listen(hub.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    hub.applies({"id": "a", "who": "u1"})
    hub.applies({"id": "b", "who": "u1"})
    assert sum("sync.operation" in text for text in statements) == 1


def test_a_sync_goes_with_its_connection(hub):
    hub.syncs("events")
    with write(hub.engine) as state:
        registry.remove(state, hub.crm)
    hub.applies({"id": "a", "who": "u1", "events": ["x"]})
    assert hub.deliveries() == []
    with read(hub.engine) as state:
        assert state.scalar(select(func.count()).select_from(SYNC)) == 0


def test_a_paused_connection_is_kept_in_step_by_deliveries_that_wait(hub):
    hub.syncs("events")
    with write(hub.engine) as state:
        registry.pause(state, hub.crm, "tired", NOW)
    hub.applies({"id": "a", "who": "u1", "events": ["x"]})
    assert hub.deliveries() == [("events", "u1", "waiting")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"operation": "messages"},
        {"connection_id": "nobody"},
        {"event_keys": "seen"},
        {"event_keys": [""]},
        {"event_keys": ["a\0b"]},
        {"operation": "profiles", "event_keys": ["seen"]},
    ],
    ids=str,
)
def test_a_sync_that_makes_no_sense_is_refused(hub, wrong):
    given = {"connection_id": hub.crm, "operation": "events", "options": {}, "event_keys": []} | wrong
    with write(hub.engine) as state, pytest.raises(ConfigurationError):
        syncs.add(state, NOW, **given)


def test_syncs_are_set_shown_and_removed_over_the_api(hub):
    with write(hub.engine) as state:
        _, key = registry.add_key(state, hub.installation.vault, "tests", NOW)
    app = build(Services(hub.installation, hub.inbox, LiveConnections(hub.installation)))
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    path = "/hub/v1/destinations/crm/syncs"

    assert client.put(f"{path}/events", json={"events": ["seen"]}).json["events"] == ["seen"]
    assert client.put(f"{path}/events", json={}).json["events"] == []
    assert client.put(f"{path}/profiles").status_code == 200
    assert [one["operation"] for one in client.get(path).json] == ["events", "profiles"]
    assert client.get(f"{path}/profiles").json["options"] == {}
    assert client.put(f"{path}/erase", json={}).status_code == 400
    assert client.put(f"{path}/events", json={"options": {"no_such": 1}}).status_code == 400
    assert client.put(f"{path}/events", json={"events": "seen"}).status_code == 400
    assert client.put(f"{path}/events", json={"evnts": []}).json["key"] == "unknown_field"
    assert client.put("/hub/v1/destinations/nobody/syncs/events").status_code == 404
    assert client.delete(f"{path}/events").status_code == 204
    assert client.delete(f"{path}/events").status_code == 404
    assert client.get(f"{path}/events").status_code == 404
    with read(hub.engine) as state:
        actions = [one.action for one in audits(state).items]
    assert actions.count("sync.added") == 3
    assert actions.count("sync.removed") == 1
