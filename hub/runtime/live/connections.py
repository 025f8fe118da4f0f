"""The connections as they are now: re-read when one changes, so that a change takes effect within a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.core.database import read
from hub.core.logging import logger
from hub.registry import store
from hub.registry.discovery import build
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.sdk.contract import Destination, Source
from hub.sdk.errors import ConfigurationError

LOOK_S = 0.5
REMEMBER_S = (
    1.0  # keys are made at random: nobody asks for one before it exists, so a remembered "no" harms no new source
)
REMEMBERED = 1_000
LONGEST_KEY = 64  # characters; what is longer is nobody's key, and is not worth remembering


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All connections and their connector instances at one moment, by id; sources also by key."""

    connections: Mapping[str, Connection]
    sources: Mapping[str, Source]
    destinations: Mapping[str, Destination]
    by_key: Mapping[str, Connection]


class LiveConnections:
    """Gives the latest snapshot; looks for changes at most every LOOK_S seconds. Safe to share between threads."""

    def __init__(self, hub: Installation) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._looked_at = -LOOK_S
        self._is_stale = False
        self._revision: tuple[int, int, int] | None = None
        self._snapshot = Snapshot({}, {}, {}, {})
        self._unknown: dict[str, float] = {}  # key to when it is looked for again

    def snapshot(self) -> Snapshot:
        is_first = self._revision is None  # nobody may be told "unknown source" before there was a look
        is_old = self._is_stale or time.monotonic() - self._looked_at >= LOOK_S
        if is_old and self._lock.acquire(blocking=is_first):
            try:
                if not is_first or self._revision is None:
                    self._look()
            finally:
                self._lock.release()
        return self._snapshot

    def look_again(self) -> None:
        """From any thread: a connection has changed, so the next snapshot is read anew."""
        self._is_stale = True

    def latest(self) -> Snapshot:
        """A snapshot of now: of a look that began after this call. Callers who wait at the same time share one look."""
        asked_at = time.monotonic()
        with self._lock:
            if self._looked_at <= asked_at:
                self._look()
            return self._snapshot

    def connection(self, connection_id: str) -> Connection | None:
        """One connection. One that the last look did not know is looked for now: it may have been added since, and its
        first message may be here already."""
        found = self.snapshot().connections.get(connection_id)
        return found or self.latest().connections.get(connection_id)

    def source_connection(self, key: str) -> Connection | None:
        """The connection behind a webhook URL. A key that the last look did not know is looked for now, since senders
        never repeat what was answered 404. That nobody has it is remembered for REMEMBER_S, so that guessing is cheap."""
        found = self.snapshot().by_key.get(key)
        if found is not None:
            return found
        if len(key) > LONGEST_KEY or self._unknown.get(key, 0.0) > time.monotonic():
            return None
        found = self.latest().by_key.get(key)
        if found is None:
            self._remember_unknown(key)
        return found

    def _remember_unknown(self, key: str) -> None:
        if len(self._unknown) >= REMEMBERED:
            self._unknown.clear()
        self._unknown[key] = time.monotonic() + REMEMBER_S

    def _look(self) -> None:
        self._is_stale = False  # before reading: a change meanwhile is then seen next time
        began = time.monotonic()
        with read(self._hub.engine) as database:
            revision = store.revision(database)
            if revision != self._revision:
                self._snapshot = self._build(store.every(database, self._hub.vault))
                self._revision = revision
        self._looked_at = began

    def _build(self, connections: Sequence[Connection]) -> Snapshot:
        sources: dict[str, Source] = {}
        destinations: dict[str, Destination] = {}
        for connection in connections:
            try:
                self._instance(connection, sources, destinations)
            except ConfigurationError as error:
                # One connection that cannot be built must not stop the others; doctor and the list show it.
                logger("registry").error("connection is unusable", connection=connection.name, why=str(error))
        return Snapshot(
            connections={connection.id: connection for connection in connections},
            sources=sources,
            destinations=destinations,
            by_key={connection.source_key: connection for connection in connections if connection.source_key},
        )

    def _instance(
        self, connection: Connection, sources: dict[str, Source], destinations: dict[str, Destination]
    ) -> None:
        found = self._hub.connectors.get(connection.connector)
        if found is None or found.error:
            why = found.error if found else "it is not installed"
            raise ConfigurationError(f"The connector {connection.connector!r} cannot be used: {why}.")
        if connection.role == "source" and found.source_class:
            sources[connection.id] = build(found.source_class, connection.settings, connection.secrets)
        if connection.role == "destination" and found.destination_class:
            destinations[connection.id] = build(found.destination_class, connection.settings, connection.secrets)
