"""One reading thread for each source that has a subscription, following every change of the connections."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from hub.core.logging import logger
from hub.core.wakeup import LOOK_S, Sleeper, when_set
from hub.inbox.queue import Inbox
from hub.registry.values import Connection
from hub.runtime.live.connections import LiveConnections
from hub.runtime.process.installation import Installation
from hub.runtime.process.side_threads import put_off

DIED_S = 1.0  # a reading thread that has died is started again after this time


@dataclass(frozen=True, slots=True)
class _Running:
    version: int
    stop: threading.Event
    thread: threading.Thread


class Consumers:
    """Starts and ends the reading threads of one process. Processes share a source's partitions by its group."""

    def __init__(self, hub: Installation, inbox: Inbox) -> None:
        self._hub, self._inbox = hub, inbox
        self._live = LiveConnections(hub)
        self._running: dict[str, _Running] = {}
        self._sleeper = Sleeper()

    def wake(self) -> None:
        """From any thread: a connection has changed."""
        self._live.look_again()
        self._sleeper.wake()

    def run(self, stop: threading.Event) -> None:
        """Blocks until `stop`, and until the last thread has left its group."""
        when_set(stop, self._sleeper.wake)
        while not stop.is_set():
            with put_off(logger("consume"), "looking at the sources is put off"):
                self.look()
            self._sleeper.sleep(stop, DIED_S if self._running else LOOK_S)
        for one in self._running.values():
            one.stop.set()
        for one in self._running.values():
            one.thread.join()

    def look(self) -> None:
        """Start what is new or has changed or died, end what is paused or gone."""
        snapshot = self._live.snapshot()
        wanted = {
            id_: connection
            for id_, connection in snapshot.connections.items()
            if connection.status != "paused" and id_ in snapshot.sources and snapshot.sources[id_].subscription()
        }
        for id_, one in list(self._running.items()):
            connection = wanted.get(id_)
            if connection is None or connection.version != one.version or not one.thread.is_alive():
                one.stop.set()
                one.thread.join()
                del self._running[id_]
        for id_, connection in wanted.items():
            if id_ not in self._running:
                self._running[id_] = self._start(connection)

    def _start(self, connection: Connection) -> _Running:
        from hub.runtime.consume.consumer import Consumer  # a hub that reads no topics loads nothing of it

        source = self._live.snapshot().sources[connection.id]
        subscription = source.subscription()
        assert subscription is not None, "only sources with one are started"
        stop = threading.Event()
        consumer = Consumer(self._hub, self._inbox, connection.id, source, subscription)
        thread = threading.Thread(target=consumer.run, args=(stop,), name=f"consume-{connection.name}", daemon=True)
        thread.start()
        return _Running(connection.version, stop, thread)
