"""The schedule role as a process: distributions on time, mapping files and erasures watched, housekeeping every minute."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hub.core import clock
from hub.core.logging import logger
from hub.core.wakeup import CONNECTIONS, ERASURES, OCCASIONS, listening
from hub.inbox.queue import Inbox
from hub.inbox.sql import open_inbox
from hub.mapping.versions.watch import Mappings
from hub.runtime.erasing.watch import ErasureWatch
from hub.runtime.live.mappings import MappingWatch
from hub.runtime.occasions.scheduler import ScheduleRole
from hub.runtime.process.installation import Installation
from hub.runtime.process.side_threads import SideThreads, put_off
from hub.runtime.upkeep.housekeeping import tidy

TIDY_EVERY_S = 60.0


def run_schedule(hub: Installation, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Blocks until `stop`. Raises whatever ended a watch or housekeeping: a role without them must not look alive."""
    watch = MappingWatch(hub, Mappings(hub.engine, hub.folders))
    erasures = ErasureWatch(hub)
    role = ScheduleRole(hub.engine, hub.vault.digest)
    side_threads = SideThreads(stop)
    side_threads.start("housekeeping", lambda: _keep_tidy(hub, stop))
    side_threads.start("mapping-watch", lambda: watch.run(stop))
    side_threads.start("erasure-watch", lambda: erasures.run(stop))
    with listening(hub.engine, {OCCASIONS: role.wake, ERASURES: erasures.wake, CONNECTIONS: watch.wake}):
        ready()
        role.run(stop)
    side_threads.join()
    side_threads.raise_defect()


def _keep_tidy(hub: Installation, stop: threading.Event) -> None:
    inbox = open_inbox(hub.settings, hub.engine)
    try:
        while not stop.wait(TIDY_EVERY_S):
            _tidy_once(hub, inbox)
    finally:
        inbox.close()


def _tidy_once(hub: Installation, inbox: Inbox) -> None:
    log = logger("schedule")
    with put_off(log, "housekeeping is put off"):
        gone = {name: count for name, count in tidy(hub, inbox, clock.now()).items() if count}
        if gone:
            log.info("housekeeping", **gone)
