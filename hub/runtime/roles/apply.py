"""The apply role as a process: the inbox, the mappings of all sources, and the hooks of a batch."""

from __future__ import annotations

import threading
from typing import Any

from hub.core.locks import role_lock
from hub.core.wakeup import CONNECTIONS, MESSAGES, listening
from hub.inbox.sql import open_inbox
from hub.runtime.apply.loop import ApplyRole
from hub.runtime.apply.mappers import hooks_of, mapper_of
from hub.runtime.consume.consumers import Consumers
from hub.runtime.process.installation import Installation
from hub.runtime.process.side_threads import Beside
from hub.sdk.errors import ConfigurationError

LEAVE_S = 5.0  # for reading threads to leave their groups
LOCK_PATIENCE_S = 5.0  # the process before this one may still be letting go


def run_apply(hub: Installation, stop: threading.Event) -> None:
    """Blocks until `stop`. Raises ConfigurationError on SQLite if another apply role holds the lock, and whatever ended
    the reading of topics: a role that no longer reads them must not look alive."""
    lock = role_lock(hub.engine, "apply")
    if hub.engine.dialect.name == "sqlite":
        wait_for(lock.acquire, stop, "apply")
    inbox = open_inbox(hub.settings, hub.engine)
    beside = Beside(stop)
    try:
        consumers = Consumers(hub, inbox)
        role = ApplyRole(inbox, mapper_of(hub), hooks_of(hub), hub.settings.apply_batch)
        beside.start("consumers", lambda: consumers.run(stop))
        with listening(hub.engine, {MESSAGES: role.wake, CONNECTIONS: consumers.wake}):
            role.run(stop)
    finally:
        stop.set()
        beside.join(LEAVE_S)
        inbox.close()
        lock.release()
    beside.raise_defect()


def wait_for(acquire: Any, stop: threading.Event, role: str) -> None:
    """Take a role's lock, waiting a moment for a predecessor. Raises ConfigurationError if it is not let go."""
    waited_s = 0.0
    while not acquire():
        if waited_s >= LOCK_PATIENCE_S:
            raise ConfigurationError(f"Another {role} role runs on this installation already; this one ends.")
        stop.wait(0.1)
        waited_s += 0.1
