"""The apply role as a process: the inbox, the mappings of all sources, and the hooks of a batch."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hub.core.locks import lead, role_lock
from hub.core.wakeup import CONNECTIONS, MESSAGES, listening
from hub.inbox.sql import open_inbox
from hub.runtime.apply.loop import ApplyRole
from hub.runtime.apply.mappers import hooks_of, mapper_of
from hub.runtime.consume.consumers import Consumers
from hub.runtime.process.installation import Installation
from hub.runtime.process.side_threads import SideThreads

LEAVE_S = 5.0  # for reading threads to leave their groups


def run_apply(hub: Installation, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Blocks until `stop`. Raises ConfigurationError on SQLite if another apply role holds the lock, and whatever ended
    the reading of topics: a role that no longer reads them must not look alive."""
    lock = role_lock(hub.engine, "apply")
    if hub.engine.dialect.name == "sqlite" and not lead(lock, "apply", stop):
        return
    inbox = open_inbox(hub.settings, hub.engine)
    side_threads = SideThreads(stop)
    try:
        consumers = Consumers(hub, inbox)
        role = ApplyRole(inbox, mapper_of(hub), hooks_of(hub), hub.settings.apply_batch)
        side_threads.start("consumers", lambda: consumers.run(stop))
        with listening(hub.engine, {MESSAGES: role.wake, CONNECTIONS: consumers.wake}):
            ready()
            role.run(stop)
    finally:
        stop.set()
        side_threads.join(LEAVE_S)
        inbox.close()
        lock.release()
    side_threads.raise_defect()
