"""The connections as they are now: changes are seen, nobody is told "unknown" too early, one bad one harms no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.admin.connections import add_source, change_settings, pause, remove, resume
from hub.core import clock
from hub.core.database import write
from hub.registry import store
from hub.runtime.live import connections as live
from hub.runtime.live.connections import LiveConnections
from tests.harness import eventually
from tests.rooms.whole import Whole


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every snapshot looks."""
    monkeypatch.setattr(live, "LOOK_S", 0.0)


@pytest.mark.usefixtures("at_once")
def test_every_change_is_seen(whole: Whole) -> None:
    connections = LiveConnections(whole.hub)
    web = connections.snapshot().connections[whole.web.id]
    assert connections.snapshot() is connections.snapshot(), "without a change nothing is built again"

    with write(whole.engine) as database:
        added = add_source(whole.hub, database, clock.now(), "segment", "app", {}, "tests")
    assert added.source_key in connections.snapshot().by_key
    with write(whole.engine) as database:
        pause(database, clock.now(), web, "a look", "tests")
    assert connections.snapshot().connections[web.id].status == "paused"
    with write(whole.engine) as database:
        resume(database, clock.now(), web, "tests")
    assert connections.snapshot().connections[web.id].status == "active"
    with write(whole.engine) as database:
        change_settings(whole.hub, database, clock.now(), web, {"shared_secret": "new"}, "tests")
    assert connections.snapshot().connections[web.id].secrets["shared_secret"] == "new"
    with write(whole.engine) as database:
        remove(database, clock.now(), added, "tests")
    assert set(connections.snapshot().connections) == {web.id}


def test_changes_are_looked_for_only_now_and_then(whole: Whole) -> None:
    connections = LiveConnections(whole.hub)
    connections.snapshot()
    with write(whole.engine) as database:
        add_source(whole.hub, database, clock.now(), "segment", "app", {}, "tests")
    assert len(connections.snapshot().connections) == 1


def test_the_first_callers_all_wait_for_the_first_look(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    connections = LiveConnections(whole.hub)
    entered, go_on = threading.Event(), threading.Event()
    looked = connections._look

    def slow() -> None:
        entered.set()
        assert go_on.wait(5)
        looked()

    monkeypatch.setattr(connections, "_look", slow)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(connections.snapshot)
        assert entered.wait(5)
        others = [pool.submit(connections.snapshot) for _ in range(3)]
        go_on.set()
        found = [each.result(5) for each in (first, *others)]
    assert all(whole.web.id in snapshot.sources for snapshot in found), "an unknown source would be a lost message"


@pytest.mark.usefixtures("at_once")
def test_a_connection_that_cannot_be_built_harms_no_other(whole: Whole) -> None:
    with write(whole.engine) as database:
        for connector, settings in (("gone", {}), ("segment", {"no_such": "setting"})):
            store.add(
                database, whole.hub.vault, clock.now(), role="source", connector=connector, name=connector,
                settings=settings, secrets={},
            )  # fmt: skip
    snapshot = LiveConnections(whole.hub).snapshot()

    assert set(snapshot.sources) == {whole.web.id}
    assert len(snapshot.connections) == 3


def test_a_source_added_a_moment_ago_is_found_for_its_first_message(whole: Whole) -> None:
    connections = LiveConnections(whole.hub)
    connections.snapshot()
    with write(whole.engine) as database:
        made = add_source(whole.hub, database, clock.now(), "csv", "files", {}, "tests")

    assert connections.connection(made.id) is not None
    assert connections.connection("01J00000000000000000000001") is None


def test_a_source_is_found_by_its_key_as_soon_as_it_is_added(whole: Whole) -> None:
    connections = LiveConnections(whole.hub)
    assert connections.source_connection("nobodys-key") is None, "which looked, a moment ago"
    with write(whole.engine) as database:
        added = add_source(whole.hub, database, clock.now(), "segment", "app", {}, "tests")
    found = connections.source_connection(str(added.source_key))
    assert found is not None
    assert found.id == added.id


def test_what_is_asked_for_now_is_looked_for_now_and_those_who_wait_share_a_look(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = LiveConnections(whole.hub)
    connections.snapshot()
    go_on, looks, look = threading.Event(), count_of(connections, monkeypatch), connections._look

    def slow() -> None:
        assert go_on.wait(5)
        look()

    monkeypatch.setattr(connections, "_look", slow)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(connections.latest) for _ in range(8)]
        eventually(lambda: all(each.running() for each in waiting))
        go_on.set()
        for each in waiting:
            each.result(5)
    assert 1 <= looks() <= 3, "one that was under way, and one for all who came meanwhile"
    with write(whole.engine) as database:
        pause(database, clock.now(), whole.web, "a look", "tests")
    assert connections.latest().connections[whole.web.id].status == "paused"


def test_guessing_keys_is_cheap_and_fills_no_memory(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "REMEMBERED", 3)
    connections = LiveConnections(whole.hub)
    connections.snapshot()
    looks = count_of(connections, monkeypatch)

    for _ in range(50):
        assert connections.source_connection("nobodys-key") is None
    assert looks() == 1, "that nobody has it is remembered"
    assert connections.source_connection("x" * 65) is None
    assert looks() == 1, "no key is so long"

    for number in range(10):
        connections.source_connection(f"guess-{number}")
    assert len(connections._unknown) <= 3
    monkeypatch.setattr(live, "REMEMBER_S", 0.0)
    before = looks()
    connections.source_connection("another")
    connections.source_connection("another")
    assert looks() == before + 2, "not for long, though"


def count_of(connections: LiveConnections, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often the connections are looked for in the database."""
    looks: list[None] = []
    look = connections._look
    monkeypatch.setattr(connections, "_look", lambda: (looks.append(None), look()))
    return lambda: len(looks)
