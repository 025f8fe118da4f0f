"""Keeps every connection on the newest valid version of its mapping: a changed file takes effect within seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from hub.core import clock
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.core.logging import logger
from hub.core.wakeup import LOOK_S
from hub.ledger.store import record_audit, record_run
from hub.ledger.values import Run
from hub.mapping.versions.watch import Mappings
from hub.registry import store
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.runtime.process.side_threads import put_off

FILES_S = 1.0  # between two looks at the files
ACTOR = "mapping watch"

_log = logger("mapping")


class MappingWatch:
    """Used by the leading schedule role, and once whenever a connection is added."""

    def __init__(self, hub: Installation, mappings: Mappings) -> None:
        self._hub = hub
        self._mappings = mappings
        self._broken: dict[str, str] = {}  # connection id to what is wrong with its file
        self._read_at = -LOOK_S
        self._revision: tuple[int, int, int] | None = None
        self._connections: Sequence[Connection] = ()
        hub.reports["mappings"] = self.broken

    def wake(self) -> None:
        """From any thread: a connection has changed."""
        self._read_at = -LOOK_S

    def run(self, stop: threading.Event) -> None:
        """Look every second until `stop`."""
        while not stop.wait(FILES_S):
            with put_off(_log, "looking at the mapping files is put off"):
                if time.monotonic() - self._read_at >= LOOK_S:
                    self.look()
                else:
                    self._activate_all()

    def look(self) -> None:
        """Bring every connection to its newest valid version; a broken file is told once and changes nothing."""
        self._read()
        self._activate_all()

    def _read(self) -> None:
        self._read_at = time.monotonic()  # before reading: a change meanwhile is then seen next time
        with read(self._hub.engine) as database:
            revision = store.revision(database)
            if revision != self._revision:
                self._connections = store.every(database, self._hub.vault)
        self._revision = revision

    def _activate_all(self) -> None:
        for connection in self._connections:
            self.activate(connection)

    def activate(self, connection: Connection) -> str:
        """The hash the connection follows now. Raises nothing: without any valid version it is empty."""
        now = clock.now()
        found = self._mappings.refresh(
            connection.mapping, connection.mapping_patch, active=connection.mapping_hash, now=now
        )
        if found.error:
            self._tell(connection, found.error)
        else:
            self._broken.pop(connection.id, None)
        if found.hash != connection.mapping_hash:
            with write(self._hub.engine) as database:
                store.update(database, connection.id, now, mapping_hash=found.hash)
                detail = {"from": connection.mapping_hash[:12], "to": found.hash[:12], "id": connection.id}
                record_audit(database, now, ACTOR, "mapping.activated", connection.name, detail)
            self.wake()
        return found.hash

    def broken(self) -> dict[str, str]:
        """Connection id to what is wrong with its mapping, where the file cannot be followed."""
        return dict(self._broken)

    def _tell(self, connection: Connection, error: str) -> None:
        if self._broken.get(connection.id) == error:
            return
        self._broken[connection.id] = error
        _log.error("the mapping is broken; the last good one stays", connection=connection.name, why=error)
        now = clock.now()
        kept = (
            f"version {connection.mapping_hash[:12]} stays"
            if connection.mapping_hash
            else "there is no version to keep"
        )
        why = f"The mapping {connection.mapping!r} is broken, and {kept}: {error}"
        with write(self._hub.engine) as database:
            record_run(database, Run(new_id(now // 1000), "mapping", now, 0, {}, "failed", why, connection.id))
            detail = {"why": error, "kept": connection.mapping_hash[:12]}
            record_audit(database, now, ACTOR, "mapping.broken", connection.name, detail)
