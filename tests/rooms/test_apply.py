"""The batch transaction: messages in, profiles and seen rows out, all or nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from hub.core.database import open_database, read, write
from hub.core.settings import Settings
from hub.core.wakeup import MESSAGES, listening
from hub.inbox import retention, seen
from hub.inbox.sql import Inbox, open_inbox
from hub.inbox.values import AcceptedRequest, MessageFilter
from hub.ledger import store as ledger
from hub.mapping.model import Change, Erase, Verdict
from hub.profiles import store
from hub.runtime.apply import loop
from hub.runtime.apply.batch import Hooks
from hub.runtime.apply.loop import ApplyRole
from hub.runtime.apply.replay import next_revision, replay
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import RawMessage
from tests.harness import PATIENCE_S
from tests.rooms.profiles.people import NOW, SECOND, SOURCE, change, digest, everyone, exported
from tests.rooms.profiles.people import event as event_of


class FakeMapping:
    """Bodies are in the canonical words already: {"id", "who", "at", "set", "events", "links", …}."""

    hash = "1" * 64
    schema_hash = ""

    def apply(self, message: Any, *, message_id: str, received_at: int) -> Change:
        if message.get("defect"):
            raise KeyError("a defect that quotes secret@example.com")
        events = [event_of(key, place) for place, key in enumerate(message.get("events", ()))]
        if message.get("unstorable"):
            events.append(event_of("bad", 9)._replace(occurred_at=2**70))
        erasures = [Erase(source_id, (), "r", "gdpr", received_at) for source_id in message.get("erase", ())]
        return change(
            message.get("who"),
            message.get("at", 100),
            fields=message.get("set", {}),
            events=events,
            erasures=erasures,
            links=[tuple(pair) for pair in message.get("links", ())],
            verdict=Verdict(message.get("verdict", "apply")),
            reason=message.get("reason"),
        )


class CorrectedMapping(FakeMapping):
    """Reads what FakeMapping could not, and leaves out e-mail addresses."""

    hash = "2" * 64

    def apply(self, message: Any, *, message_id: str, received_at: int) -> Change:
        corrected = {key: value for key, value in message.items() if key not in ("defect", "verdict", "unstorable")}
        corrected["set"] = {key: value for key, value in message.get("set", {}).items() if key != "email"}
        return super().apply(corrected, message_id=message_id, received_at=received_at)


def mapper(connection_id: str) -> FakeMapping:
    if connection_id != SOURCE:
        raise ConfigurationError(f"There is no mapping for {connection_id}.")
    return FakeMapping()


class Hub:
    """An inbox beside a state database, and what one apply role does with it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.inbox: Inbox = open_inbox(Settings(data_dir=folder), engine)
        self.inbox.create_tables()
        self.hooks = Hooks(digest, self.erase)
        self.role = self.another_role()

    def another_role(self, limit: int = 100) -> ApplyRole:
        return ApplyRole(self.inbox, mapper, self.hooks, limit, now=lambda: NOW)

    def erase(self, state: Any, _connection_id: str, erasure: Erase, now: int) -> str:
        retention.erase(state, store.erase(state, erasure.source_id, now, digest).source_ids)
        return "erasures"

    def receives(self, *messages: dict[str, Any] | bytes, connection_id: str = SOURCE) -> None:
        raw = [
            RawMessage(body, f"raw{place}")
            if isinstance(body, bytes)
            else RawMessage(orjson.dumps(body), body.get("id"))
            for place, body in enumerate(messages)
        ]
        self.inbox.append(AcceptedRequest(connection_id, NOW, raw))

    def applies(self) -> None:
        while self.role.step() is not None:
            pass

    def everyone(self) -> list[dict[str, Any]]:
        with read(self.engine) as state:
            return everyone(state)

    def exported(self) -> bytes:
        with read(self.engine) as state:
            return exported(state)

    def states(self) -> dict[str, tuple[str, str]]:
        with read(self.engine) as state:
            return {row.message_id: (row.state, row.reason) for row in seen.page(state, MessageFilter(), None, 1_000)}

    def balance(self) -> tuple[int, int]:
        """Accepted, and the sum of what became of it."""
        with read(self.engine) as state:
            accepted, waiting = self.inbox.terms(state)
            ends = seen.terms(state)
        ended = ends.applied + sum(ends.ignored.values()) + sum(ends.quarantined.values()) + ends.duplicate
        return accepted, waiting + ended

    def replays(self, new_mapper: Any, **wanted: Any) -> dict[str, int]:
        with read(self.engine) as state:
            revision = next_revision(state, NOW)
        return replay(self.engine, MessageFilter(**wanted), new_mapper, self.hooks, revision, NOW)


