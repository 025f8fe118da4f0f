"""The deliver role as a process: one per installation, so that limits and circuits live in one place."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hub.core.clock import HOUR
from hub.core.locks import RoleLock, lead, role_lock
from hub.core.logging import logger
from hub.core.wakeup import CONNECTIONS, DELIVERIES, listening
from hub.mapping.versions.watch import Mappings
from hub.outbox.engine.lane import Ports
from hub.outbox.engine.loop import DeliveryLoop
from hub.outbox.values import Policy
from hub.profiles.people import People
from hub.runtime.live.connections import LiveConnections
from hub.runtime.process.gc_tuning import calm_collector
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

WATCH_S = 1.0


class DeliverRole:
    """Sends what the outbox holds. `step` is one round, `settle` rounds until nothing is due."""

    def __init__(self, hub: Installation) -> None:
        mappings = Mappings(hub.engine, hub.folders)
        ports = Ports(People(hub.vault.digest), mappings.outbound, hub.vault, hub.settings.allow_private_hosts)
        policy = Policy(horizon_us=hub.settings.retry_hours * HOUR)
        self._live = LiveConnections(hub)
        self._engine = DeliveryLoop(hub.engine, self._live.snapshot, ports, policy=policy)
        hub.reports["lanes"] = self._engine.waits

    def recover(self) -> int:
        """Put right what an earlier process left under way; before the first step. How many deliveries."""
        return self._engine.recover()

    def step(self) -> bool:
        """One round; whether there was anything to do."""
        return self._engine.step()

    def settle(self, timeout_s: float = 10.0) -> None:
        """Rounds until nothing is under way and nothing is due. Raises TimeoutError."""
        self._engine.settle(timeout_s)

    def wake(self) -> None:
        """From any thread: there may be something to send."""
        self._engine.wake()

    def look_at_connections(self) -> None:
        """From any thread: a connection has changed."""
        self._live.look_again()
        self._engine.wake()

    def run(self, stop: threading.Event) -> None:
        """Rounds until `stop`; calls under way are let end, for a few seconds."""
        found = self.recover()
        calm_collector()
        if found:
            logger("outbox").warning("deliveries were cut off by a stop; their results are unknown", count=found)
        self._engine.run(stop)


def run_deliver(hub: Installation, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Blocks until `stop`. On PostgreSQL a second process stands by; on SQLite it raises ConfigurationError."""
    lock = role_lock(hub.engine, "deliver")
    if not lead(lock, "deliver", stop):
        return
    lost = threading.Event()
    watch = threading.Thread(target=_watch, args=(lock, stop, lost), name="lock", daemon=True)
    watch.start()
    try:
        role = DeliverRole(hub)
        with listening(hub.engine, {DELIVERIES: role.wake, CONNECTIONS: role.look_at_connections}):
            ready()
            role.run(stop)
    finally:
        stop.set()
        watch.join()
        lock.release()
    if lost.is_set():
        raise ConfigurationError("The deliver role lost its lock with its database connection; it starts again.")


def _watch(lock: RoleLock, stop: threading.Event, lost: threading.Event) -> None:
    """Another process may take over as soon as the lock is lost: stop claiming then."""
    while not stop.wait(WATCH_S):
        if not lock.held():
            lost.set()
            stop.set()
