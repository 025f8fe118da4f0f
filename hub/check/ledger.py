"""What the hub writes down about a connector's calls: its ledger, its rows and its log hold no secret.

The real outbox sends to the simulator over HTTP, from a database in a temporary folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Engine as DatabaseEngine
from structlog.testing import capture_logs

from hub.check.mapping import outbound_of
from hub.check.records import PROFILE, RECORDS
from hub.core import clock
from hub.core.database import open_database, read, write
from hub.core.secrets import Vault
from hub.outbox.engine.lane import Ports
from hub.outbox.engine.loop import Engine
from hub.outbox.queue import store
from hub.outbox.values import NewDelivery
from hub.registry import store as registry
from hub.registry.discovery import Found
from hub.registry.values import Connection
from hub.runtime.live.connections import Snapshot
from hub.runtime.process.schema import create_all, metadata
from hub.sdk.contract import Destination
from hub.sdk.declared import build, example_settings, secret_fields
from hub.sdk.kit.bench.bench import Bench, over_http, secrets_of, wrong_credentials
from hub.sdk.kit.suite.failed import require
from hub.sdk.values import Operation

SETTLE_S = 20.0


_VAULT = Vault("a key for this check")
_EVERYBODY: Any = SimpleNamespace(  # stands in for the profiles: one profile, that everyone is
    views=lambda _database, source_ids: {one: {**PROFILE, "source_id": one} for one in source_ids},
    refused=lambda _database, _wanted: {},
    erased=lambda _database, _source_ids: set(),
)


def ledger_hides_secrets(found: Found) -> None:
    """After success, refusals and failures that repeat the secret, no row and no line of the log shows it."""
    hidden = secrets_of(found.subject())
    with over_http(found.subject()) as bench, _database() as database:
        connection = _connect(found, bench, database, {})
        for status in (0, 400, 500):
            if status:
                bench.simulator.next(status=status, body={"message": f"refused: {' '.join(hidden)}"}, times=2)
            with capture_logs() as lines:
                _deliver(found, bench, database, connection, f"person-{status}")
            bench.simulator.script.pending.clear()
            leaks = [value for value in hidden if value in repr(lines) or value in _rows(database)]
            require(not leaks, f"a secret shows in the ledger or the log, {_when(status)}")


def wrong_credentials_pause(found: Found) -> None:
    """Refused credentials pause the connection, and its deliveries wait for new ones."""
    subject = found.subject()
    with over_http(subject) as bench, _database() as database, capture_logs():
        connection = _connect(found, bench, database, wrong_credentials(subject))
        _deliver(found, bench, database, connection, "person-0")
        with read(database) as state:
            now = registry.get(state, _VAULT, connection.id)
            dead = state.exec_driver_sql("SELECT operation, reason, detail FROM delivery WHERE state = 'dead'").all()
        require(now is not None and (now.status != "active" or now.paused_routes), "the connection was not paused")
        require(not dead, f"deliveries were given up for wrong credentials: {[tuple(one) for one in dead][:3]}")


@contextmanager
def _database() -> Iterator[DatabaseEngine]:
    with TemporaryDirectory(prefix="switchboard-check-") as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'check.db'}")
        create_all(database)
        try:
            yield database
        finally:
            database.dispose()


def _connect(found: Found, bench: Bench, database: DatabaseEngine, other: Mapping[str, Any]) -> Connection:
    model = type(bench.destination).Settings
    values = {**example_settings(model), **bench.simulator.example_settings(), **other}
    secrets = {name: value for name, value in values.items() if name in secret_fields(model)}
    settings = {name: value for name, value in values.items() if name not in secrets}
    with write(database) as state:
        return registry.add(
            state,
            _VAULT,
            clock.now(),
            role="destination",
            connector=found.name,
            name="check",
            settings=settings,
            secrets=secrets,
            hosts=bench.simulator.base_urls(),
            mapping_hash="check",
        )


def _deliver(found: Found, bench: Bench, database: DatabaseEngine, connection: Connection, source_id: str) -> None:
    """One delivery of each operation but the erasure, by the real outbox, until nothing is due."""
    assert found.destination_class is not None
    kinds = [one for one in found.destination_class.Options if one is not Operation.ERASE]
    now = clock.now()
    with write(database) as state:
        store.insert(state, [_delivery(bench, connection, one, source_id, now) for one in kinds], now)
    engine = Engine(
        database,
        lambda: _snapshot(found, database),
        Ports(_EVERYBODY, lambda _hash: outbound_of(found), _VAULT, allow_private=True),
    )
    try:
        engine.settle(SETTLE_S)
    finally:
        engine.stop()


def _snapshot(found: Found, database: DatabaseEngine) -> Snapshot:
    assert found.destination_class is not None
    with read(database) as state:
        every = {one.id: one for one in registry.every(state, _VAULT)}
    made = {one.id: _unpaced(build(found.destination_class, one.settings, one.secrets)) for one in every.values()}
    return Snapshot(every, {}, made, {})


def _unpaced(destination: Destination) -> Destination:
    """The same without rate windows: they are kept in real time, and a check should take none."""
    pools = {name: replace(pool, rates=()) for name, pool in destination.pools().items()}
    vars(destination)["pools"] = lambda: pools
    return destination


def _delivery(bench: Bench, connection: Connection, operation: Operation, source_id: str, now: int) -> NewDelivery:
    topics = {Operation.AUDIENCE: "big_spenders", Operation.CONSENT: "email"}
    return NewDelivery(
        connection.id,
        operation,
        source_id,
        now,
        record=RECORDS[operation],
        options=example_settings(bench.destination.Options[operation]),
        topic=topics.get(operation, ""),
        due_at=now,
    )


def _rows(database: DatabaseEngine) -> str:
    """Every row of every table, as text."""
    with read(database) as state:
        return "\n".join(str(row) for table in metadata().sorted_tables for row in state.execute(table.select()))


def _when(status: int) -> str:
    return f"after the vendor answered {status} and repeated it" if status else "after all went well"
