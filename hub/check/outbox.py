"""The hub's own outbox in front of a connector's simulator, for the checks that need it: real HTTP, a database in a temporary
folder, and clocks that a check may move on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Engine

from hub.check.mapping import outbound_of
from hub.check.records import PROFILE, RECORDS
from hub.core import clock
from hub.core.clock import SECOND, Micros
from hub.core.database import open_database, read, write
from hub.core.secrets import Vault
from hub.outbox.engine.lane import Ports
from hub.outbox.engine.loop import DeliveryLoop
from hub.outbox.queue import store
from hub.outbox.values import NewDelivery
from hub.registry import store as registry
from hub.registry.discovery import Found
from hub.registry.values import Connection
from hub.runtime.live.connections import Snapshot
from hub.runtime.process.schema import create_all, metadata
from hub.sdk.contract import Destination
from hub.sdk.declared import build, example_settings, secret_fields
from hub.sdk.kit.bench.bench import Bench
from hub.sdk.values import Operation

SETTLE_S = 20.0
_VAULT = Vault("a key for this check")
_EVERYBODY: Any = SimpleNamespace(  # stands in for the profiles: one profile, that everyone is
    views=lambda _database, source_ids: {one: {**PROFILE, "source_id": one} for one in source_ids},
    refused=lambda _database, _wanted: {},
    erased=lambda _database, _source_ids: set(),
)


@dataclass
class Outbox:
    """One database, in which connections of one connector are made and deliver."""

    found: Found
    bench: Bench
    database: Engine
    ahead_s: float = 0.0

    def connect(self, other: Mapping[str, Any] | None = None) -> Connection:
        """A connection to the simulator, with the example settings and `other` ones over them."""
        model = type(self.bench.destination).Settings
        values = {**example_settings(model), **self.bench.simulator.example_settings(), **(other or {})}
        secrets = {name: value for name, value in values.items() if name in secret_fields(model)}
        settings = {name: value for name, value in values.items() if name not in secrets}
        with write(self.database) as state:
            return registry.add(
                state,
                _VAULT,
                self.now(),
                role="destination",
                connector=self.found.name,
                name="check",
                settings=settings,
                secrets=secrets,
                hosts=self.bench.simulator.base_urls(),
                mapping_hash="check",
            )

    def deliver(self, connection: Connection, source_id: str) -> None:
        """One delivery of each operation but the erasure, until nothing is due."""
        now = self.now()
        kinds = [one for one in self.bench.destination.Options if one is not Operation.ERASE]
        with write(self.database) as state:
            store.insert(state, [self._delivery(connection, one, source_id, now) for one in kinds], now)
        self.settle()

    def settle(self, *, after_s: float = 0.0) -> None:
        """Let that many seconds pass, then deliver until nothing is due."""
        self.ahead_s += after_s
        engine = DeliveryLoop(
            self.database,
            self._snapshot,
            Ports(_EVERYBODY, lambda _hash: outbound_of(self.found), _VAULT, allow_private=True),
            now=self.now,
            monotonic=lambda: time.monotonic() + self.ahead_s,
        )
        try:
            engine.settle(SETTLE_S)
        finally:
            engine.stop()

    def is_waiting(self) -> bool:
        """Whether a delivery waits for another try, or for a vendor's job."""
        with read(self.database) as state:
            return store.oldest_waiting(state) is not None

    def now(self) -> Micros:
        return clock.now() + round(self.ahead_s * SECOND)

    def connection(self, connection: Connection) -> Connection:
        """The connection as it is now."""
        with read(self.database) as state:
            return registry.get(state, _VAULT, connection.id)

    def rows(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Every row of every table, with the table's name."""
        with read(self.database) as state:
            return [
                (table.name, dict(row))
                for table in metadata().sorted_tables
                for row in state.execute(table.select()).mappings()
            ]

    def _snapshot(self) -> Snapshot:
        assert self.found.destination_class is not None
        with read(self.database) as state:
            every = {one.id: one for one in registry.every(state, _VAULT)}
        kind = self.found.destination_class
        return Snapshot(
            every, {}, {one.id: _unpaced(build(kind, one.settings, one.secrets)) for one in every.values()}, {}
        )

    def _delivery(self, connection: Connection, operation: Operation, source_id: str, now: Micros) -> NewDelivery:
        topics = {Operation.AUDIENCE: "big_spenders", Operation.CONSENT: "email"}
        return NewDelivery(
            connection.id,
            operation,
            source_id,
            now,
            record=RECORDS[operation],
            options=example_settings(self.bench.destination.Options[operation]),
            topic=topics.get(operation, ""),
            due_at=now,
        )


@contextmanager
def outbox(found: Found, bench: Bench) -> Iterator[Outbox]:
    """An outbox with an empty database, gone at the end."""
    with TemporaryDirectory(prefix="switchboard-check-") as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'check.db'}")
        create_all(database)
        try:
            yield Outbox(found, bench, database)
        finally:
            database.dispose()


def _unpaced(destination: Destination) -> Destination:
    """The same without rate windows: they are kept in real time, and a check should take none."""
    pools = {name: replace(pool, rates=()) for name, pool in destination.pools().items()}
    vars(destination)["pools"] = lambda: pools
    return destination
