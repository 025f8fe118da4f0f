"""The deliver role with everything real: profiles, bundled mapping, connector, HTTP to its simulator."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
from sqlalchemy import Engine

from hub.core import clock
from hub.core.bulk import insert_rows, table
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.core.locks import role_lock
from hub.core.settings import Settings
from hub.core.wakeup import CONNECTIONS, DELIVERIES, listening
from hub.mapping.versions.watch import Mappings
from hub.outbox.engine import dispatch, polling
from hub.outbox.queue import store
from hub.outbox.values import NewDelivery
from hub.outbox.wire.checks import check_destination
from hub.profiles.tables import ProfileRow
from hub.registry import store as registry
from hub.registry.values import Connection
from hub.runtime.live.mappings import MappingWatch
from hub.runtime.process.installation import Installation
from hub.runtime.roles.deliver import DeliverRole, run_deliver
from hub.sdk.declared import secret_fields
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import canonical
from hub.sdk.kit.simulator.base import Simulator
from hub.sdk.values import Operation
from tests.harness import eventually

VENDOR = "braze"


@pytest.fixture
def simulator(installation: Installation) -> Iterator[Simulator]:
    kind = installation.connectors[VENDOR].simulator_class()
    assert kind is not None
    served = kind()
    with served.serving():
        yield served


@pytest.fixture
def installation(engine: Engine, tmp_path: Path) -> Installation:
    hub = Installation(Settings(data_dir=tmp_path, allow_private_hosts=True))
    hub.__dict__["engine"] = engine  # the database of this test, on either engine
    return hub


def connect(hub: Installation, simulator: Simulator) -> Connection:
    found = hub.connectors[VENDOR]
    assert found.destination_class is not None
    given = simulator.example_settings()
    hidden = secret_fields(found.destination_class.Settings)
    with write(hub.engine) as database:
        connection = registry.add(
            database,
            hub.vault,
            clock.now(),
            role="destination",
            connector=VENDOR,
            name="crm",
            settings={name: value for name, value in given.items() if name not in hidden},
            secrets={name: value for name, value in given.items() if name in hidden},
            hosts=simulator.base_urls(),
        )
    MappingWatch(hub, Mappings(hub.engine, hub.folders)).activate(connection)
    return connection


def push(hub: Installation, connection: Connection, count: int, first: int = 0) -> None:
    now = clock.now()
    rows = []
    for number in range(first, first + count):
        said = {"first_name": "Ada", "email": f"ada{number}@example.com", "metadata.points": number}
        fields = {name: [now, "k" * 16, 0, value] for name, value in said.items()}
        rows.append((f"u{number:04d}", canonical(fields).decode(), None, now, now, 1))
    with write(hub.engine) as database:
        insert_rows(database, table(ProfileRow), rows)
        new = [NewDelivery(connection.id, Operation.PROFILES, row[0], now, id=new_id()) for row in rows]
        store.insert(database, new, now)


def terms(hub: Installation) -> dict[str, int]:
    with read(hub.engine) as database:
        return store.terms(database)


def test_profiles_reach_the_vendor_over_http(installation: Installation, simulator: Simulator):
    push(installation, connect(installation, simulator), 200)
    role = DeliverRole(installation)
    role.recover()
    role.settle(30.0)
    assert terms(installation)["sent"] == 200
    assert len(simulator.profiles) == 200
    assert simulator.profiles["u0007"]["email"] == "ada7@example.com"


def test_the_vendor_may_fail_in_every_way_and_all_arrive(installation: Installation, simulator: Simulator):
    push(installation, connect(installation, simulator), 300)
    for kind in ("reset", "accepted_then_reset", "html", "broken_json"):
        simulator.next(kind)
    simulator.next(status=429, retry_after=0.2)
    role = DeliverRole(installation)
    stop = threading.Event()
    thread = threading.Thread(target=role.run, args=(stop,))
    thread.start()
    deadline = threading.Event()
    for _ in range(400):
        if terms(installation)["waiting"] == 0 or deadline.wait(0.05):
            break
    stop.set()
    thread.join(10)
    found = terms(installation)
    assert (found["sent"], found["waiting"]) == (300, 0)
    assert len(simulator.profiles) == 300


def test_an_idle_role_looks_only_when_it_is_woken_for_deliveries_or_a_changed_connection(
    installation: Installation, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dispatch, "LOOK_S", 3_600.0)
    monkeypatch.setattr(polling, "LOOK_S", 3_600.0)
    role = DeliverRole(installation)
    resting: SimpleQueue[float] = SimpleQueue()
    rest = role._engine._rest_s
    monkeypatch.setattr(role._engine, "_rest_s", lambda: resting.put(found := rest()) or found)
    stop = threading.Event()
    thread = threading.Thread(target=role.run, args=(stop,))
    with listening(installation.engine, {DELIVERIES: role.wake, CONNECTIONS: role.look_at_connections}):
        thread.start()
        until_idle(resting)
        connection = connect(installation, simulator)
        for count in (1, 2):
            push(installation, connection, 1, first=count)
            eventually(lambda count=count: terms(installation)["sent"] == count)
            until_idle(resting)
        with write(installation.engine) as database:
            registry.pause(database, connection.id, "a test", clock.now())
        push(installation, connection, 1, first=3)
        with write(installation.engine) as database:
            registry.resume(database, connection.id, clock.now())
        eventually(lambda: terms(installation)["sent"] == 3)
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def until_idle(resting: SimpleQueue[float]) -> None:
    while resting.get(timeout=10) < 1_000.0:
        pass


def test_the_role_stops_in_time_and_gives_its_lock_back(installation: Installation, simulator: Simulator):
    connect(installation, simulator)
    stop = threading.Event()
    thread = threading.Thread(target=run_deliver, args=(installation, stop))
    thread.start()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    again = threading.Event()
    again.set()
    run_deliver(installation, again)


def test_check_tells_good_credentials_from_bad_ones(installation: Installation, simulator: Simulator):
    connection = connect(installation, simulator)
    kind = installation.connectors[VENDOR].destination_class
    assert kind is not None
    assert {one.level for one in check_destination(kind, connection, installation.settings)} == {"ok"}
    simulator.next(status=401)
    assert {one.level for one in check_destination(kind, connection, installation.settings)} == {"error"}


def test_check_says_why_a_private_host_is_refused(installation: Installation, simulator: Simulator, tmp_path: Path):
    connection = connect(installation, simulator)
    kind = installation.connectors[VENDOR].destination_class
    assert kind is not None
    [finding] = check_destination(kind, connection, Settings(data_dir=tmp_path))
    assert finding.level == "error"
    assert "HUB_ALLOW_PRIVATE_HOSTS" in finding.text


def test_a_second_role_on_sqlite_says_so_and_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    hub = Installation(Settings(data_dir=tmp_path))
    monkeypatch.setattr("hub.core.locks.PREDECESSOR_S", 0.0)
    first = role_lock(hub.engine, "deliver")
    assert first.acquire()
    with pytest.raises(ConfigurationError, match="Another deliver role"):
        run_deliver(hub, threading.Event())
    first.release()
    hub.engine.dispose()