@pytest.fixture
def hub(engine: Engine, tmp_path: Path) -> Iterator[Hub]:
    opened = Hub(engine, tmp_path)
    yield opened
    opened.inbox.close()


def corrected(_connection_id: str) -> CorrectedMapping:
    return CorrectedMapping()


# ── one batch ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_messages_end_in_the_state_their_mapping_says(hub):
    hub.receives(
        {"id": "a", "who": "u1", "set": {"name": "Ada"}, "events": ["bought"]},
        {"id": "b", "verdict": "ignore", "reason": "anonymous"},
        {"id": "c", "verdict": "quarantine", "reason": "missing_total"},
    )
    hub.applies()
    assert hub.states() == {
        "a": ("applied", ""),
        "b": ("ignored", "anonymous"),
        "c": ("quarantined", "missing_total"),
    }
    assert hub.everyone()[0]["events"] == {"bought": 1}
    assert hub.balance() == (3, 3)


def test_a_batch_leaves_one_sync_run_with_its_counts(hub):
    hub.receives({"id": "a", "who": "u1", "events": ["x"]}, {"id": "a", "who": "u1"}, b"{broken")
    hub.applies()
    with read(hub.engine) as state:
        (run,) = ledger.runs(state).items
        rows = seen.page(state, MessageFilter(), None, 10)
    assert run.counts == {
        "messages": 3, "applied": 1, "duplicate": 1, "quarantined": 1, "profiles_created": 1, "events": 1,
    }  # fmt: skip
    assert (run.kind, run.result, run.connection_id) == ("apply", "partial", SOURCE)
    assert {row.run_id for row in rows} == {run.id}


def test_of_several_bodies_under_one_id_the_first_counts_in_one_batch_or_in_two(hub):
    hub.receives(
        {"id": "a", "who": "u1", "set": {"name": "first"}}, {"id": "a", "who": "u2", "set": {"name": "second"}}
    )
    hub.applies()
    hub.receives({"id": "a", "who": "u3", "set": {"name": "third"}})
    hub.applies()
    assert [profile["source_id"] for profile in hub.everyone()] == ["u1"]
    assert hub.balance() == (3, 3)


def test_one_messages_defect_never_fails_its_neighbours(hub):
    hub.receives(
        {"id": "a", "who": "u1"},
        {"id": "b", "who": "u2", "defect": True},
        b"\xff\xfe",
        b"[1, 2]",
        {"id": "c", "who": "u3"},
    )
    hub.receives({"id": "d", "who": "u4"}, connection_id="01UNKNOWN00000000000000000")
    hub.applies()
    assert hub.states() == {
        "a": ("applied", ""),
        "b": ("quarantined", "mapping_defect"),
        "c": ("applied", ""),
        "d": ("quarantined", "no_mapping"),
        "raw2": ("quarantined", "not_json"),
        "raw3": ("quarantined", "mapping_defect"),
    }
    assert hub.balance() == (6, 6)
    with read(hub.engine) as state:
        (row,) = seen.page(state, MessageFilter(message_id="b"), None, 1)
    assert "KeyError" in row.warnings
    assert "secret@example.com" not in row.warnings


@pytest.mark.parametrize("source_id", ["x" * 256, "nul\0", "", "\ud800"])
def test_a_source_id_that_cannot_be_a_key_is_quarantined_alike_on_both_engines(hub, source_id):
    body = orjson.dumps({"id": "a"}) if source_id == "\ud800" else None
    hub.receives(b'{"who": "\\ud800"}' if body else {"id": "raw0", "who": source_id}, {"id": "b", "who": "x" * 255})
    hub.applies()
    assert hub.states() == {"raw0": ("quarantined", "invalid_source_id"), "b": ("applied", "")}


def test_what_the_store_refuses_is_halved_until_it_stands_alone(hub):
    bad = {3, 4, 17}
    hub.receives(*[{"id": f"m{n:02}", "who": f"u{n}", "unstorable": n in bad, "set": {"name": "A"}} for n in range(20)])
    hub.applies()
    states = hub.states()
    assert {name for name, end in states.items() if end == ("quarantined", "unstorable")} == {"m03", "m04", "m17"}
    assert len(hub.everyone()) == 17
    assert hub.balance() == (20, 20)
    with read(hub.engine) as state:
        (run,) = ledger.runs(state).items
    assert (run.counts["applied"], run.counts["quarantined"]) == (17, 3)


def test_a_message_without_id_or_time_is_applied_with_a_warning(hub):
    hub.receives({"who": "u1"})
    hub.applies()
    with read(hub.engine) as state:
        (row,) = seen.page(state, MessageFilter(), None, 10)
    assert "no_message_id" in row.warnings


# ── crashes, locks, workers ──────────────────────────────────────────────────────────────────────────────────────


def test_a_crash_before_commit_loses_nothing_and_applies_nothing(hub):
    hub.receives(*[{"id": f"m{n}", "who": f"u{n}", "events": ["x"]} for n in range(10)])

    class Crash(Exception):
        pass

    def crash(*_: Any) -> None:
        raise Crash

    dying = ApplyRole(hub.inbox, mapper, hub.hooks._replace(follow=crash), now=lambda: NOW)
    with pytest.raises(Crash):
        dying.step()
    assert hub.everyone() == []
    assert hub.states() == {}
    assert hub.balance() == (10, 10)
    hub.applies()
    assert len(hub.everyone()) == 10
    assert hub.balance() == (10, 10)


def test_a_lost_or_locked_database_repeats_the_batch_and_quarantines_nobody(hub):
    hub.receives({"id": "a", "who": "u1"}, {"id": "b", "who": "u2"})
    troubles = iter([OperationalError("locked", {}, Exception()), OperationalError("again", {}, Exception())])

    def fail_twice(*_: Any) -> None:
        for trouble in troubles:
            raise trouble

    role = ApplyRole(hub.inbox, mapper, hub.hooks._replace(follow=fail_twice), now=lambda: NOW)
    stop = threading.Event()
    thread = threading.Thread(target=role.run, args=(stop,))
    thread.start()
    until(lambda: len(hub.states()) == 2)
    stop.set()
    thread.join(timeout=10)
    assert set(hub.states().values()) == {("applied", "")}


def test_a_backlog_is_read_ahead_and_applied_once(hub):
    """In order of arrival on SQLite; on PostgreSQL a claim passes over rows that another holds."""
    for start in range(0, 60, 3):
        hub.receives(*[{"id": f"m{n}", "who": "u1", "at": 100, "events": [f"e{n}"]} for n in range(start, start + 3)])
    hub.receives({"id": "m0", "who": "u2"})
    applied: list[list[str]] = []

    def follow(_state: Any, changes: Any, *_: Any) -> None:
        applied.append([change.message_id for change in changes])

    role = ApplyRole(hub.inbox, mapper, hub.hooks._replace(follow=follow), 3, now=lambda: NOW)
    while role.drain(threading.Event()):
        pass
    assert len(applied) > 1
    order = [message_id for batch in applied for message_id in batch]
    assert sorted(order) == sorted(f"m{n}" for n in range(60))
    assert hub.engine.dialect.name == "postgresql" or order == [f"m{n}" for n in range(60)]
    assert set(hub.states().values()) == {("applied", "")}
    assert hub.balance() == (61, 61)


@pytest.mark.parametrize("failing", [0, 1, 5])
def test_a_batch_that_fails_lets_go_of_what_was_read_ahead(hub, failing):
    for n in range(20):
        hub.receives({"id": f"m{n}", "who": f"u{n}", "events": ["x"]})
    turns = iter(range(100))

    def fail_once(*_: Any) -> None:
        if next(turns) == failing:
            raise OperationalError("locked", {}, Exception())

    role = ApplyRole(hub.inbox, mapper, hub.hooks._replace(follow=fail_once), 1, now=lambda: NOW)
    with pytest.raises(OperationalError):
        role.drain(threading.Event())
    assert len(hub.states()) == failing
    another = hub.another_role()
    while another.step() is not None:  # on PostgreSQL too nothing is still locked
        pass
    assert len(hub.everyone()) == 20
    assert set(hub.states().values()) == {("applied", "")}
    assert hub.balance() == (20, 20)


def test_a_commit_that_fails_takes_what_was_read_ahead_with_it(hub, monkeypatch):
    for n in range(6):
        hub.receives({"id": f"m{n}", "who": f"u{n}", "events": ["x"]})
    role = hub.another_role(limit=1)

    def fail(connection: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("SELECT count(*) FROM message")
        if cursor.fetchone()[0]:
            connection.rollback()
            raise OperationalError("disk full", {}, Exception())
        commit(connection)

    commit = hub.engine.dialect.do_commit
    with monkeypatch.context() as patched:
        patched.setattr(hub.engine.dialect, "do_commit", fail)
        with pytest.raises(OperationalError):
            role.drain(threading.Event())
    assert hub.states() == {}
    while role.drain(threading.Event()):
        pass
    assert len(hub.everyone()) == 6
    assert hub.balance() == (6, 6)


def test_a_defect_of_the_hub_itself_ends_the_role_and_keeps_the_messages(hub):
    hub.receives({"id": "a", "who": "u1"})

    def defect(*_: Any) -> None:
        raise AttributeError("no such thing")

    role = ApplyRole(hub.inbox, mapper, hub.hooks._replace(follow=defect), now=lambda: NOW)
    with pytest.raises(AttributeError):
        role.run(threading.Event())
    assert hub.balance() == (1, 1)
    assert hub.states() == {}


def test_roles_side_by_side_apply_every_message_once(hub):
    """Several roles on PostgreSQL; on SQLite a second one finds itself superseded and claims again."""
    for start in range(0, 300, 10):
        hub.receives(
            *[
                {
                    "id": f"m{n}",
                    "who": f"u{n % 7}",
                    "at": n,
                    "set": {"name": f"N{n}", f"metadata.k{n % 5}": n},
                    "events": ["x"],
                }
                for n in range(start, start + 10)
            ],
            {"id": f"m{start}", "who": "wrong"},
        )
    stop = threading.Event()
    threads = [threading.Thread(target=hub.another_role(25).run, args=(stop,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(hub.states()) == 300)
    stop.set()
    for thread in threads:
        thread.join(timeout=10)
    together = hub.exported()
    assert sum(profile["events"]["x"] for profile in hub.everyone()) == 300
    assert hub.balance() == (330, 330)
    with write(hub.engine) as state:
        for name in ("message", "profile", "event", "identity"):
            state.exec_driver_sql(f"DELETE FROM {name}")
    hub.receives(
        *[
            {
                "id": f"m{n}",
                "who": f"u{n % 7}",
                "at": n,
                "set": {"name": f"N{n}", f"metadata.k{n % 5}": n},
                "events": ["x"],
            }
            for n in range(300)
        ]
    )
    hub.applies()
    assert hub.exported() == together


@contextmanager
def running(role):
    stop = threading.Event()
    thread = threading.Thread(target=role.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)
    assert not thread.is_alive()


def test_new_messages_wake_an_idle_role_which_does_not_look_for_them_by_itself(hub, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_S", 3_600.0)
    looks = []
    look = hub.inbox.batch
    monkeypatch.setattr(hub.inbox, "batch", lambda limit: looks.append(limit) or look(limit))
    with listening(hub.engine, {MESSAGES: hub.role.wake}), running(hub.role):
        for turn in range(5):
            hub.receives({"id": f"m{turn}", "who": "u1"})
            until(lambda turn=turn: len(hub.states()) == turn + 1)
    assert len(looks) <= 1 + 3 * 5, "one before the first message, then a few for each"


def test_messages_whose_wake_up_was_lost_are_applied_at_the_next_look(hub, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_S", 0.05)
    with running(hub.role):
        for turn in range(3):
            hub.receives({"id": f"m{turn}", "who": "u1"})
            until(lambda turn=turn: len(hub.states()) == turn + 1)


def test_a_batch_shrinks_when_its_transaction_takes_long(hub):
    """On SQLite every other writer waits for it; PostgreSQL has more patience."""
    for n in range(200):
        hub.receives({"id": f"m{n}", "who": f"u{n}"})
    took_s = 0.12 if hub.engine.dialect.name == "sqlite" else 1.1
    slow = ApplyRole(hub.inbox, mapper, hub.hooks._replace(follow=lambda *_: pause(took_s)), 500, now=lambda: NOW)
    first, second = slow.step(), slow.step()
    assert first is not None
    assert second is not None
    assert first.counts["applied"] == 100
    assert second.counts["applied"] <= 60


# ── erasure ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_messages_for_an_erased_person_are_ignored_whatever_their_time_and_nothing_of_them_is_kept(hub):
    hub.receives({"id": "a", "who": "u1", "set": {"name": "Ada"}})
    hub.applies()
    hub.receives({"id": "b", "who": "u1", "set": {"name": "same batch"}}, {"id": "e", "who": "u1", "erase": ["u1"]})
    hub.applies()
    hub.receives({"id": "c", "who": "u1", "at": 10**6, "set": {"name": "Later"}}, {"id": "d", "who": "u2"})
    hub.applies()
    assert [profile["source_id"] for profile in hub.everyone()] == ["u2"]
    assert hub.states()["c"] == ("ignored", "erased")
    with read(hub.engine) as state:
        rows = {row.message_id: row for row in seen.page(state, MessageFilter(), None, 10)}
    for name in ("a", "b", "c", "e"):
        assert rows[name].body is None
        assert rows[name].source_id is None
    assert hub.balance() == (5, 5)
    with write(hub.engine) as state:
        store.lift(state, "u1", NOW, digest)
    hub.receives({"id": "f", "who": "u1", "set": {"name": "Back"}})
    hub.applies()
    assert hub.everyone()[0]["traits"] == {"name": "Back"}


# ── replay ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_quarantined_messages_are_cured_by_a_corrected_mapping_and_the_books_stay_balanced(hub):
    hub.receives(
        {"id": "a", "who": "u1", "set": {"name": "Ada"}, "defect": True}, {"id": "b", "who": "u2", "unstorable": True}
    )
    hub.applies()
    assert hub.replays(corrected, status="quarantined") == {"applied": 2}
    assert set(hub.states().values()) == {("applied", "")}
    assert hub.everyone()[0]["traits"] == {"name": "Ada"}
    assert hub.balance() == (2, 2)


def test_a_replay_takes_back_what_the_new_mapping_no_longer_says(hub):
    hub.receives({"id": "a", "who": "u1", "at": 1, "set": {"name": "Ada", "email": "a@b.c"}, "events": ["x"]})
    hub.receives({"id": "b", "who": "u1", "at": 2, "set": {"email": "b@b.c"}, "events": ["x"]})
    hub.applies()
    assert hub.replays(corrected, status="applied") == {"applied": 2}
    (profile,) = hub.everyone()
    assert profile["traits"] == {"name": "Ada"}
    assert profile["events"] == {"x": 2}


def test_an_older_value_returns_when_its_message_is_replayed_with_the_newer_one(hub):
    class OnlyOld(FakeMapping):
        def apply(self, message: Any, **given: Any) -> Change:
            mapped = super().apply(message, **given)
            return mapped if message["at"] < 2 else mapped._replace(fields={})

    hub.receives({"id": "a", "who": "u1", "at": 1, "set": {"email": "old@b.c"}})
    hub.receives({"id": "b", "who": "u1", "at": 2, "set": {"email": "new@b.c"}})
    hub.applies()
    hub.replays(lambda _: OnlyOld(), status="applied")
    assert hub.everyone()[0]["traits"] == {"email": "old@b.c"}


def test_an_applied_message_that_the_new_mapping_ignores_leaves_no_trace_but_its_row(hub):
    class Ignores(FakeMapping):
        def apply(self, message: Any, **given: Any) -> Change:
            return super().apply({**message, "verdict": "ignore", "reason": "no_rule"}, **given)

    hub.receives({"id": "a", "who": "u1", "set": {"name": "Ada"}, "events": ["x"]})
    hub.applies()
    assert hub.replays(lambda _: Ignores(), status="applied") == {"ignored": 1}
    assert hub.states() == {"a": ("ignored", "no_rule")}
    assert hub.everyone()[0]["traits"] == {}
    assert hub.everyone()[0]["events"] == {}
    assert hub.balance() == (1, 1)


def test_a_broken_new_mapping_takes_nothing_away(hub):
    class Broken(FakeMapping):
        def apply(self, message: Any, **given: Any) -> Change:
            raise ValueError

    hub.receives({"id": "a", "who": "u1", "set": {"name": "Ada"}})
    hub.applies()
    assert hub.replays(lambda _: Broken(), status="applied") == {"failed": 1}
    assert hub.states() == {"a": ("applied", "")}
    assert hub.everyone()[0]["traits"] == {"name": "Ada"}


def test_an_interrupted_replay_goes_on_where_it_stopped(hub):
    hub.receives(*[{"id": f"m{n}", "who": f"u{n}", "set": {"email": "x@y.z"}} for n in range(5)])
    hub.applies()
    assert replay(hub.engine, MessageFilter(message_id="m3"), corrected, hub.hooks, 7, NOW) == {"applied": 1}
    assert replay(hub.engine, MessageFilter(), corrected, hub.hooks, 7, NOW) == {"applied": 4, "unchanged": 1}
    assert replay(hub.engine, MessageFilter(), mapper, hub.hooks, 6, NOW) == {"unchanged": 5}


def test_a_replay_never_touches_messages_whose_body_is_gone(hub):
    hub.receives({"id": "a", "who": "u1", "set": {"email": "a@b.c"}})
    hub.applies()
    with write(hub.engine) as state:
        retention.strip_bodies(state, NOW + SECOND, 10)
    assert hub.replays(corrected) == {"no_body": 1}
    assert hub.everyone()[0]["traits"] == {"email": "a@b.c"}


def test_revisions_grow_with_every_replay(hub):
    hub.receives({"id": "a", "who": "u1"})
    hub.applies()
    with read(hub.engine) as state:
        first = next_revision(state, NOW)
    hub.replays(mapper)
    with read(hub.engine) as state:
        assert next_revision(state, NOW) == first + 1


# ── what it costs others ─────────────────────────────────────────────────────────────────────────────────────────


def test_other_writers_get_their_turn_while_a_backlog_is_applied(hub):
    """On SQLite there is one writer at a time: the outbox must not starve while apply works."""
    for start in range(0, 3_000, 100):
        hub.receives(*[{"id": f"m{n}", "who": f"u{n}", "events": ["x"]} for n in range(start, start + 100)])
    other = open_database(hub.engine.url.render_as_string(hide_password=False))
    stop = threading.Event()
    thread = threading.Thread(target=hub.role.run, args=(stop,))
    thread.start()
    longest, turns = 0.0, 0
    try:
        while len(hub.states()) < 1_000 and turns < 10_000:
            began = time.perf_counter()
            with write(other) as state:
                store.lift(state, "nobody", NOW, digest)
            longest = max(longest, time.perf_counter() - began)
            turns += 1
    finally:
        stop.set()
        thread.join(timeout=10)
        other.dispose()
    assert turns >= 2
    assert longest < 5.0


def pause(seconds: float) -> None:
    """Work of that length inside a transaction."""
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


def until(is_true: Any, within_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)


def test_a_batch_takes_a_bounded_number_of_statements(hub):
    statements: list[str] = []
    event.listen(hub.engine, "before_cursor_execute", lambda _c, _u, text, *_: statements.append(text))
    hub.receives(*[{"id": f"m{n}", "who": f"u{n}", "set": {"name": "A"}, "events": ["x"]} for n in range(90)])
    hub.role.step()
    assert len(statements) < 25
